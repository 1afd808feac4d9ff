"""What a traced network is made of: values, the equations between them, and what is known of each value.

A value is *clean* if it does not depend on the sequence, *windowed* if an edit changes it in a window along one axis
only, *updated* if it changes everywhere but by a sum over the windows of another value, and else *full*.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from jaxmaxent.evaluate.incremental._ranges import Range, Reach


@dataclasses.dataclass(eq=False)
class Equation:
    """One operation of the network.

    Attributes:
        name: of the JAX primitive.
        primitive: itself.
        params: its static parameters.
        inputs: values it is applied to.
        outputs: values it gives.
    """

    name: str
    primitive: Any
    params: dict[str, Any]
    inputs: list[Value]
    outputs: list[Value] = dataclasses.field(default_factory=list)

    def bind(self, *arrays: Any, **changed: Any) -> Any:
        """The operation on arrays, perhaps with other static parameters: an array, or a list if it gives several."""
        return self.primitive.bind(*arrays, **{**self.params, **changed})

    @property
    def changing(self) -> list[Value]:
        """The inputs that depend on the sequence."""
        return [value for value in self.inputs if value.depends]


@dataclasses.dataclass(eq=False)
class Value:
    """An array of the network.

    Attributes:
        number: in the order of the trace.
        shape: its shape.
        dtype: its type.
        equation: what gives it; None for the sequence, parameters and constants.
        output: which of the equation's outputs it is.
        constant: a literal, if it is one.
        leaf: its place among the parameters and constants, if it is one of these.
        depends: whether it depends on the sequence.
        opened: where it changes, if it is windowed.
        change: by what it changes, if it is updated.
        reason: why it is neither, though what it is made of is windowed.
    """

    number: int
    shape: tuple[int, ...]
    dtype: Any
    equation: Equation | None = None
    output: int = 0
    constant: Any = None
    leaf: int | None = None
    depends: bool = False
    opened: Window | None = None
    change: Change | None = None
    reason: str = ""

    @property
    def window(self) -> Window:
        """Where a windowed value changes."""
        assert self.opened is not None
        return self.opened

    @property
    def exact(self) -> bool:
        """Whether sums of many changes keep it right: not with 16 bits, whose rounding would add up."""
        kind = np.dtype(self.dtype)
        return jax.numpy.issubdtype(kind, np.integer) or kind in (np.dtype(np.float32), np.dtype(np.float64))


@dataclasses.dataclass(eq=False)
class Window:
    """How a value changes in windows; what a rule returns.

    Attributes:
        axis: the sequence axis, in `shape`.
        shape: that of the value, or, if it was flattened, with the flattened axis as (before, sequence, behind).
        spread: for each input that changes, what a reach of it reaches here.
        compute: `compute(read, range)` is the value in a range, from what `read` gives of its inputs (see `Reader`);
            shape `shape` with the range's size along `axis`.
        update: `update(proposal, range)` is the value in a range after an edit, from what was there and what has
            changed in the inputs; None where that does not pay for this plan.
        updates: `updates(plan)` is whether `update` serves a proposal's windows, and so needs what was there.
        cached: whether to remember it; not worth while where computing it is as cheap as reading it.
        flops: FLOPs of a proposal under a plan, where they are not the share of the full ones that its windows have.
    """

    axis: int
    shape: tuple[int, ...]
    spread: list[tuple[Value, Callable[[Reach], Reach]]]
    compute: Callable[[Any, Range], Array]
    update: Callable[[Any, Range], Array | None] | None = None
    updates: Callable[[Any], bool] | None = None
    cached: bool = False
    flops: Callable[[Any], int] | None = None

    @property
    def length(self) -> int:
        """Length of the sequence axis."""
        return self.shape[self.axis]

    def sized(self, size: int) -> tuple[int, ...]:
        """`shape` with another size of the sequence axis."""
        return (*self.shape[: self.axis], size, *self.shape[self.axis + 1 :])


@dataclasses.dataclass(eq=False)
class Change:
    """A sum over the sequence axis, which an edit changes by a sum over windows; what a rule returns.

    Attributes:
        source: the windowed value that is summed over.
        terms: `terms(proposal, change, range)` is the sum over one window of `change`, in the shape of the value.
    """

    source: Value
    terms: Callable[[Any, Array, Range], Array]


@dataclasses.dataclass(eq=False)
class Graph:
    """A traced network.

    Attributes:
        values: all, each behind what it is made of.
        sequence: the one-hot sequence.
        result: the features.
        constants: arrays the function closed over; they come behind the parameters among the leaves.
    """

    values: list[Value]
    sequence: Value
    result: Value
    constants: list[Any]

    def live(self) -> list[Value]:
        """The values that the result is made of, in order."""
        found, waiting = set(), [self.result]
        while waiting:
            value = waiting.pop()
            if value.number not in found:
                found.add(value.number)
                waiting += value.equation.inputs if value.equation else []
        return [value for value in self.values if value.number in found]


def sequence_window(shape: tuple[int, int]) -> Window:
    """Return the window of the one-hot sequence itself, which nothing else opens."""

    def compute(read: Any, wanted: Range) -> Array:
        return jax.nn.one_hot(read.tokens(wanted), shape[1], dtype=jax.numpy.float32)

    return Window(axis=0, shape=shape, spread=[], compute=compute)


def plain(value: Value) -> bool:
    """Whether a value is clean, or windowed and not flattened."""
    return value.opened is None or value.window.shape == value.shape


def expanded(value: Value, axis: int) -> list[int]:
    """Which axes of its window an axis of a windowed value stands for: three if it is the flattened one."""
    window = value.opened
    if window is None or window.shape == value.shape:
        return [axis]
    first = window.axis - 1
    if axis == first:
        return [first, first + 1, first + 2]
    return [axis] if axis < first else [axis + 2]
