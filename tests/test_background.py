import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import exact
from jaxmaxent import background
from problems import PROBLEMS


def at_zero_beta(problem):
    network_free = exact.log_weights(
        problem.states, lambda x: 0.0, 0.0, list(zip(problem.mus, problem.counts, strict=True))
    )
    return network_free, exact.distribution(network_free, problem.allowed)


@pytest.mark.parametrize("name", PROBLEMS)
def test_partition_function_and_means_are_exact(name, x64):
    problem = PROBLEMS[name]
    log_weights, p = at_zero_beta(problem)
    ensemble = problem.ensemble()
    log_z = background.log_partition(ensemble)
    assert log_z == pytest.approx(exact.log_partition(log_weights, problem.allowed), abs=1e-10)
    means = [exact.mean_and_variance(p, count(problem.states))[0] for count in problem.counts]
    np.testing.assert_allclose(background.mean_counts(ensemble), means, atol=1e-10)


@pytest.mark.parametrize("name", PROBLEMS)
def test_draws_follow_the_exact_distribution(name):
    problem = PROBLEMS[name]
    _, p = at_zero_beta(problem)
    count = 20_000
    draws = np.asarray(background.draw(jax.random.key(11), problem.ensemble(), count))
    seen = np.bincount(exact.index_of(draws, problem.letters), minlength=len(p))
    assert (seen[p == 0] == 0).all()
    likely = p * count >= 5
    expected = np.append(p[likely] * count, p[~likely].sum() * count)
    observed = np.append(seen[likely], seen[~likely].sum())
    keep = expected > 0
    # One of these tests in 10,000 would fail by chance.
    assert stats.chisquare(observed[keep], expected[keep]).pvalue > 1e-4


def test_draws_of_a_chain_do_not_depend_on_how_many_there_are():
    ensemble = PROBLEMS["dna-fields"].ensemble()
    few = background.draw(jax.random.key(0), ensemble, 3)
    many = background.draw(jax.random.key(0), ensemble, 50)
    np.testing.assert_array_equal(few, many[:3])
    assert few.dtype == jnp.int32
