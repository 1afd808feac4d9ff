"""Resolution: the choice of β.

β determines how close to the anchor a sequence must be to count as equal to it. Two common rules use the anchor's
single-letter mutants only, so they cost a few hundred evaluations. In the maximum entropy formulation the constraint is
the mean distance ⟨E⟩; the β of a wanted ⟨E⟩ is found on the ladder of a run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent import checks
from jaxmaxent.analysis._profiles.information import information_bits, information_errors
from jaxmaxent.analysis._thermodynamics.mbar import Mbar, mbar, standard_error
from jaxmaxent.analysis._thermodynamics.thermodynamics import of_draws
from jaxmaxent.ensembles import Ensemble, weighted_distance
from jaxmaxent.results import Run

_CHUNK = 256  # mutants evaluated at once
# Energies below so many units of rounding of the weighted features count as 0: the network does not see the change.
_ROUNDING = 16
_ACCEPTANCE, _SURVIVAL = 0.1, 0.05
_BETWEEN = 8  # β's tried from one rung to the next, to find the steepest
_HALVINGS = 100


class Resolution(NamedTuple):
    """A β found on a ladder.

    Attributes:
        beta: β.
        standard_error: its standard error, with chains − 1 degrees of freedom.
    """

    beta: float
    standard_error: float


class AutoBeta(NamedTuple):
    """A β for every anchor.

    Attributes:
        beta: β, shape [anchors].
        reasons: a sentence per anchor that says why.
    """

    beta: Float[np.ndarray, " anchors"]
    reasons: tuple[str, ...]


class ResolutionCurve(NamedTuple):
    """Energy, information and other quantities along the ladder of one anchor, from small to large β.

    Attributes:
        beta: β, shape [rungs].
        energy: mean energy ⟨E⟩, shape [rungs].
        energy_error: its standard error.
        information: bits of all positions added up, shape [rungs].
        information_error: the sum of their standard errors, an upper bound of the standard error.
        acceptance: share of the proposals that changed a sequence, shape [rungs]; NaN at β = 0 if it is drawn exactly.
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


def auto_beta(ensemble: Ensemble) -> AutoBeta:
    """Choose a β for every anchor without sampling, by `beta_by_median`; the reasons also give `beta_by_acceptance`.

    The rule of the median is used for two reasons. It always has an answer, and mutants whose distance from the anchor
    is nearly 0 hardly change it. Such mutants raise the mean acceptance. As their share approaches 0.1, β by acceptance
    grows without bound, and no longer describes the letters that matter to the network. The distances of mutants differ
    between anchors, so each anchor has its own β. At the β of either rule most changes of a single letter are refused;
    it is well above the β at which ⟨E⟩ falls most steeply. A run at this β also gives the results at all smaller β's of
    its ladder.

    Args:
        ensemble: one anchor or several; its own β is ignored.

    Raises:
        ValueError: if the network distinguishes no single-letter mutant from its anchor.
    """
    energies = mutant_energies(ensemble)
    median, beta = _medians(energies, _SURVIVAL)
    by_acceptance, unseen = _by_acceptance(energies, _ACCEPTANCE)
    return AutoBeta(beta, tuple(map(_reason, beta, median, by_acceptance, unseen)))


def beta_by_acceptance(ensemble: Ensemble, target: float = _ACCEPTANCE) -> Float[np.ndarray, " anchors"]:
    """Return the β at which the mean of min(1, exp(−β E)) over all single-letter mutants is `target`; shape [anchors].

    That is the acceptance rate of Metropolis steps from the anchor itself, without fields.

    Args:
        ensemble: one anchor or several; its own β is ignored.
        target: the mean, between 0 and 1.

    Raises:
        ValueError: if the target is out of range, or so many mutants are at distance 0 that no β reaches it.
    """
    target = checks.number("target", target, above=0, below=1)
    beta, unseen = _by_acceptance(mutant_energies(ensemble), target)
    without = np.flatnonzero(np.isnan(beta))
    if without.size:
        raise ValueError(
            f"target must be above the share of mutants at distance 0, {unseen[without[0]]:.3g} at anchor "
            f"{without[0]}, got {target:g}"
        )
    return beta


def beta_by_median(ensemble: Ensemble, survival: float = _SURVIVAL) -> Float[np.ndarray, " anchors"]:
    """Return −ln(survival) over the median distance of single-letter mutants with E > 0; shape [anchors].

    At this β half of these mutants have an acceptance probability of at most `survival`, from the anchor and without
    fields.

    Args:
        ensemble: one anchor or several; its own β is ignored.
        survival: that probability, between 0 and 1.

    Raises:
        ValueError: if the probability is out of range, or the network distinguishes no mutant from its anchor.
    """
    survival = checks.number("survival", survival, above=0, below=1)
    return _medians(mutant_energies(ensemble), survival)[1]


def beta_at_energy(run: Run, energy: float, *, anchor: int = 0) -> Resolution:
    """Return the β at which ⟨E⟩ is `energy`, from the ladder of a run.

    Between rungs ⟨E⟩ is estimated by MBAR from the draws of all rungs, without an error of interpolation.

    Args:
        run: a run with a ladder.
        energy: the wanted mean distance, within the range of the ladder.
        anchor: index of the anchor.

    Raises:
        ValueError: if the energy is out of range, and as `thermodynamics` does.
    """
    energy = checks.number("energy", energy)
    pooled = mbar(run, anchor)
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


def resolution_curve(run: Run, *, anchor: int = 0) -> ResolutionCurve:
    """Return energy, information, acceptance, swaps and heat capacity along the ladder of one anchor.

    Args:
        run: a run with a ladder.
        anchor: index of the anchor.

    Raises:
        ValueError: as `thermodynamics` does.
    """
    pooled = mbar(run, anchor)
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


def mutant_energies(ensemble: Ensemble) -> Float[np.ndarray, "anchors movable others"]:
    """Return the distances of all single-letter mutants from their anchor, shape [anchors, movable, letters − 1].

    Only positions that may move are changed, to the other letters in the alphabet's order. Distances within rounding
    error of 0 are 0.

    Raises:
        ValueError: if `ensemble` is no ensemble, or an energy is not finite.
    """
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    batch, found = ensemble.batched(), []
    for a in range(batch.anchors):
        one = batch.take(a)
        energies = np.asarray(_energies(one, _mutants(one)))
        if not np.isfinite(energies).all():
            raise ValueError(
                f"ensemble must have finite energies, got another for a single-letter mutant of anchor {a}"
            )
        noise = _ROUNDING * np.finfo(energies.dtype).eps * float(weighted_distance(one.reference, one.weights))
        found.append(np.where(energies > noise, energies, 0).astype(np.float64))
    return np.stack(found).reshape(batch.anchors, len(batch.movable), -1)


def _mutants(ensemble: Ensemble) -> Int[Array, "mutants length"]:
    """Return all single-letter mutants of one anchor."""
    anchor, movable = np.asarray(ensemble.anchor), np.asarray(ensemble.movable)
    letters = np.arange(len(ensemble.alphabet))
    others = np.array([letters[letters != anchor[i]] for i in movable])
    rows = np.tile(anchor, (*others.shape, 1))
    rows[np.arange(len(movable)), :, movable] = others
    return jnp.asarray(rows.reshape(-1, len(anchor)), jnp.int32)


@jax.jit
def _energies(ensemble: Ensemble, tokens: Int[Array, "mutants length"]) -> Float[Array, " mutants"]:
    return jax.lax.map(ensemble.energy, tokens, batch_size=_CHUNK)


def _medians(energies: np.ndarray, survival: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the median of every anchor's energies that are not 0, and the β by it."""
    seen = [row[row > 0] for row in energies]
    blind = [a for a, row in enumerate(seen) if not row.size]
    if blind:
        raise ValueError(
            f"ensemble must have single-letter mutants that the network sees, got anchor {blind[0]} with all of them "
            f"at distance 0"
        )
    median = np.array([np.median(row) for row in seen])
    return median, -math.log(survival) / median


def _by_acceptance(energies: np.ndarray, target: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the β of every anchor by bisection, NaN if there is none, and the share of its mutants at distance 0."""
    flat = energies.reshape(len(energies), -1)
    unseen = (flat == 0).mean(1)
    found = unseen < target
    least = np.array([row[row > 0].min(initial=np.inf) for row in flat])
    with np.errstate(divide="ignore", invalid="ignore"):
        high = np.where(found, -np.log((target - unseen) / (1 - unseen)) / least, 0.0)
    low = np.zeros(len(flat))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = np.exp(-middle[:, None] * flat).mean(1) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(found, (low + high) / 2, np.nan), unseen


def _reason(beta: float, median: float, by_acceptance: float, unseen: float) -> str:
    other = (
        f"a mean acceptance of {_ACCEPTANCE:g} over all changes would take β = {by_acceptance:.4g}"
        if math.isfinite(by_acceptance)
        else f"no β has a mean acceptance of {_ACCEPTANCE:g}, because the network does not see {unseen:.0%} of changes"
    )
    return (
        f"β = {beta:.4g}: from the anchor, half of the single-letter changes that the network sees are then accepted "
        f"with a chance of at most {_SURVIVAL:g}, because their median distance is {median:.3g}; {other}"
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
