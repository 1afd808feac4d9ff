import numpy as np
import pytest

from jaxmaxent import plot


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


@pytest.mark.parametrize("span", [0.0004, 0.04, 0.4, 40.0])
def test_no_label_of_a_training_curve_is_cut(span):
    history = [
        {"train_loss": 0.3 + span * i, "validation_loss": 0.3, "validation_auroc": 0.98 + min(span, 0.4) * i / 30}
        for i in range(4)
    ]
    figure = plot.training_curve(history).figure
    figure.canvas.draw()
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
