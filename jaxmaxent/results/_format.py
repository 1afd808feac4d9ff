"""Common parts of all files of runs: the mark of format and version, and a limit on their size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxmaxent import memory

FORMAT = "jaxmaxent-run"
# Version 8 brought the noise of products, version 7 the mobility, version 6 growing fields, version 5 the second leg,
# version 4 the names `swap_acceptance` and "slot". Runs of version 1 had one rung and no diagnostics.
FORMAT_VERSION = 8
# Older versions that are read, with the arrays [anchor] that they lack.
_LACKING = {
    6: ("mobility", "mobility_error", "product_noise"),
    7: ("product_noise",),
    FORMAT_VERSION: (),
}


def marked(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the words of a run with the format and its version."""
    return {**words, "format": FORMAT, "format_version": FORMAT_VERSION}


class TooLarge(ValueError):
    """A file that would fill the memory."""


def check_fits(path: Path, announced: int) -> None:
    """Raise `TooLarge` if the arrays that a file announces do not fit into memory; compressed they can be small."""
    free = memory.free_bytes()
    if free is not None and announced > free:
        raise TooLarge(
            f"{path} is damaged or too large: it announces {announced / 2**30:,.1f} GiB of arrays, and "
            f"{free / 2**30:,.1f} GiB of memory are free"
        )


def read_about(path: Path, entry: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the words of a saved run, without its mark, and the arrays [anchor] that its version did not have yet.

    Raises:
        ValueError: if it is no run or of another version of the format.
    """
    try:
        about = json.loads(str(entry))
        kind, version = about.pop("format"), about.pop("format_version")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} holds no run, expected what `Run.save` wrote") from error
    if kind != FORMAT or not isinstance(version, int) or version not in _LACKING:
        raise ValueError(
            f"{path} has format {kind!r} version {version!r}, expected {FORMAT!r} version {FORMAT_VERSION}"
        )
    return about, _LACKING[version]
