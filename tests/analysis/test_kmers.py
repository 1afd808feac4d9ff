import dataclasses
import itertools

import numpy as np
import pytest

from jaxmaxent import BINARY, DNA, PROTEIN, Run
from jaxmaxent.analysis import kmer_profile, stored_draws
from jaxmaxent.analysis._profiles.kmers import kmer_class


def made_run(**entries):
    """A run that holds only what is given."""
    return Run(**({field.name: None for field in dataclasses.fields(Run)} | entries))


def independent_letters(rng, groups=4, draws=60, length=101):
    return rng.integers(0, 4, (groups, draws, length)).astype(np.uint8)


@pytest.mark.parametrize(
    ("kmers", "letters", "expected"),
    [
        ("WW", "ACGT", ("AA", "AT", "TA", "TT")),
        (("TT", "AA", "AA"), "ACGT", ("AA", "TT")),
        ("SS", "ACGT", ("CC", "CG", "GC", "GG")),
        (("WW", "SS"), "ACGT", ("AA", "AT", "CC", "CG", "GC", "GG", "TA", "TT")),
        ("R", "ACGT", ("A", "G")),
        ("NG", "TGCA", ("AG", "CG", "GG", "TG")),
        ("WY", "ACGU", ("AC", "AU", "UC", "UU")),
        ("WW", PROTEIN.letters, ("WW",)),
        ("01", "01", ("01",)),
    ],
)
def test_classes_by_hand(kmers, letters, expected):
    assert kmer_class(kmers, letters) == expected


@pytest.mark.parametrize("size", [1, 2, 3])
def test_profile_is_what_counting_in_strings_gives(size):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, (30, 12)).astype(np.uint8)
    every = ["".join(letters) for letters in itertools.product("ACGT", repeat=size)]
    chosen = tuple(sorted(rng.choice(every, 3, replace=False)))
    found = kmer_profile(tokens, chosen)
    counts = np.array([[text[i : i + size] in chosen for i in range(13 - size)] for text in DNA.decode(tokens)])
    np.testing.assert_allclose(found.frequency, counts.mean(0), atol=1e-15)
    np.testing.assert_allclose(found.groups, counts)  # 30 sequences, each a group
    never = counts.any(0) == counts.all(0)
    np.testing.assert_allclose(found.error, np.where(never, np.nan, counts.std(0, ddof=1) / 30**0.5))
    assert found.kmers == chosen
    # A k-mer lies in the middle of its letters: letter 6 is the center.
    np.testing.assert_allclose(found.offsets, [np.mean(range(i, i + size)) - 6 for i in range(13 - size)])


def test_offsets_are_mirrored_with_the_other_strand():
    tokens = np.random.default_rng(1).integers(0, 4, (20, 11)).astype(np.uint8)
    forward, back = kmer_profile(tokens, "WW"), kmer_profile(DNA.reverse_complement(tokens), "WW")
    np.testing.assert_allclose(forward.offsets, -back.offsets[::-1])
    np.testing.assert_allclose(forward.frequency, back.frequency[::-1])
    shifted = kmer_profile(tokens, "WW", center=2)
    np.testing.assert_allclose(shifted.offsets, forward.offsets + 3)


def test_groups_are_chains_or_stretches_of_few_of_them():
    tokens = independent_letters(np.random.default_rng(2), 5, 7, 9)
    found = kmer_profile(tokens, "W")
    np.testing.assert_allclose(found.groups, np.isin(tokens, [0, 3]).mean(1))
    assert kmer_profile(tokens[:2], "W").groups.shape == (2 * 7, 9)
    assert kmer_profile(np.tile(tokens[:1], (1, 10, 1)), "W").groups.shape == (16, 9)
    assert kmer_profile(np.tile(tokens[0], (20, 1)), "W").groups.shape == (64, 9)
    # 140 sequences in 64 groups of 3 and 2: the frequency is still that of all.
    many = np.tile(tokens[0], (20, 1))
    np.testing.assert_allclose(kmer_profile(many, "W").frequency, np.isin(many, [0, 3]).mean(0))


def test_errors_of_frequencies_are_the_spread_over_repeats():
    """Chains that keep each sequence for three draws, so that counting draws as independent would be wrong."""
    rng = np.random.default_rng(3)
    z = []
    for _ in range(100):
        found = kmer_profile(np.repeat(independent_letters(rng, 16, 20, 10), 3, axis=1), "WW")
        z.append((found.frequency - 0.25) / found.error)
    # Student's t with 15 degrees of freedom has a variance of 15/13; 900 values, neighbors of which are alike.
    assert 0.9 < np.std(z) / (15 / 13) ** 0.5 < 1.1


def test_profile_of_a_run_is_that_of_its_draws():
    draws = independent_letters(np.random.default_rng(4), 2 * 3 * 10, 8, 20).reshape(2, 3, 10, 8, 20)
    run = made_run(draws=draws, letters="ACGT", beta=np.ones((2, 3)))
    np.testing.assert_array_equal(stored_draws(run, anchor=1, rung=0)[5, 7], draws[1, 0, 7, 5])
    found = kmer_profile(run, "SS", anchor=1)
    np.testing.assert_array_equal(found.groups, kmer_profile(draws[1, 2].swapaxes(0, 1), "SS").groups)
    assert found.groups.shape == (8, 19)


@pytest.mark.parametrize(
    ("draws", "kmers", "settings", "message"),
    [
        (np.zeros((2, 5), np.uint8), "", {}, "kmers must be one or several k-mers of one length"),
        (np.zeros((2, 5), np.uint8), (), {}, "kmers must be one or several"),
        (np.zeros((2, 5), np.uint8), ("A", "AA"), {}, "kmers must be one or several"),
        (np.zeros((2, 5), np.uint8), "AX", {}, "kmers must hold letters of 'ACGT' or IUPAC codes for them, got 'X'"),
        (np.zeros((2, 5), np.uint8), "W", {"letters": BINARY.letters}, "kmers must hold letters of '01'"),
        (np.zeros((2, 5), np.uint8), "N" * 9, {}, "at most 65536 are possible"),
        (np.zeros((2, 5), np.uint8), "NNNNNN", {}, "kmers must be at most as long as the sequences, 5"),
        (np.full((2, 5), 4, np.uint8), "WW", {}, "draws must hold tokens from 0 to 3, got 4 to 4"),
        (np.zeros(5, np.uint8), "WW", {}, "draws must be a run or whole-number tokens"),
        (np.zeros((2, 5)), "WW", {}, "draws must be a run or whole-number tokens"),
        (np.zeros((0, 5), np.uint8), "WW", {}, "draws must be a run or whole-number tokens"),
        (np.zeros((2, 5), np.uint8), "WW", {"center": np.nan}, "center must be a finite number"),
    ],
)
def test_bad_draws_are_named(draws, kmers, settings, message):
    with pytest.raises(ValueError, match=message):
        kmer_profile(draws, kmers, **settings)


def test_runs_without_draws_are_named():
    with pytest.raises(ValueError, match=r"run must have stored draws, got one without: sample\(..., store_every=…\)"):
        stored_draws(made_run())
    run = made_run(draws=np.zeros((2, 3, 4, 5, 6), np.uint8), letters="ACGT", beta=np.ones((2, 3)))
    with pytest.raises(ValueError, match="anchor must be a whole number from 0 to 1, got 2"):
        kmer_profile(run, "WW", anchor=2)
    for rung in (True, -1, 3):
        with pytest.raises(
            ValueError, match=f"rung must be None, .* target, or a whole number from 0 to 2, got {rung}"
        ):
            stored_draws(run, rung=rung)
