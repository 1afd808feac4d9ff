"""Look-ups: embeddings of letters, picking channels, and moving positions by a fixed table of indices."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxmaxent.evaluate._slices import cut
from jaxmaxent.evaluate.incremental._constants import known
from jaxmaxent.evaluate.incremental._ranges import Range, Reads
from jaxmaxent.evaluate.incremental._values import Change, Equation, Window
from jaxmaxent.evaluate.incremental.rules._contraction import GROWS
from jaxmaxent.evaluate.incremental.rules._elementwise import same


def gather(equation: Equation) -> Window | str:
    """Return the window of a look-up: in a fixed table at changing indices, or in a changing table at fixed ones."""
    operand, indices = equation.inputs
    dims = equation.params["dimension_numbers"]
    if dims.operand_batching_dims:
        return "looks up in batches"
    if operand.depends and indices.depends:
        return "looks up positions that depend on the sequence"
    output = equation.outputs[0]
    if indices.depends:
        if indices.window.axis == len(indices.shape) - 1:
            return "looks up at the sequence itself"
        batch = [i for i in range(len(output.shape)) if i not in dims.offset_dims]
        return Window(
            batch[indices.window.axis],
            output.shape,
            [(indices, same)],
            lambda read, wanted: equation.bind(*[read.window(value, wanted) for value in equation.inputs]),
        )
    axis, sizes = operand.window.axis, equation.params["slice_sizes"]
    if axis in dims.start_index_map:
        return _along(equation, axis)
    if axis in dims.collapsed_slice_dims or sizes[axis] != operand.window.length:
        return "looks up along the sequence"
    offset = axis - sum(i < axis for i in dims.collapsed_slice_dims)

    def compute(read: Any, wanted: Range) -> Array:
        inner = (*sizes[:axis], wanted.size, *sizes[axis + 1 :])
        return equation.bind(*[read.window(value, wanted) for value in equation.inputs], slice_sizes=inner)

    return Window(dims.offset_dims[offset], output.shape, [(operand, same)], compute)


def _along(equation: Equation, axis: int) -> Window | str:
    """Return the window of a look-up of one position, or of several adjacent ones, at each of some known indices."""
    (operand, indices), output = equation.inputs, equation.outputs[0]
    dims, sizes, length = equation.params["dimension_numbers"], equation.params["slice_sizes"], operand.window.length
    numbers = known(indices)
    if numbers is None:
        return "looks up positions that are known only when the program runs"
    others = [i for i in range(len(sizes)) if i != axis]
    table = np.take(numbers, dims.start_index_map.index(axis), axis=-1).astype(np.int64)
    elsewhere = [np.take(numbers, i, axis=-1) for i, at in enumerate(dims.start_index_map) if at != axis]
    if any(sizes[i] != operand.shape[i] for i in others) or any(start.any() for start in elsewhere):
        return "looks up a part of the channels"
    if set(dims.collapsed_slice_dims) - {axis} or (dims.collapsed_slice_dims == () and sizes[axis] == 0):
        return "looks up along the sequence"
    if table.size == 0 or table.ndim == 0 or table.min() < 0 or table.max() + sizes[axis] > length:
        return "looks up positions outside the sequence"
    if not dims.collapsed_slice_dims:
        rows = table[..., None] + np.arange(sizes[axis])
    else:
        rows = table
    # The axis of the indices along which neighbours read what is near becomes the sequence axis.
    spans = [int(np.ptp(np.moveaxis(rows, i, 0).reshape(size, -1), axis=1).max()) for i, size in enumerate(table.shape)]
    along = int(np.argmin(spans))
    places = [i for i in range(len(output.shape)) if i not in dims.offset_dims]
    by_position = np.moveaxis(rows, along, 0).reshape(table.shape[along], -1)
    reads = Reads(by_position.min(1), by_position.max(1))

    def compute(read: Any, wanted: Range) -> Array:
        needs = reads.needs(wanted, length)
        array, at = read.window(operand, needs), read.positions(needs)[0]
        start = read.positions(wanted)[0]
        index = cut(jnp.asarray(rows, jnp.int32), start, wanted.size, along) - at
        made = jnp.take(array, index, axis=axis, mode="clip")
        return jnp.moveaxis(made, range(axis, axis + table.ndim), places)

    return Window(places[along], output.shape, [(operand, reads.spread)], compute)


def scatter(equation: Equation) -> Window | Change | str:
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
    spread = [(operand, same)] * operand.depends + [(updates, reads.spread)] * updates.depends

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


def dynamic_slice(equation: Equation) -> Any:
    """Return a slice at known starts, made of other operations; None if the starts are not known."""
    operand, *starts = equation.inputs
    first = _starts(starts, operand.shape, equation.params["slice_sizes"])
    if first is None:
        return None
    last = [start + size for start, size in zip(first, equation.params["slice_sizes"], strict=True)]
    return lambda array, *_: lax.slice(array, first, last)


def dynamic_update_slice(equation: Equation) -> Any:
    """Return an array with a piece written at known starts, made of slices that are joined; else None."""
    operand, piece, *starts = equation.inputs
    first = _starts(starts, operand.shape, piece.shape)
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
    one = table is not None and table.ndim == 1 and dims.inserted_window_dims == () and not dims.operand_batching_dims
    if not one or len(updates.shape) != len(operand.shape):
        return None
    first = np.zeros(len(operand.shape), int)
    first[list(dims.scatter_dims_to_operand_dims)] = table
    last = first + updates.shape
    if (first < 0).any() or (last > operand.shape).any():
        return None

    def written(array: Array, _: Array, piece: Array) -> Array:
        if equation.name == "scatter-add":
            piece = piece + lax.slice(array, first, last)
        return lax.dynamic_update_slice(array, piece, list(map(int, first)))

    return written


def _starts(starts: Any, shape: Any, sizes: Any) -> list[int] | None:
    numbers = [known(start) for start in starts]
    if any(number is None for number in numbers):
        return None
    pairs = zip(numbers, shape, sizes, strict=True)
    # JAX moves a slice that would end outside back inside, and counts negative starts from 0.
    return [int(np.clip(number, 0, length - size)) for number, length, size in pairs]
