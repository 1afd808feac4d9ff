"""Motifs of the draws, wherever they stand: k-mers enriched against β = 0, grown to matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxmaxent import checks
from jaxmaxent.analysis._draw_motifs.draws import Draws, draws_of
from jaxmaxent.analysis._draw_motifs.grow import Grown, Letters, covered, grow, scores
from jaxmaxent.analysis._draw_motifs.kmers import (
    Strands,
    Test,
    compare,
    false_discovery,
    kmer_counts,
    strands,
)
from jaxmaxent.analysis._motifs.tomtom import MotifHit, NamedMotif, match_motifs
from jaxmaxent.analysis._occurrences import Occurrences, scan
from jaxmaxent.ensembles import Alphabet, Ensemble, checked_alphabet, with_letters
from jaxmaxent.results import Run
from jaxmaxent.results._information import consensus, information_bits

_SMALLEST, _LARGEST = 3, 8  # letters of a k-mer; 4^8 counts of every chain fit into memory


class EnrichedKmer(NamedTuple):
    """A k-mer that draws at the target have more often than draws at β = 0.

    Attributes:
        kmer: its letters; on two strands, the first in the alphabet of it and its reverse complement.
        copies: mean number per draw at the target, both strands together.
        background_copies: the same at β = 0.
        error: standard error of the difference of the two.
        p: one-sided p-value of the difference, from the spread of chains.
        q: share of false ones among this and the more significant k-mers (Benjamini & Hochberg 1995).
    """

    kmer: str
    copies: float
    background_copies: float
    error: float
    p: float
    q: float

    @property
    def enrichment(self) -> float:
        """log2 of copies over copies at β = 0; infinite if there were none at β = 0."""
        return math.log2(self.copies / self.background_copies) if self.background_copies else math.inf


class DrawSite(NamedTuple):
    """A place where an anchor has a motif of the draws.

    Attributes:
        anchor: index of the anchor.
        name: its name.
        start: first position of the site, from 0.
        stop: the position after its last.
        strand: "+" if the motif reads along the anchor, "-" if its reverse complement does.
        score: log-odds of the site, in bits.
    """

    anchor: int
    name: str
    start: int
    stop: int
    strand: str
    score: float


class DrawMotif(NamedTuple):
    """A motif of the draws. `data.write_meme` writes it, and `match_motifs` compares it with known motifs.

    Standard errors come from the spread of chains. The motif was fitted to the same draws, so its copies are a little
    larger, by chance, than those of new draws.

    Attributes:
        name: "draw_motif_1" and so on.
        identifier: the same.
        probabilities: share of each letter in windows at the target in excess of β = 0, shape [width, letters].
        errors: their standard errors, by a jackknife over chains.
        log_odds: scores of the letters, in bits, shape [width, letters].
        threshold: smallest score of an occurrence, in bits.
        consensus: the letter with a share of more than one half, at each column.
        sites: number of occurrences in all draws at the target.
        kmer: the enriched k-mer from which the motif was grown; its q is that of the motif.
        copies: mean number of occurrences per draw at the target.
        copies_error: its standard error.
        background_copies: the same at β = 0.
        background_copies_error: its standard error.
        forward: share of the occurrences that read along the draw.
        forward_error: its standard error; NaN if no chain differs.
        places: mean number of occurrences per draw that start at each position, shape [starts]; the sum is `copies`.
        place_errors: their standard errors, shape [starts].
        copies_of_anchor: `copies` of each anchor, shape [anchors].
        anchor_sites: the places where the anchors themselves have the motif, by anchor and position.
        hits: the most similar known motifs, if some were given.
    """

    name: str
    identifier: str
    probabilities: Float[np.ndarray, "width letters"]
    errors: Float[np.ndarray, "width letters"]
    log_odds: Float[np.ndarray, "width letters"]
    threshold: float
    consensus: str
    sites: int
    kmer: EnrichedKmer
    copies: float
    copies_error: float
    background_copies: float
    background_copies_error: float
    forward: float
    forward_error: float
    places: Float[np.ndarray, " starts"]
    place_errors: Float[np.ndarray, " starts"]
    copies_of_anchor: Float[np.ndarray, " anchors"]
    anchor_sites: tuple[DrawSite, ...]
    hits: tuple[MotifHit, ...]

    @property
    def information(self) -> Float[np.ndarray, " width"]:
        """Bits of each column, shape [width]."""
        return information_bits(self.probabilities)


class DrawMotifs(NamedTuple):
    """The motifs of the draws of one anchor, or of several together.

    Attributes:
        motifs: the motifs, those with the largest excess first.
        kmers: the enriched k-mers, the most significant first.
        background: a phrase that says which draws at β = 0 were compared with.
        occurrences: where draws at the target have the motifs. Chains of several anchors follow each other, all chains
            of the first anchor coming first.
        background_occurrences: the same at β = 0.
        outcome: a sentence that says what was found, or that nothing was.
    """

    motifs: tuple[DrawMotif, ...]
    kmers: tuple[EnrichedKmer, ...]
    background: str
    occurrences: Occurrences
    background_occurrences: Occurrences
    outcome: str


def draw_motifs(
    run: Run,
    *,
    anchor: int | Sequence[int] | None = 0,
    rung: int | None = None,
    size: int = 6,
    fdr: float = 0.05,
    least: float = 0.5,
    excess: float = 0.1,
    most: int = 8,
    flank: int = 4,
    threshold: float = 0.1,
    both_strands: bool = True,
    known: Sequence[NamedMotif] | None = None,
    ensemble: Ensemble | None = None,
    key: Any = None,
    alphabet: Alphabet | None = None,
) -> DrawMotifs:
    """Find the motifs that draws at the target have more often than draws at β = 0, wherever they stand.

    A network that pools over the sequence treats a site as equal wherever it stands, so that no position of a profile
    is held. Draws have the site all the same, at any place. The comparison with β = 0 is exact: draws there have the
    same fields and held positions. k-mers are tested by the spread of chains, which are independent, and the share of
    false ones among them is limited. The k-mer with the largest excess is grown to a matrix; windows that it explains
    are masked, in both sets of draws, and the remaining k-mers are tested again.

        found = draw_motifs(sample(key, ensemble, store_every=50), known=data.read_motifs("jaspar.meme"))
        found.motifs[0].consensus, found.motifs[0].copies, found.motifs[0].anchor_sites

    Args:
        run: a run with stored draws (`sample(..., store_every=…)`) and at least two chains.
        anchor: index of the anchor; several, or None for all, are searched together: chains of all of them count, so
            that a motif is found that is too weak in any one anchor. It need not be in all.
        rung: index of the rung; None means the target.
        size: letters of the k-mers, from 3 to 8.
        fdr: largest share of false k-mers among those called enriched, between 0 and 1.
        least: smallest log2 of copies over copies at β = 0, of k-mers and of motifs. A network that holds GC content
            makes many k-mers a little more frequent.
        excess: smallest number of copies per draw that a motif has more at the target than at β = 0.
        most: largest number of motifs.
        flank: columns by which a motif may reach beyond its k-mer, on either side.
        threshold: motifs begin and end with columns that have more bits than this, against the letters at β = 0.
        both_strands: count both strands together, if the letters have complements.
        known: known motifs to name the found ones by, such as `data.read_motifs` reads.
        ensemble: the ensemble of the run, drawn exactly at β = 0 to compare with; needed if the run has no such rung.
        key: a random key for these draws; `jax.random.key(0)` if None.
        alphabet: the letters and their complements; None means those of the run.

    Raises:
        ValueError: if the run has no stored draws, fewer than two chains, or no rung at β = 0 and no ensemble is given,
            if k-mers are longer than the sequences, or a number is out of range.
    """
    settings = _settings(size, fdr, least, excess, most, flank, threshold)
    draws = draws_of(run, anchor, rung, ensemble, key)
    letters = with_letters(run.letters) if alphabet is None else checked_alphabet(alphabet)
    if letters.letters != run.letters:
        raise ValueError(f"alphabet must have the letters of the run, {run.letters!r}, got {letters.letters!r}")
    size = settings.size
    if size > draws.target.shape[-1]:
        raise ValueError(f"size must be at most the length of the sequences, {draws.target.shape[-1]}, got {size}")
    if len(letters) ** size > 4**_LARGEST:
        raise ValueError(f"size must be so small that at most {4**_LARGEST:,} k-mers are possible, got {size}")
    kmers = strands(size, letters, both=both_strands)
    search = _Search(draws, letters, kmers, settings, both_strands=both_strands)
    seeds, grown = search.run()
    matrices, limits = [one.log_odds for one in grown], [one.threshold for one in grown]
    found, background = (
        scan(tokens, matrices, limits, both_strands, alphabet=letters)
        for tokens in (_together(draws.target), _together(draws.background))
    )
    motifs = [
        _described(run, draws, k, one, seed, found, background, letters, both_strands)
        for k, (seed, one) in enumerate(zip(seeds, grown, strict=True))
    ]
    if known is not None and motifs:
        named = match_motifs(motifs, known, alphabet=letters, both_strands=both_strands)
        motifs = [motif._replace(hits=hits) for motif, hits in zip(motifs, named, strict=True)]
    outcome = _outcome(run, draws, motifs, search.enriched, settings)
    return DrawMotifs(tuple(motifs), search.enriched, draws.source, found, background, outcome)


class _Settings(NamedTuple):
    size: int
    fdr: float
    least: float
    excess: float
    most: int
    flank: int
    threshold: float


def _settings(size: Any, fdr: Any, least: Any, excess: Any, most: Any, flank: Any, threshold: Any) -> _Settings:
    return _Settings(
        size=checks.integer("size", size, at_least=_SMALLEST, at_most=_LARGEST),
        fdr=checks.number("fdr", fdr, above=0, below=1),
        least=checks.number("least", least, above=0),
        excess=checks.number("excess", excess, above=0),
        most=checks.integer("most", most, at_least=1),
        flank=checks.integer("flank", flank, at_least=0),
        threshold=checks.number("threshold", threshold, above=0),
    )


class _Search:
    """The search for motifs, one after another, each masked in the draws before the next is sought.

    Attributes:
        enriched: the k-mers that are enriched before anything is masked.
    """

    def __init__(
        self, draws: Draws, alphabet: Alphabet, kmers: Strands, settings: _Settings, *, both_strands: bool
    ) -> None:
        self._draws, self._kmers, self._settings = draws, kmers, settings
        self._base = len(alphabet)
        target, background = _together(draws.target), _together(draws.background)
        counts = np.bincount(background.ravel(), minlength=self._base) + 1.0
        turned = both_strands and alphabet.complements is not None
        complement = alphabet.complement(np.arange(self._base)).astype(np.int64) if turned else None
        if complement is not None:
            counts = counts + counts[complement]
        self._letters = Letters(
            target, background, np.ones(target.shape, bool), np.ones(background.shape, bool),
            counts / counts.sum(), complement,
        )  # fmt: skip
        first = self._test()
        self._q = false_discovery(first.p, first.target + first.background > 0)
        order = np.lexsort((-self._excess(first), self._q))
        self.enriched = tuple(self._kmer(first, k) for k in order if self._passes(first)[k])
        self._first = first

    def run(self) -> tuple[list[EnrichedKmer], list[Grown]]:
        """Return the k-mers from which motifs were grown, and the motifs."""
        seeds, grown = [], []
        test, tried = self._first, np.zeros(len(self._q), bool)
        while len(grown) < self._settings.most:
            # What is left has to be significant both in whole draws and beside the motifs found before.
            left = self._passes(test) & (false_discovery(test.p, test.target > 0) <= self._settings.fdr) & ~tried
            if not left.any():
                break
            seed = int(np.where(left, self._excess(test), -np.inf).argmax())
            tried[seed] = True
            motif = grow(
                self._letters, seed, self._kmers, flank=self._settings.flank, threshold=self._settings.threshold,
                excess=self._settings.excess,
            )  # fmt: skip
            if motif is None or not self._mask(motif):
                continue
            seeds.append(self._kmer(self._first, seed))
            grown.append(motif)
            test = self._test()
        return seeds, grown

    def _test(self) -> Test:
        rates = []
        for tokens, free in (
            (self._letters.target, self._letters.free),
            (self._letters.background, self._letters.background_free),
        ):
            counts = self._kmers.fold(kmer_counts(tokens, self._kmers.size, self._base, free)) / tokens.shape[1]
            rates.append(counts.reshape(len(self._draws.anchors), -1, counts.shape[-1]))
        return compare(*rates)

    def _passes(self, test: Test) -> Bool[np.ndarray, " kmers"]:
        enriched = test.target > test.background * 2**self._settings.least
        return enriched & (self._q <= self._settings.fdr)

    def _excess(self, test: Test) -> Float[np.ndarray, " kmers"]:
        """Return the excess of copies in units of the errors that independent copies would have."""
        both = test.target + test.background
        return (test.target - test.background) / np.sqrt(np.where(both > 0, both, 1))

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

    def _kmer(self, test: Test, k: int) -> EnrichedKmer:
        numbers = (float(array[k]) for array in test)
        return EnrichedKmer(self._kmers.text(k), *numbers, float(self._q[k]))


def _together(draws: Int[np.ndarray, "anchors chains draws length"]) -> Int[np.ndarray, "all_chains draws length"]:
    return draws.reshape(-1, *draws.shape[2:])


def _described(
    run: Run,
    draws: Draws,
    k: int,
    grown: Grown,
    seed: EnrichedKmer,
    found: Occurrences,
    background: Occurrences,
    alphabet: Alphabet,
    both_strands: bool,
) -> DrawMotif:
    """Return a motif with its numbers per draw, and the anchors' own sites."""
    anchors, width = len(draws.anchors), len(grown.log_odds)
    copies, error, each = _copies(found, k, anchors)
    other, other_error, _ = _copies(background, k, anchors)
    places, place_errors = _places(found, k, anchors, width)
    forward, forward_error = _forward(found, k)
    rows = scan(
        run.anchors[list(draws.anchors)][:, None], [grown.log_odds], [grown.threshold], both_strands, alphabet=alphabet
    )
    name = f"draw_motif_{k + 1}"
    return DrawMotif(
        name,
        name,
        grown.probabilities,
        grown.errors,
        grown.log_odds,
        grown.threshold,
        consensus(grown.probabilities, alphabet.letters, any_letter=alphabet.any_letter),
        int((found.motif == k).sum()),
        seed,
        copies,
        error,
        other,
        other_error,
        forward,
        forward_error,
        places,
        place_errors,
        each,
        tuple(_site(run, draws, grown.log_odds, rows, i, alphabet) for i in range(len(rows.start))),
        (),
    )


def _site(run: Run, draws: Draws, log_odds: np.ndarray, rows: Occurrences, i: int, alphabet: Alphabet) -> DrawSite:
    anchor, start = draws.anchors[int(rows.chain[i])], int(rows.start[i])
    word, forward = run.anchors[anchor, start : start + len(log_odds)], int(rows.strand[i]) > 0
    read = word if forward else alphabet.reverse_complement(word)
    score = float(log_odds[np.arange(len(read)), read].sum())
    return DrawSite(anchor, run.names[anchor], start, start + len(log_odds), "+" if forward else "-", score)


def _copies(found: Occurrences, k: int, anchors: int) -> tuple[float, float, Float[np.ndarray, " anchors"]]:
    """Return copies per draw of a motif, their standard error, and the copies of each anchor."""
    counts = np.bincount(found.chain[found.motif == k], minlength=found.number_of_chains)
    rates = counts.reshape(anchors, -1) / found.draws_per_chain
    return float(rates.mean()), float(_error(rates[..., None])[0]), rates.mean(1)


def _places(found: Occurrences, k: int, anchors: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    own, starts = found.motif == k, found.length - width + 1
    counts = np.zeros((found.number_of_chains, starts))
    np.add.at(counts, (found.chain[own], found.start[own]), 1)
    rates = counts.reshape(anchors, -1, starts) / found.draws_per_chain
    return rates.mean((0, 1)), _error(rates)


def _error(rates: Float[np.ndarray, "anchors chains numbers"]) -> Float[np.ndarray, " numbers"]:
    """Return the standard error of the mean, from the spread of the chains of each anchor."""
    anchors, chains = rates.shape[:2]
    return np.sqrt(rates.var(1, ddof=1).sum(0) / chains) / anchors


def _forward(found: Occurrences, k: int) -> tuple[float, float]:
    """Return the share of occurrences on the forward strand and its standard error, that of a ratio over chains."""
    own = found.motif == k
    every = np.bincount(found.chain[own], minlength=found.number_of_chains)
    along = np.bincount(found.chain[own], weights=found.strand[own] > 0, minlength=found.number_of_chains)
    share = along.sum() / every.sum()
    chains = len(every)
    error = math.sqrt(np.square(along - share * every).sum() * chains / (chains - 1)) / every.sum()
    return float(share), float(error)


def _outcome(
    run: Run, draws: Draws, motifs: Sequence[DrawMotif], enriched: Sequence[EnrichedKmer], settings: _Settings
) -> str:
    def several(number: int, what: str) -> str:
        return f"{number} {what}" + "s" * (number != 1)

    wrong = sum(not run.converged[anchor] for anchor in draws.anchors)
    unsure = f"; {wrong} of {several(len(draws.anchors), 'anchor')} did not converge" if wrong else ""
    kmers = f"{several(len(enriched), 'k-mer')} of {settings.size} letters enriched against the {draws.source}"
    return f"{several(len(motifs), 'motif')} from {kmers}, at a false discovery rate of {settings.fdr:g}{unsure}"
