import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from motif_tables import motif_data, quick

from jaxmaxent.models import MLPArchitecture, parameters, predict
from jaxmaxent.models._epoch import hyper_parameters, one_epoch, weighted_loss


def test_second_training_compiles_nothing():
    one_epoch.clear_cache()
    for seed in (0, 1):
        quick(seed, epochs=2 + seed, learning_rate=1e-3 * (1 + seed), weight_decay=seed)
    assert one_epoch._cache_size() == 1


def test_learning_rate_rises_and_decays():
    rates = hyper_parameters(0.5, 0.0, 4, 25).rates
    assert rates.shape == (4, 25)
    rates = rates.ravel()
    np.testing.assert_allclose(rates[:5], 0.5 * np.arange(1, 6) / 5, rtol=1e-6)
    np.testing.assert_allclose(rates[4:], 0.25 * (1 + np.cos(np.pi * np.arange(96) / 96)), atol=1e-6)
    assert rates[-1] > 0
    np.testing.assert_array_equal(hyper_parameters(0.5, 0.0, 1, 1).rates, [[0.5]])


def test_loss_is_the_weighted_cross_entropy():
    architecture = MLPArchitecture(length=12, hidden=(5,))
    network = architecture.build(nnx.Rngs(0))
    tokens, labels = motif_data(50, seed=3)
    weights = np.array([0.5, 2.0])
    probability = predict(network, tokens)[np.arange(50), labels]
    loss = weighted_loss(
        parameters(network),
        architecture,
        jnp.asarray(tokens),
        jnp.asarray(labels),
        jnp.asarray(weights),
        jax.random.key(0),
    )
    assert float(loss) == pytest.approx(-np.mean(weights[labels] * np.log(probability)), rel=1e-5)
