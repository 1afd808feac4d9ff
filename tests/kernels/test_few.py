"""Choices from and sums over a few numbers, as each kind of device makes them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmaxent.kernels import _few as few

KINDS = ("cpu", "gpu", "tpu")


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch):
    monkeypatch.setattr(few, "_kind", lambda: request.param)
    return request.param


@pytest.mark.parametrize("number", [1, 2, 4, 20, 100])
def test_the_largest_is_the_first_of_equal_ones(kind, number):
    values = np.random.default_rng(number).integers(0, 3, (200, number)).astype(np.float32)
    values[:10] = -np.inf
    np.testing.assert_array_equal(few.largest(jnp.asarray(values)), values.argmax(1))


@pytest.mark.parametrize("number", [1, 3, 21, 100])
@pytest.mark.parametrize("size", [1.0, 300.0])
def test_log_sum_exp_neither_overflows_nor_vanishes(kind, number, size):
    values = np.random.default_rng(number).normal(size=(50, number)).astype(np.float32) * size
    expected = np.logaddexp.reduce(values.astype(float), axis=1)
    np.testing.assert_allclose(few.log_sum_exp(jnp.asarray(values)), expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("shape", [(5,), (21, 24), (4, 2, 3)])
def test_an_entry_has_all_bits_of_the_table(kind, shape):
    table = (10.0 ** np.random.default_rng(0).uniform(-6, 6, shape)).astype(np.float32)
    places = np.arange(shape[0])
    found = jax.vmap(lambda place: few.entry(jnp.asarray(table), place))(jnp.asarray(places))
    np.testing.assert_array_equal(found, table)


def test_only_a_gpu_writes_few_numbers_out(kind):
    """Otherwise the other tests here would compare one program with itself."""
    written = "reduce_max" not in str(jax.make_jaxpr(lambda values: few.log_sum_exp(values))(jnp.zeros((3, 5))))
    assert written == (kind == "gpu")
    assert (
        "dot_general" in str(jax.make_jaxpr(lambda table, place: few.entry(table, place))(jnp.zeros(3), jnp.int32(1)))
    ) == (kind == "tpu")
