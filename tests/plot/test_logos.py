"""Logos are measured: the outline of every letter drawn must have the size that the definition gives."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from jaxmaxent import plot
from jaxmaxent.ensembles import BINARY, DNA, PROTEIN, RNA
from jaxmaxent.plot import _stacks as stacks
from jaxmaxent.plot import _style as style

ALPHABETS = [DNA.letters, RNA.letters, PROTEIN.letters, BINARY.letters, "αβγδεζη"]


def draw_frequencies(length, letters, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(letters, 0.3), length)


def drawn(ax):
    """(position, bottom, height, colour) of every letter drawn."""
    (collection,) = ax.collections
    boxes = [path.get_extents() for path in collection.get_paths()]
    colors = collection.get_facecolors()
    assert len(colors) == len(boxes)
    return [(round((b.x0 + b.x1) / 2), b.y0, b.height, tuple(c)) for b, c in zip(boxes, colors, strict=True)]


def information(row):
    """log2(letters) minus the entropy in bits, from the definition."""
    return np.log2(len(row)) + sum(p * np.log2(p) for p in row if p > 0)


@pytest.mark.parametrize("letters", ALPHABETS)
def test_letter_heights_are_frequency_times_information(letters):
    frequencies = draw_frequencies(9, len(letters))
    frequencies[4] = np.eye(len(letters))[1]
    ax = plot.logo(frequencies, letters=letters, start=5)
    found = drawn(ax)
    for i, row in enumerate(frequencies):
        wanted = sorted(h for h in row * information(row) if h >= style.SMALLEST_BITS)
        bottoms = information(row) - np.cumsum(wanted[::-1])[::-1]
        stack = sorted((bottom, height) for position, bottom, height, _ in found if position == i + 5)
        # The outlines of round letters are curves whose extent is found to float32-like precision.
        np.testing.assert_allclose([height for _, height in stack], wanted, atol=1e-6)
        np.testing.assert_allclose([bottom for bottom, _ in stack], bottoms, atol=1e-6)
    assert ax.get_ylim() == (0, np.log2(len(letters)))


def test_each_letter_has_its_own_outline_and_colour():
    frequencies = np.eye(4)
    ax = plot.logo(frequencies)
    assert [c for *_, c in sorted(drawn(ax))] == [to_rgba(style.NUCLEOTIDES[x]) for x in "ACGT"]
    outlines = [path.vertices - [i, 0] for i, path in enumerate(ax.collections[0].get_paths())]
    assert len({outline.tobytes() for outline in outlines}) == 4
    swapped = plot.logo(frequencies[:, ::-1], letters="TGCA")
    np.testing.assert_allclose(swapped.collections[0].get_paths()[0].vertices, outlines[0])


def test_letters_are_those_of_logomaker():
    import logomaker
    import pandas

    frequencies = np.array([[0.7, 0.15, 0.1, 0.05], [0.1, 0.2, 0.25, 0.45], [0, 0.5, 0, 0.5]])
    heights = frequencies * np.array([information(row) for row in frequencies])[:, None]
    theirs = Figure().add_subplot()
    logomaker.Logo(pandas.DataFrame(heights, columns=list("ACGT")), ax=theirs, font_name=stacks.FONT)
    expected = [patch.get_path().vertices for patch in theirs.patches]
    ours = [path.vertices for path in plot.logo(frequencies).collections[0].get_paths()]
    for mine, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12)


def test_uniform_positions_are_empty_and_certain_ones_full():
    frequencies = np.full((3, 4), 0.25)
    frequencies[1] = [0, 0, 1, 0]
    ((position, bottom, height, _),) = drawn(plot.logo(frequencies))
    assert position == 1
    np.testing.assert_allclose([bottom, height], [0, 2], atol=1e-6)


@pytest.mark.parametrize(("error", "faded"), [(0.05, False), (0.0501, True), (np.nan, True), (np.inf, True)])
def test_a_position_is_faded_by_its_largest_or_unknown_standard_error(error, faded):
    frequencies = np.tile([0.9, 0.1, 0, 0], (3, 1))
    standard_error = np.full((3, 4), 0.01)
    standard_error[1, 3] = error
    ax = plot.logo(frequencies, standard_error=standard_error)
    alphas = {position: color[3] for position, *_, color in drawn(ax)}
    assert alphas == {0: 1.0, 1: stacks.FADED_ALPHA if faded else 1.0, 2: 1.0}
    assert ("faded" in ax.get_title(loc="right")) == faded


def test_the_anchor_stands_under_its_positions_in_the_letters_colours():
    ax = plot.logo(np.full((4, 4), 0.25), anchor="GATN", start=7)
    assert [(text.get_text(), text.xy[0]) for text in ax.texts] == [("G", 7), ("A", 8), ("T", 9), ("N", 10)]
    assert [text.get_color() for text in ax.texts] == [style.ORANGE, style.GREEN, style.RED, style.GRAY]


@pytest.mark.parametrize("length", [1, 30, 101, 201, 400])
def test_anchor_letters_do_not_overlap_and_everything_is_inside_the_figure(length):
    ax = plot.logo(draw_frequencies(length, 4), anchor="W" * length, title="t")
    figure = ax.figure
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes))
    box = ax.get_tightbbox()
    assert box.x0 >= 0 and box.y0 >= 0
    assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height
    assert figure.get_figwidth() == min(max(length * style.LETTER_INCHES + 0.8, 2.6), style.WIDEST_INCHES)


@pytest.mark.parametrize(
    ("length", "start", "ticks"),
    [
        (101, 0, list(range(0, 101, 10))),
        (30, -15, [-10, 0, 10]),
        (35, 95, [100, 110, 120]),
        (4, 0, [0, 1, 2, 3]),
    ],
)
def test_ticks_are_every_ten_positions(length, start, ticks):
    ax = plot.logo(draw_frequencies(length, 4), start=start)
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == ticks


def test_titles_are_plain_text():
    name = "chr1$_{^$\\frac\n name"
    ax = plot.logo(draw_frequencies(101, 4), title=name)
    assert ax.get_title(loc="left") == "chr1$_{^$\\frac name"
    ax.figure.draw_without_rendering()


@pytest.mark.parametrize("length", [1, 8, 30, 101])
def test_long_titles_are_cut_to_fit_beside_the_note(length):
    name = "GM12878_CTCF_peak_0012345|chr1:100,234-100,335(+)|" * 5
    ax = plot.logo(draw_frequencies(length, 4), title=name, standard_error=np.ones((length, 4)))
    ax.figure.draw_without_rendering()
    title, note = ax._left_title.get_window_extent(), ax._right_title.get_window_extent()
    assert ax.get_title(loc="left").endswith("…") and len(ax.get_title(loc="left")) > 8
    assert title.x1 < note.x0 and note.x1 <= ax.figure.bbox.width


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frequencies": np.full((3, 5), 0.2)}, r"frequencies must have shape \[length, letters\]"),
        ({"frequencies": np.full((2, 3, 4), 0.25)}, r"got \[2, 3, 4\]"),
        ({"frequencies": np.zeros((0, 4))}, r"got \[0, 4\]"),
        ({"frequencies": np.full((3, 4), 0.3)}, r"must sum to 1 over the letters, got 1.2 at \[0\]"),
        ({"frequencies": np.full((3, 4), np.nan)}, "frequencies must be finite"),
        ({"frequencies": np.array([[1.5, -0.5, 0, 0]])}, "frequencies must be finite ≥ 0, got -0.5"),
        ({"letters": "AACG"}, "letters must be a string of at least 2 different"),
        ({"letters": "AC G"}, "letters must be visible characters"),
        ({"standard_error": np.zeros((3, 3))}, r"standard_error must have shape \[3, 4\], got \[3, 3\]"),
        ({"standard_error": np.full((3, 4), -1.0)}, "standard_error must not be negative, got -1"),
        ({"anchor": "ACGT"}, "anchor must have 3 letters, one per position, got 4"),
        ({"start": 0.5}, "start must be a whole number, got 0.5"),
    ],
)
def test_bad_logo_input(change, message):
    with pytest.raises(ValueError, match=message):
        plot.logo(**({"frequencies": np.full((3, 4), 0.25)} | change))


def assert_rows_are_logos(figure, frequencies, error, start):
    """Check that every row is the logo drawn alone, and that rows neither overlap nor leave the figure."""
    for row, ax in enumerate(figure.axes):
        alone = plot.logo(frequencies[row], standard_error=error[row], start=start)
        for path, other in zip(*(each.collections[0].get_paths() for each in (ax, alone)), strict=True):
            np.testing.assert_allclose(path.vertices, other.vertices, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(ax.collections[0].get_facecolors(), alone.collections[0].get_facecolors())
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    assert all(upper.y0 >= lower.y1 for upper, lower in itertools.pairwise(boxes))
    assert boxes[0].y1 <= figure.bbox.height and boxes[-1].y0 >= 0


def test_grid_has_one_row_per_anchor():
    frequencies = np.stack([draw_frequencies(20, 4, seed) for seed in range(3)])
    error = np.zeros((3, 20, 4))
    error[2] = 1.0
    figure = plot.logo_grid(
        frequencies,
        ["one", "two", "three"],
        standard_error=error,
        anchors=["A" * 20, "C" * 20, "G" * 20],
        start=2,
    )
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["one", "two", "three"]
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["A", "C", "G"]
    assert_rows_are_logos(figure, frequencies, error, 2)


@pytest.mark.parametrize("length", [4, 101])
def test_resolutions_are_logos_in_the_order_given(length):
    frequencies = np.stack([draw_frequencies(length, 4, seed) for seed in range(3)])
    error = np.zeros((3, length, 4))
    error[1] = 1.0
    figure = plot.resolutions([1.5, 20.123, 100], frequencies, standard_error=error, start=3)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["β = 1.5", "β = 20.1", "β = 100"]
    assert_rows_are_logos(figure, frequencies, error, 3)
    named = plot.resolutions([1, 2, 3], frequencies, titles=["coarse", "finer", "finest"])
    assert named.axes[0].get_title(loc="left") == "coarse"


def test_bad_grid_input():
    frequencies = np.full((2, 3, 4), 0.25)
    with pytest.raises(ValueError, match="names must have 2 entries, one per row of frequencies, got 1"):
        plot.logo_grid(frequencies, ["a"])
    with pytest.raises(ValueError, match="anchors must have 2 entries"):
        plot.logo_grid(frequencies, ["a", "b"], anchors=["ACG"])
    with pytest.raises(ValueError, match=r"standard_error must have shape \[2, 3, 4\]"):
        plot.logo_grid(frequencies, ["a", "b"], standard_error=np.zeros((3, 4)))
    with pytest.raises(ValueError, match="titles must have 2 entries, one per row of frequencies, got 1"):
        plot.resolutions([0, 1], frequencies, titles=["a"])
