"""The graph of an ONNX model, without the messages of its file format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# The element types of ONNX that JAX computes with, by their numbers in a file.
TYPES = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
    12: np.dtype(np.uint32),
    13: np.dtype(np.uint64),
    16: np.dtype(jnp.bfloat16),
}


@dataclass(frozen=True)
class Reference:
    """An attribute inside a function that has the value of an attribute of the node that calls it."""

    name: str


@dataclass(frozen=True, eq=False)
class OnnxNode:
    """One node: its operator, the opset version that defines it, the names that it reads and writes, its attributes.

    `scope` names the module that it was a part of, or the node itself if the file does not say so.
    """

    operator: str
    domain: str
    version: int
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    overload: str = ""
    scope: str = ""

    def __str__(self) -> str:
        own = f"{self.domain}." if self.domain else ""
        return f"the ONNX node {self.name!r} ({own}{self.operator}, opset {self.version})"


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """Nodes in the order of computation, the names of inputs and outputs, and constants by their names."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[OnnxNode, ...]
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    # Of a function: the values of attributes that a node may leave out.
    defaults: dict[str, Any] = field(default_factory=dict)


# Functions that a model defines itself, by domain, name and overload.
Functions = dict[tuple[str, str, str], OnnxGraph]


@dataclass(frozen=True, eq=False)
class Call:
    """A node while it is computed.

    `xp` is NumPy if all inputs are known, so that the result is known too, and `jax.numpy` otherwise. `run` computes a
    graph that is an attribute of the node, with the values of the graph around it.
    """

    node: OnnxNode
    attributes: dict[str, Any]
    xp: Any
    run: Callable[[OnnxGraph, list[Any]], tuple[Any, ...]]

    @property
    def version(self) -> int:
        """Return the version of the opset that defines the operator."""
        return self.node.version

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or `default` if the node does not have it."""
        return self.attributes.get(name, default)

    def known(self, name: str, value: Any) -> np.ndarray:
        """Return an input that decides a shape; ValueError if it depends on the data."""
        if not isinstance(value, np.ndarray):
            raise ValueError(
                f"the input {name!r} decides a shape or a choice, and must not depend on the data or on a weight; "
                "export the model with fixed shapes"
            )
        return value

    def integers(self, name: str, value: Any) -> list[int]:
        """Return an input that decides a shape as a list of integers."""
        return [int(number) for number in self.known(name, value).reshape(-1)]


def computed(dtype: Any) -> np.dtype:
    """Return the type in which JAX computes: that of 32 bits instead of 64, unless double precision is on."""
    return np.dtype(jax.dtypes.canonicalize_dtype(dtype))


def to_jax(value: Any) -> Any:
    """Return an array of JAX; integers of 64 bits that do not fit into 32 become the nearest that do."""
    if isinstance(value, np.ndarray):
        dtype = computed(value.dtype)
        if dtype != value.dtype and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            value = np.clip(value, limits.min, limits.max).astype(dtype)
        return jnp.asarray(value, dtype)
    return jnp.asarray(value)


def aligned(xp: Any, *arrays: Any) -> list[Any]:
    """Return the arrays with axes of length 1 in front, so that all have the same number of axes."""
    if xp is np:
        return list(arrays)
    rank = max(array.ndim for array in arrays)
    return [array.reshape((1,) * (rank - array.ndim) + array.shape) for array in map(to_jax_type, arrays)]


def to_jax_type(array: Any) -> Any:
    """Return an array of JAX as it is, and one of NumPy in a type that JAX computes in."""
    return to_jax(array) if isinstance(array, np.ndarray) and computed(array.dtype) != array.dtype else array


def of_one_type(*arrays: Any) -> list[Any]:
    """Return arrays of JAX, all in the type that holds the numbers of each of them."""
    dtype = jnp.result_type(*(computed(array.dtype) for array in arrays))
    return [to_jax(array).astype(dtype) for array in arrays]
