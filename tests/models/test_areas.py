import numpy as np

from jaxmaxent.models import auprc, auroc
from jaxmaxent.models._areas import areas


def drawn(rng, n=60):
    """Labels of both classes, and scores with ties."""
    return np.concatenate([[True, False], rng.random(n - 2) < 0.3]), rng.integers(0, 12, n) / 4


def test_one_set_has_the_areas_of_a_classifier():
    for seed in range(20):
        positive, scores = drawn(np.random.default_rng(seed))
        found = areas(positive, scores)
        assert found.shape == (1, 2)
        assert tuple(found[0]) == (auroc(positive.astype(int), scores), auprc(positive.astype(int), scores))


def test_a_weight_is_the_number_of_times_that_an_entry_counts():
    rng = np.random.default_rng(0)
    positive, scores = drawn(rng)
    weights = rng.integers(0, 4, (5, len(scores))).astype(float)
    weights[:, :2] = 1
    for row, found in zip(weights.astype(int), areas(positive, scores, weights), strict=True):
        np.testing.assert_allclose(found, areas(np.repeat(positive, row), np.repeat(scores, row))[0], rtol=1e-12)
