"""The options of `jaxmaxent grammar`; see `_options`."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from jaxmaxent.commands._option import Option
from jaxmaxent.commands._options import AnchorOptions, OutputOptions, SeedOptions, UnitOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class GrammarOptions(UnitOptions, AnchorOptions, OutputOptions, SeedOptions):
    """Options of `jaxmaxent grammar`."""

    motifs: Annotated[str, Option("file of motifs in MEME or JASPAR format", metavar="MOTIFS")]
    out: Annotated[str, Option("folder to write", metavar="FOLDER")]
    beta: Annotated[
        float | None, Option("inverse temperature β ≥ 0", "one per sequence, at which letters hold 8 bits in total")
    ] = None
    run: Annotated[
        str | None,
        Option("saved run of the same sequences with stored draws, instead of sampling", "none", metavar="RUN"),
    ] = None
    chains: Annotated[int, Option("independent chains per sequence, at least 2")] = 8
    steps: Annotated[int, Option("steps of each replica, of which every 20th is stored")] = 4000
    level: Annotated[float, Option("share of the draws that must have what is called required")] = 0.8
    false: Annotated[float, Option("largest share of false requirements")] = 0.05
