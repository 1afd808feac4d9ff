"""log Z along a ladder, from exact draws."""

import numpy as np
import pytest

import exact
from jaxmaxent.diagnostics import _free_energy as free_energy
from problems import Problem

PROBLEM = Problem(length=3, mus=(0.5,))
BETAS = np.array([0.0, 0.6, 1.5, 3.0])


def drawn(rng, chains, draws):
    """Energies of independent exact draws at every rung, [chains, draws, rungs], and log Z there."""
    log_weights = [PROBLEM.log_weights() + (PROBLEM.beta - beta) * PROBLEM.energies for beta in BETAS]
    columns = [rng.choice(PROBLEM.energies, (chains, draws), p=exact.distribution(w)) for w in log_weights]
    return np.stack(columns, -1), np.array([exact.log_partition(w) for w in log_weights])


def test_log_z_and_its_error_are_right_over_many_runs():
    rng = np.random.default_rng(0)
    scores = []
    for _ in range(100):
        energies, log_z = drawn(rng, 10, 50)
        found, error = free_energy.along(BETAS, energies, log_z[0])
        assert found[0] == log_z[0]
        assert error[0] == 0
        scores.append((found[1:] - log_z[1:]) / error[1:])
    # Student's t of 9 degrees of freedom has variance 9/7; 100 runs know it to a seventh.
    squares = np.mean(np.square(scores), 0)
    assert (squares > 9 / 7 - 0.6).all()
    assert (squares < 9 / 7 + 0.9).all()
    assert (np.abs(np.mean(scores, 0)) < 5 * np.sqrt(9 / 7 / 100)).all()


def test_the_error_of_a_single_chain_is_right_over_many_runs():
    rng = np.random.default_rng(3)
    scores = []
    for _ in range(100):
        energies, log_z = drawn(rng, 1, 256)
        found, error = free_energy.along(BETAS, energies, log_z[0])
        scores.append((found[1:] - log_z[1:]) / error[1:])
    within = [np.mean(np.abs(scores) < times, axis=0) for times in (1, 2, 4)]
    # By Student's t of 7 degrees of freedom 0.65, 0.914 and 0.995 of them, which 100 runs know to 0.05, 0.03 and 0.007.
    assert (np.abs(within[0] - 0.65) < 0.2).all()
    assert (within[1] > 0.914 - 0.09).all()
    assert (within[2] >= 0.97).all()


@pytest.mark.parametrize("draws", [0, 1, 15])
def test_what_is_not_known_is_nan(draws):
    energies, log_z = drawn(np.random.default_rng(1), 1, 50)
    found, error = free_energy.along(BETAS, energies[:, :draws], log_z[0])
    assert found[0] == log_z[0]
    assert np.isfinite(found[1:]).all() == (draws > 0)
    assert np.isnan(error[1:]).all()


@pytest.mark.parametrize("chains", [1, 2, 8])
@pytest.mark.parametrize("energy", [0.0, 1.0, 1 / 3, 1e22])
def test_energies_that_never_differ_leave_the_error_unknown(chains, energy):
    """All draws may have missed the same state; 0, or what rounding leaves of it, would be certainty."""
    found, error = free_energy.along(BETAS, np.full((chains, 64, 4), energy), 7.0)
    np.testing.assert_allclose(found, 7 - BETAS * energy, rtol=1e-9)
    assert error[0] == 0
    assert np.isnan(error[1:]).all()


def test_equal_rungs_have_equal_log_z():
    energies = np.random.default_rng(2).random((4, 50, 3))
    found, error = free_energy.along(np.zeros(3), energies, 1.5)
    assert found == pytest.approx([1.5] * 3, abs=1e-10)
    assert error == pytest.approx([0] * 3, abs=1e-10)
