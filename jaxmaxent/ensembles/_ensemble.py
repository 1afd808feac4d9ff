"""What is sampled: the maximum entropy distribution of inputs anchored at x0.

    p(x) ∝ exp( −β E(x) + Σ_k μ_k N_k(x) ),    E(x) = sqrt( Σ_i [ w_i (Φ_i(x) − Φ_i(x0)) ]² )

(Finnegan & Song, PLoS Comput Biol 13(10): e1005836, 2017). It is the distribution of largest entropy among those
with its mean distance ⟨E⟩ (multiplier β) and its mean counts ⟨N_k⟩ (multipliers μ_k).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent import checks
from jaxmaxent.ensembles import _network_errors as network_errors
from jaxmaxent.ensembles._alphabet import DNA, Alphabet, checked_alphabet
from jaxmaxent.ensembles._fields import Field, split_forbidden


class Representation(NamedTuple):
    """A network seen as a pure function, whatever framework it comes from.

    Attributes:
        features: `features(params, one_hot[length, letters]) -> [features]`, pure, of ONE sequence. Keep the
            function and reuse it: a new lambda is a new program to compile.
        params: a pytree of arrays, the first argument of `features`.
        head: weights from the features to the output units, shape [features, units], or None.
        alphabet: the letters whose order the one-hot has, or None if the ensemble is to say it.
    """

    features: Callable[[Any, Array], Array]
    params: Any = None
    head: Any = None
    alphabet: Alphabet | None = None


@dataclasses.dataclass(frozen=True)
class _WithoutParams:
    """A plain function of one sequence in the form `features(params, one_hot)`."""

    function: Callable[[Array], Array]

    def __call__(self, params: Any, one_hot: Array) -> Array:
        del params
        return self.function(one_hot)


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


@struct.dataclass
class Ensemble:
    """p(x) ∝ exp(−β E(x) + Σ μ_k N_k(x)) for one anchor, or for several side by side.

    Everything that is a parameter of the distribution is an array leaf, so another β, μ, anchor or checkpoint of
    the same network runs the program that is compiled already. Make one with `Ensemble.create`.

    Attributes:
        params: the network's parameters, shared by all anchors.
        anchor: tokens, int32, shape [length] or [anchors, length].
        reference: Φ(x0), shape [features] or [anchors, features].
        weights: w, shape [features] or [anchors, features].
        beta: β, shape [] or [anchors]; the inverse of the resolution in units of E.
        fields: the terms μ_k N_k; each `mu` has shape [] or [anchors].
        movable: positions that may change, int32, shape [movable]; the same for all anchors.
        features: the representation's function (static).
        alphabet: the letters (static).
    """

    params: Any
    anchor: Int[Array, "*anchors length"]
    reference: Float[Array, "*anchors features"]
    weights: Float[Array, "*anchors features"]
    beta: Float[Array, "*anchors"]
    fields: tuple[Field, ...]
    movable: Int[Array, " movable"]
    features: Callable[[Any, Array], Array] = struct.field(pytree_node=False)
    alphabet: Alphabet = struct.field(pytree_node=False)

    @classmethod
    @jax.transfer_guard("allow")
    def create(
        cls,
        representation: Representation | Callable[[Array], Array],
        anchor: str | Sequence[str] | Int[np.ndarray, "*anchors length"],
        *,
        beta: Any,
        unit: int | tuple[int, int] | None = None,
        weights: Any = None,
        fields: Sequence[Field] = (),
        fixed: Any = None,
        alphabet: Alphabet | None = None,
    ) -> Ensemble:
        """Build the ensemble around one or several anchors.

        Args:
            representation: a `Representation`, or a plain function one_hot[length, letters] -> [features].
            anchor: the inputs to interpret: a string, strings of equal length, or tokens of shape [length] or
                [anchors, length]; a one-hot goes through `Alphabet.from_one_hot`.
            beta: β ≥ 0, one number or one an anchor.
            unit: whose weights scale the features: output unit k for w = W[:, k], or a pair (a, b) for
                w = W[:, a] − W[:, b], which makes E a distance in the log-ratio of the two classes. May be left
                out for a head with one unit (that unit) or two (their pair).
            weights: w itself, shape [features] or [anchors, features], instead of `unit`; all ones if the
                representation has no head.
            fields: the fields, each with its μ.
            fixed: positions held at the anchor's letters: indices, or a boolean mask of shape [length].
            alphabet: the letters of the sequences; those of the representation, or else DNA, if None.

        Raises:
            ValueError: for bad input, in one sentence that names the argument.
        """
        if not isinstance(representation, Representation):
            if not callable(representation):
                raise ValueError(
                    f"representation must be a Representation or a function of one one-hot sequence, "
                    f"got {type(representation).__name__}"
                )
            representation = Representation(_WithoutParams(representation))
        alphabet = _alphabet(representation.alphabet, alphabet)
        tokens = alphabet.read("anchor", anchor)
        checks.finite_parameters("params", representation.params)
        reference = _reference(representation, tokens, alphabet)
        batch = tokens.shape[:-1]
        w = _weights(representation.head, unit, weights, reference.shape)
        length = tokens.shape[-1]
        given = checks.several("fields", fields, "fields such as composition('GC')")
        checked = tuple(_checked_field(field, batch, length, alphabet) for field in given)
        if len({field.name for field in checked}) < len(checked):
            raise ValueError(f"fields must have different names, got {[field.name for field in checked]}")
        settled = _check_allowed(checked, tokens, alphabet)
        return cls(
            params=jax.device_put(representation.params),  # once, not in every call of what is compiled
            anchor=jnp.asarray(tokens, jnp.int32),
            reference=reference,
            weights=jnp.asarray(w, reference.dtype),
            beta=_per_anchor("beta", checks.factor("beta", beta, at_least=0), batch),
            fields=checked,
            movable=jnp.asarray(_movable(fixed, settled), jnp.int32),
            features=representation.features,
            alphabet=alphabet,
        )

    @property
    def anchors(self) -> int:
        """How many anchors stand side by side (1 for a single one)."""
        return 1 if self.anchor.ndim == 1 else self.anchor.shape[0]

    @property
    def length(self) -> int:
        """Length of the sequences."""
        return self.anchor.shape[-1]

    @jax.transfer_guard("allow")
    def with_beta(self, beta: Any) -> Ensemble:
        """The same ensemble at another β ≥ 0, one number or one an anchor."""
        checked = checks.factor("beta", beta, at_least=0)
        return self.replace(beta=_per_anchor("beta", checked, self.anchor.shape[:-1]))  # pyright: ignore

    @jax.transfer_guard("allow")
    def with_mu(self, mu: Any, field: int = 0) -> Ensemble:
        """The same ensemble with another μ, one number or one an anchor, for one of its fields."""
        if isinstance(field, bool) or not isinstance(field, int | np.integer) or not 0 <= field < len(self.fields):
            raise ValueError(f"field must be the index of one of {len(self.fields)} fields, got {checks.shown(field)}")
        value = _per_anchor("mu", checks.factor("mu", mu), self.anchor.shape[:-1])
        fields = list(self.fields)
        fields[field] = fields[field].replace(mu=value)  # pyright: ignore[reportAttributeAccessIssue]
        return self.replace(fields=tuple(fields))  # pyright: ignore[reportAttributeAccessIssue]

    @jax.transfer_guard("allow")
    def take(self, indices: Any) -> Ensemble:
        """The ensembles of some of the anchors, by an array of indices; of one anchor by one index."""
        if not isinstance(indices, jax.Array):
            chosen = np.asarray(indices)
            if not np.issubdtype(chosen.dtype, np.integer) or not ((chosen >= 0) & (chosen < self.anchors)).all():
                raise ValueError(
                    f"indices must be whole numbers from 0 to {self.anchors - 1}, got {checks.shown(indices)}"
                )
            indices = chosen
        batch, axes = self.batched(), self.anchor_axes()
        return jax.tree.map(lambda leaf, axis: leaf[indices] if axis == 0 else leaf, batch, axes)

    def batched(self) -> Ensemble:
        """The same ensemble with a leading axis of anchors on every leaf that belongs to an anchor."""
        if self.anchor.ndim == 2:
            return self
        return jax.tree.map(lambda leaf, axis: leaf[None] if axis == 0 else leaf, self, self.anchor_axes())

    def anchor_axes(self) -> Any:
        """The `in_axes` of `jax.vmap` over anchors: 0 on every leaf that belongs to one anchor, else None."""
        own = {"anchor", "reference", "weights", "beta", "mu"}

        def axis(path: Any, leaf: Any) -> int | None:
            del leaf
            names = [getattr(key, "name", None) for key in path]
            return 0 if names[0] in own or (names[0] == "fields" and names[-1] == "mu") else None

        # None is what vmap wants and what a pytree leaves out, so the marks are made as numbers first.
        return jax.tree_util.tree_map_with_path(axis, self)

    def energy(self, tokens: Int[Array, " length"]) -> Float[Array, ""]:
        """E(x) ≥ 0 of one sequence; for an ensemble of one anchor."""
        return self.energy_of_one_hot(self.alphabet.one_hot(tokens))

    def energy_of_one_hot(self, one_hot: Float[Array, "length letters"]) -> Float[Array, ""]:
        """E of one sequence as its one-hot, which is what E has a gradient in; at the anchor the gradient is 0."""
        return self.distance(self.representation(one_hot))

    def representation(self, one_hot: Float[Array, "length letters"]) -> Float[Array, " features"]:
        """Φ of one one-hot sequence, as the network returns it."""
        return _run_network(self.features, self.params, one_hot)

    def distance(self, features: Float[Array, " features"]) -> Float[Array, ""]:
        """E of the sequence with these features Φ(x)."""
        if self.anchor.ndim != 1:
            raise ValueError(
                f"an energy is that of one anchor, but this ensemble has {self.anchors}; take(i) gives one"
            )
        # Networks with bfloat16 outputs are compared in float32: their own 8 bits would swamp the distance.
        return weighted_distance(features.astype(self.reference.dtype) - self.reference, self.weights)

    def counts(self, tokens: Int[Array, " length"]) -> Float[Array, " fields"]:
        """N_k(x) of one sequence, shape [fields]."""
        return jnp.array([field.count(tokens) for field in self.fields], self.beta.dtype).reshape(-1)

    def mu(self) -> Float[Array, " fields"]:
        """μ_k, shape [fields]; for an ensemble of one anchor."""
        return jnp.array([field.mu for field in self.fields], self.beta.dtype).reshape(-1)

    def log_weight(self, tokens: Int[Array, " length"]) -> Float[Array, ""]:
        """log p(x) up to a constant, −β E(x) + Σ μ_k N_k(x); for an ensemble of one anchor.

        −∞ for a forbidden letter. Fixed positions are not looked at: a sequence that differs there has weight 0.
        """
        weight = -self.beta * self.energy(tokens) + self.mu() @ self.counts(tokens)
        return weight if self.forbidden() is None else jnp.where(self.allows(tokens), weight, -jnp.inf)

    def forbidden(self) -> Bool[Array, "length letters"] | None:
        """Return which letters the fields forbid at each position, None if they forbid none."""
        masks = [field.forbidden for field in self.fields if field.forbidden is not None]
        return functools.reduce(jnp.logical_or, masks) if masks else None

    def allows(self, tokens: Int[Array, " length"]) -> Bool[Array, ""]:
        """Return whether no letter of a sequence is forbidden."""
        forbidden = self.forbidden()
        if forbidden is None:
            return jnp.ones((), bool)
        return ~jnp.any(forbidden & jax.nn.one_hot(tokens, forbidden.shape[1], dtype=bool))


def _reference(representation: Representation, tokens: np.ndarray, alphabet: Alphabet) -> jax.Array:
    """Φ(x0) of every anchor, at least in float32."""

    def one(row: jax.Array) -> jax.Array:
        return representation.features(representation.params, alphabet.one_hot(row))

    if not callable(representation.features):
        raise ValueError(
            f"representation must have a function for its features, got {checks.shown(representation.features)}"
        )
    first = jnp.asarray(tokens.reshape(-1, tokens.shape[-1])[0])
    try:
        hash(representation.features)
    except TypeError as error:
        raise ValueError(f"representation must be a hashable function, but: {error}") from error
    with network_errors.in_words(tokens.shape[-1], len(alphabet)):
        shape = jax.eval_shape(one, first)
    if not isinstance(shape, jax.ShapeDtypeStruct) or len(shape.shape) != 1:
        raise ValueError(
            f"representation must return one vector [features] for a sequence of shape "
            f"[{tokens.shape[-1]}, {len(alphabet)}], got {shape}"
        )
    if not any(jnp.issubdtype(shape.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_)):
        raise ValueError(
            f"representation must return real numbers, got {shape.dtype}; return real and imaginary parts side by side "
            f"for complex ones"
        )
    rows = jnp.asarray(tokens.reshape(-1, tokens.shape[-1]))
    with network_errors.in_words(tokens.shape[-1], len(alphabet)):
        reference = jax.block_until_ready(_features_of(representation.features, alphabet, representation.params, rows))
    # Energies then have the precision of β, whatever that of the network.
    reference = reference.astype(jnp.promote_types(reference.dtype, jnp.result_type(float)))
    bad = np.flatnonzero(~np.isfinite(np.asarray(reference)).all(-1))
    if bad.size:
        raise ValueError(f"representation must be finite at the anchors, but is not at anchor {bad[0]}")
    return reference.reshape(*tokens.shape[:-1], -1)


def _weights(head: Any, unit: Any, weights: Any, shape: tuple[int, ...]) -> np.ndarray:
    """w of shape `shape`, from itself, from output units of the head, or all ones."""
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


@functools.partial(jax.jit, static_argnums=(0, 1))
def _features_of(features: Any, alphabet: Alphabet, params: Any, rows: jax.Array) -> jax.Array:
    # One anchor at a time: the memory of a thousand anchors must not be that of a thousand forward passes.
    return jax.lax.map(lambda row: _run_network(features, params, alphabet.one_hot(row)), rows)


def _run_network(features: Any, params: Any, one_hot: Array) -> Array:
    # The default of GPUs and TPUs rounds factors to 10 or 8 bits, and β multiplies what that does to E.
    with jax.default_matmul_precision("highest"):
        return features(params, one_hot)


def _alphabet(own: Alphabet | None, wanted: Alphabet | None) -> Alphabet:
    for given in (own, wanted):
        if given is not None:
            checked_alphabet(given)
    if own is not None and wanted is not None and own.letters != wanted.letters:
        raise ValueError(f"alphabet must be that of the representation, {own.letters!r}, got {wanted.letters!r}")
    return wanted or own or DNA


def unit_weights(head: np.ndarray, unit: Any, features: int) -> np.ndarray:
    """w of an output unit, W[:, k], or of a pair of them, W[:, a] − W[:, b]; `head` is W of shape [features, units]."""
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


def _per_anchor(name: str, value: np.ndarray, batch: tuple[int, ...]) -> jax.Array:
    if value.shape not in ((), batch):
        expected = f"one number or shape {list(batch)}" if batch else "one number"
        raise ValueError(f"{name} must be {expected}, got shape {list(value.shape)}")
    return jnp.asarray(np.broadcast_to(value, batch), float)


def _checked_field(field: Any, batch: tuple[int, ...], length: int, alphabet: Alphabet) -> Field:
    if not isinstance(field, Field):
        raise ValueError(f"fields must hold fields such as composition('GC'), got {type(field).__name__}")
    unary, forbidden = split_forbidden("field.unary", field.unary)
    pair = None if field.pair is None else checks.finite_array("field.pair", field.pair)
    if pair is not None and pair.shape != (len(alphabet), len(alphabet)):
        raise ValueError(f"field {field.name!r} must have pairs of shape [{len(alphabet)}] * 2, got {list(pair.shape)}")
    if unary.shape not in ((len(alphabet),), (length, len(alphabet))):
        raise ValueError(
            f"field {field.name!r} must have a table of shape [{len(alphabet)}] or [{length}, {len(alphabet)}], "
            f"got {list(unary.shape)}"
        )
    mu = _per_anchor("mu", checks.factor("mu", field.mu), batch)
    tables = {"unary": jnp.asarray(unary, float), "pair": None if pair is None else jnp.asarray(pair, float)}
    tables["forbidden"] = _forbidden(forbidden, field.forbidden, (length, len(alphabet)))
    return field.replace(mu=mu, **tables)  # pyright: ignore[reportAttributeAccessIssue]


def _forbidden(by_score: Any, given: Any, shape: tuple[int, int]) -> jax.Array | None:
    """Return the letters that a field forbids, by a score of −∞ or as it says itself."""
    masks = [np.broadcast_to(np.asarray(mask, bool), shape) for mask in (by_score, given) if mask is not None]
    return jnp.asarray(np.logical_or.reduce(masks)) if masks else None


def _check_allowed(fields: tuple[Field, ...], tokens: np.ndarray, alphabet: Alphabet) -> np.ndarray:
    """Return at which positions a single letter is allowed; ValueError if the fields forbid a letter of an anchor."""
    masks = [np.asarray(field.forbidden) for field in fields if field.forbidden is not None]
    forbidden = np.logical_or.reduce([np.zeros((tokens.shape[-1], len(alphabet)), bool), *masks])
    rows = tokens.reshape(-1, tokens.shape[-1])
    wrong = forbidden[np.arange(rows.shape[1]), rows]
    if wrong.any():
        anchor, position = np.argwhere(wrong)[0]
        raise ValueError(
            f"fields must not forbid a letter of the anchor, but {alphabet.letters[rows[anchor, position]]!r} at "
            f"position {position} of anchor {anchor} has a score of −∞"
        )
    return (~forbidden).sum(1) == 1


def _movable(fixed: Any, settled: Bool[np.ndarray, " length"]) -> Int[np.ndarray, " movable"]:
    """Return the positions that are neither fixed nor settled, because a single letter is allowed there."""
    length, mask = len(settled), settled.copy()
    if fixed is not None:
        given = np.asarray(fixed)
        if given.dtype == bool and given.shape != (length,):
            raise ValueError(f"fixed must be a mask of shape [{length}], got {list(given.shape)}")
        whole = given.dtype == bool or np.issubdtype(given.dtype, np.integer) or given.size == 0
        if not whole or given.ndim != 1:
            raise ValueError(f"fixed must be positions or a boolean mask, got {checks.shown(fixed)}")
        if given.dtype != bool and given.size and not (given.min() >= 0 and given.max() < length):
            raise ValueError(f"fixed must hold positions 0 to {length - 1}, got {given.tolist()}")
        if given.dtype != bool and given.shape == (length,) and length > 2 and np.isin(given, (0, 1)).all():
            raise ValueError(f"fixed must be positions or a mask of True and False, got {length} numbers 0 and 1")
        mask[given if given.size else []] = True
    if mask.all():
        raise ValueError(f"fixed must leave a position that may move, but it and the fields hold all {length}")
    return np.flatnonzero(~mask)
