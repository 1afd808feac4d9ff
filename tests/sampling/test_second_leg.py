"""Runs with a second leg against enumeration, at the target and from either end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.sampling.device._swaps import log_ratios, probabilities
from problems import PROBLEMS, Problem
from rungs import check_rungs

OTHERS = ("dna-fixed", "binary", "zero-beta")


def test_swaps_on_the_second_leg_leave_both_rungs_invariant(x64):
    """Check for all pairs of states at two rungs with another β and another μ that flows there and back are equal."""
    problem = Problem(length=3, mus=(0.4,))
    counts, betas, mus = problem.counts[0](problem.states), jnp.array([2.5, 1.0]), (0.4, -1.3)
    p = [exact.distribution(-float(beta) * problem.energies + mu * counts) for beta, mu in zip(betas, mus, strict=True)]
    (low, high), (n, m) = (np.meshgrid(values, values, indexing="ij") for values in (problem.energies, counts))
    pairs = jnp.asarray(np.stack([low.ravel(), high.ravel()], -1))
    more = jnp.asarray(-(mus[1] - mus[0]) * (m - n).ravel())
    accept = jax.vmap(lambda e, x: probabilities(log_ratios(betas, e, x[None]))[0])(pairs, more)
    flow = p[0][:, None] * p[1][None, :] * np.asarray(accept).reshape(low.shape)
    np.testing.assert_allclose(flow, flow.T, rtol=0, atol=1e-10)
    assert accept.min() < 0.1


@pytest.mark.parametrize(
    ("name", "beyond", "replicas"),
    [
        ("dna-fields", 3, 4),
        *(pytest.param("dna-fields", b, r, marks=pytest.mark.exhaustive) for b, r in [(1, 1), (2, 3), (6, 8)]),
        *(pytest.param(name, 3, 4, marks=pytest.mark.exhaustive) for name in OTHERS),
    ],
)
def test_the_target_and_both_ends_agree_with_enumeration(name, beyond, replicas):
    problem = PROBLEMS[name]
    run = jme.sample(
        jax.random.key(0), problem.ensemble(), ladder=4, reference_rungs=beyond, target_replicas=replicas, chains=32,
        steps=4000, progress=False,
    )  # fmt: skip
    check_rungs(problem, run)
    # The reference is a product, so log Z at the far end is exact; it is carried to the target by every rung between.
    assert 0 < run.leg_difference_error[0] < 0.05
    log_z = exact.log_partition(problem.log_weights(), problem.allowed)
    assert np.abs(run.leg_log_z[0] - log_z).max() < 5 * run.leg_difference_error[0]
    np.testing.assert_allclose(run.reference[0].sum(-1), 1)
    assert (np.diff(run.reference_share[0], prepend=0) > 0).all()
    assert run.reference_share[0, -1] == 1
    assert run.reference_arrivals[0] > 0
    assert run.last.shape[1] == 4 + beyond + replicas - 1
    assert run.barriers.shape == (1, 2)


@pytest.mark.slow
def test_reported_swap_acceptance_of_the_second_leg_is_the_exact_one():
    """Check both parities of the last pair: only before a draw is taken in are both sides independent."""
    problem = Problem(length=4, mus=(0.4,))
    for beyond in (1, 2):
        run = jme.sample(
            jax.random.key(0), problem.ensemble(beta=4.0), ladder=3, reference_rungs=beyond, chains=32, steps=4000,
            target_replicas=1, thin=1, progress=False,
        )  # fmt: skip
        log_q = np.log(run.reference[0])[np.arange(4), problem.states].sum(1)
        target = problem.log_weights() + (problem.beta - 4.0) * problem.energies
        logs = [(1 - a) * target + a * log_q for a in (0.0, *run.reference_share[0])]
        p = [exact.distribution(one) for one in logs]
        for k, found in enumerate(run.reference_swap_acceptance[0]):
            gain = logs[k][None, :] - logs[k][:, None] + logs[k + 1][:, None] - logs[k + 1][None, :]
            assert found == pytest.approx(p[k] @ np.minimum(1, np.exp(gain)) @ p[k + 1], abs=0.01)


@pytest.mark.slow
def test_a_run_goes_on_with_its_reference():
    problem = Problem(length=4, mus=(0.4,))
    settings = {"ladder": 3, "reference_rungs": 2, "chains": 4, "target_replicas": 2, "steps": 100, "progress": False}
    first = jme.sample(jax.random.key(0), problem.ensemble(), **settings)
    on = jme.sample(jax.random.key(0), problem.ensemble(), start=first, chains=4, steps=100, progress=False)
    np.testing.assert_array_equal(on.reference_share, first.reference_share)
    assert on.last.shape == first.last.shape
    with pytest.raises(ValueError, match="reference_rungs must be those of the run that goes on, 2, got 3"):
        jme.sample(jax.random.key(0), problem.ensemble(), start=first, reference_rungs=3, chains=4, progress=False)


@pytest.mark.parametrize(
    "settings",
    [
        {"ladder": [0.0, 2.0]},
        *(pytest.param(s, marks=pytest.mark.slow) for s in ({"anchor_chains": 0}, {"ladder": None})),
    ],
)
def test_a_reference_needs_chains_that_teach_it_and_a_ladder_to_place(settings):
    ensemble = Problem(length=4).ensemble()
    with pytest.raises(ValueError, match="reference_rungs must be 0 without anchor-start chains.*, got 2"):
        jme.sample(jax.random.key(0), ensemble, reference_rungs=2, progress=False, **settings)
    run = jme.sample(jax.random.key(0), ensemble, chains=2, steps=10, progress=False, **settings)
    assert run.reference_share.shape == (1, 0)
    assert np.isnan(run.reference).all()
    assert np.isnan(run.leg_log_z[0, 1])
