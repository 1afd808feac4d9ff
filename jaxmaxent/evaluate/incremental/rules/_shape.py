"""Operations that move elements: reshape, transpose, broadcast, slice, pad, concatenate, split, reverse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxmaxent.evaluate.incremental._ranges import Range, Reach, Slide
from jaxmaxent.evaluate.incremental._values import Equation, Value, Window
from jaxmaxent.evaluate.incremental.rules._elementwise import same


def reshape(equation: Equation) -> Window | str:
    """Return the window of reshape, squeeze or expand_dims, which keep the sequence axis, flatten it or cut it."""
    (source, *_), output = equation.inputs, equation.outputs[0]
    if equation.params.get("dimensions") is not None and equation.name == "reshape":
        return "reshapes in an order of its own"
    held = source.window
    found = _place(held.shape, held.axis, output.shape)
    if found is None:
        return _cut(source, output.shape)
    shape, axis = found
    window = Window(
        axis,
        shape,
        [(source, same)],
        lambda read, wanted: read.window(source, wanted).reshape(window.sized(wanted.size)),
    )
    return window


def _cut(source: Value, new: tuple[int, ...]) -> Window | str:
    """Return the window of a reshape that cuts the sequence axis into pieces of equal size: the axis of the pieces."""
    old, axis, length = source.window.shape, source.window.axis, source.window.length
    before, behind = math.prod(old[:axis]), math.prod(old[axis + 1 :])
    for i in reversed(range(len(new))):
        outer, inner = math.prod(new[:i]), math.prod(new[i + 1 :])
        pieces, ahead = length * behind // inner if inner else 0, before // outer if outer else 0
        if pieces <= 1 or inner % behind or pieces * inner != length * behind or ahead * outer != before:
            continue
        if new[i] != ahead * pieces:
            continue
        size = inner // behind
        shape, at = (new, i) if ahead == 1 else ((*new[:i], ahead, pieces, 1, *new[i + 1 :]), i + 1)
        return _pieces(source, shape, at, size)
    return "cuts the sequence axis into pieces that are not those of an axis"


def _pieces(source: Value, shape: tuple[int, ...], axis: int, size: int) -> Window:
    def compute(read: Any, wanted: Range) -> Array:
        where = wanted.moved(wanted.start * size, wanted.size * size)
        return read.window(source, where).reshape(window.sized(wanted.size))

    slide = Slide(source.window.length, shape[axis], width=size, stride=size)
    window = Window(axis, shape, [(source, slide.spread)], compute)
    return window


def _place(old: tuple[int, ...], axis: int, new: tuple[int, ...]) -> tuple[tuple[int, ...], int] | None:
    """Return a shape and the index of the sequence axis in it; a flattened axis becomes (before, sequence, behind)."""
    length, before = old[axis], math.prod(old[:axis])
    found = None
    for i, size in enumerate(new):
        outer, inner = math.prod(new[:i]), math.prod(new[i + 1 :])
        if before % outer or size % length or size == 0:
            continue
        ahead = before // outer
        behind = size // (ahead * length)
        if ahead * length * behind != size or ahead * outer != before:
            continue
        if behind * inner != math.prod(old[axis + 1 :]):
            continue
        if ahead == behind == 1:
            return new, i
        found = found or ((*new[:i], ahead, length, behind, *new[i + 1 :]), i + 1)
    return found


def transpose(equation: Equation) -> Window | str:
    """Return the window of a transpose: it stays on the sequence axis, which moves."""
    source = equation.inputs[0]
    axis = equation.params["permutation"].index(source.window.axis)
    return Window(
        axis,
        equation.outputs[0].shape,
        [(source, same)],
        lambda read, wanted: equation.bind(read.window(source, wanted)),
    )


def broadcast_in_dim(equation: Equation) -> Window | str:
    """Return the window of a broadcast, with new axes around it."""
    source, output = equation.inputs[0], equation.outputs[0]
    axis = equation.params["broadcast_dimensions"][source.window.axis]
    if output.shape[axis] != source.window.length:
        return "repeats a sequence axis of one position"
    window = Window(
        axis,
        output.shape,
        [(source, same)],
        lambda read, wanted: equation.bind(read.window(source, wanted), shape=window.sized(wanted.size)),
    )
    return window


def rev(equation: Equation) -> Window | str:
    """Return the window of a reversal: it is mirrored along the sequence axis."""
    source = equation.inputs[0]
    held = source.window
    length, mirrored = held.length, held.axis in equation.params["dimensions"]

    def spread(reach: Reach) -> Reach:
        nothing = reach.hi < reach.lo
        lo, hi = length - 1 - reach.hi, length - 1 - reach.lo
        return Reach(reach.part, np.where(nothing, 0, lo), np.where(nothing, -1, hi))

    def compute(read: Any, wanted: Range) -> Array:
        where = wanted.moved(length - wanted.size - wanted.start, wanted.size) if mirrored else wanted
        return equation.bind(read.window(source, where))

    return Window(held.axis, held.shape, [(source, spread if mirrored else same)], compute)


def slice_(equation: Equation) -> Window | str:
    """Return the window of a slice along any axis, with or without strides."""
    source, params = equation.inputs[0], equation.params
    strides = params["strides"] or (1,) * len(source.shape)
    return _sliced(equation, source, 0, params["start_indices"], params["limit_indices"], strides)


def split(equation: Equation) -> list[Window | str]:
    """Return the windows of a split: each part is a slice."""
    source, axis = equation.inputs[0], equation.params["axis"]
    found: list[Window | str] = []
    ends = np.cumsum([int(size) for size in equation.params["sizes"]])
    for i, end in enumerate(ends):
        starts, limits = [0] * len(source.shape), list(source.shape)
        starts[axis], limits[axis] = int(end) - int(equation.params["sizes"][i]), int(end)
        found.append(_sliced(equation, source, i, starts, limits, (1,) * len(source.shape)))
    return found


def _sliced(equation: Equation, source: Value, output: int, starts: Any, limits: Any, strides: Any) -> Window | str:
    axis, shape = source.window.axis, equation.outputs[output].shape
    slide = Slide(source.window.length, shape[axis], stride=strides[axis], low=-starts[axis])
    if shape[axis] == 0:
        return "keeps no position"

    def compute(read: Any, wanted: Range) -> Array:
        where = wanted.moved(wanted.start * slide.stride + starts[axis], (wanted.size - 1) * slide.stride + 1)
        array = read.window(source, where)
        first, last = [*starts], [*limits]
        first[axis], last[axis] = 0, array.shape[axis]
        return lax.slice(array, first, last, strides)

    return Window(axis, shape, [(source, slide.spread)], compute)


def pad(equation: Equation) -> Window | str:
    """Return the window of padding or cropping along any axis, by a number that does not change."""
    source, value = equation.inputs
    if value.depends:
        return "pads by a number that depends on the sequence"
    axis, shape, config = source.window.axis, equation.outputs[0].shape, equation.params["padding_config"]
    low, _, gap = config[axis]
    slide = Slide(source.window.length, shape[axis], low=low, base=gap + 1)
    others = tuple((0, 0, 0) if i == axis else edge for i, edge in enumerate(config))

    def compute(read: Any, wanted: Range) -> Array:
        fill = read.window(value, wanted)
        array = read.padded(source, wanted.start - low, wanted, gap + 1, fill)
        return lax.pad(array, jnp.asarray(fill, array.dtype), others)

    return Window(axis, shape, [(source, slide.spread)], compute)


def concatenate(equation: Equation) -> Window | str:
    """Return the window of operands joined along the sequence axis, or side by side along another axis."""
    along, changing = equation.params["dimension"], equation.changing
    axis = changing[0].window.axis
    if any(value.window.axis != axis for value in changing):
        return "joins values whose sequence axes lie differently"
    shape = equation.outputs[0].shape
    if along != axis:
        return Window(
            axis,
            shape,
            [(value, same) for value in changing],
            lambda read, wanted: equation.bind(
                *[read.window(value, wanted, like=_of_shape(value, axis)) for value in equation.inputs]
            ),
        )
    ends = np.cumsum([value.shape[axis] for value in equation.inputs])
    begins = [int(end) - value.shape[axis] for end, value in zip(ends, equation.inputs, strict=True)]
    spread = [
        (value, Slide(value.shape[axis], shape[axis], low=begin).spread)
        for value, begin in zip(equation.inputs, begins, strict=True)
        if value.depends
    ]

    def compute(read: Any, wanted: Range) -> Array:
        whole, at = None, read.positions(wanted)
        for value, begin in zip(equation.inputs, begins, strict=True):
            if not _met(wanted, begin, value.shape[axis]):
                continue
            piece = read.padded(value, wanted.start - begin, wanted, 1, 0, like=_of_shape(value, axis))
            inside = (at >= begin) & (at < begin + value.shape[axis])
            inside = inside.reshape([-1 if i == axis else 1 for i in range(piece.ndim)])
            whole = piece if whole is None else jnp.where(inside, piece, whole)
        return whole  # pyright: ignore[reportReturnType]

    return Window(axis, shape, spread, compute)


def _met(wanted: Range, begin: int, size: int) -> bool:
    """Return True if a range meets the `size` positions from `begin` on, at some site."""
    return bool(((wanted.start < begin + size) & (wanted.start + wanted.size > begin)).any())


def _of_shape(value: Value, axis: int) -> Window:
    return value.opened or Window(axis, value.shape, [], lambda read, wanted: read.window(value, wanted))


def stack(equation: Equation) -> Callable[..., Any]:
    """Return a stack made of operands with a new axis, which are joined along it."""
    axis = equation.params["axis"]
    return lambda *arrays: lax.concatenate([lax.expand_dims(array, (axis,)) for array in arrays], axis)


def unstack(equation: Equation) -> Callable[..., Any]:
    """Return an unstack made of slices."""
    axis = equation.params["axis"]
    number = equation.inputs[0].shape[axis]
    return lambda array: [lax.index_in_dim(array, i, axis, keepdims=False) for i in range(number)]


def tile(equation: Equation) -> Callable[..., Any]:
    """Return a tile made of copies that are joined, along one axis after the other."""

    def tiled(array: Array) -> Array:
        for axis, number in enumerate(equation.params["reps"]):
            array = lax.concatenate([array] * number, axis) if number > 1 else array
        return array

    return tiled
