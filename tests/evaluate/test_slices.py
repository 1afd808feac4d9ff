"""Slices that stay slices when they are mapped."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmaxent.evaluate import _slices as slices

rng = np.random.default_rng(0)
ARRAYS, PIECES = rng.normal(size=(2, 3, 6, 5)), rng.normal(size=(2, 3, 6, 2))
SHARED, OWN = jnp.array(2), jnp.array([[0, 3, 1], [2, 2, 5]])


def twice(function, *in_axes):
    """Mapped over two axes, those of ladders and replicas."""
    return jax.vmap(jax.vmap(function, in_axes), in_axes)


@pytest.mark.parametrize("start", [SHARED, OWN], ids=["shared", "own"])
def test_slices_are_those_of_every_array(start):
    axis = None if start.ndim == 0 else 0
    starts = np.minimum(np.broadcast_to(start, (2, 3)), 3)  # those beyond the end are moved inside
    found = jax.jit(twice(lambda array, at: slices.cut(array, at, 2, axis=1), 0, axis))(ARRAYS, start)
    written = jax.jit(twice(lambda array, piece, at: slices.put(array, piece, at, axis=1), 0, 0, axis))
    expected = ARRAYS.astype(np.float32)
    for i, j in np.ndindex(2, 3):
        inside = slice(starts[i, j], starts[i, j] + 2)
        np.testing.assert_array_equal(found[i, j], ARRAYS[i, j, :, inside].astype(np.float32))
        expected[i, j, :, inside] = PIECES[i, j]
    np.testing.assert_array_equal(written(ARRAYS, PIECES, start), expected)


def test_one_piece_is_written_into_many_arrays_and_many_pieces_into_one():
    put = jax.vmap(lambda array, piece: slices.put(array, piece, SHARED), in_axes=(0, None))
    np.testing.assert_array_equal(put(jnp.zeros((2, 4)), jnp.ones(1)), [[0, 0, 1, 0]] * 2)
    put = jax.vmap(lambda array, piece: slices.put(array, piece, SHARED), in_axes=(None, 0))
    np.testing.assert_array_equal(put(jnp.zeros(4), jnp.array([[1.0], [2.0]])), [[0, 0, 1, 0], [0, 0, 2, 0]])


def test_shared_starts_stay_slices():
    cut = jax.make_jaxpr(twice(lambda array: slices.cut(array, SHARED, 2, axis=1), 0))(ARRAYS)
    put = jax.make_jaxpr(twice(lambda array, piece: slices.put(array, piece, SHARED, axis=1), 0, 0))(ARRAYS, PIECES)
    assert "dynamic_slice" in str(cut) and "gather" not in str(cut)
    assert "dynamic_update_slice" in str(put) and "scatter" not in str(put)


def test_gradients_go_through_slices():
    def of(array, piece, letters):
        written = slices.put(array, piece, SHARED)
        # What is not differentiated may be cut as well.
        return jnp.sum(jnp.arange(3.0) * slices.cut(written, SHARED - 1, 3) * slices.cut(letters, SHARED, 3))

    gradients = jax.grad(of, (0, 1))(jnp.ones(6), jnp.ones(1), jnp.arange(6))
    np.testing.assert_array_equal(gradients[0], [0, 0, 0, 2 * 4, 0, 0])
    np.testing.assert_array_equal(gradients[1], [1 * 3])
    arrays, pieces, letters = jnp.ones((2, 6)), jnp.ones((2, 1)), jnp.arange(12).reshape(2, 6)
    mapped = jax.vmap(jax.grad(of, (0, 1)))(arrays, pieces, letters)
    np.testing.assert_array_equal(mapped[1], [[3], [9]])


def test_a_piece_of_all_has_the_type_of_what_it_replaces():
    assert slices.put(jnp.zeros(3, jnp.int32), jnp.ones(3), 0).dtype == jnp.int32
