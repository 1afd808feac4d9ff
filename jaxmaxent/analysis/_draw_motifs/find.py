"""Motifs of the draws, wherever they stand: k-mers enriched against β = 0, grown to matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxmaxent.analysis._draw_motifs.describe import described
from jaxmaxent.analysis._draw_motifs.draws import Draws, draws_of
from jaxmaxent.analysis._draw_motifs.enriched import (
    COUNTED,
    SEED,
    checked_size,
    counted_rates,
    counted_size,
    letters_of,
)
from jaxmaxent.analysis._draw_motifs.found import DrawMotif, DrawMotifs, EnrichedKmer
from jaxmaxent.analysis._draw_motifs.kmers import strands
from jaxmaxent.analysis._draw_motifs.search import DrawSearch, Settings, checked_settings, together
from jaxmaxent.analysis._motifs.tomtom import NamedMotif, match_motifs
from jaxmaxent.analysis._occurrences import scan
from jaxmaxent.analysis._run_parts import checked_run
from jaxmaxent.ensembles import Alphabet, Ensemble
from jaxmaxent.results import Run


def draw_motifs(
    run: Run,
    *,
    anchor: int | Sequence[int] | None = 0,
    rung: int | None = None,
    size: int | None = None,
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
        size: letters of the k-mers, from 3 to 8; None means 5, or fewer if the sequences are shorter or have many
            letters. If the run counted k-mers of this size, these counts serve, which are of all draws.
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
    letters = letters_of(checked_run(run, "draws"), alphabet)
    counted = counted_size(run, rung, ensemble)
    size = checked_size(size, run, letters, None, SEED)
    settings = checked_settings(size, fdr, least, excess, most, flank, threshold)
    draws = draws_of(run, anchor, rung, ensemble, key)
    kmers = strands(settings.size, letters, both=both_strands)
    # Counts are of all draws, and of all replicas at the target; stored draws are some of them.
    use = counted == size
    rates = counted_rates(run, draws.anchors, kmers) if use else None
    search = DrawSearch(draws, letters, kmers, settings, rates, both_strands=both_strands)
    seeds, grown = search.run()
    matrices, limits = [one.log_odds for one in grown], [one.threshold for one in grown]
    found, background = (
        scan(together(tokens), matrices, limits, both_strands, alphabet=letters)
        for tokens in (draws.target, draws.background)
    )
    motifs = [
        described(run, draws, k, one, seed, found, background, letters, both_strands)
        for k, (seed, one) in enumerate(zip(seeds, grown, strict=True))
    ]
    if known is not None and motifs:
        named = match_motifs(motifs, known, alphabet=letters, both_strands=both_strands)
        motifs = [motif._replace(hits=hits) for motif, hits in zip(motifs, named, strict=True)]
    source = COUNTED if use else draws.source
    outcome = _outcome(run, draws, motifs, search.enriched, settings, source)
    return DrawMotifs(tuple(motifs), search.enriched, source, found, background, outcome)


def _outcome(
    run: Run,
    draws: Draws,
    motifs: Sequence[DrawMotif],
    enriched: Sequence[EnrichedKmer],
    settings: Settings,
    source: str,
) -> str:
    def several(number: int, what: str) -> str:
        return f"{number} {what}" + "s" * (number != 1)

    wrong = sum(not run.converged[anchor] for anchor in draws.anchors)
    unsure = f"; {wrong} of {several(len(draws.anchors), 'anchor')} did not converge" if wrong else ""
    kmers = f"{several(len(enriched), 'k-mer')} of {settings.size} letters enriched against the {source}"
    return f"{several(len(motifs), 'motif')} from {kmers}, at a false discovery rate of {settings.fdr:g}{unsure}"
