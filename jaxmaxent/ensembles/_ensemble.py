"""The maximum entropy distribution of inputs anchored at x0.

    p(x) ∝ exp( −β E(x) + Σ_k μ_k N_k(x) ),    E(x) = sqrt( Σ_i [ w_i (Φ_i(x) − Φ_i(x0)) ]² )

(Finnegan & Song, PLoS Comput Biol 13(10): e1005836, 2017). It is the distribution of largest entropy among those
with its mean distance ⟨E⟩ (multiplier β) and its mean counts ⟨N_k⟩ (multipliers μ_k). Other
formulas of E can take the place of this distance.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Shaped
from numpy.typing import ArrayLike

from jaxmaxent import checks
from jaxmaxent.ensembles import _summary as summary
from jaxmaxent.ensembles._alphabet import Alphabet
from jaxmaxent.ensembles._fields import Field, checked_field, one_per_anchor, settled_positions
from jaxmaxent.ensembles._held import held_positions
from jaxmaxent.ensembles._metrics import EUCLIDEAN, EuclideanMetric, FunctionMetric, check_function, chosen_metric
from jaxmaxent.ensembles._representation import (
    Representation,
    as_representation,
    chosen_alphabet,
    features_of_some,
    reference_features,
    run_network,
)


@struct.dataclass
class Ensemble:
    """p(x) ∝ exp(−β E(x) + Σ μ_k N_k(x)) for one anchor, or for several side by side.

    All parameters of the distribution are array leaves, so another β, μ, anchor or checkpoint of the same network runs
    the program that is compiled already. Make one with `Ensemble.create`.

    Attributes:
        params: the network's parameters, shared by all anchors.
        anchor: tokens, int32, shape [length] or [anchors, length].
        reference: Φ(x0), shape [features] or [anchors, features].
        weights: w, shape [features] or [anchors, features]; for a metric of another form, its numbers in that form.
        beta: β, shape [] or [anchors]; the inverse of the resolution in units of E.
        fields: the terms μ_k N_k; each `mu` has shape [] or [anchors].
        movable: positions that may change, int32, shape [movable]; of several anchors, those that may in any of them.
        features: the representation's function (static).
        alphabet: the letters (static).
        metric: the formula of E (static).
        held: True at the movable positions that an anchor holds, shape [anchors, length]; None if all anchors hold the
            same positions.

    Example:
        ```python
        ensemble = Ensemble.create(network, "ACGTTGCA", beta=10.0, fields=[composition("GC", 0.3)], fixed=[0, 7])
        ensemble.energy(ensemble.anchor)  # 0
        ```
    """

    params: Any
    anchor: Int[Array, "*anchors length"]
    reference: Float[Array, "*anchors features"]
    weights: Any
    beta: Float[Array, "*anchors"]
    fields: tuple[Field, ...]
    movable: Int[Array, " movable"]
    features: Callable[[Any, Array], Array] = struct.field(pytree_node=False)
    alphabet: Alphabet = struct.field(pytree_node=False)
    metric: Any = struct.field(pytree_node=False, default=EuclideanMetric())
    held: Bool[Array, "*anchors length"] | None = None

    @classmethod
    @jax.transfer_guard("allow")
    def create(
        cls,
        representation: Representation | Callable[[Array], Array],
        anchor: str | Sequence[str] | ArrayLike,
        *,
        beta: ArrayLike,
        unit: int | tuple[int, ...] | None = None,
        weights: ArrayLike | None = None,
        distance: str | Callable[..., Array] = EUCLIDEAN,
        fields: Sequence[Field] = (),
        fixed: ArrayLike | None = None,
        alphabet: Alphabet | None = None,
    ) -> Ensemble:
        """Return the ensemble of one or several anchors.

        Args:
            representation: a `Representation`, or a plain function one_hot[length, letters] -> [features].
            anchor: the inputs to interpret: a string, strings of equal length, or tokens of shape [length] or
                [anchors, length]; a one-hot goes through `Alphabet.from_one_hot`.
            beta: β ≥ 0, one number or one per anchor.
            unit: the output unit whose weights scale the features: k for w = W[:, k], or a pair (a, b) for
                w = W[:, a] − W[:, b], which makes E a distance in the log-ratio of the two classes. It may be left
                out for a head with one unit (that unit) or two (their pair).
            weights: w itself, shape [features] or [anchors, features], instead of `unit`; all ones if the
                representation has no head.
            distance: how E follows from the features.

                - "euclidean": the formula above, with w from `unit` or `weights`.
                - "output": sqrt(Σ_u [o_u(x) − o_u(x0)]²) of the outputs o = Wᵀ Φ themselves, before a softmax: of all
                  units of the head if `unit` is None, of one, or of a tuple of any number of them. Without a head the
                  features are the outputs. `weights` then has one weight per output. A pair (a, b) means both
                  outputs here, not their difference. Features that change without changing an output count here as
                  equal; "euclidean" sees every feature that the unit reads.
                - "cosine": sqrt(2 − 2 cos α), α the angle between the weighted features of x and x0; from 0 to 2, and
                  sqrt(2) for features that are all 0.
                - a function (features, reference, weights) -> E ≥ 0 of JAX operations, exactly 0 at the anchor. Its
                  gradient is taken as 0 where E is 0. Keep the function and reuse it.
            fields: the fields, each with its μ.
            fixed: positions held at the anchor's letters: indices; a boolean mask of shape [length], or of shape
                [anchors, length] for positions of each anchor; or a template of the anchor, or one per anchor, in which
                a letter holds its position and "." or N (the alphabet's `any_letter`) leaves it free. All anchors share
                the positions of proposals, so an anchor wastes those where it alone is held.
            alphabet: the letters of the sequences; those of the representation, or else DNA, if None.

        Raises:
            ValueError: for bad input, in one sentence that names the argument.
        """
        network = as_representation(representation)
        alphabet = chosen_alphabet(network.alphabet, alphabet)
        tokens = alphabet.read("anchor", anchor)
        checks.finite_parameters("params", network.params)
        reference = reference_features(network, tokens, alphabet)
        batch = tokens.shape[:-1]
        metric, w = chosen_metric(distance, network.head, unit, weights, reference)
        if isinstance(metric, FunctionMetric):
            rows = reference.reshape(-1, reference.shape[-1])
            some = features_of_some(network, tokens.shape[-1], alphabet).astype(reference.dtype)
            check_function(metric, rows, w.reshape(rows.shape), some)
        given = checks.several("fields", fields, "fields such as composition('GC')")
        checked = tuple(checked_field(field, tokens, alphabet) for field in given)
        if len({field.name for field in checked}) < len(checked):
            raise ValueError(f"fields must have different names, got {[field.name for field in checked]}")
        settled = settled_positions(checked, tokens, alphabet)
        movable, held = held_positions(fixed, settled, tokens, alphabet)
        return cls(
            params=jax.device_put(network.params),  # once, not in every call of a compiled program
            anchor=jnp.asarray(tokens, jnp.int32),
            reference=reference,
            weights=w,
            beta=one_per_anchor("beta", checks.factor("beta", beta, at_least=0), batch),
            fields=checked,
            movable=jnp.asarray(movable, jnp.int32),
            features=network.features,
            alphabet=alphabet,
            metric=metric,
            held=None if held is None else jnp.asarray(held),
        )

    def __repr__(self) -> str:
        return summary.line(self)

    def _repr_html_(self) -> str:
        return summary.table(self)

    @property
    def anchors(self) -> int:
        """The number of anchors side by side (1 for a single one)."""
        return 1 if self.anchor.ndim == 1 else self.anchor.shape[0]

    @property
    def length(self) -> int:
        """The length of the sequences."""
        return self.anchor.shape[-1]

    @jax.transfer_guard("allow")
    def with_beta(self, beta: ArrayLike) -> Ensemble:
        """Return the ensemble at another β ≥ 0, one number or one per anchor."""
        checked = checks.factor("beta", beta, at_least=0)
        return self.replace(beta=one_per_anchor("beta", checked, self.anchor.shape[:-1]))  # pyright: ignore

    @jax.transfer_guard("allow")
    def with_mu(self, mu: ArrayLike, field: int = 0) -> Ensemble:
        """Return the ensemble with another μ of one of its fields, one number or one per anchor."""
        if isinstance(field, bool) or not isinstance(field, int | np.integer) or not 0 <= field < len(self.fields):
            raise ValueError(f"field must be the index of one of {len(self.fields)} fields, got {checks.shown(field)}")
        value = one_per_anchor("mu", checks.factor("mu", mu), self.anchor.shape[:-1])
        fields = list(self.fields)
        fields[field] = fields[field].replace(mu=value)  # pyright: ignore[reportAttributeAccessIssue]
        return self.replace(fields=tuple(fields))  # pyright: ignore[reportAttributeAccessIssue]

    @jax.transfer_guard("allow")
    def take(self, indices: ArrayLike) -> Ensemble:
        """Return the ensemble of some of the anchors, by an array of indices, or of one anchor, by one index."""
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
        """Return the ensemble with a leading axis of anchors on every leaf that belongs to an anchor."""
        if self.anchor.ndim == 2:
            return self
        return jax.tree.map(lambda leaf, axis: leaf[None] if axis == 0 else leaf, self, self.anchor_axes())

    def anchor_axes(self) -> Any:
        """Return the `in_axes` of `jax.vmap` over anchors: 0 on every leaf that belongs to one anchor, else None."""
        own = {"anchor", "reference", "weights", "beta", "mu", "held"}

        def axis(path: Any, leaf: Any) -> int | None:
            del leaf
            names = [getattr(key, "name", None) for key in path]
            if names[0] == "weights" and names[-1] == "head":
                return None  # the columns of output units are the same for all anchors
            return 0 if names[0] in own or (names[0] == "fields" and names[-1] == "mu") else None

        # A None that `axis` returns stays a None in the tree, as vmap wants it.
        return jax.tree_util.tree_map_with_path(axis, self)

    def energy(self, tokens: Int[Array, " length"]) -> Float[Array, ""]:
        """Return E(x) ≥ 0 of one sequence; for an ensemble of one anchor."""
        return self.energy_of_one_hot(self.alphabet.one_hot(tokens))

    def energy_of_one_hot(self, one_hot: Float[Array, "length letters"]) -> Float[Array, ""]:
        """Return E of one sequence, given as a one-hot; its gradient with respect to the one-hot is 0 at the anchor."""
        return self.distance(self.representation(one_hot))

    def representation(self, one_hot: Float[Array, "length letters"]) -> Shaped[Array, " features"]:
        """Return Φ of one one-hot sequence, in the network's own type."""
        return run_network(self.features, self.params, one_hot)

    def distance(self, features: Shaped[Array, " features"]) -> Float[Array, ""]:
        """Return E of the sequence with these features Φ(x); for an ensemble of one anchor."""
        if self.anchor.ndim != 1:
            raise ValueError(
                f"an energy is that of one anchor, but this ensemble has {self.anchors}; take(i) gives one"
            )
        # Networks with bfloat16 outputs are compared in float32: their own 8 bits would swamp the distance.
        return self.metric(features.astype(self.reference.dtype), self.reference, self.weights)

    def anchor_energy(self) -> Float[Array, ""]:
        """Return E(x0), exactly 0 for a distance, not for a contrast; for an ensemble of one anchor."""
        return self.distance(self.reference)

    def counts(self, tokens: Int[Array, " length"]) -> Float[Array, " fields"]:
        """Return N_k(x) of one sequence, shape [fields]."""
        return jnp.array([field.count(tokens) for field in self.fields], self.beta.dtype).reshape(-1)

    def mu(self) -> Float[Array, " fields"]:
        """Return μ_k, shape [fields]; for an ensemble of one anchor."""
        return jnp.array([field.mu for field in self.fields], self.beta.dtype).reshape(-1)

    def log_weight(self, tokens: Int[Array, " length"]) -> Float[Array, ""]:
        """Return log p(x) up to a constant, −β E(x) + Σ μ_k N_k(x); for an ensemble of one anchor.

        It is −∞ for a forbidden letter. Fixed positions are not checked: p(x) is 0 for a sequence that differs there.
        """
        weight = -self.beta * self.energy(tokens) + self.mu() @ self.counts(tokens)
        return weight if self.forbidden() is None else jnp.where(self.allows(tokens), weight, -jnp.inf)

    def forbidden(self) -> Bool[Array, "length letters"] | None:
        """Return the mask of the letters that are forbidden at each position, None if there are none; for one anchor.

        Fields forbid letters, and an anchor that holds positions which others do not forbids all but its own there.
        """
        masks = [field.forbidden for field in self.fields if field.forbidden is not None]
        if self.held is not None:
            masks.append(self.held[:, None] & ~jax.nn.one_hot(self.anchor, len(self.alphabet), dtype=bool))
        return functools.reduce(jnp.logical_or, masks) if masks else None

    def moves(self, positions: Int[Array, "*some"]) -> Bool[Array, "*some"]:
        """Return True for positions of the sequence that may change; for one anchor."""
        if self.movable.shape[0] == self.length:  # a GPU would compare in an operation of its own
            free = jnp.ones(positions.shape, bool)
        else:
            free = (positions[..., None] == self.movable.reshape(*[1] * positions.ndim, -1)).any(-1)
        return free if self.held is None else free & ~self.held[positions]

    def allows(self, tokens: Int[Array, " length"]) -> Bool[Array, ""]:
        """Return True if no letter of a sequence is forbidden."""
        forbidden = self.forbidden()
        if forbidden is None:
            return jnp.ones((), bool)
        return ~jnp.any(forbidden & jax.nn.one_hot(tokens, forbidden.shape[1], dtype=bool))
