"""The largest values of the whole sequence, from the largest of each piece of it.

Only the pieces that an edit changes are looked at again. A network that takes a maximum over the sequence then reads
about 2 √length numbers per proposal instead of all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from jaxmaxent.evaluate.incremental._values import Equation
from jaxmaxent.evaluate.incremental.rules._pooling import OUTSIDE

# A sequence axis shorter than this is looked at as a whole.
_SHORT = 16


def reduce(equation: Equation) -> Callable[..., Any] | None:
    """Return a maximum or minimum over the sequence as one over pieces and one over their results."""
    source, axes = equation.inputs[0], equation.params["axes"]
    axis = _axis(equation)
    if axis not in axes or source.shape[axis] < _SHORT:
        return None
    inner = tuple(i for i in axes if i != axis)
    moved = axis - sum(i < axis for i in inner)
    combine = jnp.max if equation.name == "reduce_max" else jnp.min

    def made(array: Array) -> Array:
        array = combine(array, inner) if inner else array
        return combine(_of_pieces(equation.name.replace("reduce", "reduce_window"), array, moved), moved)

    return made


def reduce_window(equation: Equation) -> Callable[..., Any] | None:
    """Return a pooling over the whole sequence as a maximum or minimum of each piece, and one of these."""
    source, params = equation.inputs[0], equation.params
    axis = _axis(equation)
    whole = params["window_dimensions"][axis] == source.shape[axis] == math.prod(params["window_dimensions"])
    plain = tuple(params["padding"][axis]) == (0, 0) and params["base_dilation"][axis] == 1
    if not whole or not plain or source.shape[axis] < _SHORT:
        return None
    combine = jnp.max if equation.name == "reduce_window_max" else jnp.min
    return lambda array: combine(_of_pieces(equation.name, array, axis), axis, keepdims=True)


def _of_pieces(name: str, array: Array, axis: int) -> Array:
    length = array.shape[axis]
    size = round(math.sqrt(length))
    window = [size if i == axis else 1 for i in range(array.ndim)]
    edges = [(0, -length % size) if i == axis else (0, 0) for i in range(array.ndim)]
    kind = lax.max if name == "reduce_window_max" else lax.min
    outside = jnp.asarray(OUTSIDE[name](array.dtype), array.dtype)
    return lax.reduce_window(array, outside, kind, window, window, edges)


def top_k(equation: Equation) -> Callable[..., Any] | None:
    """Return the largest values along the sequence from those of each piece.

    Of equal values the first come first, in the pieces and among them, so the order is that of the whole sequence.
    """
    source, k, axis = equation.inputs[0], equation.params["k"], _axis(equation)
    last = len(source.shape) - 1
    size = max(2 * k, round(math.sqrt(source.shape[axis] * k)))
    pieces = -(-source.shape[axis] // size)
    if axis != last or equation.params.get("axis", last) != last or source.shape[axis] < max(_SHORT, 2 * size):
        return None

    def made(array: Array) -> list[Array]:
        lowest = OUTSIDE["reduce_window_max"](array.dtype)
        edges = [(0, pieces * size - array.shape[-1] if i == last else 0, 0) for i in range(array.ndim)]
        cut = lax.pad(array, jnp.asarray(lowest, array.dtype), edges).reshape(*array.shape[:-1], pieces, size)
        values, places = lax.top_k(cut, k)
        places = places + size * lax.broadcasted_iota(places.dtype, places.shape, places.ndim - 2)
        flat = (*array.shape[:-1], pieces * k)
        best, chosen = lax.top_k(values.reshape(flat), k)
        return [best, jnp.take_along_axis(places.reshape(flat), chosen, -1)]

    return made


def _axis(equation: Equation) -> int:
    """Return the sequence axis in the value's own shape."""
    window, shape = equation.inputs[0].window, equation.inputs[0].shape
    return window.axis if window.shape == shape else window.axis - 1
