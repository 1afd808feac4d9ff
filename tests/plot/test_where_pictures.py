"""Pictures of necessity and sufficiency along a sequence."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from jaxmaxent import plot
from jaxmaxent.plot._style import GRAY, ORANGE

NECESSITY, KEPT = np.array([1.0, 0.2, 0.6, 0.0]), np.array([0.5, 0.5, 0.1, 0.0])
SITES = {"needed": [(0, 2)], "redundant": [(2, 4)]}


def test_letters_and_lines_are_as_high_as_the_numbers_and_sites_are_shaded():
    error = np.array([0.1, np.nan, 0.0, 0.1])
    figure = plot.where(
        NECESSITY, "ACGT", necessity_error=error, sufficiency=KEPT, sufficiency_error=error / 2, **SITES
    )
    above, below = figure.axes
    letters = next(c for c in above.collections if len(c.get_paths()) == 3 and len(c.get_facecolors()) == 3)
    assert [path.get_extents().y1 for path in letters.get_paths()] == pytest.approx([1.0, 0.2, 0.6], abs=1e-6)
    bars = next(c for c in above.collections if hasattr(c, "get_segments"))
    assert [segment[:, 0].tolist() for segment in bars.get_segments()] == [[0, 0], [3, 3]]
    np.testing.assert_array_equal(below.lines[0].get_ydata(), KEPT)
    for ax in (above, below):
        shades = [(patch.get_x(), patch.get_width(), patch.get_facecolor()) for patch in ax.patches]
        assert shades == [(-0.5, 2, to_rgba(GRAY, 0.2)), (1.5, 2, to_rgba(ORANGE, 0.2))]


def test_without_sufficiency_there_is_one_row():
    assert len(plot.where(NECESSITY, "ACGT").axes) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"necessity": [[1.0]]}, r"necessity must have shape \[length\], got \[1, 1\]"),
        ({"necessity": [np.nan] * 4}, "necessity must be finite, got nan"),
        ({"sequence": "ACG"}, "sequence must have 4 letters of 'ACGT', got 3"),
        ({"sufficiency": [1.0]}, r"sufficiency must have shape \[4\], got \[1\]"),
    ],
)
def test_bad_input_is_one_sentence(given, message):
    with pytest.raises(ValueError, match=message):
        plot.where(**{"necessity": NECESSITY, "sequence": "ACGT"} | given)
