"""Counts of k-mers of a run, against its own draws and against enumeration."""

import itertools

import jax
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.sampling.host._kmer_totals import KmerTotals
from problems import Problem

PROBLEM = Problem(length=4, beta=1.5, mus=(0.7, -0.5, 0.4), seed=3)
SETTINGS = {"ladder": 3, "chains": 3, "thin": 5, "progress": False}


def _counted(draws, size):
    """Return the counts of k-mers of draws [draws, length], one window after the other."""
    counts = np.zeros(4**size, int)
    for row in draws.reshape(-1, draws.shape[-1]).astype(int):
        for start in range(len(row) - size + 1):
            counts[int("".join(map(str, row[start : start + size])), 4)] += 1
    return counts


@pytest.fixture(scope="module")
def counted():
    anchors = PROBLEM.states[[3, 77]]
    ensemble = PROBLEM.ensemble(anchor=anchors)
    return jme.sample(
        jax.random.key(1), ensemble, target_replicas=1, steps=200, burn_in=40, store_every=5, kmers=2, **SETTINGS
    )


def test_counts_are_those_of_the_draws(counted):
    assert counted.kmer_counts.shape == (2, 2, 3, 16) and counted.kmer_counts.dtype == np.int64
    for anchor, (end, rung), chain in itertools.product(range(2), enumerate((0, -1)), range(3)):
        expected = _counted(counted.draws[anchor, rung, :, chain], 2)
        np.testing.assert_array_equal(counted.kmer_counts[anchor, end, chain], expected)


@pytest.mark.slow
def test_counting_changes_nothing_else(counted):
    ensemble = PROBLEM.ensemble(anchor=PROBLEM.states[[3, 77]])
    plain = jme.sample(jax.random.key(1), ensemble, target_replicas=1, steps=200, burn_in=40, store_every=5, **SETTINGS)
    assert plain.kmer_counts is None
    np.testing.assert_array_equal(plain.draws, counted.draws)
    np.testing.assert_array_equal(plain.energy, counted.energy)


@pytest.mark.slow
def test_all_replicas_count_and_agree_with_enumeration():
    run = jme.sample(
        jax.random.key(2), PROBLEM.ensemble(), target_replicas=4, steps=4000, kmers=2, **SETTINGS | {"chains": 6}
    )
    background = PROBLEM.log_weights_at(0.0)
    for end, weights in enumerate((background, PROBLEM.log_weights())):
        chance = np.exp(weights - weights.max())
        chance /= chance.sum()
        states = [_counted(state[None], 2) for state in PROBLEM.states]
        expected = chance @ np.array(states)
        counts = run.kmer_counts[0, end]
        sequences = counts.sum(1) // 3
        assert (sequences == (800, 3200)[end]).all()
        rates = counts / sequences[:, None]
        error = rates.std(0, ddof=1) / np.sqrt(len(rates))
        # A chain's own error is known from six chains only, so it is taken as that of all k-mers where it is smaller.
        assert (abs(rates.mean(0) - expected) < 5 * np.maximum(error, np.median(error))).all()


def test_counts_survive_an_interruption_and_files(tmp_path, counted):
    counted.save(tmp_path / "run.npz")
    np.testing.assert_array_equal(jme.Run.load(tmp_path / "run.npz").kmer_counts, counted.kmer_counts)
    totals = KmerTotals(8)
    for batch in range(40):
        totals.add(10 * batch, np.full((1, 1, 1, 4), batch), 0)
    again = KmerTotals(8)
    again.restore(totals.arrays())
    assert [part.start for part in again.parts] == [part.start for part in totals.parts]
    np.testing.assert_array_equal(again.counts(50), totals.counts(50))


@pytest.mark.parametrize("burn_in", [None, 0, 100, 10_000])
def test_parts_stay_few_and_leave_out_what_is_dropped(burn_in):
    totals, size, draws = KmerTotals(burn_in), 16, 0
    for batch in range(1200):
        # Nothing is left out of fewer than 16 batches.
        dropped = 0 if burn_in is None or batch < 16 else max(0, (draws - 3 * burn_in) // 4)
        totals.add(draws, np.full((1, 1, 1, 1), size), dropped)
        draws += size
        size *= 2 if batch % 400 == 399 else 1
        # Each draw counted 1, so the sum is the number of draws in the counts.
        kept = int(totals.counts(dropped).sum())
        assert kept <= draws - dropped
        assert kept >= (draws - dropped) / 2 - size
        assert len(totals.parts) <= (1 if burn_in is None else 4)
    if burn_in is None:
        assert kept == draws


@pytest.mark.parametrize(
    ("kmers", "message"),
    [
        (5, "kmers must be a whole number of at most 4, got 5"),
        (0, "kmers must be a whole number of at least 1, got 0"),
        ("AC", "kmers must be a whole number of at least 1, got 'AC'"),
    ],
)
def test_bad_sizes_are_one_sentence(kmers, message):
    with pytest.raises(ValueError, match=message):
        jme.sample(jax.random.key(0), PROBLEM.ensemble(), kmers=kmers, steps=10, progress=False)


def test_too_many_kmers_are_refused():
    ensemble = jme.Ensemble.create(lambda x: x.reshape(-1), "ACGT" * 3, beta=1.0)
    with pytest.raises(ValueError, match="kmers must be so small that at most 65,536 k-mers are possible, got 9"):
        jme.sample(jax.random.key(0), ensemble, kmers=9, steps=10, progress=False)
