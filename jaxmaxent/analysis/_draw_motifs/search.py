"""The search for motifs, one after another."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from jaxmaxent import checks
from jaxmaxent.analysis._draw_motifs.draws import Draws
from jaxmaxent.analysis._draw_motifs.enriched import MOST_BITS, enriched, excess, listed, one_kmer
from jaxmaxent.analysis._draw_motifs.found import EnrichedKmer
from jaxmaxent.analysis._draw_motifs.grow import Grown, Letters, covered, grow, scores
from jaxmaxent.analysis._draw_motifs.kmers import KmerTest, Strands, compare, false_discovery, kmer_counts
from jaxmaxent.ensembles import Alphabet

# k-mers that give no motif, one after another, before the search ends: what is left is mostly remnants.
_TRIES = 5


class Settings(NamedTuple):
    """The numbers that a search is given; those of `draw_motifs`."""

    size: int
    fdr: float
    least: float
    excess: float
    most: int
    flank: int
    threshold: float


def checked_settings(size: int, fdr: Any, least: Any, excess: Any, most: Any, flank: Any, threshold: Any) -> Settings:
    """Return the settings, or raise a ValueError if a number is out of range; the size is checked already."""
    return Settings(
        size=size,
        fdr=checks.number("fdr", fdr, above=0, below=1),
        least=checks.number("least", least, above=0, below=MOST_BITS),
        excess=checks.number("excess", excess, above=0),
        most=checks.integer("most", most, at_least=1),
        flank=checks.integer("flank", flank, at_least=0),
        threshold=checks.number("threshold", threshold, above=0),
    )


class DrawSearch:
    """The search for motifs, each masked in the draws before the next is sought.

    Attributes:
        enriched: the k-mers that are enriched before anything is masked.
    """

    def __init__(
        self, draws: Draws, alphabet: Alphabet, kmers: Strands, settings: Settings, rates: Any, *, both_strands: bool
    ) -> None:
        """Prepare a search; `rates` are copies per draw of all draws of the run, if it counted them, else None."""
        self._anchors, self._kmers, self._settings = len(draws.anchors), kmers, settings
        self._base = len(alphabet)
        self._letters = _letters(draws, alphabet, both_strands)
        self._first = self._test() if rates is None else compare(*rates)
        self._q = false_discovery(self._first.p, self._first.target + self._first.background > 0)
        self.enriched = listed(self._first, self._q, self._passes(self._first), kmers)

    def run(self) -> tuple[list[EnrichedKmer], list[Grown]]:
        """Return the k-mers from which motifs were grown, and the motifs."""
        seeds, grown = [], []
        test, tried = self._test(), np.zeros(len(self._q), bool)
        failed = 0
        while len(grown) < self._settings.most and failed < _TRIES:
            # What is left has to be significant both in whole draws and beside the motifs found before.
            q = false_discovery(test.p, test.target + test.background > 0)
            left = self._passes(test) & (q <= self._settings.fdr) & ~tried
            if not left.any():
                break
            seed = int(np.where(left, excess(test), -np.inf).argmax())
            tried[seed] = True
            settings = self._settings
            motif = grow(
                self._letters, seed, self._kmers, flank=settings.flank, threshold=settings.threshold,
                excess=settings.excess,
            )  # fmt: skip
            failed += 1
            if motif is None or not self._mask(motif):
                continue
            failed = 0
            seeds.append(one_kmer(self._first, self._q, self._kmers, seed))
            grown.append(motif)
            test = self._test()
        return seeds, grown

    def _test(self) -> KmerTest:
        letters, rates = self._letters, []
        for tokens, free in ((letters.target, letters.free), (letters.background, letters.background_free)):
            counts = self._kmers.fold(kmer_counts(tokens, self._kmers.size, self._base, free)) / tokens.shape[1]
            rates.append(counts.reshape(self._anchors, -1, counts.shape[-1]))
        return compare(*rates)

    def _passes(self, test: KmerTest) -> np.ndarray:
        return enriched(test, self._q, self._settings.fdr, self._settings.least)

    def _mask(self, motif: Grown) -> bool:
        """Mask the windows of a motif; False, with nothing masked, if the target has too few more than β = 0."""
        windows = [
            scores(tokens, free, motif.log_odds, self._letters.complement)
            for tokens, free in (
                (self._letters.target, self._letters.free),
                (self._letters.background, self._letters.background_free),
            )
        ]
        many, few = (int((one.score >= motif.threshold).sum()) for one in windows)
        few, draws = few * self._letters.scale, np.prod(self._letters.target.shape[:2])
        if many <= few * 2**self._settings.least or many - few < self._settings.excess * draws:
            return False
        width, length = len(motif.log_odds), self._letters.target.shape[2]
        target, background = (covered(one, motif.threshold, width, length) for one in windows)
        self._letters = self._letters._replace(
            free=self._letters.free & ~target, background_free=self._letters.background_free & ~background
        )
        return True


def _letters(draws: Draws, alphabet: Alphabet, both_strands: bool) -> Letters:
    target, background = together(draws.target), together(draws.background)
    counts = np.bincount(background.ravel(), minlength=len(alphabet)) + 1.0
    complement = None
    if both_strands and alphabet.complements is not None:
        complement = alphabet.complement(np.arange(len(alphabet))).astype(np.int64)
        counts = counts + counts[complement]
    free = np.ones(target.shape, bool), np.ones(background.shape, bool)
    return Letters(target, background, *free, counts / counts.sum(), complement)


def together(draws: Int[np.ndarray, "anchors chains draws length"]) -> Int[np.ndarray, "all_chains draws length"]:
    """Return the chains of all anchors one after the other."""
    return draws.reshape(-1, *draws.shape[2:])
