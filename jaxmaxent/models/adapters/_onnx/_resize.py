"""Resizing along axes: every position of the result is a weighted sum of few positions of the input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxmaxent.models.adapters._onnx._graph import Call
from jaxmaxent.models.adapters._onnx._taps import weighted


@dataclass(frozen=True)
class _Axis:
    """One axis: its number, its lengths before and after, the factor between them, and the part that is kept."""

    number: int
    before: int
    after: int
    scale: float
    start: float = 0.0
    end: float = 1.0


def resize(call: Call, x: Any, region: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    """Return x with axes of other lengths, by the nearest position, linear or cubic interpolation."""
    if call.version < 11:
        scales, region = region, None
    for axis in _resized(call, x, region, scales, sizes):
        x = _along(call, x, axis, _original(call, axis))
    return x


def upsample(call: Call, x: Any, scales: Any = None) -> Any:
    """Return x with longer axes, as `resize` did before opset 10."""
    factors = np.asarray(call.get("scales")) if scales is None else scales
    return resize(call, x, factors)


def _resized(call: Call, x: Any, region: Any, scales: Any, sizes: Any) -> list[_Axis]:
    """Return the axes that change, or that a crop changes."""
    chosen = [axis % x.ndim for axis in call.get("axes", range(x.ndim))]
    lengths = [x.shape[axis] for axis in chosen]
    crop = call.get("coordinate_transformation_mode") == "tf_crop_and_resize"
    if scales is not None and scales.size:
        factors = [float(number) for number in call.known("scales", scales)]
        wanted = [math.floor(length * factor) for length, factor in zip(lengths, factors, strict=True)]
    else:
        wanted = call.integers("sizes", sizes)
        factors = [size / length for size, length in zip(wanted, lengths, strict=True)]
        policy = call.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            factors = [min(factors) if policy == "not_larger" else max(factors)] * len(factors)
            wanted = [math.floor(length * factor + 0.5) for length, factor in zip(lengths, factors, strict=True)]
    parts = [(0.0, 1.0)] * len(chosen)
    if crop:
        edges = [float(number) for number in call.known("roi", region)]
        parts = list(zip(edges[: len(chosen)], edges[len(chosen) :], strict=True))
    axes = [
        _Axis(axis, length, size, factor, *part)
        for axis, length, size, factor, part in zip(chosen, lengths, wanted, factors, parts, strict=True)
    ]
    return [axis for axis in axes if axis.before != axis.after or axis.scale != 1 or crop]


def _original(call: Call, axis: _Axis) -> np.ndarray:
    """Return where every position of the result lies in the input."""
    place, scale, before, after = np.arange(axis.after), axis.scale, axis.before, axis.after
    mode = call.get("coordinate_transformation_mode", "asymmetric" if call.version < 11 else "half_pixel")
    if mode == "asymmetric":
        return place / scale
    if mode == "align_corners":
        return place * (before - 1) / (after - 1) if after > 1 else np.zeros(1)
    if mode == "pytorch_half_pixel" and after == 1:
        return np.zeros(1)
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (place + 0.5) / scale - 0.5
    if mode == "half_pixel_symmetric":
        offset = before / 2 * (1 - after / (scale * before))
        return offset + (place + 0.5) / scale - 0.5
    if mode == "tf_crop_and_resize":
        if after == 1:
            return np.full(1, 0.5 * (axis.start + axis.end) * (before - 1))
        return axis.start * (before - 1) + place * (axis.end - axis.start) * (before - 1) / (after - 1)
    raise ValueError(f"the coordinate_transformation_mode {mode!r} is not known")


def _along(call: Call, x: Any, axis: _Axis, original: np.ndarray) -> Any:
    """Return x resized along one axis."""
    places, weights = _taps(call, axis, original)
    if call.get("exclude_outside", 0):
        weights = np.where((places >= 0) & (places < axis.before), weights, 0)
        weights = weights / weights.sum(1, keepdims=True)
    made = weighted(x, axis.number, places, weights)
    if call.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        outside = (original < 0) | (original > axis.before - 1)
        outside = outside.reshape([-1 if i == axis.number else 1 for i in range(x.ndim)])
        fill = jnp.asarray(call.get("extrapolation_value", 0.0), made.dtype)
        made = jnp.where(np.broadcast_to(outside, made.shape), fill, made)
    return made


def _taps(call: Call, axis: _Axis, original: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the input that each position of the result reads, and their weights, [after, taps]."""
    mode = call.get("mode", "nearest")
    if mode == "nearest":
        how = call.get("nearest_mode", "floor" if call.version < 11 else "round_prefer_floor")
        rounded = {
            "round_prefer_floor": lambda at: np.ceil(at - 0.5),
            "round_prefer_ceil": lambda at: np.floor(at + 0.5),
            "floor": np.floor,
            "ceil": np.ceil,
        }[how](original)
        return rounded.astype(int)[:, None], np.ones((len(original), 1))
    scale = min(axis.scale, 1.0) if call.get("antialias", 0) else 1.0
    reach = 2 if mode == "cubic" else 1
    first = math.floor(-reach / scale) + 1
    places = np.floor(original).astype(int)[:, None] + np.arange(first, 2 - first)
    distance = np.abs(places - original[:, None]) * scale
    linear = np.maximum(1 - distance, 0)
    weights = _cubic(distance, call.get("cubic_coeff_a", -0.75)) if mode == "cubic" else linear
    return places, weights / weights.sum(1, keepdims=True)


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Return the weights of cubic convolution (Keys 1981, equation 15)."""
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))
