"""DeepLIFT: the contribution of each letter to the difference from a baseline."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent.attribution._gradient import mean_over_baselines
from jaxmaxent.attribution._inputs import CHUNK, baselines, output, question
from jaxmaxent.attribution._rescale import rescaled
from jaxmaxent.ensembles import Alphabet, Representation


def deeplift(
    representation: Representation,
    tokens: Int[np.ndarray, "sequences length"],
    *,
    unit: int | tuple[int, int] | None = None,
    alphabet: Alphabet | None = None,
    baseline: Any = None,
    chunk: int = CHUNK,
) -> Float[np.ndarray, "sequences length letters"]:
    """Return DeepLIFT contributions by the rescale rule, for any network in JAX.

    The method is that of Shrikumar, Greenside & Kundaje (ICML 2017). Up to rounding, the scores of a sequence add up to
    the output at the sequence minus the output at the baseline.

    The rules are these. An activation has the slope Δy / Δx. In a product, the change of each factor is multiplied by
    the mean of the other factor. The change of a maximum is divided: the part above the reference belongs to the number
    that is largest at the input, and the part below the input to the number that is largest at the reference. Affine
    operations stay as they are.

        scores = deeplift(network, tokens, baseline=dinucleotide_shuffle(rng, tokens)).sum(-1)

    Args:
        representation: a network with a head.
        tokens: sequences, shape [sequences, length].
        unit: the output unit, or a pair (a, b) for the log-ratio of two classes; see `saliency`.
        alphabet: the letters; None takes those of the representation, or DNA.
        baseline: the baselines, uniform letters if None; see `integrated_gradients`.
        chunk: number of pairs of a sequence and a baseline evaluated at a time, which bounds the memory.

    Returns:
        the contributions, shape [sequences, length, letters]. The contribution of a position is the sum over its
        letters.

    Raises:
        ValueError: for the reasons of `integrated_gradients`, and for a network with an operation that has no rule.
    """
    asked = question(representation, tokens, unit, alphabet, chunk)
    of_pairs = functools.partial(_contributions, *asked.network)
    return mean_over_baselines(of_pairs, asked, baselines(baseline, asked))


@functools.partial(jax.jit, static_argnums=0)
def _contributions(
    features: Any, params: Any, weights: Array, one_hot: Any, baseline: Any, ways: Any
) -> Float[Array, "chunk length letters"]:
    del ways

    def of_one(value: Array, reference: Array) -> Array:
        one_output = functools.partial(output, features, params, weights)
        return jax.grad(rescaled(one_output, reference))(value) * (value - reference)

    return jax.vmap(of_one)(one_hot, baseline)
