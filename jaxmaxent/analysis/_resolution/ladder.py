"""β from the ladder of a run: where a mean distance or a number of bits is reached, and what changes along it.

A wanted mean distance ⟨E⟩ is the constraint of the maximum entropy formulation itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.analysis._run_parts import anchor_of, checked_run, refuse_growing
from jaxmaxent.analysis._thermodynamics.mbar import Mbar, mbar, standard_error
from jaxmaxent.analysis._thermodynamics.thermodynamics import of_draws
from jaxmaxent.results import Run
from jaxmaxent.results._blank import beta_at_value
from jaxmaxent.results._information import information_bits, information_errors

_BETWEEN = 8  # β's tried from one rung to the next, to find the steepest


class Resolution(NamedTuple):
    """A β found on a ladder.

    Attributes:
        beta: β.
        standard_error: its standard error, with chains − 1 degrees of freedom.
    """

    beta: float
    standard_error: float


class ResolutionCurve(NamedTuple):
    """The changes along the ladder of one anchor, from coarse to fine.

    Attributes:
        beta: β, shape [rungs].
        energy: mean energy ⟨E⟩, shape [rungs].
        energy_error: its standard error.
        information: bits of all positions added up, shape [rungs].
        information_error: the sum of their standard errors, an upper bound of the standard error.
        acceptance: share of the proposals that changed a sequence, shape [rungs]; NaN where β = 0 is drawn.
        swap_acceptance: mean acceptance probability of swaps of neighboring rungs, shape [rungs − 1].
        heat_capacity: β² Var E, shape [rungs].
        heat_capacity_error: its standard error.
        steepest: the β within the ladder at which ⟨E⟩ falls most steeply, where the network begins to distinguish the
            anchor from the background.
        steepest_error: its standard error; NaN if the steepest is an end of the ladder.
    """

    beta: Float[np.ndarray, " rungs"]
    energy: Float[np.ndarray, " rungs"]
    energy_error: Float[np.ndarray, " rungs"]
    information: Float[np.ndarray, " rungs"]
    information_error: Float[np.ndarray, " rungs"]
    acceptance: Float[np.ndarray, " rungs"]
    swap_acceptance: Float[np.ndarray, " pairs"]
    heat_capacity: Float[np.ndarray, " rungs"]
    heat_capacity_error: Float[np.ndarray, " rungs"]
    steepest: float
    steepest_error: float


def beta_at_energy(run: Run, energy: float, *, anchor: int = 0) -> Resolution:
    """Return the β at which ⟨E⟩ is `energy`, from the ladder of a run.

    Between rungs ⟨E⟩ is estimated from the draws of all of them by MBAR, which adds no other error.

    Args:
        run: a run with a ladder.
        energy: the wanted mean distance, within the range of the ladder.
        anchor: index of the anchor.

    Raises:
        ValueError: if the energy is out of range, for fields that grow along the ladder, and as `thermodynamics` does.

    Example:
        >>> beta = analysis.beta_at_energy(run, run.energy[0, 1:3].mean())
    """
    energy = checks.number("energy", energy)
    pooled = mbar(run, anchor)
    refuse_growing(run, "⟨E⟩ need not fall with β then")
    first, last = pooled.betas[[0, -1]]
    (high, *_), (low, *_) = _cumulants(pooled, first), _cumulants(pooled, last)
    rounding = 1e-9 * (high - low)
    if not (low < high and low - rounding <= energy <= high + rounding):
        raise ValueError(
            f"energy must be within the ladder, from {low:.4g} at β = {last:g} to {high:.4g} at β = {first:g}, "
            f"got {energy:g}"
        )
    wanted = min(max(energy, low), high)
    beta = _root(lambda b: _cumulants(pooled, b)[0] - wanted, first, last)
    (of_mean, _), (_, variance, _) = _influences(pooled, beta), _cumulants(pooled, beta)
    return Resolution(beta, float(standard_error(of_mean) / variance))


def beta_at_information(run: Run, information: float, *, anchor: int = 0) -> Resolution:
    """Return the β at which the letters hold so many bits in total, by interpolation between the rungs of a run.

    The bits are those of `run.total_information`. A rung that holds fewer than the one before counts as equal to it.
    The standard error is an upper limit: that of the bits at the nearest rung, over their slope.

    Args:
        run: a run with a ladder.
        information: the wanted bits, within the range of the ladder.
        anchor: index of the anchor.

    Raises:
        ValueError: if the information is out of range, or there is no such anchor.

    Example:
        `beta_at_information(run, 12.0).beta`
    """
    information = checks.number("information", information)
    checked_run(run, "total_information")
    anchor = anchor_of(run, anchor)
    beta, bits = run.beta[anchor], run.total_information[anchor]
    grown = np.maximum.accumulate(bits)
    if not grown[0] <= information <= grown[-1]:
        raise ValueError(
            f"information must be within the ladder, from {grown[0]:.4g} bits at β = {beta[0]:g} to {grown[-1]:.4g} "
            f"at β = {beta[-1]:g}, got {information:g}"
        )
    found = beta_at_value(beta, bits, information)
    above = max(int(np.searchsorted(grown, information)), 1)
    slope = (grown[above] - grown[above - 1]) / (beta[above] - beta[above - 1])
    error = run.total_information_error[anchor, above]
    return Resolution(found, float(error / slope) if slope > 0 else math.inf)


def resolution_curve(run: Run, *, anchor: int = 0) -> ResolutionCurve:
    """Return energy, information, acceptance, swaps and heat capacity along the ladder of one anchor.

    Args:
        run: a run with a ladder.
        anchor: index of the anchor.

    Raises:
        ValueError: for fields that grow along the ladder, and as `thermodynamics` does.

    Example:
        >>> found = analysis.resolution_curve(run)
    """
    pooled = mbar(run, anchor)
    refuse_growing(run, "the slope of ⟨E⟩ is not its variance then")
    along = of_draws(pooled)
    frequencies, errors = run.frequencies[anchor], run.frequency_errors[anchor]
    steepest, steepest_error = _steepest(pooled)
    return ResolutionCurve(
        beta=pooled.betas,
        energy=run.energy[anchor],
        energy_error=run.energy_error[anchor],
        information=information_bits(frequencies).sum(-1),
        information_error=information_errors(frequencies, errors).sum(-1),
        acceptance=run.acceptance[anchor],
        swap_acceptance=run.swap_acceptance[anchor],
        heat_capacity=along.heat_capacity,
        heat_capacity_error=along.heat_capacity_error,
        steepest=steepest,
        steepest_error=steepest_error,
    )


def _cumulants(pooled: Mbar, beta: float) -> tuple[float, float, float]:
    """Return the first three cumulants of E at a β: ⟨E⟩, −d⟨E⟩/dβ and d²⟨E⟩/dβ²."""
    exponents = pooled.log_density - beta * pooled.energies
    weights = np.exp(exponents - exponents.max())
    weights /= weights.sum()
    mean = float((weights * pooled.energies).sum())
    squares = weights * (pooled.energies - mean) ** 2
    return mean, float(squares.sum()), float((squares * (pooled.energies - mean)).sum())


def _influences(pooled: Mbar, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the influence of every chain on the first and the third cumulant at a β, each of shape [chains]."""
    mean, variance, _ = _cumulants(pooled, beta)
    centered = pooled.energies - mean
    _, influence = pooled.averages(np.array([beta]), np.stack([centered, centered**3], axis=-1))
    of_mean, of_cubes = influence[:, 0].T
    return of_mean, of_cubes - 3 * variance * of_mean


def _steepest(pooled: Mbar) -> tuple[float, float]:
    """Return the β with the largest −d⟨E⟩/dβ = Var E, and its standard error.

    d Var E / dβ is minus the third cumulant, which is 0 there. Its error over its slope is the error of β.
    """
    parts = np.linspace(pooled.betas[:-1], pooled.betas[1:], _BETWEEN, endpoint=False, axis=-1).ravel()
    grid = np.append(parts, pooled.betas[-1])
    _, variance, third = np.array([_cumulants(pooled, beta) for beta in grid]).T
    top = int(variance.argmax())
    if top in (0, len(grid) - 1) or not third[top - 1] < 0 < third[top + 1]:
        return float(grid[top]), math.nan
    beta = _root(lambda b: _cumulants(pooled, b)[2], grid[top - 1], grid[top + 1])
    slope = (third[top + 1] - third[top - 1]) / (grid[top + 1] - grid[top - 1])
    return beta, float(standard_error(_influences(pooled, beta)[1]) / slope)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq  # slow to import, and it changes warning filters

    return float(brentq(function, low, high, xtol=1e-12))  # pyright: ignore[reportArgumentType]
