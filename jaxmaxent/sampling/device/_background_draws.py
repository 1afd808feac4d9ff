"""Draws at β = 0: which of those made together stands there, and how one takes the place of a replica."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxmaxent.kernels import State

# A forward pass of so many sequences costs little more for each of them than one of many.
_ENOUGH = 32
# Each draw that waits is remembered like a replica of its own: there are no more than a few, and a share of these.
_MOST, _SHARE = 4, 1 / 4


def drawn_together(chains: int, replicas: int) -> int:
    """How many draws of each chain are made together, in one forward pass of those of all chains.

    Args:
        chains: how many chains there are.
        replicas: sequences that each of them walks on with.
    """
    return max(1, min(_MOST, -(-_ENOUGH // chains), int(_SHARE * replicas)))


def standing(number: Any, together: int) -> Any:
    """Which of the draws made together stands at β = 0 in an exchange: each in two, as every second can take it in."""
    return number // 2 % together


def installed(
    states: State, replica: Int[Array, " ladders"], taken: Bool[Array, " ladders"], source: State, now: Int[Array, ""]
) -> State:
    """The states [ladders, replicas, …] with the draw of each ladder in the place of a replica, where taken."""
    # On a CPU a scatter copies everything that is remembered to another layout and back.
    settings = {"replica": replica, "taken": taken, "source": source, "now": now}
    return jax.lax.platform_dependent(
        states,
        cpu=functools.partial(_in_turn, **settings),
        default=functools.partial(_at_once, **settings),
    )


def _at_once(states: State, replica: Array, taken: Array, source: State, now: Array) -> State:
    ladders = jnp.arange(replica.shape[0])

    def put(leaf: Array, drawn: Array) -> Array:
        new = drawn[:, now]
        keep = taken.reshape(-1, *[1] * (new.ndim - 1))
        return leaf.at[ladders, replica].set(jnp.where(keep, new, leaf[ladders, replica]))

    return jax.tree.map(put, states, source)


def _in_turn(states: State, replica: Array, taken: Array, source: State, now: Array) -> State:
    taken_first = jnp.argsort(~taken).astype(replica.dtype)

    def one(number: Array, states: State) -> State:
        ladder = taken_first[number]

        def put(leaf: Array, drawn: Array) -> Array:
            behind = [jnp.zeros((), replica.dtype)] * (leaf.ndim - 2)
            piece = jax.lax.dynamic_slice(drawn, (ladder, now.astype(replica.dtype), *behind), (1, 1, *leaf.shape[2:]))
            return jax.lax.dynamic_update_slice(leaf, piece, (ladder, replica[ladder], *behind))

        return jax.tree.map(put, states, source)

    return jax.lax.fori_loop(0, jnp.sum(taken, dtype=jnp.int32), one, states)
