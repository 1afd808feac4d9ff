import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import exact
import jaxmaxent as jme
from jaxmaxent.ensembles import _background as background
from problems import PROBLEMS, Problem


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


def masked(problem, cells):
    """The problem's ensemble with a prior that forbids some (position, letter), and which states are left."""
    table = problem.prior.copy()
    table[tuple(np.transpose(cells))] = -np.inf
    ensemble = problem.ensemble()
    fields = [*ensemble.fields[:2], jme.position_prior(table, problem.mus[2])]
    left = problem.allowed & np.isfinite(table[np.arange(problem.length), problem.states]).all(1)
    return problem.ensemble(fields=fields), left


# Position and how far after the anchor's letter: one, several at neighbouring positions, all others; beside held ones.
CELLS = {
    "dna-fields": [[(0, 2)], [(1, 1), (2, 1), (2, 3)], [(3, 1), (3, 2), (3, 3)]],
    "dna-ends-fixed": [[(1, 2)], [(1, 3), (2, 1), (2, 2)]],
}


@pytest.mark.parametrize(("name", "number"), [(name, i) for name, cells in CELLS.items() for i in range(len(cells))])
def test_forbidden_letters_are_never_drawn_and_weigh_nothing(name, number, x64):
    problem = PROBLEMS[name]
    cells = [(i, (problem.anchor[i] + after) % 4) for i, after in CELLS[name][number]]
    ensemble, left = masked(problem, cells)
    log_weights, _ = at_zero_beta(problem)
    assert background.log_partition(ensemble) == pytest.approx(exact.log_partition(log_weights, left), abs=1e-10)
    p = exact.distribution(log_weights, left)
    means = [exact.mean_and_variance(p, count(problem.states))[0] for count in problem.counts]
    np.testing.assert_allclose(background.mean_counts(ensemble), means, atol=1e-10)
    draws = np.asarray(background.draw(jax.random.key(3), ensemble, 4000))
    seen = np.bincount(exact.index_of(draws, problem.letters), minlength=len(p))
    assert (seen[~left] == 0).all()
    frequencies = exact.letter_frequencies(p, problem.states, problem.letters)
    np.testing.assert_allclose(jme.analysis.background_frequencies(ensemble)[0], frequencies, atol=1e-10)
    found = exact.one_hot(draws, problem.letters).mean(0)
    assert (np.abs(found - frequencies) <= 5 * np.sqrt(frequencies * (1 - frequencies) / 4000) + 1e-12).all()


@pytest.mark.parametrize("score", [-1e10, 1e10, -1e30])
@pytest.mark.parametrize("pairs", [False, True])
def test_a_large_score_of_a_held_letter_changes_nothing_but_log_z(score, pairs):
    """In single precision, where a sum with such a score loses all others."""
    problem = Problem(length=6, fixed=(2,), mus=(0.7, -0.5 if pairs else 0.0, 1.0), seed=3)
    table = problem.prior.copy()
    plain = problem.ensemble(fields=[*problem.ensemble().fields[: 1 + pairs], jme.position_prior(table)])
    table[2, problem.anchor[2]] = score
    large = problem.ensemble(fields=[*problem.ensemble().fields[: 1 + pairs], jme.position_prior(table)])
    draws = background.draw(jax.random.key(0), large, 200)
    np.testing.assert_array_equal(draws, background.draw(jax.random.key(0), plain, 200))
    assert (draws[:, 2] == problem.anchor[2]).all()
    for old, new in itertools.pairwise(draws[:20]):
        for one, other in zip(large.fields, plain.fields, strict=True):
            np.testing.assert_allclose(one.change(old, new), other.change(old, new), rtol=1e-5, atol=1e-6)
