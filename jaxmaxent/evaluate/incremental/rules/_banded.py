"""Products along the sequence with a known matrix of few diagonals, as linear interpolation makes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Array

from jaxmaxent.evaluate._slices import cut
from jaxmaxent.evaluate.incremental._constants import known
from jaxmaxent.evaluate.incremental._ranges import Range, Reads
from jaxmaxent.evaluate.incremental._values import Equation, Window, plain

# A matrix is banded if each output depends on at most this share of the positions.
_BAND = 0.25


def banded(equation: Equation, side: int) -> Window | None:
    """Return the window of a product that sums over the sequence, if the other operand is a known banded matrix."""
    source, weights = equation.inputs[side], equation.inputs[1 - side]
    (contracted, batched) = equation.params["dimension_numbers"]
    if len(weights.shape) != 2 or batched[0] or len(contracted[0]) != 1 or not plain(source):
        return None
    matrix = known(weights)
    if matrix is None:
        return None
    summed = contracted[1 - side][0]
    used = (matrix if summed == 0 else matrix.T) != 0  # [positions, outputs]
    any_used, length = used.any(0), source.window.length
    first = np.where(any_used, used.argmax(0), length)
    last = np.where(any_used, length - 1 - used[::-1].argmax(0), -1)
    if (last - first).max() + 1 > _BAND * length:
        return None
    reads, output = Reads(first, last), equation.outputs[0]
    axis = len(source.shape) - 1 if side == 0 else 0  # where the outputs of the matrix are in the result

    def compute(read: Any, wanted: Range) -> Array:
        needs = reads.needs(wanted, length)
        array, rows = read.window(source, needs), read.proposal.clean(weights)
        rows = cut(rows, read.positions(needs)[0], needs.size, summed)
        rows = cut(rows, read.positions(wanted)[0], wanted.size, 1 - summed)
        operands = (array, rows) if side == 0 else (rows, array)
        return equation.bind(*operands)

    def flops(plan: Any) -> int:
        others = math.prod(source.shape) // length
        return sum(2 * where.size * reads.needs(where, length).size * others for where in plan.ranges(output))

    return Window(axis, output.shape, [(source, reads.spread)], compute, cached=True, flops=flops)
