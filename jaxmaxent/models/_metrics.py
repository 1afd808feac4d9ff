"""Predictions of a classifier, and the areas under its ROC and precision-recall curves."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent import checks
from jaxmaxent.models._areas import areas
from jaxmaxent.models._networks import Architecture, Network
from jaxmaxent.models._parameters import checked_tokens, parameters, with_parameters


def auroc(labels: Int[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> float:
    """Return the area under the ROC curve (Mann & Whitney 1947).

    It is the probability that a sequence of class 1 has a higher score than one of class 0. Ties count one half.

    Args:
        labels: 0 or 1, shape [n]; both must be present.
        scores: finite numbers, higher for class 1, shape [n].

    Raises:
        ValueError: for other labels, a single class, unequal lengths or scores that are not finite.

    Example:
        >>> models.auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    return float(areas(*_checked(labels, scores))[0, 0])


def auprc(labels: Int[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> float:
    """Return the average precision, Σ (R_i − R_{i−1}) P_i with each distinct score as a threshold, highest first.

    R is the recall and P the precision. Sequences of equal score share a threshold, so their order does not matter.

    Args:
        labels: 0 or 1, shape [n]; both must be present.
        scores: finite numbers, higher for class 1, shape [n].

    Raises:
        ValueError: for other labels, a single class, unequal lengths or scores that are not finite.

    Example:
        >>> models.auprc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.8333333333333333
    """
    return float(areas(*_checked(labels, scores))[0, 1])


def _checked(labels: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask that is True where the label is 1, and the scores, after checks."""
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
    """Return the probabilities of the classes, without dropout in either mode of the network.

    Args:
        network: a network of this package.
        tokens: sequences, shape [n, length].
        batch_size: number of sequences that are evaluated together; a smaller number needs less memory.

    Returns:
        probabilities, float64, shape [n, units]. Each row sums to 1.

    Raises:
        ValueError: if `network` is not a network of this package, or does not accept these tokens.

    Example:
        >>> models.predict(trained, tokens).shape  # [sequences, units]
        (3, 2)
    """
    from scipy.special import softmax  # imported here, because it takes longer to import than this whole package

    checks.like("network", network, "architecture", "a network of jaxmaxent.models")
    tokens = checked_tokens("tokens", tokens, network.architecture)
    batch_size = checks.integer("batch_size", batch_size, at_least=1)
    return softmax(logits(network.architecture, parameters(network), tokens, batch_size), axis=1)


def logits(
    architecture: Architecture, params: Any, tokens: np.ndarray, batch_size: int = 1024
) -> Float[np.ndarray, "n units"]:
    """Return the logits as float64, shape [n, units].

    The last batch is filled up, so all batches have the same shape and use one compiled program.
    """
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
