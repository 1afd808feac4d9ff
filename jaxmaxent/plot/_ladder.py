"""A run along its ladder of β's: energy, information and swaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxmaxent.plot._inputs import PerPair, PerRung, checked_standard_error, need
from jaxmaxent.plot._panels import (
    checked_betas,
    checked_series,
    finish_along_beta,
    line_along_beta,
    new_panel,
    new_panels,
    with_shape,
)
from jaxmaxent.plot._style import BLUE, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def energy_along(
    betas: PerRung,
    energy: PerRung,
    *,
    standard_error: PerRung | None = None,
    anchor_start: PerRung | None = None,
    anchor_start_error: PerRung | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw mean energies of chains from the background and of anchor-start chains against β.

    Bars are ± two standard errors. If the two differ, at least one of them is not in equilibrium.

    Args:
        betas: β of every rung, increasing, shape [rungs].
        energy: mean energy at every rung, same shape.
        standard_error: standard error of `energy`, same shape; no bar is drawn where it is not finite.
        anchor_start: mean energy of the chains started at the anchor, same shape; left out where it is not finite.
        anchor_start_error: standard error of `anchor_start`, same shape.
        ax: where to draw; a new figure if None.

    Returns:
        The Axes of the energies.

    Raises:
        ValueError: if shapes do not match, or β or energies are not finite.
        ImportError: if matplotlib is not installed.

    Example:
        >>> axes = plot.energy_along(run.beta[0], run.energy[0], standard_error=run.energy_error[0])
    """
    need("matplotlib")
    betas = checked_betas(betas)
    energy = checked_series("energy", energy, len(betas))
    ax = new_panel() if ax is None else ax
    if anchor_start is not None and np.isfinite(anchor_start).any():
        started = with_shape("anchor_start", np.asarray(anchor_start, float), len(betas))
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
    return finish_along_beta(ax, betas, "mean energy")


def information_along(
    betas: PerRung, information: PerRung, *, standard_error: PerRung | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the information of all positions together against β, in a band of ± one standard error.

    Args:
        betas: β of every rung, increasing, shape [rungs].
        information: bits, same shape.
        standard_error: standard error of `information`, bits, same shape; no band is drawn where it is not finite.
        ax: where to draw; a new figure if None.

    Returns:
        The Axes of the information.

    Raises:
        ValueError: if shapes do not match, or β or `information` are not finite.
        ImportError: if matplotlib is not installed.

    Example:
        >>> axes = plot.information_along(run.beta[0], run.total_information[0])
    """
    title = "information (bits)"
    ax = line_along_beta("information", betas, information, standard_error, ax, errors=1, title=title)
    ax.set_ylim(bottom=0)
    return ax


def swap_acceptance_along(betas: PerRung, swap_acceptance: PerPair, *, ax: Axes | None = None) -> Axes:
    """Draw the acceptance of swaps between neighbouring rungs, as a step between the β's of each pair.

    The title has Λ, the global communication barrier, which is the sum of the mean rejections (Syed et al., J. R. Stat.
    Soc. B 84, 2022).
    The rungs of a ladder are well placed if all steps have about the same height. A step near 0 cuts the ladder in two.

    Args:
        betas: β of every rung, increasing, shape [rungs].
        swap_acceptance: mean acceptance probability of each pair of neighbours, shape [rungs − 1].
        ax: where to draw; a new figure if None.

    Returns:
        The Axes of the acceptance.

    Raises:
        ValueError: if shapes do not match or a value is not finite.
        ImportError: if matplotlib is not installed.

    Example:
        >>> axes = plot.swap_acceptance_along(run.beta[0], run.swap_acceptance[0])
    """
    need("matplotlib")
    betas = checked_betas(betas)
    swap_acceptance = checked_series("swap_acceptance", swap_acceptance, len(betas) - 1)
    ax = new_panel() if ax is None else ax
    ax.stairs(swap_acceptance, betas, fill=True, color=BLUE, alpha=0.35, linewidth=0)
    ax.hlines(swap_acceptance, betas[:-1], betas[1:], color=BLUE, linewidth=1.5)
    ax.set_ylim(0, 1)
    return finish_along_beta(ax, betas, f"swap acceptance (Λ = {np.sum(1 - swap_acceptance):.1f})")


def ladder(
    betas: PerRung,
    energy: PerRung,
    information: PerRung,
    swap_acceptance: PerPair,
    *,
    energy_error: PerRung | None = None,
    information_error: PerRung | None = None,
    anchor_start: PerRung | None = None,
    anchor_start_error: PerRung | None = None,
) -> Figure:
    """Draw `energy_along`, `information_along` and `swap_acceptance_along` side by side in a new Figure.

    Raises:
        ValueError, ImportError: as these functions.

    Example:
        >>> bits = run.total_information[0]
        >>> figure = plot.ladder(run.beta[0], run.energy[0], bits, run.swap_acceptance[0])
    """
    figure, panels = new_panels(3)
    energy_along(
        betas, energy, standard_error=energy_error, anchor_start=anchor_start, anchor_start_error=anchor_start_error,
        ax=panels[0],
    )  # fmt: skip
    information_along(betas, information, standard_error=information_error, ax=panels[1])
    swap_acceptance_along(betas, swap_acceptance, ax=panels[2])
    return figure


def _bars(standard_error: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return two standard errors, NaN (which draws nothing) where they are not known."""
    error = checked_standard_error(standard_error, shape)
    return np.full(shape, np.nan) if error is None else np.where(np.isfinite(error), 2 * error, np.nan)
