"""Logos are measured: the outline of every letter drawn must have the size that the definition gives."""

import itertools
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure

from jaxmaxent import plot
from jaxmaxent.ensembles import BINARY, DNA, PROTEIN, RNA
from jaxmaxent.plot import _stacks as stacks
from jaxmaxent.plot import _style as style

OTHER = "αβγδεζη"
ALPHABETS = [DNA.letters, RNA.letters, PROTEIN.letters, BINARY.letters, OTHER]


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
    for row, ax in enumerate(figure.axes):
        alone = plot.logo(frequencies[row], standard_error=error[row], start=2)
        for path, other in zip(*(each.collections[0].get_paths() for each in (ax, alone)), strict=True):
            np.testing.assert_allclose(path.vertices, other.vertices, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(ax.collections[0].get_facecolors(), alone.collections[0].get_facecolors())
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    assert all(upper.y0 >= lower.y1 for upper, lower in itertools.pairwise(boxes))
    assert boxes[0].y1 <= figure.bbox.height and boxes[-1].y0 >= 0


def test_bad_grid_input():
    frequencies = np.full((2, 3, 4), 0.25)
    with pytest.raises(ValueError, match="names must have 2 entries, one per row of frequencies, got 1"):
        plot.logo_grid(frequencies, ["a"])
    with pytest.raises(ValueError, match="anchors must have 2 entries"):
        plot.logo_grid(frequencies, ["a", "b"], anchors=["ACG"])
    with pytest.raises(ValueError, match=r"standard_error must have shape \[2, 3, 4\]"):
        plot.logo_grid(frequencies, ["a", "b"], standard_error=np.zeros((3, 4)))


def test_information_track_shows_values_and_known_errors():
    bits = np.array([0.5, 2.0, 0.0])
    ax = plot.information_track(bits, standard_error=[0.1, 0.2, np.nan], start=4)
    (steps,) = ax.patches
    np.testing.assert_array_equal(steps.get_data().values, bits)
    np.testing.assert_array_equal(steps.get_data().edges, [3.5, 4.5, 5.5, 6.5])
    segments = np.array(ax.collections[0].get_segments())
    np.testing.assert_allclose(segments, [[[4, 0.4], [4, 0.6]], [[5, 1.8], [5, 2.2]]])
    assert ax.get_ylim()[0] == 0 and ax.get_ylim()[1] > 2.2
    low, high = plot.information_track(np.zeros(3)).get_ylim()
    assert low < high
    with pytest.raises(ValueError, match=r"information must have shape \[length\], got \[1, 3\]"):
        plot.information_track(bits[None])


def test_training_curve_leaves_out_what_is_absent():
    history = [
        {"epoch": 1, "train_loss": 0.7},
        {"epoch": 2, "train_loss": 0.5, "validation_loss": 0.6, "validation_auroc": 0.9},
        {"epoch": 3, "train_loss": np.float32(0.25), "validation_loss": None},
    ]
    ax = plot.training_curve(history)
    data = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert data == {"training loss": [[1, 0.7], [2, 0.5], [3, 0.25]], "validation loss": [[2, 0.6]]}
    (right,) = [other for other in ax.figure.axes if other is not ax]
    assert right.lines[0].get_xydata().tolist() == [[2, 0.9]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [*data, "validation AUROC"]

    only = plot.training_curve([{"train_loss": 1.0}, {"train_loss": 0.5}])
    assert len(only.figure.axes) == 1
    assert only.lines[0].get_xdata().tolist() == [1, 2]
    for nothing in ([], [{"epoch": 1}]):
        with pytest.raises(ValueError, match="history must hold a value of train_loss"):
            plot.training_curve(nothing)


BETAS = np.array([0.0, 1.0, 4.0, 9.0])


def line_of(ax, label):
    """Points of a curve, and its bars by their ends, of what errorbar drew."""
    (container,) = [c for c in ax.containers if c.get_label() == label]
    line, _, (bars,) = container
    return line.get_xydata(), [segment[:, 1] for segment in bars.get_segments() if len(segment)]


def test_energies_along_a_ladder_from_both_starts():
    energy, started = np.array([4.0, 3.0, 2.0, 1.0]), np.array([np.nan, 3.5, 2.5, 0.5])
    ax = plot.energy_along(
        BETAS,
        energy,
        standard_error=[0.1, 0.2, np.nan, 0.4],
        anchor_start=started,
        anchor_start_error=[np.nan, 1, 1, 1],
    )
    points, bars = line_of(ax, "from the background")
    np.testing.assert_array_equal(points, np.stack([BETAS, energy], 1))
    known = [bar for bar in bars if np.isfinite(bar).all()]
    np.testing.assert_allclose(known, [[3.8, 4.2], [2.6, 3.4], [0.2, 1.8]])  # ± 2 standard errors
    points, bars = line_of(ax, "started at the anchor")
    np.testing.assert_array_equal(points, np.stack([BETAS[1:], started[1:]], 1))
    np.testing.assert_allclose(bars, [[1.5, 5.5], [0.5, 4.5], [-1.5, 2.5]])
    assert ax.get_ylim()[0] <= 0
    alone = plot.energy_along(BETAS, energy, anchor_start=np.full(4, np.nan))
    assert [text.get_text() for text in alone.get_legend().get_texts()] == ["from the background"]


def test_information_along_a_ladder_with_its_band():
    bits, error = np.array([0.0, 0.5, 3.0, 8.0]), np.array([0.1, 0.2, 0.3, 0.4])
    ax = plot.information_along(BETAS, bits, standard_error=error)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([BETAS, bits], 1))
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    for x, low, high in zip(BETAS, bits - error, bits + error, strict=True):
        at = corners[corners[:, 0] == x, 1]
        np.testing.assert_allclose([at.min(), at.max()], [low, high])
    assert not plot.information_along(BETAS, bits).collections


def test_swap_acceptance_stands_between_the_rungs_of_its_pair():
    ax = plot.swap_acceptance_along(BETAS, [0.9, 0.2, 0.6])
    (steps,) = ax.patches
    np.testing.assert_array_equal(steps.get_data().edges, BETAS)
    np.testing.assert_array_equal(steps.get_data().values, [0.9, 0.2, 0.6])
    assert ax.get_ylim() == (0, 1)


@pytest.mark.parametrize("top", [1e-3, 0.7, 2, 30, 100, 512, 1e5])
def test_beta_has_a_square_root_scale_with_room_for_0_and_ticks_that_keep_apart(top):
    ax = plot.information_along(np.array([0, top / 10, top]), np.zeros(3))
    low, high = ax.get_xlim()
    assert low == 0 and top < high < 1.1 * top
    place = ax.transAxes.inverted().transform(ax.transData.transform([[x, 0] for x in (0, top / 4, top)]))[:, 0]
    np.testing.assert_allclose(place / place[-1], [0, 0.5, 1], atol=1e-9)
    ax.figure.draw_without_rendering()
    labels = [label for label in ax.get_xticklabels() if label.get_text()]
    assert len(labels) >= 3 and float(labels[0].get_text()) == 0 and float(labels[-1].get_text()) > top / 3
    boxes = [label.get_window_extent() for label in labels]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_the_panels_of_a_ladder_stand_side_by_side_inside_the_figure():
    figure = plot.ladder(
        BETAS, np.array([400.0, 300, 200, 100]), np.arange(4) * 50.0, [0.9, 0.2, 0.6], energy_error=np.ones(4),
        information_error=np.ones(4), anchor_start=np.ones(4), anchor_start_error=np.ones(4),
    )  # fmt: skip
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "mean energy",
        "information (bits)",
        "swap acceptance",
    ]
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert boxes[0].x0 >= 0 and boxes[-1].x1 <= figure.bbox.width
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.height for box in boxes)


@pytest.mark.parametrize("length", [4, 101])
def test_resolutions_are_logos_in_the_order_given(length):
    frequencies = np.stack([draw_frequencies(length, 4, seed) for seed in range(3)])
    error = np.zeros((3, length, 4))
    error[1] = 1.0
    figure = plot.resolutions([1.5, 20.123, 100], frequencies, standard_error=error, start=3)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["β = 1.5", "β = 20.1", "β = 100"]
    for row, ax in enumerate(figure.axes):
        alone = plot.logo(frequencies[row], standard_error=error[row], start=3)
        for path, other in zip(*(each.collections[0].get_paths() for each in (ax, alone)), strict=True):
            np.testing.assert_allclose(path.vertices, other.vertices, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(ax.collections[0].get_facecolors(), alone.collections[0].get_facecolors())
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    assert all(upper.y0 >= lower.y1 for upper, lower in itertools.pairwise(boxes))
    assert boxes[0].y1 <= figure.bbox.height and boxes[-1].y0 >= 0
    named = plot.resolutions([1, 2, 3], frequencies, titles=["coarse", "finer", "finest"])
    assert named.axes[0].get_title(loc="left") == "coarse"


def test_bad_ladder_input():
    with pytest.raises(ValueError, match=r"betas must be at least 2 numbers that increase, got \[0.0, 0.0\]"):
        plot.information_along([0, 0], [1, 2])
    with pytest.raises(ValueError, match=r"betas must be at least 2 numbers that increase, got \[1.0\]"):
        plot.energy_along([1], [1])
    with pytest.raises(ValueError, match="betas must be finite ≥ 0, got -1"):
        plot.energy_along([-1, 1], [1, 2])
    with pytest.raises(ValueError, match=r"energy must have shape \[4\], got \[3\]"):
        plot.energy_along(BETAS, [1, 2, 3])
    with pytest.raises(ValueError, match="information must be finite, got nan"):
        plot.information_along(BETAS, [0, 1, 2, np.nan])
    with pytest.raises(ValueError, match=r"swap_acceptance must have shape \[3\], got \[4\]"):
        plot.swap_acceptance_along(BETAS, [1, 1, 1, 1])
    with pytest.raises(ValueError, match="standard_error must not be negative"):
        plot.information_along(BETAS, np.ones(4), standard_error=[-1, 0, 0, 0])
    with pytest.raises(ValueError, match=r"anchor_start must have shape \[4\], got \[1\]"):
        plot.energy_along(BETAS, np.ones(4), anchor_start=[1.0])
    with pytest.raises(ValueError, match="titles must have 2 entries, one per row of frequencies, got 1"):
        plot.resolutions([0, 1], np.full((2, 3, 4), 0.25), titles=["a"])


def test_save_by_suffix(tmp_path):
    ax = plot.logo(draw_frequencies(30, 4), anchor="A" * 30)
    plot.save(ax, tmp_path / "logo.png")
    data = (tmp_path / "logo.png").read_bytes()
    assert data == plot.png(ax) == plot.png(ax.figure)
    width = int.from_bytes(data[16:20], "big")
    assert abs(width - 150 * ax.figure.get_figwidth()) <= 1
    plot.save(ax.figure, tmp_path / "logo.SVG")
    assert ElementTree.parse(tmp_path / "logo.SVG").getroot().tag.endswith("}svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logo.SVG", "logo.png"]
    with pytest.raises(ValueError, match=r"path must end in .png or .svg, got 'logo.gif'"):
        plot.save(ax, "logo.gif")
    with pytest.raises(ValueError, match="exists already"):
        plot.save(ax, tmp_path / "logo.png", force=False)


def test_the_given_axes_is_drawn_on():
    figure = Figure()
    axes = figure.subplots(3)
    assert plot.logo(np.full((3, 4), 0.25), ax=axes[0]) is axes[0]
    assert plot.information_track(np.ones(3), ax=axes[1]) is axes[1]
    assert plot.training_curve([{"train_loss": 1.0}], ax=axes[2]) is axes[2]
    axes = Figure().subplots(3)
    assert plot.energy_along(BETAS, BETAS, ax=axes[0]) is axes[0]
    assert plot.information_along(BETAS, BETAS, ax=axes[1]) is axes[1]
    assert plot.swap_acceptance_along(BETAS, [0, 1, 0.5], ax=axes[2]) is axes[2]
    sub = Figure().subfigures(2)[0].subplots()
    plot.logo(np.eye(4), ax=sub)
    assert plot.png(sub).startswith(b"\x89PNG")


def test_global_state_is_left_alone():
    import matplotlib.pyplot as pyplot

    before, figures = dict(matplotlib.rcParams), pyplot.get_fignums()
    stacks.letter_outlines.cache_clear()
    plot.png(plot.logo(draw_frequencies(5, 4), anchor="ACGTA", title="t"))
    plot.png(plot.training_curve([{"train_loss": 1.0, "validation_auroc": 0.5}]))
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == figures


def test_importing_the_package_imports_no_plotting_package():
    code = "import sys, jaxmaxent.plot; print({'matplotlib', 'logomaker', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("missing", ["matplotlib", "logomaker"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"drawing needs {missing}: pip install 'jaxmaxent\[plot\]'"):
        plot.logo(np.full((3, 4), 0.25))
    if missing == "logomaker":
        plot.information_track(np.ones(3))
    else:
        with pytest.raises(ImportError, match=r"jaxmaxent\[plot\]"):
            plot.information_track(np.ones(3))


# Machado, Oliveira & Fernandes (2009), IEEE Trans. Visualization and Computer Graphics 15:1291, severity 1.
DICHROMACY = {
    "protan": (0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998),
    "deutan": (0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881),
    "tritan": (1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900),
    "none": np.eye(3),
}


def lab(color, matrix):
    """CIE 1976 L*a*b* (D65) of an sRGB colour as seen through `matrix` in linear RGB."""
    srgb = np.array(to_rgb(color))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.reshape(matrix, (3, 3)) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ seen / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", DICHROMACY)
@pytest.mark.parametrize("letters", ALPHABETS)
def test_colours_stay_apart_for_every_kind_of_colour_vision(kind, letters):
    seen = [lab(color, DICHROMACY[kind]) for color in set(plot.colors(letters).values())]
    apart = min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i])
    assert apart > 20  # about ten times the difference that is just noticeable


def test_every_alphabet_has_a_colour_for_every_letter():
    assert plot.colors("UGCA") == {"U": style.RED, "G": style.ORANGE, "C": style.BLUE, "A": style.GREEN}
    assert plot.colors("ACGT-")["-"] == style.GRAY
    assert plot.colors(PROTEIN.letters)["K"] == style.BLUE
    for letters in ALPHABETS:
        assert list(plot.colors(letters)) == list(letters)


@pytest.mark.parametrize("shell", [None, object()])
def test_show_writes_and_displays_in_a_notebook_only(tmp_path, monkeypatch, shell):
    shown = []
    display = SimpleNamespace(Image=lambda data: data, display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    axes = plot.logo(np.full((3, 4), 0.25))
    plot.show(axes, tmp_path / "a.png")
    plot.show(axes)
    written = (tmp_path / "a.png").read_bytes()
    assert shown == ([] if shell is None else [written, written])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
