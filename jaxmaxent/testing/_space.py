"""A part of an ensemble that can be enumerated: a few positions may move, all others keep the anchor's letters."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.testing._enumeration import numbers_of

# As many as eight positions of four letters give.
MOST_SEQUENCES = 4**8
_MOST_POSITIONS = 8
# Sequences in one forward pass.
_TOGETHER = 128


@dataclasses.dataclass(frozen=True)
class Space:
    """All sequences of an ensemble of one anchor, with what decides their probabilities.

    Attributes:
        ensemble: of one anchor; only `positions` may move.
        positions: the movable positions, increasing.
        states: tokens of all sequences, the last movable position changing fastest, shape [states, length].
        energies: E of each, as the network gives it, shape [states].
        fields: Σ μ N of each, −∞ where a letter is forbidden, shape [states].
        growing: the part of `fields` that is of growing fields, shape [states].
    """

    ensemble: Ensemble
    positions: Int[np.ndarray, " positions"]
    states: Int[np.ndarray, "states length"]
    energies: Float[np.ndarray, " states"]
    fields: Float[np.ndarray, " states"]
    growing: Float[np.ndarray, " states"]

    def log_weights(self, beta: float) -> Float[np.ndarray, " states"]:
        """Return log p up to a constant at some β, in double precision."""
        return self.fields - beta * self.energies.astype(np.float64)

    def rung(self, beta: float) -> Space:
        """Return the space with as much of growing fields as a rung at some β of a ladder has of them."""
        if not self.growing.any():
            return self
        growing = self.growing * (beta / float(self.ensemble.beta))
        return dataclasses.replace(self, fields=self.fields - self.growing + growing, growing=growing)

    @property
    def potentials(self) -> Float[np.ndarray, " states"]:
        """What the rungs of a ladder differ by: E, less the growing fields over the β of the ensemble."""
        if not self.growing.any():
            return self.energies
        return (self.energies - self.growing / float(self.ensemble.beta)).astype(self.energies.dtype)

    def distribution(self, beta: float) -> Float[np.ndarray, " states"]:
        """Return the probability of each sequence at some β, in double precision."""
        log_weights = self.log_weights(beta)
        weights = np.exp(log_weights - log_weights.max())
        return weights / weights.sum()

    def numbers(self, tokens: Int[np.ndarray, "*some length"]) -> Int[np.ndarray, "*some"]:
        """Return the places of sequences among the states."""
        return numbers_of(np.asarray(tokens)[..., self.positions], len(self.ensemble.alphabet))

    @property
    def size(self) -> float:
        """The size of energies, against which their rounding errors are measured.

        It is the largest energy, or the size of the anchor's features in the ensemble's metric, whose rounding is that
        of E.
        """
        one = self.ensemble
        return max(float(np.abs(self.energies).max()), float(one.metric.size(one.reference, one.weights)))


def space_of(ensemble: Ensemble, positions: Sequence[int] | Int[np.ndarray, " positions"]) -> Space:
    """Return what an ensemble of one anchor is if only some of its movable positions move."""
    chosen = np.sort(np.asarray(positions, int))
    letters = len(ensemble.alphabet)
    part = ensemble.replace(movable=jnp.asarray(chosen, jnp.int32))  # pyright: ignore[reportAttributeAccessIssue]
    states = np.tile(np.asarray(ensemble.anchor, np.int32), (letters ** len(chosen), 1))
    states[:, chosen] = np.stack(np.unravel_index(np.arange(len(states)), (letters,) * len(chosen)), 1)
    energies, fields = jax.device_get(energies_and_fields(part, jnp.asarray(states)))
    growing = np.zeros(len(states))
    if any(field.grows for field in part.fields):
        others = tuple(field for field in part.fields if field.grows)
        alone = part.replace(fields=others)  # pyright: ignore[reportAttributeAccessIssue]
        growing = jax.device_get(energies_and_fields(alone, jnp.asarray(states)))[1].astype(np.float64)
    return Space(part, chosen, states, energies, fields.astype(np.float64), growing)


@jax.jit
def energies_and_fields(
    ensemble: Ensemble, states: Int[Array, "states length"]
) -> tuple[Float[Array, " states"], Float[Array, " states"]]:
    """Return E and Σ μ N of sequences, in batches that fit into memory for large networks too."""

    def one(tokens: Array) -> tuple[Array, Array]:
        fields = jnp.dot(ensemble.mu(), ensemble.counts(tokens), precision="highest")
        return ensemble.energy(tokens), jnp.where(ensemble.allows(tokens), fields, -jnp.inf)

    return jax.lax.map(one, states, batch_size=_TOGETHER)


def checked_positions(ensemble: Ensemble, given: int | Sequence[int] | None) -> Int[np.ndarray, " positions"]:
    """Return the positions to move: those that are given, or as many as wanted, chosen by `chosen_positions`.

    Raises:
        ValueError: if they cannot move, are named twice, or allow more sequences than can be enumerated.
    """
    movable, letters = np.asarray(ensemble.movable), len(ensemble.alphabet)
    most = int(np.log(MOST_SEQUENCES) / np.log(letters) + 1e-9)
    if given is None:
        return chosen_positions(ensemble, min(_MOST_POSITIONS, most, len(movable)))
    if isinstance(given, int | np.integer) or not hasattr(given, "__iter__"):
        count = checks.integer("positions", given, at_least=1)
        if count > most:
            raise ValueError(
                f"positions must be at most {most}, for {letters} letters to make at most {MOST_SEQUENCES:,} "
                f"sequences, got {count}"
            )
        return chosen_positions(ensemble, min(count, len(movable)))
    chosen = np.asarray(given)
    if chosen.ndim != 1 or not chosen.size or not np.issubdtype(chosen.dtype, np.integer):
        raise ValueError(f"positions must be a number or a list of positions, got {checks.shown(given)}")
    if not np.isin(chosen, movable).all() or len(np.unique(chosen)) < len(chosen):
        raise ValueError(
            f"positions must be different positions that the ensemble lets move, got {checks.shown(given)}"
        )
    if len(chosen) > most:
        raise ValueError(
            f"positions must hold at most {most}, for {letters} letters to make at most {MOST_SEQUENCES:,} "
            f"sequences, got {len(chosen)}"
        )
    return chosen


def chosen_positions(ensemble: Ensemble, count: int) -> Int[np.ndarray, " positions"]:
    """Return movable positions where much depends on the letters, and others far from these.

    Half of them, rounded up, are adjacent among the movable ones, where the mean energy of the single-letter mutants
    of the anchor is largest, so that proposals of several letters change several of them. The others are spread
    evenly over the rest.
    """
    movable = np.asarray(ensemble.movable)
    together = -(-count // 2)
    depends = _mean_mutant_energy(ensemble, movable)
    sums = np.convolve(depends, np.ones(together), mode="valid")
    first = int(np.argmax(sums))
    near, rest = movable[first : first + together], np.delete(movable, np.arange(first, first + together))
    apart = count - together
    places = np.round((np.arange(apart) + 0.5) / max(apart, 1) * len(rest) - 0.5).astype(int)
    return np.concatenate([near, rest[places]])


def _mean_mutant_energy(ensemble: Ensemble, movable: Int[np.ndarray, " movable"]) -> Float[np.ndarray, " movable"]:
    """Return the mean energy of the mutants of the anchor at each movable position, not finite ones as 0."""
    letters, anchor = len(ensemble.alphabet), np.asarray(ensemble.anchor, np.int32)
    mutants = np.tile(anchor, (len(movable), letters - 1, 1))
    for number, position in enumerate(movable):
        mutants[number, :, position] = np.delete(np.arange(letters), anchor[position])
    energies, _ = energies_and_fields(ensemble, jnp.asarray(mutants.reshape(-1, len(anchor))))
    return np.nan_to_num(np.asarray(energies, np.float64), posinf=0).reshape(len(movable), -1).mean(1)
