"""The two published rules for β. They use the anchor's single-letter mutants only: a few hundred evaluations."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble

ACCEPTANCE, SURVIVAL = 0.1, 0.05
_CHUNK = 256  # mutants evaluated at once
# Changes below so many units of rounding of the weighted features count as 0: the network does not see the change.
_ROUNDING = 16
_HALVINGS = 100


def beta_by_acceptance(ensemble: Ensemble, target: float = ACCEPTANCE) -> Float[np.ndarray, " anchors"]:
    """Return the β at which the mean of min(1, exp(−β E)) over all single-letter mutants is `target`; shape [anchors].

    That is the acceptance rate of Metropolis steps from the anchor itself, without fields.

    Args:
        ensemble: one anchor or several; its own β is ignored.
        target: the mean, between 0 and 1.

    Raises:
        ValueError: if the target is out of range, or so many mutants are at distance 0 that no β reaches it.

    Example:
        >>> ensemble = ensemble.with_beta(analysis.beta_by_acceptance(ensemble, 0.1))
    """
    target = checks.number("target", target, above=0, below=1)
    beta, unseen = by_acceptance(mutant_energies(ensemble), target)
    without = np.flatnonzero(np.isnan(beta))
    if without.size:
        raise ValueError(
            f"target must be above the share of mutants at distance 0, {unseen[without[0]]:.3g} at anchor "
            f"{without[0]}, got {target:g}"
        )
    return beta


def beta_by_median(ensemble: Ensemble, survival: float = SURVIVAL) -> Float[np.ndarray, " anchors"]:
    """Return −ln(survival) over the median distance of single-letter mutants that the network sees; shape [anchors].

    At this β half of them are accepted from the anchor with a chance of at most `survival`.

    Args:
        ensemble: one anchor or several; its own β is ignored.
        survival: that chance, between 0 and 1.

    Raises:
        ValueError: if the chance is out of range, or an anchor has no mutant that the network sees.

    Example:
        >>> ensemble = ensemble.with_beta(analysis.beta_by_median(ensemble))
    """
    survival = checks.number("survival", survival, above=0, below=1)
    return medians(mutant_energies(ensemble), survival)[1]


def mutant_energies(ensemble: Ensemble) -> Float[np.ndarray, "anchors movable others"]:
    """Return the distances of all single-letter mutants from their anchor, shape [anchors, movable, letters − 1].

    Only positions that may move are changed, to the other letters in the alphabet's order. Distances within rounding
    error of 0 are 0. For a contrast, whose anchor has an energy of its own, they are |E(x) − E(x0)|, the size of the
    change. If anchors hold different positions, those at positions that an anchor holds are
    NaN.

    Raises:
        ValueError: if `ensemble` is no ensemble, or an energy is not finite.

    Example:
        >>> analysis.mutant_energies(ensemble).shape  # [anchors, movable, letters − 1]
        (3, 24, 3)
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
        noise = float(one.metric.noise(one.reference, one.weights, _ROUNDING))
        changes = np.abs(energies - np.asarray(one.anchor_energy()))
        found.append(np.where(changes > noise, changes, 0).astype(np.float64))
    energies = np.stack(found).reshape(batch.anchors, len(batch.movable), -1)
    if batch.held is None:
        return energies
    return np.where(np.asarray(batch.held)[:, np.asarray(batch.movable), None], np.nan, energies)


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


def medians(energies: np.ndarray, survival: float) -> tuple[np.ndarray, np.ndarray]:
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


def by_acceptance(energies: np.ndarray, target: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the β of every anchor by bisection, NaN if there is none, and the share of its mutants at distance 0."""
    flat = energies.reshape(len(energies), -1)
    unseen = np.nanmean(np.where(np.isnan(flat), np.nan, flat == 0), 1)
    found = unseen < target
    least = np.array([row[row > 0].min(initial=np.inf) for row in flat])
    with np.errstate(divide="ignore", invalid="ignore"):
        high = np.where(found, -np.log((target - unseen) / (1 - unseen)) / least, 0.0)
    low = np.zeros(len(flat))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = np.nanmean(np.exp(-middle[:, None] * flat), 1) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(found, (low + high) / 2, np.nan), unseen
