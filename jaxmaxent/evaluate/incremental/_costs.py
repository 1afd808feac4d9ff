"""The cost of an operation on whole values."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax.extend import core

from jaxmaxent.evaluate.incremental._values import Value

_MOVES = """
reshape squeeze expand_dims transpose broadcast_in_dim rev slice split pad concatenate gather copy
convert_element_type stop_gradient name view dynamic_slice dynamic_update_slice scatter iota stack unstack tile
"""
MOVES = frozenset(_MOVES.split())


def flops_of(value: Value) -> int:
    """Return the FLOPs of one operation on whole values.

    A multiplication with its addition counts 2, moving elements counts 0, and other operations count 1 per element.
    Each of several results has the FLOPs of the whole operation.
    """
    equation = value.equation
    if equation is None:
        return 0
    return _flops(equation.name, equation.params, [source.shape for source in equation.inputs], value.shape)


def flops_of_jaxpr(jaxpr: core.Jaxpr) -> int:
    """Return the FLOPs of all operations of a jaxpr, with those of loops, conditionals and calls in it.

    A loop whose number of turns is not known counts one turn; a conditional counts its costliest branch.
    """
    total = 0
    for eqn in jaxpr.eqns:
        inputs, outputs = ([_shape(atom) for atom in atoms] for atoms in (eqn.invars, eqn.outvars))
        total += _flops(eqn.primitive.name, eqn.params, inputs, outputs[0]) if outputs else 0
    return total


def _flops(name: str, params: dict[str, Any], inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> int:
    outputs = int(np.prod(output))
    if name == "conv_general_dilated":
        kernel, dims = inputs[1], params["dimension_numbers"].rhs_spec
        return 2 * outputs * int(np.prod(kernel)) // kernel[dims[0]]
    if name == "dot_general":
        left, contracted = inputs[0], params["dimension_numbers"][0][0]
        return 2 * outputs * int(np.prod([left[i] for i in contracted]))
    if name.startswith("reduce_window"):
        return outputs * int(np.prod(params["window_dimensions"]))
    if name == "cond":
        return max((flops_of_jaxpr(branch.jaxpr) for branch in params["branches"]), default=0)
    inner = _bodies(params)
    if inner and not name.startswith(("reduce", "scatter")):
        return params.get("length", 1) * sum(flops_of_jaxpr(body) for body in inner)
    if name.startswith(("reduce", "arg", "cum", "scatter-")):
        return sum(int(np.prod(shape)) for shape in inputs)
    return 0 if name in MOVES else outputs


def _shape(atom: Any) -> tuple[int, ...]:
    return tuple(atom.aval.shape)


def _bodies(params: dict[str, Any]) -> list[core.Jaxpr]:
    found = [getattr(parameter, "jaxpr", parameter) for parameter in params.values()]
    return [body for body in found if isinstance(body, core.Jaxpr)]
