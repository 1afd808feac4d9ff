"""The rules of operations; the result of an operation without a rule is computed in full.

A rule is a function of an `Equation`. At least one input of it changes, and every such input changes in windows. The
rule returns a `Window`, a `Change`, or in a few words why there is neither; for several outputs, a list of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxmaxent.evaluate.incremental._values import Equation
from jaxmaxent.evaluate.incremental.rules import _contraction as contraction
from jaxmaxent.evaluate.incremental.rules import _convolution as convolution
from jaxmaxent.evaluate.incremental.rules import _elementwise as elementwise
from jaxmaxent.evaluate.incremental.rules import _lookup as lookup
from jaxmaxent.evaluate.incremental.rules import _pooling as pooling
from jaxmaxent.evaluate.incremental.rules import _shape as shape

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
    "dot_general": contraction.dot_general,
    "reduce_sum": contraction.reduce,
    "reduce_max": contraction.reduce,
    "reduce_min": contraction.reduce,
    "reduce_prod": contraction.reduce,
    "reduce_and": contraction.reduce,
    "reduce_or": contraction.reduce,
    "reduce_xor": contraction.reduce,
    "argmax": contraction.reduce,
    "argmin": contraction.reduce,
    "cumsum": contraction.cumulative,
    "cumprod": contraction.cumulative,
    "cummax": contraction.cumulative,
    "cummin": contraction.cumulative,
    "cumlogsumexp": contraction.cumulative,
    "gather": lookup.gather,
}
