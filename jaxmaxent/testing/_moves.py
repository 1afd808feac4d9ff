"""Moves of a kernel on an enumerated space: what it proposes from every state, and how often it accepts."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, GradientEvaluator, write
from jaxmaxent.kernels import build
from jaxmaxent.testing._space import Space

# Moves into a state that are compared, at least.
_FEWEST = 20
# Between two states with less information the number of moves one way is almost always 0. With more than the second
# number it is almost normal.
_LEAST_INFORMATION, ALMOST_NORMAL = 0.5, 20.0


class Remembered(NamedTuple):
    """The cache of a `Lookup`: a sequence, its gradient or nothing, and a number that tells edits apart."""

    tokens: Int[Array, " length"]
    gradient: Any
    edit: Int[Array, ""]


class Lookup(NamedTuple):
    """An evaluator that reads energies from a table, so that a million moves cost no forward pass.

    Attributes:
        positions: the positions that move, shape [positions].
        letters: the size of the alphabet.
        energies: E of every state, shape [states].
        gradients: ∂E/∂x of every state, shape [states, length, letters], or None.
    """

    positions: Int[Array, " positions"]
    letters: int
    energies: Float[Array, " states"]
    gradients: Any

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], Remembered]:
        """Return the energy of a sequence, and it as a cache."""
        return self._read(tokens, jnp.zeros((), jnp.int32))

    def propose(self, cache: Remembered, edit: Edit) -> tuple[Float[Array, ""], Remembered]:
        """Return the energy after an edit, and the cache of the edited sequence."""
        starts = edit.starts.astype(jnp.int32)
        number = 1 + jnp.sum(starts * (1 + 1009 * jnp.arange(starts.shape[0], dtype=jnp.int32)), dtype=jnp.int32)
        return self._read(write(cache.tokens, edit), number)

    def commit(self, cache: Remembered, patch: Remembered, accept: Bool[Array, ""]) -> Remembered:
        """Return the patch if `accept`, else the cache; with the number of the edit in either case."""
        kept = jax.tree.map(lambda new, old: jnp.where(accept, new, old), patch, cache)
        return kept._replace(edit=patch.edit)

    def _read(self, tokens: Int[Array, " length"], edit: Int[Array, ""]) -> tuple[Float[Array, ""], Remembered]:
        number = number_of(tokens, self.positions, self.letters)
        gradient = () if self.gradients is None else self.gradients[number]
        return self.energies[number], Remembered(tokens, gradient, edit)


def number_of(tokens: Int[Array, " length"], positions: Int[Array, " positions"], letters: int) -> Int[Array, ""]:
    """Return the place of a sequence among the states, in a compiled program."""
    powers = letters ** np.arange(positions.shape[0])[::-1]
    return jnp.sum(tokens[positions] * jnp.asarray(powers, tokens.dtype))


class Moves(NamedTuple):
    """What a kernel proposed from every state, several times.

    Attributes:
        to: the place of the proposed state, shape [moves, states]; −1 for one outside the space.
        log_ratio: the log of its acceptance ratio, shape [moves, states].
        edit: a number that tells edits at other positions apart, shape [moves, states].
    """

    to: Int[Any, "moves states"]
    log_ratio: Float[Any, "moves states"]
    edit: Int[Any, "moves states"]


@jax.jit
def gradients_of(ensemble: Ensemble, states: Int[Array, "states length"]) -> Float[Array, "states length letters"]:
    """Return ∂E/∂x of some sequences."""
    return jax.lax.map(lambda tokens: GradientEvaluator(ensemble).init(tokens)[1].gradient, states, batch_size=32)


@jax.jit
def _moves(
    ensemble: Ensemble, rule: Any, states: Array, energies: Array, gradients: Any, keys: Key[Array, " moves"]
) -> Moves:
    letters = len(ensemble.alphabet)
    kernel = build(rule, ensemble, Lookup(ensemble.movable, letters, energies, gradients))
    first = jax.vmap(kernel.init)(states)
    held = jnp.ones(ensemble.length, bool).at[ensemble.movable].set(False)

    def one(key: Array) -> Moves:
        key_where, key_what = jax.random.split(key)
        where = kernel.where(key_where)  # shared, as in a run

        def move(key: Array, state: Any) -> Moves:
            moved, info = kernel.move(key, state, where)
            inside = (info.proposed >= 0) & (info.proposed < letters) & (~held | (info.proposed == ensemble.anchor))
            to = jnp.where(inside.all(), number_of(info.proposed, ensemble.movable, letters), -1)
            return Moves(to, info.log_ratio, moved.cache.edit)

        return jax.vmap(move)(jax.random.split(key_what, states.shape[0]), first)

    return jax.lax.map(one, keys)


def moves_of(space: Space, rule: Any, beta: float, count: int, key: Key[Array, ""]) -> Moves:
    """Return `count` proposals of a rule from every state of a space at some β."""
    states, energies = jnp.asarray(space.states), jnp.asarray(space.energies)
    gradients = gradients_of(space.ensemble, states) if rule.needs_gradient else None
    keys = jax.random.split(key, count)
    return jax.device_get(_moves(space.ensemble.with_beta(beta), rule, states, energies, gradients, keys))


def there_and_back(moves: Moves) -> Float[np.ndarray, " pairs"]:
    """Return the sum of the log ratios of a move and of its reverse, of all pairs that were proposed in one step.

    It is 0 for every rule, because the ratio of a move is the inverse of that of its reverse.
    """
    here = np.arange(moves.to.shape[1])
    to = np.maximum(moves.to, 0)
    back = np.take_along_axis(moves.to, to, 1) == here
    same = np.take_along_axis(moves.edit, to, 1) == moves.edit
    way_back = np.take_along_axis(moves.log_ratio, to, 1)
    both = back & same & (moves.to > here) & (np.isfinite(moves.log_ratio) | np.isfinite(way_back))
    return moves.log_ratio[both].astype(np.float64) + way_back[both].astype(np.float64)


class Flows(NamedTuple):
    """Differences between flows both ways, in standard errors.

    Attributes:
        pairs: of pairs of states, shape [pairs].
        information: Σ p (1 − p) over the moves of each pair, where p is the share that goes one way, shape [pairs].
        excess: the excess kurtosis of each of `pairs`, shape [pairs].
        into: of all flows into a state together, shape [some].
    """

    pairs: Float[np.ndarray, " pairs"]
    information: Float[np.ndarray, " pairs"]
    excess: Float[np.ndarray, " pairs"]
    into: Float[np.ndarray, " some"]


def flows(space: Space, moves: Moves, beta: float) -> Flows:
    """Return how far the flows between states are from being equal both ways, π_x P_xy = π_y P_yx, so that πP = π.

    With c = log π_x − log π_y + log acceptance ratio of a move, flows are equal if x is left for y as often as
    exp(−c) times the moves back are proposed. Each move counts exp(c / 2) here, and its reverse exp(−c / 2): the
    difference has mean 0, and the number of moves is its variance, less those whose reverse comes in the same step,
    which depend on each other because chains share positions. Outcomes of acceptance add no noise. Moves that are sure
    once the position is known say nothing: `there_and_back` compares them.
    """
    size, log_p = len(space.states), space.log_weights(beta)
    here = np.broadcast_to(np.arange(size), moves.to.shape)
    to = np.maximum(moves.to, 0)
    back = np.take_along_axis(moves.to, to, 1) == here
    known = (moves.to >= 0) & (to != here) & np.isfinite(moves.log_ratio) & np.isfinite(log_p)[here]
    here, to, alone = here[known], to[known], ~back[known]
    c = np.clip(log_p[here] - log_p[to] + moves.log_ratio[known].astype(np.float64), -100, 100)

    def added(values: np.ndarray) -> np.ndarray:
        return np.bincount(here * size + to, values, size * size).reshape(size, size)

    net, hits, information = added(np.exp(c / 2)), added(1.0 * alone), added(alone / (2 + 2 * np.cosh(c)))
    net, hits, information = net - net.T, hits + hits.T, information + information.T
    enough = information >= _LEAST_INFORMATION
    net, hits = np.where(enough, net, 0), np.where(enough, hits, 0)
    some, pairs = hits.sum(0) >= _FEWEST, np.triu(enough, 1)
    return Flows(
        net[pairs] / np.sqrt(hits[pairs]),
        information[pairs],
        1 / information[pairs] - 6 / hits[pairs],
        net.sum(0)[some] / np.sqrt(hits.sum(0)[some]),
    )
