"""In-silico mutagenesis: the change of the output when one letter is replaced."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent.attribution._inputs import CHUNK, Question, chunks, output, question
from jaxmaxent.ensembles import Alphabet, Representation


def mutagenesis(
    representation: Representation,
    tokens: Int[np.ndarray, "sequences length"],
    *,
    unit: int | tuple[int, int] | None = None,
    alphabet: Alphabet | None = None,
    chunk: int = CHUNK,
) -> Float[np.ndarray, "sequences length letters"]:
    """Return the change of an output unit when the letter at one position is replaced.

    The method is that of Zhou & Troyanskaya (Nature Methods 12:931-934, 2015). The network is evaluated once for each
    sequence and once for each of its length × (letters − 1) single mutants.

        worth = loss_of_letters(mutagenesis(network, tokens))

    Args:
        representation: a network with a head.
        tokens: sequences, shape [sequences, length].
        unit: the output unit, or a pair (a, b) for the log-ratio of two classes; see `saliency`.
        alphabet: the letters; None takes those of the representation, or DNA.
        chunk: number of mutants evaluated at a time, which bounds the memory.

    Returns:
        output of the mutant minus output of the sequence, shape [sequences, length, letters]; 0 at the letters of the
        sequence itself. `loss_of_letters` turns it into one number per position.

    Raises:
        ValueError: for the reasons of `saliency`.
    """
    asked = question(representation, tokens, unit, alphabet, chunk)
    found = np.zeros_like(asked.one_hot)
    own = np.empty(len(found), found.dtype)
    for rows, used in chunks(len(found), asked.chunk):
        own[rows[:used]] = _outputs(*asked.network, asked.one_hot[rows])[:used]
    sequences, length, letters = found.shape
    for mutants, used in chunks(sequences * length * (letters - 1), asked.chunk):
        where, changed = _mutants(asked, mutants)
        outputs = np.asarray(_outputs(*asked.network, changed))
        found[tuple(index[:used] for index in where)] = (outputs - own[where[0]])[:used]
    return found


def loss_of_letters(
    changes: Float[np.ndarray, "sequences length letters"],
) -> Float[np.ndarray, "sequences length"]:
    """Return, for each position, the output of the sequence minus the mean output over all letters at that position.

    Args:
        changes: the result of `mutagenesis`, shape [sequences, length, letters].

    Returns:
        minus the mean over the letters, shape [sequences, length], in units of the output. For a linear network it
        equals integrated gradients with the uniform baseline.

    Example:
        >>> attribution.loss_of_letters(attribution.mutagenesis(network, tokens, unit=0)).shape
        (3, 24)
    """
    return -np.asarray(changes).mean(-1)


def _mutants(asked: Question, mutants: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """Return sequence, position and new letter of the mutants with these numbers, and their one-hot arrays."""
    _, length, letters = asked.one_hot.shape
    sites, shift = np.divmod(mutants, letters - 1)
    sequence, position = np.divmod(sites, length)
    letter = (asked.tokens[sequence, position].astype(int) + 1 + shift) % letters
    one_hot = asked.one_hot[sequence]
    one_hot[np.arange(len(mutants)), position] = np.eye(letters, dtype=one_hot.dtype)[letter]
    return (sequence, position, letter), one_hot


@functools.partial(jax.jit, static_argnums=0)
def _outputs(features: Any, params: Any, weights: Array, one_hot: Any) -> Float[Array, " chunk"]:
    return jax.vmap(functools.partial(output, features, params, weights))(jnp.asarray(one_hot))
