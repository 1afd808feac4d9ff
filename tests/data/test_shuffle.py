import itertools
import time
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from jaxmaxent.data import _shuffle as shuffle
from jaxmaxent.data import dinucleotide_shuffle, read_table
from jaxmaxent.ensembles import DNA


def pair_counts(tokens: np.ndarray, letters: int) -> np.ndarray:
    """How often each ordered pair of neighbours occurs in each row, shape [sequences, letters²]."""
    pairs = tokens[:, :-1].astype(int) * letters + tokens[:, 1:]
    return np.stack([np.bincount(row, minlength=letters**2) for row in pairs])


def all_shuffles(tokens: tuple[int, ...]) -> set[tuple[int, ...]]:
    """By brute force: every order of the letters that has the same pairs of neighbours."""
    wanted = Counter(itertools.pairwise(tokens))
    return {p for p in set(itertools.permutations(tokens)) if Counter(itertools.pairwise(p)) == wanted}


@pytest.mark.parametrize("letters", [2, 4, 20, 256])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 30, 300])
def test_every_pair_count_and_both_ends_are_kept(letters, length):
    rng = np.random.default_rng(letters * length)
    tokens = rng.integers(0, letters, (40, length)).astype(np.uint8)
    before = tokens.copy()
    shuffled = dinucleotide_shuffle(rng, tokens)
    np.testing.assert_array_equal(tokens, before)
    assert shuffled.dtype == tokens.dtype and shuffled.shape == tokens.shape
    np.testing.assert_array_equal(pair_counts(shuffled, letters), pair_counts(tokens, letters))
    np.testing.assert_array_equal(shuffled[:, [0, -1]], tokens[:, [0, -1]])
    if length == 300 and letters < 256:
        assert (shuffled != tokens).any(1).all()


@pytest.mark.parametrize(
    "letters",
    [
        "ACAGATCA",  # begins and ends alike
        "AACAGAACC",  # runs, ends in another letter
        "GATCAGTAC",  # four letters
        "AAAAACATA",  # one exit in many: a last edge drawn without care is nearly always a loop
        "ACTAGATCG",  # the tree has several shapes
    ],
)
def test_all_shuffles_of_a_short_sequence_are_equally_frequent(letters):
    tokens = DNA.encode(letters)
    possible = sorted(all_shuffles(tuple(tokens.tolist())))
    assert len(possible) >= 6
    draws = 20_000
    shuffled = dinucleotide_shuffle(np.random.default_rng(7), np.tile(tokens, (draws, 1)))
    seen = Counter(map(tuple, shuffled.tolist()))
    assert set(seen) <= set(possible)
    # Five sequences: a right shuffle fails one of them for one seed in 2,000.
    assert chisquare([seen[p] for p in possible]).pvalue > 1e-4


def test_a_tree_that_is_not_drawn_would_be_seen(monkeypatch):
    # The common mistake: keep each letter's last exit as it was and shuffle the others. Every count is right.
    tokens = DNA.encode("AACAGAACC")
    last_head = {int(a): int(b) for a, b in itertools.pairwise(tokens)}

    def keep_last_exits(rng, heads, first, counts, inner, root):
        edge = np.zeros_like(first)
        for row, letter in np.argwhere(inner):
            start, stop = first[row, letter], first[row, letter] + counts[row, letter]
            edge[row, letter] = start + (heads[row, start:stop] == last_head[letter]).argmax()
        return edge

    monkeypatch.setattr(shuffle, "_draw_tree", keep_last_exits)
    shuffled = dinucleotide_shuffle(np.random.default_rng(7), np.tile(tokens, (5_000, 1)))
    np.testing.assert_array_equal(pair_counts(shuffled[:1], 4), pair_counts(tokens[None], 4))
    seen = Counter(map(tuple, shuffled.tolist()))
    possible = all_shuffles(tuple(tokens.tolist()))
    assert chisquare([seen[p] for p in possible]).pvalue < 1e-4


def test_rows_are_shuffled_independently_and_one_sequence_alone():
    tokens = DNA.encode("ACAGATCATTGACCAGTACA")
    shuffled = dinucleotide_shuffle(np.random.default_rng(0), np.tile(tokens, (50, 1)))
    assert len({tuple(row) for row in shuffled.tolist()}) > 40
    alone = dinucleotide_shuffle(np.random.default_rng(0), tokens)
    np.testing.assert_array_equal(alone, dinucleotide_shuffle(np.random.default_rng(0), tokens[None])[0])
    np.testing.assert_array_equal(pair_counts(alone[None], 4), pair_counts(tokens[None], 4))


def test_more_letters_than_are_shuffled_at_once():
    rng = np.random.default_rng(3)
    tokens = rng.integers(0, 4, (12_000, 101), dtype=np.uint8)
    shuffled = dinucleotide_shuffle(rng, tokens)
    np.testing.assert_array_equal(pair_counts(shuffled, 4), pair_counts(tokens, 4))
    assert (shuffled != tokens).any(1).all()


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (np.zeros((2, 3, 4), int), "tokens must be integers of shape"),
        (np.array([0.0, 1.0]), "tokens must be integers of shape"),
        (np.array(3), "tokens must be integers of shape"),
        (np.array([0, 1, -1, 2]), "tokens must be 0 to 255, got -1 to 2"),
        (np.array([0, 1, 256, 2]), "tokens must be 0 to 255, got 0 to 256"),
    ],
)
def test_wrong_tokens_are_refused(tokens, message):
    with pytest.raises(ValueError, match=message):
        dinucleotide_shuffle(np.random.default_rng(0), tokens)


def test_no_sequences_give_none():
    assert dinucleotide_shuffle(np.random.default_rng(0), np.zeros((0, 9), np.uint8)).shape == (0, 9)


def test_real_sequences(data):
    tokens = read_table(data / "ctcf" / "test.tsv.gz").tokens
    start = time.perf_counter()
    shuffled = dinucleotide_shuffle(np.random.default_rng(0), tokens)
    assert len(tokens) / (time.perf_counter() - start) > 5000
    np.testing.assert_array_equal(pair_counts(shuffled, 4), pair_counts(tokens, 4))
    assert (shuffled != tokens).any(1).mean() > 0.999
