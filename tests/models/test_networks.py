import dataclasses
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from jaxmaxent.ensembles import PROTEIN
from jaxmaxent.models import (
    ConvArchitecture,
    Features,
    MLPArchitecture,
    architecture_from_dict,
    parameters,
    representation,
    with_parameters,
)
from jaxmaxent.models._networks import windows_product

SMALL = [
    ConvArchitecture(length=12, filters=3, kernel_width=5, hidden=(7, 6), units=3),
    ConvArchitecture(length=9, filters=4, kernel_width=9, hidden=()),
    MLPArchitecture(length=5, hidden=(8,), dropout=0.25, alphabet=PROTEIN),
]


def one_hots(architecture, count, seed=0):
    letters = len(architecture.alphabet)
    tokens = jax.random.randint(jax.random.key(seed), (count, architecture.length), 0, letters)
    return architecture.alphabet.one_hot(tokens)


def network_of(architecture, seed=0):
    """A network with weights from NumPy, which has nothing to compile."""
    template = parameters(nnx.eval_shape(lambda: architecture.build(nnx.Rngs(0))))
    rng = np.random.default_rng(seed)
    values = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(scale=0.3, size=leaf.shape), leaf.dtype), template)
    return with_parameters(architecture, values)


def test_published_network_has_the_published_shapes():
    network = ConvArchitecture().build(nnx.Rngs(0))
    shapes = jax.tree.map(jnp.shape, parameters(network))
    assert shapes == {
        "conv": {"bias": (64,), "kernel": (24, 4, 64)},
        "dense": {0: {"bias": (100,), "kernel": (78 * 64, 100)}},
        "head": {"bias": (2,), "kernel": (100, 2)},
    }
    assert isinstance(network.head, nnx.Linear)


@pytest.mark.parametrize("architecture", SMALL)
def test_dictionary_survives_json(architecture):
    assert architecture_from_dict(json.loads(json.dumps(architecture.to_dict()))) == architecture


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "transformer"}, r"name must be one of \['conv', 'mlp'\], got 'transformer'"),
        ({"name": ["mlp"]}, r"name must be one of \['conv', 'mlp'\], got \['mlp'\]"),
        ({"width": 3}, "architecture 'mlp' must have the fields"),
        ({"alphabet": "ACGT"}, "alphabet of architecture 'mlp' must be an object"),
        ({"alphabet": {"letters": "ACGT"}}, "alphabet must have the fields"),
        (
            {"alphabet": {"letters": 5, "any_letter": "N", "complements": None}},
            "letters of the alphabet must be text",
        ),
        ({"length": "2"}, "length must be a whole number"),
    ],
)
def test_wrong_dictionaries(change, message):
    with pytest.raises(ValueError, match=message):
        architecture_from_dict({**MLPArchitecture().to_dict(), **change})


def test_dictionary_that_is_none():
    with pytest.raises(ValueError, match="an architecture must be an object with a name, got None"):
        architecture_from_dict(None)


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


def test_matrix_product_over_windows_is_the_convolution():
    architecture = SMALL[0]
    network, x = network_of(architecture), one_hots(architecture, 6)
    params = parameters(network)

    def loss(params, training):
        return jnp.sum(jnp.square(with_parameters(architecture, params, training=training).features(x)))

    compiled = jax.jit(jax.value_and_grad(loss), static_argnums=1)
    slow, fast = (compiled(params, training) for training in (False, True))
    chex.assert_trees_all_close(slow, fast, rtol=2e-5, atol=1e-5)
    kernel = params["conv"]["kernel"]
    reference = lax.conv_general_dilated(x, kernel, (1,), "VALID", dimension_numbers=("NHC", "HIO", "NHC"))
    np.testing.assert_allclose(windows_product(x, kernel), reference, atol=1e-6)


@pytest.mark.parametrize("architecture", SMALL)
def test_leading_axes(architecture):
    network, x = network_of(architecture), one_hots(architecture, 6)
    alone = jnp.stack([network(row) for row in x])
    np.testing.assert_allclose(network(x), alone, atol=1e-6)
    np.testing.assert_allclose(network(x.reshape(2, 3, *x.shape[1:])), alone.reshape(2, 3, -1), atol=1e-6)


@pytest.mark.parametrize("architecture", SMALL)
@pytest.mark.parametrize("shape", [(1, -1), (0, 1), (4,)])
def test_wrong_input_shape(architecture, shape):
    length, letters = architecture.length, len(architecture.alphabet)
    wrong = shape if len(shape) == 1 else (3, length + shape[0], letters + shape[1])
    with pytest.raises(ValueError, match=rf"one_hot must have shape \[\.\.\., {length}, {letters}\]"):
        network_of(architecture)(jnp.zeros(wrong))


def test_dropout_only_in_training_mode():
    architecture = MLPArchitecture(length=5, hidden=(400,), dropout=0.5)
    network, x = network_of(architecture), one_hots(architecture, 3)
    plain = network(x)
    network.train()
    key = jax.random.key(1)
    noisy = network(x, rngs=key)
    assert not np.allclose(noisy, plain, atol=1e-3)
    np.testing.assert_array_equal(noisy, network(x, rngs=key))
    np.testing.assert_array_equal(network.features(x), with_parameters(architecture, parameters(network)).features(x))
    network.eval()
    np.testing.assert_array_equal(network(x), plain)


def test_dropout_keeps_the_mean_of_the_logits():
    architecture = MLPArchitecture(length=5, hidden=(50,), dropout=0.3)
    network, x = network_of(architecture), one_hots(architecture, 1)[0]
    network.train()
    draws = jax.jit(jax.vmap(lambda key: network(x, rngs=key)))(jax.random.split(jax.random.key(2), 4000))
    plain = network.head(network.features(x))
    assert np.all(np.abs(draws.mean(0) - plain) < 5 * draws.std(0) / np.sqrt(4000))
    assert np.all(draws.std(0) > 0)


@pytest.mark.parametrize("architecture", SMALL)
def test_representation_is_the_network(architecture):
    network, x = network_of(architecture), one_hots(architecture, 6)
    features, params, head, _ = representation(network)
    np.testing.assert_allclose(jax.vmap(features, (None, 0))(params, x), network.features(x), atol=1e-6)
    np.testing.assert_allclose(jax.jit(features)(params, x[0]), network.features(x[0]), atol=1e-6)
    assert head.shape == (network.features(x).shape[-1], architecture.units)
    np.testing.assert_allclose(network.features(x) @ head + network.head.bias.get_value()[None], network(x), atol=1e-6)
    gradient = jax.jit(jax.grad(lambda p: features(p, x[0]).sum()))(params)
    chex.assert_trees_all_equal_shapes_and_dtypes(gradient, params)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(params))


def test_representation_does_not_drop_in_training_mode():
    network, x = network_of(SMALL[2]), one_hots(SMALL[2], 1)[0]
    expected = network.features(x)
    network.train()
    features, params, *_ = representation(network)
    np.testing.assert_array_equal(features(params, x), expected)


def test_features_compare_by_architecture():
    first, second = (representation(network_of(ConvArchitecture(), seed)) for seed in (0, 1))
    assert first.features == second.features
    assert hash(first.features) == hash(second.features)
    assert first.features != Features(ConvArchitecture(hidden=(99,)))
    assert first.features != Features(MLPArchitecture())


def test_a_second_checkpoint_does_not_trace_again():
    chex.clear_trace_counter()

    @chex.assert_max_traces(n=1)
    def energy(features, params, x):
        return jnp.sum(features(params, x))

    compiled = jax.jit(energy, static_argnums=0)
    x = one_hots(SMALL[0], 1)[0]
    values = []
    for seed in (0, 1):
        features, params, *_ = representation(network_of(dataclasses.replace(SMALL[0]), seed))
        values.append(float(compiled(features, params, x)))
    assert values[0] != values[1]
