"""Curves: information along a sequence, and losses over the epochs of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.plot._inputs import checked_position, checked_standard_error, need
from jaxmaxent.plot._style import BLACK, BLUE, GRAY, ORANGE, SMALLEST_BITS, figure_width, new_axes, style_positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def information_track(
    information: Float[np.ndarray, " length"],
    *,
    standard_error: Float[np.ndarray, " length"] | None = None,
    start: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw information against position as a step profile, with bars of ± one standard error if given.

    Args:
        information: bits, shape [length].
        standard_error: standard error of `information`, bits, same shape; no bar is drawn where it is not finite.
        start: the position of the first entry, as written on the x axis.
        ax: where to draw; a new figure if None.

    Returns:
        The Axes of the profile.

    Raises:
        ValueError: if the shapes do not match or `information` is not finite.
        ImportError: if matplotlib is not installed.

    Example:
        >>> axes = plot.information_track(analysis.profile(run).information)
    """
    need("matplotlib")
    information = checks.finite_array("information", information)
    if information.ndim != 1 or information.size == 0:
        raise ValueError(f"information must have shape [length], got {list(information.shape)}")
    start, length = checked_position(start), len(information)
    error = checked_standard_error(standard_error, information.shape)
    if ax is None:
        ax = new_axes(figure_width(length), 1.25, bottom=0.28, top=0.1)

    edges = start - 0.5 + np.arange(length + 1)
    ax.stairs(information, edges, fill=True, color=BLUE, alpha=0.55, linewidth=0)
    highest = information.max()
    if error is not None:
        known = np.isfinite(error)
        low, high = (information - error)[known], (information + error)[known]
        ax.vlines(start + np.flatnonzero(known), low, high, color=BLACK, linewidth=0.8)
        highest = max(highest, high.max(initial=0.0))
    style_positions(ax, length, start, None)
    ax.set_ylim(min(0.0, float(information.min())) * 1.05, max(float(highest) * 1.05, SMALLEST_BITS))
    ax.set_ylabel("bits", fontsize=8)
    return ax


def training_curve(history: Sequence[Mapping[str, Any]], *, ax: Axes | None = None) -> Axes:
    """Draw losses (left axis) and the validation AUROC (right axis) against the epoch.

    Args:
        history: one mapping per epoch, with any of the keys "epoch", "train_loss", "validation_loss" and
            "validation_auroc". A value that is absent or None is left out; epochs count from 1 if not given.
        ax: where to draw; a new figure if None.

    Returns:
        The Axes of the losses.

    Raises:
        ValueError: if `history` is empty or holds none of the values drawn.
        ImportError: if matplotlib is not installed.

    Example:
        >>> history = [{"train_loss": 0.6, "validation_auroc": 0.7}, {"train_loss": 0.4, "validation_auroc": 0.8}]
        >>> axes = plot.training_curve(history)
    """
    need("matplotlib")
    losses = {"train_loss": ("training loss", GRAY, "-"), "validation_loss": ("validation loss", BLUE, "-")}
    curves = {key: _curve(history, key) for key in (*losses, "validation_auroc")}
    if not any(len(epochs) for epochs, _ in curves.values()):
        raise ValueError(f"history must hold a value of {', '.join(curves)}, got {len(history)} entries without any")
    if ax is None:
        # The margins leave room for ticks of three decimals.
        ax = new_axes(5.3, 3.0, bottom=0.5, top=0.4, left=0.7, right=0.75)

    lines = []
    for key, (label, color, style) in losses.items():
        if len(curves[key][0]):
            lines += ax.plot(*curves[key], style, color=color, label=label, marker="o", markersize=3)
    epochs, auroc = curves["validation_auroc"]
    if len(epochs):
        right = ax.twinx()
        label = "validation AUROC"
        lines += right.plot(epochs, auroc, "--", color=ORANGE, label=label, marker="s", markersize=3)
        right.set_ylabel(label, fontsize=9)
        right.tick_params(labelsize=8)
        right.spines["top"].set_visible(False)
    _style_curve(ax, lines)
    return ax


def _curve(history: Sequence[Mapping[str, Any]], key: str) -> tuple[list[float], list[float]]:
    points = [(row.get("epoch", i + 1), row.get(key)) for i, row in enumerate(history)]
    points = [(float(epoch), float(value)) for epoch, value in points if value is not None]
    return [epoch for epoch, _ in points], [value for _, value in points]


def _style_curve(ax: Axes, lines: list) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch", fontsize=9)
    ax.set_ylabel("loss", fontsize=9)
    ax.tick_params(labelsize=8)
    ax.spines["top"].set_visible(False)
    ax.legend(
        handles=lines,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        fontsize=7,
        frameon=False,
        borderaxespad=0.3,
    )
