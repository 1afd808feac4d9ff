"""The verdict on diagnostics: it names what is missing, and takes sizes of constant letters from lower rungs."""

import numpy as np
import pytest

from jaxmaxent.diagnostics import Diagnosis, _convergence, chains_together, judge, with_trips


@pytest.mark.parametrize(("chains", "expected"), [(1, 1), (4, 1), (7, 1), (8, 2), (12, 2), (16, 4), (18, 2), (256, 4)])
def test_superchains_are_at_least_four(chains, expected):
    assert chains_together(chains) == expected


@pytest.mark.parametrize(
    ("chains", "replicas", "expected"), [(16, 4, 4), (16, 8, 2), (8, 8, 2), (8, 9, 1), (256, 40, 1)]
)
def test_superchains_are_of_few_sequences(chains, replicas, expected):
    assert chains_together(chains, replicas) == expected


def test_what_never_changed_is_known_by_what_came_from_where_it_did():
    trips = np.array([30, 70, 20_000, 5])  # to the target, from the first rung, the second …
    ess = np.array([[400.0, 500], [800, 700], [16_384, 450], [0, 390]])  # the second letter is seen everywhere

    def last(constant_from):
        constant = np.arange(4)[:, None] >= np.array([constant_from, 4])
        found = with_trips(ess, constant, trips)
        np.testing.assert_array_equal(found[~constant], ess[~constant])
        return list(found[constant_from:, 0])

    # From the third rung 20,100 came, mostly in a few steps; but a rare letter counts as the smallest size there.
    assert last(3) == [450]
    assert last(2) == [100, 100]
    assert last(1) == [30, 30, 30]
    assert last(0) == [30, 30, 30, 30]
    without_a_ladder = with_trips(np.zeros((1, 2)), np.ones((1, 2), bool), np.zeros(1, int))
    np.testing.assert_array_equal(without_a_ladder, 0)


def test_what_is_missing_is_told_with_its_rung():
    """Check that every rung is judged, not the target alone."""
    shape, betas = (3, 4, 4), np.array([0.0, 1.5, 3.0])
    found = Diagnosis(
        letter_rhat=np.full(shape, 1.001), letter_ess=np.full(shape, 900.0), letter_mcse=np.full(shape, 0.01),
        scalar_rhat=np.full((3, 2), 1.001), scalar_ess=np.full((3, 2), 900.0), scalar_tail_ess=np.full((3, 2), 900.0),
        scalar_mcse=np.full((3, 2), 0.01),
    )  # fmt: skip
    wanted = {"rhat": 1.01, "ess": 400, "mcse": 0.02, "letters": "ACGT", "scalar_names": (), "betas": betas}
    assert judge(found, **wanted)[0]
    found.letter_rhat[1, 2, 3], found.scalar_ess[0, 1] = 1.2, 300
    good, why = judge(found, **wanted)
    assert not good
    assert "R-hat is 1.2 at position 2, letter T, β = 1.5, wanted ≤ 1.01" in why
    assert "the effective sample size of the distance in letters is 300, β = 0, wanted 400" in why
    found.letter_mcse[2, 0, 0] = np.nan
    assert "a standard error is inf at position 0, letter A, β = 3" in judge(found, **wanted)[1]


def test_an_energy_on_a_plateau_with_rare_exceptions_has_a_size_from_all_draws():
    """Check batches in which exceptions are seen, while the few traced draws are all alike."""
    rng = np.random.default_rng(0)
    size, chains, batches = 200, 4, 32
    means = 1 - rng.binomial(size, 0.002, (batches, chains, 1, 1)) / size
    traces = np.ones((chains, 64, 1, 1))
    found = _convergence._scalar_ess(traces, means, size, 1, means.var((0, 1)) * size)
    draws = size * chains * batches
    assert draws / 3 < found[0, 0] < 3 * draws  # the draws are independent
    constant = _convergence._scalar_ess(traces, np.ones_like(means), size, 1, np.zeros((1, 1)))
    assert constant[0, 0] == 0
