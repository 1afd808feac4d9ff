"""Writing: positions, or slices, that are set or added up at fixed places."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxmaxent.evaluate._slices import cut
from jaxmaxent.evaluate.incremental._constants import known
from jaxmaxent.evaluate.incremental._ranges import Range, Reads
from jaxmaxent.evaluate.incremental._values import Equation, Spread, Window
from jaxmaxent.evaluate.incremental.rules._contraction import GROWS
from jaxmaxent.evaluate.incremental.rules._elementwise import same
from jaxmaxent.evaluate.incremental.rules._lookup import starts_of


def scatter(equation: Equation) -> Window | str:
    """Return the window of whole positions that are written, or added up, at known indices."""
    operand, indices, updates = equation.inputs
    output, dims = equation.outputs[0], equation.params["dimension_numbers"]
    table, add = known(indices), equation.name == "scatter-add"
    if table is None:
        return "writes positions that are known only when the program runs"
    if len(dims.scatter_dims_to_operand_dims) != 1 or dims.operand_batching_dims or table.ndim != 2:
        return "writes along several axes"
    (axis,) = dims.scatter_dims_to_operand_dims
    if dims.inserted_window_dims != (axis,):
        return "writes slices of the sequence"
    (place,) = [i for i in range(len(updates.shape)) if i not in dims.update_window_dims]
    others = [size for i, size in enumerate(updates.shape) if i != place]
    if others != [size for i, size in enumerate(output.shape) if i != axis]:
        return "writes a part of the channels"
    if any(value.depends and value.window.axis != at for value, at in ((operand, axis), (updates, place))):
        return "writes along another axis than the sequence"
    table, length = table[:, 0].astype(np.int64), output.shape[axis]
    if table.size == 0 or table.min() < 0 or table.max() >= length:
        return "writes positions outside the sequence"
    if not add and len(np.unique(table)) < len(table):
        return "writes a position twice"
    if add and not (updates.exact and output.exact):
        return GROWS
    reads = _written(table, length)
    spread: list[Spread] = []
    if operand.depends:
        spread.append((operand, same))
    if updates.depends:
        spread.append((updates, reads.spread))

    def compute(read: Any, wanted: Range) -> Array:
        needs = reads.needs(wanted, len(table))
        base = read.window(operand, wanted, like=Window(axis, output.shape, [], lambda r, w: r))
        piece = read.window(updates, needs, like=Window(place, updates.shape, [], lambda r, w: r))
        start, at = read.positions(wanted)[0], read.positions(needs)[0]
        rows = cut(jnp.asarray(table, jnp.int32), at, needs.size) - start
        rows = jnp.where((rows >= 0) & (rows < wanted.size), rows, wanted.size)
        base, piece = jnp.moveaxis(base, axis, 0), jnp.moveaxis(piece, place, 0)
        base = jnp.broadcast_to(base, (wanted.size, *piece.shape[1:]))
        made = base.at[rows].add(piece, mode="drop") if add else base.at[rows].set(piece, mode="drop")
        return jnp.moveaxis(made, 0, axis)

    return Window(axis, output.shape, spread, compute, cached=add)


def _written(table: np.ndarray, length: int) -> Reads:
    """Return the rows that write each position: from the first to the last that does."""
    rows = np.arange(len(table))
    first, last = np.full(length, len(table)), np.full(length, -1)
    np.minimum.at(first, table, rows)
    np.maximum.at(last, table, rows)
    return Reads(first, last)


def dynamic_update_slice(equation: Equation) -> Any:
    """Return an array with a piece written at known starts, made of slices that are joined; else None."""
    operand, piece, *starts = equation.inputs
    first = starts_of(starts, operand.shape, piece.shape)
    narrow = [i for i, size in enumerate(piece.shape) if size != operand.shape[i]]
    if first is None or len(narrow) > 1:
        return None

    def written(array: Array, piece: Array, *_: Array) -> Array:
        if not narrow:
            return piece + jnp.zeros((), piece.dtype)
        (axis,), end = narrow, first[narrow[0]] + piece.shape[narrow[0]]
        before = lax.slice_in_dim(array, 0, first[axis], axis=axis)
        behind = lax.slice_in_dim(array, end, array.shape[axis], axis=axis)
        return lax.concatenate([part for part in (before, piece, behind) if part.shape[axis]], axis)

    return written


def scattered_slice(equation: Equation) -> Any:
    """Return an array with one slice written, or added, at a known start, made of other operations; else None."""
    operand, indices, updates = equation.inputs
    dims, table = equation.params["dimension_numbers"], known(indices)
    one = dims.inserted_window_dims == () and not dims.operand_batching_dims
    if table is None or table.ndim != 1 or not one or len(updates.shape) != len(operand.shape):
        return None
    given = dict(zip(dims.scatter_dims_to_operand_dims, map(int, table), strict=True))
    first = [given.get(i, 0) for i in range(len(operand.shape))]
    last = [start + size for start, size in zip(first, updates.shape, strict=True)]
    if min(first) < 0 or any(end > size for end, size in zip(last, operand.shape, strict=True)):
        return None

    def written(array: Array, _: Array, piece: Array) -> Array:
        if equation.name == "scatter-add":
            piece = piece + lax.slice(array, first, last)
        return lax.dynamic_update_slice(array, piece, first)

    return written
