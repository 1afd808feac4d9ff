"""Draws at β = 0: they are made several at a time, stand at the lowest rung in turn, and replace a replica."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxmaxent.kernels import State
from jaxmaxent.sampling.device._state import Setup


def standing(number: Any, together: int) -> Any:
    """Return which of the draws made together stands at β = 0 in a swap.

    Each stands there for two swaps, because only every second swap can take it in.
    """
    return number // 2 % together


def drawn(setup: Setup, number: Int[Array, ""], draws: State) -> State:
    """Return the draws at β = 0 of every chain, new ones once all that were made together have stood there."""
    together = setup.program.drawn_together
    # The key is that of the swap a draw first stands in, so a run does not depend on how many are made together.
    first_in = number + 2 * jnp.arange(together)

    def one(chain: Array, swap: Array) -> State:
        return setup.kernel.init(setup.background.draw(jax.random.fold_in(chain, swap)))

    def draw(again: Array, draws: State) -> State:
        # The barrier keeps the compiler from drawing ahead of the loop, every time.
        chains, _ = jax.lax.optimization_barrier((setup.background_keys, (draws.tokens, again)))
        return jax.vmap(lambda chain: jax.vmap(functools.partial(one, chain))(first_in))(chains)

    # A loop of one step or none; unlike a branch it copies nothing when there is nothing to do.
    due = (number % (2 * together) == 0).astype(jnp.int32)
    return jax.lax.fori_loop(0, due, draw, draws)


def installed(
    states: State, replica: Int[Array, " chains"], taken: Bool[Array, " chains"], draws: State, now: Int[Array, ""]
) -> State:
    """Return the states [chains, replicas, …], in which the draw of each chain replaces a replica if it is taken."""
    # On a CPU a scatter copies all caches to another layout and back.
    arguments = {"replica": replica, "taken": taken, "draws": draws, "now": now}
    return jax.lax.platform_dependent(
        states,
        cpu=functools.partial(_in_turn, **arguments),
        default=functools.partial(_at_once, **arguments),
    )


def _at_once(states: State, replica: Array, taken: Array, draws: State, now: Array) -> State:
    chains = jnp.arange(replica.shape[0])

    def put(leaf: Array, drawn: Array) -> Array:
        new = drawn[:, now]
        keep = taken.reshape(-1, *[1] * (new.ndim - 1))
        return leaf.at[chains, replica].set(jnp.where(keep, new, leaf[chains, replica]))

    return jax.tree.map(put, states, draws)


def _in_turn(states: State, replica: Array, taken: Array, draws: State, now: Array) -> State:
    taken_first = jnp.argsort(~taken).astype(replica.dtype)

    def one(number: Array, states: State) -> State:
        chain = taken_first[number]

        def put(leaf: Array, drawn: Array) -> Array:
            behind = [jnp.zeros((), replica.dtype)] * (leaf.ndim - 2)
            piece = jax.lax.dynamic_slice(drawn, (chain, now.astype(replica.dtype), *behind), (1, 1, *leaf.shape[2:]))
            return jax.lax.dynamic_update_slice(leaf, piece, (chain, replica[chain], *behind))

        return jax.tree.map(put, states, draws)

    return jax.lax.fori_loop(0, jnp.sum(taken, dtype=jnp.int32), one, states)
