"""Products, reductions and sorts: along other axes the window stays; along the sequence axis a sum is updated."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from jaxmaxent.evaluate.incremental._ranges import Range
from jaxmaxent.evaluate.incremental._values import Change, Equation, Window, expanded, plain
from jaxmaxent.evaluate.incremental.rules._banded import banded
from jaxmaxent.evaluate.incremental.rules._elementwise import same

GROWS = "adds up numbers of 16 bits, whose rounding would grow with every edit"


def reduce(equation: Equation) -> Window | Change | str:
    """Return the window or the change of a reduction over some axes."""
    source, output = equation.inputs[0], equation.outputs[0]
    axes, window = equation.params["axes"], source.window
    inner = [j for i in axes for j in expanded(source, i)]
    if window.axis in inner:
        if equation.name != "reduce_sum":
            return f"{equation.name} looks at the whole sequence"
        return (
            Change(source, lambda p, change, where: change.sum(tuple(inner)))
            if source.exact and output.exact
            else GROWS
        )
    if not plain(source):
        return "reduces a flattened value along another axis"
    axis = window.axis - sum(i < window.axis for i in axes)
    return Window(axis, output.shape, [(source, same)], lambda read, wanted: equation.bind(read.window(source, wanted)))


def along(equation: Equation) -> Window | list[Window] | str:
    """Return the windows of an operation that runs along another axis: a cumulative sum, a sort, the largest values."""
    params, values = equation.params, equation.changing
    axis = params.get("axis", params.get("dimension", len(values[0].shape) - 1))
    if any(value.window.axis == axis for value in values):
        return f"{equation.name} runs along the sequence"
    if len({(value.window.axis, value.window.length) for value in values}) > 1:
        return "combines values whose sequence axes lie differently"
    at, several = values[0].window.axis, equation.primitive.multiple_results

    def window(number: int) -> Window:
        def compute(read: Any, wanted: Range) -> Array:
            made = read.proposal.once(
                ("along", id(equation), wanted.key, read is read.proposal.new),
                lambda: equation.bind(
                    *[read.window(value, wanted, like=values[0].window) for value in equation.inputs]
                ),
            )
            return made[number] if several else made

        return Window(at, equation.outputs[number].shape, [(value, same) for value in values], compute)

    return [window(i) for i in range(len(equation.outputs))] if several else window(0)


def dot_general(equation: Equation) -> Window | Change | str:
    """Return the window or the change of a product with weights, or of two values with the sequence as batch axis."""
    left, right = equation.inputs
    (contracted, batched) = equation.params["dimension_numbers"]
    if left.depends and right.depends:
        return _of_two(equation)
    side = 0 if left.depends else 1
    source = equation.inputs[side]
    logical = next(i for i in range(len(source.shape)) if source.window.axis in expanded(source, i))
    if logical in contracted[side]:
        window = banded(equation, side)
        if window is not None:
            return window
        return _Rows(equation, side).change() if source.exact and equation.outputs[0].exact else GROWS
    if not plain(source):
        return "multiplies a flattened value along another axis"
    if logical in batched[side]:
        return _batch(equation, batched[0].index(logical) if side == 0 else batched[1].index(logical))
    free = [i for i in range(len(source.shape)) if i not in (*contracted[side], *batched[side])]
    axis = len(batched[0]) + free.index(logical)
    if side == 1:
        axis += len(left.shape) - len(contracted[0]) - len(batched[0])

    def compute(read: Any, wanted: Range) -> Array:
        arrays = [read.window(value, wanted) for value in equation.inputs]
        return equation.bind(*arrays)

    # It is cached, because computing it costs more than reading it.
    return Window(axis, equation.outputs[0].shape, [(source, same)], compute, cached=True)


def _of_two(equation: Equation) -> Window | str:
    left, right = equation.inputs
    batch_left, batch_right = equation.params["dimension_numbers"][1]
    both = plain(left) and plain(right) and left.window.axis in batch_left
    if not both or batch_right[batch_left.index(left.window.axis)] != right.window.axis:
        return "multiplies two values that both depend on the sequence"
    return _batch(equation, batch_left.index(left.window.axis))


def _batch(equation: Equation, axis: int) -> Window:
    """Return the window of a product in which the sequence is a batch axis of both operands."""
    pairs = [
        (value, value.opened or Window(dims[axis], value.shape, [], lambda read, wanted: read))
        for value, dims in zip(equation.inputs, equation.params["dimension_numbers"][1], strict=True)
    ]

    def compute(read: Any, wanted: Range) -> Array:
        return equation.bind(*[read.window(value, wanted, like=like) for value, like in pairs])

    changing = [(value, same) for value in equation.changing]
    return Window(axis, equation.outputs[0].shape, changing, compute, cached=True)


class _Rows:
    """Updates a product that sums over the sequence: the change in a window times the weights at its positions."""

    def __init__(self, equation: Equation, side: int) -> None:
        self.equation, self.side = equation, side
        self.source, self.weights = equation.inputs[side], equation.inputs[1 - side]
        contracted, batched = equation.params["dimension_numbers"]
        self.contracted, self.other_contracted = contracted[side], contracted[1 - side]
        self.batched, self.other_batched = batched[side], batched[1 - side]
        self.how = {k: equation.params[k] for k in ("precision", "preferred_element_type")}

    def change(self) -> Change:
        """Return the update."""
        return Change(self.source, self._terms)

    def _terms(self, proposal: Any, change: Array, where: Range) -> Array:
        # The change becomes [batch …, free …, K], the weights [batch …, K, free …]. The sequence is the outermost axis
        # in K, so the weights of a window are adjacent rows.
        source, axis = self.source, self.source.window.axis
        inner = [j for i in self.contracted for j in expanded(source, i)]
        batch = [j for i in self.batched for j in expanded(source, i)]
        free = [j for j in range(change.ndim) if j not in inner and j not in batch]
        summed = [axis, *[j for j in inner if j != axis]]
        flat = jnp.transpose(change, (*batch, *free, *summed))
        flat = flat.reshape(*flat.shape[: len(batch) + len(free)], -1)
        rows, sizes = self._weights(proposal, summed)
        rows = proposal.cut(rows, where, len(batch))
        rows = rows.reshape(*rows.shape[: len(batch)], flat.shape[-1], *sizes)
        both = tuple(range(len(batch)))
        if self.side == 0:
            return lax.dot_general(flat, rows, (((flat.ndim - 1,), (len(batch),)), (both, both)), **self.how)
        return lax.dot_general(rows, flat, (((len(batch),), (flat.ndim - 1,)), (both, both)), **self.how)

    def _weights(self, proposal: Any, summed: list[int]) -> tuple[Array, tuple[int, ...]]:
        """Return the weights as [batch …, sequence, other summed axes …, free …], and the sizes of the free axes."""
        weights, source = proposal.clean(self.weights), self.source
        shape: list[int] = []
        place: dict[int, int] = {}  # from an axis of the window to its axis in `shape`
        batch, free = [0] * len(self.other_batched), []
        for i, size in enumerate(self.weights.shape):
            if i in self.other_contracted:
                for j in expanded(source, self.contracted[self.other_contracted.index(i)]):
                    place[j] = len(shape)
                    shape.append(source.window.shape[j])
                continue
            if i in self.other_batched:
                batch[self.other_batched.index(i)] = len(shape)
            else:
                free.append(len(shape))
            shape.append(size)
        ordered = jnp.transpose(jnp.reshape(weights, shape), (*batch, *[place[j] for j in summed], *free))
        sizes = tuple(shape[i] for i in free)
        lead = ordered.shape[: len(batch) + 1]
        return ordered.reshape(*lead, math.prod(ordered.shape[len(lead) :])), sizes
