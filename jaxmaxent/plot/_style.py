"""The style of all pictures: colours of letters, and figures measured in inches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
SMALLEST_BITS = 0.005
"""Letters lower than this are not drawn: at any usual size they are thinner than a pixel."""

LETTER_INCHES = 0.14
WIDEST_INCHES = 24.0

# The palette of Okabe and Ito (2008) with a darker red, a deeper blue and a lighter purple. Readers with any of the
# three dichromacies, not only with the commonest, can tell any two of these apart.
GREEN, BLUE, ORANGE, RED = "#009E73", "#0058A8", "#E69F00", "#B3261E"
BLACK, PURPLE, GRAY = "#222222", "#D9A3D9", "#7F7F7F"
NUCLEOTIDES = {"A": GREEN, "C": BLUE, "G": ORANGE, "T": RED, "U": RED}
AMINO_ACIDS = {
    **dict.fromkeys("AVLIPWFM", BLACK),  # hydrophobic
    **dict.fromkeys("GSTYC", GREEN),  # polar
    **dict.fromkeys("QN", PURPLE),  # amides
    **dict.fromkeys("KRH", BLUE),  # basic
    **dict.fromkeys("DE", RED),  # acidic
}
CYCLE = (BLUE, ORANGE, GREEN, RED, PURPLE, BLACK)


def colors(letters: str) -> dict[str, str]:
    """Return the colour of each letter as "#RRGGBB"; colour-blind readers can tell the colours apart.

    Nucleotides have their usual hues (A green, C blue, G orange, T and U red). The 20 amino acids are coloured by
    chemistry. The letters of another alphabet take the colours of the palette in turn.

    Args:
        letters: an alphabet, such as "ACGT".

    Example:
        >>> plot.colors("AT")
        {'A': '#0058A8', 'T': '#E69F00'}
    """
    if set("ACG") <= set(letters) <= set("ACGTUN-"):
        return {letter: NUCLEOTIDES.get(letter, GRAY) for letter in letters}
    if set(AMINO_ACIDS) <= set(letters):
        return {letter: AMINO_ACIDS.get(letter, GRAY) for letter in letters}
    return {letter: CYCLE[i % len(CYCLE)] for i, letter in enumerate(letters)}


def figure_width(length: int) -> float:
    """Return the width in inches of a figure with so many positions."""
    return min(max(length * LETTER_INCHES + 0.8, 2.6), WIDEST_INCHES)


def axes_box(
    width: float, height: float, floor: float, tall: float, right: float = 0.15, left: float = 0.5
) -> tuple[float, float, float, float]:
    """Return the box of Axes as fractions of a figure of `width` × `height` inches.

    The Axes are `tall` inches high from `floor` up; `left` and `right` are margins in inches.
    """
    return left / width, floor / height, (width - left - right) / width, tall / height


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of this size in inches with its own canvas, unknown to pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def new_axes(width: float, height: float, *, bottom: float, top: float, right: float = 0.15, left: float = 0.5) -> Axes:
    """Return the only Axes of a new figure; `bottom`, `top`, `right` and `left` are margins in inches."""
    box = axes_box(width, height, bottom, height - bottom - top, right, left)
    return new_figure(width, height).add_axes(box)


def style_positions(ax: Axes, length: int, start: int, top: float | None) -> None:
    """Set limits and ticks of Axes with positions along x, and with 0 to `top` bits along y if not None."""
    from matplotlib.ticker import MultipleLocator

    ax.set_xlim(start - 0.6, start + length - 0.4)
    every = 1 if length <= 12 else 10 if length <= 500 else 50
    ax.xaxis.set_major_locator(MultipleLocator(every))
    if top is not None:
        ax.set_ylim(0, top)
        ax.yaxis.set_major_locator(MultipleLocator(1 if top > 1.5 else 0.5))
    ax.tick_params(labelsize=7, length=2.5)
    hide_frame(ax)


def hide_frame(ax: Axes) -> None:
    """Hide the frame at the top and the right."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def finish_curves(ax: Axes, **legend: Any) -> Axes:
    """Set ticks, frame and legend of Axes with curves; `legend` says where the legend stands."""
    ax.tick_params(labelsize=8)
    hide_frame(ax)
    ax.legend(fontsize=7, frameon=False, **legend)
    return ax
