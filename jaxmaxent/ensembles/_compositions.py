"""Several networks at once: equal for all of them, or equal for one and different for another.

A composition is an ordinary ensemble. Its features are the features of all networks one after the other, its
parameters are the tuple of their parameters, and its metric computes E from the energies of its parts, each divided by
a scale of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from jaxmaxent import checks
from jaxmaxent.ensembles import _background as background
from jaxmaxent.ensembles._ensemble import Ensemble
from jaxmaxent.ensembles._fields import one_per_anchor
from jaxmaxent.ensembles._metrics import Metric
from jaxmaxent.ensembles._representation import JoinedFeatures

# Draws of the background whose mean energy is the scale of a part, and how many are evaluated at once.
_DRAWS, _TOGETHER = 256, 64


class PartWeights(NamedTuple):
    """The weights of `TogetherMetric`.

    Attributes:
        parts: the weights of each part, in the form of its metric.
        scales: the scale of each part's energy, shape [parts] or [anchors, parts].
    """

    parts: tuple[Any, ...]
    scales: Float[Array, "*anchors parts"]


class ContrastWeights(NamedTuple):
    """The weights of `ContrastMetric`.

    Attributes:
        parts: the weights of both parts, in the form of their metrics.
        scales: the scale of each part's energy, shape [2] or [anchors, 2].
        strength: the factor of the second part, shape [] or [anchors].
        far: the energy of the second part that is far enough, in units of its scale, shape [] or [anchors].
    """

    parts: tuple[Any, ...]
    scales: Float[Array, "*anchors parts"]
    strength: Float[Array, "*anchors"]
    far: Float[Array, "*anchors"]


class Part(NamedTuple):
    """One network of a composition.

    Attributes:
        metric: its metric.
        features: the number of its features.
        dtype: the name of the type in which its network gives them.
    """

    metric: Metric
    features: int
    dtype: str


@dataclasses.dataclass(frozen=True)
class _Composition(Metric):
    """A metric of the energies of parts, each with features, weights and a scale of its own."""

    parts: tuple[Part, ...]

    def scaled(
        self, features: Float[Array, " features"], reference: Any, weights: Any, *, flat: bool = False
    ) -> Float[Array, " parts"]:
        """Return the energies of all parts, each over its scale; `flat` sets gradients of rounding errors to 0."""
        found, ends = [], np.cumsum([part.features for part in self.parts])
        for part, end, own in zip(self.parts, ends, weights.parts, strict=True):
            its = slice(int(end) - part.features, int(end))
            energy = part.metric.flat if flat else part.metric
            found.append(energy(features[its], reference[its], own))
        return jnp.stack(found) / weights.scales

    def sizes(self, reference: Float[Array, " features"], weights: Any) -> Float[Array, " parts"]:
        """Return the sizes of the energies of all parts, each over its scale."""
        found, ends = [], np.cumsum([part.features for part in self.parts])
        for part, end, own in zip(self.parts, ends, weights.parts, strict=True):
            found.append(part.metric.size(reference[int(end) - part.features : int(end)], own))
        return jnp.stack(found) / weights.scales

    def joined(self, energies: Float[Array, " parts"], weights: Any) -> Float[Array, ""]:
        """Return E from the energies of the parts, each over its scale."""
        raise NotImplementedError

    def __call__(self, features: Float[Array, " features"], reference: Any, weights: Any) -> Float[Array, ""]:
        """Return E."""
        return self.joined(self.scaled(features, reference, weights), weights)

    def flat(self, features: Float[Array, " features"], reference: Any, weights: Any) -> Float[Array, ""]:
        """Return E, without the gradients of parts for which only rounding tells the sequence from the anchor."""
        return self.joined(self.scaled(features, reference, weights, flat=True), weights)

    def size(self, reference: Float[Array, " features"], weights: Any) -> Float[Array, ""]:
        """Return the size of E, whose rounding is at most that of all parts together."""
        return jnp.sum(self.sizes(reference, weights))

    def dtypes(self, own: Any, count: int) -> list[tuple[Any, int]]:
        """Return the types of the features of all parts; the vector of all of them has the widest of these."""
        del own, count
        return [pair for part in self.parts for pair in part.metric.dtypes(jnp.dtype(part.dtype), part.features)]


@dataclasses.dataclass(frozen=True)
class TogetherMetric(_Composition):
    """E is the largest or the sum of the energies of all parts, each over its scale; weights are `PartWeights`."""

    how: str

    @property
    def name(self) -> str:
        """The way and the names of the parts."""
        return f"{self.how} of {', '.join(part.metric.name for part in self.parts)}"

    def joined(self, energies: Float[Array, " parts"], weights: Any) -> Float[Array, ""]:
        """Return the largest, or the sum."""
        del weights
        return jnp.max(energies) if self.how == "max" else jnp.sum(energies)


@dataclasses.dataclass(frozen=True)
class ContrastMetric(_Composition):
    """E = E_a + strength · max(0, far − E_b), both energies over their scales; weights are `ContrastWeights`."""

    @property
    def name(self) -> str:
        """The names of the parts."""
        return f"contrast of {' and '.join(part.metric.name for part in self.parts)}"

    def joined(self, energies: Float[Array, " parts"], weights: Any) -> Float[Array, ""]:
        """Return E ≥ 0; at the anchor it is strength · far."""
        return energies[0] + weights.strength * jax.nn.relu(weights.far - energies[1])

    def apart(self, features: Float[Array, " features"], reference: Any, weights: Any) -> Float[Array, ""]:
        """Return how far the first network finds the sequence from the anchor."""
        count = self.parts[0].features
        return self.parts[0].metric.apart(features[:count], reference[:count], weights.parts[0])

    def size(self, reference: Float[Array, " features"], weights: Any) -> Float[Array, ""]:
        """Return the size of E, whose rounding is at most that of all its terms together."""
        equal, different = self.sizes(reference, weights)
        return equal + weights.strength * (different + weights.far)


@jax.transfer_guard("allow")
def together(
    ensembles: Sequence[Ensemble], *, beta: ArrayLike, how: str = "max", scales: ArrayLike | None = None
) -> Ensemble:
    """Return the ensemble of the inputs that several networks treat as the same as the anchor.

    E is the largest of the networks' energies (how="max"), so that every network must agree, or their sum (how="sum"),
    so that one may make up for another. Energies of networks differ in size; each is first divided by a scale of its
    own. So E near 1 means: as different as random sequences.

    Args:
        ensembles: two or more, with the same anchors, alphabet, fields and fixed positions; their β's are ignored. A
            composition may be one of them.
        beta: β ≥ 0 of the result, one number or one per anchor.
        how: "max" or "sum".
        scales: the scale of each energy, > 0, shape [ensembles] or [anchors, ensembles]. None takes the mean energy of
            256 draws of the background, to three digits.

    Returns:
        an ordinary `Ensemble`, whose E has no unit.

    Raises:
        ValueError: if the ensembles differ in anything but the network, naming what, or for bad input.

    Example:
        ```python
        both = together([Ensemble.create(one, anchor, beta=1), Ensemble.create(other, anchor, beta=1)], beta=20.0)
        ```
    """
    given = _checked(checks.several("ensembles", ensembles, "ensembles"))
    if not isinstance(how, str) or how not in ("max", "sum"):
        raise ValueError(f'how must be "max" or "sum", got {checks.shown(how)}')
    weights = PartWeights(tuple(one.weights for one in given), _scales(given, scales))
    return _composed(given, beta, TogetherMetric(_parts(given), how), weights)


@jax.transfer_guard("allow")
def contrast(
    equal: Ensemble,
    different: Ensemble,
    *,
    beta: ArrayLike,
    strength: ArrayLike = 1.0,
    far: ArrayLike = 1.0,
    scales: ArrayLike | None = None,
) -> Ensemble:
    """Return the ensemble of the inputs that one network treats as the same as the anchor, and another one does not.

        E = E_a / s_a + strength · max(0, far − E_b / s_b)

    a is the network of `equal`, b that of `different`, and s are scales. The second term is 0 once b finds a sequence
    as far from the anchor as `far` says, so that nothing is gained by going on. E is strength · far at the anchor
    itself: to b it is no different. What the draws keep is what a needs and b does not.

    Args:
        equal: the ensemble of the network a.
        different: that of the network b, with the same anchors, alphabet, fields and fixed positions; both β's are
            ignored. To use several networks on one side, give a composition by `together`.
        beta: β ≥ 0 of the result, one number or one per anchor.
        strength: how much one scale of b counts against one scale of a, > 0, one number or one per anchor.
        far: the energy of b that is far enough, in units of its scale, > 0, one number or one per anchor. 1 is the
            mean of the background, as far as random sequences are.
        scales: the scales s_a and s_b, > 0, shape [2] or [anchors, 2]. None takes the mean energy of 256 draws of
            the background, to three digits.

    Returns:
        an ordinary `Ensemble`, whose E has no unit.

    Raises:
        ValueError: if the ensembles differ in anything but the network, naming what, or for bad input.

    Example:
        ```python
        only = contrast(Ensemble.create(one, anchor, beta=1), Ensemble.create(other, anchor, beta=1), beta=20.0)
        ```
    """
    given = _checked([equal, different])
    batch, kind = given[0].anchor.shape[:-1], _kind(given)
    numbers = {}
    for name, value in (("strength", strength), ("far", far)):
        array = checks.factor(name, value, at_least=0)
        if not (array > 0).all():
            raise ValueError(f"{name} must be above 0, got {array.min():g}")
        numbers[name] = one_per_anchor(name, array, batch).astype(kind)
    weights = ContrastWeights(tuple(one.weights for one in given), _scales(given, scales), **numbers)
    return _composed(given, beta, ContrastMetric(_parts(given)), weights)


def _composed(given: list[Ensemble], beta: Any, metric: Metric, weights: Any) -> Ensemble:
    first, kind = given[0], _kind(given)
    return first.replace(  # pyright: ignore[reportAttributeAccessIssue]
        params=tuple(one.params for one in given),
        reference=jnp.concatenate([one.reference.astype(kind) for one in given], axis=-1),
        weights=weights,
        beta=one_per_anchor("beta", checks.factor("beta", beta, at_least=0), first.anchor.shape[:-1]),
        features=JoinedFeatures(tuple(one.features for one in given)),
        metric=metric,
    )


def _kind(given: list[Ensemble]) -> Any:
    """Return the type of energies: the widest of all."""
    return jnp.result_type(*(one.reference.dtype for one in given))


def _parts(given: list[Ensemble]) -> tuple[Part, ...]:
    def part(one: Ensemble) -> Part:
        shape = jax.ShapeDtypeStruct((one.length, len(one.alphabet)), one.beta.dtype)
        return Part(one.metric, one.reference.shape[-1], str(jax.eval_shape(one.representation, shape).dtype))

    return tuple(part(one) for one in given)


def _scales(given: list[Ensemble], scales: Any) -> Float[Array, "*anchors parts"]:
    batch = given[0].anchor.shape[:-1]
    if scales is None:
        found = np.stack([_mean_energies(one, number) for number, one in enumerate(given)], axis=-1)
    else:
        found = checks.factor("scales", scales)
        if found.shape not in ((len(given),), (*batch, len(given))):
            either = " or ".join(dict.fromkeys(str([*some, len(given)]) for some in ((), batch)))
            raise ValueError(f"scales must have shape {either}, got {list(found.shape)}")
        if not (found > 0).all():
            raise ValueError(f"scales must be above 0, got {found.min():g}")
    return jnp.asarray(np.broadcast_to(found, (*batch, len(given))), _kind(given))


def _mean_energies(ensemble: Ensemble, number: int) -> Float[np.ndarray, "*anchors"]:
    """Return the mean energy of the background for every anchor, to three digits."""
    batch = ensemble.batched()
    means = [float(_mean_energy(batch.take(a), jax.random.key(0))) for a in range(batch.anchors)]
    wrong = [a for a, mean in enumerate(means) if not (np.isfinite(mean) and mean > 0)]
    if wrong:
        raise ValueError(
            f"scales must be given, because the mean energy of ensemble {number} at β = 0 is {means[wrong[0]]:g} at "
            f"anchor {wrong[0]}"
        )
    # Not more digits: a run must go on where another machine adds up in another order.
    return np.array([float(f"{mean:.3g}") for mean in means]).reshape(ensemble.anchor.shape[:-1])


@jax.jit
def _mean_energy(ensemble: Ensemble, key: Any) -> Float[Array, ""]:
    rows: Int[Array, "draws length"] = background.draw(key, ensemble, _DRAWS)
    return jax.lax.map(ensemble.energy, rows, batch_size=_TOGETHER).mean()


def _checked(given: list[Any]) -> list[Ensemble]:
    """Return ensembles that differ in nothing but the network and β; ValueError, naming what differs, for others."""
    if len(given) < 2:
        raise ValueError(f"ensembles must be two or more, got {len(given)}")
    for one in given:
        if not isinstance(one, Ensemble):
            raise ValueError(f"ensembles must hold Ensembles, got {type(one).__name__}")
    first = given[0]
    for number, one in enumerate(given[1:], 1):
        what = _difference(first, one)
        if what is not None:
            raise ValueError(f"ensembles must have the same {what}, but ensemble {number} has another than ensemble 0")
    return given


def _difference(one: Ensemble, other: Ensemble) -> str | None:
    """Return the word for the first thing in which two ensembles differ, apart from their networks and β."""

    def differ(a: Any, b: Any) -> bool:
        return a.shape != b.shape or not np.array_equal(np.asarray(a), np.asarray(b))

    if one.alphabet.letters != other.alphabet.letters:
        return f"alphabet ({one.alphabet.letters!r})"
    if differ(one.anchor, other.anchor):
        return "anchors"
    if differ(one.movable, other.movable) or (one.held is None) != (other.held is None):
        return "fixed positions"
    if one.held is not None and differ(one.held, other.held):
        return "fixed positions"
    if [field.name for field in one.fields] != [field.name for field in other.fields]:
        return f"fields ({', '.join(field.name for field in one.fields) or 'none'})"
    for field, its in zip(one.fields, other.fields, strict=True):
        leaves, theirs = jax.tree.flatten(field), jax.tree.flatten(its)
        if leaves[1] != theirs[1] or any(differ(a, b) for a, b in zip(leaves[0], theirs[0], strict=True)):
            return f"field {field.name!r}"
    return None
