"""k-mers that are enriched at the target, from counts kept by the run or from its stored draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from jaxmaxent import checks
from jaxmaxent.analysis._draw_motifs.draws import chosen_anchors, draws_of
from jaxmaxent.analysis._draw_motifs.found import EnrichedKmer, EnrichedKmers
from jaxmaxent.analysis._draw_motifs.kmers import KmerTest, Strands, compare, false_discovery, kmer_counts, strands
from jaxmaxent.analysis._run_parts import checked_run, rung_of
from jaxmaxent.ensembles import Alphabet, Ensemble, checked_alphabet, with_letters
from jaxmaxent.results import Run

COUNTED = "k-mers that the run counted at β = 0"
SMALLEST, LARGEST = 3, 8  # letters of a k-mer; 4^8 counts of every chain fit into memory
_USUAL = 6
# A motif is grown from fewer letters: a seed as long as a short site, such as GATAAG, is mostly there in exact copies
# only, and then nothing is learned of its variants and of the letters beside it.
SEED = 5
MOST_BITS = 64  # of an enrichment that is asked for: no run has so many draws


def enriched_kmers(
    run: Run,
    *,
    anchor: int | Sequence[int] | None = 0,
    rung: int | None = None,
    size: int | None = None,
    fdr: float = 0.05,
    least: float = 0.5,
    both_strands: bool = True,
    ensemble: Ensemble | None = None,
    key: Any = None,
    alphabet: Alphabet | None = None,
) -> EnrichedKmers:
    """Return the k-mers that draws at the target have more often than draws at β = 0, wherever they stand.

    The counts of `sample(..., kmers=6)` serve, which are of all draws, or else stored draws. k-mers are tested by the
    spread of chains, which are independent. Tests of k-mers share what they know of that spread.

        run = sample(key, ensemble, kmers=6)
        enriched_kmers(run).kmers[0].kmer

    Args:
        run: a run that counted k-mers or stored draws, with at least two chains.
        anchor, rung, fdr, both_strands, ensemble, key, alphabet: as for `draw_motifs`.
        size: letters of the k-mers, from 3 to 8; None means those that the run counted, or else 6, or fewer if the
            sequences are shorter or have many letters.
        least: smallest log2 of copies over copies at β = 0.

    Raises:
        ValueError: if the run has neither counts of such k-mers nor stored draws, fewer than two chains, or no rung at
            β = 0 and no ensemble is given, or a number is out of range.
    """
    letters = letters_of(checked_run(run, "kmer_counts"), alphabet)
    counted = counted_size(run, rung, ensemble)
    size = checked_size(size, run, letters, counted)
    fdr, least = checks.number("fdr", fdr, above=0, below=1), checks.number("least", least, above=0, below=MOST_BITS)
    kmers = strands(size, letters, both=both_strands)
    if run.draws is None and size != counted:
        raise ValueError(_nothing_counted(run, size, counted))
    if size == counted:
        test, source = compare(*counted_rates(run, chosen_anchors(run, anchor), kmers)), COUNTED
    else:
        draws = draws_of(run, anchor, rung, ensemble, key)
        rates = (
            kmers.fold(np.stack([kmer_counts(one, size, len(letters)) for one in tokens])) / tokens.shape[2]
            for tokens in (draws.target, draws.background)
        )
        test, source = compare(*rates), draws.source
    seen = test.target + test.background > 0
    q = false_discovery(test.p, seen)
    found = listed(test, q, enriched(test, q, fdr, least), kmers)
    outcome = f"{len(found)} of {seen.sum():,} k-mers of {size} letters enriched against the {source}"
    return EnrichedKmers(found, size, int(seen.sum()), source, f"{outcome}, at a false discovery rate of {fdr:g}")


def _nothing_counted(run: Run, size: int, counted: int | None) -> str:
    """Return why a run without stored draws has no counts that can be compared."""
    if run.kmer_counts is None:
        return "run must have counts of k-mers or stored draws, got one without: sample(..., kmers=6) keeps counts"
    if run.kmer_counts.shape[2] < 2:
        return "run must have at least 2 chains, whose spread gives the errors, got 1"
    if run.kmer_counts.shape[1] < 2:
        return "run must have a rung at β = 0 to compare with, got one without"
    if counted is None:
        return "run must have stored draws for another rung or ensemble=, got counts of k-mers alone"
    return f"run must have stored draws for k-mers of {size} letters, got counts of k-mers of {counted} alone"


def letters_of(run: Run, alphabet: Alphabet | None) -> Alphabet:
    """Return the alphabet of a run, or the one that was given for it."""
    letters = with_letters(run.letters) if alphabet is None else checked_alphabet(alphabet)
    if letters.letters != run.letters:
        raise ValueError(f"alphabet must have the letters of the run, {run.letters!r}, got {letters.letters!r}")
    return letters


def checked_size(size: Any, run: Run, letters: Alphabet, counted: int | None, usual: int = _USUAL) -> int:
    """Return the letters of the k-mers, or raise a ValueError if there are too many such k-mers or none.

    None means those that the run counted, or else `usual`, or fewer if the sequences are shorter or have many letters.
    """
    if size is None:
        most = int(LARGEST * math.log(4) / math.log(len(letters)) + 1e-9)
        usual = max(min(usual, run.anchors.shape[1], most), SMALLEST)
        size = counted if counted is not None and counted >= SMALLEST else usual
    size = checks.integer("size", size, at_least=SMALLEST, at_most=LARGEST)
    if size > run.anchors.shape[1]:
        raise ValueError(f"size must be at most the length of the sequences, {run.anchors.shape[1]}, got {size}")
    if len(letters) ** size > 4**LARGEST:
        raise ValueError(f"size must be so small that at most {4**LARGEST:,} k-mers are possible, got {size}")
    return size


def counted_size(run: Run, rung: int | None, ensemble: Ensemble | None) -> int | None:
    """Return the letters of the k-mers that a run counted at β = 0 and at this rung; None if it did not."""
    if run.kmer_counts is None or run.kmer_counts.shape[1] < 2 or ensemble is not None:
        return None
    if run.kmer_counts.shape[2] < 2 or rung_of(run, rung) != run.beta.shape[1] - 1:
        return None
    return round(np.log(run.kmer_counts.shape[-1]) / np.log(len(run.letters)))


def counted_rates(
    run: Run, anchors: Sequence[int], kmers: Strands
) -> tuple[Float[np.ndarray, "anchors chains kmers"], Float[np.ndarray, "anchors chains kmers"]]:
    """Return copies per draw of each chain, at the target and at β = 0, from the counts of a run."""
    assert run.kmer_counts is not None
    counts = run.kmer_counts[list(anchors)]
    sequences = counts.sum(-1, keepdims=True) / (run.anchors.shape[1] - kmers.size + 1)
    rates = kmers.fold(counts) / sequences
    return rates[:, 1], rates[:, 0]


def enriched(test: KmerTest, q: Float[np.ndarray, " kmers"], fdr: float, least: float) -> Bool[np.ndarray, " kmers"]:
    """Return True for k-mers that are both significant and enriched by so many bits."""
    return (test.target > test.background * 2**least) & (q <= fdr)


def excess(test: KmerTest) -> Float[np.ndarray, " kmers"]:
    """Return the excess of copies in units of the errors that independent copies would have."""
    both = test.target + test.background
    return (test.target - test.background) / np.sqrt(np.where(both > 0, both, 1))


def one_kmer(test: KmerTest, q: Float[np.ndarray, " kmers"], kmers: Strands, k: int) -> EnrichedKmer:
    """Return the numbers of the k-mer at an index."""
    target, background, error, p, ratio_error = (float(array[k]) for array in test)
    return EnrichedKmer(kmers.text(k), target, background, error, p, float(q[k]), ratio_error)


def listed(
    test: KmerTest, q: Float[np.ndarray, " kmers"], chosen: Bool[np.ndarray, " kmers"], kmers: Strands
) -> tuple[EnrichedKmer, ...]:
    """Return the chosen k-mers, the most significant first."""
    order = np.lexsort((-excess(test), q))
    return tuple(one_kmer(test, q, kmers, k) for k in order.tolist() if chosen[k])
