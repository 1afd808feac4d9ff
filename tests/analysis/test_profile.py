from types import SimpleNamespace

import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.analysis import (
    background_frequencies,
    compare_profiles,
    consensus,
    information_bits,
    informative_window,
    profile,
)
from jaxmaxent.analysis._profiles.compare import holm
from jaxmaxent.results._information import covariance, information_bias, information_errors
from problems import PROBLEMS, Problem

CHAINS = 16


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


@pytest.mark.parametrize(
    ("information", "window"),
    [
        ([0.2501], (0, 1)),
        ([0.2499], (0, 0)),
        ([1, 0, 0, 1], (0, 4)),  # a gap of 0 bits costs 0.25 per position, and 1 bit earns 0.75
        ([1, 0, 0, 0, 1], (0, 1)),
    ],
)
def test_the_published_threshold_is_a_quarter_of_a_bit_per_position(information, window):
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


ROWS = [
    [0.3, 0.2, 0.25, 0.25], [0.25] * 4, [0.4, 0.3, 0.2, 0.1], [0.4, 0.2, 0.2, 0.2], [0.7, 0.1, 0.1, 0.1],
    [0.45, 0.05, 0.05, 0.45], [0.97, 0.01, 0.01, 0.01], [0.9, 0.1, 0, 0], [0.6, 0.4], [0.95, 0.05], [0.5, 0.5],
    [0.24] + [0.04] * 19,
]  # fmt: skip


def sticky(rng, rows, experiments, draws, stay):
    """Means over draws of chains at each position: letters that stay with a probability, else are drawn anew."""
    rows = np.asarray(rows, float)
    shape = (experiments, CHAINS, len(rows))

    def anew():
        return (rng.random((*shape, 1)) > np.cumsum(rows, -1)[:, :-1]).sum(-1)

    letter = anew()
    counts = np.zeros((*shape, rows.shape[1]))
    for _ in range(draws):
        letter = np.where(rng.random(shape) < stay, letter, anew())
        counts += letter[..., None] == np.arange(rows.shape[1])
    return counts / draws


def seen(averages):
    """Frequencies and their standard errors, from the spread of the chains (axis 1)."""
    return averages.mean(1), averages.std(1, ddof=1) / np.sqrt(averages.shape[1])


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("draws", [100, 400])
def test_information_errors_and_bias_are_those_of_repeats(row, draws):
    """Against the spread and the mean of the information over 2,000 experiments whose draws are independent."""
    rng = np.random.default_rng(2)
    frequencies, errors = seen(rng.multinomial(draws, row, (2000, CHAINS)) / draws)
    bits = information_bits(frequencies)
    reported = np.sqrt(np.mean(information_errors(frequencies, errors) ** 2))
    # Where letters are uniform the slopes are noise, and the error is an upper bound: by a factor of 1.40 with two
    # letters, whose squared error is then E max(2 χ² − 1, 1) = 1.97 times that of repeats.
    assert 0.93 < reported / bits.std() < (1.48 if max(row) - min(row) < 0.15 else 1.1)
    bias = information_bias(frequencies, errors)
    excess = bits - information_bits(np.array(row))
    # Third-order terms are left: of the order of the bias over the draws of the rarest letter.
    left = excess.mean() - bias.mean()
    assert abs(left) < 4 * excess.std() / 2000**0.5 + bias.mean() / (CHAINS * draws * min(r for r in row if r))
    assert excess.mean() > bias.mean() / 2 - 4 * excess.std() / 2000**0.5


def test_intervals_of_the_information_cover_it_where_draws_are_correlated():
    rows = [[0.4, 0.3, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1], [0.25] * 4, [0.94, 0.02, 0.02, 0.02]]
    frequencies, errors = seen(sticky(np.random.default_rng(3), rows, 400, 150, 0.8))
    bits = information_bits(frequencies) - information_bias(frequencies, errors)
    z = (bits - information_bits(np.array(rows))) / information_errors(frequencies, errors)
    # 95 % of an interval of Student's t with 15 degrees of freedom; of 400 experiments 2.2 % is two deviations.
    covered = (np.abs(z) < 2.131).mean(0)
    assert (covered > 0.91).all()
    assert (covered[:2] < 0.99).all()  # errors of uniform letters are upper bounds


def test_errors_of_a_position_sum_to_nothing():
    f = np.array([0.5, 0.3, 0.2, 0.0])
    spread = covariance(f, np.sqrt(f * (1 - f) / 50))
    np.testing.assert_allclose(spread, (np.diag(f) - np.outer(f, f)) / 50, atol=1e-15)


def test_information_errors_at_the_ends():
    certain = np.eye(4)[0]
    assert information_errors(certain, np.zeros(4)) == 0
    assert information_bias(certain, np.full(4, 0.1)) == 0
    share = 0.01  # what is left possible after some agreeing sequences
    cost = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    assert information_errors(certain, np.full(4, share)) == pytest.approx(cost)
    assert np.isnan(information_errors(certain, np.full(4, np.nan)))
    # By hand: f = (3/4, 1/4) has the slope log2 3 along the one direction there is, and the curvature 16/3 / ln 2.
    first, second = 0.01 * np.log2(3), 0.01**2 * 16 / 3 / np.log(2) / 2**0.5
    by_hand = (first**2 - second**2) ** 0.5  # as the slope is that of frequencies with noise
    assert information_errors(np.array([0.75, 0.25]), np.array([0.01, 0.01])) == pytest.approx(by_hand)
    # A letter that was never seen leaves the others alone, also where its error is unknown.
    some, none = np.array([0.75, 0.25, 0.0]), np.array([0.01, 0.01, np.nan])
    assert information_errors(some, none) == pytest.approx(by_hand)
    assert information_bias(some, none) == pytest.approx(0.01**2 / (2 * np.log(2)) * (4 / 3 + 4))


def run_of(rng, rows, draws=200, background=None):
    """What `profile` reads of a run with two rungs, whose draws are independent and from `rows` at the upper one."""
    bottom = np.full_like(rows, 1 / rows.shape[-1]) if background is None else background
    averages = np.stack([rng.multinomial(draws, np.tile(table, (CHAINS, 1, 1))) for table in (bottom, rows)], 1) / draws
    frequencies, errors = seen(averages[None])
    return SimpleNamespace(
        frequencies=frequencies, frequency_errors=errors, beta=np.array([[0.0, 2.0]]),
        letters="ACGT", chains=CHAINS, steps=np.array([draws * 10]), thin=10,
    )  # fmt: skip


def true_rows(problem, beta):
    energy = exact.energy_from(
        exact.toy_network(problem.seed, problem.length, problem.letters), problem.anchor, problem.w, problem.letters
    )
    fields = list(zip(problem.mus, problem.counts, strict=True))
    p = exact.distribution(exact.log_weights(problem.states, energy, beta, fields), problem.allowed)
    return exact.letter_frequencies(p, problem.states, problem.letters)


def test_profile_of_a_run():
    rows = true_rows(Problem(length=4), 3.0)
    run = run_of(np.random.default_rng(4), rows)
    found = profile(run)
    assert found.frequencies.shape == found.frequency_errors.shape == (4, 4)
    np.testing.assert_array_equal(found.frequencies, run.frequencies[0, -1])
    np.testing.assert_array_equal(found.frequency_errors, run.frequency_errors[0, -1])
    np.testing.assert_array_equal(found.information, information_bits(run.frequencies[0, -1]))
    np.testing.assert_array_equal(found.unbiased_information, found.information - found.bias)
    assert (np.abs(found.unbiased_information - information_bits(rows)) < 5 * found.information_errors).all()
    first = profile(run, rung=0, any_letter="-")
    assert first.consensus == "----"
    np.testing.assert_array_equal(first.information, information_bits(run.frequencies[0, 0]))


def kl_bits(rows, background):
    return sum(rows[:, a] * np.log2(rows[:, a] / background[:, a]) for a in range(rows.shape[1]))


def test_divergence_is_that_from_the_field_only_background():
    """Against its exact value, with errors that are those of repeats; the background exact or seen in the run."""
    problem = Problem(length=4, beta=2.0, mus=(0.9, -0.5), seed=3)
    rows, bottom = true_rows(problem, 2.0), background_frequencies(problem.ensemble())[0]
    truth = kl_bits(rows, true_rows(problem, 0.0))
    rng = np.random.default_rng(5)
    for given in (bottom, None):
        repeats = [profile(run_of(rng, rows, 50, bottom), background=given) for _ in range(150)]
        bits = np.stack([found.unbiased_divergence for found in repeats])
        reported = np.sqrt(np.mean([found.divergence_errors**2 for found in repeats], axis=0))
        spread = bits.std(0)
        assert (np.abs(bits.mean(0) - truth) < 5 * spread / 150**0.5 + 0.1 * np.mean([f.bias for f in repeats])).all()
        assert (reported / spread > 0.8).all()  # the spread of 150 is known to 6 %
        assert (reported / spread < 1.25).all()


@pytest.mark.parametrize("name", ["dna-fields", "dna-ends-fixed"])
def test_background_is_exact(name):
    problem = PROBLEMS[name]
    found = background_frequencies(problem.ensemble())
    np.testing.assert_allclose(found[0], true_rows(problem, 0.0), atol=2e-6)


def test_divergence_without_a_background_is_unknown():
    run = run_of(np.random.default_rng(6), true_rows(Problem(length=4), 1.0))
    run.beta = run.beta[:, 1:]
    run.frequencies, run.frequency_errors = run.frequencies[:, 1:], run.frequency_errors[:, 1:]
    found = profile(run)
    assert np.isnan(found.divergence).all()
    assert np.isnan(found.divergence_errors).all()
    assert np.isfinite(found.information).all()
    uniform = profile(run, background=np.full(4, 0.25))
    np.testing.assert_allclose(uniform.divergence, found.information, atol=1e-12)
    np.testing.assert_allclose(uniform.divergence_errors, found.information_errors, rtol=1e-9)


def test_held_positions_tell_nothing():
    rows = np.array([[0, 1, 0, 0], [0.25] * 4])
    run = run_of(np.random.default_rng(7), rows, background=rows)
    found = profile(run)
    assert found.divergence[0] == found.divergence_errors[0] == found.bias[0] == 0
    assert found.consensus == "CN"


@pytest.mark.parametrize(
    ("background", "message"),
    [
        (np.full(3, 1 / 3), r"background must have shape \[4, 4\] or \[4\], got \[3\]"),
        (np.full(4, 0.3), "background must have frequencies that sum to 1 at every position, got 1.2"),
        ([0.5, 0.5, np.nan, 0], "background must be finite ≥ 0"),
    ],
)
def test_bad_backgrounds_are_named(background, message):
    run = run_of(np.random.default_rng(6), np.full((4, 4), 0.25))
    with pytest.raises(ValueError, match=message):
        profile(run, background=background)


def test_adjusted_p_by_hand():
    p = np.array([0.04, 0.01, 0.03, 0.5])
    np.testing.assert_allclose(holm(p), [0.09, 0.04, 0.09, 0.5])


def test_profiles_that_are_alike_seldom_differ():
    """In 200 pairs of 20 positions with correlated draws, one in twenty may err at any position at all."""
    rng = np.random.default_rng(8)
    rows = rng.dirichlet(np.ones(4), 20) * 0.9 + 0.025
    pairs = [sticky(rng, rows, 200, 40, 0.5) for _ in range(2)]
    frequencies, errors = zip(*(seen(pair) for pair in pairs), strict=True)
    wrong = 0
    for one in zip(*frequencies, *errors, strict=True):
        first, second = (profile_like(f, e) for f, e in zip(one[:2], one[2:], strict=True))
        wrong += compare_profiles(first, second).differs.any()
    assert 1 <= wrong <= 19  # 10 expected at most, and three deviations


def profile_like(frequencies, errors, letters="ACGT"):
    run = SimpleNamespace(
        frequencies=frequencies[None, None], frequency_errors=errors[None, None], beta=np.ones((1, 1)), letters=letters
    )
    return profile(run)


def test_positions_that_differ_are_found_and_told():
    rng = np.random.default_rng(9)
    rows = np.full((30, 4), 0.25)
    other = rows.copy()
    other[[4, 17]] = [[0.55, 0.15, 0.15, 0.15], [0.9, 0.02, 0.04, 0.04]]
    first, second = (profile(run_of(rng, r)) for r in (rows, other))
    found = compare_profiles(first, second)
    np.testing.assert_array_equal(np.flatnonzero(found.differs), [4, 17])
    assert (found.p <= found.p_bh).all()
    assert (found.p_bh <= found.p_holm + 1e-15).all()
    np.testing.assert_array_equal(found.difference, second.frequencies - first.frequencies)
    error = np.hypot(first.frequency_errors, second.frequency_errors)
    np.testing.assert_allclose(found.z, found.difference / error)
    assert found.summary.startswith("2 of 30 positions differ (Holm-adjusted p < 0.05), the surest at position 17: ")
    none = "none of 30 positions differs (Holm-adjusted p < 0.05)"
    assert compare_profiles(first, first).summary == none
    assert str(compare_profiles(first, first)) == f"ProfileComparison('{none}')"


def test_z_of_frequencies_is_standard_normal_where_nothing_differs():
    rng = np.random.default_rng(10)
    rows = np.full((500, 4), 0.25)
    z = compare_profiles(*(profile(run_of(rng, rows)) for _ in range(2))).z
    # Student's t with 30 degrees of freedom has a deviation of 1.035; letters of a position are correlated.
    assert abs(np.sqrt(np.mean(z**2)) - 1.035) < 5 * 0.5**0.5 / 1500**0.5


def test_unknown_errors_decide_nothing():
    f = np.array([[1.0, 0, 0, 0], [0.25] * 4])
    errors = np.array([[np.nan] * 4, [0.01] * 4])
    found = compare_profiles(profile_like(f, errors), profile_like(f[:, ::-1], errors))
    np.testing.assert_array_equal(found.differs, [False, False])
    assert np.isnan(found.z[0]).all()


@pytest.mark.parametrize(
    ("second", "settings", "message"),
    [
        (3, {}, "second must have the length and alphabet of first, 2 positions of 'ACGT', got 3 positions of 'ACGT'"),
        (2, {"level": 1}, "level must be a finite number above 0 and below 1, got 1"),
        (2, {"degrees": 0}, "degrees must be a finite number above 0, got 0"),
    ],
)
def test_bad_comparisons_are_named(second, settings, message):
    first, second = (profile_like(np.full((n, 4), 0.25), np.full((n, 4), 0.01)) for n in (2, second))
    with pytest.raises(ValueError, match=message):
        compare_profiles(first, second, **settings)
