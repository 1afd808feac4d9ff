"""A motif: its average, its aligned members, and the known motif that is most similar to it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from jaxmaxent import checks
from jaxmaxent.analysis import FoundMotif, MotifHit, MotifMember, information_bits
from jaxmaxent.ensembles import DNA, Alphabet
from jaxmaxent.plot._inputs import need
from jaxmaxent.plot._logos import logo
from jaxmaxent.plot._stacks import letter_outlines, placed
from jaxmaxent.plot._style import colors, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_INCHES, ROW_INCHES, LOGO_INCHES = 0.2, 0.17, 1.0
LEFT_INCHES, RIGHT_INCHES = 1.9, 0.2
TITLE_INCHES, TICKS_INCHES = 0.28, 0.25  # above a logo, and below each part
LABEL_LETTERS = 28  # letters that fit at the left


def motif(
    found: FoundMotif,
    *,
    hit: MotifHit | None = None,
    alphabet: Alphabet = DNA,
    members: int = 20,
    title: str | None = None,
) -> Figure:
    """Draw a motif: the logo of its average, its members below, and the logo of a known motif below these.

    All parts are aligned by their columns. The letter of a member is the commonest one at its position; it is fainter
    if the position has less information. Uncertain columns of the average are faded, as in `logo`.

    Args:
        found: a motif of `analysis.find_motifs`.
        hit: a known motif that `analysis.match_motifs` found for it; drawn on the strand of the match.
        alphabet: the alphabet of the motif.
        members: number of members to draw, the most similar first; 0 draws none.
        title: drawn above, as plain text; the motif's name and its number of members if None.

    Returns:
        A new Figure with one Axes per part, from the top.

    Raises:
        ValueError: if the alphabet does not have as many letters as the motif.
        ImportError: if matplotlib or logomaker is not installed.

    Example:
        >>> profiles = np.full((3, 24, 4), 0.25)
        >>> profiles[:, 8:14] = np.eye(4)[jme.DNA.encode("AGATAA")]  # three anchors that hold AGATAA
        >>> figure = plot.motif(analysis.find_motifs(profiles).motifs[0])
    """
    need("matplotlib", "logomaker")
    width, letters = found.probabilities.shape
    if letters != len(alphabet):
        raise ValueError(f"alphabet must have the {letters} letters of the motif, got {alphabet.letters!r}")
    rows = found.members[: checks.integer("members", members, at_least=0)]
    known, start = (None, 0) if hit is None else _facing(hit, alphabet)
    first, last = min(start, 0), max(width, 0 if known is None else start + len(known))
    heights = [LOGO_INCHES, *[ROW_INCHES * len(rows)] * bool(rows), *[LOGO_INCHES] * (known is not None)]
    above = [TITLE_INCHES, *[0.0] * bool(rows), *[TITLE_INCHES] * (known is not None)]
    axes = _stacked_axes(heights, above, (last - first) * COLUMN_INCHES)

    heading = _heading(found, len(rows)) if title is None else title
    logo(found.probabilities, letters=alphabet.letters, standard_error=found.errors, ax=axes[0], title=heading)
    if rows:
        _draw_members(axes[1], found.aligned[: len(rows)], rows, alphabet.letters)
    if hit is not None and known is not None:
        told = f"{hit.name} ({hit.identifier}, {hit.strand}), q = {hit.q:.1g}"
        logo(known, letters=alphabet.letters, start=start, ax=axes[-1], title=told)
    for ax in axes:
        ax.set_xlim(first - 0.6, last - 0.4)
    return axes[0].figure  # pyright: ignore[reportReturnType]


def _facing(hit: MotifHit, alphabet: Alphabet) -> tuple[np.ndarray, int]:
    """Return the known motif on the strand of the hit, and the query's column under its first column."""
    known = np.asarray(hit.target.probabilities)
    if hit.strand == "-":
        known = known[::-1, alphabet.complement(np.arange(len(alphabet)))]
    return known, -hit.offset


def _heading(found: FoundMotif, drawn: int) -> str:
    members = f"{found.name}, {found.sites} member{'s' * (found.sites != 1)}"
    return f"{members}, {drawn} drawn" if 0 < drawn < found.sites else members


def _stacked_axes(heights: list[float], above: list[float], columns: float) -> list[Axes]:
    """Return Axes of these heights from the top, each with room above; all in inches."""
    width = LEFT_INCHES + columns + RIGHT_INCHES
    total = sum(heights) + sum(above) + TICKS_INCHES * len(heights)
    figure = new_figure(width, total)
    axes, floor = [], total
    for height, room in zip(heights, above, strict=True):
        floor -= room + height
        axes.append(figure.add_axes((LEFT_INCHES / width, floor / total, columns / width, height / total)))
        floor -= TICKS_INCHES
    return axes


def _draw_members(ax: Axes, aligned: np.ndarray, members: tuple[MotifMember, ...], letters: str) -> None:
    """Draw one row of letters per member, as one artist."""
    from matplotlib.collections import PathCollection
    from matplotlib.colors import to_rgba
    from matplotlib.ticker import MultipleLocator

    shapes, palette, most = letter_outlines(letters), colors(letters), math.log2(len(letters))
    paths, face = [], []
    for row, columns in enumerate(aligned):
        for column in np.flatnonzero(~np.isnan(columns[:, 0])):
            token = int(columns[column].argmax())
            share = float(information_bits(columns[column])) / most
            paths.append(placed(shapes[token], int(column), len(members) - 1 - row + 0.1, 0.8))
            face.append(to_rgba(palette[letters[token]], min(max(share, 0.0), 1.0) ** 0.5))
    ax.add_collection(PathCollection(paths, facecolors=face, linewidths=0), autolim=False)
    ax.set_ylim(0, len(members))
    ax.set_yticks(len(members) - 0.5 - np.arange(len(members)), [_label(member) for member in members])
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
    width = aligned.shape[1]
    ax.xaxis.set_major_locator(MultipleLocator(1 if width <= 12 else 10))
    ax.tick_params(labelsize=7, length=0)
    ax.tick_params(axis="x", length=2.5)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


def _label(member: MotifMember) -> str:
    place = f" {member.start}–{member.stop} {member.strand}"
    room = LABEL_LETTERS - len(place)
    name = " ".join(member.name.split())
    return (name if len(name) <= room else name[: room - 1] + "…") + place
