"""Swap proposals: two positions exchange their letters."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, read
from jaxmaxent.kernels._metropolis import State, Unlearned
from jaxmaxent.kernels._rule_dataclass import rule_dataclass


@rule_dataclass
class Transposition(Unlearned):
    """Two uniform movable positions, however far apart, exchange their letters.

    The composition stays as it is, so composition fields never stand against a swap; and so swaps alone do not reach
    every sequence. Use it in a `Mixture` with a rule that does.

    Raises:
        ValueError: when it is used where fewer than 2 positions may move.
    """

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Int[Array, " 2"]:
        """Two different movable positions, uniformly."""
        movable = ensemble.movable.shape[0]
        if movable < 2:
            raise ValueError(f"fixed must leave at least 2 positions that may move for a Transposition, got {movable}")
        key_first, key_second = jax.random.split(key)
        first = jax.random.randint(key_first, (), 0, movable)
        second = (first + jax.random.randint(key_second, (), 1, movable)) % movable
        return ensemble.movable[jnp.stack([first, second])]

    def what(self, key: Key[Array, ""], state: State, where: Int[Array, " 2"], ensemble: Ensemble) -> Edit:
        """Each the other's letter."""
        del key, ensemble
        return Edit(where, read(state.tokens, where, 1)[::-1])

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """0: the proposal is symmetric."""
        del state, edit, patch
        return jnp.zeros((), ensemble.beta.dtype)
