"""Sequence logos: one, or one below the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxmaxent.plot._inputs import checked_frequencies, checked_position, checked_standard_error, need
from jaxmaxent.plot._stacks import draw_stacks
from jaxmaxent.plot._style import GREY, axes_box, colors, figure_width, new_axes, new_figure, style_positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FADE_ABOVE = 0.05
"""A position is faded if the standard error of one of its letter frequencies is above this."""

LOGO_INCHES = 1.4  # height of the letters' box
TOP_INCHES = 0.3


def logo(
    frequencies: Float[np.ndarray, "length letters"],
    *,
    letters: str = "ACGT",
    standard_error: Float[np.ndarray, "length letters"] | None = None,
    start: int = 0,
    anchor: str | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a sequence logo (Schneider & Stephens 1990, Nucleic Acids Research 18:6097).

    The height of a stack is the information at the position, log2(number of letters) − entropy in bits; each
    letter's share of it is its frequency, the most frequent on top. The y axis always spans 0 to
    log2(number of letters), so that logos can be compared.

    Args:
        frequencies: shape [length, letters], every row sums to 1.
        letters: the letters in the order of the last axis of `frequencies`.
        standard_error: of `frequencies`, same shape. Positions where one is above 0.05, or is unknown (NaN),
            are faded.
        start: the position of the first letter, as written on the x axis.
        anchor: the sequence drawn small under the axis, one letter a position.
        title: drawn above the logo, as plain text.
        ax: where to draw; a new figure of its own if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if shapes or lengths do not match, or a row of `frequencies` does not sum to 1.
        ImportError: if matplotlib or logomaker is not installed.
    """
    need("matplotlib", "logomaker")
    frequencies = checked_frequencies("frequencies", frequencies, letters, ndim=2)
    length = len(frequencies)
    faded = _faded(standard_error, frequencies.shape)
    if anchor is not None and len(anchor) != length:
        raise ValueError(f"anchor must have {length} letters, one a position, got {len(anchor)}")
    start = checked_position(start)
    if ax is None:
        bottom = _bottom(anchor)
        ax = new_axes(figure_width(length), bottom + LOGO_INCHES + TOP_INCHES, bottom=bottom, top=TOP_INCHES)

    draw_stacks(ax, frequencies, letters, faded, start)
    style_positions(ax, length, start, math.log2(len(letters)))
    ax.set_ylabel("bits", fontsize=8)
    if anchor is not None:
        draw_anchor(ax, anchor, letters, start)
    _draw_titles(ax, title, faded)
    return ax


def logo_grid(
    frequencies: Float[np.ndarray, "anchors length letters"],
    names: Sequence[str],
    *,
    letters: str = "ACGT",
    standard_error: Float[np.ndarray, "anchors length letters"] | None = None,
    start: int = 0,
    anchors: Sequence[str] | None = None,
) -> Figure:
    """Draw several logos of equal length, one below the other, one row an anchor.

    Args:
        frequencies: shape [anchors, length, letters].
        names: the title of each row.
        letters: as for `logo`.
        standard_error: of `frequencies`, same shape.
        start: as for `logo`.
        anchors: the sequence under each row.

    Returns:
        A new Figure with one Axes a row.

    Raises:
        ValueError: as for `logo`, or if `names` or `anchors` is not of length `anchors`.
        ImportError: if matplotlib or logomaker is not installed.
    """
    need("matplotlib", "logomaker")
    frequencies = checked_frequencies("frequencies", frequencies, letters, ndim=3)
    rows, length, _ = frequencies.shape
    for name, given in (("names", names), ("anchors", anchors)):
        if given is not None and len(given) != rows:
            raise ValueError(f"{name} must have {rows} entries, one a row of frequencies, got {len(given)}")
    if standard_error is not None and np.shape(standard_error) != frequencies.shape:
        raise ValueError(
            f"standard_error must have the shape {list(frequencies.shape)} of frequencies, "
            f"got {list(np.shape(standard_error))}"
        )

    width, bottom = figure_width(length), _bottom(anchors)
    row_inches = bottom + LOGO_INCHES + TOP_INCHES
    figure = new_figure(width, rows * row_inches)
    for row in range(rows):
        floor = (rows - 1 - row) * row_inches + bottom
        ax = figure.add_axes(axes_box(width, rows * row_inches, floor, LOGO_INCHES))
        logo(
            frequencies[row],
            letters=letters,
            standard_error=None if standard_error is None else standard_error[row],
            start=start,
            anchor=None if anchors is None else anchors[row],
            title=names[row],
            ax=ax,
        )
    return figure


def _faded(standard_error: Any, shape: tuple[int, ...]) -> np.ndarray:
    error = checked_standard_error(standard_error, shape)
    if error is None:
        return np.zeros(shape[0], bool)
    return ~(error.max(-1) <= FADE_ABOVE)  # written so that NaN is faded


def _bottom(anchor: Any) -> float:
    return 0.28 if anchor is None else 0.4


def draw_anchor(ax: Axes, anchor: str, letters: str, start: int) -> None:
    """Write a sequence under the axis, one letter a position."""
    pitch = 72 * _axes_inches(ax) / len(anchor)  # points a letter
    size = min(7.0, 1.3 * pitch)
    palette = colors(letters)
    for i, letter in enumerate(anchor):
        ax.annotate(
            letter,
            (start + i, 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -7),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            family="DejaVu Sans Mono",
            color=palette.get(letter, GREY),
            parse_math=False,
            annotation_clip=False,
        )
    ax.tick_params(axis="x", pad=13, length=0)


def _draw_titles(ax: Axes, title: str | None, faded: np.ndarray) -> None:
    room = _axes_inches(ax)
    if faded.any():
        note = f"faded: standard error above {FADE_ABOVE:g} or unknown" if room > 5 else f"faded: SE > {FADE_ABOVE:g}"
        ax.set_title(note, loc="right", fontsize=7, color="#666666", pad=4)
        room -= 0.06 * len(note)
    if title is not None:
        text = " ".join(str(title).split())
        fits = max(int(room / 0.08), 4)  # letters of 9 points
        text = text if len(text) <= fits else text[: fits - 1] + "…"
        # A name such as "chr1$2" is no formula.
        ax.set_title(text, loc="left", fontsize=9, pad=4, parse_math=False)


def _axes_inches(ax: Axes) -> float:
    return ax.get_window_extent().width / ax.figure.dpi
