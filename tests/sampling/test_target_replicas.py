"""The replicas at the target: all of them count, and any of them is traced."""

import jax
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.kernels import Site
from problems import Problem


@pytest.mark.slow
def test_every_replica_at_the_target_counts():
    """Check a run of one draw, whose sequences are the last ones."""
    problem = Problem(length=6, beta=2.0, mus=(0.3,))
    run = jme.sample(
        jax.random.key(0), problem.ensemble(), ladder=3, reference_rungs=2, chains=4, target_replicas=5, steps=5,
        burn_in=50, anchor_chains=1, progress=False,
    )  # fmt: skip
    assert (run.target_replicas, run.last.shape, run.swap_acceptance.shape) == (5, (1, 9, 4, 6), (1, 2))
    at_target = run.last[0, [2, 5, 6, 7, 8]]  # between its slots those of the second leg
    assert len(np.unique(at_target.reshape(20, 6), axis=0)) > 10
    np.testing.assert_allclose(run.frequencies[0, 2], exact.one_hot(at_target, 4).mean((0, 1)), atol=1e-12)
    np.testing.assert_allclose(run.frequencies[0, 1], exact.one_hot(run.last[0, 1], 4).mean(0), atol=1e-12)
    energies, counts = problem.energies[exact.index_of(at_target, 4)], problem.counts[0](at_target)
    assert run.energy[0, 2] == pytest.approx(energies.mean(), rel=1e-5)
    assert run.field_mean[0, 2, 0] == pytest.approx(counts.mean(), rel=1e-5)
    assert run.field_variance[0, 2, 0] == pytest.approx(counts.var(), rel=1e-5)


@pytest.mark.slow
def test_the_trace_at_the_target_is_of_any_of_its_replicas_each_time():
    """Check that once nothing moves, two draws are of one replica in a quarter of the cases, however far apart."""
    problem = Problem(length=6, beta=1e6)
    run = jme.sample(
        jax.random.key(0), problem.ensemble(), ladder=[0.0, 1e6], chains=64, target_replicas=4, anchor_chains=0, thin=1,
        steps=400, burn_in=2000, store_every=1, rule=Site(), progress=False,
    )  # fmt: skip
    draws = run.draws[0, -1]
    same = np.array([(draws[lag:] == draws[:-lag]).all(-1).mean() for lag in range(1, 17)])
    # Replicas at rest at the same sequence are equal, too. In a fixed order some lags would have 1, and some less.
    assert 0.25 < same.mean() < 0.9
    assert np.ptp(same) < 0.04


@pytest.mark.exhaustive
def test_reported_errors_at_the_target_are_the_real_ones():
    """Check that over 300 short runs 95 % intervals cover exact frequencies, though replicas are not independent."""
    problem = Problem(length=3, beta=6.0, mus=(0.5,))
    truth = exact.letter_frequencies(problem.distribution(), problem.states, 4)
    # Runs of 8 chains, 30 side by side in each call: these share their positions, but not those of other calls.
    ensemble = problem.ensemble(anchor=np.tile(problem.anchor, (30, 1)))
    settings = {"ladder": [0.0, 2.0, 4.0, 6.0], "anchor_chains": 0, "steps": 1000, "burn_in": 200, "progress": False}
    runs = [jme.sample(jax.random.key(seed), ensemble, **settings) for seed in range(10)]
    assert runs[0].target_replicas == 8
    # 2.365 is Student's t for 7 degrees of freedom, those of the spread between chains; other errors have more.
    inside = [np.abs(r.frequencies[:, -1] - truth[None]) < 2.365 * r.frequency_errors[:, -1] for r in runs]
    assert 0.93 < np.mean(inside) < 0.985


@pytest.mark.exhaustive
@pytest.mark.parametrize("replicas", [1, 8])
def test_sizes_and_errors_of_the_energy_at_the_target_hold_for_all_its_replicas(replicas):
    """Check that the mean energies of 24 runs vary as their effective sizes and errors imply."""
    problem = Problem(length=6, beta=8.0)
    mean, variance = exact.mean_and_variance(problem.distribution(), problem.energies)
    run = jme.sample(
        jax.random.key(1), problem.ensemble(anchor=np.tile(problem.anchor, (24, 1))), ladder=[0.0, 2.5, 5.0, 8.0],
        target_replicas=replicas, anchor_chains=0, steps=8000, thin=1, burn_in=4000, rule=Site(), evaluation="full",
        progress=False,
    )  # fmt: skip
    actual = variance / np.mean((run.energy[:, -1] - mean) ** 2)
    told = np.median(run.energy_ess[:, -1])
    # The mean of 24 squared errors has a standard error of about a quarter; batch means give rather too small sizes.
    assert 0.5 < told / actual < 1.6
    assert 0.6 < np.median(variance / run.energy_error[:, -1] ** 2) / actual < 1.6
    # The tail size is that of a trace, which holds any of the replicas each time.
    assert np.median(run.energy_tail_ess[:, -1]) < 1.2 * actual
    matrix = exact.metropolis_matrix(problem.log_weights(), problem.states, problem.letters, problem.movable)
    p = problem.distribution()
    acceptance = p @ (1 - np.diag(matrix))
    np.testing.assert_allclose(run.acceptance[:, -1].mean(), acceptance, rtol=0.03)


@pytest.mark.slow
def test_a_run_goes_on_with_as_many_replicas_as_it_had():
    problem = Problem(length=4)
    settings = {"chains": 2, "steps": 20, "burn_in": 0, "anchor_chains": 0, "progress": False}
    first = jme.sample(jax.random.key(0), problem.ensemble(), ladder=3, target_replicas=2, **settings)
    assert jme.sample(jax.random.key(0), problem.ensemble(), start=first, **settings).target_replicas == 2
    with pytest.raises(
        ValueError, match=r"start must be a run with \[anchors, chains, replicas, length\] = \[1, 2, 4, 4\]"
    ):
        jme.sample(jax.random.key(0), problem.ensemble(), start=first, target_replicas=3, **settings)
