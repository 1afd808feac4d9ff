"""Transposition proposals: the letters of two positions trade places."""

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
    """The letters of two uniform movable positions trade places, however far apart.

    The composition does not change, so a composition field never opposes a transposition. For the same reason
    transpositions alone do not reach every sequence: use the rule in a `Mixture` with one that does. In statistical
    physics the move is Kawasaki's (Phys Rev 145: 224–230, 1966), there between neighbours.

    Raises:
        ValueError: when it is used with fewer than 2 positions that may move.

    Example:
        ```python
        run = sample(key, ensemble, rule=Mixture.create([Site(), Transposition()]))
        ```
    """

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Int[Array, " 2"]:
        """Draw two different movable positions, uniformly."""
        movable = ensemble.movable.shape[0]
        if movable < 2:
            raise ValueError(f"fixed must leave at least 2 positions that may move for a Transposition, got {movable}")
        key_first, key_second = jax.random.split(key)
        first = jax.random.randint(key_first, (), 0, movable)
        second = (first + jax.random.randint(key_second, (), 1, movable)) % movable
        return ensemble.movable[jnp.stack([first, second])]

    def draw(self, key: Key[Array, ""], where: Int[Array, " 2"], ensemble: Ensemble) -> tuple[()]:
        """Return nothing: all is shared."""
        del key, where, ensemble
        return ()

    def what(self, drawn: tuple[()], state: State, where: Int[Array, " 2"], ensemble: Ensemble) -> Edit:
        """Return the edit that writes each letter at the other position."""
        del drawn, ensemble
        return Edit(where, read(state.tokens, where, 1)[::-1])

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """Return 0: the proposal is symmetric."""
        del state, edit, patch
        return jnp.zeros((), ensemble.beta.dtype)
