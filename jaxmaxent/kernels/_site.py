"""Single-site proposals: one position, another letter."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, read
from jaxmaxent.kernels._metropolis import State, Unlearned
from jaxmaxent.kernels._rule_dataclass import rule_dataclass

# With two letters the only proposal is a flip. If every flip were accepted, the parity of the number of ones would
# alternate for ever and the chain would be periodic, so one proposal in 16 keeps the letter.
BINARY_LAZINESS = 1 / 16


@rule_dataclass
class Site(Unlearned):
    """A uniform movable position, and a uniform letter among the others there.

    It is the proposal of the published sampler (Finnegan & Song, PLoS Comput Biol 13(10): e1005836, 2017). With two
    letters one proposal in 16 keeps the letter, so that no chain is periodic.

    Example:
        ```python
        run = sample(key, ensemble, rule=Site())
        ```
    """

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Int[Array, " 1"]:
        """Draw a movable position, uniformly."""
        return ensemble.movable[jax.random.randint(key, (1,), 0, ensemble.movable.shape[0])]

    def draw(self, key: Key[Array, ""], where: Int[Array, " 1"], ensemble: Ensemble) -> Int[Array, "1 1"]:
        """Draw how far the letter moves along the alphabet, uniformly."""
        letters, kind = len(ensemble.alphabet), where.dtype
        if letters == 2:
            return jax.random.bernoulli(key, 1 - BINARY_LAZINESS, (1, 1)).astype(kind)
        # A remainder favours a letter by less than letters / 2^32. `jax.random.randint`, which is exact for
        # ranges near 2^32 too, costs four times as many hashes.
        return 1 + (jax.random.bits(key, (1, 1), jnp.uint32) % (letters - 1)).astype(kind)

    def what(self, drawn: Int[Array, "1 1"], state: State, where: Int[Array, " 1"], ensemble: Ensemble) -> Edit:
        """Return the edit that writes another letter, all of them alike."""
        current = read(state.tokens, where, 1)
        return Edit(where, (current + drawn.astype(current.dtype)) % len(ensemble.alphabet))

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """Return 0: the proposal is symmetric."""
        del state, edit, patch
        return jnp.zeros((), ensemble.beta.dtype)
