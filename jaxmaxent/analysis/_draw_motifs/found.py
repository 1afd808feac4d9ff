"""What is found in draws: enriched k-mers, motifs and the sites of anchors."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent.analysis._motifs.tomtom import MotifHit
from jaxmaxent.analysis._occurrences import Occurrences
from jaxmaxent.results._information import information_bits


class EnrichedKmer(NamedTuple):
    """A k-mer that draws at the target have more often than draws at β = 0.

    Attributes:
        kmer: its letters; on two strands, the first in the alphabet of it and its reverse complement.
        copies: mean number per draw at the target, both strands together.
        background_copies: the same at β = 0.
        error: standard error of the difference of the two.
        p: one-sided p-value of the difference, from the spread of chains.
        q: share of false ones among this and the more significant k-mers (Benjamini & Hochberg 1995).
        enrichment_error: standard error of `enrichment`, by the spread of chains; NaN if that is infinite.
    """

    kmer: str
    copies: float
    background_copies: float
    error: float
    p: float
    q: float
    enrichment_error: float

    @property
    def enrichment(self) -> float:
        """log2 of copies over copies at β = 0; infinite if there were none at β = 0."""
        return math.log2(self.copies / self.background_copies) if self.background_copies else math.inf


class EnrichedKmers(NamedTuple):
    """The k-mers that draws at the target have more often than draws at β = 0.

    Attributes:
        kmers: the enriched k-mers, the most significant first.
        size: letters of a k-mer.
        tested: number of k-mers that were tested, all that were ever seen.
        source: a phrase that says what was counted at β = 0.
        outcome: a sentence that says how many were found.
    """

    kmers: tuple[EnrichedKmer, ...]
    size: int
    tested: int
    source: str
    outcome: str


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
        motifs: the motifs, in the order found: that of the k-mer with the largest excess first.
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
