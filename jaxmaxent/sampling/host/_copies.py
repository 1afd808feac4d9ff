"""Copies of an anchor that a network may treat as equal to it: shifted, and reverse-complemented."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent.ensembles import Ensemble

# Copies evaluated in one forward pass.
_TOGETHER = 16


def copies(ensemble: Ensemble) -> Int[np.ndarray, "copies length"]:
    """Return the different copies of the anchor of an ensemble of one anchor that belong to it, the anchor first.

    A shift moves letters round the end. Copies that change a held position or have a forbidden letter are left out.
    """
    anchor = np.asarray(ensemble.anchor)
    strands = [anchor]
    if ensemble.alphabet.complements is not None:
        strands.append(ensemble.alphabet.reverse_complement(anchor).astype(anchor.dtype))
    rows = np.concatenate([np.stack([np.roll(strand, shift) for shift in range(len(anchor))]) for strand in strands])
    held = np.delete(np.arange(len(anchor)), np.asarray(ensemble.movable))
    possible = (rows[:, held] == anchor[held]).all(1)
    if (forbidden := ensemble.forbidden()) is not None:
        possible &= ~np.asarray(forbidden)[np.arange(len(anchor)), rows].any(1)
    _, first = np.unique(rows[possible], axis=0, return_index=True)
    return rows[possible][np.sort(first)]


def energies_of_copies(ensemble: Ensemble) -> Float[np.ndarray, " copies"]:
    """Return the energies of the copies of the anchor, the anchor's own first."""
    rows = copies(ensemble)
    # One program for all anchors of a network, however many copies they have.
    filled = np.concatenate([rows, np.broadcast_to(rows[:1], (2 * rows.shape[1] - len(rows), rows.shape[1]))])
    return np.asarray(_energies(ensemble, jnp.asarray(filled, jnp.int32)), np.float64)[: len(rows)]


@jax.jit
def _energies(ensemble: Ensemble, rows: Int[Array, "rows length"]) -> Float[Array, " rows"]:
    return jax.lax.map(ensemble.energy, rows, batch_size=_TOGETHER)
