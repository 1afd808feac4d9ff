"""The letters of an anchor with one window free at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from jaxmaxent import checks
from jaxmaxent.analysis import PinnedProfile
from jaxmaxent.plot._inputs import need
from jaxmaxent.plot._logos import TOP_INCHES, logo
from jaxmaxent.plot._style import BLACK, BLUE, GRAY, axes_box, figure_width, new_figure, style_positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOGO_INCHES, _GAP_INCHES, _LAST_INCHES = 0.7, 0.12, 0.4


def pinned_profile(
    found: PinnedProfile, sequence: str, *, anchor: int = 0, letters: str = "ACGT", title: str | None = None
) -> Figure:
    """Draw the information of every position, and below it the logo of every free window.

    Windows that overlap are in different rows; each stands on a gray band. Windows that have not converged are faded.
    The line is the mean over the windows in which a position is free, and its band ± one standard error. Positions that
    are always held have neither letters nor a line.

    Args:
        found: the result of `analysis.pinned_profile`.
        sequence: the letters of the anchor.
        anchor: index of the anchor.
        letters: the alphabet of the sequence.
        title: drawn on top, as plain text; the width of the windows if None.

    Returns:
        A new Figure: Axes of the information, then one for each row of windows, the fewest that show each window once.

    Raises:
        ValueError: if `found` is not such a result, or there is no such anchor, or the sequence has another length or
            other letters.
        ImportError: if matplotlib or logomaker is not installed.

    Example:
        >>> pinned = analysis.pinned_profile(key, ensemble, width=12, stride=12, steps=100)
        >>> figure = plot.pinned_profile(pinned, jme.DNA.decode(tokens[0]))
    """
    need("matplotlib", "logomaker")
    if not isinstance(found, PinnedProfile):
        raise ValueError(f"found must be the result of analysis.pinned_profile, got {checks.shown(found)}")
    anchors, length = found.information.shape
    anchor = checks.integer("anchor", anchor, at_least=0, at_most=anchors - 1)
    if len(checks.text("sequence", sequence)) != length or not set(sequence) <= set(letters):
        raise ValueError(f"sequence must have {length} letters of {letters!r}, got {len(sequence)}: {sequence[:20]!r}")
    if len(letters) != found.frequencies.shape[-1]:
        raise ValueError(f"letters must be the {found.frequencies.shape[-1]} of the profile, got {letters!r}")
    rows = _rows(found.starts, found.width)
    number = int(rows.max()) + 1
    width = figure_width(length)
    pitch = _LOGO_INCHES + _GAP_INCHES
    height = TOP_INCHES + (number + 1) * pitch + _LAST_INCHES
    figure, floor = new_figure(width, height), height - TOP_INCHES - _LOGO_INCHES
    ax = figure.add_axes(axes_box(width, height, floor, _LOGO_INCHES))
    _draw_information(ax, found, anchor, len(letters))
    told = f"information with one window of {found.width} positions free" if title is None else " ".join(title.split())
    ax.set_title(told, loc="left", fontsize=9, pad=4, parse_math=False)
    for row in range(number):
        floor -= pitch
        ax = figure.add_axes(axes_box(width, height, floor, _LOGO_INCHES))
        _draw_windows(ax, found, anchor, np.flatnonzero(rows == row), letters, sequence if row == number - 1 else None)
        ax.tick_params(labelbottom=row == number - 1)
    return figure


def _rows(starts: Int[np.ndarray, " windows"], width: int) -> Int[np.ndarray, " windows"]:
    """Return the row of each window, the first in which it overlaps no other."""
    stops: list[int] = []
    rows = np.zeros(len(starts), int)
    for w, start in enumerate(starts.tolist()):
        row = next((k for k, stop in enumerate(stops) if stop <= start), len(stops))
        stops[row : row + 1] = [start + width]
        rows[w] = row
    return rows


def _draw_information(ax: Axes, found: PinnedProfile, anchor: int, letters: int) -> None:
    at, bits, error = np.arange(found.information.shape[1]), found.information[anchor], found.information_errors[anchor]
    ax.plot(at, bits, color=BLUE, linewidth=1)
    ax.fill_between(at, bits - error, bits + error, color=BLUE, alpha=0.2, linewidth=0)
    ax.axhline(0, color=BLACK, linewidth=0.5)
    style_positions(ax, len(at), 0, float(np.log2(letters)))
    ax.set_ylim(min(0.0, float(np.nanmin(np.append(bits - error, 0)))), None)
    ax.tick_params(labelbottom=False)
    ax.set_ylabel("bits", fontsize=8)


def _draw_windows(
    ax: Axes, found: PinnedProfile, anchor: int, windows: np.ndarray, letters: str, sequence: str | None
) -> None:
    """Draw the logos of windows that do not overlap; other positions, and those always held, are blank."""
    length = found.information.shape[1]
    table, error = np.full((length, len(letters)), 1 / len(letters)), np.zeros((length, len(letters)))
    for w in windows:
        start = int(found.starts[w])
        here = slice(start, start + found.width)
        table[here], error[here] = found.frequencies[anchor, w], found.frequency_errors[anchor, w]
        if not found.converged[anchor, w]:
            error[here] = np.nan
        # A little narrower than the window, so that neighbors can be told apart.
        ax.axvspan(start - 0.4, here.stop - 0.6, color=GRAY, alpha=0.1, linewidth=0)
    table[np.isnan(found.information[anchor])] = 1 / len(letters)
    logo(table, letters=letters, standard_error=error, anchor=sequence, ax=ax)
    ax.set_title("", loc="right")
