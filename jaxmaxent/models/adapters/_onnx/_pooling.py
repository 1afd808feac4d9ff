"""Pooling in windows and over all positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxmaxent.models.adapters._onnx._convolution import edges
from jaxmaxent.models.adapters._onnx._graph import Call


@dataclass(frozen=True)
class _Windows:
    """The windows of a pooling: one entry per spatial axis."""

    sizes: tuple[int, ...]
    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    # The padding that the node asks for, that which the last windows reach, and the number of windows.
    asked: list[tuple[int, int]]
    padding: list[tuple[int, int]]
    counts: list[int]

    def reduce(self, x: Any, start: Any, function: Any) -> Any:
        """Return the reduction of every window."""
        made = lax.reduce_window(
            x,
            np.asarray(start, x.dtype),
            function,
            (1, 1, *self.kernel),
            (1, 1, *self.strides),
            ((0, 0), (0, 0), *self.padding),
            window_dilation=(1, 1, *self.dilations),
        )
        limits = (*x.shape[:2], *self.counts)
        return made if made.shape == limits else lax.slice(made, (0,) * x.ndim, limits)

    def elements(self, *, padded: bool) -> np.ndarray:
        """Return the number of elements of every window, with or without the padding that the node asks for."""
        total = np.ones(())
        for i, size in enumerate(self.sizes):
            low, high = self.asked[i]
            places = np.arange(self.counts[i])[:, None] * self.strides[i] - low
            places = places + np.arange(self.kernel[i]) * self.dilations[i]
            inside = (places >= -low) & (places < size + high) if padded else (places >= 0) & (places < size)
            total = total[..., None] * inside.sum(1)
        return total[None, None]


def _windows(call: Call, x: Any) -> _Windows:
    kernel, sizes = call.get("kernel_shape"), x.shape[2:]
    strides, dilations = call.get("strides", [1] * len(kernel)), call.get("dilations", [1] * len(kernel))
    asked = edges(call, sizes, kernel, strides, dilations)
    padding, counts = [], []
    for size, width, stride, dilation, (low, high) in zip(sizes, kernel, strides, dilations, asked, strict=True):
        span = (width - 1) * dilation + 1
        room = size + low + high - span
        count = room // stride + 1
        # With ceil_mode, one more window that reaches over the end, if it starts before it.
        if call.get("ceil_mode", 0) and room % stride and count * stride < size + low:
            count += 1
        counts.append(count)
        padding.append((low, max(high, (count - 1) * stride + span - size - low)))
    return _Windows(sizes, kernel, strides, dilations, asked, padding, counts)


def max_pool(call: Call, x: Any) -> Any:
    """Return the maximum of every window, and where it was if the node has a second output."""
    windows = _windows(call, x)
    least = -np.inf if jnp.issubdtype(x.dtype, jnp.inexact) else np.iinfo(x.dtype).min
    made = windows.reduce(x, least, lax.max)
    return made if len(call.node.outputs) < 2 else (made, _places(call, x, windows, least))


def _places(call: Call, x: Any, windows: _Windows, least: Any) -> Any:
    """Return the index of every maximum in the flattened array."""
    index = np.arange(x.size).reshape(x.shape)
    if call.get("storage_order", 0):
        index = np.swapaxes(np.arange(x.size).reshape(*x.shape[:-2], x.shape[-1], x.shape[-2]), -1, -2)
    index = jnp.asarray(index, jnp.int64 if jnp.zeros(0, int).dtype == np.int64 else jnp.int32)

    def larger(a: Any, b: Any) -> Any:
        first = (a[0] > b[0]) | ((a[0] == b[0]) & (a[1] <= b[1]))
        return jnp.where(first, a[0], b[0]), jnp.where(first, a[1], b[1])

    _, places = lax.reduce_window(
        (x, index),
        (np.asarray(least, x.dtype), np.asarray(np.iinfo(index.dtype).max, index.dtype)),
        larger,
        (1, 1, *windows.kernel),
        (1, 1, *windows.strides),
        ((0, 0), (0, 0), *windows.padding),
        window_dilation=(1, 1, *windows.dilations),
    )
    return lax.slice(places, (0,) * x.ndim, (*x.shape[:2], *windows.counts))


def average_pool(call: Call, x: Any) -> Any:
    """Return the mean of every window, of its elements inside the array or with the padding."""
    windows = _windows(call, x)
    counts = windows.elements(padded=bool(call.get("count_include_pad", 0)))
    total = windows.reduce(x, 0, lax.add)
    return total / (counts.flat[0].astype(x.dtype) if np.all(counts == counts.flat[0]) else counts.astype(x.dtype))


def lp_pool(call: Call, x: Any) -> Any:
    """Return the p-norm of every window."""
    p = call.get("p", 2)
    return _norm(_windows(call, x).reduce(jnp.abs(x) ** p, 0, lax.add), p)


def _norm(total: Any, p: Any) -> Any:
    return total if p == 1 else jnp.sqrt(total) if p == 2 else total ** (1 / p)


def _spatial(x: Any) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def global_average_pool(call: Call, x: Any) -> Any:
    """Return the mean over all positions."""
    return jnp.mean(x, _spatial(x), keepdims=True)


def global_max_pool(call: Call, x: Any) -> Any:
    """Return the maximum over all positions."""
    return jnp.max(x, _spatial(x), keepdims=True)


def global_lp_pool(call: Call, x: Any) -> Any:
    """Return the p-norm over all positions."""
    p = call.get("p", 2)
    return _norm(jnp.sum(jnp.abs(x) ** p, _spatial(x), keepdims=True), p)
