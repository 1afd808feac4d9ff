"""Numbers that depend neither on the sequence nor on parameters, such as indices, worked out while tracing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxmaxent.evaluate.incremental._values import Equation, Value

# Larger arrays are not worked out.
_LARGEST = 2**20


def known(value: Value) -> np.ndarray | None:
    """Return a value that was given as a number, or follows from such numbers; None for all other values."""
    if value.depends or (value.leaf is not None and value.number_known is None) or np.prod(value.shape) > _LARGEST:
        return None
    if value.constant is not None:
        return np.asarray(value.constant)
    if value.number_known is None and value.equation is not None:
        value.number_known = _worked_out(value.equation, value.output)
    return None if value.number_known is None else np.asarray(value.number_known)


def _worked_out(equation: Equation, output: int) -> np.ndarray | None:
    arrays = [known(source) for source in equation.inputs]
    if any(array is None for array in arrays):
        return None
    plain = _NUMPY.get(equation.name)
    if plain is not None:
        return plain(equation.params, *arrays).astype(equation.outputs[0].dtype)
    with jax.ensure_compile_time_eval():
        made = equation.bind(*arrays)
    return np.asarray(made[output] if equation.primitive.multiple_results else made)


def _broadcast(params: Any, array: Any) -> np.ndarray:
    shape, axes = params["shape"], params["broadcast_dimensions"]
    inner = [1] * len(shape)
    for i, axis in enumerate(axes):
        inner[axis] = array.shape[i]
    return np.broadcast_to(array.reshape(inner), shape)


def _iota(params: Any) -> np.ndarray:
    shape, axis = params["shape"], params["dimension"]
    return np.broadcast_to(np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape)


def _quotient(params: Any, a: Any, b: Any) -> np.ndarray:
    # XLA rounds quotients of integers towards 0, NumPy downwards.
    return np.trunc(a / b) if np.issubdtype(a.dtype, np.integer) else a / b


# In NumPy these take no time; by JAX each would be compiled for its shape.
_NUMPY: dict[str, Callable[..., np.ndarray]] = {
    "iota": _iota,
    "broadcast_in_dim": _broadcast,
    "reshape": lambda params, a: a.reshape(params["new_sizes"]),
    "squeeze": lambda params, a: np.squeeze(a, tuple(params["dimensions"])),
    "concatenate": lambda params, *arrays: np.concatenate(arrays, params["dimension"]),
    "transpose": lambda params, a: np.transpose(a, params["permutation"]),
    "convert_element_type": lambda params, a: a,
    "select_n": lambda params, which, *cases: np.choose(which.astype(int), cases),
    "add": lambda params, a, b: a + b,
    "sub": lambda params, a, b: a - b,
    "mul": lambda params, a, b: a * b,
    "div": _quotient,
    "rem": lambda params, a, b: np.fmod(a, b),
    "sign": lambda params, a: np.sign(a),
    "floor": lambda params, a: np.floor(a),
    "max": lambda params, a, b: np.maximum(a, b),
    "min": lambda params, a, b: np.minimum(a, b),
    "abs": lambda params, a: np.abs(a),
    "lt": lambda params, a, b: a < b,
    "le": lambda params, a, b: a <= b,
    "gt": lambda params, a, b: a > b,
    "ge": lambda params, a, b: a >= b,
    "eq": lambda params, a, b: a == b,
    "ne": lambda params, a, b: a != b,
    "and": lambda params, a, b: a & b,
    "or": lambda params, a, b: a | b,
    "not": lambda params, a: ~a,
}
