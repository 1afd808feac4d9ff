import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
from jaxmaxent.sampling.device._counters import Moments, count_letters, mean_over_chains


@jax.jit
def of(values):
    """Return moments of values [n, ...] added one by one in a compiled loop."""
    zeros = Moments.zeros(values.shape[1:], values.dtype)
    return jax.lax.scan(lambda moments, value: (moments.add(value), None), zeros, values)[0]


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(3, 2, (40, 5, 2))


def test_values_added_one_by_one_give_mean_and_variance(values, x64):
    moments = of(values)
    assert moments.count == 40
    np.testing.assert_allclose(moments.mean, values.mean(0), rtol=1e-13)
    np.testing.assert_allclose(moments.variance(), values.var(0), rtol=1e-12)


@pytest.mark.parametrize("cuts", [[1], [39], [7, 8, 30], list(range(1, 40))])
def test_merged_parts_are_the_whole(values, x64, cuts):
    merged = Moments(0, np.zeros((5, 2)), np.zeros((5, 2)))
    for part in np.split(values, cuts):
        merged = merged.merge(of(part))
    assert merged.count == 40
    np.testing.assert_allclose(merged.mean, values.mean(0), rtol=1e-13)
    np.testing.assert_allclose(merged.variance(), values.var(0), rtol=1e-12)


def test_nothing_adds_nothing(values):
    some, nothing = of(values), Moments.zeros((5, 2))
    for merged in (some.merge(nothing), nothing.merge(some)):
        assert merged.count == 40
        np.testing.assert_array_equal(merged.mean, some.mean)
        np.testing.assert_array_equal(merged.squares, some.squares)
    empty = nothing.merge(nothing)
    assert empty.count == 0
    np.testing.assert_array_equal(empty.mean, 0)
    np.testing.assert_array_equal(empty.variance(), 0)


def test_merging_is_in_double_precision_on_the_host(values):
    merged = of(values).merge(of(values))
    assert isinstance(merged.mean, np.ndarray)
    assert merged.mean.dtype == merged.squares.dtype == np.float64
    assert isinstance(merged.count, int)


@pytest.mark.parametrize(
    ("mean", "spread", "blocks"),
    [
        (500, 15.0, 1),  # GC of 1,000 bp
        (1.0, 0.1, 1),  # an energy
        (
            1000,
            1.0,
            100,
        ),  # in one block the mean would stop, because its steps become smaller than float32 resolves
    ],
)
def test_single_precision_does_not_drift_over_many_values(mean, spread, blocks):
    values = np.random.default_rng(1).normal(mean, spread, (100_000, 3)).astype(np.float32)
    truth, variance = values.mean(0, dtype=np.float64), values.var(0, dtype=np.float64)
    merged = Moments(0, np.zeros(3), np.zeros(3))
    for block in np.split(values, blocks):
        merged = merged.merge(of(block))
    assert (np.abs(merged.mean - truth) < 0.1 * np.sqrt(variance / len(values))).all()
    np.testing.assert_allclose(merged.variance(), variance, rtol=1e-4)


def test_a_constant_has_no_variance():
    moments = of(np.full((1000, 2), 0.1, np.float32))
    np.testing.assert_array_equal(moments.variance(), 0)
    np.testing.assert_array_equal(moments.mean, np.float32(0.1))


def test_letters_are_counted_as_integers_of_each_chain():
    draws = np.random.default_rng(2).integers(0, 3, (20, 4, 6))
    counts = jnp.zeros((4, 6, 3), jnp.int32)
    for tokens in draws:
        counts = count_letters(counts, jnp.asarray(tokens))
    assert counts.dtype == jnp.int32
    np.testing.assert_array_equal(counts, exact.one_hot(draws, 3).sum(0))


def test_counts_go_on_where_single_precision_stops():
    counts = jnp.full((1, 1, 2), 2**24, jnp.int32)
    np.testing.assert_array_equal(count_letters(counts, jnp.asarray([[1]])), [[[2**24, 2**24 + 1]]])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mean_over_chains_and_its_error(axis):
    values = np.random.default_rng(3).normal(size=(4, 5, 6)).astype(np.float32)
    mean, error = mean_over_chains(values, axis)
    chains = np.moveaxis(values.astype(float), axis, 0)
    np.testing.assert_allclose(mean, sum(chains) / len(chains), atol=1e-12)
    squares = sum((chain - mean) ** 2 for chain in chains)
    np.testing.assert_allclose(error, np.sqrt(squares / (len(chains) - 1) / len(chains)), atol=1e-12)


def test_one_chain_says_nothing_about_its_error():
    mean, error = mean_over_chains(np.array([[1.0, 2.0]]), axis=0)
    np.testing.assert_array_equal(mean, [1, 2])
    np.testing.assert_array_equal(error, [np.nan, np.nan])
