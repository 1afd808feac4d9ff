import jax
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.analysis import consensus, information_bits, informative_window, profile
from jaxmaxent.analysis.profile import information_errors
from problems import Problem


@pytest.mark.parametrize(
    ("frequencies", "bits"),
    [
        ([0.25] * 4, 0.0),
        ([0, 0, 1, 0], 2.0),
        ([0.5, 0.5, 0, 0], 1.0),
        ([0.5, 0.25, 0.125, 0.125], 0.25),
        ([0.5, 0.5], 0.0),
        ([1, 0], 1.0),
        ([0.89, 0.11], 1 + 0.89 * np.log2(0.89) + 0.11 * np.log2(0.11)),
        ([0.05] * 20, 0.0),
        (np.eye(20)[7], np.log2(20)),
        ([0.2] * 5 + [0] * 15, 2.0),  # log2 20 − log2 5
        ([1 / 3] * 3, 0.0),
    ],
)
def test_information_by_hand(frequencies, bits):
    assert information_bits(np.array(frequencies)) == pytest.approx(bits, abs=1e-14)


def test_information_is_of_each_position():
    rows = np.random.default_rng(0).dirichlet(np.ones(4), (3, 7))
    bits = information_bits(rows)
    assert bits.shape == (3, 7)
    entropy = [[-sum(p * np.log2(p) for p in row) for row in block] for block in rows]
    np.testing.assert_allclose(bits, 2 - np.array(entropy), atol=1e-12)


@pytest.mark.parametrize(
    ("row", "letter"),
    [
        ([0.51, 0.49, 0, 0], "A"),
        ([0.5, 0.5, 0, 0], "N"),  # half is not more than half
        ([0, 0, 0.5, 0.5], "N"),
        ([0.4, 0.2, 0.2, 0.2], "N"),
        ([0, 0, 0, 1], "T"),
    ],
)
def test_consensus_is_the_letter_of_more_than_half_of_the_draws(row, letter):
    assert consensus(np.array([row, [0, 1, 0, 0]]), "ACGT") == letter + "C"


def test_consensus_in_other_alphabets():
    assert consensus(np.array([[0.4, 0.6], [0.5, 0.5]]), "01", any_letter="?") == "1?"
    assert consensus(np.eye(20), jme.PROTEIN.letters) == jme.PROTEIN.letters


@pytest.mark.parametrize(
    ("information", "window"),
    [
        ([0, 0, 0], (0, 0)),
        ([0.25, 0.25], (0, 0)),  # no more than the threshold
        ([], (0, 0)),
        ([2, 2, 2], (0, 3)),
        ([0, 1, 0], (1, 2)),
        ([1, 0, 0], (0, 1)),
        ([0, 0, 1], (2, 3)),
        ([0, 1, 0.1, 1, 0], (1, 4)),  # a gap that costs less than what is behind it
        ([0, 1, 0, 0, 0, 0, 0.9, 0], (1, 2)),  # a gap that costs more
        ([0, 0.9, 0, 0, 0, 0, 1, 0], (6, 7)),
    ],
)
def test_informative_window_by_hand(information, window):
    assert informative_window(np.array(information)) == window


def test_informative_window_is_the_best_of_all():
    rng = np.random.default_rng(1)
    for _ in range(200):
        information, threshold = rng.exponential(0.4, 12), rng.uniform(0.1, 1)
        excess = information - threshold
        best = max(excess[i:j].sum() for i in range(12) for j in range(i, 13))
        start, stop = informative_window(information, threshold=threshold)
        assert excess[start:stop].sum() == pytest.approx(best)
        assert (stop == 0) == (best == 0)


@pytest.mark.parametrize(
    "frequencies",
    [
        [0.3, 0.2, 0.25, 0.25], [0.4, 0.3, 0.2, 0.1], [0.4, 0.2, 0.2, 0.2], [0.7, 0.1, 0.1, 0.1],
        [0.45, 0.05, 0.05, 0.45], [0.97, 0.01, 0.01, 0.01], [0.9, 0.1, 0, 0], [0.6, 0.4], [0.95, 0.05],
        [0.24] + [0.04] * 19,
    ],
)  # fmt: skip
@pytest.mark.parametrize(("chains", "draws"), [(128, 100), (32, 50)])
def test_information_errors_are_no_underestimate_and_at_most_twice_the_spread(frequencies, chains, draws):
    """Against the spread of the information over 2,000 experiments whose draws are independent."""
    rng = np.random.default_rng(2)
    averages = rng.multinomial(draws, frequencies, (2000, chains)) / draws
    seen, errors = averages.mean(1), averages.std(1, ddof=1) / np.sqrt(chains)
    spread = information_bits(seen).std()  # itself known to 1.6 %
    reported = np.sqrt(np.mean(information_errors(seen, errors) ** 2))
    assert 0.95 < reported / spread < len(frequencies) ** 0.5 + 0.05


def test_information_errors_at_the_ends():
    uniform, certain, some = np.full(4, 0.25), np.eye(4)[0], np.full(4, 0.01)
    assert information_errors(uniform, some) == pytest.approx(0, abs=1e-15)  # flat there, to first order
    assert information_errors(certain, np.zeros(4)) == 0
    # By hand: f = (3/4, 1/4) has the slope log2 3 along the one direction there is.
    assert information_errors(np.array([0.75, 0.25]), np.array([0.01, 0.01])) == pytest.approx(0.01 * np.log2(3))


def test_profile_of_a_run():
    problem = Problem(length=4, beta=3.0)
    ensemble = problem.ensemble(anchor=problem.states[[10, 100]], beta=[3.0, 0.0])
    run = jme.sample(jax.random.key(0), ensemble, ladder=3, chains=64, steps=500, thin=5, progress=False)
    found = profile(run, 1)
    assert found.frequencies.shape == found.frequency_errors.shape == (4, 4)
    assert found.information.shape == found.information_errors.shape == (4,)
    np.testing.assert_array_equal(found.frequencies, run.frequencies[1, -1])
    np.testing.assert_array_equal(found.frequency_errors, run.frequency_errors[1, -1])
    np.testing.assert_array_equal(found.information, information_bits(run.frequencies[1, -1]))
    assert found.consensus == "NNNN"
    assert profile(run, 1, any_letter="-").consensus == "----"
    energy = exact.energy_from(exact.toy_network(0, 4, 4), problem.states[10], problem.w, 4)
    p = exact.distribution(exact.log_weights(problem.states, energy, 3.0))
    bits = information_bits(exact.letter_frequencies(p, problem.states, 4))
    first = profile(run, 0)
    assert (bits > 0.1).any()
    assert (np.abs(first.information - bits) < 5 * first.information_errors).all()
    np.testing.assert_array_equal(first.information, profile(run).information)
