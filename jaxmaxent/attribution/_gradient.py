"""Views by the gradient: at the sequence, times the sequence, and along the way from a baseline."""

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
    """Gradient of an output unit with respect to the one-hot input (Simonyan, Vedaldi & Zisserman, 2013).

    Args:
        representation: a network with a head.
        tokens: sequences, shape [sequences, length].
        unit: the output unit before its softmax, or a pair (a, b) for the log-ratio of the two classes; as in
            `Ensemble.create`.
        alphabet: the letters; those of the representation, or else DNA, if None.
        centered: take the mean over the letters from the gradient at each position. It is the part that leaves the
            one-hot sequences, on which the network was never trained (Majdandzic et al., Genome Biology 24:109, 2023).
        chunk: sequences evaluated at a time, which bounds the memory.

    Returns:
        the gradient, shape [sequences, length, letters], not multiplied by the input.

    Raises:
        ValueError: for a representation without a head, a unit that it does not have, or tokens that are none.
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
    """`saliency` times the one-hot input: the gradient at the letters of the sequence, 0 at all others.

    Shrikumar et al., arXiv:1605.01713 (2016). Arguments and errors are those of `saliency`.
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
    """(x − x′) times the mean gradient on the straight line from a baseline x′ to x (Sundararajan, Taly & Yan, 2017).

    The line is walked by Gauss–Legendre quadrature. The scores of a sequence add up to the difference of the outputs
    at x and x′ but for the error of the quadrature, which `completeness` reports.

    Args:
        representation: a network with a head.
        tokens: sequences, shape [sequences, length].
        unit: as for `saliency`.
        alphabet: as for `saliency`.
        baseline: the baselines x′: 1/letters everywhere if None; weights of the letters, shape [letters], [length,
            letters], [sequences, length, letters] or, for several a sequence, [sequences, baselines, length,
            letters]; or tokens, of these shapes without the last axis and from [length] on. With several, the scores
            are the mean over them. For 20 dinucleotide-preserving shuffles:
            `dinucleotide_shuffle(rng, np.repeat(tokens, 20, 0)).reshape(len(tokens), 20, -1)`.
        steps: points of the quadrature.
        chunk: points of these lines evaluated at a time, which bounds the memory.

    Returns:
        the contributions, shape [sequences, length, letters]. That of a position is the sum over its letters.

    Raises:
        ValueError: as for `saliency`, and for baselines that do not fit the sequences.
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
    """Weighted sum over ways from baselines to sequences, then the mean over the baselines.

    `function(one_hot, baseline, way) -> [chunk, ...]` is evaluated at a chunk of them all; a way is 1 at the sequence.
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
