"""The β's of a ladder: the first ones, those that are given, and those that the burn-in finds."""

import jax
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.sampling.host import _ladder as ladder
from problems import Problem


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


def test_a_run_goes_on_with_its_ladder():
    problem = Problem(length=4, mus=(0.3,))
    settings = {"chains": 4, "steps": 200, "anchor_chains": 0, "progress": False}
    first = jme.sample(jax.random.key(0), problem.ensemble(), ladder=3, **settings)
    onward = jme.sample(jax.random.key(0), problem.ensemble(), start=first, burn_in=0, **settings)
    np.testing.assert_array_equal(onward.beta, first.beta)
    assert (onward.last[:, 1:] != first.last[:, 1:]).any()
    assert onward.target_replicas == first.target_replicas == 8
    with pytest.raises(ValueError, match="start must be a run with"):
        jme.sample(jax.random.key(0), problem.ensemble(), ladder=None, start=first, steps=20, progress=False)
