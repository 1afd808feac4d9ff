"""The picture of motifs of the draws."""

from types import SimpleNamespace

import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent import plot
from jaxmaxent.analysis import draw_motifs
from jaxmaxent.data import Motif

LENGTH, SITES = 50, ("CAGATGGC", "TTTATTGC")
KNOWN = [Motif(f"{word}$_1$", word, 0.01 + 0.96 * np.eye(4)[jme.DNA.encode(word)]) for word in (*SITES, "GGCCGCGG")]


@pytest.fixture(scope="module")
def found():
    """Motifs of draws that have the first site in the left half, on either strand, and the second anywhere, forward."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, (1, 2, 60, 5, LENGTH)).astype(np.uint8)
    first, second = (jme.DNA.encode(site) for site in SITES)
    for index in np.ndindex(60, 5):
        row = tokens[(0, 1, *index)]
        start = rng.integers(12)
        row[start : start + 8] = first if rng.random() < 0.5 else jme.DNA.reverse_complement(first)
        start = rng.integers(21, LENGTH - 8)
        row[start : start + 8] = second
    run = SimpleNamespace(
        draws=tokens, letters="ACGT", anchors=tokens[:, 1, 0, 0], names=("a",), beta=np.array([[0.0, 2.0]]),
        converged=np.ones(1, bool), kmer_counts=None,
    )  # fmt: skip
    return draw_motifs(run, known=KNOWN)


def test_bars_and_steps_are_the_copies_strands_and_places(found):
    assert len(found.motifs) == 2
    figure = plot.draw_motifs(found, title="an anchor")
    assert len(figure.axes) == 8 and figure.texts[0].get_text() == "an anchor"
    for k, motif in enumerate(found.motifs):
        logo, copies, strand, places = figure.axes[4 * k : 4 * k + 4]
        assert motif.consensus in logo.get_title("left") and motif.hits[0].name in logo.get_title("left")
        assert [bar.get_height() for bar in copies.patches] == [motif.copies, motif.background_copies]
        assert [bar.get_height() for bar in strand.patches] == [motif.forward, 1 - motif.forward]
        target, background = (patch.get_data() for patch in places.patches)
        for data, total in ((target, motif.copies), (background, motif.background_copies)):
            assert (data.values * np.diff(data.edges)).sum() == pytest.approx(total)
        assert (target.edges[0], target.edges[-1]) == (-0.5, len(motif.places) - 0.5)
    assert plot.png(figure)[:4] == b"\x89PNG"


def test_letters_without_complements_have_no_strands(found):
    assert len(plot.draw_motifs(found, alphabet=jme.Alphabet("ACGT")).axes) == 6


def test_without_motifs_the_outcome_is_written(found):
    figure = plot.draw_motifs(found._replace(motifs=()))
    assert not figure.axes and figure.texts[0].get_text().startswith(found.outcome[:40])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"found": 3}, r"found must be the result of analysis\.draw_motifs, got 3"),
        ({"alphabet": jme.PROTEIN}, "alphabet must have the 4 letters of the motifs, got 'ACDEFGHIKLMNPQRSTVWY'"),
    ],
)
def test_bad_input_is_one_sentence(found, given, message):
    with pytest.raises(ValueError, match=message):
        plot.draw_motifs(**{"found": found} | given)
