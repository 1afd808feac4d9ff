"""The numbers of a motif per draw, with errors from chains, and the sites of the anchors."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from jaxmaxent.analysis._draw_motifs.draws import Draws
from jaxmaxent.analysis._draw_motifs.found import DrawMotif, DrawSite, EnrichedKmer
from jaxmaxent.analysis._draw_motifs.grow import Grown
from jaxmaxent.analysis._occurrences import Occurrences, scan
from jaxmaxent.ensembles import Alphabet
from jaxmaxent.results import Run
from jaxmaxent.results._information import consensus


def described(
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
