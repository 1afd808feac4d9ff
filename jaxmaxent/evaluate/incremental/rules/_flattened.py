"""A flattened value, read as a value with one sequence axis again, for operations that cannot read it flattened."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxmaxent.evaluate._slices import shifted
from jaxmaxent.evaluate.incremental._ranges import Range, Reach
from jaxmaxent.evaluate.incremental._values import Value, Window

# A position becomes at most this many windows, one for each step of an axis outside the sequence axis.
_OUTER = 4


def unflattened(value: Value) -> Window | str:
    """Return the window of a flattened value along its own axis, which is (before, sequence, behind) in its window."""
    held = value.window
    axis, length = held.axis, held.length
    outer, inner = held.shape[axis - 1], held.shape[axis + 1]
    if outer > _OUTER:
        return f"joins the sequence with {outer} positions outside it"

    def spread(part: int) -> Callable[[Reach], Reach]:
        def one(reach: Reach) -> Reach:
            nothing, first = reach.hi < reach.lo, part * length * inner
            lo, hi = first + reach.lo * inner, first + reach.hi * inner + inner - 1
            return Reach(reach.part, np.where(nothing, 0, lo), np.where(nothing, -1, hi))

        return one

    def compute(read: Any, wanted: Range) -> Array:
        pieces = [_of_part(read, value, part, wanted) for part in range(outer)]
        whole, at = pieces[0], read.positions(wanted)
        for part in range(1, outer):
            inside = (at >= part * length * inner).reshape([-1 if i == axis - 1 else 1 for i in range(whole.ndim)])
            whole = jnp.where(inside, pieces[part], whole)
        return whole

    return Window(axis - 1, value.shape, [(value, spread(part)) for part in range(outer)], compute)


def _of_part(read: Any, value: Value, part: int, wanted: Range) -> Array:
    """Return the elements in a range of the flattened axis, from one step of the axis outside the sequence axis."""
    held = value.window
    axis, inner = held.axis, held.shape[held.axis + 1]
    start = wanted.start - part * held.length * inner
    first = start // inner
    size = int((-(-(start + wanted.size) // inner) - first).max())
    array = read.padded(value, first, wanted.moved(first, size), 1, 0)
    array = jnp.take(array, part, axis=axis - 1)  # [..., size, inner, ...]
    shape = (*array.shape[: axis - 1], math.prod(array.shape[axis - 1 : axis + 1]), *array.shape[axis + 1 :])
    offset = read.proposal.look_up(wanted.part, start - first * inner)
    return shifted(array.reshape(shape), offset, wanted.size, axis - 1)
