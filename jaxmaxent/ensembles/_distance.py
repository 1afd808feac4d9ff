"""The energy E(x): the weighted distance between the features of a sequence and those of its anchor.

E(x) = sqrt( Σ_i [ w_i (Φ_i(x) − Φ_i(x0)) ]² )
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent import checks


def weighted_distance(difference: Float[Array, " features"], weights: Float[Array, " features"]) -> Float[Array, ""]:
    """Return sqrt(Σ (w d)²), with gradient 0 where it is 0 (the norm has a cusp there and its derivative is NaN).

    The terms are divided by the largest before they are squared: squares of 1e-23 or 1e20 leave the range of float32.
    """
    terms = weights * difference
    # The result does not depend on the scale, so no gradient has to pass through it.
    scale = jax.lax.stop_gradient(jnp.max(jnp.abs(terms)))
    zero = scale == 0  # not `scale > 0`, which would turn a NaN into distance 0
    squares = jnp.sum(jnp.square(terms / jnp.where(zero, 1, scale)))
    return jnp.where(zero, 0, scale * jnp.sqrt(jnp.where(zero, 1, squares)))


def distance_weights(head: Any, unit: Any, weights: Any, shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """Return w of shape `shape`: as it was given, from output units of the head, or all ones.

    Raises:
        ValueError: for a unit and weights together, a unit without a head, weights of another shape or all 0.
    """
    features = shape[-1]
    if weights is not None:
        if unit is not None:
            raise ValueError(f"give unit or weights, not both, got unit={checks.shown(unit)} and weights")
        w = checks.factor("weights", weights)
        if w.shape not in ((features,), shape):
            raise ValueError(f"weights must have shape [{features}] or {list(shape)}, got {list(w.shape)}")
    elif head is None:
        if unit is not None:
            raise ValueError(f"unit needs a representation with a head, got unit={checks.shown(unit)} and no head")
        w = np.ones(features)
    else:
        w = unit_weights(checks.finite_array("head", head), unit, features)
    if not w.any(axis=-1).all():
        raise ValueError("weights must not all be 0, got only zeros: every input would be at distance 0")
    return np.broadcast_to(w, shape)


def unit_weights(head: Float[np.ndarray, "..."], unit: Any, features: int) -> Float[np.ndarray, " features"]:
    """Return w of an output unit, W[:, k], or of a pair, W[:, a] − W[:, b]; `head` is W of shape [features, units].

    Raises:
        ValueError: for a head of another shape, a unit that it does not have, or no unit where it has more than two.
    """
    if head.ndim != 2 or head.shape[0] != features:
        raise ValueError(f"head must have shape [{features}, units], got {list(head.shape)}")
    units = head.shape[1]
    if unit is None:
        if units > 2:
            raise ValueError(f"unit must be chosen, a unit or a pair: the head has {units} units")
        unit = 0 if units == 1 else (1, 0)
    pair = isinstance(unit, tuple | list)
    chosen = [checks.integer("unit", u, at_least=0) for u in (unit if pair else [unit])]
    if len(chosen) > 2 or max(chosen) >= units or len(set(chosen)) != len(chosen):
        raise ValueError(f"unit must be one of 0 to {units - 1} or a pair of two of them, got {checks.shown(unit)}")
    return head[:, chosen[0]] - head[:, chosen[1]] if pair and len(chosen) == 2 else head[:, chosen[0]]
