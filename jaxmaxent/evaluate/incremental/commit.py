"""Cached values with what an accepted edit makes of them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

# Bytes of a window from which on a CPU writes those of the chains that accepted one after another.
WIDE = 2**15


def replaced(held: Array, pieces: Any, accept: Bool[Array, ""]) -> Array:
    """A cached value with a patch where `accept`.

    Args:
        held: the value, its sequence axis first, or a sum.
        pieces: starts and windows of the sequence axis, or the sum after the edit.
        accept: whether the edit was taken.
    """
    if not isinstance(pieces, list):
        return jnp.where(accept, pieces, held)
    for start, new in pieces:
        new = new.reshape(new.shape[0], *held.shape[1:])
        put = _put_wide if new.nbytes >= WIDE else _put
        held = put(held, new, start, accept)
    return held


def _put(
    held: Float[Array, "length ..."],
    new: Float[Array, "window ..."],
    start: Int[Array, ""],
    accept: Bool[Array, ""],
) -> Float[Array, "length ..."]:
    old = lax.dynamic_slice_in_dim(held, start, new.shape[0], 0)
    return lax.dynamic_update_slice_in_dim(held, jnp.where(accept, new, old), start, 0)


# Chains that refused are neither read nor written then, which the memory of a CPU is grateful for.
_put_wide = jax.custom_batching.custom_vmap(_put)


@_put_wide.def_vmap
def _put_many(chains: int, mapped: list[bool], *arrays: Array) -> tuple[Array, bool]:
    together = jax.vmap(_put, in_axes=[0 if own else None for own in mapped])

    def in_turn(*arrays: Array) -> Array:
        pairs = zip(arrays, mapped, strict=True)
        own = (array if its else jnp.broadcast_to(array, (chains, *array.shape)) for array, its in pairs)
        return _put_in_turn(*own)

    return lax.platform_dependent(*arrays, cpu=in_turn, default=together), True


def _put_in_turn(
    held: Float[Array, "chains length ..."],
    new: Float[Array, "chains window ..."],
    start: Int[Array, " chains"],
    accept: Bool[Array, " chains"],
) -> Float[Array, "chains length ..."]:
    accepted_first = jnp.argsort(~accept)

    def put(number: Array, held: Array) -> Array:
        chain = accepted_first[number]
        window = lax.dynamic_slice_in_dim(new, chain, 1, 0)
        return lax.dynamic_update_slice(held, window, (chain, start[chain], *[0] * (held.ndim - 2)))

    return lax.fori_loop(0, jnp.sum(accept, dtype=jnp.int32), put, held)
