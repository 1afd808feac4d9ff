"""The comparison of all rungs of a run with enumeration."""

import numpy as np
import pytest

import exact


def check_rungs(problem, run):
    """Check the estimates of a run of one anchor at every rung, each within its own errors."""
    assert run.converged.all(), run.outcomes
    free = np.isin(np.arange(problem.length), problem.movable)
    for k, beta in enumerate(run.beta[0]):
        log_weights = problem.log_weights_at(beta)
        p = exact.distribution(log_weights, problem.allowed)
        gap = np.abs(run.frequencies[0, k] - exact.letter_frequencies(p, problem.states, problem.letters))
        assert (run.frequency_errors[0, k][free] < 0.02).all()
        assert (gap[free] < 5 * run.frequency_errors[0, k][free]).all()
        assert gap[~free].max(initial=0) < 1e-12
        energy, _ = exact.mean_and_variance(p, problem.energies)
        assert abs(run.energy[0, k] - energy) < 5 * run.energy_error[0, k]
        for f, count in enumerate(problem.counts):
            mean, variance = exact.mean_and_variance(p, count(problem.states))
            assert abs(run.field_mean[0, k, f] - mean) < 5 * run.field_error[0, k, f]
            assert run.field_variance[0, k, f] == pytest.approx(variance, rel=0.1)
        log_z = exact.log_partition(log_weights, problem.allowed)
        assert abs(run.log_z[0, k] - log_z) <= 5 * run.log_z_error[0, k] + 1e-5
