"""Operations that move elements: reshape, transpose, slice, pad, join, repeat."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxmaxent.models.adapters._onnx._graph import TYPES, Call, aligned, computed, of_one_type, to_jax


def identity(call: Call, x: Any) -> Any:
    """Return x itself."""
    return x


def shape(call: Call, x: Any) -> np.ndarray:
    """Return the lengths of the axes, which are known even if x is not."""
    return np.asarray(x.shape[slice(call.get("start", 0), call.get("end"))], np.int64)


def size(call: Call, x: Any) -> np.ndarray:
    """Return the number of elements."""
    return np.asarray(math.prod(x.shape), np.int64)


def constant(call: Call) -> np.ndarray:
    """Return the array that an attribute holds."""
    types = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    for name, value in call.attributes.items():
        if name == "value":
            return value
        if name in types:
            return np.asarray(value, types[name])
    raise ValueError("it holds no array of numbers")


def constant_of_shape(call: Call, lengths: Any) -> np.ndarray:
    """Return an array that is filled with one number."""
    value = call.get("value", np.zeros(1, np.float32))
    return np.full(call.integers("input", lengths), value.reshape(()), value.dtype)


def range_(call: Call, start: Any, limit: Any, step: Any) -> np.ndarray:
    """Return the numbers from `start` to `limit`, which is not reached."""
    start, limit, step = (
        call.known(name, x).reshape(()) for name, x in (("start", start), ("limit", limit), ("delta", step))
    )
    count = max(math.ceil((limit - start) / step), 0)
    return (start + np.arange(count) * step).astype(start.dtype)


def eye_like(call: Call, x: Any) -> np.ndarray:
    """Return a matrix of the shape of x with ones on a diagonal."""
    dtype = TYPES[call.get("dtype")] if call.get("dtype") else x.dtype
    return np.eye(x.shape[0], x.shape[1], call.get("k", 0), dtype)


def reshape(call: Call, x: Any, lengths: Any) -> Any:
    """Return x with other axes; 0 keeps the length of an axis, and −1 takes the rest."""
    wanted = call.integers("shape", lengths)
    if not call.get("allowzero", 0):
        wanted = [x.shape[i] if length == 0 else length for i, length in enumerate(wanted)]
    try:
        return x.reshape(wanted)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"an array of the shape {x.shape} does not become {tuple(wanted)}; if the model was exported for another "
            "batch or length, give it that one, or export it with a batch of any size"
        ) from error


def flatten(call: Call, x: Any) -> Any:
    """Return x as a matrix: the axes before the given one, and the others."""
    axis = call.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def transpose(call: Call, x: Any) -> Any:
    """Return x with its axes in another order."""
    return call.xp.transpose(x, call.get("perm", list(range(x.ndim))[::-1]))


def _axes(call: Call, axes: Any, rank: int) -> list[int]:
    chosen = call.get("axes") if axes is None else call.integers("axes", axes)
    return [] if chosen is None else [axis % max(rank, 1) for axis in chosen]


def squeeze(call: Call, x: Any, axes: Any = None) -> Any:
    """Return x without the given axes of length 1, or without all of them."""
    chosen = _axes(call, axes, x.ndim) or [i for i, length in enumerate(x.shape) if length == 1]
    return call.xp.squeeze(x, tuple(chosen))


def unsqueeze(call: Call, x: Any, axes: Any = None) -> Any:
    """Return x with new axes of length 1."""
    count = len(call.get("axes", []) if axes is None else call.integers("axes", axes))
    return call.xp.expand_dims(x, tuple(_axes(call, axes, x.ndim + count)))


def concatenate(call: Call, *arrays: Any) -> Any:
    """Return the arrays joined along an axis."""
    axis = call.get("axis", 1)
    return np.concatenate(arrays, axis) if call.xp is np else jnp.concatenate(of_one_type(*arrays), axis)


def split(call: Call, x: Any, sizes: Any = None) -> tuple[Any, ...]:
    """Return pieces of x along an axis, of given sizes or of nearly the same."""
    axis = call.get("axis", 0) % x.ndim
    lengths = call.get("split") if sizes is None else call.integers("split", sizes)
    if not lengths:
        count = call.get("num_outputs", len(call.node.outputs))
        each = -(-x.shape[axis] // count)
        lengths = [max(min(each, x.shape[axis] - i * each), 0) for i in range(count)]
    return tuple(pieces(x, axis, lengths))


def pieces(x: Any, axis: int, lengths: list[int]) -> list[Any]:
    """Return the pieces of x of given lengths along an axis, one after another."""
    ends = np.cumsum(lengths)
    if sum(lengths) != x.shape[axis]:
        raise ValueError(f"pieces of {list(lengths)} do not make an axis of {x.shape[axis]}")
    return [_part(x, axis, int(end) - length, int(end), 1) for end, length in zip(ends, lengths, strict=True)]


def _part(x: Any, axis: int, start: int, stop: int, step: int) -> Any:
    if isinstance(x, np.ndarray):
        return x[(slice(None),) * axis + (slice(start, stop, step),)]
    return lax.slice_in_dim(x, start, max(stop, start), step, axis)


def slice_(call: Call, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None) -> Any:
    """Return x from a start to an end, with a step, along some axes."""
    if starts is None:  # before opset 10
        first, last, chosen = call.get("starts"), call.get("ends"), call.get("axes")
    else:
        first, last = call.integers("starts", starts), call.integers("ends", ends)
        chosen = None if axes is None else call.integers("axes", axes)
    by = [1] * len(first) if steps is None else call.integers("steps", steps)
    for axis, start, end, step in zip(chosen or range(len(first)), first, last, by, strict=True):
        axis %= x.ndim
        begin, stop, step = slice(start, end, step).indices(x.shape[axis])
        if step < 0:
            length = x.shape[axis]
            x = call.xp.flip(x, axis)
            begin, stop, step = length - 1 - begin, length - 1 - stop, -step
        x = _part(x, axis, begin, stop, step)
    return x


def pad(call: Call, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> Any:
    """Return x with positions added before and behind, or removed where the number is negative."""
    widths = call.get("pads") if pads is None else call.integers("pads", pads)
    chosen = list(range(x.ndim)) if axes is None else [axis % x.ndim for axis in call.integers("axes", axes)]
    edges = [(0, 0)] * x.ndim
    for i, axis in enumerate(chosen):
        edges[axis] = (widths[i], widths[i + len(chosen)])
    mode = call.get("mode", "constant")
    if mode == "constant":
        fill = call.get("value", 0) if value is None else to_jax(value).reshape(())
        return lax.pad(x, jnp.asarray(fill, x.dtype), [(low, high, 0) for low, high in edges])
    for axis, (low, high) in enumerate(edges):
        x = _part(x, axis, max(-low, 0), x.shape[axis] - max(-high, 0), 1)
    grown = [(max(low, 0), max(high, 0)) for low, high in edges]
    return jnp.pad(x, grown, mode) if any(low or high for low, high in grown) else x


def tile(call: Call, x: Any, repeats: Any) -> Any:
    """Return x repeated along every axis."""
    return call.xp.tile(x, call.integers("repeats", repeats))


def expand(call: Call, x: Any, lengths: Any) -> Any:
    """Return x broadcast with an array of the given shape."""
    wanted = np.broadcast_shapes(x.shape, tuple(call.integers("shape", lengths)))
    (x, _) = aligned(call.xp, x, np.empty((1,) * len(wanted)))
    return call.xp.broadcast_to(x, wanted)


def depth_to_space(call: Call, x: Any) -> Any:
    """Return x with blocks of channels moved to positions."""
    batch, depth, *sizes = x.shape
    block, n = call.get("blocksize"), len(sizes)
    inner = depth // block**n
    first = call.get("mode", "DCR") == "DCR"
    x = x.reshape(batch, *((*[block] * n, inner) if first else (inner, *[block] * n)), *sizes)
    channel, blocks = (1 + n, range(1, 1 + n)) if first else (1, range(2, 2 + n))
    order = [axis for pair in zip(range(2 + n, 2 + 2 * n), blocks, strict=True) for axis in pair]
    return call.xp.transpose(x, (0, channel, *order)).reshape(batch, inner, *(size * block for size in sizes))


def space_to_depth(call: Call, x: Any) -> Any:
    """Return x with blocks of positions moved to channels."""
    batch, depth, *sizes = x.shape
    block, n = call.get("blocksize"), len(sizes)
    x = x.reshape(batch, depth, *(length for size in sizes for length in (size // block, block)))
    blocks = range(3, 3 + 2 * n, 2)
    order = (0, *((*blocks, 1) if call.get("mode", "DCR") == "DCR" else (1, *blocks)), *range(2, 2 + 2 * n, 2))
    return call.xp.transpose(x, order).reshape(batch, depth * block**n, *(size // block for size in sizes))


def triangle(call: Call, x: Any, k: Any = None) -> Any:
    """Return the upper or lower triangle of matrices, with 0 elsewhere."""
    offset = 0 if k is None else call.integers("k", k)[0]
    rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])[None]
    kept = columns - rows >= offset if call.get("upper", 1) else columns - rows <= offset
    kept = np.broadcast_to(kept, x.shape)
    return call.xp.where(kept, x, call.xp.zeros_like(x))


def one_hot(call: Call, indices: Any, depth: Any, values: Any) -> Any:
    """Return `values[1]` at the place that an index names on a new axis, and `values[0]` elsewhere."""
    count, xp = int(call.known("depth", depth).reshape(())), call.xp
    axis = call.get("axis", -1) % (indices.ndim + 1)
    places = np.arange(count).reshape([-1 if i == axis else 1 for i in range(indices.ndim + 1)])
    wrapped = xp.where(indices < 0, indices + count, indices)
    hot = xp.expand_dims(wrapped, axis) == places
    off, on = values[0], values[1]
    return xp.where(hot, on, off)


def random(call: Call, *arrays: Any) -> Any:
    """Refuse: a random result is no function of the input."""
    raise ValueError("it draws random numbers; export the network for inference, such as model.eval() in torch")


def not_a_number(call: Call, x: Any) -> Any:
    """Return where x is not a number."""
    return call.xp.isnan(x)


def reverse_sequence(call: Call, x: Any, lengths: Any) -> Any:
    """Return x with the first positions of every sequence in reverse order."""
    time, batch = call.get("time_axis", 0), call.get("batch_axis", 1)
    places = np.arange(x.shape[time]).reshape([-1 if i == time else 1 for i in range(2)])
    lengths = to_jax(lengths).reshape([-1 if i == batch else 1 for i in range(2)])
    order = jnp.where(places < lengths, lengths - 1 - places, places)
    return jnp.take_along_axis(x, order.reshape(order.shape + (1,) * (x.ndim - 2)).astype(computed(np.int64)), time)
