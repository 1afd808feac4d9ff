"""Anchor-start chains beside those from the background: where the two agree, and which to believe.

At a large β the anchor and its neighbours can be a state that no chain leaves. Its chains look converged, but the
weight of the ensemble may lie elsewhere. The same is true of the state that chains from the background find. log Z
decides which of the two weighs more. For the chains from the background it is exact at β = 0 and estimated along the
ladder. For the state of the anchor there is an upper bound: independent letters have the largest entropy that their
frequencies allow, so that

    log Z(state) ≤ −β ⟨E⟩ + Σ_k μ_k ⟨N_k⟩ + Σ_i H_i

over the draws of the chains in it, with H_i the entropy of the letters at position i. The state is dismissed only if
its share of the weight under that limit is below 1 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from jaxmaxent.diagnostics._batch_means import batch_ess, batch_means_ess, batch_means_mcse
from jaxmaxent.diagnostics._stored_draws import MIN_DRAWS, rhat

# Means further apart than this many standard errors count as different; limits lie as many above the estimates.
_APART = 4.0
# Anchor-start chains that spend a share f of their time in another state differ by four standard errors only if
# f ≥ 16 / (16 + n), where n is their number of effective draws. With fewer draws than this, agreement shows too little.
_FEWEST = 50
# So many anchor-start chains, or parts of them in time, must have left the anchor, with an R-hat of at most this.
_UNITS, _ALIKE = 4, 1.2
# A state whose share of the weight is below this is dismissed.
_SHARE = 0.01
_ENERGY, _CHANGED, _FIELDS = 0, 1, 2


class ScalarBatches(NamedTuple):
    """Energies and distances in letters of chains of one anchor.

    Attributes:
        batches: means of batches, shape [batches, chains, rungs, 2].
        mean: means of all draws, shape [chains, rungs, 2].
        variance: variances of all draws, shape [chains, rungs, 2].
        size: draws of a batch.
    """

    batches: Float[np.ndarray, "batches chains rungs 2"]
    mean: Float[np.ndarray, "chains rungs 2"]
    variance: Float[np.ndarray, "chains rungs 2"]
    size: int


class AnchorStart(NamedTuple):
    """Energies of the anchor-start chains of one anchor, and how they compare with the other chains.

    Attributes:
        energy: their mean energy, shape [rungs].
        error: its standard error, shape [rungs].
        agrees: whether energies and distances agree with those of the other chains, shape [rungs].
        size: effective draws of their energy or distance at the target, whichever are fewer.
        limit: upper limit of log Z of the state they are in at the target; NaN if it is unknown.
        unknown: why it is unknown, or an empty string.
    """

    energy: Float[np.ndarray, " rungs"]
    error: Float[np.ndarray, " rungs"]
    agrees: Bool[np.ndarray, " rungs"]
    size: float
    limit: float = math.nan
    unknown: str = ""


def compare_starts(others: ScalarBatches, started: ScalarBatches) -> AnchorStart:
    """Compare chains that started at an anchor with the other chains; without the limit of log Z.

    Args:
        others: energies and distances of the chains from the background.
        started: those of the chains that started at the anchor.
    """
    mean, error = zip(*(_means(group) for group in (others, started)), strict=True)
    gap = np.abs(mean[1] - mean[0])
    agrees = (gap <= _APART * np.hypot(np.nan_to_num(error[0]), np.nan_to_num(error[1]))).all(1)
    return AnchorStart(mean[1][:, _ENERGY], error[1][:, _ENERGY], agrees, _size(started))


def _means(group: ScalarBatches) -> tuple[np.ndarray, np.ndarray]:
    """Return means of energy and distance at every rung, and their standard errors, shape [rungs, 2]."""
    return group.mean.mean(0), batch_means_mcse(group.batches).error


def _size(group: ScalarBatches) -> float:
    """Return the effective draws of energy or distance at the target; infinite if neither ever changes."""
    batches = np.ascontiguousarray(group.batches[:, :, -1])
    variance = group.variance[:, -1].mean(0) + batches.mean(0).var(0)
    sizes = batch_means_ess(batches, variance, group.size)
    return float(np.min(sizes, where=variance > 0, initial=np.inf))


def limit_log_z(
    start: AnchorStart,
    traces: Float[np.ndarray, "chains draws scalars"],
    counts: Integer[np.ndarray, "batches chains length letters"],
    means: Float[np.ndarray, "batches chains scalars"],
    *,
    sequences: int,
    beta: float,
    mu: Float[np.ndarray, " fields"],
    choices: Integer[np.ndarray, " length"],
    copies: Callable[[float], int],
) -> AnchorStart:
    """Return `start` with the upper limit of log Z of its state, or with the reason why there is none.

    Args:
        start: the result of `compare_starts`.
        traces: energy, distance and field counts of single draws at the target.
        counts: counts of letters there, in batches.
        means: mean energy, distance and field counts there, in batches.
        sequences: sequences of a batch of one chain.
        beta: β of the target.
        mu: μ of every field.
        choices: number of possible letters at each position; 1 where it is held.
        copies: function of an energy that returns how many shifted or reverse-complemented anchors, itself included,
            have at most this energy. A network that lets a site stand anywhere has as many states alike.
    """
    units = _units(traces)
    if units is None:
        return start._replace(unknown="they were seen too briefly")
    if not (units[..., _CHANGED] > 0).any(1).all():
        return start._replace(unknown="not all of them have left the anchor")
    if (np.nan_to_num(rhat(units[..., :_FIELDS]), posinf=np.inf) > _ALIKE).any():
        return start._replace(unknown="they do not agree among themselves")
    weight, error = _weight(counts, means, beta, mu, sequences)
    missing = _missing_entropy(counts, sequences, choices)
    alike = copies(float(traces[..., _ENERGY].max()))
    limit = weight + _APART * error + missing + math.log(alike)
    if not math.isfinite(limit):
        return start._replace(unknown="they have too few effective draws")
    return start._replace(limit=limit)


def _units(traces: Float[np.ndarray, "chains draws scalars"]) -> Float[np.ndarray, "units part scalars"] | None:
    """Return the chains if they are enough, else parts of each of them in time; None if these are too short."""
    chains, draws, scalars = traces.shape
    parts = 1 if chains >= _UNITS else -(-_UNITS // chains)
    length = draws // parts
    if length < MIN_DRAWS:
        return None
    return traces[:, draws - parts * length :].reshape(chains * parts, length, scalars)


def _weight(
    counts: Integer[np.ndarray, "batches chains length letters"],
    means: Float[np.ndarray, "batches chains scalars"],
    beta: float,
    mu: Float[np.ndarray, " fields"],
    sequences: int,
) -> tuple[float, float]:
    """Return −β ⟨E⟩ + Σ μ ⟨N⟩ + Σ H of the chain or the quarter of the run where it is largest, and its standard error.

    With the surprise −log f of every letter, f being its frequency in all batches, the sum is the mean of one number
    per batch, whose spread gives its error. For a part of the run the mean surprise is at least the entropy there.
    """
    shares = counts / sequences
    frequencies = shares.mean((0, 1))
    surprise = -np.log(np.where(frequencies > 0, frequencies, 1))
    each = -beta * means[..., _ENERGY] + means[..., _FIELDS:] @ mu + np.einsum("bcla,la->bc", shares, surprise)
    parts = [*each.T, *np.array_split(each, _UNITS)] if len(each) >= _UNITS else [*each.T]
    return max(float(part.mean()) for part in parts), float(batch_means_mcse(each).error)


def _missing_entropy(
    counts: Integer[np.ndarray, "batches chains length letters"],
    sequences: int,
    choices: Integer[np.ndarray, " length"],
) -> float:
    """Return by how much the sum of the entropies of observed frequencies is too low, in nats; NaN if unknown.

    To first order it is (letters − 1) / (2 n) per position for n independent draws (Miller 1955). For a position that
    was always the same letter, n is the smallest of all positions.
    """
    ess = batch_ess(counts, sequences)
    seen = counts.sum((0, 1), dtype=np.int64)
    varies = (seen > 0) & (seen < seen.sum(-1, keepdims=True))
    sizes = np.min(ess, axis=1, where=varies, initial=np.inf)
    worst = sizes.min()
    if not 0 < worst < np.inf:
        return math.nan
    return float(np.sum((choices - 1) / (2 * np.where(np.isfinite(sizes), sizes, worst))))


def judge_start(
    start: AnchorStart, betas: Float[np.ndarray, " rungs"], energy: float, log_z: float, log_z_error: float
) -> tuple[bool, str]:
    """Return whether to believe the chains from the background, and a sentence on how the two starts compare.

    Args:
        start: energies of the anchor-start chains.
        betas: the ladder.
        energy: mean energy of the other chains at the target.
        log_z: log Z there, by the other chains; NaN without a ladder.
        log_z_error: its standard error; NaN if it is unknown.
    """
    if start.agrees[-1]:
        if start.size < _FEWEST:
            few = f"chains started at the anchor have {start.size:.0f} effective draws, too few to compare them"
            return False, few
        return True, "chains started at the anchor agree"
    apart = int(np.flatnonzero(start.agrees)[-1]) + 1 if start.agrees.any() else 0
    where = f"agree up to β = {betas[apart - 1]:.3g} and not above" if apart else "agree at no β"
    seen = f"chains started at the anchor {where} (⟨E⟩ {start.energy[-1]:.3g} against {energy:.3g})"
    theirs = "unknown" if math.isnan(start.limit) else f"at most {start.limit:.1f}"
    others = f"{log_z:.1f} ± {log_z_error:.1g}" if math.isfinite(log_z_error) else f"{log_z:.1f} (error unknown)"
    if not math.isfinite(log_z):
        others = "unknown without a ladder"
    weights = f"log Z of their state is {theirs}, that of the other chains {others}"
    odds = start.limit - (log_z - _APART * log_z_error)
    if odds < math.log(_SHARE / (1 - _SHARE)):  # False if anything is NaN
        return True, f"{seen}; they are stuck in less than {_SHARE:.0%} of the weight: {weights}"
    why = f" ({start.unknown})" if start.unknown else ""
    return False, f"{seen}; neither can be dismissed{why}: {weights}"
