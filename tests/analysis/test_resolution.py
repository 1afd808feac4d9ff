"""Which β: by single-letter mutants against the oracle's energies, and on ladders drawn exactly."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ladders import Ladder, jackknifed
from scipy.optimize import minimize_scalar

import exact
import jaxmaxent as jme
from jaxmaxent.analysis import (
    auto_beta,
    beta_at_energy,
    beta_by_acceptance,
    beta_by_median,
    information_bits,
    mutant_energies,
    resolution_curve,
    thermodynamics,
)
from problems import Problem

FIXED = Problem(length=4, fixed=(1,), seed=4)
# ⟨E⟩ of this one falls most steeply at β = 1.3.
LADDER = Ladder(Problem(length=4, mus=(0.7, -0.5, 0.4), seed=9), (0.0, 0.4, 0.8, 1.2, 1.7, 2.5))
REPEATS, CHAINS = 30, 12
SQUARE = 11 / 9  # second moment of Student's t of 11 degrees of freedom, and the deviation of a square
SQUARE_SPREAD = math.sqrt(3 * 11**2 / (9 * 7) - SQUARE**2)


def expected_energies(problem, anchor):
    """Of every single-letter mutant, by the oracle, shape [movable, letters − 1]."""
    energy = exact.energy_from(
        exact.toy_network(problem.seed, problem.length, problem.letters), anchor, problem.w, problem.letters
    )
    rows = []
    for position in problem.movable:
        for letter in range(problem.letters):
            if letter != anchor[position]:
                mutant = np.array(anchor)
                mutant[position] = letter
                rows.append(energy(mutant))
    return np.array(rows).reshape(len(problem.movable), -1)


def several(problem, rows=(10, 100, 200)):
    anchors = problem.states[list(rows)]
    return problem.ensemble(anchor=anchors), np.array([expected_energies(problem, anchor) for anchor in anchors])


@pytest.mark.parametrize("problem", [FIXED, Problem(letters=3, length=4, seed=6), Problem(letters=2, length=6, seed=7)])
def test_mutants_are_at_the_distances_of_the_oracle(problem, x64):
    found = mutant_energies(problem.ensemble())
    expected = expected_energies(problem, problem.anchor)
    assert found.shape == (1, len(problem.movable), problem.letters - 1)
    np.testing.assert_allclose(found[0], expected, rtol=1e-10)


def test_mutants_of_several_anchors_and_more_than_a_chunk():
    problem = Problem(length=4)
    ensemble, expected = several(problem)
    np.testing.assert_allclose(mutant_energies(ensemble), expected, rtol=1e-4)
    # 300 mutants of a sequence of which the network sees how many letters are A.
    long = jme.Ensemble.create(a_count, np.ones(100, int), beta=1.0)
    np.testing.assert_array_equal(mutant_energies(long), np.tile([1.0, 0, 0], (1, 100, 1)))


def a_count(one_hot):
    return one_hot[:, :1].sum(0)


def first_letter(one_hot):
    """What tells the first letter, and rounding of everything else."""
    return jnp.array([0.0, 1.0, 2.0, 3.0]) @ one_hot[0] + 1 + 1e-7 * one_hot.sum(1).cumsum()[-1:] * one_hot[1, :1]


def test_rounding_is_no_distance():
    ensemble = jme.Ensemble.create(first_letter, "CCC", beta=1.0)
    raw = jax.vmap(ensemble.energy)(jnp.array([[1, 0, 1]]))
    assert raw[0] > 0
    np.testing.assert_allclose(mutant_energies(ensemble)[0], [[1, 1, 2], [0, 0, 0], [0, 0, 0]], rtol=1e-5)


@pytest.mark.parametrize("target", [0.1, 0.5, 0.9])
def test_acceptance_of_single_changes(target):
    ensemble, energies = several(FIXED, (10, 100))
    found = beta_by_acceptance(ensemble, target)
    assert found.shape == (2,)
    for beta, energy in zip(found, energies, strict=True):
        assert np.minimum(1, np.exp(-beta * energy)).mean() == pytest.approx(target, rel=1e-4)


def test_the_median_of_single_changes():
    ensemble, energies = several(FIXED, (10, 100))
    expected = [-np.log(0.05) / np.median(energy) for energy in energies]
    np.testing.assert_allclose(beta_by_median(ensemble), expected, rtol=1e-4)
    np.testing.assert_allclose(beta_by_median(ensemble, math.exp(-1)), np.array(expected) / -np.log(0.05), rtol=1e-4)
    # Changes that the network does not see do not count: 1, 1 and 2 are left.
    unseeing = jme.Ensemble.create(first_letter, "CCC", beta=1.0)
    assert beta_by_median(unseeing) == pytest.approx(-np.log(0.05), rel=1e-5)


def test_acceptance_that_no_beta_has():
    ensemble = jme.Ensemble.create(first_letter, ["CCC"], beta=1.0)
    with pytest.raises(ValueError, match="^target must be above the share of mutants at distance 0, 0.667 at"):
        beta_by_acceptance(ensemble)
    with pytest.raises(ValueError, match="^target must be above the share"):
        beta_by_acceptance(ensemble, 2 / 3)
    # (6 + 2 x + x²) / 9 = 0.7 for x = exp(−β)
    assert beta_by_acceptance(ensemble, 0.7) == pytest.approx(-math.log(math.sqrt(1.3) - 1), rel=1e-5)


def test_auto_beta_goes_by_the_median_and_tells_of_the_acceptance():
    ensemble, _ = several(FIXED, (10, 100))
    found = auto_beta(ensemble)
    np.testing.assert_array_equal(found.beta, beta_by_median(ensemble))
    for beta, other, reason in zip(found.beta, beta_by_acceptance(ensemble), found.reasons, strict=True):
        assert reason.startswith(f"β = {beta:.4g}: ")
        assert reason.endswith(f"; a mean acceptance of 0.1 over all changes would take β = {other:.4g}")
    unseeing = auto_beta(jme.Ensemble.create(first_letter, "CCC", beta=1.0))
    assert unseeing.reasons[0].endswith(
        "no β has a mean acceptance of 0.1, because the network does not see 67% of changes"
    )


def test_another_scale_of_the_network_takes_another_beta():
    # exp(−β E) is what counts: features ten times as large take a tenth of β.
    one, ten = FIXED.ensemble(), FIXED.ensemble(weights=10 * FIXED.w)
    for rule in (beta_by_acceptance, beta_by_median):
        np.testing.assert_allclose(rule(ten), rule(one) / 10, rtol=1e-4)


def blind(one_hot):
    return one_hot.sum(0).sum(keepdims=True)


@pytest.mark.parametrize("function", [auto_beta, beta_by_median])
def test_a_network_that_sees_no_change(function):
    with pytest.raises(
        ValueError, match="^ensemble must have single-letter mutants that the network sees, got anchor . with all"
    ):
        function(jme.Ensemble.create(blind, "ACGT", beta=1.0))


def broken(one_hot):
    return jnp.where(one_hot[0, 0] * one_hot[1, 2] > 0, jnp.nan, one_hot.sum(0))  # for AG


def test_bad_ensembles_and_numbers():
    for function in (auto_beta, beta_by_median, beta_by_acceptance, mutant_energies):
        with pytest.raises(ValueError, match="^ensemble must be an Ensemble, got str$"):
            function("ACGT")
        with pytest.raises(ValueError, match="^ensemble must have finite energies, got another for .* of anchor 1$"):
            function(jme.Ensemble.create(broken, ["CC", "CG"], beta=1.0, fixed=[1]))
    for wrong in (0, 1, -1, np.nan, "much"):
        with pytest.raises(ValueError, match="^target must be a finite number above 0 and below 1, got "):
            beta_by_acceptance(FIXED.ensemble(), wrong)
        with pytest.raises(ValueError, match="^survival must be a finite number above 0 and below 1, got "):
            beta_by_median(FIXED.ensemble(), wrong)


def test_beta_at_an_energy_and_the_steepest_fall_over_many_runs():
    rng = np.random.default_rng(1)
    energy = LADDER.mean(1.5)
    steepest = minimize_scalar(lambda b: -LADDER.variance(b), bounds=(0.5, 2), method="bounded").x
    scores = []
    for _ in range(REPEATS):
        run = with_profile(LADDER.run(rng, CHAINS, 120, sticky=0.5, shared=True))
        found, curve = beta_at_energy(run, energy), resolution_curve(run)
        scores.append([(found.beta - 1.5) / found.standard_error, (curve.steepest - steepest) / curve.steepest_error])
    assert (np.abs(np.mean(scores, 0)) < 5 * math.sqrt(SQUARE / REPEATS)).all()
    assert (np.abs(np.mean(np.square(scores), 0) - SQUARE) < 5 * SQUARE_SPREAD / math.sqrt(REPEATS)).all()


def test_errors_are_those_of_the_infinitesimal_jackknife():
    run = with_profile(LADDER.run(np.random.default_rng(8), 4, 100, sticky=0.5, shared=True))
    energy = LADDER.mean(1.5)

    def estimate(run):
        return np.array([beta_at_energy(run, energy).beta, resolution_curve(run).steepest])

    errors = [beta_at_energy(run, energy).standard_error, resolution_curve(run).steepest_error]
    expected = jackknifed(estimate, run, copies=10)
    assert errors[0] == pytest.approx(expected[0], rel=0.02)
    # Its slope is from β's an eighth of a rung to each side.
    assert errors[1] == pytest.approx(expected[1], rel=0.1)


def with_profile(run):
    """The run with what else a curve shows; of letters everything is made up."""
    rungs = run.beta.shape[1]
    rng = np.random.default_rng(2)
    run.frequencies = rng.dirichlet(np.ones(4), (1, rungs, 5))
    run.frequency_errors = np.full_like(run.frequencies, 0.01)
    run.energy, run.energy_error = run.energies.mean((2, 3)), np.full((1, rungs), 0.1)
    run.acceptance, run.swap_acceptance = rng.random((1, rungs)), rng.random((1, rungs - 1))
    return run


def test_beta_at_the_energy_of_a_rung_is_that_of_the_rung():
    run = LADDER.run(np.random.default_rng(3), CHAINS, 100)
    along = thermodynamics(run)
    for k in (0, 2, 5):
        assert beta_at_energy(run, along.energy[k]).beta == pytest.approx(along.beta[k], abs=1e-6)


def test_energies_outside_the_ladder_are_refused():
    run = LADDER.run(np.random.default_rng(4), CHAINS, 100)
    along = thermodynamics(run)
    for energy in (1.01 * along.energy[0], 0.99 * along.energy[-1], -1):
        with pytest.raises(ValueError, match="^energy must be within the ladder, from .* β = 2.5 to .* β = 0, got"):
            beta_at_energy(run, energy)
    with pytest.raises(ValueError, match="^energy must be a finite number, got nan$"):
        beta_at_energy(run, np.nan)
    with pytest.raises(ValueError, match="^anchor must be a whole number from 0 to 0, got 3$"):
        beta_at_energy(run, 1.0, anchor=3)


def test_a_ladder_of_one_beta_has_none_at_an_energy():
    run = Ladder(Problem(length=3), (0.0, 0.0)).run(np.random.default_rng(5), 4, 50)
    with pytest.raises(ValueError, match="^energy must be within the ladder, from .* at β = 0 to .* at β = 0, got"):
        beta_at_energy(run, run.energies.mean())


def test_the_curve_along_a_ladder():
    run = with_profile(LADDER.run(np.random.default_rng(6), CHAINS, 400))
    found, along = resolution_curve(run), thermodynamics(run)
    for name in ("energy", "energy_error", "acceptance", "swap_acceptance"):
        np.testing.assert_array_equal(getattr(found, name), getattr(run, name)[0])
    np.testing.assert_allclose(found.heat_capacity, along.heat_capacity, rtol=1e-9)
    np.testing.assert_allclose(found.heat_capacity_error, along.heat_capacity_error, rtol=1e-6)
    np.testing.assert_allclose(found.information, information_bits(run.frequencies[0]).sum(-1))
    assert found.information_error.shape == (6,)
    assert (found.information_error > 0).all()


def test_the_steepest_fall_at_the_end_of_a_ladder_has_no_error():
    # ⟨E⟩ of this one falls most steeply at β = 0.
    run = Ladder(Problem(length=3), (0.0, 0.5, 1.0)).run(np.random.default_rng(7), CHAINS, 400)
    found = resolution_curve(with_profile(run))
    assert found.steepest == 0
    assert math.isnan(found.steepest_error)
