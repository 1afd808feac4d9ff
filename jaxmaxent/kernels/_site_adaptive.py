"""Single-site proposals that learn during burn-in which letters to propose, and where."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, read
from jaxmaxent.evaluate import _slices as slices
from jaxmaxent.kernels._few import entry, largest
from jaxmaxent.kernels._metropolis import State
from jaxmaxent.kernels._rule_dataclass import rule_dataclass
from jaxmaxent.kernels._site import BINARY_LAZINESS

# The share of uniform letters among the proposals, so that letters which burn-in has not seen are proposed too.
UNIFORM_SHARE = 0.1
# The share of proposals that go to positions in proportion to their information, which brings sequences up and down a
# ladder; the others go to all positions alike, which gives more effective draws (docs/results/choices.md).
INFORMED_SHARE = 0.35
# Keeps the logarithm of a letter never seen finite.
TINY = 1e-3


@rule_dataclass
class SiteAdaptive:
    """A movable position, by its information, and another letter there, by its frequency during burn-in.

    Letters are drawn among those other than the current one: each change is then accepted at least as often as if the
    current letter could be proposed too (Liu, Biometrika 83: 681–682, 1996). The tables do not change while draws
    count, so the chains are Markov chains and the correction makes them exact.

    Attributes:
        log_letters: log-probabilities of the letters, shape [anchors, rungs, length, letters]; after `at`
            [rungs, length, letters]. None before `prepare`.
        log_others: the logarithm of what the letters other than each have together, of the same shape.
        log_positions: log-probabilities of the positions, shape [length], shared by all chains; −inf where fixed.
        rung: the rung whose letters are proposed; None before `at`.

    Example:
        ```python
        run = sample(key, ensemble, rule=SiteAdaptive())  # `sample` prepares the rule and lets it learn
        ```
    """

    log_letters: Float[Array, "*anchors rungs length letters"] | None = None
    log_others: Float[Array, "*anchors rungs length letters"] | None = None
    log_positions: Float[Array, " length"] | None = None
    rung: Int[Array, ""] | None = None

    needs_gradient = False
    waits = False

    def prepare(self, ensemble: Ensemble, rungs: int) -> SiteAdaptive:
        """Return the rule as burn-in begins: every letter and every movable position alike."""
        shape = (ensemble.anchors, rungs, ensemble.length, len(ensemble.alphabet))
        log_letters = jnp.full(shape, -math.log(shape[-1]), float)
        positions = _log_positions(np.ones(ensemble.length), ensemble.movable)
        return SiteAdaptive(log_letters, _log_others(log_letters), positions)

    def learn(
        self, frequencies: Float[Array | np.ndarray, "anchors rungs length letters"], ensemble: Ensemble
    ) -> SiteAdaptive:
        """Return the rule after a round of burn-in with these letter frequencies.

        Raises:
            ValueError: if their shape is not that of the tables.
        """
        log_letters, weights = learned(self.log_letters, frequencies, ensemble)
        return SiteAdaptive(log_letters, _log_others(log_letters), _log_positions(weights, ensemble.movable))

    def settled(self) -> SiteAdaptive:
        """Return the rule itself: it does not wait."""
        return self

    def at(self, anchor: Any, rung: Any) -> SiteAdaptive:
        """Return the rule of the chains of one anchor at one rung."""
        log_letters, log_others, log_positions = self._tables()
        return SiteAdaptive(log_letters[anchor], log_others[anchor], log_positions, jnp.asarray(rung))

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Int[Array, " 1"]:
        """Draw a movable position, by the learned probabilities."""
        *_, log_positions = self._tables()
        return jax.random.categorical(key, log_positions, shape=(1,)).astype(ensemble.movable.dtype)

    def draw(self, key: Key[Array, ""], where: Int[Array, " 1"], ensemble: Ensemble) -> Array:
        """Draw Gumbel noise for each letter, or for two letters whether they are exchanged."""
        del where
        if len(ensemble.alphabet) == 2:
            return jax.random.bernoulli(key, 1 - BINARY_LAZINESS, (1, 1))
        return jax.random.gumbel(key, (len(ensemble.alphabet),), ensemble.beta.dtype)

    def what(self, drawn: Array, state: State, where: Int[Array, " 1"], ensemble: Ensemble) -> Edit:
        """Return the edit that writes another letter, by the learned probabilities."""
        current = read(state.tokens, where, 1)
        if len(ensemble.alphabet) == 2:
            return Edit(where, (current + drawn) % 2)
        logits, _ = self._rows(where)
        others = jnp.where(jnp.arange(logits.shape[0]) == current[0], -jnp.inf, logits)
        # The largest logit with Gumbel noise is a letter by their probabilities.
        return Edit(where, largest(drawn + others).astype(current.dtype)[None, None])

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """Return log q(current | new) − log q(new | current), each q normalized over the letters other than its own."""
        del patch
        if len(ensemble.alphabet) == 2:  # there is one other letter, whatever has been learned
            return jnp.zeros((), ensemble.beta.dtype)
        current = read(state.tokens, edit.starts, 1)
        letters, others = self._rows(edit.starts)

        def log_q(new: Array, old: Array) -> Array:
            return entry(letters, new[0, 0]) - entry(others, old[0, 0])

        return log_q(current, edit.letters) - log_q(edit.letters, current)

    def _rows(self, where: Int[Array, " 1"]) -> tuple[Float[Array, " letters"], Float[Array, " letters"]]:
        log_letters, log_others, _ = self._tables()
        if self.rung is None:
            raise ValueError(
                "rule must be a SiteAdaptive of one anchor and rung when it proposes; at(anchor, rung) gives it"
            )
        here = jnp.stack([slices.cut(table, where[0], 1, axis=1)[:, 0] for table in (log_letters, log_others)], axis=1)
        letters, others = entry(here, self.rung)
        return letters, others

    def _tables(self) -> tuple[Array, Array, Array]:
        if self.log_letters is None or self.log_others is None or self.log_positions is None:
            raise ValueError("rule must be a SiteAdaptive with tables, got one before prepare(ensemble, rungs)")
        return self.log_letters, self.log_others, self.log_positions


def learned(
    prepared: Array | None,
    frequencies: Float[Array | np.ndarray, "anchors rungs length letters"],
    ensemble: Ensemble,
) -> tuple[Float[Array, "anchors rungs length letters"], Float[Array, " length"]]:
    """Return what a round of burn-in teaches: log-probabilities of letters, and weights of positions.

    Args:
        prepared: the table that `prepare` made, of the shape of the frequencies.
        frequencies: letter frequencies seen in the round.
        ensemble: the ensemble that is sampled.

    Raises:
        ValueError: if the frequencies have another shape than the table.
    """
    if prepared is None or frequencies.shape != prepared.shape:
        tables = None if prepared is None else list(prepared.shape)
        raise ValueError(
            f"frequencies must have the shape of the prepared tables, {tables}, got {list(frequencies.shape)}"
        )
    return _learned(jnp.asarray(frequencies, float), ensemble.movable)


# Compiled, because op by op these took longer than a round of the burn-in of a small network.


@jax.jit
def _learned(
    seen: Float[Array, "anchors rungs length letters"], movable: Int[Array, " movable"]
) -> tuple[Float[Array, "anchors rungs length letters"], Float[Array, " length"]]:
    proposed = (1 - UNIFORM_SHARE) * seen + UNIFORM_SHARE / seen.shape[-1]
    return jnp.log(proposed), _position_weights(_learned_information(seen, movable), movable)


def _learned_information(
    seen: Float[Array, "anchors rungs length letters"], movable: Int[Array, " movable"]
) -> Float[Array, " length"]:
    """Return the information of letter frequencies, in nats per position, on average over anchors and rungs.

    It is the divergence from the frequencies of the first rung; without a ladder, from the mean over all positions.
    Where it is 0 the network makes no difference, and one change renews a position. Where it is large, positions are
    tied together and need many changes.
    """
    first = seen[:, :1] if seen.shape[1] > 1 else seen.mean(2, keepdims=True)
    information = jnp.sum(seen * (jnp.log(seen + TINY) - jnp.log(first + TINY)), -1).mean((0, 1))
    return jnp.maximum(jnp.zeros_like(information).at[movable].set(information[movable]), 0)


def _position_weights(information: Float[Array, " length"], movable: Int[Array, " movable"]) -> Float[Array, " length"]:
    """Return the weight of each position: `INFORMED_SHARE` in proportion to the information, the rest all alike."""
    count = movable.shape[0]
    share = jnp.where(information.sum() > 0, information / jnp.maximum(information.sum(), TINY), 1 / count)
    return (1 - INFORMED_SHARE) / count + INFORMED_SHARE * share


@jax.jit
def _log_others(
    log_letters: Float[Array, "anchors rungs length letters"],
) -> Float[Array, "anchors rungs length letters"]:
    """Return the logarithm of the probability that the letters other than each have together."""
    others = jnp.where(jnp.eye(log_letters.shape[-1], dtype=bool), -jnp.inf, log_letters[..., None, :])
    return jax.nn.logsumexp(others, axis=-1)


@jax.jit
def _log_positions(weights: Any, movable: Int[Array, " movable"]) -> Float[Array, " length"]:
    """Return log-probabilities in proportion to weights [length] at the movable positions."""
    weights = jnp.asarray(weights, float)
    weights = jnp.zeros_like(weights).at[movable].set(weights[movable])
    return jnp.log(weights / weights.sum())
