"""What a classifier is worth: predictions, and areas under the ROC and the precision-recall curve."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import softmax
from scipy.stats import rankdata

from jaxmaxent import checks
from jaxmaxent.models._networks import Architecture, Network, checked_tokens, parameters, with_parameters


def auroc(labels: Int[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> float:
    """Probability that a positive scores above a negative, ties counting one half (Mann & Whitney 1947).

    Args:
        labels: 0 or 1, both present.
        scores: finite, higher for class 1.

    Raises:
        ValueError: for other labels, only one class, unequal lengths or scores that are not finite.
    """
    positive, scores = _checked(labels, scores)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    rank_sum = rankdata(scores)[positive].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def auprc(labels: Int[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> float:
    """Average precision, Σ (R_i − R_{i−1}) P_i over the distinct scores as thresholds, from the highest down.

    Sequences of equal score enter together, so the value does not depend on their order.

    Args:
        labels: 0 or 1, both present.
        scores: finite, higher for class 1.

    Raises:
        ValueError: for other labels, only one class, unequal lengths or scores that are not finite.
    """
    positive, scores = _checked(labels, scores)
    order = np.argsort(-scores, kind="stable")
    last_of_score = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(positive[order])[last_of_score]
    precision = found / (last_of_score + 1)
    return float(np.sum(np.diff(found, prepend=0) * precision) / found[-1])


def _checked(labels: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels), checks.finite_array("scores", scores)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(
            f"labels and scores must have one shape [n], got {list(labels.shape)} and {list(scores.shape)}"
        )
    present = np.unique(labels).tolist()
    if present != [0, 1]:
        raise ValueError(f"labels must be 0 and 1 with both present, got the values {present[:5]}")
    return labels == 1, scores


def predict(
    network: Network, tokens: Int[np.ndarray, "n length"], batch_size: int = 1024
) -> Float[np.ndarray, "n units"]:
    """Probabilities of the classes, dropout off whatever the mode of the network.

    Args:
        network: a network of this package.
        tokens: sequences, shape [n, length].
        batch_size: sequences evaluated at a time, which bounds the memory.

    Returns:
        probabilities, float64, each row summing to 1.

    Raises:
        ValueError: for tokens that the network does not take.
    """
    checks.like("network", network, "architecture", "a network of jaxmaxent.models")
    tokens = checked_tokens("tokens", tokens, network.architecture)
    batch_size = checks.integer("batch_size", batch_size, at_least=1)
    return softmax(logits(network.architecture, parameters(network), tokens, batch_size), axis=1)


def logits(
    architecture: Architecture, params: Any, tokens: np.ndarray, batch_size: int = 1024
) -> Float[np.ndarray, "n units"]:
    """Logits as float64; every batch has one shape, the last filled up, so that one program serves all."""
    batch_size = min(batch_size, len(tokens))
    parts = []
    for start in range(0, len(tokens), batch_size):
        part = tokens[start : start + batch_size]
        filled = np.pad(part, ((0, batch_size - len(part)), (0, 0)))
        parts.append(_batch_logits(architecture, params, filled)[: len(part)])
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


@functools.partial(jax.jit, static_argnums=0)
def _batch_logits(architecture: Architecture, params: Any, tokens: Array) -> Array:
    return with_parameters(architecture, params)(architecture.alphabet.one_hot(tokens))
