"""Arrays in, matplotlib Axes out.

Nothing here touches matplotlib's global state: without an Axes a new Figure with its own canvas is made, so
the functions work on a machine without a display and beside a notebook's own plots. matplotlib and logomaker
are imported when something is drawn; they come with the extra `plot`.
"""

from __future__ import annotations

import functools
import importlib
import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.files import new_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path as GlyphPath

Color = tuple[float, float, float, float]

FADE_ABOVE = 0.05
"""A position is faded if the standard error of one of its letter frequencies is above this."""

DPI = 150
SMALLEST_BITS = 0.005
"""Letters lower than this are not drawn: at any usual size they are thinner than a pixel."""

LETTER_INCHES = 0.14
WIDEST_INCHES = 24.0
LOGO_INCHES = 1.4  # height of the letters' box
TOP_INCHES = 0.3
FADED_ALPHA = 0.3
FONT = "DejaVu Sans"  # comes with matplotlib, so a logo looks the same on every machine

# The palette of Okabe and Ito (2008) with the red darker, the blue deeper and the purple lighter than theirs,
# so that any two are well apart for readers with any of the three dichromacies, not only with the commonest.
GREEN, BLUE, ORANGE, RED, BLACK, PURPLE, GREY = (
    "#009E73",
    "#0058A8",
    "#E69F00",
    "#B3261E",
    "#222222",
    "#D9A3D9",
    "#7F7F7F",
)
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
    """The colour of each letter, as "#RRGGBB", chosen to be told apart by colour-blind readers.

    Nucleotides keep the hues of the field (A green, C blue, G orange, T and U red); the 20 amino acids are
    coloured by chemistry; the letters of another alphabet take the palette's colours in turn.
    """
    if set("ACG") <= set(letters) <= set("ACGTUN-"):
        return {letter: NUCLEOTIDES.get(letter, GREY) for letter in letters}
    if set(AMINO_ACIDS) <= set(letters):
        return {letter: AMINO_ACIDS.get(letter, GREY) for letter in letters}
    return {letter: CYCLE[i % len(CYCLE)] for i, letter in enumerate(letters)}


def logo(
    frequencies: Float[np.ndarray, "length letters"],
    *,
    letters: str = "ACGT",
    standard_error: Float[np.ndarray, "length letters"] | None = None,
    start: int = 0,
    anchor: str | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a sequence logo (Schneider & Stephens 1990, Nucleic Acids Research 18:6097).

    The height of a stack is the information at the position, log2(number of letters) − entropy in bits; each
    letter's share of it is its frequency, the most frequent on top. The y axis always spans 0 to
    log2(number of letters), so that logos can be compared.

    Args:
        frequencies: shape [length, letters], every row sums to 1.
        letters: the letters in the order of the last axis of `frequencies`.
        standard_error: of `frequencies`, same shape. Positions where one is above 0.05, or is unknown (NaN),
            are faded.
        start: the position of the first letter, as written on the x axis.
        anchor: the sequence drawn small under the axis, one letter a position.
        title: drawn above the logo, as plain text.
        ax: where to draw; a new figure of its own if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if shapes or lengths do not match, or a row of `frequencies` does not sum to 1.
        ImportError: if matplotlib or logomaker is not installed.
    """
    _need("matplotlib", "logomaker")
    frequencies = _frequencies("frequencies", frequencies, letters, ndim=2)
    length = len(frequencies)
    faded = _faded(standard_error, frequencies.shape)
    if anchor is not None and len(anchor) != length:
        raise ValueError(f"anchor must have {length} letters, one a position, got {len(anchor)}")
    start = _position(start)
    if ax is None:
        bottom = _bottom(anchor)
        ax = _new_axes(_width(length), bottom + LOGO_INCHES + TOP_INCHES, bottom=bottom, top=TOP_INCHES)

    _draw_stacks(ax, frequencies, letters, faded, start)
    _style(ax, length, start, math.log2(len(letters)))
    ax.set_ylabel("bits", fontsize=8)
    if anchor is not None:
        _draw_anchor(ax, anchor, letters, start)
    _draw_titles(ax, title, faded)
    return ax


def logo_grid(
    frequencies: Float[np.ndarray, "anchors length letters"],
    names: Sequence[str],
    *,
    letters: str = "ACGT",
    standard_error: Float[np.ndarray, "anchors length letters"] | None = None,
    start: int = 0,
    anchors: Sequence[str] | None = None,
) -> Figure:
    """Draw several logos of equal length, one below the other, one row an anchor.

    Args:
        frequencies: shape [anchors, length, letters].
        names: the title of each row.
        letters: as for `logo`.
        standard_error: of `frequencies`, same shape.
        start: as for `logo`.
        anchors: the sequence under each row.

    Returns:
        A new Figure with one Axes a row.

    Raises:
        ValueError: as for `logo`, or if `names` or `anchors` is not of length `anchors`.
        ImportError: if matplotlib or logomaker is not installed.
    """
    _need("matplotlib", "logomaker")
    frequencies = _frequencies("frequencies", frequencies, letters, ndim=3)
    rows, length, _ = frequencies.shape
    for name, given in (("names", names), ("anchors", anchors)):
        if given is not None and len(given) != rows:
            raise ValueError(f"{name} must have {rows} entries, one a row of frequencies, got {len(given)}")
    if standard_error is not None and np.shape(standard_error) != frequencies.shape:
        raise ValueError(
            f"standard_error must have the shape {list(frequencies.shape)} of frequencies, "
            f"got {list(np.shape(standard_error))}"
        )

    width, bottom = _width(length), _bottom(anchors)
    row_inches = bottom + LOGO_INCHES + TOP_INCHES
    figure = _new_figure(width, rows * row_inches)
    for row in range(rows):
        floor = (rows - 1 - row) * row_inches + bottom
        ax = figure.add_axes(_box(width, rows * row_inches, floor, LOGO_INCHES))
        logo(
            frequencies[row],
            letters=letters,
            standard_error=None if standard_error is None else standard_error[row],
            start=start,
            anchor=None if anchors is None else anchors[row],
            title=names[row],
            ax=ax,
        )
    return figure


def information_track(
    information: Float[np.ndarray, " length"],
    *,
    standard_error: Float[np.ndarray, " length"] | None = None,
    start: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw information against position as a step profile, with ± one standard error where given.

    Args:
        information: bits, shape [length].
        standard_error: of `information`, bits, same shape; no bar is drawn where it is not finite.
        start: the position of the first entry, as written on the x axis.
        ax: where to draw; a new figure of its own if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if the shapes do not match or `information` is not finite.
        ImportError: if matplotlib is not installed.
    """
    _need("matplotlib")
    information = checks.finite_array("information", information)
    if information.ndim != 1 or information.size == 0:
        raise ValueError(f"information must have shape [length], got {list(information.shape)}")
    start, length = _position(start), len(information)
    error = _standard_error(standard_error, information.shape)
    if ax is None:
        ax = _new_axes(_width(length), 1.25, bottom=0.28, top=0.1)

    edges = start - 0.5 + np.arange(length + 1)
    ax.stairs(information, edges, fill=True, color=BLUE, alpha=0.55, linewidth=0)
    highest = information.max()
    if error is not None:
        known = np.isfinite(error)
        low, high = (information - error)[known], (information + error)[known]
        ax.vlines(start + np.flatnonzero(known), low, high, color=BLACK, linewidth=0.8)
        highest = max(highest, high.max(initial=0.0))
    _style(ax, length, start, None)
    ax.set_ylim(min(0.0, float(information.min())) * 1.05, max(float(highest) * 1.05, SMALLEST_BITS))
    ax.set_ylabel("bits", fontsize=8)
    return ax


def training_curve(history: Sequence[Mapping[str, Any]], *, ax: Axes | None = None) -> Axes:
    """Draw losses (left axis) and the validation AUROC (right axis) against the epoch.

    Args:
        history: one mapping an epoch, with any of the keys "epoch", "train_loss", "validation_loss" and
            "validation_auroc". A key that is absent, or None, is left out; epochs count from 1 if not given.
        ax: where to draw; a new figure of its own if None.

    Returns:
        The Axes of the losses.

    Raises:
        ValueError: if `history` is empty or holds none of the values drawn.
        ImportError: if matplotlib is not installed.
    """
    _need("matplotlib")
    losses = {"train_loss": ("training loss", GREY, "-"), "validation_loss": ("validation loss", BLUE, "-")}
    curves = {key: _curve(history, key) for key in (*losses, "validation_auroc")}
    if not any(len(epochs) for epochs, _ in curves.values()):
        raise ValueError(f"history must hold a value of {', '.join(curves)}, got {len(history)} entries with none")
    if ax is None:
        ax = _new_axes(5.0, 3.0, bottom=0.5, top=0.4, right=0.65)

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


def save(figure_or_axes: Figure | Axes, path: str | os.PathLike, *, force: bool = True) -> None:
    """Write a figure, or the figure of an Axes, as PNG (150 dots an inch) or SVG, by the suffix of `path`.

    The file appears under its name only when it is complete.

    Args:
        figure_or_axes: what to write.
        path: ends in .png or .svg.
        force: replace a file of that name.

    Raises:
        ValueError: for another suffix, or if the file cannot be written or may not be replaced.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".png", ".svg"):
        raise ValueError(f"path must end in .png or .svg, got {os.fspath(path)!r}")
    with new_file(path, force=force) as scratch:
        scratch.write_bytes(_render(figure_or_axes, suffix[1:]))


def png(figure_or_axes: Figure | Axes) -> bytes:
    """A figure, or the figure of an Axes, as the bytes of a PNG file at 150 dots an inch."""
    return _render(figure_or_axes, "png")


def _render(figure_or_axes: Figure | Axes, form: str) -> bytes:
    _need("matplotlib")
    figure: Any = figure_or_axes
    while figure.figure is not figure:
        figure = figure.figure
    # Without the date two SVG files of the same picture can be compared.
    metadata = {"Date": None} if form == "svg" else None
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=DPI, metadata=metadata)
    return buffer.getvalue()


# What is given


def _need(*packages: str) -> None:
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ImportError(f"drawing needs {package}: pip install 'jaxmaxent[plot]' ({error})") from error


def _frequencies(name: str, value: Any, letters: str, *, ndim: int) -> np.ndarray:
    if not isinstance(letters, str) or len(letters) < 2 or len(set(letters)) < len(letters):
        raise ValueError(f"letters must be a string of at least 2 different characters, got {letters!r}")
    if any(not letter.isprintable() or letter.isspace() for letter in letters):
        raise ValueError(f"letters must be visible characters, got {letters!r}")
    array = checks.finite_array(name, value, at_least=0.0)
    if array.ndim != ndim or array.shape[-1] != len(letters) or 0 in array.shape:
        wanted = "[length, letters]" if ndim == 2 else "[anchors, length, letters]"
        raise ValueError(
            f"{name} must have shape {wanted} with the {len(letters)} letters {letters!r}, got {list(array.shape)}"
        )
    sums = array.sum(-1)
    wrong = np.argwhere(abs(sums - 1) > 1e-3)  # frequencies may be float32 or rounded to 4 digits in a table
    if len(wrong):
        where = tuple(int(i) for i in wrong[0])
        raise ValueError(f"{name} must sum to 1 over the letters, got {sums[where]:g} at {list(where)}")
    return array / sums[..., None]


def _standard_error(value: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """A float array in which NaN stands for "not known", as for a chain that never moved."""
    if value is None:
        return None
    array = np.asarray(value, dtype=float)
    if array.shape != shape:
        raise ValueError(f"standard_error must have shape {list(shape)}, got {list(array.shape)}")
    if (array < 0).any():
        raise ValueError(f"standard_error must not be negative, got {array[array < 0][0]:g}")
    return array


def _faded(standard_error: Any, shape: tuple[int, ...]) -> np.ndarray:
    error = _standard_error(standard_error, shape)
    if error is None:
        return np.zeros(shape[0], bool)
    return ~(error.max(-1) <= FADE_ABOVE)  # written so that NaN is faded


def _position(start: Any) -> int:
    if isinstance(start, bool) or not isinstance(start, int | np.integer):
        raise ValueError(f"start must be a whole number, got {start!r}")
    return int(start)


def _curve(history: Sequence[Mapping[str, Any]], key: str) -> tuple[list[float], list[float]]:
    points = [(row.get("epoch", i + 1), row.get(key)) for i, row in enumerate(history)]
    points = [(float(epoch), float(value)) for epoch, value in points if value is not None]
    return [epoch for epoch, _ in points], [value for _, value in points]


# Figures, measured in inches


def _width(length: int) -> float:
    return min(max(length * LETTER_INCHES + 0.8, 2.6), WIDEST_INCHES)


def _bottom(anchor: Any) -> float:
    return 0.28 if anchor is None else 0.4


def _box(width: float, height: float, floor: float, tall: float, right: float = 0.15) -> tuple:
    left = 0.5
    return left / width, floor / height, (width - left - right) / width, tall / height


def _new_figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def _new_axes(width: float, height: float, *, bottom: float, top: float, right: float = 0.15) -> Axes:
    box = _box(width, height, bottom, height - bottom - top, right)
    return _new_figure(width, height).add_axes(box)


# Logos


def _draw_stacks(ax: Axes, frequencies: np.ndarray, letters: str, faded: np.ndarray, start: int) -> None:
    """Add all letters as ONE artist.

    logomaker.Logo makes an artist, two text layouts and a few data frame look-ups a letter, about 2.5 ms: 1 s
    for 101 nucleotides and several for as many amino acids. Placing copies of its outline of each letter
    takes less than a fiftieth of that and draws the same letters.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.colors import to_rgba

    outlines = _outlines(letters)
    palette = colors(letters)
    paths: list[GlyphPath] = []
    face: list[Color] = []
    for position, token, floor, height in _stacks(frequencies):
        paths.append(_placed(outlines[token], start + position, floor, height))
        face.append(to_rgba(palette[letters[token]], FADED_ALPHA if faded[position] else 1.0))
    ax.add_collection(PathCollection(paths, facecolors=face, linewidths=0), autolim=False)


def _stacks(frequencies: np.ndarray) -> list[tuple[int, int, float, float]]:
    """(position, token, bottom, height) of every letter high enough to be seen, smallest lowest."""
    heights = frequencies * _information(frequencies)[:, None]
    order = np.argsort(heights, axis=-1, kind="stable")
    result = []
    for position, tokens in enumerate(order):
        floor = 0.0
        for token in tokens:
            height = float(heights[position, token])
            if height >= SMALLEST_BITS:
                result.append((position, int(token), floor, height))
            floor += height
    return result


def _information(frequencies: np.ndarray) -> np.ndarray:
    """Bits at every position: log2(number of letters) − entropy."""
    logs = np.log2(frequencies, where=frequencies > 0, out=np.zeros_like(frequencies))
    return np.maximum(math.log2(frequencies.shape[-1]) + (frequencies * logs).sum(-1), 0.0)


@functools.cache
def _outlines(letters: str) -> tuple[GlyphPath, ...]:
    """logomaker's outline of every letter, filling the box from (−0.475, 0) to (0.475, 1)."""
    import logomaker

    scratch = _new_figure(1, 1).add_axes((0, 0, 1, 1))
    for letter in letters:
        logomaker.Glyph(0, letter, 0, 1, ax=scratch, font_name=FONT)
    return tuple(patch.get_path() for patch in scratch.patches)


def _placed(outline: GlyphPath, x: float, floor: float, height: float) -> GlyphPath:
    from matplotlib.path import Path as GlyphPath

    return GlyphPath(np.asarray(outline.vertices) * [1.0, height] + [x, floor], outline.codes)


def _draw_anchor(ax: Axes, anchor: str, letters: str, start: int) -> None:
    pitch = 72 * _axes_inches(ax) / len(anchor)  # points a letter
    size = min(7.0, 1.3 * pitch)
    palette = colors(letters)
    for i, letter in enumerate(anchor):
        ax.annotate(
            letter,
            (start + i, 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -7),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            family="DejaVu Sans Mono",
            color=palette.get(letter, GREY),
            parse_math=False,
            annotation_clip=False,
        )
    ax.tick_params(axis="x", pad=13, length=0)


def _axes_inches(ax: Axes) -> float:
    return ax.get_window_extent().width / ax.figure.dpi


def _draw_titles(ax: Axes, title: str | None, faded: np.ndarray) -> None:
    room = _axes_inches(ax)
    if faded.any():
        note = f"faded: standard error above {FADE_ABOVE:g} or unknown" if room > 5 else f"faded: SE > {FADE_ABOVE:g}"
        ax.set_title(note, loc="right", fontsize=7, color="#666666", pad=4)
        room -= 0.06 * len(note)
    if title is not None:
        text = " ".join(str(title).split())
        fits = max(int(room / 0.08), 4)  # letters of 9 points
        text = text if len(text) <= fits else text[: fits - 1] + "…"
        # A name such as "chr1$2" is no formula.
        ax.set_title(text, loc="left", fontsize=9, pad=4, parse_math=False)


def _style(ax: Axes, length: int, start: int, top: float | None) -> None:
    from matplotlib.ticker import MultipleLocator

    ax.set_xlim(start - 0.6, start + length - 0.4)
    every = 1 if length <= 12 else 10 if length <= 500 else 50
    ax.xaxis.set_major_locator(MultipleLocator(every))
    if top is not None:
        ax.set_ylim(0, top)
        ax.yaxis.set_major_locator(MultipleLocator(1 if top > 1.5 else 0.5))
    ax.tick_params(labelsize=7, length=2.5)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


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
