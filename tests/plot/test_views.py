import numpy as np
import pytest
from matplotlib.colors import to_rgba

from jaxmaxent import plot
from jaxmaxent.plot import views
from jaxmaxent.plot._style import NUCLEOTIDES

FREQUENCIES = np.array([[1, 0, 0, 0], [0.25] * 4, [0, 0, 0.5, 0.5]])
SCORES = {"first": np.array([1.0, -2.0, 0.001]), "second": np.array([0.0, 0.0, 3.0])}


def boxes(ax):
    """(position, bottom, top, colour) of every letter of a row."""
    (letters,) = [c for c in ax.collections if len(c.get_facecolors()) == len(c.get_paths())]
    extents = [path.get_extents() for path in letters.get_paths()]
    return [
        (round((e.x0 + e.x1) / 2), e.y0, e.y1, tuple(c)) for e, c in zip(extents, letters.get_facecolors(), strict=True)
    ]


def test_letters_are_as_high_as_their_scores():
    figure = views(FREQUENCIES, SCORES, "ACG", start=10)
    logo, first, second = figure.axes
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["MaxEnt", "first", "second"]
    assert logo.get_ylim() == (0, 2)
    wanted = [(10, 0, 1, to_rgba(NUCLEOTIDES["A"])), (11, -2, 0, to_rgba(NUCLEOTIDES["C"]))]
    for found, (position, low, high, color) in zip(boxes(first), wanted, strict=True):  # the smallest is not drawn
        assert found[0] == position
        assert found[1:3] == pytest.approx((low, high), abs=1e-6)
        assert found[3] == color
    (only,) = boxes(second)
    assert only[0] == 12
    assert only[1:3] == pytest.approx((0, 3), abs=1e-6)
    low, high = first.get_ylim()
    assert low < -2
    assert high > 1
    assert len({ax.get_xlim() for ax in figure.axes}) == 1


def test_sites_are_shaded_in_every_row_and_the_sequence_is_spelled():
    figure = views(FREQUENCIES, SCORES, "ACG", start=10, sites=[(11, 13)])
    for ax in figure.axes:
        (patch,) = ax.patches
        assert patch.get_extents().transformed(ax.transData.inverted()).intervalx == pytest.approx([10.5, 12.5])
    assert [text.get_text() for text in figure.axes[-1].texts] == ["A", "C", "G"]
    assert not figure.axes[0].texts


def test_everything_stays_inside_the_figure():
    scores = {name: np.random.default_rng(0).normal(size=40) * size for name, size in (("a", 0.04), ("b", 900.0))}
    figure = views(np.full((40, 4), 0.25), scores, "ACGT" * 10)
    box = figure.get_tightbbox()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.get_figwidth()
    assert box.y1 <= figure.get_figheight()


def test_a_view_that_says_nothing_and_no_view_at_all():
    assert not boxes(views(FREQUENCIES, {"nothing": np.zeros(3)}, "ACG").axes[1])
    figure = views(FREQUENCIES, {}, "ACG")
    assert len(figure.axes) == 1
    assert plot.png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequence": "AC"}, "sequence must have 3 letters of 'ACGT', got 2: 'AC'"),
        ({"sequence": "ACN"}, "sequence must have 3 letters of 'ACGT', got 3: 'ACN'"),
        ({"scores": {"a": np.zeros(2)}}, r"scores\['a'\] must have shape \[3\], got \[2\]"),
        ({"scores": {"a": np.full(3, np.nan)}}, r"scores\['a'\] must be finite"),
        ({"sites": [(2, 2)]}, r"start < stop, got \(2, 2\)"),
        ({"sites": [3]}, r"sites must be pairs \(start, stop\) of whole numbers, got 3"),
        ({"frequencies": np.ones((3, 4))}, "frequencies must sum to 1"),
    ],
)
def test_bad_input_is_one_sentence(changes, message):
    with pytest.raises(ValueError, match=message):
        views(**{"frequencies": FREQUENCIES, "scores": SCORES, "sequence": "ACG"} | changes)
