"""The β's of a ladder: the first ones, those that are given, and those that the burn-in finds."""

import itertools

import jax
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.sampling.host import _ladder as ladder
from problems import Problem
from rungs import check_rungs


def test_the_first_ladder_is_quadratic():
    """Check that β_k = β (k / (rungs − 1))², the defined first ladder."""
    np.testing.assert_allclose(
        ladder.first_ladder(np.array([16.0, 1.0]), 5), [[0, 1, 4, 9, 16], [0, 1 / 16, 1 / 4, 9 / 16, 1]]
    )
    assert ladder.FIRST_EXPONENT == 2
    settings = {"ladder": 5, "chains": 2, "steps": 5, "burn_in": 0, "progress": False}
    run = jme.sample(jax.random.key(0), Problem(length=4, beta=16.0).ensemble(), **settings)
    np.testing.assert_allclose(run.beta[0], [0, 1, 4, 9, 16])


@pytest.mark.slow
def test_a_ladder_swaps_evenly_once_adapted():
    problem = Problem(length=5, beta=12.0, seed=2)
    settings = {"ladder": 5, "chains": 32, "steps": 1000, "burn_in": 2000, "anchor_chains": 0, "progress": False}
    run = jme.sample(jax.random.key(0), problem.ensemble(), **settings)
    fixed = jme.sample(
        jax.random.key(0), problem.ensemble(), **settings | {"ladder": ladder.first_ladder(run.beta[:, -1], 5)}
    )
    assert (np.diff(run.beta[0]) > 0).all()
    assert run.beta[0, -1] == 12
    assert np.ptp(run.swap_acceptance) < np.ptp(fixed.swap_acceptance) / 2
    np.testing.assert_allclose(fixed.beta[0], 12 * np.linspace(0, 1, 5) ** 2)


def test_evened_puts_rungs_at_equal_steps_of_the_barrier():
    betas = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(ladder.evened(betas, np.array([0.2, 0.2, 0.2])), betas, atol=1e-12)
    uneven = ladder.evened(betas, np.array([0.6, 0.1, 0.2]))
    assert uneven[0] == 0
    assert uneven[-1] == 3
    assert (np.diff(uneven) > 0).all()
    assert uneven[1] < 0.7  # a third of 0.9 lies within the first pair
    np.testing.assert_array_equal(ladder.evened(np.zeros(4), np.zeros(3)), np.zeros(4))
    never_refused = ladder.evened(betas, np.array([0.5, 0.0, 0.0]))
    assert (np.diff(never_refused) > 0).all()


@pytest.mark.parametrize("wanted", [1, 2, 5, 6])
def test_rungs_that_are_asked_for_stay_however_the_others_move(wanted):
    rng, rungs = np.random.default_rng(wanted), 8
    for _ in range(50):
        ends = rng.uniform(1, 100, 2)
        at = np.sort(rng.uniform(0, ends.min(), wanted)) ** rng.choice([1, 0.1])
        betas = ladder.first_ladder(ends, rungs, at)
        for _ in range(4):
            assert betas.shape == (2, rungs)
            assert (np.diff(betas) > 0).all()
            assert (betas[:, 0] == 0).all() and (betas[:, -1] == ends).all()
            assert all(np.isin(at, row).all() for row in betas)  # without rounding
            refused = rng.choice([rng.random((2, rungs - 1)), rng.integers(0, 2, (2, rungs - 1))])
            betas = np.stack([ladder.evened(*row, at) for row in zip(betas, refused, strict=True)])


def test_the_pair_refused_most_often_is_refused_as_seldom_as_it_can_be():
    """Compare with every way to share out the rungs; the barrier is taken as linear between rungs."""
    rng, rungs = np.random.default_rng(0), 7
    for wanted, refused in itertools.product((1, 2, 3), rng.random((10, rungs - 1))):
        betas = np.arange(float(rungs))
        at = np.sort(rng.choice(betas[1:-1], wanted, replace=False))
        barrier = np.concatenate([[0], np.cumsum(refused)])
        parts = np.diff(barrier[[0, *at.astype(int), -1]])
        pairs = itertools.product(range(1, rungs), repeat=len(parts))
        best = min(np.max(parts / row) for row in pairs if sum(row) == rungs - 1)
        found = ladder.evened(betas, refused, at)
        sizes = np.diff([0, *np.searchsorted(found, at), rungs - 1])
        assert np.max(parts / sizes) == pytest.approx(best)
    # Between two rungs that stay, the others are at equal steps of the barrier.
    spread = ladder.evened(np.arange(5.0), np.array([0.1, 0.1, 0.6, 0.2]), (2.0,))
    np.testing.assert_allclose(spread, [0, 2, 2 + 4 / 9, 2 + 8 / 9, 4], atol=0.1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rungs_at": 1.0}, r"rungs_at must be a list of β's, such as \(40.0,\), got 1.0"),
        ({"rungs_at": "1"}, "rungs_at must"),
        ({"rungs_at": [np.nan]}, "rungs_at must be finite"),
        ({"rungs_at": [0.0]}, "rungs_at must increase and lie between 0 and the smallest β of the ensemble, 2, got"),
        ({"rungs_at": [-1.0]}, "rungs_at must increase and lie between 0"),
        ({"rungs_at": [2.0]}, r"rungs_at must increase and lie between 0 .*, 2, got \[2.0\]"),
        ({"rungs_at": [2 - 1e-9]}, "rungs_at must increase and lie between 0"),
        ({"rungs_at": [1e300]}, "rungs_at must increase and lie between 0"),
        ({"rungs_at": [1.0, 0.5]}, "rungs_at must increase"),
        ({"rungs_at": [1.0, 1.0]}, "rungs_at must increase"),
        ({"rungs_at": [1.0, 1.5], "ladder": 3}, "rungs_at must hold at most 1 β's for a ladder of 3 rungs, got 2"),
        ({"rungs_at": [1.0], "ladder": 2}, "rungs_at must hold at most 0 β's"),
        ({"rungs_at": [1.0], "ladder": [0.0, 1.0, 2.0]}, "rungs_at must be empty if the ladder is given or None"),
        ({"rungs_at": [1.0], "ladder": None}, "rungs_at must be empty if the ladder is given or None"),
    ],
)
def test_rungs_that_cannot_be_placed_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        jme.sample(jax.random.key(0), Problem(beta=2.0).ensemble(), progress=False, **given)


def test_rungs_at_lie_below_the_smallest_beta():
    ensemble = Problem().ensemble(anchor=Problem().states[:2]).with_beta(np.array([8.0, 2.0]))
    with pytest.raises(ValueError, match="rungs_at must increase and lie between 0 and the smallest β .*, 2, got"):
        jme.sample(jax.random.key(0), ensemble, rungs_at=(4.0,), progress=False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0.0], "ladder must hold at least 2 β's"),
        ([[0.0, 2.0], [0.0, 2.0]], r"ladder must hold at least 2 β's, \[rungs\] or \[1 anchors, rungs\]"),
        ([0.5, 2.0], "ladder must begin with 0 and increase"),
        ([0.0, 3.0, 2.0], "ladder must begin with 0 and increase"),
        ([0.0, 1.0], "ladder must end with the β of the ensemble"),
        (1, "ladder must be a whole number of at least 2, got 1"),
        ("geometric", 'ladder must be "auto"'),
    ],
)
def test_bad_ladders_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        jme.sample(jax.random.key(0), Problem().ensemble(), ladder=given, progress=False)


@pytest.mark.slow
def test_a_run_goes_on_with_its_ladder():
    problem = Problem(length=4, mus=(0.3,))
    settings = {"chains": 4, "steps": 200, "anchor_chains": 0, "progress": False}
    first = jme.sample(jax.random.key(0), problem.ensemble(), ladder=3, rungs_at=(0.7,), **settings)
    assert first.beta[0, 1] == 0.7
    onward = jme.sample(jax.random.key(0), problem.ensemble(), start=first, burn_in=0, **settings)
    np.testing.assert_array_equal(onward.beta, first.beta)
    assert (onward.last[:, 1:] != first.last[:, 1:]).any()
    assert onward.target_replicas == first.target_replicas == 8
    with pytest.raises(ValueError, match="rungs_at must be empty .*, or is that of the run that goes on, got"):
        jme.sample(jax.random.key(0), problem.ensemble(), start=first, rungs_at=(0.7,), progress=False)
    with pytest.raises(ValueError, match="start must be a run with"):
        jme.sample(jax.random.key(0), problem.ensemble(), ladder=None, start=first, steps=20, progress=False)


@pytest.mark.slow
def test_a_rung_that_is_asked_for_agrees_with_enumeration():
    problem = Problem(length=4, mus=(0.3,))
    settings = {"ladder": 3, "chains": 4, "steps": 8000, "anchor_chains": 0, "progress": False}
    run = jme.sample(jax.random.key(0), problem.ensemble(), rungs_at=(0.7,), **settings)
    assert run.beta[0].tolist() == [0, 0.7, 2]
    assert run.rung_at(0.7) == 1
    check_rungs(problem, run)
