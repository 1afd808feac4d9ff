"""The options of `jaxmaxent compare`; see `_options`."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from jaxmaxent.commands._option import Option
from jaxmaxent.commands._options import NetworkOptions, OutputOptions, UnitOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareOptions(UnitOptions, NetworkOptions, OutputOptions):
    """Options of `jaxmaxent compare`."""

    run: Annotated[str, Option("folder that `interpret` wrote, or a saved run, of this network", positional=True)]
    out: Annotated[str, Option("folder to write", metavar="FOLDER")]
    pictures: Annotated[int, Option("draw pictures of the first N sequences", metavar="N")] = 10
