"""The rival views of a network, for side-by-side comparison with the draws."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent.alphabet import DNA, Alphabet
from jaxmaxent.ensemble import Representation, unit_weights


def saliency(
    representation: Representation,
    tokens: Int[np.ndarray, "sequences length"],
    *,
    unit: int | tuple[int, int] | None = None,
    alphabet: Alphabet = DNA,
) -> Float[np.ndarray, "sequences length letters"]:
    """Gradient of an output unit with respect to the one-hot input (Simonyan, Vedaldi & Zisserman, 2013).

    Args:
        representation: a network with a head.
        tokens: sequences, shape [sequences, length].
        unit: the output unit before its softmax, or a pair (a, b) for the log-ratio of the two classes; as in
            `Ensemble.create`.
        alphabet: the letters.

    Returns:
        the gradient, shape [sequences, length, letters], not multiplied by the input.

    Raises:
        ValueError: for a representation without a head or a unit that it does not have.
    """
    if representation.head is None:
        raise ValueError("representation must have a head to take the gradient of an output unit, got none")
    head = np.asarray(representation.head)
    weights = jnp.asarray(unit_weights(head, unit, len(head)), float)
    return np.asarray(_gradients(representation.features, alphabet, representation.params, weights, tokens))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _gradients(features: Any, alphabet: Alphabet, params: Any, weights: Array, tokens: Any) -> Array:
    def output(one_hot: Array) -> Array:
        return features(params, one_hot) @ weights

    return jax.vmap(jax.grad(output))(alphabet.one_hot(jnp.asarray(tokens)))
