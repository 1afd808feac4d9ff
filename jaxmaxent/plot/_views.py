"""Several views of one sequence and the logo of its draws, aligned by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.plot._inputs import checked_frequencies, checked_position, need
from jaxmaxent.plot._logos import LOGO_INCHES, TOP_INCHES, draw_anchor, logo
from jaxmaxent.plot._stacks import letter_outlines, placed
from jaxmaxent.plot._style import BLACK, GRAY, axes_box, colors, figure_width, new_figure, style_positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VIEW_INCHES = 0.8  # height of the box of a view
_GAP_INCHES = 0.45
_LAST_INCHES = 0.4  # under the last row, where positions and the sequence stand
_LABEL_INCHES = 0.35  # left of the axis
_SMALLEST = 0.005  # share of the largest score below which a letter is not drawn


def views(
    frequencies: Float[np.ndarray, "length letters"],
    scores: Mapping[str, Float[np.ndarray, " length"]],
    sequence: str,
    *,
    letters: str = "ACGT",
    standard_error: Float[np.ndarray, "length letters"] | None = None,
    sites: Sequence[tuple[int, int]] = (),
    start: int = 0,
    title: str = "MaxEnt",
) -> Figure:
    """Draw the logo of the draws and, below it, the scores of other methods for the same sequence, one row each.

    In the rows of scores each letter of the sequence is as high as its score. Letters with a negative score are below
    the axis and upside down. Every row has its own scale, in units of the network's output. The sequence is written
    under the last row.

    Args:
        frequencies: letter frequencies of the draws, shape [length, letters], as for `logo`.
        scores: the scores of each view by its name, shape [length], such as a row of `attribution.every_view`.
        sequence: the sequence.
        letters: the letters in the order of the last axis of `frequencies`.
        standard_error: standard error of `frequencies`, as for `logo`.
        sites: known sites to shade, as (start, stop) in positions of the x axis, stop excluded.
        start: the position of the first letter, as written on the x axis.
        title: drawn above the logo.

    Returns:
        A new Figure with one Axes per row.

    Raises:
        ValueError: if shapes or lengths do not match, the scores are not finite, or the sequence has other letters.
        ImportError: if matplotlib or logomaker is not installed.

    Example:
        >>> scores = attribution.every_view(network, tokens[:1], unit=0)
        >>> scores = {name: values[0] for name, values in scores.items()}
        >>> figure = plot.views(run.frequencies[0, -1], scores, jme.DNA.decode(tokens[0]))
    """
    need("matplotlib", "logomaker")
    frequencies = checked_frequencies("frequencies", frequencies, letters, ndim=2)
    length, start = len(frequencies), checked_position(start)
    if len(sequence) != length or not set(sequence) <= set(letters):
        raise ValueError(f"sequence must have {length} letters of {letters!r}, got {len(sequence)}: {sequence[:20]!r}")
    rows = {name: _checked_scores(name, score, length) for name, score in scores.items()}
    sites = [_checked_site(site) for site in sites]
    width = figure_width(length)
    height = TOP_INCHES + LOGO_INCHES + len(rows) * (_GAP_INCHES + VIEW_INCHES) + _LAST_INCHES
    figure = new_figure(width, height)
    floor = height - TOP_INCHES - LOGO_INCHES
    ax = figure.add_axes(axes_box(width, height, floor, LOGO_INCHES))
    logo(frequencies, letters=letters, standard_error=standard_error, start=start, title=title, ax=ax)
    shade(ax, sites)
    for name, row in rows.items():
        floor -= _GAP_INCHES + VIEW_INCHES
        ax = figure.add_axes(axes_box(width, height, floor, VIEW_INCHES))
        draw_scores(ax, row, sequence, letters, start)
        ax.set_title(name, loc="left", fontsize=9, pad=4, parse_math=False)
        shade(ax, sites)
    draw_anchor(ax, sequence, letters, start)
    return figure


def _checked_scores(name: str, score: Any, length: int) -> np.ndarray:
    score = checks.finite_array(f"scores[{name!r}]", score)
    if score.shape != (length,):
        raise ValueError(f"scores[{name!r}] must have shape [{length}], got {list(score.shape)}")
    return score


def _checked_site(site: Any) -> tuple[int, int]:
    try:
        start, stop = map(checked_position, site)
    except (TypeError, ValueError):
        raise ValueError(f"sites must be pairs (start, stop) of whole numbers, got {site!r}") from None
    if not start < stop:
        raise ValueError(f"sites must be pairs (start, stop) with start < stop, got {site!r}")
    return start, stop


def draw_scores(
    ax: Axes, scores: np.ndarray, sequence: str, letters: str, start: int, *, label: str = "output"
) -> None:
    """Draw every letter of the sequence from 0 up or down to its score, as ONE artist."""
    from matplotlib.collections import PathCollection
    from matplotlib.colors import to_rgba

    outlines, palette = dict(zip(letters, letter_outlines(letters), strict=True)), colors(letters)
    largest = np.abs(scores).max()
    seen = [i for i in range(len(scores)) if abs(scores[i]) > _SMALLEST * largest]
    paths = [placed(outlines[sequence[i]], start + i, 0.0, float(scores[i])) for i in seen]
    faces = [to_rgba(palette[sequence[i]]) for i in seen]
    ax.add_collection(PathCollection(paths, facecolors=faces, linewidths=0), autolim=False)
    ax.axhline(0, color=BLACK, linewidth=0.5)
    style_positions(ax, len(scores), start, None)
    room = 0.05 * (largest or 1.0)
    low, high = min(0.0, float(scores.min())), max(0.0, float(scores.max()))
    ax.set_ylim(low - room * (low < 0), high + room)
    ax.locator_params(axis="y", nbins=4)
    ax.set_ylabel(label, fontsize=8)
    # Beside the widest numbers: the labels of all rows are aligned and none leaves the figure.
    ax.yaxis.set_label_coords(-_LABEL_INCHES * ax.figure.dpi / ax.get_window_extent().width, 0.5)


def shade(ax: Axes, sites: Sequence[tuple[int, int]], color: str = GRAY) -> None:
    """Shade stretches of positions behind everything else."""
    for start, stop in sites:
        ax.axvspan(start - 0.5, stop - 0.5, color=color, alpha=0.2, linewidth=0, zorder=0)
