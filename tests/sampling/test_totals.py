"""Totals of a run, from the counters of its batches."""

import jax
import numpy as np

from jaxmaxent.sampling.device._counters import Counters, Moments
from jaxmaxent.sampling.host._totals import BATCHES, BURN_IN_SHARE, Totals, of_rungs


def test_moments_of_a_rung_are_those_of_all_its_sequences():
    rng = np.random.default_rng(0)
    values = rng.normal(np.arange(5), size=(40, 2, 3, 5)).transpose(1, 2, 3, 0)[..., None]  # [1, chains, slots, …]
    slots = Moments(40, values.mean(3), 40 * values.var(3))
    found = of_rungs(slots, target_replicas=3)
    assert found.mean.shape == (2, 3, 3, 1)
    for rung, ours in enumerate([[0], [1], [2, 3, 4]]):
        np.testing.assert_allclose(found.mean[:, :, rung], values[:, :, ours].mean((2, 3)))
        np.testing.assert_allclose(found.variance()[:, :, rung], values[:, :, ours].var((2, 3)))


def counters(number, draws, rungs=2, slots=4):
    """Return made-up counters of a batch for 1 anchor and 2 chains, all of whose counts hold its number."""
    rng = np.random.default_rng(number)
    full = {"trips": (rungs + 1,), "swaps": (rungs,), "accepted": (rungs,), "round_trips": ()}
    sums = {name: np.full((1, 2, *shape), number) for name, shape in full.items()}
    values = rng.normal(number, 1, (draws, 1, 2, slots, 3))
    moments = Moments(np.full((1, 2), draws), values.mean(0), draws * values.var(0))
    letters = np.zeros((1, 2, rungs, 5, 4), int)
    letters[..., 0] = draws
    return Counters(letters=letters, scalars=moments, kmers=np.zeros((1, 2, 0, 0), int), **sums), values


def filled(batches, size=2, rest=0):
    totals = Totals(size, target_replicas=2, reference_rungs=1)
    rows = []
    for number in range(batches + bool(rest)):
        draws = size if number < batches else rest
        counted, values = counters(number, draws)
        totals.add_trace(np.moveaxis(values, 0, 2)[:, :, :, :3])
        totals.add_batch(counted)
        rows.append(values)
    return totals, np.concatenate(rows)


def test_sums_and_moments_of_what_is_kept_are_those_of_its_draws():
    totals, values = filled(30, rest=1)
    for burn_in, first in ((None, 0), (3, 7), (16, 2), (20, 1), (1000, 0)):
        kept = totals.kept(burn_in)
        assert (kept.dropped, kept.draws) == (2 * first, 61 - 2 * first)
        numbers = np.arange(first, 31)
        assert (kept.whole.sums["trips"] == numbers.sum()).all()
        ours = values[2 * first :]
        np.testing.assert_allclose(kept.whole.scalars.mean[:, :, 0], ours[:, :, :, 0].mean(0))
        # The target is the second rung; its other replica is in the last slot, behind the reference.
        np.testing.assert_allclose(kept.whole.scalars.mean[:, :, 1], ours[:, :, :, [1, 3]].mean((0, 3)))
        np.testing.assert_allclose(kept.whole.scalars.variance()[:, :, 1], ours[:, :, :, [1, 3]].var((0, 3)))
        assert len(kept.letters) == len(kept.means) == 30 - first
        assert len(kept.traces) == kept.draws
        if burn_in is not None:  # in whole batches, no more than needed
            share = (burn_in + kept.dropped) / (burn_in + totals.draws)
            assert share >= BURN_IN_SHARE
            assert first == 0 or (burn_in + kept.dropped - 2) / (burn_in + totals.draws) < BURN_IN_SHARE


def test_at_least_sixteen_batches_are_kept_whatever_the_number():
    for batches in range(1, 2 * BATCHES):
        totals, _ = filled(batches)
        assert len(totals.kept(0).letters) >= min(16, len(totals.batches))


def test_merged_batches_hold_the_same_sums():
    totals, values = filled(BATCHES)
    assert (totals.size, len(totals.batches)) == (4, BATCHES // 2)
    kept = totals.kept(None)
    np.testing.assert_allclose(kept.whole.scalars.mean[:, :, 2], values[:, :, :, 2].mean(0))
    np.testing.assert_allclose(kept.whole.scalars.variance()[:, :, 2], values[:, :, :, 2].var(0))
    assert (kept.whole.letters[..., 0] == 2 * BATCHES).all()


def test_saved_totals_are_the_same():
    for batches, rest in ((0, 0), (3, 1), (20, 0)):
        totals, _ = filled(batches, rest=rest) if batches else (Totals(2, 2, 1), None)
        again = Totals.of_arrays({name: value.copy() for name, value in totals.arrays().items()})
        assert (again.size, again.draws, again.stride) == (totals.size, totals.draws, totals.stride)
        if batches:
            for one, other in zip(jax.tree.leaves(totals.kept(None)), jax.tree.leaves(again.kept(None)), strict=True):
                np.testing.assert_array_equal(one, other)
