"""The k-mers that the draws of `interpret` have more often than draws at β = 0, wherever they stand."""

from __future__ import annotations

import math
from typing import Any

from jaxmaxent.analysis import EnrichedKmer, EnrichedKmers, enriched_kmers
from jaxmaxent.report import Table
from jaxmaxent.results import Run

# Letters of the k-mers that are counted.
KMERS = 6
_TABLED, _TOLD, _IN_SUMMARY = 8, 3, 50


def kmers_of(result: Run, a: int) -> EnrichedKmers | None:
    """Return the enriched k-mers of an anchor; None if the run counted none, or has nothing to compare with."""
    betas = result.beta[a]
    if result.kmer_counts is None or result.kmer_counts.shape[1] < 2 or not betas[0] == 0 < betas[-1]:
        return None
    return enriched_kmers(result, anchor=a)


def as_json(found: EnrichedKmers | None) -> dict[str, Any] | None:
    """Return the numbers for a JSON file; None stays None."""
    if found is None:
        return None
    rows = [kmer._asdict() | {"enrichment": kmer.enrichment} for kmer in found.kmers[:_IN_SUMMARY]]
    return {"outcome": found.outcome, "enriched": len(found.kmers), "tested": found.tested, "first": rows}


def told(found: EnrichedKmers) -> str:
    """Return the most significant k-mers in words."""
    if not found.kmers:
        return f"no k-mer of {found.size} letters is enriched in the draws"
    first = ", ".join(
        f"{kmer.kmer} ({f'{2**kmer.enrichment:.3g}-fold' if math.isfinite(kmer.enrichment) else 'never at β = 0'})"
        for kmer in found.kmers[:_TOLD]
    )
    more = len(found.kmers) - _TOLD
    return f"enriched in the draws, against β = 0: {first}" + (f" and {more} more k-mers" if more > 0 else "")


def table(found: EnrichedKmers) -> Table:
    """Return the most significant k-mers as a table of the report."""
    rows = [
        (kmer.kmer, _enrichment(kmer), f"{kmer.copies:.3g}", f"{kmer.background_copies:.3g}", f"{kmer.q:.1g}")
        for kmer in found.kmers[:_TABLED]
    ]
    shown = f" The {len(rows)} most significant ones are shown." if len(rows) < len(found.kmers) else ""
    return Table(
        "What the draws have, wherever it stands",
        f"{found.outcome}. Both strands count together: a k-mer stands for its reverse complement as well. Copies are "
        f"per draw; errors come from the spread of the chains.{shown}",
        ("k-mer", "log2 enrichment", "copies", "copies at β = 0", "q"),
        rows,
    )


def _enrichment(kmer: EnrichedKmer) -> str:
    if not math.isfinite(kmer.enrichment):
        return "∞"
    return f"{kmer.enrichment:.2f} ± {kmer.enrichment_error:.2f}"
