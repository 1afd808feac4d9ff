"""The weighted length of a difference of features, and the weights, from output units or as they are given.

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
    # The result does not depend on the scale, so no gradient has to pass through it. It is not 0 if all terms are 0.
    sizes = jnp.maximum(jnp.abs(terms), jnp.finfo(terms.dtype).tiny)
    scale = jax.lax.stop_gradient(jnp.max(sizes))
    squares = jnp.sum(jnp.square(terms / scale))
    zero = squares == 0  # not `squares > 0`, which would turn a NaN into distance 0
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
    units = _checked_head(head, features).shape[1]
    if unit is None:
        if units > 2:
            raise ValueError(f"unit must be chosen, a unit or a pair: the head has {units} units")
        unit = 0 if units == 1 else (1, 0)
    pair = isinstance(unit, tuple | list)
    chosen = [checks.integer("unit", u, at_least=0) for u in (unit if pair else [unit])]
    if len(chosen) > 2 or max(chosen) >= units or len(set(chosen)) != len(chosen):
        raise ValueError(f"unit must be one of 0 to {units - 1} or a pair of two of them, got {checks.shown(unit)}")
    return head[:, chosen[0]] - head[:, chosen[1]] if pair and len(chosen) == 2 else head[:, chosen[0]]


def output_weights(
    head: Any, unit: Any, weights: Any, shape: tuple[int, ...]
) -> tuple[Float[np.ndarray, "features units"] | None, Float[np.ndarray, "..."]]:
    """Return the columns of the head for the chosen output units, and one weight per unit, [*anchors, units].

    Without a head the features are the outputs: there are no columns, and one weight per feature.

    Raises:
        ValueError: for a unit without a head or that it does not have, and for weights of another shape or all 0.
    """
    columns = None
    if head is None:
        if unit is not None:
            raise ValueError(f"unit needs a representation with a head, got unit={checks.shown(unit)} and no head")
        outputs = shape[-1]
    else:
        columns = _checked_head(checks.finite_array("head", head), shape[-1])
        columns = columns[:, _output_units(unit, columns.shape[1])]
        outputs = columns.shape[1]
        if not columns.any():
            raise ValueError("head must not have only zeros for the chosen units: every input would be at distance 0")
    wanted = (*shape[:-1], outputs)
    each = np.ones(outputs) if weights is None else checks.factor("weights", weights)
    if each.shape not in ((outputs,), wanted):
        either = " or ".join(dict.fromkeys(str(list(one)) for one in ((outputs,), wanted)))
        raise ValueError(f"weights must be one per output, of shape {either}, got {list(each.shape)}")
    if not each.any(axis=-1).all():
        raise ValueError("weights must not all be 0, got only zeros: every input would be at distance 0")
    return columns, np.broadcast_to(each, wanted)


def _output_units(unit: Any, units: int) -> list[int]:
    """Return the indices of the chosen units, all of them if `unit` is None."""
    if unit is None:
        return list(range(units))
    chosen = [checks.integer("unit", u, at_least=0) for u in (unit if isinstance(unit, tuple | list) else [unit])]
    if not chosen or max(chosen) >= units or len(set(chosen)) != len(chosen):
        raise ValueError(f"unit must be one of 0 to {units - 1} or several of them, got {checks.shown(unit)}")
    return chosen


def _checked_head(head: Float[np.ndarray, "..."], features: int) -> Float[np.ndarray, "features units"]:
    if head.ndim != 2 or head.shape[0] != features or not head.shape[1]:
        raise ValueError(f"head must have shape [{features}, units], got {list(head.shape)}")
    return head
