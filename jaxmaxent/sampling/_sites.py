"""Whether a network lets the sites of an anchor stand anywhere, so that moving them whole pays."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background

# Shifts of the anchor to either side, and background draws to compare them with.
_SHIFTS, _DRAWS = 16, 32
# A copy of the anchor stands for it if its energy is below this share of the mean energy at β = 0.
_ALIKE = 0.35
_TOGETHER = 16


class Sites(NamedTuple):
    """Whether some anchor has a copy that the network treats much like it.

    Attributes:
        shift: True if it is a shifted copy.
        turn: True if it is a copy on the other strand, shifted or not.
    """

    shift: bool
    turn: bool


@jax.transfer_guard("allow")
def movable_sites(ensemble: Ensemble) -> Sites:
    """Return whether sites of the anchors may stand elsewhere, by shifted and reverse-complemented anchors.

    Letters of movable positions move round as one ring; held positions keep theirs.
    """
    found = [_of_anchor(ensemble, anchor) for anchor in range(ensemble.anchors)]
    return Sites(any(one.shift for one in found), any(one.turn for one in found))


@jax.transfer_guard("allow")
def mobility(ensemble: Ensemble, number: int, energy: tuple[float, float] | None = None) -> tuple[float, float]:
    """Return the mean energy of shifted copies of an anchor over that of background sequences, and its standard error.

    The copies are shifted by 1 to 16 positions to either side, as one ring of the movable letters. The error is that of
    the energy of background sequences, as there are no other copies. Both are NaN if no copy differs from the anchor
    and may be taken, or the network sees no difference between sequences.

    Args:
        ensemble: the ensemble, batched.
        number: index of the anchor.
        energy: ⟨E⟩ at β = 0 and its standard error; from 32 draws if None, and for a contrast, whose anchor has an
            energy of its own.
    """
    copies = _copies(ensemble, number)
    of_shifts = copies.usable[: 2 * _SHIFTS]
    if energy is None or float(ensemble.take(number).anchor_energy()) != 0:
        energy = copies.mean, copies.error
    if not of_shifts.any() or not energy[0] > 0:
        return math.nan, math.nan
    found = float(copies.energies[: 2 * _SHIFTS][of_shifts].mean()) / energy[0]
    return found, found * energy[1] / energy[0]


class _Copies(NamedTuple):
    """Energies of shifted copies of an anchor, then of those on the other strand, and of background sequences."""

    energies: Float[np.ndarray, " copies"]
    usable: Bool[np.ndarray, " copies"]
    mean: float
    error: float
    two_strands: bool


def _of_anchor(ensemble: Ensemble, number: int) -> Sites:
    copies = _copies(ensemble, number)
    alike = (copies.energies < _ALIKE * copies.mean) & copies.usable
    of_shifts = slice(0, 2 * _SHIFTS)
    return Sites(bool(alike[of_shifts].any()), copies.two_strands and bool(alike[2 * _SHIFTS :].any()))


def _copies(ensemble: Ensemble, number: int) -> _Copies:
    movable, anchor = np.asarray(ensemble.movable), np.asarray(ensemble.anchor)[number]
    most = min(_SHIFTS, (len(movable) - 1) // 2)
    shifts = [shift for shift in range(-_SHIFTS, _SHIFTS + 1) if shift]
    two_strands = ensemble.alphabet.complements is not None
    strands = [anchor[movable]]
    if two_strands:
        strands.append(np.asarray(ensemble.alphabet.reverse_complement(anchor[movable])))
    rows = np.tile(anchor, (1 + 2 * len(shifts), 1))  # always as many, so that one program serves
    shifted = [strands[0] if abs(shift) > most else np.roll(strands[0], shift) for shift in shifts]
    turned = [np.roll(strands[-1], shift if abs(shift) <= most else 0) for shift in (0, *shifts)]
    rows[:, movable] = np.stack([*shifted, *turned])
    energies, mean, spread = (np.asarray(value) for value in _energies(ensemble, number, rows.astype(np.int32)))
    usable = (rows != anchor).any(1)
    if (forbidden := ensemble.take(number).forbidden()) is not None:
        usable &= ~np.asarray(forbidden)[np.arange(len(anchor)), rows].any(1)
    return _Copies(energies, usable, mean.item(), spread.item() / math.sqrt(_DRAWS), two_strands)


@jax.jit
def _energies(
    ensemble: Ensemble, number: Any, rows: Int[Array | np.ndarray, "rows length"]
) -> tuple[Float[Array, " rows"], Float[Array, ""], Float[Array, ""]]:
    """Return the energies of rows for one anchor, and mean and standard deviation of those of some background draws.

    Of a contrast, whose own anchor has a large energy, they are those of its first network.
    """
    ensemble, rows = ensemble.take(number), jnp.asarray(rows)

    def apart(tokens: Array) -> Array:
        features = ensemble.representation(ensemble.alphabet.one_hot(tokens)).astype(ensemble.reference.dtype)
        return ensemble.metric.apart(features, ensemble.reference, ensemble.weights)

    drawn = background.draw(jax.random.key(0), ensemble, _DRAWS)
    energies = jax.lax.map(apart, jnp.concatenate([rows, drawn]), batch_size=_TOGETHER)
    return energies[: len(rows)], energies[len(rows) :].mean(), energies[len(rows) :].std(ddof=1)
