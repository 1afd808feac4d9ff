"""Runs for the report's tests: never sampled, with letter frequencies that a logo can show."""

import dataclasses

import numpy as np
from made_up_runs import made_up

from jaxmaxent.analysis import Necessity, Sufficiency
from jaxmaxent.analysis._couplings import CoupledPair, Couplings

HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
LENGTH, RUNGS, WINDOW = 60, 5, (20, 29)


def report_run(anchors=3, *, length=LENGTH, letters="ACGT", failing=(), names=None, rungs=RUNGS):
    """A run whose letters tell nothing at β = 0, and most inside `WINDOW` at the target.

    Its legs agree, but for those of the third anchor. The fourth anchor has no second leg.
    """
    rng = np.random.default_rng(1)
    run = made_up(
        anchor=min(anchors, 3), rung=rungs, position=length, letter=len(letters), chain=2, state=8, draws=False
    )
    run = run.take(np.arange(anchors) % 3)
    shape = (anchors, rungs, length, len(letters))
    sharp = np.linspace(0, 5, rungs)[:, None] * np.isin(np.arange(length), np.arange(*WINDOW))
    weights = np.exp(sharp[..., None] * rng.random(shape))
    frequencies = weights / weights.sum(-1, keepdims=True)
    ess = 10 ** rng.uniform(2, 4, shape)
    errors = np.sqrt(frequencies * (1 - frequencies) / ess)
    errors[1:2, :, 0], ess[1:2, :, 0, 0] = np.nan, 0  # of the second anchor, which has no information in total then
    anchor = rng.integers(0, len(letters), (anchors, length), np.uint8)
    reference = 0.8 * frequencies[:, -1] + 0.2 / len(letters)
    reference[3:4] = np.nan
    leg_log_z = np.tile([10.25, 10.3], (anchors, 1)) + 2.0 * (np.arange(anchors) == 2)[:, None] * [0, 1]
    beta = np.broadcast_to(np.linspace(0, 80, rungs), (anchors, rungs)).copy()
    converged = np.array([a not in failing for a in range(anchors)])
    return dataclasses.replace(
        run,
        names=tuple(names or (f"anchor {a}" for a in range(anchors))),
        letters=letters,
        outcomes=tuple("converged after 640 steps" if good else "not converged after 640 steps" for good in converged),
        converged=converged, beta=beta, frequencies=frequencies, frequency_errors=errors, frequency_ess=ess,
        frequency_rhat=1 + rng.exponential(0.01, shape), anchors=anchor,
        reference=reference, leg_log_z=leg_log_z, leg_difference_error=np.full(anchors, 0.02),
        arrivals=np.full(anchors, 900), reference_arrivals=np.full(anchors, 800),
        energy=np.abs(rng.normal(1, 0.2, (anchors, rungs))), mobility=np.full(anchors, 0.8),
        swap_acceptance=rng.random((anchors, rungs - 1)), energy_ess=np.full((anchors, rungs), 900.0),
        field_ess=np.full((anchors, rungs, 2), 900.0), energy_rhat=np.full((anchors, rungs), 1.001),
        field_rhat=np.full((anchors, rungs, 2), 1.001),
    )  # fmt: skip


def maps_of(run):
    """Maps of necessity and sufficiency of the anchors of a run."""
    rng, shape = np.random.default_rng(2), run.anchors.shape
    values, errors = rng.random((2, *shape)), rng.random((2, *shape)) / 10
    background = np.ones(len(run.names))
    necessity = Necessity(values[0], errors[0], values[0], errors[0], 6, 16, 100)
    return necessity, Sufficiency(values[1], errors[1], values[1], errors[1], background, background / 10, 12, 32, 100)


def couplings_of(pairs):
    """Couplings with these pairs of positions, in which A and T go together."""
    excess, matrix = np.zeros((4, 4)), np.zeros((2, 2))
    excess[0, 3] = 0.2
    found = tuple(CoupledPair(i, j, 0.3, 0.02, 1e-3, 1e-2, excess, excess / 10) for i, j in pairs)
    return Couplings(0, "ACGT", *(matrix,) * 7, 10, found)
