import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_networks import SMALL, network_of, one_hots

from jaxmaxent.models import (
    ConvArchitecture,
    MLPArchitecture,
    parameters,
)


def test_published_network_has_the_published_shapes():
    network = ConvArchitecture().build(nnx.Rngs(0))
    shapes = jax.tree.map(jnp.shape, parameters(network))
    assert shapes == {
        "conv": {"bias": (64,), "kernel": (24, 4, 64)},
        "dense": {0: {"bias": (100,), "kernel": (78 * 64, 100)}},
        "head": {"bias": (2,), "kernel": (100, 2)},
    }
    assert isinstance(network.head, nnx.Linear)


def test_lists_and_numpy_numbers_make_an_equal_architecture():
    given = MLPArchitecture(length=np.int64(3), hidden=[4, np.int32(5)], dropout=0)
    assert given == MLPArchitecture(length=3, hidden=(4, 5))
    assert hash(given) == hash(MLPArchitecture(length=3, hidden=(4, 5)))
    json.dumps(given.to_dict())


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (ConvArchitecture, {"length": 0}, "length must be a whole number of at least 1, got 0"),
        (ConvArchitecture, {"filters": 2.5}, "filters must be a whole number"),
        (ConvArchitecture, {"kernel_width": 102}, "kernel_width must be at most the length 101, got 102"),
        (ConvArchitecture, {"units": 1}, "units must be a whole number of at least 2"),
        (ConvArchitecture, {"alphabet": "ACGT"}, "alphabet must be an Alphabet, got 'ACGT'"),
        (MLPArchitecture, {"hidden": 16}, "hidden must be a list of whole numbers"),
        (MLPArchitecture, {"hidden": (16, 0)}, r"hidden\[1\] must be a whole number of at least 1, got 0"),
        (MLPArchitecture, {"dropout": 1.0}, "dropout must be a finite number below 1"),
        (MLPArchitecture, {"dropout": -0.1}, "dropout must be at least 0 and below 1, got -0.1"),
        (MLPArchitecture, {"dropout": float("nan")}, "dropout must be a finite number below 1"),
    ],
)
def test_wrong_architectures(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


def test_conv_network_is_what_it_says():
    """Against the definition in NumPy, double precision."""
    architecture = ConvArchitecture(length=12, filters=3, kernel_width=5, hidden=(7,), units=3)
    network, x = network_of(architecture), one_hots(architecture, 4)
    p = jax.tree.map(lambda leaf: np.asarray(leaf, float), parameters(network))
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(x, float), 5, axis=1)  # [n, 8, letters, 5]
    hidden = np.maximum(np.einsum("nwlk,klf->nwf", windows, p["conv"]["kernel"]) + p["conv"]["bias"], 0)
    hidden = np.maximum(hidden.reshape(4, -1) @ p["dense"][0]["kernel"] + p["dense"][0]["bias"], 0)
    np.testing.assert_allclose(network.features(x), hidden, atol=2e-6)
    np.testing.assert_allclose(network(x), hidden @ p["head"]["kernel"] + p["head"]["bias"], atol=2e-6)


@pytest.mark.parametrize("architecture", SMALL)
def test_leading_axes(architecture):
    network, x = network_of(architecture), one_hots(architecture, 6)
    outputs = nnx.jit(lambda network, rows: network(rows))
    alone = np.stack([outputs(network, row) for row in x])
    np.testing.assert_allclose(outputs(network, x), alone, atol=1e-6)
    np.testing.assert_allclose(outputs(network, x.reshape(2, 3, *x.shape[1:])), alone.reshape(2, 3, -1), atol=1e-6)


@pytest.mark.parametrize("architecture", SMALL)
@pytest.mark.parametrize("shape", [(1, -1), (0, 1), (4,)])
def test_wrong_input_shape(architecture, shape):
    length, letters = architecture.length, len(architecture.alphabet)
    wrong = shape if len(shape) == 1 else (3, length + shape[0], letters + shape[1])
    with pytest.raises(ValueError, match=rf"one_hot must have shape \[\.\.\., {length}, {letters}\]"):
        network_of(architecture)(jnp.zeros(wrong))


def test_dropout_keeps_the_mean_of_the_logits():
    architecture = MLPArchitecture(length=5, hidden=(50,), dropout=0.3)
    network, x = network_of(architecture), one_hots(architecture, 1)[0]
    network.train()
    draws = jax.jit(jax.vmap(lambda key: network(x, rngs=key)))(jax.random.split(jax.random.key(2), 4000))
    plain = network.head(network.features(x))
    assert np.all(np.abs(draws.mean(0) - plain) < 5 * draws.std(0) / np.sqrt(4000))
    assert np.all(draws.std(0) > 0)
