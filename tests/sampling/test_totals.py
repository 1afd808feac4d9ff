"""Totals of a run, from the counters of its batches."""

import numpy as np

from jaxmaxent.sampling.device._counters import Moments
from jaxmaxent.sampling.host._totals import of_rungs


def test_moments_of_a_rung_are_those_of_all_its_sequences():
    rng = np.random.default_rng(0)
    values = rng.normal(np.arange(5), size=(40, 2, 3, 5)).transpose(1, 2, 3, 0)[..., None]  # [1, chains, slots, …]
    slots = Moments(40, values.mean(3), 40 * values.var(3))
    found = of_rungs(slots, target_replicas=3)
    assert found.mean.shape == (2, 3, 3, 1)
    for rung, ours in enumerate([[0], [1], [2, 3, 4]]):
        np.testing.assert_allclose(found.mean[:, :, rung], values[:, :, ours].mean((2, 3)))
        np.testing.assert_allclose(found.variance()[:, :, rung], values[:, :, ours].var((2, 3)))
