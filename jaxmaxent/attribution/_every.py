"""All views of the same sequences, as one number a position; and whether contributions are complete."""

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
    """Every view of every sequence, one number a position, in units of the output.

    Args:
        representation: a network with a head.
        tokens: sequences, shape [sequences, length].
        unit: as for `saliency`.
        alphabet: as for `saliency`.
        baseline: of integrated gradients and DeepLIFT, as for `integrated_gradients`.
        steps: of integrated gradients.
        chunk: as for the views themselves.

    Returns:
        scores of shape [sequences, length] under the name of each view: "saliency", the largest |gradient| of a letter;
        "input × gradient", of the centered gradient, "integrated gradients" and "DeepLIFT", the sums over the letters;
        "mutagenesis", what the letter is worth (`loss_of_letters`). All but saliency have a sign.

    Raises:
        ValueError: as the views themselves.
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
    """Whether contributions add up to what they should explain.

    Attributes:
        total: sum of the scores of each sequence, shape [sequences].
        difference: output at the sequence minus the mean of the outputs at its baselines, shape [sequences].
    """

    total: Float[np.ndarray, " sequences"]
    difference: Float[np.ndarray, " sequences"]

    @property
    def error(self) -> Float[np.ndarray, " sequences"]:
        """What the scores have too much (or, below 0, too little), in units of the output."""
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
    """Compare the sum of the scores of each sequence with the difference of outputs that they divide.

    Args:
        representation: the network that was asked.
        tokens: the sequences.
        scores: what `integrated_gradients` or `deeplift` gave for them, shape [sequences, length, letters].
        unit: the unit that was asked for.
        alphabet: as for `saliency`.
        baseline: the baseline that was given.
        chunk: as for the views.

    Raises:
        ValueError: as the views, and for scores of another shape.
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
