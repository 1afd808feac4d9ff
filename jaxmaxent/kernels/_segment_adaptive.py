"""Proposals of a whole segment, from the letter frequencies of every rung during burn-in."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, read
from jaxmaxent.evaluate import _slices as slices
from jaxmaxent.kernels._few import entry, log_sum_exp, on_a_gpu
from jaxmaxent.kernels._metropolis import State
from jaxmaxent.kernels._rule_dataclass import rule_dataclass
from jaxmaxent.kernels._site_adaptive import learned


@rule_dataclass
class SegmentAdaptive:
    """Several adjacent letters redrawn at once, by the letter frequencies of a rung that is drawn uniformly.

    On the way from β = 0 to the target a motif forms all at once or not at all: with some of its letters in place the
    energy is still high, so changes of single letters hardly lead there. The letter frequencies of each rung are a
    product distribution. One rung is drawn uniformly, and a whole segment from its distribution, so a replica can gain
    or lose a motif in one step, at any rung. The proposal is the mixture Σ_k Π_i f_k[i, y_i] / rungs. It does not
    depend on the current letters (an independence sampler: Tierney, Ann Stat 22: 1701–1728, 1994), its tables do not
    change while draws count, and the correction makes it exact.

    Attributes:
        width: positions in the segment, at least 1; the whole sequence where that is shorter (static).
        log_letters: log-probabilities of the letters, shape [anchors, rungs, length, letters]; after `at`
            [rungs, length, letters]. None before `prepare`.
        log_starts: log-probabilities of the segment's start, shape [length − width + 1], shared by all chains.

    Example:
        ```python
        run = sample(key, ensemble, rule=Mixture.create([SiteAdaptive(), SegmentAdaptive(24)], [9, 1]))
        ```
    """

    width: int = struct.field(pytree_node=False, default=24)
    log_letters: Float[Array, "*chains length letters"] | None = None
    log_starts: Float[Array, " starts"] | None = None

    needs_gradient = False
    waits = False

    def __post_init__(self) -> None:
        checks.integer("width", self.width, at_least=1)

    def prepare(self, ensemble: Ensemble, rungs: int) -> SegmentAdaptive:
        """Return the rule as burn-in begins: every letter and every segment alike."""
        shape = (ensemble.anchors, rungs, ensemble.length, len(ensemble.alphabet))
        width = min(self.width, ensemble.length)
        starts = _log_starts(np.ones(ensemble.length), ensemble.movable, width)
        return SegmentAdaptive(width, jnp.full(shape, -math.log(shape[-1]), float), starts)

    def learn(
        self, frequencies: Float[Array | np.ndarray, "anchors rungs length letters"], ensemble: Ensemble
    ) -> SegmentAdaptive:
        """Return the rule after a round of burn-in with these letter frequencies.

        Raises:
            ValueError: if their shape is not that of the tables.
        """
        log_letters, weights = learned(self.log_letters, frequencies, ensemble)
        return SegmentAdaptive(self.width, log_letters, _log_starts(weights, ensemble.movable, self.width))

    def settled(self) -> SegmentAdaptive:
        """Return the rule itself: it does not wait."""
        return self

    def at(self, anchor: Any, rung: Any) -> SegmentAdaptive:
        """Return the rule of the chains of one anchor, the same at every rung."""
        del rung
        log_letters, log_starts = self._tables()
        return SegmentAdaptive(self.width, log_letters[anchor], log_starts)

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Int[Array, " 1"]:
        """Draw the start of the segment, by the learned probabilities."""
        _, log_starts = self._tables()
        return jax.random.categorical(key, log_starts, shape=(1,)).astype(ensemble.movable.dtype)

    def draw(self, key: Key[Array, ""], where: Int[Array, " 1"], ensemble: Ensemble) -> Int[Array, " width"]:
        """Draw letters from the product distribution of a rung."""
        del ensemble
        key_rung, key_letters = jax.random.split(key)
        # Tables of all rungs, which the chains share; letters before positions, as devices sum such arrays fastest.
        shares = jnp.exp(jnp.swapaxes(self._rows(where[0]), 1, 2))
        up_to = jnp.cumsum(shares, axis=1)
        rung = jax.random.randint(key_rung, (), 0, len(shares))
        # One random number per letter; Gumbel noise would take one for each letter of the alphabet.
        number = jax.random.uniform(key_letters, (self.width, 1), shares.dtype)[:, 0] * entry(shares.sum(1), rung)
        # Letter by letter, because a sum over so few is slow on a TPU.
        steps = [number >= entry(up_to[:, letter], rung) for letter in range(shares.shape[1] - 1)]
        return sum((step.astype(jnp.int32) for step in steps), jnp.zeros(self.width, jnp.int32))

    def what(self, drawn: Int[Array, " width"], state: State, where: Int[Array, " 1"], ensemble: Ensemble) -> Edit:
        """Return the edit that writes the letters; held positions keep theirs."""
        current = read(state.tokens, where, self.width)
        letters = drawn.astype(current.dtype)[None]
        return Edit(where, jnp.where(self._free(where[0], ensemble), letters, current))

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """Return log q(current) − log q(new)."""
        del patch
        rows, free = self._rows(edit.starts[0]), self._free(edit.starts[0], ensemble)

        def log_q(letters: Int[Array, " width"]) -> Array:
            # By the one-hot, because gathers of so many single numbers are slow.
            hot = jax.nn.one_hot(letters, rows.shape[-1], dtype=bool) & free[:, None]
            if on_a_gpu():  # where it takes one operation instead of those before a product
                return log_sum_exp(jnp.sum(jnp.where(hot[None], rows, 0), axis=(1, 2)))
            # The default precision of accelerators would round the numbers that decide the acceptance.
            flat = hot.reshape(-1).astype(rows.dtype)
            return log_sum_exp(jnp.matmul(rows.reshape(rows.shape[0], -1), flat, precision="highest"))

        return log_q(read(state.tokens, edit.starts, self.width)[0]) - log_q(edit.letters[0])

    def _rows(self, start: Int[Array, ""]) -> Float[Array, "rungs width letters"]:
        log_letters, _ = self._tables()
        if log_letters.ndim != 3:
            raise ValueError("rule must be a SegmentAdaptive of one anchor when it proposes; at(anchor, rung) gives it")
        return slices.cut(log_letters, start, self.width, axis=1)

    def _free(self, start: Int[Array, ""], ensemble: Ensemble) -> Array:
        return ensemble.moves(start + jnp.arange(self.width))

    def _tables(self) -> tuple[Array, Array]:
        if self.log_letters is None or self.log_starts is None:
            raise ValueError("rule must be a SegmentAdaptive with tables, got one before prepare(ensemble, rungs)")
        return self.log_letters, self.log_starts


@functools.partial(jax.jit, static_argnames=("width",))
def _log_starts(weights: Any, movable: Int[Array, " movable"], width: int) -> Float[Array, " starts"]:
    """Return log-probabilities of segments, in proportion to the weights [length] of their movable positions."""
    weights = jnp.asarray(weights, float)
    weights = jnp.zeros_like(weights).at[movable].set(weights[movable])
    sums = jnp.convolve(weights, jnp.ones(width), mode="valid")
    return jnp.log(sums / sums.sum())
