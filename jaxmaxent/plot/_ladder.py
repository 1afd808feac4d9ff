"""A run along its ladder of β's: energy, information and exchanges, and logos from coarse to fine.

β is drawn on a square-root scale, which has room for 0 and keeps the small β's apart where a ladder reaches far up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.plot._inputs import checked_frequencies, checked_standard_error, need
from jaxmaxent.plot._logos import LOGO_INCHES, TOP_INCHES, logo
from jaxmaxent.plot._style import BLACK, BLUE, GREY, ORANGE, axes_box, figure_width, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_INCHES = 3.5, 2.6
"""Width and height of a panel, labels included."""
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.6, 0.15, 0.5, 0.4  # margins of a panel in inches


def energy_along(
    betas: Float[np.ndarray, " rungs"],
    energy: Float[np.ndarray, " rungs"],
    *,
    standard_error: Float[np.ndarray, " rungs"] | None = None,
    anchor_start: Float[np.ndarray, " rungs"] | None = None,
    anchor_start_error: Float[np.ndarray, " rungs"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw mean energies against β, by chains from the background and by chains started at the anchor.

    Bars are ± two standard errors. Where the two starts part, at least one of them is not in equilibrium.

    Args:
        betas: β of every rung, increasing, shape [rungs].
        energy: mean energy at every rung, same shape.
        standard_error: of `energy`, same shape; no bar is drawn where it is not finite.
        anchor_start: mean energy of the chains started at the anchor, same shape; left out where it is not finite.
        anchor_start_error: its standard error, same shape.
        ax: where to draw; a new figure of its own if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if shapes do not match, or β or energies are not finite.
        ImportError: if matplotlib is not installed.
    """
    need("matplotlib")
    betas = checked_betas(betas)
    energy = checked_series("energy", energy, len(betas))
    ax = panel() if ax is None else ax
    if anchor_start is not None and np.isfinite(anchor_start).any():
        started = _shaped("anchor_start", np.asarray(anchor_start, float), len(betas))
        known = np.isfinite(started)
        error = _bars(anchor_start_error, started.shape)
        ax.errorbar(
            betas[known], started[known], error[known], fmt="s", color=ORANGE, markersize=5, markerfacecolor="none",
            elinewidth=1, label="started at the anchor", clip_on=False,
        )  # fmt: skip
    bars = _bars(standard_error, energy.shape)
    ax.errorbar(
        betas, energy, bars, fmt="o-", color=BLUE, markersize=3, linewidth=1, label="from the background", clip_on=False
    )
    ax.set_ylim(bottom=min(0.0, float(energy.min())))
    ax.legend(fontsize=7, frameon=False, loc="best")
    return finished(ax, betas, "mean energy")


def information_along(
    betas: Float[np.ndarray, " rungs"],
    information: Float[np.ndarray, " rungs"],
    *,
    standard_error: Float[np.ndarray, " rungs"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the information of all positions together against β, in a band of ± one standard error.

    Args:
        betas: β of every rung, increasing, shape [rungs].
        information: bits, same shape.
        standard_error: of `information`, bits, same shape; there is no band where it is not finite.
        ax: where to draw; a new figure of its own if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if shapes do not match, or β or `information` are not finite.
        ImportError: if matplotlib is not installed.
    """
    need("matplotlib")
    betas = checked_betas(betas)
    information = checked_series("information", information, len(betas))
    ax = panel() if ax is None else ax
    if standard_error is not None:
        error = checked_standard_error(standard_error, information.shape)
        ax.fill_between(betas, information - error, information + error, color=BLUE, alpha=0.2, linewidth=0)
    ax.plot(betas, information, "o-", color=BLUE, markersize=3, linewidth=1, clip_on=False)
    ax.set_ylim(bottom=0)
    return finished(ax, betas, "information (bits)")


def swap_acceptance_along(
    betas: Float[np.ndarray, " rungs"], swap_acceptance: Float[np.ndarray, " pairs"], *, ax: Axes | None = None
) -> Axes:
    """Draw how often neighbouring rungs exchange, as a step between the β's of each pair.

    Equal heights mean a ladder whose rungs are well placed; a step near 0 cuts the ladder in two.

    Args:
        betas: β of every rung, increasing, shape [rungs].
        swap_acceptance: mean acceptance probability of each pair of neighbours, shape [rungs − 1].
        ax: where to draw; a new figure of its own if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if shapes do not match or a value is not finite.
        ImportError: if matplotlib is not installed.
    """
    need("matplotlib")
    betas = checked_betas(betas)
    swap_acceptance = checked_series("swap_acceptance", swap_acceptance, len(betas) - 1)
    ax = panel() if ax is None else ax
    ax.stairs(swap_acceptance, betas, fill=True, color=BLUE, alpha=0.35, linewidth=0)
    ax.hlines(swap_acceptance, betas[:-1], betas[1:], color=BLUE, linewidth=1.5)
    ax.set_ylim(0, 1)
    return finished(ax, betas, "exchanges accepted")


def ladder(
    betas: Float[np.ndarray, " rungs"],
    energy: Float[np.ndarray, " rungs"],
    information: Float[np.ndarray, " rungs"],
    swap_acceptance: Float[np.ndarray, " pairs"],
    *,
    energy_error: Float[np.ndarray, " rungs"] | None = None,
    information_error: Float[np.ndarray, " rungs"] | None = None,
    anchor_start: Float[np.ndarray, " rungs"] | None = None,
    anchor_start_error: Float[np.ndarray, " rungs"] | None = None,
) -> Figure:
    """Draw `energy_along`, `information_along` and `swap_acceptance_along` side by side.

    Returns:
        A new Figure with the three Axes.

    Raises:
        ValueError, ImportError: as they do.
    """
    need("matplotlib")
    wide, tall = PANEL_INCHES
    figure = new_figure(3 * wide, tall)
    panels = [figure.add_axes(panel_box(3 * wide, tall, i * wide)) for i in range(3)]
    energy_along(
        betas, energy, standard_error=energy_error, anchor_start=anchor_start, anchor_start_error=anchor_start_error,
        ax=panels[0],
    )  # fmt: skip
    information_along(betas, information, standard_error=information_error, ax=panels[1])
    swap_acceptance_along(betas, swap_acceptance, ax=panels[2])
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
    """Draw the logos of some rungs one below the other, in the order given: usually from coarse to fine.

    Args:
        betas: β of each rung, shape [rungs].
        frequencies: shape [rungs, length, letters].
        letters: as for `logo`.
        standard_error: of `frequencies`, same shape.
        titles: what stands above each logo; its β if None.
        start: as for `logo`.

    Returns:
        A new Figure with one Axes a rung.

    Raises:
        ValueError: as for `logo`, or if `betas` or `titles` has not one entry a rung.
        ImportError: if matplotlib or logomaker is not installed.
    """
    need("matplotlib", "logomaker")
    frequencies = checked_frequencies("frequencies", frequencies, letters, ndim=3)
    rows, length, _ = frequencies.shape
    betas = checked_series("betas", betas, rows)
    error = checked_standard_error(standard_error, frequencies.shape)
    titles = [f"β = {beta:.3g}" for beta in betas] if titles is None else titles
    if len(titles) != rows:
        raise ValueError(f"titles must have {rows} entries, one a row of frequencies, got {len(titles)}")
    tall, gap, bottom = LOGO_INCHES / 2, TOP_INCHES, 0.28
    width, height = figure_width(length), rows * (tall + gap) + bottom
    figure = new_figure(width, height)
    for row in range(rows):
        floor = bottom + (rows - 1 - row) * (tall + gap)
        ax = figure.add_axes(axes_box(width, height, floor, tall))
        its_error = None if error is None else error[row]
        logo(frequencies[row], letters=letters, standard_error=its_error, start=start, title=titles[row], ax=ax)
        ax.tick_params(labelbottom=row == rows - 1)
    return figure


def checked_betas(betas: Any) -> np.ndarray:
    """β of every rung as floats, increasing."""
    betas = checks.finite_array("betas", betas, at_least=0)
    if betas.ndim != 1 or len(betas) < 2 or (np.diff(betas) <= 0).any():
        raise ValueError(f"betas must be at least 2 numbers that increase, got {betas.tolist()}")
    return betas


def checked_series(name: str, values: Any, count: int) -> np.ndarray:
    """Finite values, one a rung."""
    return _shaped(name, checks.finite_array(name, values), count)


def _shaped(name: str, values: np.ndarray, count: int) -> np.ndarray:
    if values.shape != (count,):
        raise ValueError(f"{name} must have shape [{count}], got {list(values.shape)}")
    return values


def _bars(standard_error: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Two standard errors, NaN (which draws nothing) where they are not known."""
    error = checked_standard_error(standard_error, shape)
    return np.full(shape, np.nan) if error is None else np.where(np.isfinite(error), 2 * error, np.nan)


def panel() -> Axes:
    """The Axes of a new figure of one panel."""
    wide, tall = PANEL_INCHES
    return new_figure(wide, tall).add_axes(panel_box(wide, tall, 0.0))


def panel_box(width: float, height: float, left: float) -> tuple[float, float, float, float]:
    """The box of a panel whose left edge is `left` inches into a figure, as fractions of it."""
    wide, tall = PANEL_INCHES
    return (
        (left + _LEFT) / width, _BOTTOM / height, (wide - _LEFT - _RIGHT) / width, (tall - _BOTTOM - _TOP) / height
    )  # fmt: skip


def finished(ax: Axes, betas: np.ndarray, label: str) -> Axes:
    """The scale of β, with ticks that are round numbers and keep apart, and the label of the y axis as a title."""
    ax.set_xscale("function", functions=(_root, np.square))
    top = float(betas[-1])
    ax.set_xlim(0, top * 1.03)
    ax.set_xticks(_ticks(top))
    ax.set_xticks([], minor=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xlabel("β (square-root scale)", fontsize=8)
    ax.set_title(label, loc="left", fontsize=9, pad=6)
    ax.tick_params(labelsize=7, length=2.5)
    ax.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.5)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(BLACK)
    return ax


def _root(values: Any) -> np.ndarray:
    return np.sqrt(np.maximum(values, 0))


def _ticks(top: float) -> list[float]:
    """Round numbers from 0 to `top`, about equally far apart in their square roots."""
    power = 10.0 ** np.floor(np.log10(top))
    round_numbers = np.concatenate([np.array([1, 2, 3, 5]) * power / scale for scale in (100, 10, 1)])
    gap = (0.12 if top >= 1 else 0.2) * np.sqrt(top)  # small numbers are long
    chosen = [0.0]
    for value in (number for number in round_numbers if number <= top):
        if np.sqrt(value) - np.sqrt(chosen[-1]) > gap:
            chosen.append(float(value))
    return chosen
