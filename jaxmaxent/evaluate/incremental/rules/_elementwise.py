"""Operations on single elements: the window stays the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Array

from jaxmaxent.evaluate.incremental._ranges import Range, Reach
from jaxmaxent.evaluate.incremental._values import Equation, Window

_NAMES = """
abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp conj convert_element_type copy copy_p cos
cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt imag integer_pow is_finite le lgamma log log1p logistic
lt max min mul name ne neg nextafter not or pow real reduce_precision rem round rsqrt select_n shift_left
shift_right_arithmetic shift_right_logical sign sin sinh sqrt square stop_gradient sub tan tanh xor
"""
NAMES = tuple(_NAMES.split())


def same(reach: Reach) -> Reach:
    """Return the reach itself."""
    return reach


def elementwise(equation: Equation) -> Window | str:
    """Return the window of an operation on single elements; all operands that change must have one sequence axis."""
    windows = [value.window for value in equation.changing]
    first = windows[0]
    if any((w.axis, w.length, len(w.shape)) != (first.axis, first.length, len(first.shape)) for w in windows):
        return "combines values whose sequence axes lie differently"
    # An operand may have size 1 along an axis where the others are larger.
    shape = np.broadcast_shapes(*[w.shape for w in windows], *_clean_shapes(equation, len(first.shape)))
    if shape[first.axis] != first.length:
        return "repeats a sequence axis of one position"

    def compute(read: Any, wanted: Range) -> Array:
        return equation.bind(*[read.window(value, wanted, like=first) for value in equation.inputs])

    return Window(first.axis, shape, [(value, same) for value in equation.changing], compute)


def _clean_shapes(equation: Equation, rank: int) -> list[tuple[int, ...]]:
    return [value.shape for value in equation.inputs if not value.depends and len(value.shape) == rank]
