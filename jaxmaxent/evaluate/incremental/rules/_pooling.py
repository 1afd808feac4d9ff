"""Pooling: windows shrink by the stride; a sum over the whole sequence is updated."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxmaxent.evaluate.incremental._ranges import Range, Slide
from jaxmaxent.evaluate.incremental._values import Change, Equation, Window, plain


def _least(dtype: Any) -> Any:
    return -jnp.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min


def _most(dtype: Any) -> Any:
    return jnp.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).max


_OUTSIDE = {"reduce_window_sum": lambda dtype: 0, "reduce_window_max": _least, "reduce_window_min": _most}


def reduce_window(equation: Equation) -> Window | Change | str:
    """Return the window or the change of maxima, minima or sums; an average is a sum that is divided afterwards."""
    source, output, params = equation.inputs[0], equation.outputs[0], equation.params
    if not plain(source):
        return "pools a flattened value"
    axis = source.window.axis
    if equation.name == "reduce_window_sum" and output.shape[axis] == 1 and _is_global(params, axis, source.shape):
        return _total(equation, axis)
    dilation = params["window_dilation"][axis]
    slide = Slide(
        before=source.window.length,
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
    outside = _OUTSIDE[equation.name](source.dtype)

    def compute(read: Any, wanted: Range) -> Array:
        needs = slide.needs(wanted)
        array = read.padded(source, needs.start - slide.low, needs, slide.base, outside)
        return equation.bind(array, **inner)

    return Window(axis, output.shape, [(source, slide.spread)], compute, cached=True)


def _is_global(params: dict[str, Any], axis: int, shape: tuple[int, ...]) -> bool:
    """Return True if the pooling window is the whole sequence, and no other axis is summed."""
    whole = params["window_dimensions"][axis] == shape[axis] and tuple(params["padding"][axis]) == (0, 0)
    return whole and params["base_dilation"][axis] == 1 and int(np.prod(params["window_dimensions"])) == shape[axis]


def _total(equation: Equation, axis: int) -> Change | str:
    source, output = equation.inputs[0], equation.outputs[0]
    if not (source.exact and output.exact):
        return "adds up numbers of 16 bits, whose rounding would grow with every edit"
    return Change(source, lambda proposal, change, where: change.sum(axis, keepdims=True))
