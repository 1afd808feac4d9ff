"""Evaluation with the gradient of the energy: for rules that look at it before they propose."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.ensembles import Ensemble, weighted_distance
from jaxmaxent.evaluate._interface import Edit, write

# Nearer to the anchor than so many rounding errors of its weighted features, E has only the direction of those errors.
_ROUNDING = 64


class GradientCache(NamedTuple):
    """A sequence and ∂E/∂x at its one-hot x.

    The gradient is that of E, not of log p, so that it stays right when β or μ changes.
    """

    tokens: Int[Array, " length"]
    gradient: Float[Array, "length letters"]


class GradientEvaluator:
    """Runs the network on the edited sequence forwards and backwards; cache and patch are a `GradientCache`.

    At the cusp of E, the anchor and what differs from it by rounding, the gradient is defined as 0. Where it is not
    finite the energy is NaN: no proposal could be weighed there, and a chain that is stuck must not seem to rest.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], GradientCache]:
        """Energy of `tokens`, and they with their gradient as cache."""
        ensemble = self._ensemble
        one_hot = ensemble.alphabet.one_hot(tokens).astype(ensemble.reference.dtype)
        energy, gradient = jax.value_and_grad(ensemble.energy_of_one_hot)(one_hot)
        noise = _ROUNDING * jnp.finfo(energy.dtype).eps * weighted_distance(ensemble.reference, ensemble.weights)
        gradient = jnp.where(energy <= noise, 0, gradient)
        return jnp.where(jnp.isfinite(gradient).all(), energy, jnp.nan), GradientCache(tokens, gradient)

    def propose(self, cache: GradientCache, edit: Edit) -> tuple[Float[Array, ""], GradientCache]:
        """Energy after the edit, and the cache after it."""
        return self.init(write(cache.tokens, edit))

    def commit(self, cache: GradientCache, patch: GradientCache, accept: Bool[Array, ""]) -> GradientCache:
        """The patch where `accept`, else the cache."""
        return jax.tree.map(lambda new, old: jnp.where(accept, new, old), patch, cache)
