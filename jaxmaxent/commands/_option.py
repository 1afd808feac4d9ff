"""How an option is described: its help, its default in words, and how its value is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Option:
    """The help of an option, and how to read its value where the type alone does not say.

    Attributes:
        help: one phrase; the default is added to it.
        default: the default in words, for an option that is None unless given.
        metavar: the word for the value in help; the name of the option if None.
        positional: the value is given without a name.
        group: the heading under which help shows the option.
        parse: the function that reads the value; it raises ValueError.
        expected: what `parse` expects, in words.
    """

    help: str
    default: str | None = None
    metavar: str | None = None
    positional: bool = False
    group: str | None = None
    parse: Callable[[str], Any] | None = None
    expected: str | None = None


# Headings under which `--help` shows options, in this order; the others come before them.
REGIONS, READING, NETWORKS, STOPPING, ENGINE, OTHERS = (
    "regions of a genome", "reading sequences", "networks in files", "when to stop, for each sequence",
    "many sequences, several processes", "other options",
)  # fmt: skip
GROUPS = (REGIONS, READING, NETWORKS, STOPPING, ENGINE, OTHERS)
