"""Evaluation with the gradient of the energy, for rules whose proposals depend on it."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate._interface import Edit, write


class GradientCache(NamedTuple):
    """A sequence and ∂E/∂x at its one-hot x.

    It holds the gradient of E, not of log p, so it stays valid when β or μ changes.
    """

    tokens: Int[Array, " length"]
    gradient: Float[Array, "length letters"]


class GradientEvaluator:
    """Runs the network forwards and backwards on the edited sequence; cache and patch are a `GradientCache`.

    E has a cusp at the anchor. There, and where features differ from the anchor's by rounding only, the gradient is
    defined as 0. If the gradient is not finite, the energy is NaN, because no proposal can be weighed there. The run
    then stops; otherwise it would show a chain that does not move.

    Example:
        ```python
        energy, cache = GradientEvaluator(ensemble).init(ensemble.anchor)
        cache.gradient  # ∂E/∂x, shape [length, letters]
        ```
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], GradientCache]:
        """Return the energy of `tokens`, and the tokens with their gradient as cache."""
        ensemble = self._ensemble
        one_hot = ensemble.alphabet.one_hot(tokens).astype(ensemble.reference.dtype)

        def flat_energy(one_hot: Array) -> Array:
            features = ensemble.representation(one_hot).astype(ensemble.reference.dtype)
            return ensemble.metric.flat(features, ensemble.reference, ensemble.weights)

        energy, gradient = jax.value_and_grad(flat_energy)(one_hot)
        # Here too, because 0 times a gradient of the network that is not finite would be NaN.
        gradient = jnp.where(energy <= ensemble.metric.noise(ensemble.reference, ensemble.weights), 0, gradient)
        return jnp.where(jnp.isfinite(gradient).all(), energy, jnp.nan), GradientCache(tokens, gradient)

    def propose(self, cache: GradientCache, edit: Edit) -> tuple[Float[Array, ""], GradientCache]:
        """Return the energy after the edit, and the cache of the edited sequence as patch."""
        return self.init(write(cache.tokens, edit))

    def commit(self, cache: GradientCache, patch: GradientCache, accept: Bool[Array, ""]) -> GradientCache:
        """Return the patch if `accept`, else the cache."""
        return jax.tree.map(lambda new, old: jnp.where(accept, new, old), patch, cache)
