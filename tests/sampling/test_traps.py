"""Runs on traps, whose answers are known by counting: none may claim convergence with wrong numbers."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmaxent as jme

ANCHOR = np.array([0, 1, 2, 3])


def clipped(params, one_hot):
    """Return the mismatches with a motif at the start, up to a limit, as a share of it."""
    pattern, most = params
    return (jnp.minimum(jnp.sum(pattern) - jnp.sum(pattern * one_hot), most) / most)[None]


def trap(length, motif, most, beta):
    """Return the ensemble, and its exact ⟨E⟩ and log Z: j mismatches have C(k, j) 3^j 4^(L−k) sequences."""
    anchor = np.resize(ANCHOR, length)
    pattern = np.eye(4)[anchor] * (np.arange(length) < motif)[:, None]
    network = jme.Representation(clipped, (jnp.asarray(pattern), jnp.asarray(float(most))))
    j = np.arange(motif + 1)
    energies = np.minimum(j, most) / most
    number = [math.log(math.comb(motif, i)) + i * math.log(3) + (length - motif) * math.log(4) for i in j]
    log_weights = np.array(number) - beta * energies
    log_z = np.logaddexp.reduce(log_weights)
    return jme.Ensemble.create(network, anchor, beta=beta), np.exp(log_weights - log_z) @ energies, log_z


TRAPS = [
    (20, 12, 1, 18.83),
    (20, 10, 1, 16.06),
    (20, 14, 2, 22.9),
    (20, 8, 1, 13.3),
    (20, 12, 3, 20.4),
    (20, 20, 1, 27.3),
]


def judged(trapped, seed, **settings):
    """Return a run, after a check that it does not claim convergence with a wrong energy."""
    ensemble, energy, _ = trap(*trapped)
    run = jme.sample(jax.random.key(seed), ensemble, progress=False, **settings)
    right = abs(run.energy[0, -1] - energy) < 5 * run.energy_error[0, -1]
    assert right or not run.converged[0], run.outcomes[0]
    return run


@pytest.mark.parametrize("trapped", [pytest.param(TRAPS[0], marks=pytest.mark.exhaustive), TRAPS[1]])
def test_a_basin_that_only_the_anchor_leads_to_is_found_and_weighed(trapped):
    """Check traps in which 0.90 of the weight is where no chain from the background arrives."""
    _, _, log_z = trap(*trapped)
    run = judged(trapped, 0, until=jme.Precision(steps=20_000))
    assert run.converged[0], run.outcomes[0]
    assert run.energy_error[0, -1] < 0.03
    assert abs(run.log_z[0, -1] - log_z) < 5 * run.log_z_error[0, -1] < 0.5
    assert "from the reference" in run.outcomes[0]


@pytest.mark.parametrize("chains", [1, *(pytest.param(c, marks=pytest.mark.slow) for c in (2, 8))])
def test_a_basin_that_holds_the_weight_is_not_dismissed_without_a_second_leg(chains):
    """Check a trap in which 0.90 of the weight is where only the anchor-start chains are."""
    run = judged(TRAPS[0], 0, chains=chains, reference_rungs=0, until=jme.Precision(steps=2000))
    assert not run.converged[0]
    assert run.energy[0, -1] > 0.9  # exactly 0.100
    assert "neither can be dismissed" in run.outcomes[0]


@pytest.mark.slow
@pytest.mark.parametrize("chains", [1, 8])
def test_no_seed_calls_the_trap_converged_without_a_second_leg(chains):
    for seed in range(1, 2 if chains == 8 else 4):  # seed 0 is that of the test above
        run = judged(TRAPS[0], seed, chains=chains, reference_rungs=0, until=jme.Precision(steps=5000))
        assert not run.converged[0], (seed, run.outcomes[0])


@pytest.mark.slow
def test_no_trap_is_called_converged_over_wrong_numbers_with_several_anchor_start_chains():
    for trapped in TRAPS[2:3]:
        judged(trapped, 0, anchor_chains=4, until=jme.Precision(steps=5000))


@pytest.mark.slow
def test_chains_that_teach_the_reference_stay_where_the_anchor_is():
    """Check a target whose weight is elsewhere by 0.9: chains that swapped would leave, and teach the background."""
    motif, most = 12, 1
    ensemble, energy, _ = trap(20, motif, most, 14.43)
    assert 0.85 < energy < 0.95
    run = jme.sample(jax.random.key(0), ensemble, chains=2, steps=5, burn_in=2000, progress=False)
    at_anchor = run.reference[0, np.arange(20), np.resize(ANCHOR, 20)]
    assert at_anchor[:motif].min() > 0.8  # of the letters of the motif; 0.85 if it was never left
    assert at_anchor[motif:].max() < 0.6
