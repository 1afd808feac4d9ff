"""The parts of a traced network: values, the equations between them, and how an edit changes each value.

A value is *clean* if it does not depend on the sequence. It is *windowed* if an edit changes only a window of it along
one axis. It is *updated* if an edit can change all of it, but the change is a sum over windows of another value. All
other values are *full*: they are computed anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from jaxmaxent.evaluate.incremental._ranges import Range, Reach


@dataclasses.dataclass(eq=False)
class Equation:
    """One operation of the network.

    Attributes:
        name: the name of the JAX primitive.
        primitive: the primitive.
        params: its static parameters.
        inputs: its input values.
        scope: the names of the modules around it, such as "Net/conv_1"; empty without.
        outputs: its output values.
    """

    name: str
    primitive: Any
    params: dict[str, Any]
    inputs: list[Value]
    scope: str = ""
    outputs: list[Value] = dataclasses.field(default_factory=list)

    def bind(self, *arrays: Any, **changed: Any) -> Any:
        """Apply the operation to arrays; `changed` replaces static parameters. Several results come as a list."""
        return self.primitive.bind(*arrays, **{**self.params, **changed})

    @property
    def changing(self) -> list[Value]:
        """The inputs that depend on the sequence."""
        return [value for value in self.inputs if value.depends]


@dataclasses.dataclass(eq=False)
class Value:
    """An array of the network.

    Attributes:
        number: its place in the order of the trace.
        shape: its shape.
        dtype: its type.
        equation: the equation that computes it; None for the sequence, parameters and constants.
        output: its number among the outputs of the equation.
        constant: the number itself, if it is a literal.
        leaf: its index among the parameters and constants, if it is one of these.
        number_known: the array itself, if it is a constant of the function or was worked out from such constants.
        depends: True if it depends on the sequence.
        opened: its window, if it is windowed.
        change: its change, if it is updated.
        terms: if it is neither, the windowed values that it is a sum of, if there are any.
        reason: why it is neither windowed nor updated although an input is; empty otherwise.
    """

    number: int
    shape: tuple[int, ...]
    dtype: Any
    equation: Equation | None = None
    output: int = 0
    constant: Any = None
    leaf: int | None = None
    number_known: Any = None
    depends: bool = False
    opened: Window | None = None
    change: Change | None = None
    terms: SumOverSequence | None = None
    reason: str = ""

    @property
    def window(self) -> Window:
        """The window of a windowed value."""
        assert self.opened is not None
        return self.opened

    @property
    def exact(self) -> bool:
        """True if many changes may be added to it. With 16 bits they may not, because rounding errors would add up."""
        kind = np.dtype(self.dtype)
        return jax.numpy.issubdtype(kind, np.integer) or kind in (np.dtype(np.float32), np.dtype(np.float64))


# An input of an operation, and the function from a reach in it to the reach, or the reaches, in the result.
Spread = tuple[Value, Callable[[Reach], Reach | list[Reach]]]


@dataclasses.dataclass(eq=False)
class Window:
    """A description of how a value changes in windows; a rule returns it.

    Attributes:
        axis: the sequence axis, in `shape`.
        shape: the shape of the value; if it was flattened, with the flattened axis as (before, sequence, behind).
        spread: for each input that changes, the function from a reach in it to the reach in this value, or to several.
        compute: `compute(read, range)` returns the value in a range, from its inputs as `read` gives them (see
            `Reader`), in the shape `shape` with the range's size along `axis`.
        update: `update(proposal, range)` returns the value in a range after an edit, from the old value and the changes
            of the inputs; it returns None if an update costs more than `compute`.
        updates: `updates(plan)` is True if `update` is used for the windows of a proposal and needs the old value.
        cached: True if the value is worth caching; False if computing it is as cheap as reading it.
        flops: the FLOPs of a proposal under a plan; None if they are in proportion to the size of the windows.
    """

    axis: int
    shape: tuple[int, ...]
    spread: Sequence[Spread]
    compute: Callable[[Any, Range], Array]
    update: Callable[[Any, Range], Array | None] | None = None
    updates: Callable[[Any], bool] | None = None
    cached: bool = False
    flops: Callable[[Any], int] | None = None

    @property
    def length(self) -> int:
        """The length of the sequence axis."""
        return self.shape[self.axis]

    def sized(self, size: int) -> tuple[int, ...]:
        """Return `shape` with the given size of the sequence axis."""
        return (*self.shape[: self.axis], size, *self.shape[self.axis + 1 :])


@dataclasses.dataclass(eq=False)
class Change:
    """A sum over the sequence axis, which an edit changes by a sum over windows; a rule returns it.

    Attributes:
        source: the windowed value that is summed over.
        terms: `terms(proposal, change, range)` returns the sum over one window of `change`, in the value's shape.
    """

    source: Value
    terms: Callable[[Any, Array, Range], Array]


@dataclasses.dataclass(eq=False)
class SumOverSequence:
    """A sum of windowed values times factors that are the same at every position.

    Normalization along the sequence makes such values: only their sums over the sequence can be updated.

    Attributes:
        axis: the sequence axis.
        parts: pairs of a factor, of size 1 along `axis` (None for 1), and a windowed value that is not flattened.
        rest: what is added to them, of size 1 along `axis`; None for 0.
    """

    axis: int
    parts: list[tuple[Value | None, Value]]
    rest: Value | None = None


@dataclasses.dataclass(eq=False)
class Graph:
    """A traced network.

    Attributes:
        values: all values, each after its inputs.
        sequence: the one-hot sequence.
        result: the features.
        constants: arrays that the function closed over; they follow the parameters in the list of leaves.
    """

    values: list[Value]
    sequence: Value
    result: Value
    constants: list[Any]

    def live(self) -> list[Value]:
        """Return the values that the result depends on, in order."""
        found, waiting = set(), [self.result]
        while waiting:
            value = waiting.pop()
            if value.number not in found:
                found.add(value.number)
                waiting += value.equation.inputs if value.equation else []
        return [value for value in self.values if value.number in found]


def sequence_window(shape: tuple[int, int]) -> Window:
    """Return the window of the one-hot sequence; it has no input to derive one from."""

    def compute(read: Any, wanted: Range) -> Array:
        return jax.nn.one_hot(read.tokens(wanted), shape[1], dtype=jax.numpy.float32)

    return Window(axis=0, shape=shape, spread=[], compute=compute)


def plain(value: Value) -> bool:
    """Return True if a value is clean, or windowed and not flattened."""
    return value.opened is None or value.window.shape == value.shape


def expanded(value: Value, axis: int) -> list[int]:
    """Return the axes of the window that belong to an axis of a windowed value: three if that axis was flattened."""
    window = value.opened
    if window is None or window.shape == value.shape:
        return [axis]
    first = window.axis - 1
    if axis == first:
        return [first, first + 1, first + 2]
    return [axis] if axis < first else [axis + 2]
