"""The table of all anchors: what a row shows, and by what it is sorted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent.analysis import information_bits, informative_window
from jaxmaxent.report._detail import small_logo
from jaxmaxent.report._rows import AnchorRow
from jaxmaxent.report._values import shown, whole, with_error
from jaxmaxent.results import Run

_FLANK = 1  # positions beside the informative window, so that one sees where it ends


class Cell(NamedTuple):
    """A cell of the table.

    Attributes:
        label: the name of its column.
        text: the value for the reader.
        key: the number by which rows are sorted; empty if it is unknown.
    """

    label: str
    text: str
    key: str


class SmallLogo(NamedTuple):
    """The letters of the informative window of an anchor.

    Attributes:
        start: its first position.
        stop: the position behind its last one.
        text: the consensus there.
        frequencies: letter frequencies in base64, one byte each.
    """

    start: int
    stop: int
    text: str
    frequencies: str


def cells_of(rows: Sequence[AnchorRow]) -> list[list[Cell]]:
    """Return the numbers of every row; columns in which no row has a number are left out."""
    table = [_cells(row) for row in rows]
    always = {"information (bits)", "E", "R-hat", "ESS", "converged", "β"}
    kept = [i for i, column in enumerate(zip(*table, strict=True)) if column[0].label in always or _known(column)]
    return [[cells[i] for i in kept] for cells in table]


def small_logo_of(run: Run, a: int) -> SmallLogo | None:
    """Return the letters of the informative window at the target; None if no position holds a letter."""
    return _small_logo(run.frequencies[a, -1], run.letters)


def _small_logo(frequencies: Float[np.ndarray, "length letters"], letters: str) -> SmallLogo | None:
    start, stop = informative_window(information_bits(frequencies))
    if start == stop:
        return None
    start, stop = max(start - _FLANK, 0), min(stop + _FLANK, len(frequencies))
    inside = frequencies[start:stop]
    text = "".join(letters[row.argmax()] if row.max() > 0.5 else "·" for row in inside)
    return SmallLogo(start, stop, text, small_logo(inside))


def _cells(row: AnchorRow) -> list[Cell]:
    place = row.region
    if place is not None and row.name == f"{place[0]}:{place[1]}-{place[2]}({place[3]})":
        place = None  # the name says it
    region = "" if place is None else f"{place[0]}:{place[1]:,}–{place[2]:,}" + (
        f" ({place[3].replace('-', '−')})" if place[3] in "+-" else ""
    )  # fmt: skip
    mu = np.ravel(row.mu)[0] if np.size(row.mu) == 1 else row.mu  # pyright: ignore[reportArgumentType, reportCallIssue]
    return [
        Cell("region", region, "" if place is None else f"{place[0]}:{place[1]}"),
        _number("information (bits)", row.information_bits, with_error(row.information_bits, row.information_error)),
        _number("E", row.mean_energy),
        _number("R-hat", row.max_rhat),
        _number("ESS", row.min_ess, whole(row.min_ess)),
        Cell("converged", shown(row.converged), "" if row.converged is None else str(int(bool(row.converged)))),
        _number("β", row.beta),
        _number("μ", float(mu)) if isinstance(mu, int | float | np.number) else Cell("μ", shown(mu), ""),
        _number("acceptance", row.acceptance),
        _number("mobility", row.mobility),
    ]


def _number(label: str, value: float | None, text: str | None = None) -> Cell:
    known = value is not None and not math.isnan(value)
    return Cell(label, shown(value) if text is None else text, f"{float(value):.9g}" if known else "")  # pyright: ignore


def _known(column: Sequence[Cell]) -> bool:
    """Return whether a column tells anything: some value is known and not 0."""
    return any(cell.text not in ("", "–", "0") for cell in column)
