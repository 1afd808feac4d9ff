"""Scans of draws for motifs, against a search letter by letter."""

import numpy as np
import pytest

from jaxmaxent.analysis._occurrences import scan
from jaxmaxent.ensembles import DNA, PROTEIN


def _by_hand(tokens, matrices, thresholds, both_strands):
    found = []
    for m, (matrix, limit) in enumerate(zip(matrices, thresholds, strict=True)):
        for c, draws in enumerate(tokens):
            for d, draw in enumerate(draws):
                windows = []
                for start in range(len(draw) - len(matrix) + 1):
                    window = draw[start : start + len(matrix)].astype(int)
                    turned = 3 - window[::-1]
                    along, against = (sum(matrix[i, w[i]] for i in range(len(matrix))) for w in (window, turned))
                    windows.append((against, -1) if both_strands and against > along else (along, 1))
                for start, (score, strand) in enumerate(windows):
                    near = [i for i in range(len(windows)) if 0 < abs(i - start) < len(matrix) / 2]
                    beaten = any(windows[i][0] > score or (windows[i][0] == score and i < start) for i in near)
                    if score >= limit and not beaten:
                        found.append((m, c, d, start, strand))
    return found


@pytest.mark.parametrize("both_strands", [True, False])
def test_scan_finds_what_a_search_by_hand_finds(both_strands):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, (3, 5, 17)).astype(np.uint8)
    # Whole numbers, so that the order of the sums cannot matter.
    matrices = [rng.integers(-3, 4, (width, 4)).astype(float) for width in (1, 4, 5, 6)]
    thresholds = [2.0, 4.0, 4.0, 5.0]
    found = scan(tokens, matrices, thresholds, both_strands)
    assert list(zip(*found[:5], strict=True)) == _by_hand(tokens, matrices, thresholds, both_strands)
    assert found[5:] == (3, 5, 17, (1, 4, 5, 6))


def test_palindromes_count_once_and_motifs_wider_than_draws_nowhere():
    exact = np.log(np.maximum(np.eye(4)[DNA.encode("GAATTC")], 1e-9))
    draws = DNA.encode("TTGAATTCAA")[None, None]
    found = scan(draws, [exact], [-0.1])
    assert (found.start.tolist(), found.strand.tolist()) == ([2], [1])
    assert not len(scan(draws[..., :5], [exact], [-0.1]).start)
    assert not len(scan(draws, [], []).start)


def test_letters_without_complements_have_one_strand():
    score = np.eye(len(PROTEIN))[PROTEIN.encode("MK")]
    found = scan(PROTEIN.encode("KMKM")[None, None], [score], [2.0], alphabet=PROTEIN)
    assert (found.start.tolist(), found.strand.tolist()) == ([1], [1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 1]], [np.zeros((1, 4))], [0]), r"tokens must be whole numbers of shape \[chains, draws, length\]"),
        (([[[0, 4]]], [np.zeros((1, 4))], [0]), "tokens must hold numbers from 0 to 3, got 0 to 4"),
        (([[[0, 1]]], [np.zeros((1, 3))], [0]), r"matrices must have numbers of shape \[width, 4\], got \[1, 3\]"),
        (([[[0, 1]]], [np.zeros((1, 4))], [0, 0]), "thresholds must have one entry for each of the 1 matrices"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        scan(*arguments)
