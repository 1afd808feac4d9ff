"""Areas under the ROC and the precision-recall curve, for one set of labels and scores or for several."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def areas(
    positive: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, "sets n"] | None = None,
) -> Float[np.ndarray, "sets 2"]:
    """Return both areas of every set: AUROC and average precision, as `auroc` and `auprc` define them.

    Args:
        positive: True for class 1; every set needs both classes.
        scores: finite, higher for class 1.
        weights: the number of times that every entry counts in every set; None means one set, with each entry once.
    """
    weights = np.ones((1, len(scores))) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    # Equal scores enter together: one half of a pair for the ROC, one threshold for the average precision.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    counted = weights[:, order]
    true = np.cumsum(counted * positive[order], axis=1)[:, ends]
    called = np.cumsum(counted, axis=1)[:, ends]
    false = called - true
    steps = np.diff(true, axis=1, prepend=0)
    beside = (np.diff(false, axis=1, prepend=0) * (true - steps / 2)).sum(1)
    precision = true / np.where(called > 0, called, 1)
    return np.stack([beside / (true[:, -1] * false[:, -1]), (steps * precision).sum(1) / true[:, -1]], axis=1)
