"""Global features: the shift of a count from its background, and the count as a function of μ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxmaxent.analysis import CompositionResponse, CompositionShift
from jaxmaxent.plot._inputs import need
from jaxmaxent.plot._style import BLACK, BLUE, GRAY, ORANGE, finish_curves, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ANCHOR_INCHES, _NARROWEST, _WIDEST = 0.16, 4.6, 9.0
_MOST_NAMES, _LETTER_INCHES, _LONGEST_NAME = 40, 0.075, 30


def composition_shift(found: CompositionShift, *, names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Draw the shift of every anchor from the background, which is at 0, and the mean of all shifts.

    Bars are ± two Monte Carlo standard errors of each shift. The band is ± two standard errors of the mean over
    anchors. Squares show the anchors themselves.

    Args:
        found: the result of `analysis.composition_shift`.
        names: names of the anchors, written under the x axis if there are at most 40; their indices if None.
        ax: where to draw; a new figure if None.

    Returns:
        The Axes of the shifts.

    Raises:
        ValueError: if there are not as many names as anchors.
        ImportError: if matplotlib is not installed.

    Example:
        >>> axes = plot.composition_shift(analysis.composition_shift(run, ensemble=ensemble), names=run.names)
    """
    need("matplotlib")
    anchors = np.arange(len(found.shift))
    if names is not None and len(names) != len(anchors):
        raise ValueError(f"names must have {len(anchors)} entries, one per anchor, got {len(names)}")
    if ax is None:
        longest = min(max((len(name) for name in names or ()), default=0), _LONGEST_NAME)
        wide = min(max(len(anchors) * _ANCHOR_INCHES + 1, _NARROWEST), _WIDEST)
        ax = _axes(wide, max(0.5, 0.15 + longest * _LETTER_INCHES))
    ax.axhline(0, color=GRAY, linewidth=1, label="background")
    if math.isfinite(found.mean_error):
        low, high = found.mean - 2 * found.mean_error, found.mean + 2 * found.mean_error
        ax.axhspan(low, high, color=ORANGE, alpha=0.25, linewidth=0)
    ax.axhline(found.mean, color=ORANGE, linewidth=1, label="mean shift")
    bars = np.where(np.isfinite(found.shift_error), 2 * found.shift_error, 0)
    ax.errorbar(anchors, found.shift, bars, fmt="o", color=BLUE, markersize=3, elinewidth=1, label="ensembles")
    if np.isfinite(found.own).any():
        ax.plot(
            anchors, found.own - found.background, "s", color=BLACK, markersize=3, markerfacecolor="none",
            markeredgewidth=0.7, label="anchors",
        )  # fmt: skip
    ax.set_xlim(-0.7, len(anchors) - 0.3)
    _name_anchors(ax, names, len(anchors))
    ax.set_ylabel(f"shift of {found.field} per site", fontsize=9)
    return _finished(ax, _sentence(found))


def composition_response(found: CompositionResponse, *, ax: Axes | None = None) -> Axes:
    """Draw the mean fraction of a field against μ, with the network and without it.

    The band is ± two standard errors. The curve ends where the run has too few effective draws. The circle marks the μ
    of the run. Returns the Axes.

    Args:
        found: the result of `analysis.composition_response`.
        ax: where to draw; a new figure if None.

    Example:
        >>> axes = plot.composition_response(analysis.composition_response(run))
    """
    need("matplotlib")
    ax = _axes(_NARROWEST, 0.5) if ax is None else ax
    order = np.argsort(found.mu)
    mu, mean, error, bare = (values[order] for values in (found.mu, found.mean, 2 * found.mean_error, found.background))
    ax.plot(mu, bare / found.length, "--", color=GRAY, linewidth=1, label="background")
    ax.fill_between(
        mu, (mean - error) / found.length, (mean + error) / found.length, color=BLUE, alpha=0.25, linewidth=0
    )
    ax.plot(mu, mean / found.length, color=BLUE, linewidth=1.2, label="ensemble")
    known = np.isfinite(mean)
    if known.any():
        here = np.interp(found.run_mu, mu[known], mean[known] / found.length, left=np.nan, right=np.nan)
        ax.plot([found.run_mu], [here], "o", color=BLUE, markersize=4)
    ax.set_xlabel("μ", fontsize=9)
    ax.set_ylabel(f"fraction of {found.field}", fontsize=9)
    return _finished(ax, "")


def _sentence(found: CompositionShift) -> str:
    error = f" ± {found.mean_error:.1g}" if math.isfinite(found.mean_error) else ""
    return f"{found.mean:+.2g}{error} per site, {found.effect:+.2g} SD, p = {found.p:.2g}"


def _name_anchors(ax: Axes, names: Sequence[str] | None, count: int) -> None:
    from matplotlib.ticker import MaxNLocator

    if names is not None and count <= _MOST_NAMES:
        ax.set_xticks(np.arange(count), [name[:_LONGEST_NAME] for name in names], rotation=90)
        return
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("anchor", fontsize=9)


def _axes(width: float, bottom: float) -> Axes:
    return new_axes(width, bottom + 2.2, bottom=bottom, top=0.5, left=0.75)


def _finished(ax: Axes, title: str) -> Axes:
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 4}
    finish_curves(ax, **place, borderaxespad=0.2, handlelength=1.2, columnspacing=1.2)
    ax.set_title(title, fontsize=8, loc="left", pad=18)
    return ax
