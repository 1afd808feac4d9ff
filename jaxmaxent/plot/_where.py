"""Necessity and sufficiency along a sequence, with the sites found there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.plot._inputs import checked_standard_error, need
from jaxmaxent.plot._logos import TOP_INCHES, draw_anchor
from jaxmaxent.plot._style import BLACK, BLUE, GRAY, ORANGE, axes_box, figure_width, new_figure, style_positions
from jaxmaxent.plot._views import VIEW_INCHES, draw_scores, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GAP_INCHES, _LAST_INCHES = 0.45, 0.4


def where(
    necessity: Float[np.ndarray, " length"],
    sequence: str,
    *,
    necessity_error: Float[np.ndarray, " length"] | None = None,
    sufficiency: Float[np.ndarray, " length"] | None = None,
    sufficiency_error: Float[np.ndarray, " length"] | None = None,
    needed: Sequence[tuple[int, int]] = (),
    redundant: Sequence[tuple[int, int]] = (),
    letters: str = "ACGT",
    title: str = "necessity",
) -> Figure:
    """Draw every letter of a sequence as high as its necessity, and its sufficiency as a line below.

    Needed sites are shaded gray and redundant ones orange. Bars and bands are ± one standard error.

    Args:
        necessity: that of positions, such as a row of `Necessity.positions`, in units of E, shape [length].
        sequence: the letters of the anchor.
        necessity_error: its standard error, same shape.
        sufficiency: that of positions, in units of E, same shape; no line if None.
        sufficiency_error: its standard error, same shape.
        needed: sites that the network cannot spare, as (start, stop), stop excluded.
        redundant: sites for which others stand in, likewise.
        letters: the alphabet of the sequence.
        title: drawn above the letters.

    Returns:
        A new Figure with one or two Axes.

    Raises:
        ValueError: if shapes do not match, numbers are not finite, or the sequence has other letters.
        ImportError: if matplotlib or logomaker is not installed.

    Example:
        >>> needed = analysis.necessity(ensemble, 6, draws=8, key=key)
        >>> figure = plot.where(needed.positions[0], jme.DNA.decode(tokens[0]))
    """
    need("matplotlib", "logomaker")
    necessity = checks.finite_array("necessity", necessity)
    if necessity.ndim != 1 or necessity.size == 0:
        raise ValueError(f"necessity must have shape [length], got {list(necessity.shape)}")
    length = len(necessity)
    if len(checks.text("sequence", sequence)) != length or not set(sequence) <= set(letters):
        raise ValueError(f"sequence must have {length} letters of {letters!r}, got {len(sequence)}: {sequence[:20]!r}")
    spread = checked_standard_error(necessity_error, necessity.shape)
    kept = None if sufficiency is None else checks.finite_array("sufficiency", sufficiency)
    if kept is not None and kept.shape != necessity.shape:
        raise ValueError(f"sufficiency must have shape [{length}], got {list(kept.shape)}")
    band = checked_standard_error(sufficiency_error, necessity.shape)
    rows = 1 if kept is None else 2
    width, height = (
        figure_width(length),
        TOP_INCHES + VIEW_INCHES + (rows - 1) * (_GAP_INCHES + VIEW_INCHES) + _LAST_INCHES,
    )
    figure, floor = new_figure(width, height), height - TOP_INCHES - VIEW_INCHES
    ax = figure.add_axes(axes_box(width, height, floor, VIEW_INCHES))
    draw_scores(ax, necessity, sequence, letters, 0, label="E")
    if spread is not None:
        at = np.flatnonzero(np.isfinite(spread) & (spread > 0))
        ax.vlines(at, (necessity - spread)[at], (necessity + spread)[at], color=BLACK, linewidth=0.5)
    _finish(ax, title, needed, redundant)
    if kept is not None:
        ax = figure.add_axes(axes_box(width, height, floor - _GAP_INCHES - VIEW_INCHES, VIEW_INCHES))
        _draw_line(ax, kept, band)
        _finish(ax, "sufficiency of windows here", needed, redundant)
    draw_anchor(ax, sequence, letters, 0)
    return figure


def _draw_line(ax: Axes, values: np.ndarray, band: np.ndarray | None) -> None:
    at = np.arange(len(values))
    ax.plot(at, values, color=BLUE, linewidth=1)
    if band is not None:
        ax.fill_between(at, values - band, values + band, color=BLUE, alpha=0.2, linewidth=0)
    ax.axhline(0, color=BLACK, linewidth=0.5)
    style_positions(ax, len(values), 0, None)
    ax.locator_params(axis="y", nbins=4)
    ax.set_ylabel("E", fontsize=8)


def _finish(ax: Axes, title: str, needed: Any, redundant: Any) -> None:
    ax.set_title(title, loc="left", fontsize=9, pad=4, parse_math=False)
    shade(ax, needed, GRAY)
    shade(ax, redundant, ORANGE)
