"""Motifs that are planted must come out, where they were planted; alignments are compared with exhaustive search."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.optimize import brentq

from jaxmaxent.analysis import MotifHit, find_motifs, information_bits
from jaxmaxent.analysis._motifs.alignment import column_vectors, flipped, joint_alignment, overlaps
from jaxmaxent.data import Motif, read_motifs, write_meme
from jaxmaxent.ensembles import DNA, PROTEIN, RNA, Alphabet
from jaxmaxent.plot import motif as draw_motif
from jaxmaxent.results import Run

COMPLEMENT = np.array([3, 2, 1, 0])
FIRST = "GGATTACAC"
SECOND = "CGTACCTTTAG"


def matrix(word, letters="ACGT", strength=0.85):
    return np.where([[letter == x for x in letters] for letter in word], strength, (1 - strength) / (len(letters) - 1))


def planted(rng, words, length=60, letters="ACGT", noise=60.0, both=True):
    """Uniform anchors, one for each word, with that word somewhere on some strand; and the places."""
    profiles = np.full((len(words), length, len(letters)), 1 / len(letters))
    places = []
    for row, word in zip(profiles, words, strict=True):
        start, flip = int(rng.integers(0, length - len(word) + 1)), both and bool(rng.random() < 0.5)
        rows = matrix(word, letters)
        row[start : start + len(word)] = rows[::-1, ::-1] if flip else rows
        places.append((start, start + len(word), "-" if flip else "+"))
    noisy = rng.dirichlet(np.ones(len(letters)), profiles.shape[:2])
    return (noise * profiles + noisy) / (noise + 1), places


def core(member, motif, threshold=0.5):
    """The informative part of a member on its anchor, without flanks."""
    columns = np.flatnonzero(motif.information > threshold)
    low, high = columns[0], columns[-1] + 1
    if member.strand == "+":
        start = member.start - member.column
        return start + low, start + high
    stop = member.stop + member.column
    return stop - high, stop - low


def turned(strand):
    return {"+": "-", "-": "+"}[strand]


# Alignment.


def random_windows(rng, number):
    return [column_vectors(rng.dirichlet(np.full(4, 0.3), rng.integers(3, 6))) for _ in range(number)]


@pytest.mark.parametrize("complement", [None, COMPLEMENT])
def test_overlaps_are_the_best_of_all(complement):
    windows = random_windows(np.random.default_rng(0), 6)
    found = overlaps(windows, complement)
    for i, j in itertools.product(range(6), repeat=2):
        norm = np.sqrt((windows[i] ** 2).sum() * (windows[j] ** 2).sum())
        best = {}
        for flip in (False, True)[: 1 if complement is None else 2]:
            other = flipped(windows[j], complement) if flip else windows[j]
            for offset in range(1 - len(other), len(windows[i])):
                products = [
                    windows[i][c] @ other[c - offset] for c in range(len(windows[i])) if 0 <= c - offset < len(other)
                ]
                best[offset, flip] = sum(products) / norm
        assert found.similarity[i, j] == pytest.approx(max(best.values()))
        assert best[found.offset[i, j], found.flipped[i, j]] == pytest.approx(found.similarity[i, j])
    np.testing.assert_allclose(np.diag(found.similarity), 1)
    np.testing.assert_allclose(found.similarity, found.similarity.T)


def test_columns_are_vectors_as_long_as_their_information():
    columns = np.random.default_rng(1).dirichlet(np.ones(4), 20)
    vectors = column_vectors(columns)
    np.testing.assert_allclose((vectors**2).sum(-1), information_bits(columns))
    correlation = np.corrcoef(columns)
    bits = information_bits(columns)
    np.testing.assert_allclose(vectors @ vectors.T, correlation * np.sqrt(np.outer(bits, bits)), atol=1e-12)
    assert (column_vectors(np.full((2, 4), 0.25)) == 0).all()


def together(windows, placed):
    """The sum of all products of windows in one frame."""
    total = 0.0
    for (i, (a, turn)), (j, (b, other)) in itertools.combinations(enumerate(placed), 2):
        first = flipped(windows[i], COMPLEMENT) if turn else windows[i]
        second = flipped(windows[j], COMPLEMENT) if other else windows[j]
        for c in range(len(first)):
            if 0 <= c + a - b < len(second):
                total += first[c] @ second[c + a - b]
    return total


def test_the_joint_alignment_is_a_best_one_and_never_worse_than_its_start():
    rng = np.random.default_rng(2)
    best_found = 0
    for _ in range(12):
        windows = random_windows(rng, 3)
        found = overlaps(windows, COMPLEMENT)
        placed = joint_alignment(windows, found, COMPLEMENT)
        center = found.similarity.sum(1).argmax()
        start = list(zip(found.offset[center].tolist(), found.flipped[center].tolist(), strict=True))
        value = together(windows, placed)
        assert value >= together(windows, start) - 1e-9
        assert 2 * sum(flip for _, flip in placed) <= 3
        span = range(-5, 6)
        everywhere = itertools.product(itertools.product(span, (False, True)), repeat=2)
        best = max(together(windows, [(0, False), *places]) for places in everywhere)
        assert value <= best + 1e-9
        best_found += value > best - 1e-9
    assert best_found >= 8  # climbing ends on a hill that need not be the highest


# Motifs.


def test_a_planted_motif_comes_out_where_it_was_planted():
    rng = np.random.default_rng(3)
    profiles, places = planted(rng, [FIRST] * 16)
    found = find_motifs(profiles, names=[f"chr{k}" for k in range(16)])
    assert found.windows == 16 and found.outcome == "1 motif from 16 informative windows in 16 of 16 anchors"
    (motif,) = found.motifs
    assert motif.sites == 16 and {m.name for m in motif.members} == {f"chr{k}" for k in range(16)}
    word = motif.consensus.strip("N")
    same = word == FIRST
    assert same or word == DNA.decode(DNA.reverse_complement(DNA.encode(FIRST)))
    for member in motif.members:
        start, stop, strand = places[member.anchor]
        assert core(member, motif) == (start, stop)
        assert member.strand == (strand if same else turned(strand))
        assert member.similarity > 0.95
    assert sum(m.strand == "+" for m in motif.members) >= 8
    similarities = [m.similarity for m in motif.members]
    assert similarities == sorted(similarities, reverse=True)
    truth = matrix(FIRST) if same else matrix(FIRST)[::-1, ::-1]
    inside = np.flatnonzero(motif.information > 0.5)
    expected = (60 * truth + 0.25) / 61
    assert (abs(motif.probabilities[inside] - expected) < 5 * motif.errors[inside]).all()


def test_errors_are_the_spread_of_the_mean():
    rng = np.random.default_rng(4)
    means, errors = [], []
    for _ in range(60):
        profiles, _ = planted(rng, [FIRST] * 10, noise=5.0, both=False)
        (motif,) = find_motifs(profiles, flank=0, both_strands=False).motifs
        assert motif.consensus == FIRST
        means.append(motif.probabilities)
        errors.append(motif.errors)
    ratio = np.sqrt(np.square(errors).mean()) / np.sqrt(np.var(means, axis=0, ddof=1).mean())
    assert 0.9 < ratio < 1.1
    z = (np.mean(means, axis=0) - (5 * matrix(FIRST) + 0.25) / 6) / (np.std(means, axis=0, ddof=1) / np.sqrt(60))
    assert abs(z).max() < 5


def test_members_are_read_from_their_anchors():
    rng = np.random.default_rng(5)
    profiles, _ = planted(rng, [FIRST, SECOND] * 6, length=14)  # so short that motifs reach over the ends
    found = find_motifs(profiles, flank=4)
    over = 0
    for motif in found.motifs:
        width = len(motif.probabilities)
        for member, rows in zip(motif.members, motif.aligned, strict=True):
            assert 0 <= member.start < member.stop <= 14 and member.stop - member.start <= width
            columns = profiles[member.anchor, member.start : member.stop]
            columns = columns[::-1, ::-1] if member.strand == "-" else columns
            expected = np.full((width, 4), np.nan)
            expected[member.column : member.column + len(columns)] = columns
            np.testing.assert_allclose(rows, expected, rtol=1e-12)
            over += len(columns) < width
        np.testing.assert_allclose(motif.probabilities, np.nanmean(motif.aligned, axis=0))
        np.testing.assert_allclose(motif.probabilities.sum(1), 1)
    assert over


def test_two_motifs_are_told_apart_and_sorted():
    rng = np.random.default_rng(6)
    profiles, _ = planted(rng, [SECOND] * 5 + [FIRST] * 9)
    found = find_motifs(profiles)
    first, second = found.motifs
    assert (first.sites, second.sites) == (9, 5) and (first.name, second.identifier) == ("motif_1", "motif_2")
    assert {m.anchor for m in second.members} == set(range(5))
    # As many members: the one with more information comes first.
    even = find_motifs(profiles[:10]).motifs
    assert [m.sites for m in even] == [5, 5] and even[0].information.sum() > even[1].information.sum()


def test_an_anchor_may_have_several_windows():
    rng = np.random.default_rng(7)
    parts = [planted(rng, [FIRST] * 4, length=30)[0] for _ in range(2)]
    space = np.full((4, 9, 4), 0.25)
    profiles = np.concatenate([parts[0], space, parts[1]], axis=1)
    found = find_motifs(profiles)
    assert found.windows == 8 and found.outcome.endswith("in 4 of 4 anchors")
    (motif,) = found.motifs
    assert sorted(m.anchor for m in motif.members) == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(("space", "gap", "windows"), [(8, 8, 1), (9, 8, 2), (9, 9, 1), (1, 0, 2)])
def test_a_window_reaches_across_gaps_that_are_not_too_wide(space, gap, windows):
    half = matrix("GGATT")
    row = np.concatenate([np.full((5, 4), 0.25), half, np.full((space, 4), 0.25), half, np.full((5, 4), 0.25)])
    assert find_motifs(row[None], gap=gap).windows == windows


@pytest.mark.parametrize(("bits", "width"), [(0.251, 6), (0.249, 5)])
def test_the_published_threshold_is_a_quarter_of_a_bit(bits, width):
    share = brentq(lambda p: information_bits(np.array([p, *[(1 - p) / 3] * 3])) - bits, 0.25, 1)
    edge = np.array([[share, *[(1 - share) / 3] * 3]])
    row = np.concatenate([np.full((5, 4), 0.25), matrix("GGATT"), edge, np.full((5, 4), 0.25)])
    (motif,) = find_motifs(row[None], flank=0).motifs
    assert len(motif.probabilities) == width


def test_turned_anchors_give_the_same_motif():
    profiles, _ = planted(np.random.default_rng(8), [FIRST] * 7)
    (motif,) = find_motifs(profiles).motifs
    (other,) = find_motifs(profiles[:, ::-1, ::-1]).motifs
    # An odd number of members has a majority, so that the direction is settled by them.
    np.testing.assert_allclose(other.probabilities, motif.probabilities[::-1, ::-1], atol=1e-12)
    for member, turn in zip(motif.members, other.members, strict=True):
        assert (turn.start, turn.stop) == (60 - member.stop, 60 - member.start)


def test_letters_without_complements_have_one_strand():
    rng = np.random.default_rng(9)
    profiles, places = planted(rng, ["WHKLE"] * 6, letters=PROTEIN.letters, both=False)
    found = find_motifs(profiles, alphabet=PROTEIN)
    (motif,) = found.motifs
    assert motif.consensus.strip("X") == "WHKLE" and {m.strand for m in motif.members} == {"+"}
    assert all(core(m, motif) == places[m.anchor][:2] for m in motif.members)
    # RNA has complements, but a protein that binds it need not see them.
    both, _ = planted(rng, [FIRST] * 9)
    assert len(find_motifs(both, alphabet=RNA).motifs) == 1
    assert len(find_motifs(both, alphabet=RNA, both_strands=False).motifs) == 2


def test_a_motif_is_written_and_read(tmp_path):
    profiles, _ = planted(np.random.default_rng(10), [FIRST] * 5 + [SECOND] * 3)
    motifs = find_motifs(profiles).motifs
    write_meme(tmp_path / "found.meme", motifs)
    read = read_motifs(tmp_path / "found.meme")
    assert [(m.identifier, m.sites) for m in read] == [("motif_1", 5), ("motif_2", 3)]
    for mine, theirs in zip(motifs, read, strict=True):
        np.testing.assert_allclose(theirs.probabilities, mine.probabilities, atol=1e-8)


def test_one_member_has_the_errors_of_its_draws():
    profiles, _ = planted(np.random.default_rng(11), [FIRST])
    errors = np.full(profiles.shape, 0.003)
    errors[..., 0] = np.nan
    (motif,) = find_motifs(profiles, errors=errors).motifs
    (member,) = motif.members
    strand = slice(None, None, 1 if member.strand == "+" else -1)
    np.testing.assert_array_equal(motif.errors, errors[0, member.start : member.stop][strand, strand])
    np.testing.assert_allclose(motif.probabilities, profiles[0, member.start : member.stop][strand, strand], rtol=1e-12)
    (motif,) = find_motifs(profiles).motifs
    assert np.isnan(motif.errors).all()


def test_what_is_not_sure_is_no_window():
    profiles, _ = planted(np.random.default_rng(12), [FIRST])
    assert find_motifs(profiles, errors=np.full(profiles.shape, 0.01)).windows == 1
    unsure = find_motifs(profiles, errors=np.full(profiles.shape, 0.5))
    assert unsure.windows == 0 and unsure.motifs == ()


@pytest.mark.parametrize(
    ("profiles", "outcome"),
    [
        (
            np.full((3, 9, 4), 0.25),
            "no motif: no position in the 3 anchors has more than 0.25 bits, the most is 0",
        ),
        (
            np.concatenate([np.full((1, 8, 4), 0.25), np.eye(4)[None, :1]], axis=1),
            "no motif: no window in the 1 anchor surely has 4 bits, the most at one position is 2",
        ),
    ],
)
def test_without_windows_there_is_a_reason(profiles, outcome):
    found = find_motifs(profiles)
    assert found == ((), 0, outcome)


def some_run(profiles, converged, letters="ACGT"):
    """A run of which nothing is there but what motifs are made of."""
    nothing = {field.name: None for field in dataclasses.fields(Run)}
    two = np.stack([np.full_like(profiles, 1 / len(letters)), profiles], axis=1)
    return Run(
        **nothing
        | {
            "names": tuple(f"anchor {k}" for k in range(len(profiles))),
            "letters": letters,
            "frequencies": two,
            "frequency_errors": np.full(two.shape, 0.001),
            "converged": np.array(converged),
            "beta": np.tile([0.0, 1.0], (len(profiles), 1)),
        }
    )


def test_a_run_says_what_did_not_converge():
    profiles, _ = planted(np.random.default_rng(13), [FIRST] * 3)
    run = some_run(profiles, [True, False, True])
    found = find_motifs(run)
    assert found.outcome == "1 motif from 3 informative windows in 3 of 3 anchors; 1 of 3 anchors did not converge"
    assert {m.name for m in found.motifs[0].members} == {"anchor 0", "anchor 1", "anchor 2"}
    cold = find_motifs(run, rung=0)
    assert not cold.motifs and cold.outcome.startswith("no motif") and cold.outcome.endswith("did not converge")
    with pytest.raises(
        ValueError, match="rung must be None, which means the target, or a whole number from 0 to 1, got 2"
    ):
        find_motifs(run, rung=2)
    # Letters of an alphabet of one's own have no complements, unless it says so.
    own = some_run(profiles, [True] * 3, letters="GCAT")
    assert {m.strand for m in find_motifs(own).motifs[0].members} == {"+"}
    strands = {
        m.strand for x in find_motifs(own, alphabet=Alphabet("GCAT", complements="CGTA")).motifs for m in x.members
    }
    assert strands <= {"+", "-"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"profiles": np.full((2, 4), 0.25)}, "profiles must be a run or frequencies of shape .* got \\[2, 4\\]"),
        ({"profiles": np.full((2, 9, 3), 1 / 3)}, "with the 4 letters 'ACGT', got \\[2, 9, 3\\]"),
        ({"profiles": np.full((2, 9, 4), 0.5)}, "profiles must sum to 1 over the letters, got 2"),
        ({"profiles": np.full((2, 9, 4), np.nan)}, "profiles must be finite"),
        ({"errors": np.zeros((2, 9))}, "errors must have the shape \\[2, 9, 4\\] of profiles, got \\[2, 9\\]"),
        ({"names": ["one"]}, "names must have 2 entries, one per anchor, got 1"),
        ({"threshold": 0}, "threshold must be a finite number above 0"),
        ({"least": -1}, "least must be a finite number above 0"),
        ({"gap": 1.5}, "gap must be a whole number of at least 0, got 1.5"),
        ({"flank": -1}, "flank must be a whole number of at least 0"),
        ({"similarity": 1.0}, "similarity must be a finite number above 0 and below 1"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        find_motifs(**{"profiles": np.full((2, 9, 4), 0.25)} | change)


# The picture.


def test_columns_of_all_parts_stand_under_each_other():
    profiles, _ = planted(np.random.default_rng(14), [FIRST] * 6)
    (found,) = find_motifs(profiles, names=["chr1:100-200 $1$ of a very long name", *"bcdef"]).motifs
    width = len(found.probabilities)
    known = Motif("KNOWN", "MA1", np.concatenate([np.full((3, 4), 0.25), found.probabilities])[::-1, ::-1])
    hit = MotifHit(known, 1e-6, 1e-5, 1e-5, 3, "-", width)
    figure = draw_motif(found, hit=hit, members=4)
    average, members, below = figure.axes
    assert average.get_xlim() == members.get_xlim() == below.get_xlim() == (-3.6, width - 0.4)
    assert average.get_title(loc="left") == "motif_1, 6 members, 4 drawn"
    assert below.get_title(loc="left") == "KNOWN (MA1, -), q = 1e-05"

    def boxes(ax):
        (collection,) = ax.collections
        return [path.get_extents() for path in collection.get_paths()]

    # The known motif was made to be the same, turned, with three columns more.
    for mine, theirs in zip(boxes(average), boxes(below), strict=True):
        assert (mine.x0, mine.y1) == pytest.approx((theirs.x0, theirs.y1))
    rows = {(round((b.x0 + b.x1) / 2), 3 - int(b.y0)) for b in boxes(members)}
    assert rows == {(c, r) for r in range(4) for c in range(width) if not np.isnan(found.aligned[r, c, 0])}
    labels = [label.get_text() for label in members.get_yticklabels()]
    for label, member in zip(labels, found.members, strict=False):
        assert label.endswith(f" {member.start}–{member.stop} {member.strand}") and len(label) <= 28
    assert len(draw_motif(found, members=0, title="one").axes) == 1
    with pytest.raises(ValueError, match="alphabet must have the 4 letters of the motif"):
        draw_motif(found, alphabet=PROTEIN)
