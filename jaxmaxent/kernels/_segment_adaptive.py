"""Proposals of a whole segment, from what the warm-up saw at every rung."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, read
from jaxmaxent.evaluate import _slices as slices
from jaxmaxent.kernels._metropolis import State
from jaxmaxent.kernels._rule_dataclass import rule_dataclass
from jaxmaxent.kernels._site_adaptive import UNIFORM_SHARE, check_tables, learned_information, position_weights


@rule_dataclass
class SegmentAdaptive:
    """Some adjacent positions at once, their letters drawn as they were seen at one of the rungs, any of them.

    On the way from β = 0 to the wanted β a motif forms all at once or not at all: with some of its letters in place the
    energy is still high, so single letters hardly lead there. Each rung's letter frequencies are a product
    distribution; one of them is chosen uniformly and a whole segment drawn from it, so a replica can gain or lose a
    motif in one step, at any rung. The proposal is the mixture Σ_k Π_i f_k[i, y_i] / rungs, which does not look at the
    current letters; the tables do not change while draws count, and the correction makes it exact.

    Attributes:
        width: positions in the segment, at least 1; the whole sequence where that is shorter (static).
        log_letters: log-probabilities of the letters, shape [anchors, rungs, length, letters]; after `at`
            [rungs, length, letters]. None before `prepare`.
        log_starts: log-probabilities of where the segment starts, shape [length − width + 1], shared by all chains.
    """

    width: int = struct.field(pytree_node=False, default=24)
    log_letters: Float[Array, "*chains length letters"] | None = None
    log_starts: Float[Array, " starts"] | None = None

    needs_gradient = False

    def __post_init__(self) -> None:
        checks.integer("width", self.width, at_least=1)

    def prepare(self, ensemble: Ensemble, rungs: int) -> SegmentAdaptive:
        """The rule as the warm-up begins: every letter and every segment alike."""
        shape = (ensemble.anchors, rungs, ensemble.length, len(ensemble.alphabet))
        width = min(self.width, ensemble.length)
        starts = _log_starts(jnp.ones(ensemble.length), ensemble, width)
        return SegmentAdaptive(width, jnp.full(shape, -jnp.log(shape[-1]), float), starts)

    def learn(self, frequencies: Float[Array, "anchors rungs length letters"], ensemble: Ensemble) -> SegmentAdaptive:
        """The rule after a warm-up in which letters had these frequencies.

        Raises:
            ValueError: if their shape is not that of the tables.
        """
        check_tables(self.log_letters, frequencies)
        seen = jnp.asarray(frequencies, float)
        proposed = (1 - UNIFORM_SHARE) * seen + UNIFORM_SHARE / seen.shape[-1]
        weights = position_weights(learned_information(seen, ensemble), ensemble)
        return SegmentAdaptive(self.width, jnp.log(proposed), _log_starts(weights, ensemble, self.width))

    def at(self, anchor: Any, rung: Any) -> SegmentAdaptive:
        """The rule of the chains of one anchor, the same at every rung."""
        del rung
        log_letters, log_starts = self._tables()
        return SegmentAdaptive(self.width, log_letters[anchor], log_starts)

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Int[Array, " 1"]:
        """Where the segment starts, by the learned probabilities."""
        _, log_starts = self._tables()
        return jax.random.categorical(key, log_starts, shape=(1,)).astype(ensemble.movable.dtype)

    def what(self, key: Key[Array, ""], state: State, where: Int[Array, " 1"], ensemble: Ensemble) -> Edit:
        """The letters of a rung's product distribution; held positions keep theirs."""
        key_rung, key_letters = jax.random.split(key)
        rows = self._rows(where[0])
        chosen = jnp.exp(rows[jax.random.randint(key_rung, (), 0, rows.shape[0])])
        # One number a letter, where a Gumbel variable for each that could be drawn would cost several.
        number = jax.random.uniform(key_letters, (self.width, 1), chosen.dtype)
        drawn = jnp.sum(number * chosen.sum(1, keepdims=True) >= jnp.cumsum(chosen, axis=1), axis=1, dtype=jnp.int32)
        drawn = jnp.minimum(drawn, rows.shape[-1] - 1).astype(state.tokens.dtype)[None]
        return Edit(where, jnp.where(self._free(where[0], ensemble), drawn, read(state.tokens, where, self.width)))

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """log q(current) − log q(new)."""
        del patch
        rows, free = self._rows(edit.starts[0]), self._free(edit.starts[0], ensemble)

        def log_q(letters: Int[Array, " width"]) -> Array:
            # A product with the one-hot, as gathers of so many single numbers are slow; not at the default precision
            # of accelerators, which would round what decides the acceptance.
            hot = jax.nn.one_hot(letters, rows.shape[-1], dtype=rows.dtype) * free[:, None]
            sums = jnp.matmul(rows.reshape(rows.shape[0], -1), hot.reshape(-1), precision="highest")
            return jax.nn.logsumexp(sums)

        return log_q(read(state.tokens, edit.starts, self.width)[0]) - log_q(edit.letters[0])

    def _rows(self, start: Int[Array, ""]) -> Float[Array, "rungs width letters"]:
        log_letters, _ = self._tables()
        if log_letters.ndim != 3:
            raise ValueError("a SegmentAdaptive is that of one anchor when it proposes; at(anchor, rung) gives it")
        return slices.cut(log_letters, start, self.width, axis=1)

    def _free(self, start: Int[Array, ""], ensemble: Ensemble) -> Array:
        window = start + jnp.arange(self.width)
        return (window[:, None] == ensemble.movable[None]).any(-1)

    def _tables(self) -> tuple[Array, Array]:
        if self.log_letters is None or self.log_starts is None:
            raise ValueError("a SegmentAdaptive has no tables before prepare(ensemble, rungs), got one without")
        return self.log_letters, self.log_starts


def _log_starts(weights: Float[Array, " length"], ensemble: Ensemble, width: int) -> Float[Array, " starts"]:
    """Log-probabilities of segments in proportion to the weights of the movable positions they hold."""
    weights = jnp.zeros_like(weights).at[ensemble.movable].set(weights[ensemble.movable])
    sums = jnp.convolve(weights, jnp.ones(width), mode="valid")
    return jnp.log(sums / sums.sum())
