"""Adapted networks where they are used: evaluated by windows, sampled, at the length that they were adapted for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from models.adapters import networks as small

import jaxmaxent as jme
from jaxmaxent import models
from jaxmaxent.evaluate import IncrementalEvaluator
from jaxmaxent.testing import check_evaluator, distribution, enumerate_states

ANCHOR = "GATC"


class Tiny(nnx.Module):
    """Two convolutions with batch norm and dropout between them, and two outputs."""

    def __init__(self):
        rngs = nnx.Rngs(1)
        self.first, self.norm = nnx.Conv(4, 6, (3,), rngs=rngs), nnx.BatchNorm(6, rngs=rngs)
        self.dropout, self.second = nnx.Dropout(0.5, rngs=rngs), nnx.Conv(6, 3, (2,), rngs=rngs)
        self.dense = nnx.Linear(3 * len(ANCHOR), 2, rngs=rngs)

    def __call__(self, x):
        x = self.dropout(nnx.relu(self.norm(self.first(x))))
        x = nnx.gelu(self.second(x))
        return nnx.sigmoid(self.dense(x.reshape(x.shape[0], -1))), x.mean((1, 2))


@pytest.fixture(scope="module")
def network():
    return models.from_nnx(Tiny(), len(ANCHOR), output=0, layout="NLC")  # four positions look like letters


def test_windows_give_the_energies_of_full_evaluation_and_are_restored_on_reject(network):
    check_evaluator(IncrementalEvaluator, jme.Ensemble.create(network, ANCHOR, beta=2.0, unit=(1, 0)))


@pytest.mark.slow
def test_a_run_agrees_with_energies_that_the_framework_computes(network):
    """The oracle has the features from the module itself, and all 256 sequences."""
    module = Tiny()
    module.eval()
    ensemble = jme.Ensemble.create(network, ANCHOR, beta=6.0, unit=1)
    states = enumerate_states(ensemble)
    x = jnp.asarray(np.eye(4, dtype=np.float32)[states])
    features = np.asarray(nnx.gelu(module.second(nnx.relu(module.norm(module.first(x))))), float).reshape(len(x), -1)
    anchor = int(np.flatnonzero((states == jme.DNA.encode(ANCHOR)).all(1))[0])
    weights = np.asarray(module.dense.kernel[...], float)[:, 1]
    energies = np.linalg.norm((features - features[anchor]) * weights, axis=1)
    log_weights = -6.0 * energies
    p = np.exp(log_weights - np.logaddexp.reduce(log_weights))
    np.testing.assert_allclose(distribution(ensemble), p, atol=1e-5)
    run = jme.sample(jax.random.key(0), ensemble, ladder=None, chains=64, steps=2000, burn_in=400, progress=False,
                     evaluation="incremental")  # fmt: skip
    exact = np.einsum("s,spl->pl", p, np.eye(4)[states])
    assert run.frequency_ess.min() > 400
    assert (run.frequency_errors[0, -1] < 0.006).all()  # so that an error of 0.02 in a frequency would be seen
    assert (np.abs(run.frequencies[0, -1] - exact) < 5 * run.frequency_errors[0, -1]).all()
    assert abs(run.energy[0, -1] - p @ energies) < 5 * run.energy_error[0, -1]


def test_another_length_is_refused(network):
    with pytest.raises(ValueError, match=r"adapted for sequences of shape \[4, 4\], got \[5, 4\]; adapt it again"):
        jme.Ensemble.create(network, "GATCA", beta=1.0, unit=0)


def test_another_program_at_the_same_place_is_refused():
    """A network whose operations depend on something outside would give the features of another layer."""
    further = []

    def changing(x):
        x = jnp.tanh(x.reshape(x.shape[0], -1) @ jnp.ones((small.LENGTH * 4, 3)))
        return jnp.tanh(x) @ jnp.eye(3) if further else x @ jnp.eye(3)

    found = models.from_function(changing, small.LENGTH, layout="NLC")
    row = jnp.asarray(small.one_hots()[0])
    found.features(found.params, row)
    further.append(True)
    with pytest.raises(ValueError, match="must run the same operations .* adapt it again"):
        found.features(found.params, row)


def test_features_in_double_precision_are_those_of_single(network):
    row = np.eye(4)[[0, 1, 2, 3]]
    single = np.asarray(network.features(network.params, jnp.asarray(row, jnp.float32)))
    with jax.enable_x64(True):
        params = jax.tree.map(lambda a: jnp.asarray(a, float) if a.dtype == np.float32 else a, network.params)
        double = network.features(params, jnp.asarray(row))
    np.testing.assert_allclose(double, single, rtol=1e-4, atol=1e-5)
