"""What is said of energies that are not known well enough for their β."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.evaluate import energy_noise
from problems import Problem, toy_features

PROBLEM = Problem(length=8, beta=50.0)


def half_precision(params, one_hot):
    return toy_features(params, one_hot).astype(jnp.bfloat16)


def batch(features, beta=50.0):
    weights = exact.toy_weights(0, 8, 4)
    network = jme.Representation(features, weights)
    return jme.Ensemble.create(network, PROBLEM.anchor, beta=beta, weights=PROBLEM.w).batched()


def energies(ensemble, tokens):
    return jax.vmap(ensemble.take(0).energy)(tokens)[None]


def test_noise_of_energies_that_agree_is_small_and_grows_with_beta():
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, 4, (32, 8)))
    ensemble = batch(toy_features)
    noise = energy_noise(ensemble, tokens[None], energies(ensemble, tokens))
    assert noise.shape == (1,)
    assert 0 <= noise[0] < 50 * 1e-5
    off = energies(ensemble, tokens) + jnp.where(jnp.arange(32) % 2, 0.01, -0.01)[None]
    assert energy_noise(ensemble, tokens[None], off)[0] == pytest.approx(0.5, rel=1e-3)
    assert energy_noise(ensemble.with_beta(5.0), tokens[None], off)[0] == pytest.approx(0.05, rel=1e-3)


def test_rounding_of_16_bit_outputs_is_what_is_expected_of_it():
    """Against the energies of the same network without rounding, over 2,000 sequences, within a third."""
    tokens = jnp.asarray(np.random.default_rng(1).integers(0, 4, (2000, 8)))
    rounded, whole = batch(half_precision, beta=1.0), batch(toy_features, beta=1.0)
    # The anchor's own rounding is a constant of the ensemble, so both are measured from one reference.
    whole = whole.replace(reference=rounded.reference)
    real = np.std(np.asarray(energies(rounded, tokens) - energies(whole, tokens)))
    said = energy_noise(rounded, tokens[None], energies(rounded, tokens))[0]
    assert real / 1.5 < said < real * 1.5


@pytest.mark.slow
def test_a_run_with_noisy_energies_is_not_called_converged():
    settings = {"ladder": 3, "chains": 16, "steps": 4000, "progress": False}
    noisy = jme.sample(jax.random.key(0), batch(half_precision, beta=200.0), **settings)
    assert not noisy.converged[0]
    assert noisy.energy_noise[0] > 0.1
    assert "energies are noisy: β times their noise is" in noisy.outcomes[0]
