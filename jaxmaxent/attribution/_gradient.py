"""Attribution by gradients: at the sequence, times the sequence, and along the line from a baseline."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent import checks
from jaxmaxent.attribution._inputs import CHUNK, Question, baselines, chunks, output, question
from jaxmaxent.ensembles import Alphabet, Representation

_THE_WHOLE_WAY = np.ones(1)


def saliency(
    representation: Representation,
    tokens: Int[np.ndarray, "sequences length"],
    *,
    unit: int | tuple[int, int] | None = None,
    alphabet: Alphabet | None = None,
    centered: bool = False,
    chunk: int = CHUNK,
) -> Float[np.ndarray, "sequences length letters"]:
    """Return the gradient of an output unit with respect to the one-hot input.

    The method is that of Simonyan, Vedaldi & Zisserman (arXiv:1312.6034, 2013).

        gradient = saliency(network, tokens, unit=1)

    Args:
        representation: a network with a head.
        tokens: sequences, shape [sequences, length].
        unit: the output unit before its softmax, or a pair (a, b) for the log-ratio of two classes, as in
            `Ensemble.create`.
        alphabet: the letters; None takes those of the representation, or DNA.
        centered: subtract the mean over the letters from the gradient at each position. This mean is the direction that
            leaves the one-hot sequences, and the network was never trained there (Majdandzic et al., Genome Biology
            24:109, 2023).
        chunk: number of sequences evaluated at a time, which bounds the memory.

    Returns:
        the gradient, shape [sequences, length, letters], in units of the output. It is not multiplied by the input.

    Raises:
        ValueError: for a representation without a head, a unit that it does not have, or tokens that are not sequences
            of the alphabet.
    """
    asked = question(representation, tokens, unit, alphabet, chunk)
    found = np.empty_like(asked.one_hot)
    for rows, used in chunks(len(found), asked.chunk):
        found[rows[:used]] = _gradients(*asked.network, asked.one_hot[rows])[:used]
    return found - found.mean(-1, keepdims=True) if centered else found


def input_x_gradient(
    representation: Representation,
    tokens: Int[np.ndarray, "sequences length"],
    *,
    unit: int | tuple[int, int] | None = None,
    alphabet: Alphabet | None = None,
    centered: bool = False,
    chunk: int = CHUNK,
) -> Float[np.ndarray, "sequences length letters"]:
    """Return the gradient times the one-hot input: the gradient at the letters of the sequence, 0 at all others.

    The method is that of Shrikumar et al. (arXiv:1605.01713, 2016). Arguments and errors are those of `saliency`.

    Returns:
        scores, shape [sequences, length, letters], in units of the output.

    Example:
        >>> attribution.input_x_gradient(network, tokens, unit=0).shape  # [sequences, length, letters]
        (3, 24, 4)
    """
    gradient = saliency(representation, tokens, unit=unit, alphabet=alphabet, centered=centered, chunk=chunk)
    return gradient * np.eye(gradient.shape[-1], dtype=gradient.dtype)[np.asarray(tokens)]


def integrated_gradients(
    representation: Representation,
    tokens: Int[np.ndarray, "sequences length"],
    *,
    unit: int | tuple[int, int] | None = None,
    alphabet: Alphabet | None = None,
    baseline: Any = None,
    steps: int = 64,
    chunk: int = CHUNK,
) -> Float[np.ndarray, "sequences length letters"]:
    """Return (x − x′) times the mean gradient on the straight line from a baseline x′ to the sequence x.

    The method is that of Sundararajan, Taly & Yan (ICML 2017). The mean is computed by Gauss–Legendre quadrature. The
    scores of a sequence add up to the difference of the outputs at x and x′, except for the error of the quadrature,
    which `completeness` reports.

    A usual choice is 20 dinucleotide-preserving shuffles of each sequence:

        shuffles = dinucleotide_shuffle(rng, np.repeat(tokens, 20, axis=0)).reshape(len(tokens), 20, -1)
        scores = integrated_gradients(network, tokens, baseline=shuffles)

    Args:
        representation: a network with a head.
        tokens: sequences, shape [sequences, length].
        unit: the output unit, or a pair (a, b) for the log-ratio of two classes; see `saliency`.
        alphabet: the letters; None takes those of the representation, or DNA.
        baseline: the baselines x′. None is 1/letters everywhere. Weights of the letters have the shape [letters],
            [length, letters], [sequences, length, letters] or, for several baselines per sequence, [sequences,
            baselines, length, letters]. Tokens have the shape [length], [sequences, length] or [sequences, baselines,
            length]. The scores are the mean over the baselines of a sequence.
        steps: number of points of the quadrature.
        chunk: number of points of these lines evaluated at a time, which bounds the memory.

    Returns:
        the contributions, shape [sequences, length, letters], in units of the output. The contribution of a position is
        the sum over its letters.

    Raises:
        ValueError: for the reasons of `saliency`, and for baselines that do not fit the sequences.
    """
    asked = question(representation, tokens, unit, alphabet, chunk)
    nodes, weights = np.polynomial.legendre.leggauss(checks.integer("steps", steps, at_least=1))

    def at_points(one_hot: np.ndarray, baseline: np.ndarray, ways: np.ndarray) -> np.ndarray:
        difference = one_hot - baseline
        points = baseline + ways.astype(one_hot.dtype)[:, None, None] * difference
        return np.asarray(_gradients(*asked.network, points)) * difference

    # The nodes are those of the interval from −1 to 1, of length 2.
    return mean_over_baselines(at_points, asked, baselines(baseline, asked), (nodes + 1) / 2, weights / 2)


def mean_over_baselines(
    function: Callable[[np.ndarray, np.ndarray, np.ndarray], Any],
    asked: Question,
    against: Float[np.ndarray, "sequences baselines length letters"],
    ways: Float[np.ndarray, " points"] = _THE_WHOLE_WAY,
    weights: Float[np.ndarray, " points"] = _THE_WHOLE_WAY,
) -> Float[np.ndarray, "sequences ..."]:
    """Return the weighted sum over points between baseline and sequence, averaged over the baselines.

    Args:
        function: `function(one_hot, baseline, way) -> [chunk, ...]`, evaluated for a chunk of points at a time.
        asked: the network and the sequences.
        against: the baselines of each sequence.
        ways: position of each point between the baseline (0) and the sequence (1).
        weights: weight of each point.

    Returns:
        one array per sequence, of the shape that `function` gives per point.
    """
    sequences, own = against.shape[:2]
    total = None
    for rows, used in chunks(sequences * own * len(ways), asked.chunk):
        sequence, other, point = np.unravel_index(rows, (sequences, own, len(ways)))
        found = np.asarray(function(asked.one_hot[sequence], against[sequence, other], ways[point]), float)
        found = found * weights[point].reshape(-1, *[1] * (found.ndim - 1))
        total = np.zeros((sequences, *found.shape[1:])) if total is None else total
        np.add.at(total, sequence[:used], found[:used])
    return np.asarray(total / own, asked.one_hot.dtype)


@functools.partial(jax.jit, static_argnums=0)
def _gradients(features: Any, params: Any, weights: Array, one_hot: Any) -> Float[Array, "chunk length letters"]:
    return jax.vmap(jax.grad(functools.partial(output, features, params, weights)))(one_hot)
