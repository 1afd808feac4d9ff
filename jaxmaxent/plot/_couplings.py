"""A map of the positions that depend on each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from jaxmaxent.analysis import Couplings
from jaxmaxent.plot._inputs import checked_frequencies, need
from jaxmaxent.plot._logos import logo
from jaxmaxent.plot._style import BLUE, GRAY, SMALLEST_BITS, axes_box, colors, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGNIFICANT = 0.05
"""The largest q of a pair that is drawn above the diagonal."""

CELL_INCHES = 0.14
SMALLEST_INCHES, WIDEST_INCHES = 2.4, 12.0
LOGO_INCHES, TOP_INCHES, BOTTOM_INCHES, RIGHT_INCHES, BAR_INCHES = 0.9, 0.3, 0.4, 0.95, 0.12
UNKNOWN = "#D9D9D9"
MOST_LETTERS = 60  # positions that still have room for a letter


def coupling_map(
    found: Couplings,
    *,
    frequencies: Float[np.ndarray, "length letters"] | None = None,
    corrected: bool = False,
    title: str | None = None,
) -> Figure:
    """Draw the couplings of a window: all pairs below the diagonal, the significant ones (q ≤ 0.05) above it.

    The couplings of a position that never changed are unknown, and are drawn in grey.

    Args:
        found: the result of `analysis.couplings`.
        frequencies: letter frequencies of the whole anchor, such as `run.frequencies[0, -1]`. If given, the logo of the
            window is drawn on top, and the commonest letters at the left if there is room.
        corrected: draw the mutual information above the average product instead of the mutual information.
        title: drawn above the map, as plain text.

    Returns:
        A new Figure; the map is its first Axes.

    Raises:
        ValueError: if the shapes do not match, or there is nothing to draw.
        ImportError: if matplotlib, or with `frequencies` logomaker, is not installed.

    Example:
        >>> figure = plot.coupling_map(analysis.couplings(run, window=(4, 12)), frequencies=run.frequencies[0, -1])
    """
    need("matplotlib")
    values = found.corrected if corrected else found.mutual_information
    size = len(values)
    if size < 3 and corrected:
        raise ValueError(f"found must have 3 positions or more to be corrected, got {size}")
    rows = _checked_window(found, frequencies)
    side = min(max(size * CELL_INCHES, SMALLEST_INCHES), WIDEST_INCHES)
    above = TOP_INCHES + (0 if rows is None else LOGO_INCHES + 0.3)
    width, height = 0.5 + side + RIGHT_INCHES, BOTTOM_INCHES + side + above
    figure = new_figure(width, height)
    ax = figure.add_axes(axes_box(width, height, BOTTOM_INCHES, side, RIGHT_INCHES))
    top = ax
    _draw_map(ax, found, values)
    _draw_bar(figure, ax, "bits above the average product" if corrected else "mutual information, bits", width)
    if rows is not None:
        top = figure.add_axes(axes_box(width, height, BOTTOM_INCHES + side + 0.25, LOGO_INCHES, RIGHT_INCHES))
        logo(rows, letters=found.letters, start=found.start, ax=top)
        top.set_xlim(ax.get_xlim())
        top.tick_params(labelbottom=False)
        _draw_letters(ax, rows, found)
    if title is not None:
        top.set_title(" ".join(str(title).split()), loc="left", fontsize=9, pad=4, parse_math=False)
    return figure


def _checked_window(found: Couplings, frequencies: object) -> np.ndarray | None:
    """Return the rows of the window, or None."""
    if frequencies is None:
        return None
    need("logomaker")
    rows = checked_frequencies("frequencies", frequencies, found.letters, ndim=2)
    stop = found.start + len(found.p)
    if len(rows) < stop:
        raise ValueError(f"frequencies must be of the whole anchor, {stop} positions or more, got {len(rows)}")
    return rows[found.start : stop]


def _draw_map(ax: Axes, found: Couplings, values: np.ndarray) -> None:
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap
    from matplotlib.ticker import MaxNLocator

    size = len(values)
    lower = np.tril(np.ones((size, size), bool), -1)
    known = ~np.isnan(found.p)
    shown = np.where(known & (lower | (found.q <= SIGNIFICANT)), values, 0)  # 0 is white
    edges = (found.start - 0.5, found.start + size - 0.5)
    place = {"extent": (*edges, edges[1], edges[0]), "interpolation": "nearest"}
    scale = LinearSegmentedColormap.from_list("bits", ["white", BLUE])
    ax.imshow(shown, cmap=scale, vmin=0, vmax=max(shown.max(), SMALLEST_BITS), **place)
    unknown = np.where(known | np.eye(size, dtype=bool), np.nan, 1.0)
    ax.imshow(unknown, cmap=ListedColormap([UNKNOWN]), **place)
    ax.plot(edges, edges, color=GRAY, linewidth=0.5)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    ax.tick_params(labelsize=7, length=2.5)
    ax.set_xlabel("position", fontsize=8)


def _draw_bar(figure: Figure, ax: Axes, label: str, width: float) -> None:
    box = ax.get_position()
    bar = figure.add_axes((box.x1 + 0.12 / width, box.y0, BAR_INCHES / width, box.height))
    figure.colorbar(ax.images[0], cax=bar)
    bar.tick_params(labelsize=7, length=2.5)
    bar.set_ylabel(label, fontsize=8)


def _draw_letters(ax: Axes, rows: np.ndarray, found: Couplings) -> None:
    """Write the commonest letter of each position at the left, fainter if the position has less information."""
    if len(rows) > MOST_LETTERS:
        return
    palette, most = colors(found.letters), math.log2(len(found.letters))
    entropy = -(rows * np.log2(np.where(rows > 0, rows, 1))).sum(-1)
    pitch = 72 * ax.get_window_extent().height / ax.figure.dpi / len(rows)
    for k, row in enumerate(rows):
        letter = found.letters[row.argmax()]
        ax.annotate(
            letter,
            (0, found.start + k),
            xycoords=("axes fraction", "data"),
            xytext=(-5, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=min(7.0, 0.9 * pitch),
            family="DejaVu Sans Mono",
            color=palette[letter],
            alpha=0.25 + 0.75 * max(1 - float(entropy[k]) / most, 0.0),
            parse_math=False,
            annotation_clip=False,
        )
    ax.tick_params(axis="y", pad=9, length=0)
