"""Chains started at the anchor beside those from the background: where the two agree, and which to believe.

At a large β the anchor and its nearest neighbours can be a state that no chain leaves. It looks converged, and need
not be where the ensemble's weight lies. log Z along the ladder says where it lies: it is exact at β = 0, and reached
from there by chains that came through every β.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxmaxent import diagnostics
from jaxmaxent.run.record import Record

# Means further apart than this many standard errors are taken as different.
_APART = 4.0
_ENERGY, _CHANGED = 0, 1


class AnchorStart(NamedTuple):
    """What chains started at one anchor saw, at every rung.

    Attributes:
        energy: their mean energy, shape [rungs].
        error: its standard error, shape [rungs].
        agrees: whether energies and distances agree with those of the other chains, shape [rungs].
        log_z: log Z of the state they are in at the last rung, from the share of time they are at the anchor itself,
            whose weight is known; at least the anchor's own log-weight.
    """

    energy: Float[np.ndarray, " rungs"]
    error: Float[np.ndarray, " rungs"]
    agrees: Bool[np.ndarray, " rungs"]
    log_z: float


def compare(record: Record, anchor: int, chains: int, log_weight: float) -> AnchorStart:
    """Compare the chains from number `chains` on, started at the anchor, with those before.

    Args:
        record: what was seen.
        anchor: which anchor.
        chains: how many chains started elsewhere.
        log_weight: log-weight of the anchor itself, Σ μ_k N_k(x0).
    """
    groups = [slice(0, chains), slice(chains, None)]
    mean, error = zip(*(_scalars(record, anchor, group) for group in groups), strict=True)
    gap = np.abs(mean[1] - mean[0])
    agrees = (gap <= _APART * np.hypot(np.nan_to_num(error[0]), np.nan_to_num(error[1]))).all(1)
    distances = np.stack([row[anchor, groups[1], -1, _CHANGED] for row in record.traces])
    at_anchor = np.mean(distances == 0)
    own = log_weight - (np.log(at_anchor) if at_anchor > 0 else 0.0)
    return AnchorStart(mean[1][:, _ENERGY], error[1][:, _ENERGY], agrees, float(own))


def _scalars(record: Record, anchor: int, chains: slice) -> tuple[np.ndarray, np.ndarray]:
    """Means of energy and distance at every rung, and their standard errors, shape [rungs, 2]."""
    batches = np.stack([batch[anchor, chains, :, : _CHANGED + 1] for batch in record.means])
    means = record.scalars.mean[anchor, chains, :, : _CHANGED + 1].mean(0)
    return means, diagnostics.batch_means_mcse(batches).error


def objection(
    start: AnchorStart, betas: np.ndarray, energy: float, log_z: float, log_z_error: float
) -> tuple[bool, str]:
    """Whether the chains from the background are to be believed, and a sentence on how the two starts compare.

    Args:
        start: what the chains started at the anchor saw.
        betas: the ladder.
        energy: mean energy of the other chains at its last rung.
        log_z: log Z there, by the other chains.
        log_z_error: its standard error.
    """
    if start.agrees[-1]:
        return True, "chains started at the anchor agree"
    apart = int(np.flatnonzero(start.agrees)[-1]) + 1 if start.agrees.any() else 0
    where = f"agree up to β = {betas[apart - 1]:.3g} and not above" if apart else "agree at no β"
    seen = f"chains started at the anchor {where} (⟨E⟩ {start.energy[-1]:.3g} against {energy:.3g})"
    weights = f"log Z {log_z:.1f} ± {log_z_error:.1g} against {start.log_z:.1f} of the anchor's own state"
    if not np.isfinite(log_z) or np.isnan(log_z_error):
        return True, f"{seen}; without a ladder nothing says which of them are in equilibrium"
    if log_z - _APART * log_z_error > start.log_z:
        return True, f"{seen}; they are stuck, by {weights}"
    return False, f"{seen}; neither start can be preferred, by {weights}"
