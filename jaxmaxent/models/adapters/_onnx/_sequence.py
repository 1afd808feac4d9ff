"""Sequences of arrays, which exporters use for lists of pieces; here they are Python lists."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxmaxent.models.adapters._onnx._graph import Call, of_one_type
from jaxmaxent.models.adapters._onnx._shape import pieces


def construct(call: Call, *arrays: Any) -> list[Any]:
    """Return the sequence of the arrays."""
    return list(arrays)


def insert(call: Call, sequence: list[Any], x: Any, place: Any = None) -> list[Any]:
    """Return the sequence with one more array, at a place or at the end."""
    at = len(sequence) if place is None else call.integers("position", place)[0]
    at = at + len(sequence) if at < 0 else at
    return [*sequence[:at], x, *sequence[at:]]


def erase(call: Call, sequence: list[Any], place: Any = None) -> list[Any]:
    """Return the sequence without the array at a place or at the end."""
    at = -1 if place is None else call.integers("position", place)[0]
    gone = range(len(sequence))[at]
    return [x for i, x in enumerate(sequence) if i != gone]


def entry(call: Call, sequence: list[Any], place: Any) -> Any:
    """Return the array at a place."""
    return sequence[call.integers("position", place)[0]]


def length(call: Call, sequence: list[Any]) -> np.ndarray:
    """Return the number of arrays."""
    return np.asarray(len(sequence), np.int64)


def split(call: Call, x: Any, sizes: Any = None) -> list[Any]:
    """Return the pieces of x along an axis: of given sizes, of the same size but for the last, or of 1 each."""
    axis = call.get("axis", 0) % x.ndim
    if sizes is None:
        made = pieces(x, axis, [1] * x.shape[axis])
        return made if call.get("keepdims", 1) else [piece.squeeze(axis) for piece in made]
    wanted = call.integers("split", sizes)
    if sizes.ndim == 0:
        whole, rest = divmod(x.shape[axis], wanted[0])
        wanted = [wanted[0]] * whole + [rest] * bool(rest)
    return pieces(x, axis, wanted)


def concatenate(call: Call, sequence: list[Any]) -> Any:
    """Return the arrays of a sequence joined along an axis, or along a new one."""
    join = jnp.stack if call.get("new_axis", 0) else jnp.concatenate
    if all(isinstance(x, np.ndarray) for x in sequence):
        return (np.stack if call.get("new_axis", 0) else np.concatenate)(sequence, call.get("axis"))
    return join(of_one_type(*sequence), call.get("axis"))
