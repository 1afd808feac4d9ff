"""All methods on the same sequences, with one number per position; and a check that contributions are complete."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent.attribution._deeplift import deeplift
from jaxmaxent.attribution._gradient import input_x_gradient, integrated_gradients, mean_over_baselines, saliency
from jaxmaxent.attribution._inputs import CHUNK, baselines, output, question
from jaxmaxent.attribution._mutagenesis import loss_of_letters, mutagenesis
from jaxmaxent.ensembles import Alphabet, Representation


def every_view(
    representation: Representation,
    tokens: Int[np.ndarray, "sequences length"],
    *,
    unit: int | tuple[int, int] | None = None,
    alphabet: Alphabet | None = None,
    baseline: Any = None,
    steps: int = 64,
    chunk: int = CHUNK,
) -> dict[str, Float[np.ndarray, "sequences length"]]:
    """Apply every method to every sequence; return one number per position, in units of the output.

        for name, scores in every_view(network, tokens).items():
            print(name, scores.shape)

    Args:
        representation: a network with a head.
        tokens: sequences, shape [sequences, length].
        unit: the output unit, or a pair (a, b) for the log-ratio of two classes; see `saliency`.
        alphabet: the letters; None takes those of the representation, or DNA.
        baseline: the baselines of integrated gradients and DeepLIFT; see `integrated_gradients`.
        steps: points of the quadrature of integrated gradients.
        chunk: number of evaluations of the network at a time, which bounds the memory.

    Returns:
        scores of shape [sequences, length], by the name of the method. All but saliency have a sign.

        - "saliency": the largest |gradient| of any letter at the position.
        - "input × gradient": the centered gradient at the letter of the sequence.
        - "integrated gradients", "DeepLIFT": the sum of the contributions over the letters.
        - "mutagenesis": the loss of output without the letter (`loss_of_letters`).

    Raises:
        ValueError: for the reasons of `saliency` and `deeplift`.
    """
    common: dict[str, Any] = {"unit": unit, "alphabet": alphabet, "chunk": chunk}
    given = representation, tokens
    return {
        "saliency": np.abs(saliency(*given, **common)).max(-1),
        "input × gradient": input_x_gradient(*given, centered=True, **common).sum(-1),
        "integrated gradients": integrated_gradients(*given, baseline=baseline, steps=steps, **common).sum(-1),
        "DeepLIFT": deeplift(*given, baseline=baseline, **common).sum(-1),
        "mutagenesis": loss_of_letters(mutagenesis(*given, **common)),
    }


class Completeness(NamedTuple):
    """The sums of contributions, and the differences of outputs that they should add up to.

    Attributes:
        total: sum of the scores of each sequence, shape [sequences], in units of the output.
        difference: output at the sequence minus the mean output at its baselines, shape [sequences].
    """

    total: Float[np.ndarray, " sequences"]
    difference: Float[np.ndarray, " sequences"]

    @property
    def error(self) -> Float[np.ndarray, " sequences"]:
        """The excess of the scores, shape [sequences], in units of the output; negative if they sum to too little."""
        return self.total - self.difference


def completeness(
    representation: Representation,
    tokens: Int[np.ndarray, "sequences length"],
    scores: Float[np.ndarray, "sequences length letters"],
    *,
    unit: int | tuple[int, int] | None = None,
    alphabet: Alphabet | None = None,
    baseline: Any = None,
    chunk: int = CHUNK,
) -> Completeness:
    """Compare the sum of the scores of each sequence with the difference of outputs that the scores explain.

        error = completeness(network, tokens, integrated_gradients(network, tokens)).error

    Args:
        representation: the network of the scores.
        tokens: the sequences, shape [sequences, length].
        scores: the result of `integrated_gradients` or `deeplift` for them, shape [sequences, length, letters].
        unit: the output unit of the scores.
        alphabet: the letters; None takes those of the representation, or DNA.
        baseline: the baselines of the scores.
        chunk: number of pairs of a sequence and a baseline evaluated at a time, which bounds the memory.

    Returns:
        the sums, the differences of outputs, and the error, which is one minus the other.

    Raises:
        ValueError: for the reasons of `integrated_gradients`, and for scores of another shape.
    """
    asked = question(representation, tokens, unit, alphabet, chunk)
    scores = np.asarray(scores)
    if scores.shape != asked.one_hot.shape:
        raise ValueError(f"scores must have shape {list(asked.one_hot.shape)}, got {list(scores.shape)}")
    of_pairs = functools.partial(_differences, *asked.network)
    difference = mean_over_baselines(of_pairs, asked, baselines(baseline, asked))
    return Completeness(scores.sum((1, 2)), difference)


@functools.partial(jax.jit, static_argnums=0)
def _differences(
    features: Any, params: Any, weights: Array, one_hot: Any, baseline: Any, ways: Any
) -> Float[Array, " chunk"]:
    del ways
    of_one = functools.partial(output, features, params, weights)
    return jax.vmap(of_one)(one_hot) - jax.vmap(of_one)(baseline)
