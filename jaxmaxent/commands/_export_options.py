"""The options of `jaxmaxent export`; see `_options`."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from jaxmaxent.commands._options import ForceOptions, Option

Format = Literal["tsv", "parquet", "bed", "bedgraph", "bigwig", "meme", "h5", "npz"]
What = Literal[
    "positions", "anchors", "windows", "sites", "thermodynamics", "composition", "couplings", "periodicity", "motifs",
    "information", "height", "frequency",
]  # fmt: skip
_TABLES = ("positions", "anchors", "windows", "sites", "thermodynamics", "composition", "couplings", "periodicity")
# What each format can hold; the first is the default.
HOLDS: dict[str, tuple[str, ...]] = {
    "tsv": _TABLES,
    "parquet": _TABLES,
    "bed": ("windows", "sites", "motifs"),
    "bedgraph": ("information", "height", "frequency"),
    "bigwig": ("information", "height", "frequency"),
    "meme": ("motifs", "windows"),
    "h5": (),
    "npz": (),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportOptions(ForceOptions):
    """Options of `jaxmaxent export`."""

    run: Annotated[str, Option("folder that `interpret` wrote, or a saved run", positional=True)]
    format: Annotated[Format, Option("format of the file")]
    out: Annotated[str, Option("file to write", metavar="FILE")]
    what: Annotated[
        What | None,
        Option(
            "what to write: positions, anchors, windows, sites, thermodynamics, composition, or (from stored draws) "
            "couplings or periodicity as tsv or parquet; windows, sites or motifs as bed; "
            "information, height or frequency as bedgraph or bigwig; motifs or windows as meme",
            "the first of these",
        ),
    ] = None
    beta: Annotated[
        float | None,
        Option("β of a rung of the run, for example one given to `interpret`", "the target"),
    ] = None
    error: Annotated[bool, Option("write the standard errors of what bedgraph or bigwig would hold")] = False
    letter: Annotated[
        str | None, Option("letter of the genome for --what frequency", "that of the anchor at each position")
    ] = None
    kmer: Annotated[
        str | None, Option("k-mer whose places --what periodicity looks at; IUPAC letters stand for several", "WW")
    ] = None
    sizes: Annotated[
        str | None,
        Option(
            "table of chromosomes and their lengths (chrom.sizes or .fai) for the header of a bigWig",
            "the largest end of an anchor",
            metavar="FILE",
        ),
    ] = None
