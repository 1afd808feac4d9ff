"""Full evaluation: a forward pass of the whole network for every proposal. The reference for every other way."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.ensemble import Ensemble


class Patch(NamedTuple):
    """Letters to write, and where."""

    start: Int[Array, ""]
    letters: Int[Array, " width"]


class FullEvaluator:
    """Runs the network on the edited sequence. The cache is the sequence itself."""

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], Int[Array, " length"]]:
        """Energy of `tokens`, and the tokens as cache."""
        return self._ensemble.energy(tokens), tokens

    def propose(
        self, cache: Int[Array, " length"], start: Int[Array, ""], letters: Int[Array, " width"]
    ) -> tuple[Float[Array, ""], Patch]:
        """Energy after writing `letters` at `start`."""
        return self._ensemble.energy(write(cache, start, letters)), Patch(start, letters)

    def commit(self, cache: Int[Array, " length"], patch: Patch, accept: Bool[Array, ""]) -> Int[Array, " length"]:
        """The sequence with the patch where `accept`."""
        here = read(cache, patch.start, patch.letters.shape[0])
        return write(cache, patch.start, jnp.where(accept, patch.letters, here))


def read(tokens: Int[Array, " length"], start: Int[Array, ""], width: int) -> Int[Array, " width"]:
    """The `width` letters from `start`."""
    return jax.lax.dynamic_slice(tokens, (start,), (width,))


def write(tokens: Int[Array, " length"], start: Int[Array, ""], letters: Int[Array, " width"]) -> Int[Array, " length"]:
    """`tokens` with `letters` from `start`."""
    return jax.lax.dynamic_update_slice(tokens, letters, (start,))
