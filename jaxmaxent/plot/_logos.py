"""Sequence logos: one, or several in rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxmaxent.plot._inputs import checked_frequencies, checked_position, checked_standard_error, need
from jaxmaxent.plot._panels import checked_series
from jaxmaxent.plot._stacks import draw_stacks
from jaxmaxent.plot._style import GRAY, axes_box, colors, figure_width, new_axes, new_figure, style_positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FADE_ABOVE = 0.05
"""A position is faded if the standard error of any of its letter frequencies is larger."""

LOGO_INCHES = 1.4  # height of the letters' box
TOP_INCHES = 0.3
_TICKS_INCHES = 0.28


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

    The height of a stack is the information at the position, log2(number of letters) − entropy in bits. The height of
    each letter is in proportion to its frequency, and the most frequent letter is on top. The y axis always spans 0 to
    log2(number of letters), so that logos can be compared.

    Args:
        frequencies: letter frequencies, shape [length, letters]; every row sums to 1.
        letters: the letters in the order of the last axis of `frequencies`.
        standard_error: standard error of `frequencies`, same shape. A position is faded if one of its errors is above
            0.05 or unknown (NaN).
        start: the position of the first letter, as written on the x axis.
        anchor: the sequence drawn small under the axis, one letter per position.
        title: drawn above the logo, as plain text.
        ax: where to draw; a new figure if None.

    Returns:
        The Axes of the logo.

    Raises:
        ValueError: if shapes or lengths do not match, or a row of `frequencies` does not sum to 1.
        ImportError: if matplotlib or logomaker is not installed.

    Example:
        >>> axes = plot.logo(run.frequencies[0, -1], standard_error=run.frequency_errors[0, -1])
        >>> plot.save(axes, "logo.png")
    """
    need("matplotlib", "logomaker")
    frequencies = checked_frequencies("frequencies", frequencies, letters, ndim=2)
    length = len(frequencies)
    faded = _faded(standard_error, frequencies.shape)
    if anchor is not None and len(anchor) != length:
        raise ValueError(f"anchor must have {length} letters, one per position, got {len(anchor)}")
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
    """Draw several logos of equal length in rows, one per anchor.

    Args:
        frequencies: letter frequencies, shape [anchors, length, letters].
        names: the title of each row.
        letters: as for `logo`.
        standard_error: standard error of `frequencies`, same shape.
        start: as for `logo`.
        anchors: the sequence under each row.

    Returns:
        A new Figure with one Axes per row.

    Raises:
        ValueError: as for `logo`, or if `names` or `anchors` does not have one entry per row.
        ImportError: if matplotlib or logomaker is not installed.

    Example:
        >>> figure = plot.logo_grid(run.frequencies[:, -1], run.names)
    """
    need("matplotlib", "logomaker")
    frequencies = checked_frequencies("frequencies", frequencies, letters, ndim=3)
    for name, given in (("names", names), ("anchors", anchors)):
        if given is not None:
            _check_one_per_row(name, given, frequencies)
    error = checked_standard_error(standard_error, frequencies.shape)
    figure, axes = _row_axes(frequencies, LOGO_INCHES, below_each=_bottom(anchors), below_all=0.0)
    for row, ax in enumerate(axes):
        logo(
            frequencies[row],
            letters=letters,
            standard_error=None if error is None else error[row],
            start=start,
            anchor=None if anchors is None else anchors[row],
            title=names[row],
            ax=ax,
        )
    return figure


def resolutions(
    betas: Float[np.ndarray, " rungs"],
    frequencies: Float[np.ndarray, "rungs length letters"],
    *,
    letters: str = "ACGT",
    standard_error: Float[np.ndarray, "rungs length letters"] | None = None,
    titles: Sequence[str] | None = None,
    start: int = 0,
) -> Figure:
    """Draw the logos of some rungs in rows of a new Figure, in the order given: usually from coarse to fine.

    Args:
        betas: β of each rung, shape [rungs].
        frequencies, standard_error: as for `logo` for each rung, shape [rungs, length, letters].
        letters, start: as for `logo`.
        titles: the title of each row; its β if None.

    Raises:
        ValueError: as for `logo`, or if `betas` or `titles` does not have one entry per row.
        ImportError: if matplotlib or logomaker is not installed.

    Example:
        >>> figure = plot.resolutions(run.beta[0], run.frequencies[0])
    """
    need("matplotlib", "logomaker")
    frequencies = checked_frequencies("frequencies", frequencies, letters, ndim=3)
    betas = checked_series("betas", betas, len(frequencies))
    titles = [f"β = {beta:.3g}" for beta in betas] if titles is None else titles
    _check_one_per_row("titles", titles, frequencies)
    error = checked_standard_error(standard_error, frequencies.shape)
    figure, axes = _row_axes(frequencies, LOGO_INCHES / 2, below_each=0.0, below_all=_TICKS_INCHES)
    for row, ax in enumerate(axes):
        its_error = None if error is None else error[row]
        logo(frequencies[row], letters=letters, standard_error=its_error, start=start, title=titles[row], ax=ax)
        ax.tick_params(labelbottom=ax is axes[-1])
    return figure


def _check_one_per_row(name: str, given: Sequence[str], frequencies: np.ndarray) -> None:
    """Raise ValueError if there is not one entry per row."""
    rows = len(frequencies)
    if len(given) != rows:
        raise ValueError(f"{name} must have {rows} entries, one per row of frequencies, got {len(given)}")


def _row_axes(
    frequencies: np.ndarray, tall: float, *, below_each: float, below_all: float
) -> tuple[Figure, list[Axes]]:
    """Return a new figure with one Axes per logo, from the top.

    Axes are `tall` inches high, with so many inches below each of them and below all of them.
    """
    rows, length, _ = frequencies.shape
    pitch, width = below_each + tall + TOP_INCHES, figure_width(length)
    height = rows * pitch + below_all
    figure = new_figure(width, height)
    floors = [(rows - 1 - row) * pitch + below_each + below_all for row in range(rows)]
    return figure, [figure.add_axes(axes_box(width, height, floor, tall)) for floor in floors]


def _faded(standard_error: Any, shape: tuple[int, ...]) -> np.ndarray:
    error = checked_standard_error(standard_error, shape)
    if error is None:
        return np.zeros(shape[0], bool)
    return ~(error.max(-1) <= FADE_ABOVE)  # written so that NaN is faded


def _bottom(anchor: Any) -> float:
    return _TICKS_INCHES if anchor is None else 0.4


def draw_anchor(ax: Axes, anchor: str, letters: str, start: int) -> None:
    """Write a sequence under the axis, one letter per position."""
    pitch = 72 * _axes_inches(ax) / len(anchor)  # points per letter
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
            color=palette.get(letter, GRAY),
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
        # A name such as "chr1$2" is not a formula.
        ax.set_title(text, loc="left", fontsize=9, pad=4, parse_math=False)


def _axes_inches(ax: Axes) -> float:
    return ax.get_window_extent().width / ax.figure.dpi
