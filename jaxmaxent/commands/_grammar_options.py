"""The options of `jaxmaxent grammar`; see `_options`."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from jaxmaxent.commands._option import Option
from jaxmaxent.commands._options import AnchorOptions, OutputOptions, SeedOptions, UnitOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class GrammarOptions(UnitOptions, AnchorOptions, OutputOptions, SeedOptions):
    """Options of `jaxmaxent grammar`."""

    out: Annotated[str, Option("folder to write", metavar="FOLDER")]
    motifs: Annotated[
        str | None,
        Option("file of motifs to look for, in MEME or JASPAR format", "those that the draws have", metavar="MOTIFS"),
    ] = None
    against: Annotated[
        str | None,
        Option(
            "file of known motifs, used to name those that the draws have; it is not searched for in the draws",
            "they are named by their letters", metavar="MOTIFS",
        ),
    ] = None  # fmt: skip
    beta: Annotated[
        float | None, Option("inverse temperature β ≥ 0", "one per sequence, at which letters hold 8 bits in total")
    ] = None
    run: Annotated[
        str | None,
        Option(
            "run of the same sequences with stored draws: a folder of this command, or of interpret with "
            "--store-every, or a file",
            "sample",
            metavar="RUN",
        ),
    ] = None
    distance: Annotated[
        Literal["euclidean", "output"],
        Option("euclidean: every feature of the network must stay; output: only the output that is interpreted"),
    ] = "euclidean"
    chains: Annotated[int, Option("independent chains per sequence, at least 2")] = 8
    steps: Annotated[int, Option("steps of each replica, of which every 20th is stored")] = 4000
    level: Annotated[float, Option("share of the draws that must have what is called required")] = 0.8
    false: Annotated[float, Option("largest share of false requirements")] = 0.05
