"""Keys whose hashes are written out give the bits of JAX's own keys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmaxent.sampling.device._hash import written_out

DRAWS = {
    "split": lambda key: jax.random.key_data(jax.random.split(key, (3, 2))),
    "fold_in": lambda key: jax.random.key_data(jax.random.fold_in(key, 2**32 - 7)),
    "bits8": lambda key: jax.random.bits(key, (5,), jnp.uint8),
    "bits16": lambda key: jax.random.bits(key, (5,), jnp.uint16),
    "bits32": lambda key: jax.random.bits(key, (), jnp.uint32),
    "uniform": lambda key: jax.random.uniform(key, (24, 1)),
    "categorical": lambda key: jax.random.categorical(key, jnp.arange(4.0), shape=(1, 1)),
    "exponential": jax.random.exponential,
    "randint": lambda key: jax.random.randint(key, (7,), 0, 14),
    "nothing": lambda key: jax.random.uniform(key, (0, 3)),
}


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", DRAWS)
def test_bits_are_those_of_jax(name, wide):
    with jax.enable_x64(wide):
        keys = jax.random.split(jax.random.key(11), 6)
        own = written_out(keys)
        assert jax.random.key_impl(own) != jax.random.key_impl(keys)
        for key, same in ((keys[0], own[0]), (jax.random.fold_in(keys[1], 3), jax.random.fold_in(own[1], 3))):
            np.testing.assert_array_equal(DRAWS[name](same), DRAWS[name](key), strict=True)
        np.testing.assert_array_equal(
            jax.jit(jax.vmap(DRAWS[name]))(own), jax.jit(jax.vmap(DRAWS[name]))(keys), strict=True
        )


def test_words_of_64_bits():
    with jax.enable_x64(True):
        key = jax.random.key(5)
        np.testing.assert_array_equal(
            jax.random.bits(written_out(key), (9,), jnp.uint64), jax.random.bits(key, (9,), jnp.uint64), strict=True
        )


def test_other_keys_stay_as_they_are():
    key = jax.random.key(0, impl="rbg")
    assert written_out(key) is key
    with jax.threefry_partitionable(False):
        key = jax.random.key(0)
        assert written_out(key) is key
