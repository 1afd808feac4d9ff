import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import SMALL, network_of, one_hots

from jaxmaxent.models import (
    ConvArchitecture,
    Features,
    MLPArchitecture,
    representation,
)


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
