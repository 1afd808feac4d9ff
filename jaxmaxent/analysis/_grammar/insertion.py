"""Outputs of a network for draws in which motifs were erased, replaced and inserted.

Draws hold what the anchor shows. That another motif could take the place of one of the anchor's, or that it would be
refused, is seen only in sequences that the ensemble does not have.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.analysis._grammar.shares import mean_and_error
from jaxmaxent.analysis._occurrences import Occurrences
from jaxmaxent.ensembles import Ensemble

_DRAWS = 256  # of all chains together, in which motifs are changed
_FEWEST = 16
_AT_ONCE = 512


class Changed(NamedTuple):
    """Outputs for draws that have the first motif, or any draws if `first` is None, and do not have the second.

    Outputs are 0 for the background on average and 1 for the anchor. Arrays have one entry per chain.

    Attributes:
        first: index of a motif that the draws have, or None.
        second: index of another motif.
        as_drawn: mean output of the draws.
        erased: the same without the first motif, other letters being at its place; NaN without a first motif.
        replaced: the same with the second motif at the place of the first; NaN without a first motif.
        inserted: the same with the second motif at another place, less the change that random letters there make; on
            the strand where it changes more.
        weights: number of draws of the chain.
        strands: number of strands that were tried; a test of `inserted` has as many chances.
    """

    first: int | None
    second: int
    as_drawn: Float[np.ndarray, " chains"]
    erased: Float[np.ndarray, " chains"]
    replaced: Float[np.ndarray, " chains"]
    inserted: Float[np.ndarray, " chains"]
    weights: Float[np.ndarray, " chains"]
    strands: int

    def mean(self, values: Float[np.ndarray, " chains"]) -> tuple[float, float]:
        """Return the mean over the draws of all chains, and its standard error."""
        own = np.where(self.weights > 0, values, 0.0) * self.weights
        mean, error = mean_and_error(own[:, None], self.weights)
        return float(mean[0]), float(error[0])


class Outputs:
    """The output of an ensemble's network, on a scale with 0 for the mean of the background and 1 for the anchor.

    The output is the change Σ w (Φ(x) − Φ(x0)), so that draws with more evidence than the anchor are above 1. Where the
    ensemble does not know the sign, as for several outputs, it is 1 − E(x) / ⟨E⟩ of the background, at most 1.
    """

    def __init__(self, ensemble: Ensemble, background: Int[np.ndarray, "draws length"]) -> None:
        self.ensemble, self.signed = ensemble, _is_signed(ensemble)
        self._scale = -float(self._changes(background).mean())

    def __call__(self, tokens: Int[np.ndarray, "sequences length"]) -> Float[np.ndarray, " sequences"]:
        """Return the outputs of sequences."""
        return 1 + self._changes(tokens) / self._scale

    def _changes(self, tokens: Int[np.ndarray, "sequences length"]) -> Float[np.ndarray, " sequences"]:
        found = []
        for begin in range(0, len(tokens), _AT_ONCE):
            part = np.asarray(tokens[begin : begin + _AT_ONCE], np.int32)
            filled = np.resize(part, (_AT_ONCE, part.shape[1]))  # one shape, so that nothing is compiled again
            found.append(np.asarray(_changes(self.ensemble, filled, self.signed), float)[: len(part)])
        return np.concatenate(found)

    @property
    def useful(self) -> bool:
        """True if the anchor differs from the background."""
        return np.isfinite(self._scale) and self._scale != 0


def _is_signed(ensemble: Ensemble) -> bool:
    weights = ensemble.weights
    if hasattr(weights, "head"):
        return weights.head.shape[-1] == 1
    if ensemble.metric.name != "euclidean":
        return False
    weights = np.asarray(weights)
    return weights.size == 1 or bool((weights != weights.flat[0]).any())


@functools.partial(jax.jit, static_argnums=2)
def _changes(ensemble: Ensemble, tokens: Int[Array, "sequences length"], signed: bool) -> Float[Array, " sequences"]:
    def one(row: Int[Array, " length"]) -> Array:
        features = ensemble.representation(ensemble.alphabet.one_hot(row))
        if not signed:
            return -ensemble.distance(features)
        change = features.astype(ensemble.reference.dtype) - ensemble.reference
        weights = ensemble.weights
        if hasattr(weights, "head"):
            return ((change @ weights.head) * weights.each)[0]
        return change @ weights

    return jax.vmap(one)(tokens)


def changed(
    outputs: Outputs,
    draws: Int[np.ndarray, "chains draws length"],
    background: Int[np.ndarray, "chains draws length"],
    sites: Occurrences,
    consensus: Sequence[Int[np.ndarray, " width"]],
    copies: Int[np.ndarray, "motifs chains draws"],
    pairs: Sequence[tuple[int | None, int]],
) -> list[Changed]:
    """Return the outputs of changed draws for pairs (first, second) of motifs, without pairs with too few draws."""
    rng, result = np.random.default_rng(0), []
    for first, second in pairs:
        wanted = copies[second] == 0
        if first is not None:
            wanted &= copies[first] > 0
        chain, draw = _chosen(rng, wanted)
        if len(chain) < _FEWEST or len(np.unique(chain)) < 2:
            continue
        result.append(_changed(outputs, draws, background, sites, consensus, (first, second), (chain, draw), rng))
    return result


def _chosen(rng: np.random.Generator, wanted: Bool[np.ndarray, "chains draws"]) -> tuple[np.ndarray, np.ndarray]:
    """Return chain and draw of some of the wanted draws, as many of each chain if there are enough."""
    most, found = max(_DRAWS // len(wanted), 1), []
    for chain, row in enumerate(wanted):
        own = np.flatnonzero(row)
        own = np.sort(rng.permutation(own)[:most])
        found.append((np.full(len(own), chain), own))
    chain, draw = (np.concatenate(part) for part in zip(*found, strict=True))
    return chain, draw


def _changed(
    outputs: Outputs,
    draws: np.ndarray,
    background: np.ndarray,
    sites: Occurrences,
    consensus: Sequence[np.ndarray],
    motifs: tuple[int | None, int],
    chosen: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> Changed:
    (first, second), (chain, draw) = motifs, chosen
    movable = np.zeros(draws.shape[2], bool)
    movable[np.asarray(outputs.ensemble.movable)] = True
    rows = draws[chain, draw].astype(np.int32)
    others = background[rng.integers(0, len(background), len(rows)), rng.integers(0, background.shape[1], len(rows))]
    erased, replaced, letters = (rows.copy() for _ in range(3))
    alphabet = outputs.ensemble.alphabet
    site = np.asarray(consensus[second])
    reverse = alphabet.reverse_complement(site) if alphabet.complements else site
    # A network may know the motif on one strand only. With either strand in half of the draws, it would seem half as
    # strong, and two motifs that refuse each other would seem to stand beside each other.
    oriented = [site, reverse] if (site != reverse).any() else [site]
    inserted = [rows.copy() for _ in oriented]
    used = np.ones(len(rows), bool)
    own = sites.motif == (-1 if first is None else first)
    for k in range(len(rows)):
        mine = (sites.chain == chain[k]) & (sites.draw == draw[k])
        taken = ~movable
        for motif, start in zip(sites.motif[mine], sites.start[mine], strict=True):
            stop = start + sites.widths[motif]
            taken[start:stop] = True
            if motif == first:
                erased[k, start:stop] = np.where(movable[start:stop], others[k, start:stop], rows[k, start:stop])
                replaced[k, start:stop] = erased[k, start:stop]
        for start, strand in zip(sites.start[mine & own], sites.strand[mine & own], strict=True):
            middle = start + (len(consensus[first or 0]) - len(site)) // 2
            middle = min(max(middle, 0), draws.shape[2] - len(site))
            replaced[k, middle : middle + len(site)] = site if strand > 0 else reverse
        replaced[k] = np.where(movable, replaced[k], rows[k])
        free = np.flatnonzero(~np.convolve(taken, np.ones(len(site)), "valid").astype(bool))
        used[k] = len(free) > 0
        if used[k]:
            start = int(rng.choice(free))
            for each, copy in zip(oriented, inserted, strict=True):
                copy[k, start : start + len(site)] = each
            letters[k, start : start + len(site)] = others[k, start : start + len(site)]
    parts = [outputs(part) for part in (rows, erased, replaced)]
    of_letters = outputs(letters)
    changes = [outputs(copy) - of_letters for copy in inserted]
    parts.append(parts[0] + max(changes, key=lambda change: abs(change[used].mean()) if used.any() else 0.0))
    number = len(draws)
    weights = np.bincount(chain[used], minlength=number).astype(float)
    means = [np.bincount(chain[used], part[used], minlength=number) / np.maximum(weights, 1) for part in parts]
    if first is None:
        means[1] = means[2] = np.full(number, np.nan)
    return Changed(first, second, means[0], means[1], means[2], means[3], weights, len(oriented))
