"""The options that say which processes sample, and what of their runs is kept; see `_options`."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from jaxmaxent.commands._option import ENGINE, Option


@dataclasses.dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Options that the result does not depend on: they may differ when a job is continued."""

    workers: Annotated[
        int | None,
        Option(
            "processes that sample, each with one core or one GPU",
            "one per core of a CPU, or per GPU, if there are 32 sequences or more for each", group=ENGINE,
        ),
    ] = None  # fmt: skip
    scheduler: Annotated[
        str | None,
        Option(
            "address of a Dask scheduler, whose workers sample instead; they need the same folders", "none",
            metavar="ADDRESS", group=ENGINE,
        ),
    ] = None  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class LaneOptions:
    """The option that says how many sequences go side by side, which a job chooses once."""

    lanes: Annotated[
        int | None,
        Option(
            "sequences side by side in every process, with full evaluation",
            "1 on a CPU, or as many as keep an accelerator busy", group=ENGINE,
        ),
    ] = None  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeepOptions:
    """Options that say what is kept of each run, and in which form."""

    keep: Annotated[
        Literal["profile", "ladder", "draws"] | None,
        Option(
            "profile: the rungs at β = 0 and at --beta; ladder: all rungs; draws: also those of --store-every",
            "ladder, or draws with --store-every", group=ENGINE,
        ),
    ] = None  # fmt: skip
    store: Annotated[
        Literal["npz", "zarr"] | None,
        Option(
            "npz: all runs in one file, run.npz; zarr: a folder, run.zarr, that is read sequence by sequence, so that "
            "memory does not depend on their number", "npz up to 200 sequences, zarr for more", group=ENGINE,
        ),
    ] = None  # fmt: skip
