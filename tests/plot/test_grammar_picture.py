"""The picture of a grammar."""

import numpy as np
import pytest

from jaxmaxent import plot
from jaxmaxent.analysis import Grammar, Requirement, Spacing


def made_up(**change):
    rows = (
        Requirement("needs", ("A$_1$",), 0.95, 0.01, 0.1, 0.0, held=True),
        Requirement("spacing", ("A$_1$", "B"), 0.9, 0.01, 0.3, 0.0, held=True, low=4.0, high=9.0),
    )
    spacing = Spacing(
        ("A$_1$", "B"), np.array([-0.5, 3.5, 9.5, 30.5]), *np.array([[0.1, 0.8, 0.1], [0.01] * 3, [0.3] * 3])
    )
    fields = {
        "sentence": "needs A$_1$ and B", "held": rows, "tested": rows, "motifs": ("A$_1$", "B", "C"),
        "present": np.array([0.95, 0.9, 0.1]), "present_error": np.array([0.01, 0.02, np.nan]),
        "present_control": np.full(3, 0.1), "spacings": (spacing,), "chains": 8,
    }  # fmt: skip
    return Grammar(**fields | change)


def test_bars_are_the_shares_and_a_band_is_the_spacing():
    figure = plot.grammar(made_up(), title="anchor")
    shares, spacing = figure.axes
    assert [bar.get_width() for bar in shares.patches] == [0.95, 0.9, 0.1]
    assert shares.patches[0].get_facecolor() == shares.patches[1].get_facecolor() != shares.patches[2].get_facecolor()
    band = spacing.patches[-1]
    assert (band.get_x(), band.get_width()) == (4.0, 5.0)
    assert spacing.patches[1].get_height() == pytest.approx(0.8 / 6)
    assert figure.texts[0].get_text() == "anchor\nneeds A$_1$ and B"
    assert plot.png(figure)[:4] == b"\x89PNG"


def test_without_pairs_there_are_only_shares():
    assert len(plot.grammar(made_up(spacings=())).axes) == 1


def test_without_motifs_there_is_the_sentence():
    none = np.zeros(0)
    figure = plot.grammar(
        made_up(motifs=(), held=(), tested=(), spacings=(), present=none, present_error=none, present_control=none)
    )
    assert figure.texts[0].get_text() == "needs A$_1$ and B" and not figure.axes[0].patches
    assert plot.png(figure)[:4] == b"\x89PNG"


def test_anything_else_is_refused():
    with pytest.raises(ValueError, match=r"found must be the result of analysis\.grammar, got 3"):
        plot.grammar(3)
