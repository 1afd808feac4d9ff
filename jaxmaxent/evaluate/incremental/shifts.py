"""Pieces of arrays at positions that are known only when the program runs, in fixed bounds."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array


class Offset:
    """A number of positions, known only when the program runs, and the least and the most it can be."""

    def __init__(self, value: Any, least: int, most: int) -> None:
        self.value, self.least, self.most = value, least, most


def shifted(array: Array, offset: Offset, size: int, axis: int, fill: Any = 0) -> Array:
    """`size` positions of an array from `offset` on, `fill` where they lie outside."""
    length = array.shape[axis]
    least, most = max(offset.least, -size), min(offset.most, length)
    if most < least:  # all outside, on one side
        least = most = max(-size, min(least, length))
    before, behind = max(0, -least), max(0, most + size - length)
    if before or behind:
        edges = [(before, behind, 0) if i == axis else (0, 0, 0) for i in range(array.ndim)]
        array = lax.pad(array, jnp.asarray(fill, array.dtype), edges)
    if least == most:
        return lax.slice_in_dim(array, least + before, least + before + size, axis=axis)
    start = jnp.clip(offset.value, least, most) + before
    return lax.dynamic_slice_in_dim(array, start, size, axis)
