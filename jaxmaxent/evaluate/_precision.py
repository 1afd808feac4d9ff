"""How well energies are known: what β multiplies besides the differences that the network means.

The same sequence has slightly different energies in batches of different sizes, and on accelerators at different
precisions of matrix products, which is why these run at the highest (see `ensemble`). Networks with 16-bit outputs
round by far more. Where β times that noise is no longer small, proposals are accepted by the noise.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from jaxmaxent.ensembles import Ensemble, weighted_distance

# Sequences that are evaluated alone, for each anchor.
_SEQUENCES = 32


def energy_noise(
    ensemble: Ensemble, tokens: Int[Array, "anchors sequences length"], energies: Float[Array, "anchors sequences"]
) -> Float[np.ndarray, " anchors"]:
    """β times the noise of the energy, for each anchor; dimensionless.

    Args:
        ensemble: the ensemble, batched.
        tokens: sequences that were evaluated together.
        energies: their energies as evaluated then.

    Returns:
        β times the root mean square of what changes when each is evaluated alone, plus what the rounding of the
        network's outputs amounts to where they have fewer bits than the energy.
    """
    some = slice(0, _SEQUENCES)
    alone, rounding = _alone(ensemble, tokens[:, some])
    change = np.asarray(alone, np.float64) - np.asarray(energies, np.float64)[:, some]
    squares = np.square(change).mean(1) + np.square(np.asarray(rounding, np.float64)).mean(1)
    return np.asarray(ensemble.beta, np.float64) * np.sqrt(squares)


@functools.partial(jax.jit)
def _alone(
    ensemble: Ensemble, tokens: Int[Array, "anchors sequences length"]
) -> tuple[Float[Array, "anchors sequences"], Float[Array, "anchors sequences"]]:
    """Energies of sequences evaluated one by one, and the size of the rounding error in each."""

    def one(pair: tuple[Array, Array]) -> tuple[Array, Array]:
        single = ensemble.take(pair[0])
        features = single.representation(single.alphabet.one_hot(pair[1]))
        energy = single.distance(features)
        return energy, _rounding(features, single, energy)

    anchors = jnp.broadcast_to(jnp.arange(tokens.shape[0])[:, None], tokens.shape[:2])
    flat = jax.lax.map(one, (anchors.reshape(-1), tokens.reshape(-1, tokens.shape[-1])))
    return jax.tree.map(lambda leaf: leaf.reshape(tokens.shape[:2]), flat)


def _rounding(features: Shaped[Array, " features"], ensemble: Ensemble, energy: Float[Array, ""]) -> Float[Array, ""]:
    """Standard deviation of E from rounding every feature to its own bits, uniformly within half a unit."""
    kept = ensemble.reference.dtype
    if not jnp.issubdtype(features.dtype, jnp.inexact):  # whole numbers are exact
        return jnp.zeros((), kept)
    if jnp.finfo(features.dtype).bits >= jnp.finfo(kept).bits:
        return jnp.zeros((), kept)
    own = features.astype(kept)
    unit = jnp.exp2(jnp.frexp(own)[1].astype(kept) - 1) * jnp.finfo(features.dtype).eps
    share = ensemble.weights * (own - ensemble.reference) / jnp.maximum(energy, jnp.finfo(kept).tiny)
    return weighted_distance(ensemble.weights * share, unit) / jnp.sqrt(jnp.asarray(12, kept))
