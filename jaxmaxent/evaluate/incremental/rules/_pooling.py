"""Pooling: windows shrink by the stride; a sum over the whole sequence is updated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxmaxent.evaluate.incremental._ranges import Range, Slide
from jaxmaxent.evaluate.incremental._values import Change, Equation, Value, Window


def _least(dtype: Any) -> Any:
    return -jnp.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min


def _most(dtype: Any) -> Any:
    return jnp.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).max


OUTSIDE = {"reduce_window_sum": lambda dtype: 0, "reduce_window_max": _least, "reduce_window_min": _most}


def reduce_window(equation: Equation) -> Window | Change | str:
    """Return the window or the change of maxima, minima or sums; an average is a sum that is divided afterwards."""
    source, output, params = equation.inputs[0], equation.outputs[0], equation.params
    axis = source.window.axis
    if equation.name == "reduce_window_sum" and output.shape[axis] == 1 and _is_global(params, axis, source.shape):
        return _total(equation, axis)
    outside = OUTSIDE[equation.name](source.dtype)
    return _slides(equation, [source], lambda read: [outside])


def reduce_window_by(equation: Equation) -> list[Window | str] | str:
    """Return the windows of a pooling by any function, of one array or of several at a time."""
    number = len(equation.inputs) // 2
    arrays, starts = equation.inputs[:number], equation.inputs[number:]
    if any(start.depends for start in starts):
        return "pools from a number that depends on the sequence"
    axes = {value.window.axis for value in arrays if value.depends}
    if len(axes) > 1 or not all(value.depends for value in arrays):
        return "pools values whose sequence axes lie differently"

    def outside(read: Any) -> list[Any]:
        return [read.proposal.clean(start) for start in starts]

    return [_slides(equation, arrays, outside, i) for i in range(number)]


def _slides(equation: Equation, arrays: list[Value], outside: Callable[[Any], list[Any]], number: int = 0) -> Window:
    """Return the window of output `number` of a pooling of arrays, with the numbers `outside` beyond the sequence."""
    output, params = equation.outputs[number], equation.params
    axis = arrays[0].window.axis
    dilation = params["window_dilation"][axis]
    slide = Slide(
        before=arrays[0].window.length,
        after=output.shape[axis],
        width=(params["window_dimensions"][axis] - 1) * dilation + 1,
        stride=params["window_strides"][axis],
        low=params["padding"][axis][0],
        base=params["base_dilation"][axis],
    )
    inner = {
        "padding": (*params["padding"][:axis], (0, 0), *params["padding"][axis + 1 :]),
        "base_dilation": (*params["base_dilation"][:axis], 1, *params["base_dilation"][axis + 1 :]),
    }

    def compute(read: Any, wanted: Range) -> Array:
        needs, fills = slide.needs(wanted), outside(read)
        pieces = [
            read.padded(value, needs.start - slide.low, needs, slide.base, fill)
            for value, fill in zip(arrays, fills, strict=True)
        ]
        starts = fills if equation.primitive.multiple_results or equation.name == "reduce_window" else []
        made = equation.bind(*pieces, *starts, **inner)
        return made[number] if equation.primitive.multiple_results else made

    return Window(axis, output.shape, [(value, slide.spread) for value in arrays], compute, cached=True)


def _is_global(params: dict[str, Any], axis: int, shape: tuple[int, ...]) -> bool:
    """Return True if the pooling window is the whole sequence, and no other axis is summed."""
    whole = params["window_dimensions"][axis] == shape[axis] and tuple(params["padding"][axis]) == (0, 0)
    return whole and params["base_dilation"][axis] == 1 and int(np.prod(params["window_dimensions"])) == shape[axis]


def _total(equation: Equation, axis: int) -> Change | str:
    source, output = equation.inputs[0], equation.outputs[0]
    if not (source.exact and output.exact):
        return "adds up numbers of 16 bits, whose rounding would grow with every edit"
    return Change(source, lambda proposal, change, where: change.sum(axis, keepdims=True))
