"""A picture of what a network asks of motifs: how many draws have each, and how far apart they stand."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from jaxmaxent import checks
from jaxmaxent.analysis import Grammar, Spacing
from jaxmaxent.plot._inputs import need
from jaxmaxent.plot._style import BLUE, GRAY, axes_box, hide_frame, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_INCHES, SPACING_INCHES, GAP_INCHES = 0.24, 1.1, 0.55
WIDTH_INCHES, LEFT_INCHES = 5.2, 1.3
MOST_MOTIFS, MOST_SPACINGS = 30, 6
LETTERS_OF_A_LINE = 70


def grammar(found: Grammar, *, title: str | None = None) -> Figure:
    """Draw the share of draws with each motif, and the spacings of motifs that are often together.

    Bars are shares of the draws at the target with their standard errors; open circles are those of the background.
    Motifs that the network needs or refuses are blue, others are grey. In the pictures of spacings the grey line is the
    distribution of sites that are placed independently, and the blue band is a required spacing. The sentence of the
    grammar is written on top.

    Args:
        found: the result of `analysis.grammar`. At most 30 motifs and 6 spacings are drawn.
        title: written above the sentence, as plain text.

    Returns:
        A new Figure; the shares are its first Axes.

    Raises:
        ValueError: if `found` is not a grammar.
        ImportError: if matplotlib is not installed.

    Example:
        >>> figure = plot.grammar(analysis.grammar(run, motifs=data.read_motifs("jaspar.meme")[:2]))
    """
    need("matplotlib")
    if not isinstance(found, Grammar):
        raise ValueError(f"found must be the result of analysis.grammar, got {checks.shown(found)}")
    spacings, motifs = found.spacings[:MOST_SPACINGS], len(found.motifs[:MOST_MOTIFS])
    lines = textwrap.wrap(found.sentence, LETTERS_OF_A_LINE)
    if title is not None:
        lines = [*textwrap.wrap(str(title), LETTERS_OF_A_LINE), *lines]
    top = 0.15 + 0.16 * len(lines)
    tall = max(motifs * ROW_INCHES, 0.5)
    height = top + tall + 0.45 + len(spacings) * (SPACING_INCHES + GAP_INCHES)
    figure = new_figure(WIDTH_INCHES, height)
    figure.text(0.02, 1 - 0.08 / height, "\n".join(lines), fontsize=8, va="top", ha="left", parse_math=False)
    floor = height - top - tall
    box = axes_box(WIDTH_INCHES, height, floor, tall, left=LEFT_INCHES)
    _draw_shares(figure.add_axes(box), found, motifs)
    for spacing in spacings:
        floor -= SPACING_INCHES + GAP_INCHES
        ax = figure.add_axes(axes_box(WIDTH_INCHES, height, floor, SPACING_INCHES, left=LEFT_INCHES))
        _draw_spacing(ax, found, spacing)
    return figure


def _draw_shares(ax: Axes, found: Grammar, motifs: int) -> None:
    held = {name.removesuffix(" reversed") for row in found.held for name in row.motifs}
    rows = np.arange(motifs)
    colors = [BLUE if name in held else GRAY for name in found.motifs[:motifs]]
    ax.barh(rows, found.present[:motifs], height=0.65, color=colors)
    ax.errorbar(
        found.present[:motifs], rows, xerr=np.nan_to_num(found.present_error[:motifs]), fmt="none", ecolor="black",
        elinewidth=0.8,
    )  # fmt: skip
    ax.plot(found.present_control[:motifs], rows, "o", markerfacecolor="white", markeredgecolor="black", markersize=4)
    ax.set_yticks(rows, [" ".join(name.split())[:20] for name in found.motifs[:motifs]], parse_math=False)
    ax.set_ylim(motifs - 0.4, -0.6)
    ax.set_xlim(0, 1.02)
    ax.tick_params(labelsize=7, length=2.5)
    ax.set_xlabel("share of draws", fontsize=8)
    hide_frame(ax)


def _draw_spacing(ax: Axes, found: Grammar, spacing: Spacing) -> None:
    edges, widths = spacing.edges, np.diff(spacing.edges)
    share, error, control = (getattr(spacing, name) / widths for name in ("share", "error", "control"))
    names = spacing.motifs
    ax.bar(edges[:-1], share, widths, align="edge", color=BLUE, alpha=0.5, edgecolor="white", linewidth=0.5)
    middles = (edges[:-1] + edges[1:]) / 2
    ax.errorbar(middles, share, yerr=np.nan_to_num(error), fmt="none", ecolor="black", elinewidth=0.8)
    ax.stairs(control, edges, color=GRAY, linewidth=1.2)
    for row in found.held:
        if row.kind == "spacing" and row.motifs == names:
            ax.axvspan(row.low, row.high, color=BLUE, alpha=0.12, linewidth=0)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0, None)
    ax.tick_params(labelsize=7, length=2.5)
    ax.set_xlabel(f"letters between {' and '.join(names)}", fontsize=8, parse_math=False)
    ax.set_ylabel("share per letter", fontsize=7)
    hide_frame(ax)
