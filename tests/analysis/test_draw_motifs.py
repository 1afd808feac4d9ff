"""Motifs of draws: made-up draws with sites at known places, and tests of k-mers against their definitions."""

import re
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from scipy import stats

import jaxmaxent as jme
from jaxmaxent.analysis import draw_motifs, enriched_kmers
from jaxmaxent.analysis._draw_motifs.kmers import compare, false_discovery, free_windows, kmer_counts, strands
from jaxmaxent.data import Motif

LENGTH, SITE = 60, "CAGATGGC"
KNOWN = [Motif(word, word, 0.01 + 0.96 * np.eye(4)[jme.DNA.encode(word)]) for word in (SITE, "TTTTATAT", "GGCCGCGG")]


def made_up(seed=0, *, anchors=1, chains=6, draws=60, share=0.9, backward=0.25, kmers=None):
    """A run whose target draws have the site with a chance of `share`, anywhere, some on the other strand."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (anchors, 3, draws, chains, LENGTH)).astype(np.uint8)
    site = jme.DNA.encode(SITE)
    for index in np.ndindex(anchors, draws, chains):
        if rng.random() < share:
            row = tokens[index[0], 2, index[1], index[2]]
            start = rng.integers(LENGTH - len(site) + 1)
            row[start : start + len(site)] = jme.DNA.reverse_complement(site) if rng.random() < backward else site
    rows = rng.integers(0, 4, (anchors, LENGTH)).astype(np.uint8)
    rows[:, 20 : 20 + len(site)] = jme.DNA.reverse_complement(site)
    run = SimpleNamespace(
        draws=tokens, letters="ACGT", anchors=rows, names=tuple(f"a{i}" for i in range(anchors)),
        beta=np.tile([0.0, 1.0, 2.0], (anchors, 1)), converged=np.ones(anchors, bool), kmer_counts=None,
    )  # fmt: skip
    if kmers:
        ends = [[kmer_counts(one[rung].swapaxes(0, 1), kmers, 4) for rung in (0, 2)] for one in tokens]
        run.kmer_counts = np.array(ends)
    return run


@pytest.fixture(scope="module")
def run():
    return made_up()


@pytest.fixture(scope="module")
def found(run):
    return draw_motifs(run, known=KNOWN)


def test_the_site_is_found_with_its_strand(run, found):
    assert len(found.motifs) == 1 and SITE in found.motifs[0].consensus
    motif = found.motifs[0]
    assert motif.hits[0].name == SITE and motif.hits[0].strand == "+"
    # 0.9 copies, a quarter of them backward; what else scores as high is there by chance.
    assert abs(motif.copies - motif.background_copies - 0.9) < 5 * motif.copies_error
    assert abs(motif.forward - 0.75) < 5 * motif.forward_error
    assert found.outcome.startswith("1 motif from ") and found.background == "draws of the run at β = 0"


def test_copies_are_those_of_a_direct_count(run, found):
    motif, draws = found.motifs[0], run.draws[0, 2].swapaxes(0, 1)
    width, counts, places = len(motif.log_odds), np.zeros((6, 60)), np.zeros(LENGTH - len(motif.log_odds) + 1)
    for chain in range(6):
        for d, draw in enumerate(draws[chain].astype(int)):
            windows = [draw[i : i + width] for i in range(len(places))]
            scores = [
                max(motif.log_odds[range(width), w].sum(), motif.log_odds[range(width), 3 - w[::-1]].sum())
                for w in windows
            ]
            for start, score in enumerate(scores):
                near = [scores[i] for i in range(len(scores)) if 0 < abs(i - start) < width / 2]
                if score >= motif.threshold and all(score >= other for other in near):
                    counts[chain, d] += 1
                    places[start] += 1
    assert motif.copies == pytest.approx(counts.mean(), abs=1e-12)
    assert motif.copies_error == pytest.approx(counts.mean(1).std(ddof=1) / np.sqrt(6), abs=1e-12)
    assert motif.sites == counts.sum() == len(found.occurrences.start)
    np.testing.assert_allclose(motif.places, places / counts.size)


def test_the_anchor_is_scanned(run, found):
    sites = found.motifs[0].anchor_sites
    offset = found.motifs[0].consensus.index(SITE)
    width = len(found.motifs[0].consensus)
    stop = 28 + offset  # the other strand reads from the site's end
    assert ("-", stop - width, stop) in [(site.strand, site.start, site.stop) for site in sites]
    assert all(site.name == "a0" and site.score >= found.motifs[0].threshold for site in sites)


def test_probabilities_are_those_of_the_sites(found):
    motif = found.motifs[0]
    offset = motif.consensus.index(SITE)
    core = motif.probabilities[offset : offset + len(SITE)]
    assert (core[range(len(SITE)), jme.DNA.encode(SITE)] > 0.9).all()
    np.testing.assert_allclose(motif.probabilities.sum(1), 1)
    assert np.isfinite(motif.errors).all() and motif.errors.max() < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_in_draws_without_sites(seed):
    found = draw_motifs(made_up(seed, share=0.0))
    assert not found.motifs and not found.kmers
    assert found.outcome.startswith("0 motifs from 0 k-mers of 5 letters")


def test_nothing_is_found_where_counts_are_few():
    rare = made_up(4, anchors=10, share=0.0, chains=3, draws=10)
    assert not any(enriched_kmers(rare, anchor=anchor).kmers for anchor in [*range(10), None])


def test_anchors_too_weak_alone_give_the_motif_together():
    weak = made_up(4, anchors=8, share=0.1, draws=30, chains=4)
    alone = [draw_motifs(weak, anchor=anchor, excess=0.05).motifs for anchor in range(8)]
    assert not any(SITE[1:-1] in motif.consensus for motifs in alone for motif in motifs)
    together = draw_motifs(weak, anchor=None, excess=0.05)
    assert any(SITE[1:-1] in motif.consensus for motif in together.motifs)
    assert together.motifs[0].copies_of_anchor.shape == (8,)
    assert together.motifs[0].copies == pytest.approx(together.motifs[0].copies_of_anchor.mean())


def test_counts_of_the_run_serve_as_its_draws_do(run):
    counted = made_up(kmers=6)
    by_draws, by_counts = enriched_kmers(run), enriched_kmers(counted)
    assert by_counts.source == "k-mers that the run counted at β = 0" != by_draws.source
    assert by_counts.kmers == by_draws.kmers and by_counts.tested == by_draws.tested
    assert any(kmer.kmer == min("CAGATG", "CATCTG") for kmer in by_counts.kmers)
    counted.draws = None
    assert enriched_kmers(counted).kmers == by_counts.kmers
    with pytest.raises(ValueError, match="run must have stored draws for k-mers of 5 letters, got counts of"):
        enriched_kmers(counted, size=5)
    with pytest.raises(ValueError, match="run must have stored draws for another rung or ensemble=, got counts"):
        enriched_kmers(counted, rung=1)


def test_an_ensemble_is_drawn_where_a_run_has_no_background():
    run = made_up(1)
    run.beta[:, 0] = 0.5
    with pytest.raises(ValueError, match="run must have a rung at β = 0 to compare with, got one without"):
        draw_motifs(run)
    held = jme.Ensemble.create(lambda x: x.reshape(-1), run.anchors, beta=1.0, fixed=range(20, 28))
    free = jme.Ensemble.create(lambda x: x.reshape(-1), run.anchors, beta=1.0)
    assert draw_motifs(run, ensemble=free).background == "exact draws of the ensemble at β = 0"
    # With the site held in all draws at β = 0, the target has no more of it.
    assert "AGATG" not in [kmer.kmer for kmer in draw_motifs(run, ensemble=held).kmers]
    assert "AGATG" in [kmer.kmer for kmer in draw_motifs(run, ensemble=free).kmers]


# --- k-mers


def test_two_strands_of_a_kmer_count_as_one():
    kmers = strands(3, jme.DNA, both=True)
    draws = np.random.default_rng(0).integers(0, 4, (2, 5, 30))
    counts = kmers.fold(kmer_counts(draws, 3, 4))
    assert len(kmers.first) == 32
    texts = [["".join("ACGT"[t] for t in row) for row in chain] for chain in draws]
    for k in range(32):
        word = kmers.text(k)
        both = {word, jme.DNA.decode(jme.DNA.reverse_complement(jme.DNA.encode(word)))}
        assert word == min(both)
        for chain in range(2):
            expected = sum(row[i : i + 3] in both for row in texts[chain] for i in range(28))
            assert counts[chain, k] == expected
    # A palindrome is its own other strand and counts once.
    two = strands(2, jme.DNA, both=True)
    row = two.fold(kmer_counts(jme.DNA.encode("ATAT")[None, None], 2, 4))[0]
    assert {two.text(k): row[k] for k in range(10) if row[k]} == {"AT": 2, "TA": 1}


def test_only_windows_that_are_free_all_over_count():
    free = np.array([[True, True, False, True, True, True]])
    np.testing.assert_array_equal(free_windows(free, 3), [[False, False, False, True]])
    counts = kmer_counts(jme.DNA.encode("ACGTAC")[None, None], 3, 4, free[None])
    assert counts.sum() == 1 and counts[0, int("".join(map(str, jme.DNA.encode("TAC"))), 4)] == 1


def test_p_values_of_no_difference_are_uniform():
    rng = np.random.default_rng(3)
    rates = rng.lognormal(0, 1, 3000)
    # Chains differ by more than counts do, and by more for some k-mers than for others.
    spread = rng.gamma(10, 1 / 10, 3000)
    target, background = (
        rng.poisson(rates * rng.gamma(1 / (0.02 * spread), 0.02 * spread, (2, 6, 3000)) * 50) / 50 for _ in range(2)
    )
    p = compare(target, background).p
    for level in (0.5, 0.1, 0.01):
        assert abs((p < level).mean() - level) < 4 * np.sqrt(level * (1 - level) / 3000)


def test_the_error_of_an_enrichment_is_that_of_the_logarithm_of_a_ratio():
    rng = np.random.default_rng(5)
    target, background = (rng.poisson(mean, (400, 3, 8)) / 1e3 for mean in (4000, 1000))
    found = [compare(*rates) for rates in zip(target[:, None, :, :], background[:, None, :, :], strict=True)]
    ratios = np.log2([one.target / one.background for one in found])
    spread = ratios.std(0, ddof=1)
    # Squared errors of 3 chains have 2 degrees of freedom; their mean over 400 sets has a relative error of 0.05.
    mean_square = np.mean([one.ratio_error**2 for one in found], axis=0)
    assert (abs(mean_square / spread**2 - 1) < 5 * np.hypot(0.05, np.sqrt(2 / 399))).all()
    assert np.isnan(compare(target[:1] * 0, background[:1]).ratio_error).all()


def test_few_kmers_are_tested_by_their_own_spread():
    rng = np.random.default_rng(1)
    target, background = rng.random((1, 5, 8)), rng.random((1, 5, 8))
    expected = stats.ttest_rel(target[0], background[0], alternative="greater")
    found = compare(target, background)
    np.testing.assert_allclose(found.p, expected.pvalue)
    np.testing.assert_allclose((found.target - found.background) / found.error, expected.statistic)
    np.testing.assert_array_equal(compare(target, target).p, 1)


def test_kmers_never_seen_are_no_tests():
    q = false_discovery(np.array([0.01, 0.5, 0.02]), np.array([True, False, True]))
    np.testing.assert_allclose(q, [0.02, 1, 0.02])


# --- bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 2}, "size must be a whole number of at least 3, got 2"),
        ({"size": 9}, "size must be a whole number of at most 8, got 9"),
        ({"fdr": 1.0}, "fdr must be a finite number above 0 and below 1, got 1.0"),
        ({"least": 0}, "least must be a finite number above 0 and below 64, got 0"),
        ({"most": 0}, "most must be a whole number of at least 1, got 0"),
        ({"anchor": 1}, "anchor must be a whole number from 0 to 0, got 1"),
        ({"anchor": [0, 0]}, "anchor must be an index, different indices, or None for all"),
        ({"rung": 0}, "rung must be one above β = 0, which draws are compared with, got the rung at β = 0"),
        ({"alphabet": jme.PROTEIN}, "alphabet must have the letters of the run, 'ACGT', got 'ACDEFGHIKLMNPQRSTVWY'"),
        ({"ensemble": 3}, "ensemble must be an Ensemble, got 3"),
    ],
)
def test_bad_input_is_one_sentence(run, changes, message):
    with pytest.raises(ValueError, match=message):
        draw_motifs(run, **changes)


def test_runs_without_draws_or_with_one_chain_are_refused():
    run = made_up(chains=1)
    with pytest.raises(ValueError, match="run must have at least 2 chains, whose spread gives the errors, got 1"):
        draw_motifs(run)
    run.draws = None
    with pytest.raises(ValueError, match="run must have stored draws, got one without"):
        draw_motifs(run)
    with pytest.raises(ValueError, match="run must be a Run"):
        draw_motifs(None)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (None, "run must have counts of k-mers or stored draws, got one without: sample(..., kmers=6) keeps counts"),
        ((1, 2, 1, 4096), "run must have at least 2 chains, whose spread gives the errors, got 1"),
        ((1, 1, 3, 4096), "run must have a rung at β = 0 to compare with, got one without"),
    ],
)
def test_runs_without_counts_that_can_be_compared_are_refused(shape, message):
    run = made_up(chains=3, draws=2)
    run.draws, run.kmer_counts = None, None if shape is None else np.ones(shape, int)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        enriched_kmers(run)


def test_kmers_longer_than_the_sequences_are_refused():
    run = made_up(chains=3, draws=2)
    run.draws, run.anchors = run.draws[..., :4], run.anchors[:, :4]
    for function in (draw_motifs, enriched_kmers):
        with pytest.raises(ValueError, match="^size must be at most the length of the sequences, 4, got 5$"):
            function(run, size=5)


@pytest.mark.parametrize(("letters", "length", "size"), [("ACGT", 60, 6), ("ACGT", 4, 4), (jme.PROTEIN.letters, 60, 3)])
def test_the_usual_size_fits_sequences_and_letters(letters, length, size):
    run = made_up(chains=3, draws=2)
    run.letters, run.draws, run.anchors = letters, run.draws[..., :length], run.anchors[:, :length]
    assert enriched_kmers(run).size == size


def test_another_ensemble_is_refused(run):
    other = jme.Ensemble.create(lambda x: x.reshape(-1), "ACGT", beta=1.0)
    with pytest.raises(ValueError, match="ensemble must be that of the run, of the same 1 anchors in the same order"):
        draw_motifs(run, ensemble=other, key=jax.random.key(0))
