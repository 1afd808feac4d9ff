"""Full evaluation: every proposal runs the whole network forwards. All other evaluators must agree with this one."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate._interface import Edit, read, write


class FullEvaluator:
    """Runs the network on the edited sequence; the cache is the sequence itself, and the patch is the edit.

    Example:
        ```python
        energy, cache = FullEvaluator(ensemble).init(ensemble.anchor)
        ```
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], Int[Array, " length"]]:
        """Return the energy of `tokens`, and the tokens as cache."""
        return self._ensemble.energy(tokens), tokens

    def propose(self, cache: Int[Array, " length"], edit: Edit) -> tuple[Float[Array, ""], Edit]:
        """Return the energy after the edit, and the edit as patch."""
        return self._ensemble.energy(write(cache, edit)), edit

    def commit(self, cache: Int[Array, " length"], patch: Edit, accept: Bool[Array, ""]) -> Int[Array, " length"]:
        """Return the sequence; it contains the edit if `accept` is True."""
        here = read(cache, patch.starts, patch.letters.shape[1])
        return write(cache, Edit(patch.starts, jnp.where(accept, patch.letters, here)))
