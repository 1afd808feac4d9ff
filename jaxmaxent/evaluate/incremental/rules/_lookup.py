"""Look-ups: embeddings of letters, and picking channels."""

from __future__ import annotations

from typing import Any

from jaxtyping import Array

from jaxmaxent.evaluate.incremental._ranges import Range
from jaxmaxent.evaluate.incremental._values import Equation, Window, plain
from jaxmaxent.evaluate.incremental.rules._elementwise import same


def gather(equation: Equation) -> Window | str:
    """Return the window of a look-up: in a fixed table at changing indices, or in a changing table along other axes."""
    operand, indices = equation.inputs
    dims = equation.params["dimension_numbers"]
    if dims.operand_batching_dims or not all(plain(value) for value in equation.changing):
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
    if axis in dims.start_index_map or axis in dims.collapsed_slice_dims or sizes[axis] != operand.window.length:
        return "looks up along the sequence"
    offset = axis - sum(i < axis for i in dims.collapsed_slice_dims)

    def compute(read: Any, wanted: Range) -> Array:
        inner = (*sizes[:axis], wanted.size, *sizes[axis + 1 :])
        return equation.bind(*[read.window(value, wanted) for value in equation.inputs], slice_sizes=inner)

    return Window(dims.offset_dims[offset], output.shape, [(operand, same)], compute)
