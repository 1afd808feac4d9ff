"""Enumeration of small ensembles: all sequences, and the probability of each."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from jaxmaxent.ensembles import Ensemble

# There is a limit, because a transition matrix has as many entries as the square of the number of sequences.
_MOST = 2**13


def enumerate_states(ensemble: Ensemble) -> Int[np.ndarray, "states length"]:
    """Return all sequences of an ensemble's length and alphabet. The last position changes fastest.

    Raises:
        ValueError: if there are more than 8,192 sequences.

    Example:
        ```python
        enumerate_states(ensemble)  # of length 2 and the letters 01: [[0, 0], [0, 1], [1, 0], [1, 1]]
        ```
    """
    letters = len(ensemble.alphabet)
    if letters**ensemble.length > _MOST:
        raise ValueError(
            f"ensemble must have at most {_MOST:,} sequences to be enumerated, got {letters}^{ensemble.length}"
        )
    return np.stack(np.unravel_index(np.arange(letters**ensemble.length), (letters,) * ensemble.length), 1)


def distribution(ensemble: Ensemble) -> Float[np.ndarray, " states"]:
    """Return the probability of every sequence in an ensemble of one anchor, in the order of `enumerate_states`.

    It is 0 for sequences that differ from the anchor at a held position.

    Example:
        ```python
        assert distribution(ensemble).sum() == pytest.approx(1)
        ```
    """
    states = enumerate_states(ensemble)
    log_weights = np.asarray(_log_weights(ensemble, jnp.asarray(states, jnp.int32)), np.float64)
    held = np.setdiff1d(np.arange(ensemble.length), np.asarray(ensemble.movable))
    inside = (states[:, held] == np.asarray(ensemble.anchor)[held]).all(1)
    weights = np.where(inside, np.exp(log_weights - log_weights[inside].max()), 0)
    return weights / weights.sum()


@jax.jit
def _log_weights(ensemble: Ensemble, states: Int[jax.Array, "states length"]) -> Float[jax.Array, " states"]:
    return jax.vmap(ensemble.log_weight)(states)


def numbers_of(tokens: ArrayLike, letters: int) -> Int[np.ndarray, "*sequences"]:
    """Return the indices of sequences in the result of `enumerate_states`."""
    digits = np.moveaxis(np.asarray(tokens), -1, 0)
    return np.asarray(np.ravel_multi_index(tuple(digits), (letters,) * len(digits)))
