"""What is said of energies that are not known well enough for their β."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.evaluate import Edit, FullEvaluator, IncrementalEvaluator, energy_noise
from jaxmaxent.evaluate import _precision as precision
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


def in_parts(matrix):
    """Return a matrix as the sum of two of 16 bits."""
    high = matrix.astype(jnp.bfloat16).astype(jnp.float32)
    return high, (matrix - high).astype(jnp.bfloat16).astype(jnp.float32)


def three_passes(a, b):
    """Return a product as a TPU makes it in three passes: all products of parts but that of the two small ones."""
    (a_high, a_low), (b_high, b_low) = in_parts(a), in_parts(b)
    return a_high @ b_high + (a_high @ b_low + a_low @ b_high)


def layers(params, one_hot):
    """Return features of two layers, with the products that a TPU makes at the precision that is asked for."""
    product = three_passes if jax.config.jax_default_matmul_precision == "high" else jnp.matmul
    return product(jnp.tanh(product(one_hot.reshape(-1), params[0])), params[1])


def layered(beta):
    rng = np.random.default_rng(5)
    weights = tuple(jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((32, 24), (24, 6)))
    anchors = np.random.default_rng(6).integers(0, 4, (2, 8))
    return jme.Ensemble.create(jme.Representation(layers, weights), anchors, beta=beta).batched()


def test_the_noise_of_products_is_that_of_numpy():
    """Against energies in double precision, with and without the rounding; float32 itself has errors of a hundredth."""
    ensemble = layered([20.0, 3.0])
    found = precision.product_noise(ensemble)
    first, second = (np.asarray(weights) for weights in ensemble.params)

    def rounded_product(a, b):
        parts = []
        for matrix in (a, b):
            high = matrix.astype(jnp.bfloat16).astype(float)
            parts.append((high, (matrix - high).astype(jnp.bfloat16).astype(float)))
        (a_high, a_low), (b_high, b_low) = parts
        return a_high @ b_high + a_high @ b_low + a_low @ b_high

    def distance(product, reference, tokens):
        hot = np.eye(4)[tokens].reshape(len(tokens), -1)
        return np.linalg.norm(product(np.tanh(product(hot, first)), second) - reference, axis=1)

    for a, beta in enumerate((20.0, 3.0)):
        anchor = np.asarray(ensemble.anchor[a])
        tokens = precision._sequences(np.asarray(ensemble.anchor), 4)[a]
        hot = np.eye(4)[anchor].reshape(-1)
        reference = np.tanh(hot @ first.astype(float)) @ second.astype(float)
        full = distance(lambda x, y: x @ y.astype(float), reference, tokens)
        change = distance(rounded_product, reference, tokens) - full
        halves = np.sqrt(np.square(change).reshape(2, -1).mean(1))
        assert found[a] == pytest.approx(beta * halves.max(), rel=0.05)


def test_noise_is_looked_for_at_the_anchor_near_it_and_far_away():
    anchors = np.random.default_rng(0).integers(0, 4, (2, 30))
    tokens = precision._sequences(anchors, 4)
    assert tokens.shape == (2, 32, 30)
    changes = (tokens != anchors[:, None]).sum(-1)
    assert (changes[:, 0] == 0).all()
    assert changes[:, :16].max() <= 8
    assert changes[:, 16:].min() > 8
    np.testing.assert_array_equal(tokens, precision._sequences(anchors, 4))


@pytest.mark.parametrize("evaluator", [FullEvaluator, IncrementalEvaluator])
def test_both_ways_of_evaluation_take_the_precision(evaluator):
    ensemble = batch(toy_features).take(0)
    for one, word in ((ensemble, "HIGHEST"), (precision.rounded(ensemble), "HIGH")):
        ready = evaluator(one)
        _, cache = ready.init(one.anchor)
        program = jax.make_jaxpr(ready.propose)(cache, Edit(jnp.array([2]), jnp.array([[1]])))
        found = precisions(program.jaxpr)
        assert word in found
        assert found <= {word, "HIGHEST"}  # the metric keeps full precision


def precisions(jaxpr):
    found = set()
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            own = equation.params["precision"]
            found |= {getattr(one, "name", str(one)) for one in (own if isinstance(own, tuple) else (own,))}
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                found |= precisions(inner)
    return found
