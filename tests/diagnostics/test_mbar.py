"""log Z along a ladder, from exact draws and against pymbar."""

import math
import sys
import time
import warnings

import numpy as np
import pytest

import exact
from jaxmaxent.diagnostics import chain_influences, first_gap, jackknife_error, log_z_along, shared_draws
from problems import Problem

PROBLEM = Problem(length=3, mus=(0.5,))
BETAS = np.array([0.0, 0.6, 1.5, 3.0])


def drawn(rng, chains, draws):
    """Energies of independent exact draws at every rung, [chains, draws, rungs], and log Z there."""
    log_weights = [PROBLEM.log_weights() + (PROBLEM.beta - beta) * PROBLEM.energies for beta in BETAS]
    columns = [rng.choice(PROBLEM.energies, (chains, draws), p=exact.distribution(w)) for w in log_weights]
    return np.stack(columns, -1), np.array([exact.log_partition(w) for w in log_weights])


def scores(rng, chains, draws):
    """(log Z − exact) / standard error above the first rung, of 100 independent runs."""
    rows = []
    for _ in range(100):
        energies, log_z = drawn(rng, chains, draws)
        found, error = log_z_along(BETAS, energies, log_z[0])
        assert found[0] == log_z[0]
        assert error[0] == 0
        rows.append((found[1:] - log_z[1:]) / error[1:])
    return np.array(rows)


def test_log_z_and_its_error_are_right_over_many_runs():
    found = scores(np.random.default_rng(0), 10, 50)
    # Student's t of 9 degrees of freedom has variance 9/7; 100 runs know it to a seventh.
    squares = np.mean(np.square(found), 0)
    assert (squares > 9 / 7 - 0.6).all()
    assert (squares < 9 / 7 + 0.9).all()
    assert (np.abs(np.mean(found, 0)) < 5 * np.sqrt(9 / 7 / 100)).all()


def test_the_error_of_a_single_chain_is_right_over_many_runs():
    found = scores(np.random.default_rng(3), 1, 256)
    within = [np.mean(np.abs(found) < times, axis=0) for times in (1, 2, 4)]
    # By Student's t of 7 degrees of freedom 0.65, 0.914 and 0.995 of them, which 100 runs know to 0.05, 0.03 and 0.007.
    assert (np.abs(within[0] - 0.65) < 0.2).all()
    assert (within[1] > 0.914 - 0.09).all()
    assert (within[2] >= 0.97).all()


def by_hand(betas, energies, first):
    """log Z by MBAR's equations as they are written, iterated until nothing changes, [rungs]."""
    draws = energies.shape[0] * energies.shape[1]
    log_z, pooled = np.zeros(len(betas)), energies.ravel()
    for _ in range(20_000):
        mixture = np.logaddexp.reduce(math.log(draws) - np.outer(pooled, betas) - log_z, axis=1)
        new = np.logaddexp.reduce(-np.outer(betas, pooled) - mixture, axis=1)
        new -= new[0]
        if np.abs(new - log_z).max() < 1e-14:
            break
        log_z = new
    return first + log_z


@pytest.mark.parametrize("chains", [1, 4])
def test_log_z_solves_the_equations(chains):
    energies, log_z = drawn(np.random.default_rng(4), chains, 100)
    found = log_z_along(BETAS, energies, log_z[0])
    np.testing.assert_allclose(found.value, by_hand(BETAS, energies, log_z[0]), rtol=0, atol=1e-10)


@pytest.fixture(scope="module")
def pymbar():
    """pymbar without JAX, which it would switch to 64 bits for all tests."""
    jax = sys.modules.get("jax")
    sys.modules["jax"] = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pytest.importorskip("pymbar", reason="compares with pymbar: pip install pymbar")
    finally:
        del sys.modules["jax"]
        if jax is not None:
            sys.modules["jax"] = jax


@pytest.mark.parametrize(("chains", "draws"), [(1, 200), (8, 50), (4, 2000)])
def test_log_z_is_that_of_pymbar(pymbar, chains, draws):
    rng = np.random.default_rng(5)
    betas = np.array([0, 0.5, 1, 2, 3.5, 7, 12])
    energies = rng.gamma(5, 1 / (4 + betas), (chains, draws, 7))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy does not know all of the options that it is given
        pooled = np.moveaxis(energies, -1, 0).ravel()
        theirs = pymbar.MBAR(betas[:, None] * pooled, [chains * draws] * 7, relative_tolerance=1e-13)
    found = log_z_along(betas, energies, 100.0)
    np.testing.assert_allclose(found.value, 100 - theirs.f_k, rtol=0, atol=1e-9)


def test_two_chains_that_agree_by_chance_do_not_make_the_error_small():
    found = scores(np.random.default_rng(5), 2, 128)
    # Of Student's t of 1 degree of freedom 13 % would be beyond 5.
    assert (np.mean(np.abs(found) > 5, axis=0) <= 0.02).all()
    assert (np.mean(np.square(found), 0) < 2).all()


@pytest.mark.parametrize("chains", [6, 8])
def test_the_error_is_the_spread_of_the_chains_with_one_degree_of_freedom_less(chains):
    energies, log_z = drawn(np.random.default_rng(6), chains, 60)
    found = log_z_along(BETAS, energies, log_z[0])
    influence = chain_influences(BETAS, energies, found.value)
    deviations = influence - influence.mean(0)
    by_definition = np.sqrt((deviations**2).sum(0) / (chains - 1) / chains)
    np.testing.assert_allclose(found.error, by_definition, rtol=1e-6)
    np.testing.assert_allclose(jackknife_error(influence), by_definition, rtol=1e-12)
    # The influence is the derivative by the weight of a chain: of 20 copies of each, one more of the first.
    copies = np.repeat(energies, 20, axis=0)
    more = log_z_along(BETAS, np.concatenate([copies, energies[:1]]), log_z[0]).value
    share = 21 / (20 * chains + 1) - 1 / chains
    np.testing.assert_allclose((more - found.value) / share * (1 - 1 / chains), influence[0], rtol=0.1, atol=1e-3)


def test_a_gap_in_the_ladder_leaves_the_error_beyond_unknown():
    rng = np.random.default_rng(7)
    betas = np.array([0.0, 0.1, 1.0, 1.1])
    energies = rng.random((4, 50, 4)) + np.array([1000, 999.5, 0, 0])
    found = log_z_along(betas, energies, 3.0)
    below = log_z_along(betas[:2], energies[..., :2], 3.0)
    np.testing.assert_allclose(found.value[:2], below.value, rtol=1e-12)
    np.testing.assert_allclose(found.error[:2], below.error, rtol=1e-9)
    assert np.isfinite(found.value).all()
    assert np.isnan(found.error[2:]).all()
    assert first_gap(shared_draws(betas, energies, found.value)) == 1


@pytest.mark.parametrize("shift", [-1e6, 1e6])
def test_a_constant_added_to_the_energies_loses_no_digits(shift):
    energies, log_z = drawn(np.random.default_rng(8), 4, 100)
    plain, shifted = (log_z_along(BETAS, energies + c, log_z[0]) for c in (0, shift))
    np.testing.assert_allclose(shifted.value + shift * BETAS, plain.value, atol=1e-8)
    np.testing.assert_allclose(shifted.error, plain.error, rtol=1e-6)


def test_it_is_fast_enough_to_ask_while_a_run_goes_on():
    betas = np.concatenate([[0], np.geomspace(0.3, 60, 13)])
    energies = np.random.default_rng(9).gamma(20, 1 / (betas + 8), (8, 2000, 14))
    seconds = []
    for _ in range(3):
        start = time.process_time()
        log_z_along(betas, energies, 0.0)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1.5  # 0.16 s on a core of 2024; the rest is for slow and busy machines


@pytest.mark.parametrize("draws", [0, 1, 15])
def test_unknown_values_are_nan(draws):
    energies, log_z = drawn(np.random.default_rng(1), 1, 50)
    found, error = log_z_along(BETAS, energies[:, :draws], log_z[0])
    assert found[0] == log_z[0]
    assert np.isfinite(found[1:]).all() == (draws > 0)
    assert np.isnan(error[1:]).all()


@pytest.mark.parametrize("chains", [1, 2, 8])
@pytest.mark.parametrize("energy", [0.0, 1.0, 1 / 3, 1e22])
def test_energies_that_never_differ_leave_the_error_unknown(chains, energy):
    """All draws may have missed the same state; 0, or what rounding leaves of it, would be certainty."""
    found, error = log_z_along(BETAS, np.full((chains, 64, 4), energy), 7.0)
    np.testing.assert_allclose(found, 7 - BETAS * energy, rtol=1e-9)
    assert error[0] == 0
    assert np.isnan(error[1:]).all()


def test_equal_rungs_have_equal_log_z():
    energies = np.random.default_rng(2).random((4, 50, 3))
    found, error = log_z_along(np.zeros(3), energies, 1.5)
    assert found == pytest.approx([1.5] * 3, abs=1e-10)
    assert error == pytest.approx([0] * 3, abs=1e-10)
