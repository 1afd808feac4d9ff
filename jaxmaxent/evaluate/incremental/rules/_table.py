"""The tables of the rules, by the name of the operation in a jaxpr."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxmaxent.evaluate.incremental._values import Equation
from jaxmaxent.evaluate.incremental.rules import _contraction as contraction
from jaxmaxent.evaluate.incremental.rules import _convolution as convolution
from jaxmaxent.evaluate.incremental.rules import _elementwise as elementwise
from jaxmaxent.evaluate.incremental.rules import _extremes as extremes
from jaxmaxent.evaluate.incremental.rules import _lookup as lookup
from jaxmaxent.evaluate.incremental.rules import _pooling as pooling
from jaxmaxent.evaluate.incremental.rules import _shape as shape
from jaxmaxent.evaluate.incremental.rules import _writing as writing

_ALONG = ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp", "sort", "top_k")
_REDUCTIONS = ("sum", "max", "min", "prod", "and", "or", "xor")

RULES: dict[str, Callable[[Equation], Any]] = {
    **dict.fromkeys(elementwise.NAMES, elementwise.elementwise),
    "reshape": shape.reshape,
    "squeeze": shape.reshape,
    "expand_dims": shape.reshape,
    "transpose": shape.transpose,
    "broadcast_in_dim": shape.broadcast_in_dim,
    "rev": shape.rev,
    "slice": shape.slice_,
    "split": shape.split,
    "pad": shape.pad,
    "concatenate": shape.concatenate,
    "conv_general_dilated": convolution.conv_general_dilated,
    "reduce_window_max": pooling.reduce_window,
    "reduce_window_min": pooling.reduce_window,
    "reduce_window_sum": pooling.reduce_window,
    "reduce_window": pooling.reduce_window_by,
    "dot_general": contraction.dot_general,
    **dict.fromkeys((f"reduce_{kind}" for kind in _REDUCTIONS), contraction.reduce),
    "argmax": contraction.reduce,
    "argmin": contraction.reduce,
    **dict.fromkeys(_ALONG, contraction.along),
    "gather": lookup.gather,
    "scatter": writing.scatter,
    "scatter-add": writing.scatter,
}

# Rules that also take flattened values. For all others such values are read as values with one sequence axis first.
FLATTENED_TOO = frozenset(
    (
        *elementwise.NAMES,
        "reshape",
        "squeeze",
        "expand_dims",
        "dot_general",
        *(f"reduce_{kind}" for kind in _REDUCTIONS),
    )
)

# Operations that are replaced by others with the same result: `rewrite(equation)` returns a function of the inputs, or
# None to leave the operation as it is.
REWRITES: dict[str, Callable[[Equation], Callable[..., Any] | None]] = {
    "stack": shape.stack,
    "unstack": shape.unstack,
    "tile": shape.tile,
    "dynamic_slice": lookup.dynamic_slice,
    "dynamic_update_slice": writing.dynamic_update_slice,
    "scatter": writing.scattered_slice,
    "scatter-add": writing.scattered_slice,
    "reduce_max": extremes.reduce,
    "reduce_min": extremes.reduce,
    "reduce_window_max": extremes.reduce_window,
    "reduce_window_min": extremes.reduce_window,
    "top_k": extremes.top_k,
}
