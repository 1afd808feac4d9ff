"""Metrics: the formulas by which features and the features of the anchor give the energy E.

A metric is a small object without arrays, so it is a static part of an ensemble. Its numbers are in the weights of the
ensemble, whose form belongs to the metric.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent import checks
from jaxmaxent.ensembles._distance import distance_weights, output_weights, weighted_distance

# E may be smaller than this number of rounding errors of the anchor's features. Then nothing but these errors tells the
# sequence from the anchor.
_ROUNDING = 64
EUCLIDEAN, OUTPUT, COSINE = "euclidean", "output", "cosine"


class Metric:
    """The form of all metrics: E ≥ 0 from the features Φ(x), those of the anchor, and weights."""

    @property
    def name(self) -> str:
        """The name of the metric, for messages and for the check that a run goes on with the same one."""
        raise NotImplementedError

    def __call__(self, features: Float[Array, " features"], reference: Any, weights: Any) -> Float[Array, ""]:
        """Return E; its gradient is 0 where E is 0."""
        raise NotImplementedError

    def apart(self, features: Float[Array, " features"], reference: Any, weights: Any) -> Float[Array, ""]:
        """Return how far from the anchor the sequence is, 0 at the anchor: E, but for a contrast."""
        return self(features, reference, weights)

    def size(self, reference: Float[Array, " features"], weights: Any) -> Float[Array, ""]:
        """Return the size of energies against which their rounding errors are measured.

        If every feature has a relative error of at most ε, the error of E is at most about ε times this size.
        """
        raise NotImplementedError

    def noise(self, reference: Float[Array, " features"], weights: Any, errors: int = _ROUNDING) -> Float[Array, ""]:
        """Return the energy up to which a sequence may differ from the anchor by so many rounding errors only."""
        return errors * jnp.finfo(reference.dtype).eps * self.size(reference, weights)

    def flat(self, features: Float[Array, " features"], reference: Any, weights: Any) -> Float[Array, ""]:
        """Return E, with gradient 0 where only rounding errors tell the sequence from the anchor."""
        energy = self(features, reference, weights)
        return jnp.where(energy <= self.noise(reference, weights), jax.lax.stop_gradient(energy), energy)

    def dtypes(self, own: Any, count: int) -> list[tuple[Any, int]]:
        """Return the types of the features as the network gives them, each with the number of its features.

        Args:
            own: the type of the vector of features.
            count: the number of features.
        """
        return [(own, count)]

    def steps(self, features: Float[Array, " features"], own: Any) -> Float[Array, " features"]:
        """Return the distance of each feature to the next number of the network's type; 0 where that is exact.

        Args:
            features: Φ(x) in the type of energies.
            own: the type of the features as the network gives them.
        """
        kept = jnp.finfo(features.dtype)
        scale = jnp.exp2(jnp.frexp(features)[1].astype(features.dtype) - 1)
        coarse = [
            np.full(n, jnp.finfo(kind).eps if _is_rounded(kind, kept) else 0.0)
            for kind, n in self.dtypes(own, features.shape[0])
        ]
        return scale * jnp.asarray(np.concatenate(coarse), features.dtype)


def _is_rounded(kind: Any, kept: Any) -> bool:
    """Return whether a type has fewer bits than energies; whole numbers are exact."""
    return jnp.issubdtype(kind, jnp.inexact) and jnp.finfo(kind).bits < kept.bits


@dataclasses.dataclass(frozen=True)
class EuclideanMetric(Metric):
    """E = sqrt(Σ_i [w_i (Φ_i(x) − Φ_i(x0))]²); the weights are w, shape [features]."""

    @property
    def name(self) -> str:
        """The word for it."""
        return EUCLIDEAN

    def __call__(self, features: Float[Array, " features"], reference: Any, weights: Any) -> Float[Array, ""]:
        """Return E."""
        return weighted_distance(features - reference, weights)

    def size(self, reference: Float[Array, " features"], weights: Any) -> Float[Array, ""]:
        """Return the length of the anchor's weighted features."""
        return weighted_distance(reference, weights)


class OutputWeights(NamedTuple):
    """The weights of `OutputMetric`.

    Attributes:
        head: the columns of the chosen units, shape [features, units]; shared by all anchors.
        each: one weight per unit, shape [units] or [anchors, units].
    """

    head: Float[Array, "features units"]
    each: Float[Array, "*anchors units"]


@dataclasses.dataclass(frozen=True)
class OutputMetric(Metric):
    """E = sqrt(Σ_u [w_u (o_u(x) − o_u(x0))]²), o = Wᵀ Φ; the weights are `OutputWeights`."""

    @property
    def name(self) -> str:
        """The word for it."""
        return OUTPUT

    def __call__(self, features: Float[Array, " features"], reference: Any, weights: Any) -> Float[Array, ""]:
        """Return E; the difference is taken of the features, so that it is exactly 0 at the anchor."""
        change = jnp.dot(features - reference, weights.head, precision="highest")
        return weighted_distance(change, weights.each)

    def size(self, reference: Float[Array, " features"], weights: Any) -> Float[Array, ""]:
        """Return the length of the outputs if no term of their sums cancelled another."""
        terms = jnp.dot(jnp.abs(reference), jnp.abs(weights.head), precision="highest")
        return weighted_distance(terms, weights.each)


@dataclasses.dataclass(frozen=True)
class CosineMetric(Metric):
    """E = sqrt(2 − 2 cos α), α the angle between w Φ(x) and w Φ(x0); from 0 to 2.

    It is the distance of the two directions on the unit sphere, 2 sin(α/2), so it grows linearly in α near 0, as the
    Euclidean distance does. Features that are all 0 have no direction; their E is sqrt(2), that of a right angle.
    """

    @property
    def name(self) -> str:
        """The word for it."""
        return COSINE

    def __call__(self, features: Float[Array, " features"], reference: Any, weights: Any) -> Float[Array, ""]:
        """Return E.

        2 − 2 cos α would lose small angles in the rounding of 1. They come from the part of w Φ(x) at right angles to
        w Φ(x0), whose length is |w Φ(x)| sin α. The change has the same part; near the anchor it is the smaller vector
        of the two, so it has the smaller rounding errors, and it is exactly 0 at the anchor.
        """
        ones, change = jnp.ones_like(reference), features - reference
        length = weighted_distance(features, weights)
        zero = length == 0
        length = jnp.where(zero, 1, length)
        there = weights * reference / weighted_distance(reference, weights)
        here = weights * features / length
        cosine = jnp.dot(here, there, precision="highest")
        close = weighted_distance(change, weights) < length
        shorter = jnp.where(close, weights * change / jnp.where(close, length, 1), here)
        across = shorter - jnp.dot(shorter, there, precision="highest") * there
        acute = cosine >= 0
        # sin α = 2 sin(α/2) cos(α/2), and cos²(α/2) = (1 + cos α) / 2.
        near = weighted_distance(across, ones) * jnp.sqrt(2 / (1 + jnp.where(acute, cosine, 0)))
        far = jnp.sqrt(2 - 2 * jnp.where(acute, 0, cosine))
        right = jnp.asarray(np.sqrt(2), reference.dtype)
        return jnp.where(zero, right, jnp.where(acute, near, far))

    def size(self, reference: Float[Array, " features"], weights: Any) -> Float[Array, ""]:
        """Return 1: relative errors of features are errors of an angle."""
        return jnp.ones((), reference.dtype)


@dataclasses.dataclass(frozen=True)
class FunctionMetric(Metric):
    """E as a function of (features, reference, weights) that a user gave; the weights are w, shape [features].

    Its gradient is taken as 0 where E is 0, whatever the function's own gradient is there.
    """

    function: Callable[..., Array]

    @property
    def name(self) -> str:
        """The name of the function."""
        named = self.function.func if isinstance(self.function, functools.partial) else self.function
        kind = named if hasattr(named, "__qualname__") else type(named)
        return f"{kind.__module__}.{kind.__qualname__}"

    def __call__(self, features: Float[Array, " features"], reference: Any, weights: Any) -> Float[Array, ""]:
        """Return E."""
        return _flat_at_zero(self.function, features, reference, weights)

    def size(self, reference: Float[Array, " features"], weights: Any) -> Float[Array, ""]:
        """Return an estimate: E of the anchor's features with small relative changes, over the size of these."""
        least = _ROUNDING * float(jnp.finfo(reference.dtype).eps)
        signs = np.where(np.arange(reference.shape[0]) % 2, -1.0, 1.0)
        tried = [reference * jnp.asarray(1 + least * s, reference.dtype) for s in (signs, -signs, np.ones_like(signs))]
        return jnp.max(jnp.stack([self(one, reference, weights) for one in tried])) / least


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _flat_at_zero(function: Callable[..., Array], features: Array, reference: Array, weights: Array) -> Array:
    return _precise(function, features, reference, weights)


def _precise(function: Callable[..., Array], features: Array, reference: Array, weights: Array) -> Array:
    # As in the network itself, products must not be rounded to the few bits that accelerators take by default.
    with jax.default_matmul_precision("highest"):
        return function(features, reference, weights).astype(reference.dtype)


@_flat_at_zero.defjvp
def _slopes(function: Callable[..., Array], primals: Any, tangents: Any) -> tuple[Array, Array]:
    value, slopes = jax.value_and_grad(functools.partial(_precise, function), argnums=(0, 1, 2))(*primals)
    # Chosen before the product: 0 times a gradient that is infinite at a cusp would be NaN.
    terms = [
        jnp.vdot(jnp.where(value == 0, 0, slope), tangent) for slope, tangent in zip(slopes, tangents, strict=True)
    ]
    return value, sum(terms, start=jnp.zeros((), value.dtype))


def chosen_metric(
    distance: Any, head: Any, unit: Any, weights: Any, reference: Float[Array, "*anchors features"]
) -> tuple[Metric, Any]:
    """Return the metric that is asked for, and its weights; functions are not yet checked.

    Raises:
        ValueError: for another word, a function that cannot be hashed, and units or weights that do not fit.
    """
    kind = reference.dtype
    if isinstance(distance, str) and distance == OUTPUT:
        columns, each = output_weights(head, unit, weights, reference.shape)
        if columns is not None:
            return OutputMetric(), OutputWeights(jnp.asarray(columns, kind), jnp.asarray(each, kind))
        return EuclideanMetric(), jnp.asarray(each, kind)  # the features are the outputs
    if isinstance(distance, str) and distance in (EUCLIDEAN, COSINE):
        metric = EuclideanMetric() if distance == EUCLIDEAN else CosineMetric()
    elif callable(distance):
        metric = FunctionMetric(distance)  # pyright: ignore[reportArgumentType]
        try:
            hash(metric)
        except TypeError as error:
            raise ValueError(f"distance must be a hashable function, but: {error}") from error
    else:
        raise ValueError(
            f'distance must be "euclidean", "output", "cosine" or a function of (features, reference, weights), '
            f"got {checks.shown(distance)}"
        )
    w = jnp.asarray(distance_weights(head, unit, weights, reference.shape), kind)
    if distance == COSINE and not np.asarray(jnp.any(w * reference != 0, axis=-1)).all():
        raise ValueError(
            'distance "cosine" needs weighted features that are not all 0 at the anchor, got only zeros: '
            "they have no direction"
        )
    return metric, w


def check_function(
    metric: FunctionMetric,
    reference: Float[Array, "anchors features"],
    weights: Float[Array, "anchors features"],
    some: Float[Array, "sequences features"],
) -> None:
    """Raise ValueError unless a function gives 0 at every anchor, and finite numbers ≥ 0 for some other features."""

    def value(features: Array, anchor: int) -> float:
        return float(_called(metric.function, features, reference[anchor], weights[anchor]))

    shape = list(reference.shape[1:])
    with jax.default_matmul_precision("highest"):
        for anchor in range(len(reference)):
            own = value(reference[anchor], anchor)
            if own != 0:
                raise ValueError(f"distance must be exactly 0 at the anchor, got {own:g} for features of shape {shape}")
        for number, features in enumerate(some):
            found = value(features, number % len(reference))
            if not np.isfinite(found) or found < 0:
                raise ValueError(f"distance must be finite and ≥ 0, got {found:g} for features of shape {shape}")


def _called(function: Callable[..., Array], *given: Array) -> Array:
    """Return the result of a user's function; ValueError, in one sentence, if it fails or is no real scalar."""
    try:
        made = jax.eval_shape(function, *given)
    except Exception as error:
        said = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise ValueError(
            f"distance must be a function of (features, reference, weights) made of JAX operations, but: {said}"
        ) from error
    if not isinstance(made, jax.ShapeDtypeStruct) or made.shape != () or not jnp.issubdtype(made.dtype, jnp.floating):
        raise ValueError(f"distance must return one real number, a float of shape [], got {checks.shown(made)}")
    return function(*given)
