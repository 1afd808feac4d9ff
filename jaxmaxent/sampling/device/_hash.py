"""Threefry, the hash behind JAX's default keys, without its loop: the same bits, compiled and run faster on a CPU.

For CPUs JAX writes the five rounds of the hash (Salmon, Moraes, Dror & Shaw, SC 2011) as a loop, which is compiled as
about ten small functions. A block has some 35 hashes, and these loops were more than half of its functions. Written
out, a hash joins the operations that use its bits.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl
from jaxtyping import Array, Key, UInt, UInt32

_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
_PARITY = 0x1BD11BDA
_NAME = "threefry2x32"


def written_out(key: Key[Array, "..."]) -> Key[Array, "..."]:
    """Return the keys, on a CPU such that their hashes are written out; every bit drawn with them stays the same."""
    partitionable = jax.config.jax_threefry_partitionable  # pyright: ignore[reportAttributeAccessIssue]
    if jax.default_backend() != "cpu" or str(jax.random.key_impl(key)) != _NAME or not partitionable:
        return key
    return jax.random.wrap_key_data(jax.random.key_data(key), impl=_WRITTEN_OUT)


@jax.jit
def _hash(key: UInt32[Array, " 2"], count: UInt32[Array, "*shape"]) -> tuple[UInt32[Array, "*shape"], Array]:
    """Return the two words that the counts below 2^32 are hashed to."""
    keys = key[0], key[1], key[0] ^ key[1] ^ np.uint32(_PARITY)
    first, second = jnp.broadcast_to(keys[0], count.shape), count + keys[1]
    for block in range(5):
        for bits in _ROTATIONS[block % 2]:
            first = first + second
            second = first ^ (second << np.uint32(bits) | second >> np.uint32(32 - bits))
        first = first + keys[(block + 1) % 3]
        second = second + keys[(block + 2) % 3] + np.uint32(block + 1)
    return first, second


def _counts(shape: tuple[int, ...]) -> UInt32[Array, "*shape"]:
    return jax.lax.iota(jnp.uint32, int(np.prod(shape))).reshape(shape)


def _seed(seed: Array) -> UInt32[Array, " 2"]:
    return jax.random.key_data(jax.random.key(seed, impl=_NAME))


def _split(key: UInt32[Array, " 2"], shape: tuple[int, ...]) -> UInt32[Array, "*shape 2"]:
    return jnp.stack(_hash(key, _counts(shape)), axis=-1)


def _fold_in(key: UInt32[Array, " 2"], data: Any) -> UInt32[Array, " 2"]:
    return jnp.stack(_hash(key, jnp.asarray(data).astype(jnp.uint32)))


def _random_bits(key: UInt32[Array, " 2"], width: int, shape: tuple[int, ...]) -> UInt[Array, "*shape"]:
    first, second = _hash(key, _counts(shape))
    if width == 64:
        return first.astype(jnp.uint64) << np.uint64(32) | second.astype(jnp.uint64)
    return (first ^ second).astype(f"uint{width}")


_WRITTEN_OUT = define_prng_impl(
    key_shape=(2,), seed=_seed, split=_split, random_bits=_random_bits, fold_in=_fold_in, name="threefry_written_out",
    tag="fwo",
)  # fmt: skip
