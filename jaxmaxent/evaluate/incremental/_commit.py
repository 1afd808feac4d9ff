"""Cached values after an accepted edit."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.evaluate import _slices as slices

# On a CPU, windows of at least this many bytes are written one chain after another, and only for chains that accepted.
WIDE = 2**15


@jax.custom_batching.custom_vmap
def replaced(held: tuple[Array, ...], patches: tuple[Any, ...], accept: Bool[Array, ""]) -> tuple[Array, ...]:
    """Return cached values; their patches are applied if `accept` is True.

    Args:
        held: the cached values: arrays with the sequence axis first, or sums.
        patches: for each value its new windows and their starts along the sequence axis, or the sum after the edit.
        accept: True if the edit was accepted.
    """
    return tuple(_replaced(*each, accept) for each in zip(held, patches, strict=True))


def _replaced(held: Array, patch: Any, accept: Bool[Array, ""]) -> Array:
    if not isinstance(patch, list):
        return jnp.where(accept, patch, held)
    for start, new in patch:
        held = _put(held, new, start, accept)
    return held


def _put(
    held: Float[Array, "length ..."], new: Float[Array, "window ..."], start: Int[Array, ""], accept: Bool[Array, ""]
) -> Float[Array, "length ..."]:
    new = new.reshape(new.shape[0], *held.shape[1:])
    old = slices.cut(held, start, new.shape[0])
    return slices.put(held, jnp.where(accept, new, old), start)


@replaced.def_vmap
def _replaced_of_all(chains: int, own: Any, *arrays: Any) -> tuple[tuple[Array, ...], tuple[bool, ...]]:
    held, patches, accept = arrays
    held = jax.tree.map(functools.partial(_own, chains), held, own[0])
    accept = _own(chains, accept, own[2])
    # Arrays that chains share, such as the position of the edit, stay shared.
    axes = jax.tree.map(lambda its: 0 if its else None, own[1])
    made = lax.platform_dependent(
        held, patches, accept, cpu=functools.partial(_on_a_cpu, axes), default=functools.partial(_at_once, axes)
    )
    return made, (True,) * len(made)


def _own(chains: int, array: Array, its: bool) -> Array:
    return array if its else jnp.broadcast_to(array, (chains, *array.shape))


def _at_once(axes: Any, held: tuple[Array, ...], patches: tuple[Any, ...], accept: Array) -> tuple[Array, ...]:
    # Patches are complete before the first old value is written over, or the compiler would copy the old values.
    held, patches, accept = lax.optimization_barrier((held, patches, accept))
    each = zip(held, patches, axes, strict=True)
    return tuple(jax.vmap(_replaced, (0, axis, 0))(value, patch, accept) for value, patch, axis in each)


def _on_a_cpu(axes: Any, held: tuple[Array, ...], patches: tuple[Any, ...], accept: Array) -> tuple[Array, ...]:
    accepted_first, count = jnp.argsort(~accept), jnp.sum(accept, dtype=jnp.int32)

    def one(value: Array, patch: Any, axis: Any) -> Array:
        if not isinstance(patch, list):
            return jax.vmap(_replaced, (0, axis, 0))(value, patch, accept)
        for (start, new), (start_axis, new_axis) in zip(patch, axis, strict=True):
            if new_axis == 0 and new[0].nbytes >= WIDE:
                start = _own(len(accept), start, start_axis == 0)
                value = _put_in_turn(value, new, start, accepted_first, count)
            else:
                value = jax.vmap(_put, (0, new_axis, start_axis, 0))(value, new, start, accept)
        return value

    def once(_: Array, held: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(one(*each) for each in zip(held, patches, axes, strict=True))

    # This loop has one step, or none if no chain accepted. All patches are computed before the loop begins, so the loop
    # can write in place. Without it the compiler would compute patches again while it overwrites the old values, and
    # would copy the old values for that.
    return lax.fori_loop(0, (count > 0).astype(jnp.int32), once, held)


# The caches of chains that rejected are neither read nor written, which saves memory traffic on a CPU.
def _put_in_turn(
    held: Float[Array, "chains length ..."],
    new: Float[Array, "chains window ..."],
    start: Int[Array, " chains"],
    accepted_first: Int[Array, " chains"],
    count: Int[Array, ""],
) -> Float[Array, "chains length ..."]:
    new = new.reshape(*new.shape[:2], *held.shape[2:])
    accepted_first = accepted_first.astype(start.dtype)
    behind = [jnp.zeros((), start.dtype)] * (held.ndim - 2)

    def put(number: Array, held: Array) -> Array:
        chain = accepted_first[number]
        window = lax.dynamic_slice_in_dim(new, chain, 1, 0)
        return lax.dynamic_update_slice(held, window, (chain, start[chain], *behind))

    return lax.fori_loop(0, count, put, held)
