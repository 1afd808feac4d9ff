"""Panels of one size: values against β, alone or several side by side.

β is drawn on a square-root scale, which has room for 0 and keeps the small β's apart if a ladder reaches far up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxmaxent import checks
from jaxmaxent.plot._inputs import checked_standard_error, need
from jaxmaxent.plot._style import BLACK, BLUE, GRAY, hide_frame, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_INCHES = 3.5, 2.6  # width and height of a panel, labels included
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.6, 0.15, 0.5, 0.4  # margins of a panel in inches


def new_panels(count: int) -> tuple[Figure, list[Axes]]:
    """Return a new figure with `count` panels side by side."""
    need("matplotlib")
    wide, tall = _PANEL_INCHES
    figure = new_figure(count * wide, tall)
    return figure, [figure.add_axes(_panel_box(count * wide, tall, i * wide)) for i in range(count)]


def new_panel() -> Axes:
    """Return the Axes of a new figure of one panel."""
    return new_panels(1)[1][0]


def line_along_beta(
    name: str, betas: Any, values: Any, standard_error: Any, ax: Axes | None, *, errors: int, title: str
) -> Axes:
    """Draw a line of values, one per rung, in a band of so many standard errors."""
    need("matplotlib")
    betas = checked_betas(betas)
    values = checked_series(name, values, len(betas))
    error = checked_standard_error(standard_error, values.shape)
    ax = new_panel() if ax is None else ax
    draw_band(ax, betas, values, error, errors)
    ax.plot(betas, values, "o-", color=BLUE, markersize=3, linewidth=1, clip_on=False)
    return finish_along_beta(ax, betas, title)


def draw_band(ax: Axes, x: np.ndarray, values: np.ndarray, error: np.ndarray | None, errors: int) -> None:
    """Draw a band of so many standard errors around values; none if `error` is None."""
    if error is not None:
        ax.fill_between(x, values - errors * error, values + errors * error, color=BLUE, alpha=0.2, linewidth=0)


def finish_panel(ax: Axes, x_label: str, title: str) -> Axes:
    """Add labels, grid and ticks; the title names the values along y."""
    ax.set_xlabel(x_label, fontsize=8)
    ax.set_title(title, loc="left", fontsize=9, pad=6)
    ax.tick_params(labelsize=7, length=2.5)
    ax.grid(axis="y", color=GRAY, alpha=0.25, linewidth=0.5)
    ax.set_axisbelow(True)
    hide_frame(ax)
    ax.spines["bottom"].set_color(BLACK)
    return ax


def finish_along_beta(ax: Axes, betas: np.ndarray, title: str) -> Axes:
    """Finish a panel with β along x; the ticks are round numbers that do not overlap."""
    ax.set_xscale("function", functions=(_root, np.square))
    top = float(betas[-1])
    ax.set_xlim(0, top * 1.03)
    ax.set_xticks(_ticks(top))
    ax.set_xticks([], minor=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    return finish_panel(ax, "β (square-root scale)", title)


def checked_betas(betas: Any) -> np.ndarray:
    """Return β of every rung as floats, or raise ValueError if they do not increase."""
    return checked_increasing("betas", betas)


def checked_increasing(name: str, values: Any) -> np.ndarray:
    """Return at least 2 numbers ≥ 0 as floats, or raise ValueError if they do not increase."""
    array = checks.finite_array(name, values, at_least=0)
    if array.ndim != 1 or len(array) < 2 or (np.diff(array) <= 0).any():
        raise ValueError(f"{name} must be at least 2 numbers that increase, got {array.tolist()}")
    return array


def checked_series(name: str, values: Any, count: int) -> np.ndarray:
    """Return `count` finite values as floats."""
    return with_shape(name, checks.finite_array(name, values), count)


def with_shape(name: str, values: np.ndarray, count: int) -> np.ndarray:
    """Return `values`, or raise ValueError if their shape is not [count]."""
    if values.shape != (count,):
        raise ValueError(f"{name} must have shape [{count}], got {list(values.shape)}")
    return values


def _panel_box(width: float, height: float, left: float) -> tuple[float, float, float, float]:
    """Return the box of a panel whose left edge is `left` inches into a figure, as fractions of the figure."""
    wide, tall = _PANEL_INCHES
    return (
        (left + _LEFT) / width, _BOTTOM / height, (wide - _LEFT - _RIGHT) / width, (tall - _BOTTOM - _TOP) / height
    )  # fmt: skip


def _root(values: Any) -> np.ndarray:
    return np.sqrt(np.maximum(values, 0))


def _ticks(top: float) -> list[float]:
    """Return round numbers from 0 to `top`, about equally far apart in their square roots."""
    power = 10.0 ** np.floor(np.log10(top))
    round_numbers = np.concatenate([np.array([1, 2, 3, 5]) * power / scale for scale in (100, 10, 1)])
    gap = (0.12 if top >= 1 else 0.2) * np.sqrt(top)  # labels of small numbers are long
    chosen = [0.0]
    for value in (number for number in round_numbers if number <= top):
        if np.sqrt(value) - np.sqrt(chosen[-1]) > gap:
            chosen.append(float(value))
    return chosen
