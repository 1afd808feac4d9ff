"""Entropy and heat capacity along a ladder of β's, and the number of sequences within a distance of the anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jaxmaxent.plot._inputs import PerRung, PerThreshold, checked_standard_error, need
from jaxmaxent.plot._panels import (
    checked_increasing,
    draw_band,
    finish_panel,
    line_along_beta,
    new_panel,
    new_panels,
)
from jaxmaxent.plot._style import BLUE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def entropy_along(
    betas: PerRung, entropy: PerRung, *, standard_error: PerRung | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the entropy against β, in a band of ± two standard errors.

    Args:
        betas, entropy: β of every rung, increasing, and its entropy in bits, shape [rungs].
        standard_error: standard error of `entropy`, bits, same shape; no band is drawn where it is not finite.
        ax: where to draw; a new figure if None.

    Returns:
        The Axes of the entropy.

    Raises:
        ValueError: if shapes do not match, or β or `entropy` are not finite.
        ImportError: if matplotlib is not installed.

    Example:
        >>> heat = analysis.thermodynamics(run)
        >>> axes = plot.entropy_along(run.beta[0], heat.entropy, standard_error=heat.entropy_error)
    """
    return line_along_beta("entropy", betas, entropy, standard_error, ax, errors=2, title="entropy (bits)")


def heat_capacity_along(
    betas: PerRung, heat_capacity: PerRung, *, standard_error: PerRung | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the heat capacity β² Var E against β, in a band of ± two standard errors.

    At its peak the entropy falls fastest per unit of log β.

    Args:
        betas, heat_capacity: β of every rung, increasing, and its heat capacity, shape [rungs].
        standard_error: standard error of `heat_capacity`, same shape; no band is drawn where it is not finite.
        ax: where to draw; a new figure if None.

    Returns:
        The Axes of the heat capacity.

    Raises:
        ValueError: if shapes do not match, or β or `heat_capacity` are not finite.
        ImportError: if matplotlib is not installed.

    Example:
        >>> axes = plot.heat_capacity_along(run.beta[0], analysis.thermodynamics(run).heat_capacity)
    """
    title = "heat capacity β² Var E"
    ax = line_along_beta("heat_capacity", betas, heat_capacity, standard_error, ax, errors=2, title=title)
    ax.set_ylim(bottom=0)
    return ax


def sequences_within(
    energy: PerThreshold,
    log10_number: PerThreshold,
    *,
    standard_error: PerThreshold | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the number of sequences within each distance of the anchor, in a band of ± two standard errors.

    Args:
        energy: distances, increasing, shape [thresholds].
        log10_number: log10 of the number of sequences, same shape; left out where it is not finite.
        standard_error: standard error of `log10_number`, same shape; no band is drawn where it is not finite.
        ax: where to draw; a new figure if None.

    Returns:
        The Axes of the numbers.

    Raises:
        ValueError: if shapes do not match, `energy` does not increase, or no number is finite.
        ImportError: if matplotlib is not installed.

    Example:
        >>> energies = np.linspace(0.1, 1, 10)
        >>> found = analysis.sequences_within(run, energies)
        >>> axes = plot.sequences_within(energies, found.log10_number)
    """
    need("matplotlib")
    energy = checked_increasing("energy", energy)
    number = np.asarray(log10_number, float)
    known = np.isfinite(number)
    if number.shape != energy.shape or not known.any():
        raise ValueError(
            f"log10_number must have shape {list(energy.shape)} and a finite entry, got shape {list(number.shape)} "
            f"with {known.sum()}"
        )
    error = checked_standard_error(standard_error, energy.shape)
    ax = new_panel() if ax is None else ax
    draw_band(ax, energy, number, error, 2)
    ax.plot(energy, number, color=BLUE, linewidth=1.2)
    ax.set_xlim(0, float(energy[-1]))
    return finish_panel(ax, "distance E from the anchor", "sequences within E (log10)")


def thermodynamics(
    betas: PerRung,
    entropy: PerRung,
    heat_capacity: PerRung,
    energy: PerThreshold,
    log10_number: PerThreshold,
    *,
    entropy_error: PerRung | None = None,
    heat_capacity_error: PerRung | None = None,
    log10_number_error: PerThreshold | None = None,
) -> Figure:
    """Draw `entropy_along`, `heat_capacity_along` and `sequences_within` side by side in a new Figure.

    Raises:
        ValueError, ImportError: as these functions.

    Example:
        >>> heat, energies = analysis.thermodynamics(run), np.linspace(0.1, 1, 10)
        >>> number = analysis.sequences_within(run, energies).log10_number
        >>> figure = plot.thermodynamics(run.beta[0], heat.entropy, heat.heat_capacity, energies, number)
    """
    figure, panels = new_panels(3)
    entropy_along(betas, entropy, standard_error=entropy_error, ax=panels[0])
    heat_capacity_along(betas, heat_capacity, standard_error=heat_capacity_error, ax=panels[1])
    sequences_within(energy, log10_number, standard_error=log10_number_error, ax=panels[2])
    return figure
