"""The kernel against its exact transition matrix, element by element."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import exact
from jaxmaxent.evaluate import FullEvaluator
from jaxmaxent.kernels import Metropolis, Site
from jaxmaxent.kernels.site import BINARY_LAZINESS
from problems import PROBLEMS, Problem

RULES = {"site": Site()}
EVALUATORS = {"full": FullEvaluator}
LAZINESS = {2: BINARY_LAZINESS}


@dataclasses.dataclass(frozen=True)
class Forced:
    """A rule whose proposal is a given letter, to ask a kernel for its acceptance probability."""

    letter: jax.Array
    width: int = 1

    def what(self, key, current, ensemble):
        return jnp.broadcast_to(self.letter, (1,)).astype(current.dtype), jnp.zeros((), ensemble.beta.dtype)


def log_ratio(ensemble, evaluator, tokens, start, letter):
    kernel = Metropolis(ensemble, evaluator(ensemble), Forced(letter))
    return kernel.move(jax.random.key(0), kernel.init(tokens), start)[1].log_ratio


def matrix_of_the_kernel(problem, evaluator):
    """P[x, y], from the kernel's own acceptance ratios and its rule's proposal probabilities."""
    ensemble = problem.ensemble()
    ask = functools.partial(log_ratio, ensemble, evaluator)
    letters = jnp.arange(problem.letters)
    movable = np.asarray(ensemble.movable)
    over_letters = jax.vmap(ask, (None, None, 0))
    over_all = jax.jit(jax.vmap(jax.vmap(over_letters, (None, 0, None)), (0, None, None)))
    accept = np.minimum(1, np.exp(np.asarray(over_all(problem.states, jnp.asarray(movable), letters))))
    lazy = LAZINESS.get(problem.letters, 0.0)
    matrix = np.zeros((len(problem.states),) * 2)
    for s, tokens in enumerate(problem.states):
        for i, position in enumerate(movable):
            for letter in set(range(problem.letters)) - {tokens[position]}:
                target = tokens.copy()
                target[position] = letter
                proposal = (1 - lazy) / len(movable) / (problem.letters - 1)
                matrix[s, exact.index_of(target, problem.letters)] += proposal * accept[s, i, letter]
        matrix[s, s] = 1 - matrix[s].sum()
    return matrix


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_transition_matrix_is_exact(name, evaluator, x64):
    problem = PROBLEMS[name]
    matrix = matrix_of_the_kernel(problem, EVALUATORS[evaluator])
    lazy = LAZINESS.get(problem.letters, 0.0)
    log_weights = problem.log_weights()
    expected = exact.metropolis_matrix(log_weights, problem.states, problem.letters, problem.movable, lazy)
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-10)
    p = problem.distribution()
    inside = problem.allowed
    exact.assert_stationary(matrix[np.ix_(inside, inside)], p[inside])
    exact.assert_detailed_balance(matrix[np.ix_(inside, inside)], p[inside])
    assert exact.spectral_gap(matrix, p) > 1e-3


@pytest.mark.parametrize("letters", [2, 3, 4])
def test_site_proposes_every_movable_position_and_every_other_letter_alike(letters):
    problem = Problem(letters=letters, length=5, fixed=(2,))
    ensemble = problem.ensemble()
    keys = jax.random.split(jax.random.key(3), 24_000)
    where = np.asarray(jax.vmap(lambda key: Site().where(key, ensemble))(keys))
    at = np.bincount(where, minlength=5)
    assert at[2] == 0
    assert stats.chisquare(np.delete(at, 2)).pvalue > 1e-4
    for current in range(letters):
        what = jax.vmap(lambda key, now=current: Site().what(key, jnp.array([now]), ensemble)[0][0])(keys)
        seen = np.bincount(np.asarray(what), minlength=letters)
        stay = LAZINESS.get(letters, 0.0)
        expected = np.full(letters, (1 - stay) / (letters - 1) * len(keys))
        expected[current] = stay * len(keys)
        assert (seen[expected == 0] == 0).all()
        assert stats.chisquare(seen[expected > 0], expected[expected > 0]).pvalue > 1e-4


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_step_accepts_as_often_as_its_ratio_says_and_restores_on_reject(evaluator):
    problem = Problem(length=4, beta=4.0, mus=(0.5,))
    ensemble = problem.ensemble()
    kernel = Metropolis(ensemble, EVALUATORS[evaluator](ensemble), Site())
    state = kernel.init(jnp.asarray(problem.states[27]))
    moved, info = jax.vmap(lambda key: kernel.step(key, state))(jax.random.split(jax.random.key(5), 40_000))
    ratios = np.asarray(info.log_ratio, float)
    for ratio in np.unique(ratios):
        took = np.asarray(info.accepted)[ratios == ratio]
        probability = min(1.0, np.exp(ratio))
        assert stats.binomtest(int(took.sum()), took.size, probability).pvalue > 1e-5
    fresh = jax.vmap(kernel.init)(moved.tokens)
    for kept, recomputed in zip(jax.tree.leaves(moved), jax.tree.leaves(fresh), strict=True):
        np.testing.assert_allclose(kept, recomputed, rtol=0, atol=2e-6)
    rejected = ~np.asarray(info.accepted)
    assert rejected.any()
    assert (np.asarray(moved.tokens)[rejected] == problem.states[27]).all()


def test_a_ratio_of_nothing_is_never_accepted():
    """log U is never −∞, so a proposal of weight 0 stays out; a uniform float that can be 0 would let it in."""
    problem = Problem(length=3, beta=1e30)
    ensemble = problem.ensemble()
    kernel = Metropolis(ensemble, FullEvaluator(ensemble), Site())
    state = kernel.init(ensemble.anchor)
    _, info = jax.vmap(lambda key: kernel.step(key, state))(jax.random.split(jax.random.key(0), 100_000))
    assert not info.accepted.any()


def test_correction_of_a_rule_enters_the_ratio(x64):
    """The one rule so far is symmetric; a kernel that forgot log q(current | new) − log q(new | current) would pass."""

    class Corrected(Forced):
        def what(self, key, current, ensemble):
            letters, _ = super().what(key, current, ensemble)
            return letters, jnp.full((), 0.75, ensemble.beta.dtype)

    ensemble = Problem(mus=(0.3,)).ensemble()
    plain, corrected = (
        Metropolis(ensemble, FullEvaluator(ensemble), rule(jnp.array(2))) for rule in (Forced, Corrected)
    )
    state = plain.init(jnp.array([0, 1, 3]))
    ratios = [kernel.move(jax.random.key(0), state, jnp.array(1))[1].log_ratio for kernel in (plain, corrected)]
    assert ratios[1] - ratios[0] == pytest.approx(0.75, abs=1e-12)
