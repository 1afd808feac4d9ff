"""Tomtom against its definition, by loops over alignments and enumeration of columns."""

import itertools

import numpy as np
import pytest

from jaxmaxent.analysis import match_motifs
from jaxmaxent.data import Motif, read_motifs
from jaxmaxent.ensembles import BINARY, DNA


def random_motifs(rng, widths, letters=4):
    rows = [rng.dirichlet(np.full(letters, 0.4), width) for width in widths]
    return [Motif(f"name {k}", f"M{k}", row) for k, row in enumerate(rows)]


def reverse_complement(motif):
    return Motif(motif.name, motif.identifier, motif.probabilities[::-1, ::-1])


def counted(rng, probabilities, sites):
    """A matrix of so many sites."""
    counts = np.stack([rng.multinomial(sites, row) for row in probabilities]) + 0.25
    return counts / counts.sum(1, keepdims=True)


def by_definition(query, targets, both):
    """(p, offset, strand, overlap) of every target, with no cleverness."""
    strands = [[t.probabilities for t in targets]]
    if both:
        strands.append([t.probabilities[::-1, ::-1] for t in targets])
    columns = np.concatenate([matrix for known in strands for matrix in known])
    distance = np.array([[np.linalg.norm(q - c) for c in columns] for q in query])
    medians = np.median(distance, axis=1)
    similarity = medians[:, None] - distance
    scale = 100 / (similarity.max() - similarity.min())
    table = np.rint(similarity * scale).astype(int)

    def chance(first, stop, score):
        """P(sum ≥ score) with columns drawn from all targets."""
        sums = [sum(t) for t in itertools.product(*table[first:stop])]
        return np.mean(np.array(sums) >= score)

    results = []
    for k in range(len(targets)):
        found = []
        for strand, known in zip("+-", strands, strict=False):
            width = len(known[k])
            for offset in range(1 - len(query), width):
                facing = [(i, i + offset) for i in range(len(query)) if 0 <= i + offset < width]
                score = sum(
                    int(np.rint((medians[i] - np.linalg.norm(query[i] - known[k][j])) * scale)) for i, j in facing
                )
                found.append((score, len(facing), offset, strand, facing[0][0], facing[-1][0] + 1))
        best = max(score for score, *_ in found)
        none_as_good = 1.0
        for *_, first, stop in found:
            none_as_good *= 1 - chance(first, stop, best)
        results.append((1 - none_as_good, {f[1:4] for f in found if f[0] == best}))
    return results


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("width", [1, 3])
def test_hits_are_those_of_the_definition(both, width):
    rng = np.random.default_rng(0)
    targets = random_motifs(rng, [2, 4, 3, 1])
    (query,) = random_motifs(rng, [width])
    (hits,) = match_motifs([query], targets, both_strands=both)
    expected = dict(
        zip([t.identifier for t in targets], by_definition(query.probabilities, targets, both), strict=True)
    )
    assert sorted(hit.identifier for hit in hits) == sorted(expected)
    for hit in hits:
        p, places = expected[hit.identifier]
        assert hit.p == pytest.approx(p, rel=1e-9)
        assert (hit.overlap, hit.offset, hit.strand) in places
        assert hit.overlap == max(overlap for overlap, _, strand in places if strand == hit.strand)
        assert hit.e == pytest.approx(4 * p)
    assert [hit.p for hit in hits] == sorted(hit.p for hit in hits)


def test_other_alphabets_have_one_strand():
    rng = np.random.default_rng(1)
    targets = random_motifs(rng, [3, 5, 4], letters=2)
    (hits,) = match_motifs([targets[1]], targets, alphabet=BINARY)
    assert hits[0].identifier == "M1" and {hit.strand for hit in hits} == {"+"}
    for hit in hits:
        (p, _) = by_definition(targets[1].probabilities, targets, False)[int(hit.identifier[1:])]
        assert hit.p == pytest.approx(p, rel=1e-9)


def test_a_hit_says_where_it_lies():
    rng = np.random.default_rng(2)
    targets = random_motifs(rng, rng.integers(6, 15, 40))
    whole = targets[7].probabilities
    cut = Motif("cut", "cut", whole[2:])
    longer = Motif("longer", "longer", np.concatenate([np.full((3, 4), 0.25), whole]))
    turned = reverse_complement(cut)
    for query, offset, strand, overlap in (
        (cut, 2, "+", len(whole) - 2),
        (longer, -3, "+", len(whole)),
        (turned, 0, "-", len(whole) - 2),
    ):
        (hits,) = match_motifs([query], targets, best=3)
        assert len(hits) == 3
        best = hits[0]
        assert best.target is targets[7] and best.name == "name 7"
        assert (best.offset, best.strand, best.overlap) == (offset, strand, overlap)
        assert best.q < 1e-4 and best.q >= best.p


def test_chance_hits_are_as_frequent_as_p_says():
    """Queries of columns drawn from the targets are what p is the chance of; alignments overlap, which it ignores."""
    rng = np.random.default_rng(3)
    targets = random_motifs(rng, [8] * 30)
    columns = np.concatenate([t.probabilities for t in targets])
    columns = np.concatenate([columns, columns[:, ::-1]])
    queries = [Motif("", f"q{k}", columns[rng.integers(0, len(columns), 6)]) for k in range(150)]
    first = [next(h.p for h in hits if h.identifier == "M0") for hits in match_motifs(queries, targets, best=30)]
    for level in (0.1, 0.3, 0.6):
        share, spread = np.mean(np.array(first) < level), np.sqrt(level * (1 - level) / len(first))
        assert abs(share - level) < 5 * spread


def test_small_p_values_stay_exact():
    rng = np.random.default_rng(4)
    targets = random_motifs(rng, [30] * 50)
    (hits,) = match_motifs([targets[3]], targets)
    assert hits[0].identifier == "M3" and 0 < hits[0].p < 1e-60


def test_known_motifs_are_found_in_jaspar(data):
    known = read_motifs(data / "jaspar" / "JASPAR2024_CORE_vertebrates_nonredundant.meme")
    assert len(known) == 879
    rng = np.random.default_rng(5)
    ctcf = next(motif for motif in known if motif.identifier == "MA0139.2")
    noisy = [Motif("", str(k), counted(rng, ctcf.probabilities, 30)) for k in range(4)]
    for strand, queries in (("+", noisy), ("-", [reverse_complement(q) for q in noisy])):
        for hits in match_motifs([*queries], known, best=3):
            assert [hit.name for hit in hits] == ["CTCF"] * 3
            assert hits[0].strand == strand and hits[0].q < 1e-8
    (hits,) = match_motifs([ctcf], known)
    assert hits[0].identifier == "MA0139.2" and hits[0].offset == 0 and hits[0].q < 1e-30


def test_no_query_has_no_hits_but_there_must_be_targets():
    rng = np.random.default_rng(6)
    targets = random_motifs(rng, [3, 4])
    assert match_motifs([], targets) == []
    with pytest.raises(ValueError, match="targets must hold at least one motif, got none"):
        match_motifs(targets, [])
    with pytest.raises(
        ValueError, match="queries must have probabilities of shape \\[width, 2\\], got \\[3, 4\\] for 'M0'"
    ):
        match_motifs(targets, random_motifs(rng, [3], letters=2), alphabet=BINARY)
    with pytest.raises(ValueError, match="targets must have probabilities of shape \\[width, 4\\]"):
        match_motifs(targets, random_motifs(rng, [3], letters=2), alphabet=DNA)
    with pytest.raises(ValueError, match="best must be a whole number of at least 1, got 0"):
        match_motifs(targets, targets, best=0)


def test_uniform_queries_match_nothing():
    rng = np.random.default_rng(7)
    (hits,) = match_motifs([Motif("", "flat", np.full((6, 4), 0.25))], random_motifs(rng, [8] * 30))
    assert hits[0].q > 0.05
    same = [Motif("", f"M{k}", np.full((3, 4), 0.25)) for k in range(3)]
    (hits,) = match_motifs(same[:1], same)
    assert all(hit.p == 1 for hit in hits)
