"""Sites of motifs in the draws of a run, in its background, and in sequences of independent letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxmaxent.analysis._grammar.scores import log_odds, threshold
from jaxmaxent.analysis._grammar.sites import chosen_sites, without_overlaps
from jaxmaxent.analysis._occurrences import Occurrences, scan, window_scores
from jaxmaxent.ensembles import Alphabet

_SEQUENCES = 10_000  # of independent letters
_RATES = (0.05, 0.1, 0.2, 0.4)  # sites by chance per draw, from the strictest score to the most lenient
_WORTH = 0.05  # gain in the share of draws for which a more lenient score is taken


class FoundSites(NamedTuple):
    """Sites of motifs, all of them and the best of each draw.

    Attributes:
        target: sites in draws at the target, those of a motif without overlaps.
        control: the same in the background.
        best: the site of highest score of each motif in each draw at the target.
        chance: the same in sequences of independent letters with the background's frequencies.
        tries: number of scores that were compared to choose the one from which on a window is a site.
    """

    target: Occurrences
    control: Occurrences
    best: Occurrences
    chance: Occurrences
    tries: int


def find_sites(
    draws: Int[np.ndarray, "chains draws length"],
    background: Int[np.ndarray, "chains draws length"],
    frequencies: Float[np.ndarray, "length letters"],
    matrices: Sequence[Float[np.ndarray, "width letters"]],
    alphabet: Alphabet,
    by_chance: float | None,
) -> FoundSites:
    """Return the sites of motifs.

    Networks differ in how many wrong letters of a site they accept. Without `by_chance`, a more lenient score is taken
    if it tells the draws better from the background.
    """
    letters = np.bincount(background.reshape(-1), minlength=len(alphabet)) / background.size
    scores = [log_odds(matrix, letters) for matrix in matrices]
    turned = alphabet.complement(np.arange(len(alphabet))) if alphabet.complements else None
    rates = _RATES if by_chance is None else (by_chance,)
    limits = []
    for score in scores:
        windows = (1 if turned is None else 2) * (draws.shape[2] - len(score) + 1)
        tried = [threshold(score, letters, rate / windows) for rate in rates]
        ours, others = (_highest(part, score, turned) for part in (draws, background))
        limits.append(_chosen(ours, others, tried))
    target, control = (without_overlaps(scan(part, scores, limits, alphabet=alphabet)) for part in (draws, background))
    random = _independent(frequencies)
    chance = scan(random, scores, limits, alphabet=alphabet)
    best, chance = (_best(sites, tokens, scores, turned) for sites, tokens in ((target, draws), (chance, random)))
    return FoundSites(target, control, best, chance, len(rates))


def _chosen(ours: np.ndarray, others: np.ndarray, limits: list[float]) -> float:
    """Return the limit that tells two sets of highest scores apart, the first unless a later one is clearly better."""
    gains = [abs((ours >= limit).mean() - (others >= limit).mean()) for limit in limits]
    best = 0
    for k, gain in enumerate(gains):
        best = k if gain > gains[best] + _WORTH else best
    return limits[best]


def _highest(tokens: np.ndarray, score: np.ndarray, turned: np.ndarray | None) -> np.ndarray:
    """Return the highest score of each draw on either strand."""
    flat = tokens.reshape(-1, tokens.shape[2])
    best = window_scores(flat, score).max(1)
    return best if turned is None else np.maximum(best, window_scores(flat, score[::-1, turned]).max(1))


def _best(sites: Occurrences, tokens: np.ndarray, scores: list[np.ndarray], turned: np.ndarray | None) -> Occurrences:
    """Return the site of highest score of each motif in each draw; the first of equal ones."""
    value = np.zeros(len(sites.motif))
    for k, score in enumerate(scores):
        for side in (1, -1):
            own = np.flatnonzero((sites.motif == k) & (sites.strand == side))
            matrix = score if side > 0 or turned is None else score[::-1, turned]
            for column, row in enumerate(matrix):
                value[own] += row[tokens[sites.chain[own], sites.draw[own], sites.start[own] + column]]
    order = np.lexsort((sites.start, -np.round(value, 6), sites.draw, sites.chain, sites.motif))
    keys = np.stack([sites.motif, sites.chain, sites.draw])[:, order]
    first = np.ones(len(order), bool)
    first[1:] = (keys[:, 1:] != keys[:, :-1]).any(0)
    kept = order[first]
    return chosen_sites(sites, kept)


def _independent(frequencies: Float[np.ndarray, "length letters"]) -> Int[np.ndarray, "one draws length"]:
    """Return sequences of independent letters with the frequencies of the background at each position.

    The stored draws of the background are too few for the distribution of places and spacings by chance.
    """
    rng = np.random.default_rng(0)
    above = np.cumsum(frequencies, axis=1)[:, :-1]
    above = above / frequencies.sum(1)[:, None]
    tokens = np.zeros((1, _SEQUENCES, len(frequencies)), np.uint8)
    uniform = rng.random(tokens.shape)
    for bound in above.T:
        tokens += uniform >= bound
    return tokens
