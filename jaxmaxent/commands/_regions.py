"""The windows of a genome that a command reads instead of a file of sequences."""

from __future__ import annotations

import os
from typing import Any

from jaxmaxent import checks
from jaxmaxent.commands._network import Found
from jaxmaxent.commands._options import AnchorOptions, RegionOptions, values
from jaxmaxent.data import Sequences, read_windows, region_of


def check_regions(options: AnchorOptions) -> bool:
    """Return True if options ask for regions of a genome, False if for a file of sequences.

    Raises:
        ValueError: if they ask for both or neither, or an option does not go with what they ask for.
    """
    if options.regions is None and options.genome is None:
        if options.sequences is None:
            raise ValueError("sequences must be a file of sequences, or left out with --genome and --regions, got none")
        _refuse(options, ("center", "flank"), "without --regions")
        return False
    for name, other in (("genome", "regions"), ("regions", "genome")):
        if getattr(options, name) is None:
            raise ValueError(f"{name} must be given with --{other} {getattr(options, other)}, got none")
    _refuse(options, ("sequences", "headers"), "with --regions")
    return True


def _refuse(options: AnchorOptions, names: tuple[str, ...], when: str) -> None:
    for name in names:
        value = getattr(options, name)
        if value is not None:
            raise ValueError(f"{name} must be left out {when}, got {checks.shown(value)}")


def read_regions(network: Found, options: AnchorOptions, limit: int | None) -> Sequences:
    """Return the windows around regions, of the length that a network takes, named by their coordinates.

    A network that takes any length is given 2 × flank + 1 letters, or the regions as they are if all are equally long.

    Raises:
        ValueError: if the flank does not go with the network, or a file or region cannot be used.
    """
    asked, length = values(options, RegionOptions), network.length
    if options.flank is not None:
        flank = checks.integer("flank", options.flank, at_least=0, at_most=checks.MOST // 2 - 1)
        if length not in (None, 2 * flank + 1):
            raise ValueError(
                f"flank must be left out, as the network takes {length} letters and not 2 × {flank} + 1, got {flank}"
            )
        length = 2 * flank + 1
    genome, regions = (os.fspath(asked[name]) for name in ("genome", "regions"))
    return read_windows(
        genome, regions, length=length, center=options.center, alphabet=network.alphabet, limit=limit,
        skip_invalid=options.skip_invalid,
    )  # fmt: skip


def region_entry(name: str, length: int) -> dict[str, Any]:
    """Return the entry "region" of a JSON file for a sequence of a length; none if its name has no coordinates."""
    region = region_of(name, length)
    return {} if region is None else {"region": region._asdict()}
