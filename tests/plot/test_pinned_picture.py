"""The picture of windows that are free one at a time."""

import numpy as np
import pytest

from jaxmaxent import plot
from jaxmaxent.analysis import PinnedProfile
from jaxmaxent.plot._style import colors

LENGTH, WIDTH, STARTS = 14, 6, np.array([0, 3, 6, 8])
SEQUENCE = "ACGTACGTACGTAC"


def made_up(held=(13,)):
    """Windows that hold the letters of the anchor at positions 4 to 6; the third has not converged."""
    own, even = np.eye(4)[["ACGT".index(letter) for letter in SEQUENCE]], np.full((LENGTH, 4), 0.25)
    table = even.copy()
    table[4:7] = own[4:7]
    table[list(held)] = own[list(held)]
    windows = np.stack([table[start : start + WIDTH] for start in STARTS])[None]
    bits = np.zeros((1, LENGTH))
    bits[0, 4:7] = 2
    bits[0, list(held)] = np.nan
    one = np.ones((1, len(STARTS)))
    return PinnedProfile(
        STARTS, WIDTH, windows, np.full_like(windows, 0.01), bits, bits * 0 + 0.1, one, one * 0.1, one,
        np.array([[True, True, False, True]]),
    )  # fmt: skip


def letters_of(ax):
    """Return the position of every letter of a logo, and whether it is faded."""
    shapes = next((c for c in ax.collections if len(c.get_facecolors())), None)
    if shapes is None:
        return []
    middles = [round((path.get_extents().x0 + path.get_extents().x1) / 2) for path in shapes.get_paths()]
    return list(zip(middles, (shapes.get_facecolors()[:, 3] < 1).tolist(), strict=True))


def test_every_window_is_drawn_once_and_windows_of_a_row_do_not_overlap():
    figure = plot.pinned_profile(made_up(), SEQUENCE)
    line, first, second, third = figure.axes
    np.testing.assert_array_equal(line.lines[0].get_ydata(), made_up().information[0])
    spans = [[(round(p.get_x()), round(p.get_width())) for p in ax.patches] for ax in (first, second, third)]
    assert spans == [[(0, 6), (6, 6)], [(3, 6)], [(8, 6)]]
    # Position 6 is in the third window, which has not converged; position 13 is held, and has no letter.
    assert letters_of(first) == [(4, False), (5, False), (6, True)]
    assert letters_of(second) == [(4, False), (5, False), (6, False)]
    assert letters_of(third) == []
    assert third.texts[0].get_text() == "A" and third.texts[0].get_color() == colors("ACGT")["A"]
    assert plot.png(figure)[:4] == b"\x89PNG"


def test_a_sequence_that_is_held_all_over_is_blank():
    figure = plot.pinned_profile(made_up(held=range(LENGTH)), SEQUENCE, title="held")
    assert not any(letters_of(ax) for ax in figure.axes[1:])
    assert figure.axes[0].get_title("left") == "held"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"found": 3}, r"found must be the result of analysis\.pinned_profile, got 3"),
        ({"anchor": 1}, "anchor must be a whole number of at most 0, got 1"),
        ({"sequence": "ACG"}, "sequence must have 14 letters of 'ACGT', got 3: 'ACG'"),
        ({"letters": "ACGTN"}, "letters must be the 4 of the profile, got 'ACGTN'"),
    ],
)
def test_bad_input_is_one_sentence(given, message):
    with pytest.raises(ValueError, match=message):
        plot.pinned_profile(**{"found": made_up(), "sequence": SEQUENCE} | given)
