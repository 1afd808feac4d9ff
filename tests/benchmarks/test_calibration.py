"""What the calibration benchmark says of errors whose size is known, and how it reads a run."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

# Behind all others: some files there have the names of files of tests.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import calibration
from calibration import Ratios
from enumerated_kinds import KINDS

DEGREES = 7


def drawn(factor=1.0, shift=0.0, runs=2000, values=3):
    """Return ratios of estimates whose errors, from DEGREES + 1 chains, are the true ones over a factor."""
    chains = np.random.default_rng(0).normal(size=(runs, values, DEGREES + 1))
    errors = chains.std(-1, ddof=1) / np.sqrt(DEGREES + 1)
    ratios = factor * (chains.mean(-1) / errors) + shift
    return [Ratios(row, np.full(values, True)) for row in ratios]


def test_errors_of_the_right_size_have_mean_square_1_and_cover_95_percent():
    size = calibration.size_of(drawn(), DEGREES)
    assert abs(size.square[0] - 1) < 5 * size.square[1] < 0.15
    assert abs(size.bias[0]) < 5 * size.bias[1] < 0.15
    assert abs(size.covered - 0.95) < 5 * np.sqrt(0.95 * 0.05 / 6000)
    assert (size.unknown, size.zero, size.values) == (0, 0, 6000)


def test_small_errors_and_a_bias_show():
    size = calibration.size_of(drawn(factor=2, shift=1), DEGREES)
    assert size.square[0] > 2
    assert size.covered < 0.85
    assert size.bias[0] > 0.5


def test_taking_a_t_distribution_as_normal_shows():
    assert calibration.size_of(drawn(), 1e6).square[0] > 1.3  # exactly 7 / 5


def test_normal_scores_keep_probabilities_signs_and_unknowns():
    ratios = np.array([-3.0, 0.0, 0.5, 40.0])
    scores = calibration.normal_scores(ratios, np.array([3, 7, 7, 5]))
    np.testing.assert_allclose(stats.norm.cdf(scores), stats.t.cdf(ratios, [3, 7, 7, 5]), rtol=1e-10)
    assert np.isnan(calibration.normal_scores(np.nan, 7))
    assert calibration.normal_scores(-np.inf, 7) == -np.inf


def test_unknown_and_zero_errors_are_counted_apart():
    values = calibration.in_errors([1, 1, 2, 1 + 1e-9, 3], [1, 2, 1, 1, 1], [1, np.inf, 0, 0, 2])
    np.testing.assert_array_equal(values, [0, np.nan, np.inf, 1])
    size = calibration.size_of([Ratios(values, np.full(4, True))], DEGREES)
    assert (size.unknown, size.zero, size.values) == (0.25, 0.25, 4)
    assert size.covered == pytest.approx(2 / 3)


def test_the_error_of_a_mean_counts_runs_not_values():
    runs = [np.full(100, value) for value in (0.0, 1.0, 2.0, 3.0)]
    mean, error = calibration.mean_over_runs(runs)
    assert (mean, error) == (1.5, pytest.approx(np.std([0, 1, 2, 3], ddof=1) / 2))
    assert np.isnan(calibration.mean_over_runs([])[0])
    assert np.isnan(calibration.mean_over_runs(runs[:1])[1])


@pytest.mark.parametrize("name", ["needle-0.5", "gc", "held"])
def test_a_run_of_exact_numbers_shifted_by_an_error_has_ratios_of_1(name):
    kind = next(kind for kind in KINDS if kind.name == name)
    beta = np.linspace(0, kind.beta, 9)[None]
    exact = [kind.exact(b) for b in beta[0]]
    frequencies = np.array([[answers.frequencies for answers in exact]])
    run = SimpleNamespace(
        beta=beta,
        energy=np.array([[answers.energy for answers in exact]]) + 0.1,
        energy_error=np.full((1, 9), 0.1),
        log_z=np.array([[answers.log_z for answers in exact]]) - 0.2,
        log_z_error=np.full((1, 9), 0.1),
        frequencies=frequencies + 0.01,
        frequency_errors=np.full(frequencies.shape, 0.01),
    )
    found = calibration.ratios_of(run, kind)
    np.testing.assert_allclose(found["⟨E⟩"].values, np.ones(3))
    np.testing.assert_allclose(found["log Z"].values, np.full(3, -2))
    np.testing.assert_allclose(found["frequencies"].values, np.ones(4 * len(kind.movable)))
    assert found["frequencies"].signed.sum() == len(kind.movable)


def test_a_pattern_without_any_kind_ends_the_program():
    assert [kind.name for kind in calibration.chosen(["x*"])] == ["xor"]
    with pytest.raises(SystemExit, match="--only must be names"):
        calibration.chosen(["no-such-kind"])
