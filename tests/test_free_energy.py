"""log Z along a ladder, from exact draws."""

import numpy as np
import pytest

import exact
from jaxmaxent import free_energy
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


def test_what_is_not_known_is_nan():
    energies, log_z = drawn(np.random.default_rng(1), 1, 50)
    found, error = free_energy.along(BETAS, energies, log_z[0])
    assert np.isfinite(found).all()
    assert np.isnan(error[1:]).all()
    found, error = free_energy.along(BETAS, energies[:, :0], log_z[0])
    assert found[0] == log_z[0]
    assert np.isnan(found[1:]).all()


def test_equal_rungs_have_equal_log_z():
    energies = np.random.default_rng(2).random((4, 50, 3))
    found, error = free_energy.along(np.zeros(3), energies, 1.5)
    assert found == pytest.approx([1.5] * 3, abs=1e-10)
    assert error == pytest.approx([0] * 3, abs=1e-10)
