import itertools
import sys

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from jaxmaxent.analysis import localization


def areas_by_definition(positive, scores):
    """All pairs for the ROC; every distinct score as a threshold for the average precision."""
    pairs = itertools.product(scores[positive], scores[~positive])
    roc = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])
    precision, before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        called = scores >= threshold
        recall = (called & positive).sum() / positive.sum()
        precision += (recall - before) * (called & positive).sum() / called.sum()
        before = recall
    return roc, precision


@pytest.mark.parametrize("rounded", [False, True])
def test_areas_by_definition(rounded):
    rng = np.random.default_rng(0)
    scores, sites = rng.normal(size=(6, 30)), rng.random((6, 30)) < 0.3
    if rounded:
        scores = scores.round()
    found = localization(scores, sites)
    wanted = np.array([areas_by_definition(own, row) for own, row in zip(sites, scores, strict=True)])
    np.testing.assert_allclose(found.auroc.each, wanted[:, 0], atol=1e-12)
    np.testing.assert_allclose(found.auprc.each, wanted[:, 1], atol=1e-12)
    flat = sites.ravel(), scores.ravel()
    assert found.pooled_auroc.value == pytest.approx(roc_auc_score(*flat), abs=1e-12)
    assert found.pooled_auprc.value == pytest.approx(average_precision_score(*flat), abs=1e-12)
    assert found.chance == sites.mean()


def test_means_and_their_errors():
    rng = np.random.default_rng(1)
    found = localization(rng.normal(size=(9, 20)), [[(3, 7)]] * 9)
    for estimate in (found.inside, found.distance, found.auroc, found.auprc):
        assert estimate.value == pytest.approx(estimate.each.mean())
        assert estimate.error == pytest.approx(estimate.each.std(ddof=1) / 3)


def test_share_inside_by_hand():
    scores = np.array([[0, 3, 1, 0, 0, 0.0], [1, 1, -5, 0, 0, 2], [-1, -1, 0, 0, -2, 0], [0, 0, 0, 0, 0, 0]])
    found = localization(scores, [[(1, 2)], [(2, 6)], [(0, 3)], [(4, 5)]])
    assert found.inside.each.tolist() == [0.75, 0.5, 0, 0]


@pytest.mark.parametrize(
    ("scores", "sites", "width", "distance"),
    [
        ([0, 0, 0, 2, 2, 0, 0, 0], [(3, 5)], None, 0),
        ([2, 2, 0, 0, 0, 0, 0, 0], [(3, 5)], None, 3),
        ([0, 0, 0, 0, 0, 0, 2, 2], [(1, 3), (4, 6)], None, 2),  # the nearest site counts
        ([9, 0, 0, 0, 4, 4, 4, 0], [(4, 7)], None, 0),  # a window is stronger than a peak
        ([9, 0, 0, 0, 4, 4, 4, 0], [(4, 7)], 1, 5),
        ([1, 0, 0, 0, 0, 0, 0, 1], [(0, 1)], None, 3.5),  # of two as strong the mean
        ([0, 5, -9, 0, 3, 3, 0, 0], [(1, 3)], None, 3),  # what is below 0 is no signal
        ([0, 0, 0, 0, 0, 0, 0, 0], [(0, 8 - 1)], 7, 0.5),
    ],
)
def test_distance_by_hand(scores, sites, width, distance):
    found = localization(np.array([scores], float), [sites], width=width)
    assert found.distance.each.tolist() == [distance]
    assert np.isnan(found.distance.error)
    assert np.isnan(found.pooled_auroc.error)


def test_intervals_and_masks_are_the_same():
    scores = np.random.default_rng(2).normal(size=(2, 10))
    mask = np.zeros((2, 10), bool)
    mask[0, 2:7] = mask[1, 0:1] = mask[1, 8:10] = True
    by_mask, by_intervals = localization(scores, mask), localization(scores, [[(2, 4), (4, 7)], [(0, 1), (8, 10)]])
    for one, other in zip(by_mask[:-1], by_intervals[:-1], strict=True):
        assert (one.value, one.error) == (other.value, other.error)


def draw(rng, sequences):
    """Scores that find sites in some sequences better than in others, and differ in height between sequences."""
    sites = np.zeros((sequences, 40), bool)
    sites[:, 10:18] = True
    strength, height = rng.exponential(1.0, (sequences, 1)), rng.normal(size=(sequences, 1))
    return rng.normal(size=(sequences, 40)) + strength * sites + height, sites


def test_errors_are_the_spread_over_repeats():
    """Reported squared errors against the variance over 200 sets of 20 sequences, which is known to 10 %."""
    rng = np.random.default_rng(3)
    repeats = [localization(*draw(rng, 20)) for _ in range(200)]
    for name in ("inside", "distance", "auroc", "auprc", "pooled_auroc", "pooled_auprc"):
        values = np.array([getattr(found, name).value for found in repeats])
        reported = np.mean([getattr(found, name).error ** 2 for found in repeats])
        assert abs(reported / values.var(ddof=1) - 1) < 5 * np.sqrt(2 / 199), name


def test_many_sequences_are_left_out_in_parts(monkeypatch):
    scores, sites = draw(np.random.default_rng(4), 7)
    whole = localization(scores, sites)
    monkeypatch.setattr(sys.modules["jaxmaxent.analysis._localization"], "_WEIGHTS_AT_ONCE", 2 * scores.size)
    parts = localization(scores, sites)
    assert whole.pooled_auroc == parts.pooled_auroc
    assert whole.pooled_auprc == parts.pooled_auprc


SCORES = np.zeros((2, 5))
SITE = [[(1, 2)], [(1, 2)]]


@pytest.mark.parametrize(
    ("scores", "sites", "width", "message"),
    [
        (np.zeros(5), SITE, None, r"scores must have shape \[sequences, length\]"),
        (np.full((2, 5), np.nan), SITE, None, "scores must be finite"),
        (SCORES, SITE[:1], None, "sites must be given for each of 2 sequences, got 1"),
        (SCORES, np.ones((2, 4), bool), None, r"sites must have the shape \[2, 5\] of scores, got \[2, 4\]"),
        (SCORES, np.ones((2, 5)), None, "sites must be a boolean mask or .* got an array of float64"),
        (SCORES, [[(1, 2)], []], None, "in sequence 1 they hold no position"),
        (SCORES, [[(0, 5)], [(1, 2)]], None, "in sequence 0 they hold every position"),
        (SCORES, [[(1, 2)], [(4, 6)]], None, r"sites must end by 5, the length, got \(4, 6\) in sequence 1"),
        (SCORES, [[(1, 2)], [(3, 3)]], None, "the stop of a site must be a whole number of at least 4, got 3"),
        (SCORES, [[(1, 2)], [(-1, 3)]], None, "the start of a site must be a whole number of at least 0, got -1"),
        (SCORES, SITE, 6, "width must be at most the length 5, got 6"),
        (SCORES, SITE, 0, "width must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_input_is_one_sentence(scores, sites, width, message):
    with pytest.raises(ValueError, match=message) as error:
        localization(scores, sites, width=width)
    assert "\n" not in str(error.value)
