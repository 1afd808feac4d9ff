"""The precision of energies: β multiplies their noise as well as their differences.

The same sequence has slightly different energies in batches of different sizes. On accelerators the energy also depends
on the precision of matrix products. It is the highest, unless `product_noise` shows that the next one, which takes half
the time, makes no difference. Networks with 16-bit outputs have much larger rounding errors. If β times this noise is
not small, noise decides which proposals are accepted.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from jaxmaxent.ensembles import Ensemble, weighted_distance
from jaxmaxent.ensembles._representation import RoundedFeatures

# The number of sequences per anchor that are evaluated one by one.
_SEQUENCES = 32
# Products of three passes in 16 bits on a TPU, of numbers rounded to 10 bits on a GPU of NVIDIA; those of a CPU are
# the same. Full products take six passes, or units of a GPU that are several times slower.
ROUNDED = "high"
# Letters of a mutant that differ from the anchor, at most.
_MOST_MUTATIONS = 8


def energy_noise(
    ensemble: Ensemble, tokens: Int[Array, "anchors sequences length"], energies: Float[Array, "anchors sequences"]
) -> Float[np.ndarray, " anchors"]:
    """Return β times the noise of the energy, for each anchor; dimensionless.

    Args:
        ensemble: the ensemble, batched.
        tokens: sequences that were evaluated together.
        energies: the energies of that evaluation.

    Returns:
        β times the root mean square of two errors together: the change of the energy when a sequence is evaluated
        alone, and the rounding of the network's outputs if they have fewer bits than the energy.

    Example:
        ```python
        energies = jax.vmap(ensemble.take(0).energy)(tokens[0])[None]
        energy_noise(ensemble, tokens, energies)  # far below 1 for reliable energies
        ```
    """
    some = slice(0, _SEQUENCES)
    alone, rounding = _alone(ensemble, tokens[:, some])
    change = np.asarray(alone, np.float64) - np.asarray(energies, np.float64)[:, some]
    squares = np.square(change).mean(1) + np.square(np.asarray(rounding, np.float64)).mean(1)
    return np.asarray(ensemble.beta, np.float64) * np.sqrt(squares)


def rounded(ensemble: Ensemble) -> Ensemble:
    """Return the ensemble with matrix products of the precision `ROUNDED` in its network."""
    return ensemble.replace(features=RoundedFeatures(ensemble.features, ROUNDED))  # pyright: ignore[reportAttributeAccessIssue]


def product_noise(ensemble: Ensemble) -> Float[np.ndarray, " anchors"]:
    """Return β times the error that rounded matrix products make in the energy, for each anchor; dimensionless.

    Args:
        ensemble: the ensemble, batched.

    Returns:
        β times the root mean square of the change of the energy, of mutants of the anchor or of random sequences,
        whichever is larger: the energy of a mutant is a small difference of large numbers. NaN if energies are not
        finite.
    """
    tokens = _sequences(np.asarray(ensemble.anchor), len(ensemble.alphabet))
    full, rough = (np.asarray(_together(one, tokens), np.float64) for one in (ensemble, rounded(ensemble)))
    squares = np.square(rough - full).reshape(len(full), 2, -1).mean(2)
    return np.asarray(ensemble.beta, np.float64) * np.sqrt(squares.max(1))


def _sequences(anchors: Int[np.ndarray, "anchors length"], letters: int) -> Int[np.ndarray, "anchors sequences length"]:
    """Return the anchor itself and mutants of it, then as many random sequences; the same ones each time."""
    rng = np.random.default_rng(0)
    count, length = _SEQUENCES // 2, anchors.shape[1]
    random = rng.integers(0, letters, (2, count, length))
    ranks = rng.random((count, length)).argsort(1).argsort(1)
    changed = ranks < (np.arange(count) % (_MOST_MUTATIONS + 1))[:, None]
    mutants = np.where(changed, random[0], anchors[:, None])
    others = np.broadcast_to(random[1], mutants.shape)
    return np.concatenate([mutants, others], axis=1).astype(np.int32)


@jax.jit
def _together(ensemble: Ensemble, tokens: Int[Array, "anchors sequences length"]) -> Float[Array, "anchors sequences"]:
    """Return the energies of sequences that are evaluated together, anchor by anchor."""

    def of_anchor(anchor: Array) -> Array:
        return jax.vmap(ensemble.take(anchor).energy)(tokens[anchor])

    return jax.lax.map(of_anchor, jnp.arange(tokens.shape[0]))


@functools.partial(jax.jit)
def _alone(
    ensemble: Ensemble, tokens: Int[Array, "anchors sequences length"]
) -> tuple[Float[Array, "anchors sequences"], Float[Array, "anchors sequences"]]:
    """Return the energies of sequences evaluated one by one, and the size of the rounding error of each."""

    def one(pair: tuple[Array, Array]) -> tuple[Array, Array]:
        single = ensemble.take(pair[0])
        features = single.representation(single.alphabet.one_hot(pair[1]))
        energy = single.distance(features)
        return energy, _rounding(features, single)

    anchors = jnp.broadcast_to(jnp.arange(tokens.shape[0])[:, None], tokens.shape[:2])
    flat = jax.lax.map(one, (anchors.reshape(-1), tokens.reshape(-1, tokens.shape[-1])))
    return jax.tree.map(lambda leaf: leaf.reshape(tokens.shape[:2]), flat)


def _rounding(features: Shaped[Array, " features"], ensemble: Ensemble) -> Float[Array, ""]:
    """Return the standard deviation of E if each feature has a uniform rounding error up to half a unit."""
    own = features.astype(ensemble.reference.dtype)
    slopes = jax.grad(ensemble.metric)(own, ensemble.reference, ensemble.weights)
    steps = ensemble.metric.steps(own, features.dtype)
    return weighted_distance(slopes, steps) / jnp.sqrt(jnp.asarray(12, own.dtype))
