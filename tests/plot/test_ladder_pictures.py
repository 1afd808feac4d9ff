import itertools

import numpy as np
import pytest

from jaxmaxent import plot

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
        "swap acceptance (Λ = 1.3)",
    ]
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert boxes[0].x0 >= 0 and boxes[-1].x1 <= figure.bbox.width
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.height for box in boxes)


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
