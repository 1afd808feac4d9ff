"""Runs with growing fields against enumeration: every rung, both ends, and what goes on from a checkpoint."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent import analysis
from jaxmaxent.kernels import Site
from jaxmaxent.sampling import NonFiniteEnergyError
from problems import GrowingProblem
from rungs import check_rungs

PROBLEM = GrowingProblem(beta=1.5, seed=3)
SETTINGS = {"ladder": 4, "reference_rungs": 3, "target_replicas": 2, "progress": False}


@pytest.fixture(scope="module")
def sampled():
    return jme.sample(jax.random.key(0), PROBLEM.ensemble(), chains=32, steps=6000, rule=Site(), **SETTINGS)


def test_all_rungs_and_both_ends_agree_with_enumeration(sampled):
    check_rungs(PROBLEM, sampled)
    log_z = exact.log_partition(PROBLEM.log_weights())
    assert 0 < sampled.leg_difference_error[0] < 0.05
    assert np.abs(sampled.leg_log_z[0] - log_z).max() < 5 * sampled.leg_difference_error[0]
    share = sampled.beta[0] / sampled.beta[0, -1]
    np.testing.assert_allclose(sampled.mu_share[0, :, 3:], np.tile(share[:, None], 5))
    assert (sampled.mu_share[0, :, :3] == 1).all()


def test_thermodynamics_are_those_of_the_rungs(sampled):
    found = analysis.thermodynamics(sampled)
    integral = analysis.thermodynamic_integration(sampled)
    within = analysis.sequences_within(sampled, [0.3, 0.8])
    for k, beta in enumerate(sampled.beta[0]):
        log_weights = PROBLEM.log_weights_at(beta)
        p = exact.distribution(log_weights)
        entropy = -(p * np.log2(p)).sum()
        assert abs(found.entropy[k] - entropy) <= 5 * found.entropy_error[k] + 1e-5
        assert abs(found.energy[k] - p @ PROBLEM.energies) < 5 * found.energy_error[k]
        bound = 5 * integral.standard_error[k] + integral.quadrature[k] + 1e-5
        assert abs(integral.log_z[k] - exact.log_partition(log_weights)) <= bound
    counts = (PROBLEM.energies[:, None] <= within.energy).sum(0)
    assert (np.abs(within.log10_number - np.log10(counts)) < 5 * within.log10_number_error).all()
    assert (within.log10_number_error < 0.05).all()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda run: analysis.beta_at_energy(run, 0.5), "run must have no field that grows .* got 'CNT': ⟨E⟩ need not"),
        (analysis.resolution_curve, "run must have no field that grows along the ladder, got 'CNT': the slope"),
        (analysis.composition_shift, "run must have no field that grows along the ladder, got 'CNT': the background"),
        (analysis.composition_response, "run must have no field that grows along the ladder, got 'CNT': the backgr"),
    ],
)
def test_analyses_that_need_the_same_fields_at_every_rung_refuse(sampled, function, message):
    with pytest.raises(ValueError, match=message):
        function(sampled)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"evaluation": "incremental"}, {"ladder": None, "chains": 64}])
def test_the_default_rules_and_one_beta_agree_with_enumeration(settings):
    given = SETTINGS | {"chains": 16, "steps": 8000} | settings
    if given["ladder"] is None:
        given = {name: value for name, value in given.items() if name not in ("reference_rungs", "target_replicas")}
    run = jme.sample(jax.random.key(1), PROBLEM.ensemble(), **given)
    assert run.mu_share[0, -1].tolist() == [1.0] * 8
    if given["ladder"] is not None:
        check_rungs(PROBLEM, run)
        return
    p = PROBLEM.distribution()
    gap = np.abs(run.frequencies[0, 0] - exact.letter_frequencies(p, PROBLEM.states, 4))
    assert (gap < 5 * run.frequency_errors[0, 0]).all()
    means = [p @ count(PROBLEM.states) for count in PROBLEM.counts]
    assert (np.abs(run.field_mean[0, 0] - means) < 5 * run.field_error[0, 0]).all()


@pytest.mark.slow
def test_growing_fields_go_with_forbidden_letters():
    """With a motif that a forbidden letter makes impossible, on both legs."""
    table = np.zeros((4, 4))
    table[[0, 1, 3], [(PROBLEM.anchor[i] + 1) % 4 for i in (0, 1, 3)]] = -np.inf
    fields = [jme.position_prior(table), jme.motif_count("CNT", 1.0), jme.count(count_pairs, -0.7)]
    ensemble = PROBLEM.ensemble(fields=fields)
    run = jme.sample(jax.random.key(2), ensemble, chains=16, steps=4000, rule=Site(), **SETTINGS)
    allowed = ~np.isinf(table[np.arange(4), PROBLEM.states]).any(1)
    counts = np.stack([PROBLEM.counts[3](PROBLEM.states), 3 - PROBLEM.counts[7](PROBLEM.states)], -1)
    for k, beta in enumerate(run.beta[0]):
        share = beta / PROBLEM.beta
        log_weights = -beta * PROBLEM.energies + share * counts @ [1.0, -0.7]
        p = exact.distribution(log_weights, allowed)
        gap = np.abs(run.frequencies[0, k] - exact.letter_frequencies(p, PROBLEM.states, 4))
        varies = run.frequency_errors[0, k] > 0
        assert (gap[varies] < 5 * run.frequency_errors[0, k][varies]).all()
        assert gap[~varies & np.isinf(table)].max() == 0
        assert (np.abs(run.field_mean[0, k, 1:] - p @ counts) < 5 * run.field_error[0, k, 1:]).all()
        log_z = exact.log_partition(log_weights, allowed)
        assert abs(run.log_z[0, k] - log_z) <= 5 * run.log_z_error[0, k] + 1e-5
    assert np.abs(run.leg_log_z[0] - log_z).max() < 5 * run.leg_difference_error[0]


def count_pairs(tokens):
    return jnp.sum(tokens[1:] == tokens[:-1])


def test_a_ladder_needs_a_beta_to_grow_along():
    ensemble = PROBLEM.ensemble(beta=0.0)
    with pytest.raises(ValueError, match="ladder must be None at β = 0 with fields that grow along it, such as 'CNT'"):
        jme.sample(jax.random.key(0), ensemble, progress=False)
    with pytest.raises(ValueError, match="ensemble must have a β above 0 with fields that grow along a ladder"):
        jme.check(ensemble)
    with pytest.raises(ValueError, match="ensemble must have a β above 0 with fields that grow along a ladder"):
        analysis.solve_chemical_potential(jax.random.key(0), ensemble, 0.5)
    with pytest.raises(ValueError, match=r'rule must be "median" or "acceptance" with fields that grow.*got .auto.'):
        analysis.auto_beta(PROBLEM.ensemble(), key=jax.random.key(0))


def fails_at_once(tokens):
    """NaN for all but sequences that are all alike."""
    return jnp.where((tokens == tokens[0]).all(), 0.0, jnp.nan)


def fails_sometimes(tokens):
    return jnp.where((tokens == jnp.array([1, 2, 3, 0])).all(), jnp.inf, 0.0)


@pytest.mark.parametrize("function", [fails_at_once, fails_sometimes])
def test_a_count_that_is_not_finite_stops_the_run(function):
    ensemble = PROBLEM.ensemble(anchor="AAAA", fields=[jme.count(function, 1.0)])
    start = "anchor" if function is fails_sometimes else "background"
    with pytest.raises(NonFiniteEnergyError, match="the network or a field returned a NaN or infinite"):
        jme.sample(
            jax.random.key(0), ensemble, ladder=None, chains=64, steps=2000, rule=Site(), start=start, progress=False
        )


def test_an_answer_for_a_growing_field_and_one_beside_it():
    """The first guess is the field's own μ, because β = 0 says nothing of it."""
    fields = [jme.composition("GC"), jme.count(count_pairs, 0.3, name="pairs")]
    ensemble = PROBLEM.ensemble(fields=fields)
    found = analysis.solve_chemical_potential(
        jax.random.key(0), ensemble, [0.45, 0.3], field=["GC", "pairs"], ladder=None, chains=32, tolerance=0.1,
        progress=False,
    )  # fmt: skip
    assert found.reached.all(), found.outcomes
    counts = np.array([[np.isin(x, (1, 2)).sum(), np.sum(x[1:] == x[:-1])] for x in PROBLEM.states])
    p = exact.distribution(-PROBLEM.beta * PROBLEM.energies + counts @ found.mu[0])
    slope = np.cov(counts.T, aweights=p, ddof=0) / 4
    error = np.sqrt(np.diag(slope @ found.covariance[0] @ slope))
    assert (np.abs(p @ counts / 4 - [0.45, 0.3]) < 5 * error).all()
    assert (error < 0.05).all()


def test_a_run_is_saved_with_its_shares(sampled, tmp_path):
    sampled.save(tmp_path / "run.npz")
    again = jme.Run.load(tmp_path / "run.npz")
    np.testing.assert_array_equal(again.mu_share, sampled.mu_share)
    assert dataclasses.replace(again).field_names == sampled.field_names
