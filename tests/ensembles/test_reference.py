"""The reference: a product of learned letter frequencies that covers its ensemble."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.ensembles._reference import learned_reference, marginals, with_reference
from problems import PROBLEMS


@pytest.mark.parametrize("name", ["dna-fields", "dna-fixed", "binary"])
def test_the_letters_of_the_background_are_those_of_enumeration(name):
    problem = PROBLEMS[name]
    p = exact.distribution(problem.log_weights() + problem.beta * problem.energies, problem.allowed)
    expected = exact.letter_frequencies(p, problem.states, problem.letters)
    found = marginals(problem.ensemble().batched())[0]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_a_reference_is_normalized_and_has_the_letters_of_the_ensemble_and_no_others():
    of_background = np.array([[[0.25] * 4, [0, 0, 1, 0], [0.5, 0.5, 0, 0]]])
    counts = np.array([[[9.0, 0, 0, 1], [0, 0, 10, 0], [10, 0, 0, 0]]])
    q = np.exp(learned_reference(counts, of_background))
    np.testing.assert_allclose(q.sum(-1), 1)
    np.testing.assert_array_equal(q > 0, of_background > 0)
    np.testing.assert_allclose(q[0, 0], [0.8 * 0.9 + 0.05, 0.05, 0.05, 0.8 * 0.1 + 0.05])


def test_without_counts_the_reference_is_the_background():
    of_background = np.array([[[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 0]]])
    q = np.exp(learned_reference(np.zeros_like(of_background), of_background))
    np.testing.assert_allclose(q, of_background)


def test_log_q_is_one_more_count_and_impossible_letters_add_nothing():
    ensemble = jme.Ensemble.create(lambda one_hot: one_hot[:, 0], "ACG", beta=1.0, fields=[jme.composition("GC")])
    log_q = jnp.log(jnp.array([[0.7, 0.1, 0.1, 0.1], [0, 1, 0, 0], [0.25] * 4]))
    tokens = jnp.array([0, 1, 3])
    counts = with_reference(ensemble, log_q).counts(tokens)
    np.testing.assert_allclose(counts, [1, np.log(0.7) + np.log(0.25)], rtol=1e-6)
    assert np.isfinite(jax.vmap(with_reference(ensemble, log_q).counts)(jnp.arange(4)[:, None].repeat(3, 1))).all()
