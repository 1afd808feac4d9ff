"""Areas under the ROC curve and the precision-recall curve, for one weighting of the entries or for several."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def areas(
    positive: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, "sets n"] | None = None,
) -> Float[np.ndarray, "sets 2"]:
    """Return AUROC and average precision, as `auroc` and `auprc` define them, for every set of weights.

    Args:
        positive: True for class 1; both classes must have a weight above 0 in every set.
        scores: finite numbers, higher for class 1.
        weights: how many times each entry counts in each set; None means one set in which each entry counts once.
    """
    weights = np.ones((1, len(scores))) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    # Entries of equal score are taken together: in the ROC curve their pairs count one half, and in the average
    # precision they share one threshold.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    counted = weights[:, order]
    true = np.cumsum(counted * positive[order], axis=1)[:, ends]
    called = np.cumsum(counted, axis=1)[:, ends]
    false = called - true
    steps = np.diff(true, axis=1, prepend=0)
    beside = (np.diff(false, axis=1, prepend=0) * (true - steps / 2)).sum(1)
    precision = true / np.where(called > 0, called, 1)
    return np.stack([beside / (true[:, -1] * false[:, -1]), (steps * precision).sum(1) / true[:, -1]], axis=1)
