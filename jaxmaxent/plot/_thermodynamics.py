"""Entropy and heat capacity along a ladder of β's, and how many sequences lie within a distance of the anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.plot._inputs import checked_standard_error, need
from jaxmaxent.plot._ladder import (
    PANEL_INCHES,
    checked_betas,
    checked_series,
    finished,
    panel,
    panel_box,
)
from jaxmaxent.plot._style import BLACK, BLUE, GREY, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def entropy_along(
    betas: Float[np.ndarray, " rungs"],
    entropy: Float[np.ndarray, " rungs"],
    *,
    standard_error: Float[np.ndarray, " rungs"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the entropy against β, in a band of ± two standard errors.

    Args:
        betas: β of every rung, increasing, shape [rungs].
        entropy: bits, same shape.
        standard_error: of `entropy`, bits, same shape; there is no band where it is not finite.
        ax: where to draw; a new figure of its own if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if shapes do not match, or β or `entropy` are not finite.
        ImportError: if matplotlib is not installed.
    """
    ax = _line_along("entropy", betas, entropy, standard_error, ax)
    return finished(ax, checked_betas(betas), "entropy (bits)")


def heat_capacity_along(
    betas: Float[np.ndarray, " rungs"],
    heat_capacity: Float[np.ndarray, " rungs"],
    *,
    standard_error: Float[np.ndarray, " rungs"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the heat capacity β² Var E against β, in a band of ± two standard errors.

    Its peak is where entropy falls fastest on the scale of log β.

    Args:
        betas: β of every rung, increasing, shape [rungs].
        heat_capacity: same shape.
        standard_error: of `heat_capacity`, same shape; there is no band where it is not finite.
        ax: where to draw; a new figure of its own if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if shapes do not match, or β or `heat_capacity` are not finite.
        ImportError: if matplotlib is not installed.
    """
    ax = _line_along("heat_capacity", betas, heat_capacity, standard_error, ax)
    ax.set_ylim(bottom=0)
    return finished(ax, checked_betas(betas), "heat capacity β² Var E")


def sequences_within(
    energy: Float[np.ndarray, " thresholds"],
    log10_number: Float[np.ndarray, " thresholds"],
    *,
    standard_error: Float[np.ndarray, " thresholds"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many sequences lie within each distance of the anchor, in a band of ± two standard errors.

    Args:
        energy: distances, increasing, shape [thresholds].
        log10_number: log10 of the numbers, same shape; left out where it is not finite.
        standard_error: of `log10_number`, same shape; there is no band where it is not finite.
        ax: where to draw; a new figure of its own if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if shapes do not match, or `energy` does not increase or no number is finite.
        ImportError: if matplotlib is not installed.
    """
    need("matplotlib")
    energy = checks.finite_array("energy", energy, at_least=0)
    if energy.ndim != 1 or len(energy) < 2 or (np.diff(energy) <= 0).any():
        raise ValueError(f"energy must be at least 2 numbers that increase, got {energy.tolist()}")
    number = np.asarray(log10_number, float)
    known = np.isfinite(number)
    if number.shape != energy.shape or not known.any():
        raise ValueError(
            f"log10_number must have shape {list(energy.shape)} and a finite entry, got shape {list(number.shape)} "
            f"with {known.sum()}"
        )
    error = checked_standard_error(standard_error, energy.shape)
    ax = panel() if ax is None else ax
    _band(ax, energy, number, error)
    ax.plot(energy, number, color=BLUE, linewidth=1.2)
    ax.set_xlim(0, float(energy[-1]))
    ax.set_xlabel("distance E from the anchor", fontsize=8)
    ax.set_title("sequences within E (log10)", loc="left", fontsize=9, pad=6)
    ax.tick_params(labelsize=7, length=2.5)
    ax.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.5)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(BLACK)
    return ax


def thermodynamics(
    betas: Float[np.ndarray, " rungs"],
    entropy: Float[np.ndarray, " rungs"],
    heat_capacity: Float[np.ndarray, " rungs"],
    energy: Float[np.ndarray, " thresholds"],
    log10_number: Float[np.ndarray, " thresholds"],
    *,
    entropy_error: Float[np.ndarray, " rungs"] | None = None,
    heat_capacity_error: Float[np.ndarray, " rungs"] | None = None,
    log10_number_error: Float[np.ndarray, " thresholds"] | None = None,
) -> Figure:
    """Draw `entropy_along`, `heat_capacity_along` and `sequences_within` side by side.

    Returns:
        A new Figure with the three Axes.

    Raises:
        ValueError, ImportError: as they do.
    """
    need("matplotlib")
    wide, tall = PANEL_INCHES
    figure = new_figure(3 * wide, tall)
    panels = [figure.add_axes(panel_box(3 * wide, tall, i * wide)) for i in range(3)]
    entropy_along(betas, entropy, standard_error=entropy_error, ax=panels[0])
    heat_capacity_along(betas, heat_capacity, standard_error=heat_capacity_error, ax=panels[1])
    sequences_within(energy, log10_number, standard_error=log10_number_error, ax=panels[2])
    return figure


def _line_along(name: str, betas: Any, values: Any, standard_error: Any, ax: Axes | None) -> Axes:
    """A line of values at the rungs, in its band."""
    need("matplotlib")
    betas = checked_betas(betas)
    values = checked_series(name, values, len(betas))
    error = checked_standard_error(standard_error, values.shape)
    ax = panel() if ax is None else ax
    _band(ax, betas, values, error)
    ax.plot(betas, values, "o-", color=BLUE, markersize=3, linewidth=1, clip_on=False)
    return ax


def _band(ax: Axes, x: np.ndarray, values: np.ndarray, error: np.ndarray | None) -> None:
    if error is not None:
        ax.fill_between(x, values - 2 * error, values + 2 * error, color=BLUE, alpha=0.2, linewidth=0)
