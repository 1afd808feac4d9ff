"""Motifs of the draws: logos, copies, strands and places."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from jaxmaxent import checks
from jaxmaxent.analysis import DrawMotif, DrawMotifs
from jaxmaxent.ensembles import DNA, Alphabet
from jaxmaxent.plot._inputs import need
from jaxmaxent.plot._logos import logo
from jaxmaxent.plot._style import BLUE, GRAY, LETTER_INCHES, hide_frame, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_INCHES, _TITLE_INCHES, _BELOW_INCHES = 0.9, 0.35, 0.45
_LEFT_INCHES, _GAP_INCHES, _RIGHT_INCHES = 0.5, 0.6, 0.2
_COPIES_INCHES, _STRAND_INCHES, _PLACES_INCHES = 0.9, 0.5, 2.6
_LETTERS_PER_INCH = 12.0
_MOST_BINS = 40
MOST_MOTIFS = 20


def draw_motifs(found: DrawMotifs, *, alphabet: Alphabet = DNA, title: str | None = None) -> Figure:
    """Draw the motifs of the draws, one per row: logo, copies per draw, share of strands, and places.

    Blue is the target and gray the background (β = 0). Bars of errors are ± one standard error, from the spread of
    chains. Places are the starts of occurrences, as copies per draw and position. Columns of a logo with large errors
    are faded, as in `logo`. The name of a row has the most similar known motif, if some were given.

    Args:
        found: the result of `analysis.draw_motifs`. At most 20 motifs are drawn.
        alphabet: the letters of the motifs; the strand is not drawn if they have no complements.
        title: written on top, as plain text; the outcome if None.

    Returns:
        A new Figure with three or four Axes per motif, from the left; without Axes if there is no motif.

    Raises:
        ValueError: if `found` is not such a result, or the alphabet has another number of letters.
        ImportError: if matplotlib or logomaker is not installed.

    Example:
        >>> figure = plot.draw_motifs(analysis.draw_motifs(run))
    """
    need("matplotlib", "logomaker")
    if not isinstance(found, DrawMotifs):
        raise ValueError(f"found must be the result of analysis.draw_motifs, got {checks.shown(found)}")
    motifs = found.motifs[:MOST_MOTIFS]
    if motifs and motifs[0].probabilities.shape[1] != len(alphabet):
        raise ValueError(
            f"alphabet must have the {motifs[0].probabilities.shape[1]} letters of the motifs, got {alphabet.letters!r}"
        )
    widest = max([8, *(len(motif.probabilities) for motif in motifs)])
    columns = [widest * LETTER_INCHES * 1.3, _COPIES_INCHES]
    columns += [_STRAND_INCHES] * (alphabet.complements is not None) + [_PLACES_INCHES]
    width = _LEFT_INCHES + sum(columns) + _GAP_INCHES * (len(columns) - 1) + _RIGHT_INCHES
    lines = textwrap.wrap(found.outcome if title is None else str(title), int(width * _LETTERS_PER_INCH))
    top, pitch = 0.2 + 0.16 * len(lines), _TITLE_INCHES + _ROW_INCHES + _BELOW_INCHES
    height = top + len(motifs) * pitch
    figure = new_figure(width, height)
    figure.text(0.1 / width, 1 - 0.1 / height, "\n".join(lines), fontsize=9, va="top", ha="left", parse_math=False)
    for k, motif in enumerate(motifs):
        floor, left, axes = height - top - k * pitch - _TITLE_INCHES - _ROW_INCHES, _LEFT_INCHES, []
        for inches in columns:
            axes.append(figure.add_axes((left / width, floor / height, inches / width, _ROW_INCHES / height)))
            left += inches + _GAP_INCHES
        _draw_logo(axes[0], motif, alphabet, widest)
        _draw_copies(axes[1], motif)
        if alphabet.complements is not None:
            _draw_strands(axes[2], motif)
        _draw_places(axes[-1], found, k)
    return figure


def _draw_logo(ax: Axes, motif: DrawMotif, alphabet: Alphabet, widest: int) -> None:
    """Draw the logo of a motif, with letters as wide as those of the widest motif."""
    logo(motif.probabilities, letters=alphabet.letters, standard_error=motif.errors, ax=ax)
    ax.set_xlim(-0.6, widest - 0.4)
    ax.set_title("", loc="right")  # the docstring explains the fading
    ax.set_title(_named(motif), loc="left", fontsize=8, pad=8, parse_math=False)


def _named(motif: DrawMotif) -> str:
    told = f"{motif.name.removeprefix('draw_motif_')}: {motif.consensus}, q = {motif.kmer.q:.1g}"
    if not motif.hits:
        return told
    hit = motif.hits[0]
    return f"{told}; most like {hit.name} ({hit.identifier}, {hit.strand}), q = {hit.q:.1g}"


def _draw_copies(ax: Axes, motif: DrawMotif) -> None:
    values = [motif.copies, motif.background_copies]
    errors = np.nan_to_num([motif.copies_error, motif.background_copies_error])
    ax.bar([0, 1], values, 0.7, color=[BLUE, GRAY], yerr=errors, error_kw={"elinewidth": 0.8})
    ax.set_xticks([0, 1], ["draws", "β = 0"])
    ax.set_xlim(-0.6, 1.6)
    ax.locator_params(axis="y", nbins=4)
    _finish(ax, "copies per draw")


def _draw_strands(ax: Axes, motif: DrawMotif) -> None:
    share, error = motif.forward, np.nan_to_num(motif.forward_error)
    ax.bar([0, 1], [share, 1 - share], 0.7, color=BLUE, yerr=[error, error], error_kw={"elinewidth": 0.8})
    ax.axhline(0.5, color=GRAY, linewidth=0.8)
    ax.set_xticks([0, 1], ["+", "−"])
    ax.set_xlim(-0.6, 1.6)
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1])
    _finish(ax, "strand")


def _draw_places(ax: Axes, found: DrawMotifs, k: int) -> None:
    """Draw copies per draw and position, in classes of several positions."""
    starts = len(found.motifs[k].places)
    edges = np.unique(np.linspace(0, starts, min(starts, _MOST_BINS) + 1).round().astype(int))
    widths = np.diff(edges)
    means, errors = [], []
    for sites in (found.occurrences, found.background_occurrences):
        own = sites.motif == k
        place = np.searchsorted(edges, sites.start[own], side="right") - 1
        counts = np.zeros((sites.number_of_chains, len(widths)))
        np.add.at(counts, (sites.chain[own], place), 1)
        rates = counts / sites.draws_per_chain / widths
        means.append(rates.mean(0))
        # Chains of several anchors differ by more than chance does, so this is an upper bound for them.
        errors.append(rates.std(0, ddof=1) / np.sqrt(len(rates)))
    ax.stairs(means[0], edges - 0.5, color=BLUE, fill=True, alpha=0.5)
    middles = (edges[:-1] + edges[1:] - 1) / 2
    ax.errorbar(middles, means[0], yerr=errors[0], fmt="none", ecolor="black", elinewidth=0.6)
    ax.stairs(means[1], edges - 0.5, color=GRAY, linewidth=1)
    ax.set_xlim(-0.5, starts - 0.5)
    ax.set_ylim(0, None)
    ax.locator_params(axis="y", nbins=4)
    ax.set_ylabel("copies per draw", fontsize=7)
    _finish(ax, "start")


def _finish(ax: Axes, label: str) -> None:
    ax.tick_params(labelsize=7, length=2.5)
    ax.set_xlabel(label, fontsize=7)
    hide_frame(ax)
