"""Motifs inserted into draws at β = 0: the change of the energy or of the output that they make.

Sequences before and after an insertion differ in nothing else, and all designs use the same draws, so that differences
between designs have small errors. The idea is that of global importance analysis (Koo, Majdandzic, Ploenzke, Anand &
Paul, PLoS Comput Biol 17(5): e1008925, 2021), with the exact background of an ensemble, its fields and held positions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxmaxent import checks
from jaxmaxent.analysis._motifs.tomtom import NamedMotif
from jaxmaxent.analysis._run_parts import index_of
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background
from jaxmaxent.ensembles._metrics import EuclideanMetric

ENERGY, OUTPUT = "energy", "output"
# Sequences in one forward pass, and in one call of the compiled program.
_TOGETHER, _CALL = 128, 1024


class Insertion(NamedTuple):
    """A motif written into sequences.

    Attributes:
        motif: index of the motif.
        start: first position that it covers, one for all draws, or one per draw, shape [draws].
        strand: 1 to write it along the sequence, −1 to write its reverse complement.
    """

    motif: int
    start: int | Int[np.ndarray, " draws"]
    strand: int = 1


class InsertionEffects(NamedTuple):
    """The changes that insertions make.

    Attributes:
        mean: mean change of each design, shape [designs], in units of E or of the output.
        error: its standard error over draws, shape [designs]. The difference of two designs has a smaller error than
            the two errors suggest, because they share their draws; take it from `changes`.
        before: mean before any insertion.
        before_error: its standard error.
        changes: change of each draw, shape [designs, draws].
    """

    mean: Float[np.ndarray, " designs"]
    error: Float[np.ndarray, " designs"]
    before: float
    before_error: float
    changes: Float[np.ndarray, "designs draws"]

    def interaction(self, together: int, *alone: int) -> tuple[float, float]:
        """Return the mean change of a design less those of its parts, and its standard error.

        It is 0 within errors if the network adds the parts up.

            designs = [[Insertion(0, 50)], [Insertion(1, 70)], [Insertion(0, 50), Insertion(1, 70)]]
            insertion_effects(key, ensemble, ["CAGATG", "GATAAG"], designs).interaction(2, 0, 1)

        Args:
            together: index of the design that has all insertions.
            alone: indices of the designs that have some of them each.

        Raises:
            ValueError: if there is no such design, or fewer than two parts.
        """
        parts = [index_of("alone", part, len(self.changes)) for part in alone]
        if len(parts) < 2:
            raise ValueError(f"alone must be at least two designs, got {checks.shown(alone)}")
        rest = self.changes[index_of("together", together, len(self.changes))] - self.changes[parts].sum(0)
        mean, error = _mean(rest)
        return float(mean), float(error)


def insertion_effects(
    key: Key[Array, ""],
    ensemble: Ensemble,
    motifs: Sequence[NamedMotif | str],
    designs: Sequence[Sequence[Insertion]],
    *,
    anchor: int = 0,
    of: str | Callable[[Array], Array] = OUTPUT,
    draws: int = 1000,
    sampled: bool = True,
) -> InsertionEffects:
    """Insert motifs into draws at β = 0, and return the mean change of the energy or of the output.

        designs = [[Insertion(0, 50)], [Insertion(0, 50), Insertion(1, 70, strand=-1)]]
        insertion_effects(key, ensemble, draw_motifs(run).motifs, designs).mean

    Args:
        key: a typed key, `jax.random.key(seed)`.
        ensemble: the ensemble that the draws come from, with its fields and held positions; its β has no part.
        motifs: motifs, such as `draw_motifs(…).motifs`, or words such as "CAGATG".
        designs: the insertions of each design, which do not overlap.
        anchor: index of the anchor, which E is measured from.
        of: "output" for the weighted sum of the features, Σ w_i Φ_i, which is the log-ratio of the two classes, up to a
            constant, if the ensemble was made with a pair of units; "energy" for E; or a function of JAX operations, of
            one one-hot sequence [length, letters] to a number. Keep the function and reuse it.
        draws: number of draws.
        sampled: draw the letters of each site from the motif's probabilities; False writes its most frequent letters.

    Raises:
        ValueError: if a design has insertions beyond the ends, on top of each other or at held positions, names no
            motif, or has a strand without complements, or if `of` is neither of these.
    """
    one, values = _checked(key, ensemble, anchor, of)
    draws = checks.integer("draws", draws, at_least=2)
    words = _Words(np.random.default_rng(_seed(key)), motifs, one, draws, sampled=sampled)
    rows = checks.several("designs", designs, "lists of insertions")
    placed = [_checked_design(design, words, one, draws) for design in rows]
    tokens = np.asarray(_drawn(key, one, draws), np.uint8)
    before = values(tokens)
    changes = np.stack([values(words.written(tokens, design)) - before for design in placed] or [np.zeros((0, draws))])
    changes = changes.reshape(len(placed), draws)
    (mean, error), (first, first_error) = _mean(changes), _mean(before)
    return InsertionEffects(mean, error, float(first), float(first_error), changes)


class _Words:
    """The sites of motifs: the same letters for a motif of a draw in all designs, others for its second copy there."""

    def __init__(self, rng: np.random.Generator, motifs: Any, ensemble: Ensemble, draws: int, *, sampled: bool) -> None:
        given = checks.several("motifs", motifs, "motifs or words")
        self.probabilities = [_probabilities(motif, ensemble) for motif in given]
        self.alphabet = ensemble.alphabet
        self._rng, self._draws, self._sampled = rng, draws, sampled
        self._sites: dict[tuple[int, int], np.ndarray] = {}

    def written(self, tokens: np.ndarray, design: Sequence[Insertion]) -> np.ndarray:
        """Return draws [draws, length] with the insertions of a design."""
        tokens, copies = tokens.copy(), dict.fromkeys(range(len(self.probabilities)), 0)
        for motif, start, strand in design:
            site = self._site(motif, copies[motif])
            copies[motif] += 1
            site = self.alphabet.reverse_complement(site) if strand < 0 else site
            places = np.broadcast_to(start, self._draws)[:, None] + np.arange(site.shape[1])
            np.put_along_axis(tokens, places, site, axis=1)
        return tokens

    def _site(self, motif: int, copy: int) -> np.ndarray:
        if (motif, copy) not in self._sites:
            probabilities = self.probabilities[motif]
            cumulative = np.cumsum(probabilities, axis=1)
            uniform = self._rng.random((self._draws, len(probabilities), 1)) * cumulative[:, -1:]
            site = (uniform >= cumulative[:, :-1]).sum(-1) if self._sampled else np.zeros(uniform.shape[:2], int)
            site = site if self._sampled else site + probabilities.argmax(1)
            self._sites[motif, copy] = site.astype(np.uint8)
        return self._sites[motif, copy]


def _probabilities(motif: Any, ensemble: Ensemble) -> Float[np.ndarray, "width letters"]:
    letters = len(ensemble.alphabet)
    if isinstance(motif, str):
        return np.eye(letters)[ensemble.alphabet.read("motifs", motif)]
    checks.like("motifs", motif, "probabilities", "motifs, such as draw_motifs gives them, or words")
    matrix = checks.finite_array("motifs", motif.probabilities, at_least=0)
    if matrix.ndim != 2 or matrix.shape[1] != letters or not len(matrix) or not (matrix.sum(1) > 0).all():
        raise ValueError(f"motifs must have probabilities of shape [width, {letters}], got {list(matrix.shape)}")
    return matrix


def _checked(
    key: Any, ensemble: Any, anchor: Any, of: Any
) -> tuple[Ensemble, Callable[[np.ndarray], Float[np.ndarray, " draws"]]]:
    """Return the ensemble of the anchor, and the function that evaluates draws [draws, length]."""
    checks.typed_key(key)
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {checks.shown(ensemble)}")
    one = ensemble.batched().take(index_of("anchor", anchor, ensemble.anchors))
    if not callable(of) and of not in (ENERGY, OUTPUT):
        raise ValueError(f'of must be "output", "energy" or a function of one one-hot sequence, got {checks.shown(of)}')
    if of == OUTPUT and not isinstance(one.metric, EuclideanMetric):
        raise ValueError(
            f'of must be "energy" or a function for an ensemble with the distance {one.metric.name!r}, got "output", '
            f"which is the weighted sum of the features that the Euclidean distance is about"
        )

    def values(tokens: np.ndarray) -> Float[np.ndarray, " draws"]:
        size = min(_CALL, len(tokens))
        filled = np.concatenate([tokens, np.repeat(tokens[:1], -len(tokens) % size, axis=0)]).astype(np.int32)
        found = [np.asarray(_values(of, one, jnp.asarray(part))) for part in np.split(filled, len(filled) // size)]
        result = np.concatenate(found).astype(np.float64)[: len(tokens)]
        if not np.isfinite(result).all():
            raise ValueError("ensemble must give finite numbers, got NaN or infinity for a sequence with insertions")
        return result

    return one, values


@functools.partial(jax.jit, static_argnames=("of",))
def _values(
    of: str | Callable[[Array], Array], ensemble: Ensemble, rows: Int[Array, "rows length"]
) -> Float[Array, " rows"]:
    def value(tokens: Array) -> Array:
        if of == ENERGY:
            return ensemble.energy(tokens)
        one_hot = ensemble.alphabet.one_hot(tokens)
        if callable(of):
            result = jnp.asarray(of(one_hot))
            if result.size != 1:
                raise ValueError(f"of must give one number for a sequence, got an array of shape {list(result.shape)}")
            return result.reshape(())
        features = ensemble.representation(one_hot).astype(ensemble.reference.dtype)
        return jnp.sum(ensemble.weights * features)

    return jax.lax.map(value, rows, batch_size=_TOGETHER)


@functools.partial(jax.jit, static_argnames=("draws",))
def _drawn(key: Key[Array, ""], ensemble: Ensemble, draws: int) -> Int[Array, "draws length"]:
    return background.draw(key, ensemble, draws)


def _checked_design(design: Any, words: _Words, ensemble: Ensemble, draws: int) -> list[Insertion]:
    """Return the insertions of a design, or raise a ValueError if one does not fit."""
    movable = np.asarray(ensemble.moves(jnp.arange(ensemble.length)))
    taken = np.zeros((draws, ensemble.length), bool)
    placed = []
    for given in checks.several("designs", design, "lists of insertions"):
        entry = Insertion(*given) if isinstance(given, tuple) and len(given) in (2, 3) else None
        if entry is None:
            raise ValueError(f"designs must hold lists of Insertion(motif, start, strand), got {checks.shown(given)}")
        motif = index_of("motif of an insertion", entry.motif, len(words.probabilities))
        width = len(words.probabilities[motif])
        start = np.asarray(entry.start)
        if start.shape not in ((), (draws,)) or start.dtype.kind not in "iu":
            raise ValueError(
                f"start of an insertion must be a whole number or {draws} of them, got {checks.shown(entry.start)}"
            )
        if start.min() < 0 or start.max() > ensemble.length - width:
            raise ValueError(
                f"start of an insertion must be 0 to {ensemble.length - width} for a motif of {width} letters, got "
                f"{start.min() if start.min() < 0 else start.max()}"
            )
        if entry.strand not in (1, -1) or (entry.strand < 0 and ensemble.alphabet.complements is None):
            allowed = "1" if ensemble.alphabet.complements is None else "1 or -1"
            raise ValueError(f"strand of an insertion must be {allowed}, got {checks.shown(entry.strand)}")
        places = np.broadcast_to(start, draws)[:, None] + np.arange(width)
        if not movable[places].all():
            held = places[~movable[places]][0]
            raise ValueError(f"designs must leave held positions alone, got an insertion at the held position {held}")
        if np.take_along_axis(taken, places, axis=1).any():
            raise ValueError(
                f"designs must not have insertions on top of each other, got {checks.shown(given)} on another"
            )
        np.put_along_axis(taken, places, True, axis=1)
        placed.append(Insertion(motif, start, int(entry.strand)))
    return placed


def _seed(key: Key[Array, ""]) -> list[int]:
    return np.asarray(jax.random.key_data(key)).ravel().tolist()


def _mean(values: Float[np.ndarray, "... draws"]) -> tuple[Any, Any]:
    """Return the mean over draws and its standard error."""
    return values.mean(-1), values.std(-1, ddof=1) / np.sqrt(values.shape[-1])
