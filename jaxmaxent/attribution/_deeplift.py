"""DeepLIFT: contributions of the differences from a baseline."""

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
    """DeepLIFT with the rescale rule (Shrikumar, Greenside & Kundaje, 2017), for any network in JAX.

    The scores of a sequence add up to the difference of the outputs at the sequence and at the baseline, to rounding.
    What the rule is for each operation, products and max pooling among them, is said in `attribution.rescale`.

    Args:
        representation: a network with a head.
        tokens: sequences, shape [sequences, length].
        unit: as for `saliency`.
        alphabet: as for `saliency`.
        baseline: as for `integrated_gradients`.
        chunk: pairs of a sequence and a baseline evaluated at a time, which bounds the memory.

    Returns:
        the contributions, shape [sequences, length, letters]. That of a position is the sum over its letters.

    Raises:
        ValueError: as for `integrated_gradients`, and for a network with an operation that has no rule.
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
