"""The cost of an operation on whole values."""

from __future__ import annotations

import numpy as np

from jaxmaxent.evaluate.incremental._values import Value

_MOVES = """
reshape squeeze expand_dims transpose broadcast_in_dim rev slice split pad concatenate gather copy
convert_element_type stop_gradient name
"""
MOVES = frozenset(_MOVES.split())


def flops_of(value: Value) -> int:
    """Return the FLOPs of one operation on whole values.

    A multiplication with its addition counts 2, moving elements counts 0, and other operations count 1 per element.
    """
    equation = value.equation
    if equation is None:
        return 0
    outputs, params = int(np.prod(value.shape)), equation.params
    if equation.name == "conv_general_dilated":
        kernel, dims = equation.inputs[1].shape, params["dimension_numbers"].rhs_spec
        return 2 * outputs * int(np.prod(kernel)) // kernel[dims[0]]
    if equation.name == "dot_general":
        left, contracted = equation.inputs[0].shape, params["dimension_numbers"][0][0]
        return 2 * outputs * int(np.prod([left[i] for i in contracted]))
    if equation.name.startswith("reduce_window"):
        return outputs * int(np.prod(params["window_dimensions"]))
    if equation.name.startswith(("reduce", "arg", "cum")):
        return sum(int(np.prod(source.shape)) for source in equation.inputs)
    return 0 if equation.name in MOVES else outputs
