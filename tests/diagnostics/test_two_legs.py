"""log Z by two legs, from draws of an enumerated ensemble, and the judgement of whether the legs agree."""

import math

import numpy as np
import pytest

from jaxmaxent.diagnostics import TwoLegs, judge_legs, log_z_of_legs

BETAS, SHARES = np.array([0.0, 0.5, 1.0, 2.0]), np.array([0.3, 0.7, 1.0])


@pytest.fixture(scope="module")
def states():
    """64 states with an energy and a tilt, log q − Σ μ N, each; what they weigh at β = 0; and log Z of the target."""
    rng = np.random.default_rng(0)
    energies, log_weights = rng.exponential(1, 64), rng.normal(0, 0.5, 64)
    q = rng.dirichlet(np.full(64, 2.0))
    return energies, np.log(q) - log_weights, log_weights


def drawn(states, chains, draws, seed, *, only=slice(None)):
    """Return energies and tilts of independent draws at all rungs, among some of the states only on the first leg."""
    energies, tilts, log_weights = states
    rng, columns = np.random.default_rng(seed), []
    betas = np.concatenate([BETAS, BETAS[-1] * (1 - SHARES)])
    shares = np.concatenate([0 * BETAS, SHARES])
    for k, (beta, share) in enumerate(zip(betas, shares, strict=True)):
        log_p = log_weights - beta * energies + share * tilts
        p = np.exp(log_p - log_p.max())
        if k < len(BETAS):
            p[np.setdiff1d(np.arange(64), np.arange(64)[only])] = 0
        columns.append(rng.choice(64, (chains, draws), p=p / p.sum()))
    rows = np.stack(columns, -1)
    return energies[rows], tilts[rows]


def log_z(states, beta):
    energies, _, log_weights = states
    return np.logaddexp.reduce(log_weights - beta * energies)


def test_both_legs_and_all_draws_give_the_exact_log_z(states):
    truth = np.array([log_z(states, beta) for beta in BETAS])
    ratios = []
    for seed in range(40):
        found = log_z_of_legs(BETAS, SHARES, *drawn(states, 8, 100, seed), truth[0])
        ratios.append(
            [
                *(found.value[1:] - truth[1:]) / found.error[1:],
                (found.of_legs[0] - found.of_legs[1]) / found.difference_error,
            ]
        )
        assert found.value[0] == truth[0]
        assert found.error[0] == 0
        assert judge_legs(found, (50, 50))[0]
    # Student's t with 7 degrees of freedom has a mean square of 7/5; 40 of them have a standard error of about 0.5.
    squares = np.mean(np.square(ratios), axis=0)
    assert (squares > 0.4).all()
    assert (squares < 3.2).all()


def test_a_state_that_one_end_does_not_know_of_shows_as_a_difference(states):
    high = np.flatnonzero(states[0] > 0.5)  # the others hold most of the weight of the target
    found = log_z_of_legs(BETAS, SHARES, *drawn(states, 8, 200, 1, only=high), log_z(states, BETAS[0]))
    good, why = judge_legs(found, (1000, 1000))
    assert not good
    assert "of the weight is open" in why


def test_a_single_chain_has_an_error_too(states):
    found = log_z_of_legs(BETAS, SHARES, *drawn(states, 1, 3200, 2), log_z(states, 0))
    many = log_z_of_legs(BETAS, SHARES, *drawn(states, 8, 400, 2), log_z(states, 0))
    assert 0.3 < found.difference_error / many.difference_error < 3
    assert 0.3 < found.error[-1] / many.error[-1] < 3


def test_large_energies_that_differ_little_change_nothing(states):
    energies, tilts = drawn(states, 4, 100, 3)
    plain, moved = (log_z_of_legs(BETAS, SHARES, energies + c, tilts, 0.0) for c in (0, 1e6))
    np.testing.assert_allclose(moved.value + BETAS * 1e6, plain.value, atol=1e-6)


def test_legs_without_common_draws_have_an_unknown_difference(states):
    energies, tilts = drawn(states, 4, 100, 4)
    energies[..., 3:] += 1e4  # the target and what is beyond it have nothing to do with the rungs below
    found = log_z_of_legs(BETAS, SHARES, energies, tilts, 0.0)
    assert math.isnan(found.difference_error)
    good, why = judge_legs(found, (1000, 1000))
    assert not good
    assert "no draws in common" in why


@pytest.mark.parametrize(
    ("of_legs", "error", "arrivals", "good", "why"),
    [
        ((10.0, 10.1), 0.1, (50, 50), True, "apart by 0.10 ± 0.1"),
        ((10.0, 10.1), 0.21, (50, 50), False, "up to 41% of the weight is open"),
        ((10.0, 10.6), 0.01, (50, 50), False, "of the weight is open"),
        ((10.0, 10.0), math.nan, (50, 50), False, "unknown error"),
        ((10.0, 10.0), 0.01, (49, 50), False, "49 sequences came to the target from the background, wanted 50"),
        ((10.0, 10.0), 0.01, (50, 0), False, "0 sequences came to the target from the reference, wanted 50"),
    ],
)
def test_legs_agree_within_a_margin_and_with_arrivals_from_both_ends(of_legs, error, arrivals, good, why):
    nothing = np.zeros(2)
    found, sentence = judge_legs(TwoLegs(nothing, nothing, of_legs, error), arrivals)
    assert found == good
    assert why in sentence
