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

# Two states need so many moves between them for their difference to be almost normal.
_FEWEST = 20


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


def flows(space: Space, moves: Moves, beta: float) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, " some"]]:
    """Return in standard errors how far flows between pairs of states, and the net flow into each state, are from 0.

    A kernel that accepts by Metropolis and Hastings leaves equal flows both ways, π_x P_xy = π_y P_yx, and then πP = π.
    The acceptance probabilities of the draws are averaged, not their outcomes, which takes one source of noise away.
    Pairs with few moves between them count in the second array only.
    """
    size, p = len(space.states), space.distribution(beta)
    here = np.broadcast_to(np.arange(size), moves.to.shape)
    to = np.maximum(moves.to, 0)
    accept = np.where(moves.to >= 0, np.exp(np.minimum(moves.log_ratio.astype(np.float64), 0)), 0)
    flow = p * accept
    # Where chains share a position, a move and its reverse may come in one step, and cancel.
    back = np.where(np.take_along_axis(moves.to, to, 1) == here, np.take_along_axis(flow, to, 1), 0)
    cells = (here * size + to).ravel()

    def added(weights: np.ndarray) -> np.ndarray:
        matrix = np.bincount(cells, weights.ravel(), size * size).reshape(size, size)
        np.fill_diagonal(matrix, 0)
        return matrix

    total, squares, seen = added(flow), added(flow**2 - flow * back), added(flow > 0)
    net, variance, moved = total - total.T, squares + squares.T, seen + seen.T
    # Moves that cancel but for rounding differ by no standard error.
    variance = np.maximum(variance, 0) + (1e-6 * np.maximum(total, total.T)) ** 2
    pairs = np.triu(moved >= _FEWEST, 1)
    # Into a state come many chains in one step, which share what they do: what the steps sum to is independent.
    change = np.where(to == here, 0, flow)
    steps = np.arange(len(to))[:, None] * size + to
    net_of_steps = np.bincount(steps.ravel(), change.ravel(), to.size).reshape(to.shape) - change
    enough = moved.sum(1) >= _FEWEST
    error = np.sqrt((net_of_steps**2).sum(0)) + 1e-6 * total.sum(0)
    return net[pairs] / np.sqrt(variance[pairs]), (net_of_steps.sum(0)[enough] / error[enough])
