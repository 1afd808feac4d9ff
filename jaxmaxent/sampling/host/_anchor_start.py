"""Chains started at the anchor beside those from the background: where the two agree, and which to believe.

At a large β the anchor and its neighbours can be a state that no chain leaves. It looks converged, and need not be
where the ensemble's weight lies; nor need the state that chains from the background find. log Z says which of them
weighs more. That of the background's chains is exact at β = 0 and known along the ladder. That of the anchor's state is
bounded from above: independent letters have the largest entropy that their frequencies allow, so that

    log Z(state) ≤ −β ⟨E⟩ + Σ_k μ_k ⟨N_k⟩ + Σ_i H_i

over the draws of the chains in it, with H_i the entropy of the letters at position i. The state is dismissed only where
its share of the weight under that limit is below 1 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxmaxent import diagnostics
from jaxmaxent.sampling.host._totals import Record

# Means further apart than this many standard errors are taken as different; limits lie as many above what was seen.
_APART = 4.0
# Chains started at the anchor that are in another state for a share f of the time differ by four standard errors only
# from f = 16 / (16 + n) on, n being their effective draws. With fewer than this, agreement shows too little.
_FEWEST = 50
# Of the chains started at the anchor, or of parts of them in time: so many must have left it and look alike.
_UNITS, _ALIKE = 4, 1.2
# A state whose share of the weight is below this is dismissed.
_SHARE = 0.01
_ENERGY, _CHANGED, _FIELDS = 0, 1, 2


class AnchorStart(NamedTuple):
    """What chains started at one anchor saw.

    Attributes:
        energy: their mean energy, shape [rungs].
        error: its standard error, shape [rungs].
        agrees: whether energies and distances agree with those of the other chains, shape [rungs].
        size: effective draws of their energy or distance at the last rung, whichever are fewer.
        limit: upper limit of log Z of the state they are in at the last rung; NaN where it is unknown.
        unknown: why it is unknown, or an empty string.
    """

    energy: Float[np.ndarray, " rungs"]
    error: Float[np.ndarray, " rungs"]
    agrees: Bool[np.ndarray, " rungs"]
    size: float
    limit: float = math.nan
    unknown: str = ""


def compare(record: Record, anchor: int, chains: int) -> AnchorStart:
    """Compare the chains from number `chains` on, started at the anchor, with those before; without the limit.

    Args:
        record: what was seen.
        anchor: which anchor.
        chains: how many chains started elsewhere.
    """
    groups = [slice(0, chains), slice(chains, None)]
    mean, error = zip(*(_scalars(record, anchor, group) for group in groups), strict=True)
    gap = np.abs(mean[1] - mean[0])
    agrees = (gap <= _APART * np.hypot(np.nan_to_num(error[0]), np.nan_to_num(error[1]))).all(1)
    return AnchorStart(mean[1][:, _ENERGY], error[1][:, _ENERGY], agrees, _size(record, anchor, groups[1]))


def _scalars(record: Record, anchor: int, chains: slice) -> tuple[np.ndarray, np.ndarray]:
    """Return means of energy and distance at every rung, and their standard errors, shape [rungs, 2]."""
    batches = np.stack([batch[anchor, chains, :, :_FIELDS] for batch in record.means])
    means = record.scalars.mean[anchor, chains, :, :_FIELDS].mean(0)
    return means, diagnostics.batch_means_mcse(batches).error


def _size(record: Record, anchor: int, chains: slice) -> float:
    """Return the effective draws of energy or distance at the last rung; infinite where neither ever changes."""
    batches = np.stack([batch[anchor, chains, -1, :_FIELDS] for batch in record.means])
    variance = record.scalars.variance()[anchor, chains, -1, :_FIELDS].mean(0) + batches.mean(0).var(0)
    sizes = diagnostics.batch_means_ess(batches, variance, record.size)
    return float(np.min(sizes, where=variance > 0, initial=np.inf))


def limited(
    start: AnchorStart,
    record: Record,
    anchor: int,
    chains: int,
    *,
    beta: float,
    mu: Float[np.ndarray, " fields"],
    choices: Int[np.ndarray, " length"],
    copies: Callable[[float], int],
) -> AnchorStart:
    """Return `start` with the upper limit of log Z of its state, or with the reason why there is none.

    Args:
        start: what `compare` found.
        record: what was seen.
        anchor: which anchor.
        chains: how many chains started elsewhere.
        beta: β of the last rung.
        mu: μ of every field.
        choices: letters that are possible at each position; 1 where it is held.
        copies: how many shifted or reverse-complemented anchors, itself included, have at most a given energy. A
            network that lets a site stand anywhere has as many states alike.
    """
    traces = np.stack([row[anchor, chains:, -1] for row in record.traces], axis=1)  # [chains, states, scalars]
    counts = np.stack([batch[anchor, chains:, -1] for batch in record.letters])
    means = np.stack([batch[anchor, chains:, -1] for batch in record.means])
    units = _units(traces)
    if units is None:
        return start._replace(unknown="they were seen too briefly")
    if not (units[..., _CHANGED] > 0).any(1).all():
        return start._replace(unknown="not all of them have left the anchor")
    if (np.nan_to_num(diagnostics.rhat(units[..., :_FIELDS]), posinf=np.inf) > _ALIKE).any():
        return start._replace(unknown="they do not agree among themselves")
    weight, error = _weight(counts, means, beta, mu, record.size * record.target_replicas)
    missing = _missing_entropy(counts, record.size * record.target_replicas, choices)
    alike = copies(float(traces[..., _ENERGY].max()))
    limit = weight + _APART * error + missing + math.log(alike)
    if not math.isfinite(limit):
        return start._replace(unknown="they have too few effective draws")
    return start._replace(limit=limit)


def _units(traces: Float[np.ndarray, "chains states scalars"]) -> Float[np.ndarray, "units states scalars"] | None:
    """Return the chains if they are enough, else parts of each of them in time; None where these are too short."""
    chains, states, scalars = traces.shape
    parts = 1 if chains >= _UNITS else -(-_UNITS // chains)
    length = states // parts
    if length < diagnostics.MIN_DRAWS:
        return None
    return traces[:, states - parts * length :].reshape(chains * parts, length, scalars)


def _weight(
    counts: Int[np.ndarray, "batches chains length letters"],
    means: Float[np.ndarray, "batches chains scalars"],
    beta: float,
    mu: Float[np.ndarray, " fields"],
    sequences: int,
) -> tuple[float, float]:
    """Return −β ⟨E⟩ + Σ μ ⟨N⟩ + Σ H of the chain or the quarter of the run where it is largest, and its standard error.

    With the surprise −log f of every letter, f being its frequency in all batches, it is the mean of a number that
    every batch has, whose spread is that of the sum. By these surprises a part of the run has at least its own entropy.
    """
    shares = counts / sequences
    frequencies = shares.mean((0, 1))
    surprise = -np.log(np.where(frequencies > 0, frequencies, 1))
    each = -beta * means[..., _ENERGY] + means[..., _FIELDS:] @ mu + np.einsum("bcla,la->bc", shares, surprise)
    parts = [*each.T, *np.array_split(each, _UNITS)] if len(each) >= _UNITS else [*each.T]
    return max(float(part.mean()) for part in parts), float(diagnostics.batch_means_mcse(each).error)


def _missing_entropy(
    counts: Int[np.ndarray, "batches chains length letters"], sequences: int, choices: Int[np.ndarray, " length"]
) -> float:
    """Return by how much the entropies of observed frequencies are too low together, in nats; NaN where unknown.

    To first order it is (letters − 1) / (2 n) for n independent draws (Miller 1955). Where a position was always the
    same letter, n is that of the position known worst.
    """
    ess = diagnostics.batch_ess(counts, sequences)
    seen = counts.sum((0, 1), dtype=np.int64)
    varies = (seen > 0) & (seen < seen.sum(-1, keepdims=True))
    sizes = np.min(ess, axis=1, where=varies, initial=np.inf)
    worst = sizes.min()
    if not 0 < worst < np.inf:
        return math.nan
    return float(np.sum((choices - 1) / (2 * np.where(np.isfinite(sizes), sizes, worst))))


def objection(
    start: AnchorStart, betas: np.ndarray, energy: float, log_z: float, log_z_error: float
) -> tuple[bool, str]:
    """Return whether the chains from the background are to be believed, and a sentence on how the two starts compare.

    Args:
        start: what the chains started at the anchor saw.
        betas: the ladder.
        energy: mean energy of the other chains at its last rung.
        log_z: log Z there, by the other chains; NaN without a ladder.
        log_z_error: its standard error; NaN where it is unknown.
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
    if odds < math.log(_SHARE / (1 - _SHARE)):  # not where anything is NaN
        return True, f"{seen}; they are stuck in less than {_SHARE:.0%} of the weight: {weights}"
    why = f" ({start.unknown})" if start.unknown else ""
    return False, f"{seen}; neither can be dismissed{why}: {weights}"
