"""Windows that are free one at a time, against enumeration."""

import jax
import numpy as np
import pytest

from jaxmaxent import analysis
from jaxmaxent.kernels import Site
from jaxmaxent.results._information import information_bits
from problems import Problem

PROBLEM = Problem(length=4, beta=1.5, mus=(0.7, -0.5, 0.4), seed=3)
SETTINGS = {"ladder": None, "rule": Site(), "chains": 16, "steps": 4000, "burn_in": 100, "evaluation": "full"}


def in_window(anchor, start, width, held=()):
    """Letter frequencies and ⟨E⟩ with all letters outside a window held, by sums over all states."""
    problem = PROBLEM
    ensemble = problem.ensemble(anchor=anchor)
    states = problem.states
    weights = np.exp(np.array(jax.vmap(ensemble.log_weight)(states)))
    outside = [i for i in range(4) if not start <= i < start + width or i in held]
    weights = np.where((states[:, outside] == anchor[outside]).all(1), weights, 0)
    weights /= weights.sum()
    frequencies = np.stack([[weights[states[:, i] == k].sum() for k in range(4)] for i in range(start, start + width)])
    return frequencies, weights @ np.array(jax.vmap(ensemble.energy)(states))


@pytest.fixture(scope="module")
def found():
    """Two anchors, one of which holds position 3, in windows of 2."""
    anchors, held = PROBLEM.states[[27, 200]], np.zeros((2, 4), bool)
    held[1, 3] = True
    ensemble = PROBLEM.ensemble(anchor=anchors, fixed=held)
    return anchors, analysis.pinned_profile(jax.random.key(1), ensemble, 2, 1, **SETTINGS)


@pytest.mark.slow
def test_every_window_has_its_own_ensemble(found):
    anchors, pinned = found
    assert pinned.starts.tolist() == [0, 1, 2] and pinned.frequencies.shape == (2, 3, 2, 4)
    for a, anchor in enumerate(anchors):
        for start in range(3):
            frequencies, energy = in_window(anchor, start, 2, held=[3] if a else [])
            errors = pinned.frequency_errors[a, start]
            assert np.nanmax(errors) < 0.02
            assert (np.abs(pinned.frequencies[a, start] - frequencies) <= 5 * np.nan_to_num(errors) + 1e-9).all()
            assert abs(pinned.energy[a, start] - energy) < 5 * pinned.energy_error[a, start]
    assert (pinned.rhat < 1.05).all()


def test_positions_have_the_mean_of_the_windows_that_cover_them(found):
    anchors, pinned = found
    first, second = (information_bits(in_window(anchors[0], start, 2)[0]) for start in (0, 1))
    assert abs(pinned.information[0, 1] - (first[1] + second[0]) / 2) < 5 * pinned.information_errors[0, 1]


@pytest.mark.slow
def test_positions_that_are_held_in_all_windows_are_not_known():
    ensemble = PROBLEM.ensemble(fixed=[2, 3])
    settings = SETTINGS | {"steps": 200, "chains": 2}
    pinned = analysis.pinned_profile(jax.random.key(0), ensemble, 2, 2, **settings)
    assert np.isnan(pinned.information[0]).tolist() == [False, False, True, True]
    assert np.isnan(pinned.rhat[0]).tolist() == [False, True]
    np.testing.assert_array_equal(pinned.frequencies[0, 1], np.eye(4)[PROBLEM.anchor[2:]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"width": 5}, "^width must be at most the length 4, got 5$"),
        ({"width": 2, "stride": 3}, "^stride must be at most the width 2, got 3$"),
        ({"key": 0}, "^key must be one typed key"),
        ({"ensemble": None}, "^ensemble must be an Ensemble, got NoneType$"),
    ],
)
def test_bad_input_is_one_sentence(given, message):
    with pytest.raises(ValueError, match=message):
        analysis.pinned_profile(**{"key": jax.random.key(0), "ensemble": PROBLEM.ensemble()} | given)
