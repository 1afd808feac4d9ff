"""Sums, maxima and other reductions along axes."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from jaxmaxent.models.adapters._onnx._elementwise import Operator
from jaxmaxent.models.adapters._onnx._graph import Call


def reduction(function: Operator) -> Operator:
    """Return the operator that reduces axes by `function(xp, x, axes, keepdims)`, in the type of x.

    The axes are an attribute or, in later opsets, an input. Without axes all are reduced, or none if the attribute
    `noop_with_empty_axes` says so.
    """

    def operator(call: Call, x: Any, axes: Any = None) -> Any:
        chosen = call.get("axes", []) if axes is None else call.integers("axes", axes)
        if not chosen and call.get("noop_with_empty_axes", 0):
            places: tuple[int, ...] = ()
        else:
            places = tuple(axis % x.ndim for axis in chosen) or tuple(range(x.ndim))
        return function(call.xp, x, places, bool(call.get("keepdims", 1))).astype(x.dtype)

    return operator


def total(xp: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """Return the sum."""
    return xp.sum(x, axes, keepdims=keep, dtype=x.dtype)


def mean(xp: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """Return the mean."""
    return xp.mean(x, axes, keepdims=keep)


def product(xp: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """Return the product."""
    return xp.prod(x, axes, keepdims=keep, dtype=x.dtype)


def largest(xp: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """Return the maximum."""
    return xp.max(x, axes, keepdims=keep, initial=_end(x, least=True))


def smallest(xp: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """Return the minimum."""
    return xp.min(x, axes, keepdims=keep, initial=_end(x, least=False))


def _end(x: Any, *, least: bool) -> Any:
    """Return the result of no elements, None if there are some."""
    if x.size:
        return None
    if x.dtype == np.bool_:
        return not least
    if x.dtype.kind in "iu":
        return np.iinfo(x.dtype).min if least else np.iinfo(x.dtype).max
    return -np.inf if least else np.inf


def sum_of_squares(xp: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """Return the sum of squares."""
    return xp.sum(x * x, axes, keepdims=keep, dtype=x.dtype)


def norm_one(xp: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """Return the sum of absolute values."""
    return xp.sum(xp.abs(x), axes, keepdims=keep, dtype=x.dtype)


def norm_two(xp: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """Return the root of the sum of squares."""
    return xp.sqrt(xp.sum(x * x, axes, keepdims=keep, dtype=x.dtype))


def log_sum(xp: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """Return the logarithm of the sum."""
    return xp.log(xp.sum(x, axes, keepdims=keep, dtype=x.dtype))


def log_sum_exp(xp: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """Return the logarithm of the sum of exponentials."""
    if x.size == 0:
        return jnp.log(jnp.sum(jnp.exp(x), axes, keepdims=keep))
    return logsumexp(x, axes, keepdims=keep)


def arg(largest: bool) -> Operator:
    """Return the operator that finds the index of the first or last maximum or minimum along an axis."""

    def operator(call: Call, x: Any) -> Any:
        axis, keep, xp = call.get("axis", 0) % x.ndim, bool(call.get("keepdims", 1)), call.xp
        find = xp.argmax if largest else xp.argmin
        if call.get("select_last_index", 0):
            return x.shape[axis] - 1 - find(xp.flip(x, axis), axis, keepdims=keep)
        return find(x, axis, keepdims=keep)

    return operator


def top(call: Call, x: Any, k: Any = None) -> tuple[Any, Any]:
    """Return the k largest or smallest elements along an axis, and their indices."""
    count = call.get("k") if k is None else call.integers("K", k)[0]
    axis = call.get("axis", -1) % x.ndim
    order = jnp.argsort(x, axis, stable=True, descending=bool(call.get("largest", 1)))
    order = jnp.take(order, np.arange(count), axis)
    return jnp.take_along_axis(x, order, axis), order


def cumulative_sum(call: Call, x: Any, axis: Any) -> Any:
    """Return the sums of all elements up to each one, with or without it, from either end."""
    place, xp = call.integers("axis", axis)[0], call.xp
    backwards = bool(call.get("reverse", 0))
    turned = xp.flip(x, place) if backwards else x
    made = xp.cumsum(turned, place, dtype=x.dtype)
    if call.get("exclusive", 0):
        ends = [(1, 0) if i == place % x.ndim else (0, 0) for i in range(x.ndim)]
        made = xp.pad(made, ends)[tuple(slice(size) for size in x.shape)]
    return xp.flip(made, place) if backwards else made
