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
from jaxmaxent.evaluate.incremental._values import Equation, Value, Window
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
    rows = table if dims.collapsed_slice_dims else table[..., None] + np.arange(sizes[axis])
    # The axis of the indices along which neighbours read what is near becomes the sequence axis.
    by_axis = [np.moveaxis(rows, i, 0).reshape(size, -1) for i, size in enumerate(table.shape)]
    spans = [int(np.ptp(each, axis=1).max()) for each in by_axis]
    along = int(np.argmin(spans))
    places = [i for i in range(len(output.shape)) if i not in dims.offset_dims]
    reads = Reads(by_axis[along].min(1), by_axis[along].max(1))

    def compute(read: Any, wanted: Range) -> Array:
        needs = reads.needs(wanted, length)
        array, at = read.window(operand, needs), read.positions(needs)[0]
        start = read.positions(wanted)[0]
        index = cut(jnp.asarray(rows, jnp.int32), start, wanted.size, along) - at
        made = jnp.take(array, index, axis=axis, mode="clip")
        return jnp.moveaxis(made, range(axis, axis + table.ndim), places)

    return Window(places[along], output.shape, [(operand, reads.spread)], compute)


def dynamic_slice(equation: Equation) -> Any:
    """Return a slice at known starts, made of other operations; None if the starts are not known."""
    operand, *starts = equation.inputs
    first = starts_of(starts, operand.shape, equation.params["slice_sizes"])
    if first is None:
        return None
    last = [start + size for start, size in zip(first, equation.params["slice_sizes"], strict=True)]
    return lambda array, *_: lax.slice(array, first, last)


def starts_of(starts: list[Value], shape: tuple[int, ...], sizes: tuple[int, ...]) -> list[int] | None:
    """Return where a slice of given sizes begins, if its starts are known; else None."""
    numbers = [number for start in starts if (number := known(start)) is not None]
    if len(numbers) < len(starts):
        return None
    pairs = zip(numbers, shape, sizes, strict=True)
    # JAX moves a slice that would end outside back inside, and counts negative starts from 0.
    return [int(np.clip(number, 0, length - size)) for number, length, size in pairs]
