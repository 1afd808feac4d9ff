"""Swaps of neighbouring rungs against exact enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import exact
import jaxmaxent as jme
from jaxmaxent.sampling.device import _swaps as swaps
from jaxmaxent.sampling.device._swaps import log_ratios, probabilities, thresholds
from problems import PROBLEMS, Problem
from rungs import check_rungs

OTHERS = ("dna-fixed", "binary", "zero-beta")  # each compiles a program of its own


def test_swaps_leave_every_rung_invariant(x64):
    """Check for all pairs of states at two rungs that the flow of a swap equals that of its reverse, to 1e-10."""
    problem = Problem(length=3, mus=(0.4,))
    betas = jnp.array([0.7, 2.5])
    p = [exact.distribution(problem.log_weights() - (float(b) - problem.beta) * problem.energies) for b in betas]
    low, high = np.meshgrid(problem.energies, problem.energies, indexing="ij")
    pairs = jnp.asarray(np.stack([low.ravel(), high.ravel()], -1))
    accept = jax.vmap(lambda e: probabilities(log_ratios(betas, e))[0])(pairs)
    accept = np.asarray(accept).reshape(low.shape)
    expected = np.minimum(1, np.exp((2.5 - 0.7) * (high - low)))
    np.testing.assert_allclose(accept, expected, rtol=0, atol=1e-12)
    flow = p[0][:, None] * p[1][None, :] * accept
    np.testing.assert_allclose(flow, flow.T, rtol=0, atol=1e-10)


def test_swaps_are_made_as_often_as_their_probability_and_only_in_their_turn():
    betas, energies = jnp.array([0.0, 1.0, 2.0, 4.0, 5.0]), jnp.array([1.0, 0.6, 0.9, 0.3, 0.1])
    numbers = jax.random.uniform(jax.random.key(1), (20_000, 4))
    log_ratio = log_ratios(betas, energies)
    for even in (True, False):
        made = np.asarray(jax.vmap(lambda row, e=even: thresholds(row, jnp.asarray(e)) < log_ratio)(numbers))
        assert not np.asarray(thresholds(numbers[0], jnp.asarray(even), jnp.asarray(False)) < log_ratio).any()
        for k in range(4):
            if (k % 2 == 0) != even:
                assert not made[:, k].any()
                continue
            expected = min(1.0, float(np.exp((betas[k + 1] - betas[k]) * (energies[k + 1] - energies[k]))))
            assert float(probabilities(log_ratio)[k]) == pytest.approx(expected, rel=1e-6)
            assert stats.binomtest(int(made[:, k].sum()), len(made), expected).pvalue > 1e-5


def test_entries_are_picked_alike_on_every_platform():
    values, index = jax.random.normal(jax.random.key(2), (7, 3)), jnp.array([6, 0, 3, 3])
    for way in (swaps._by_comparison, swaps._gathered, swaps.picked):
        np.testing.assert_array_equal(way(values, index), np.asarray(values)[np.asarray(index)])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("dna-fields", marks=pytest.mark.slow),
        *(pytest.param(name, marks=pytest.mark.exhaustive) for name in OTHERS),
    ],
)
def test_every_rung_agrees_with_enumeration_within_its_own_errors(name):
    problem = PROBLEMS[name]
    settings = {"ladder": 4, "reference_rungs": 0, "chains": 32, "steps": 4000, "anchor_chains": 2, "progress": False}
    run = jme.sample(jax.random.key(0), problem.ensemble(), **settings)
    check_rungs(problem, run)
    assert run.beta[0, 0] == 0
    assert run.log_z_error[0, 0] == 0
    if not problem.counts:
        assert run.log_z[0, 0] == pytest.approx(len(problem.movable) * np.log(problem.letters), rel=1e-14)
    assert np.isnan(run.acceptance[0, 0])
    # Sequences that arrived in the burn-in may return after it, at most all that there are.
    assert 0 < run.round_trips[0] <= run.arrivals[0] + 32 * (run.last.shape[1] - 1)


def test_reported_swap_acceptance_is_the_exact_one():
    """Check that they are those of independent sequences, not of a draw at β = 0 and the same draw one rung above."""
    problem = Problem(length=4, mus=(0.4,))
    betas = np.array([0.0, 3.0, 6.0, 9.0])
    p = [exact.distribution(problem.log_weights() + (problem.beta - b) * problem.energies) for b in betas]
    rises = problem.energies[None, :] - problem.energies[:, None]
    expected = [a @ np.minimum(1, np.exp(3.0 * rises)) @ b for a, b in itertools.pairwise(p)]
    run = jme.sample(
        jax.random.key(0), problem.ensemble(beta=9.0), ladder=betas, chains=32, anchor_chains=0, steps=4000,
        burn_in=400, thin=1, progress=False,
    )  # fmt: skip
    assert max(expected) < 0.9
    np.testing.assert_allclose(run.swap_acceptance[0], expected, atol=0.006)  # two seeds differ by 0.002


@pytest.mark.parametrize("replicas", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_rungs_at_beta_0_swap_always_and_carry_sequences_up_and_down(replicas):
    problem = Problem(length=4, beta=0.0)
    settings = {"ladder": 4, "chains": 4, "steps": 800, "burn_in": 0, "thin": 2, "anchor_chains": 0}
    run = jme.sample(jax.random.key(0), problem.ensemble(), target_replicas=replicas, progress=False, **settings)
    np.testing.assert_allclose(run.swap_acceptance, 1, rtol=1e-6)
    # Of 400 swaps every other one takes in a sequence, which has come to the target two swaps later.
    assert run.arrivals[0] == 4 * 199
    if replicas == 1:  # it stays there for one and leaves after three more; so did one of those that began there
        assert run.round_trips[0] == 4 * 198
    else:  # any that is there can leave instead of it, and the first to do so need not have come by a swap
        assert 4 * (198 - replicas) <= run.round_trips[0] < 4 * 198


@pytest.mark.exhaustive
def test_what_is_said_of_letters_never_seen_holds():
    """Check in 48 short runs at a β where many letters are rare that letters never seen are as rare as their errors."""
    problem = Problem(length=5, beta=40.0, seed=1)
    betas = problem.beta * np.linspace(0, 1, 6) ** 1.5
    p = [exact.distribution(problem.log_weights() + (problem.beta - b) * problem.energies) for b in betas]
    truth = np.array([exact.letter_frequencies(one, problem.states, 4) for one in p])
    ensemble = problem.ensemble(anchor=np.tile(problem.anchor, (24, 1)))
    settings = {"ladder": betas, "anchor_chains": 0, "steps": 1500, "burn_in": 500, "progress": False}
    runs = [jme.sample(jax.random.key(seed), ensemble, **settings) for seed in range(2)]
    never = np.concatenate([run.frequencies == 0 for run in runs])
    errors, sizes = (np.concatenate([getattr(run, n) for run in runs]) for n in ("frequency_errors", "frequency_ess"))
    arrivals = np.concatenate([run.arrivals for run in runs])
    z = (np.broadcast_to(truth, never.shape) / errors)[never]
    assert z.size > 300
    assert (z > 2).mean() < 0.05
    # And the sizes are larger than the number of sequences that came all the way.
    assert np.median(sizes[never]) > 2 * np.median(arrivals)
