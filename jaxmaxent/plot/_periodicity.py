"""Periodicity: a profile of k-mers around the centre, the wave fitted to it, and its spectrum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from jaxmaxent.analysis import Periodicity
from jaxmaxent.plot._inputs import need
from jaxmaxent.plot._style import BLACK, BLUE, GRAY, ORANGE, finish_curves, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POSITION_INCHES, _NARROWEST, _WIDEST = 0.03, 4.0, 9.0
_MOST_NAMED = 4  # k-mers written out; if there are more, only their number


def periodic_profile(found: Periodicity, *, ax: Axes | None = None) -> Axes:
    """Draw the profile against the distance from the centre, with the trend and wave of the period found.

    The band is ± two standard errors. There is no band if they are not known, and no wave if none was fitted.
    Returns the Axes.

    Args:
        found: the result of `analysis.periodicity`.
        ax: where to draw; a new figure if None.

    Example:
        >>> found = analysis.periodicity(analysis.kmer_profile(run, "WW"), periods=(4.0, 8.0))
        >>> axes = plot.periodic_profile(found)
    """
    need("matplotlib")
    if ax is None:
        wide = min(max(len(found.offsets) * _POSITION_INCHES + 1, _NARROWEST), _WIDEST)
        ax = _axes(wide)
    error = 2 * found.profile_error
    ax.axvline(0, color=GRAY, linewidth=0.8, linestyle=":")
    if np.isfinite(error).any():
        low, high = found.profile - error, found.profile + error
        ax.fill_between(found.offsets, low, high, color=BLUE, alpha=0.25, linewidth=0)
    ax.plot(found.offsets, found.profile, color=BLUE, linewidth=1.2, label=_class_name(found.kmers))
    if np.isfinite(found.fit).all():
        ax.plot(found.offsets, found.fit, color=ORANGE, linewidth=1, label=f"period {found.period:.2f}")
    ax.set_xlabel("distance from the centre", fontsize=9)
    ax.set_ylabel("frequency", fontsize=9)
    return finish_curves(ax, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.3)


def spectrum(found: Periodicity, *, ax: Axes | None = None) -> Axes:
    """Draw power against period, the power that 5 % of shuffled profiles exceed, and the period found.

    Returns the Axes.

    Args:
        found: the result of `analysis.periodicity`.
        ax: where to draw; a new figure if None.

    Example:
        >>> found = analysis.periodicity(analysis.kmer_profile(run, "WW"), periods=(4.0, 8.0))
        >>> axes = plot.spectrum(found)
    """
    need("matplotlib")
    ax = _axes(_NARROWEST) if ax is None else ax
    ax.plot(found.periods, found.power, color=BLUE, linewidth=1.2, label=_class_name(found.kmers))
    ax.plot(found.periods, found.threshold, "--", color=GRAY, linewidth=1, label="shuffled, 5 %")
    if math.isfinite(found.period):
        ax.axvline(found.period, color=ORANGE, linewidth=1, zorder=0)
    ax.set_title(_sentence(found), fontsize=8, loc="right", color=BLACK)
    ax.set_xlim(found.periods[-1], found.periods[0])
    ax.set_ylim(bottom=0)
    ax.set_xlabel("period", fontsize=9)
    ax.set_ylabel("power", fontsize=9)
    return finish_curves(ax, loc="upper right", borderaxespad=0.3)


def _axes(width: float) -> Axes:
    """Return new Axes with room on the left for the many digits of small numbers."""
    return new_axes(width, 2.6, bottom=0.5, top=0.35, left=0.75)


def _sentence(found: Periodicity) -> str:
    if not math.isfinite(found.period):
        return f"no peak in this range, p = {found.p:.2g}"
    digits, error = 2, ""
    if found.period_error > 0:
        digits = min(max(1 - math.floor(math.log10(found.period_error)), 1), 4)  # two digits of the error
        error = f" ± {found.period_error:.{digits}f}"
    return f"period {found.period:.{digits}f}{error}, p = {found.p:.2g}"


def _class_name(kmers: tuple[str, ...]) -> str:
    return ", ".join(kmers) if len(kmers) <= _MOST_NAMED else f"{len(kmers)} {len(kmers[0])}-mers"
