"""The count of a growing field: a sum over windows of adjacent letters, or a function of the whole sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, Integer

from jaxmaxent import checks


@struct.dataclass
class Terms:
    """The count of a growing field: Σ_s f(x[s : s + width]) over windows, or f(x) of the whole sequence.

    Attributes:
        params: arrays that `function` needs.
        function: `function(params, tokens) -> scores`, pure; of tokens [size] and their windows, shape
            [size − width + 1], or of a whole sequence, a number (static).
        width: the width of a window; None for a function of the whole sequence (static).
        stride: distance from one window to the next (static).
        first: the start of the first window (static).
    """

    params: Any
    function: Callable[[Any, Any], Any] = struct.field(pytree_node=False)
    width: int | None = struct.field(pytree_node=False, default=None)
    stride: int = struct.field(pytree_node=False, default=1)
    first: int = struct.field(pytree_node=False, default=0)

    def count(self, tokens: Int[Array, " length"]) -> Array:
        """Return N(x) of one sequence of tokens."""
        return self.function(self.params, tokens) if self.width is None else jnp.sum(self._scores(tokens, 0))

    def change(self, old: Int[Array, " length"], new: Int[Array, " length"], start: Any = 0) -> Array:
        """Return N(new) − N(old), of two sequences or of the part of both from `start` on, summed window by window.

        Windows that stay add exactly 0.
        """
        if self.width is None:
            return self.count(new) - self.count(old)
        return jnp.sum(self._scores(new, start) - self._scores(old, start))

    def _scores(self, tokens: Int[Array, " size"], start: Any) -> Float[Array, " windows"]:
        scores = self.function(self.params, tokens)
        if self.stride == 1 and self.first == 0:
            return scores
        starts = start + jnp.arange(scores.shape[0])
        return jnp.where((starts >= self.first) & ((starts - self.first) % self.stride == 0), scores, 0)


def checked_terms(name: str, terms: Any, anchors: Integer[np.ndarray, "anchors length"]) -> Terms:
    """Return the terms of a growing field, with tables in the precision of JAX, if its counts of anchors are finite.

    Raises:
        ValueError: for anything else, and for windows wider than the anchors.
    """
    if not isinstance(terms, Terms):
        raise ValueError(f"field {name!r} must have terms as motif_count makes them, got {checks.shown(terms)}")
    checks.finite_parameters(f"terms of field {name!r}", terms.params)
    params = jax.tree.map(lambda table: jnp.asarray(table, float), terms.params)
    terms = terms.replace(params=params)  # pyright: ignore[reportAttributeAccessIssue]
    length = anchors.shape[1]
    if terms.width is not None and terms.first + terms.width > length:
        raise ValueError(
            f"field {name!r} must fit into sequences of length {length}, got windows of {terms.width} from position "
            f"{terms.first} on"
        )
    try:
        shape: Any = jax.eval_shape(terms.count, jax.ShapeDtypeStruct((length,), jnp.int32))
        right = isinstance(shape, jax.ShapeDtypeStruct) and shape.shape == ()
        right = right and any(jnp.issubdtype(shape.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))
    except Exception as error:
        first = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise ValueError(f"field {name!r} failed for tokens of shape [{length}]: {first}") from error
    if not right:
        raise ValueError(f"field {name!r} must return one real number, got {checks.shown(shape)}")
    found = np.asarray(_counts(terms, jnp.asarray(anchors, jnp.int32)), float)
    if not np.isfinite(found).all():
        raise ValueError(
            f"field {name!r} must be finite at the anchors, got {found[~np.isfinite(found)][0]} at anchor "
            f"{np.flatnonzero(~np.isfinite(found))[0]}"
        )
    return terms


@jax.jit
def _counts(terms: Terms, rows: Int[Array, "anchors length"]) -> Array:
    return jax.lax.map(terms.count, rows)
