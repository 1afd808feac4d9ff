"""Draws at the ends of a ladder, β = 0 and the reference.

They are made several at a time, stand at their end in turn, and replace a replica when they are taken in.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from jaxmaxent.ensembles import _background as background
from jaxmaxent.kernels import State
from jaxmaxent.sampling.device._state import Setup
from jaxmaxent.sampling.program._program import Program


def standing(number: Any, together: int) -> Any:
    """Return which of the draws made together stands at its end in a swap.

    Each stands there for two swaps, because only every second swap can take it in.
    """
    return number // 2 % together


def standing_at_ends(program: Program, phase: Any) -> Int[Array, " ends"]:
    """Return which draw of `Carry.draws` stands at each end in a swap, by its number or its phase."""
    now = standing(phase, program.drawn_together)
    return jnp.stack([now + end * program.drawn_together for end in range(1 + program.has_reference)])


def drawn(setup: Setup, number: Int[Array, ""], phase: Int[Array, ""], draws: State) -> State:
    """Return the draws at the ends of every chain, new ones once all that were made together have stood there.

    Those from the reference come behind those at β = 0.

    Args:
        setup: constants.
        number: number of the draw.
        phase: the same up to a multiple of the period, as `Clock.phase`.
        draws: the draws so far.
    """

    def draw(again: Array, draws: State) -> State:
        # The barrier keeps the compiler from drawing ahead of the loop, every time.
        keys, _ = jax.lax.optimization_barrier((setup.end_keys, (draws.tokens, again)))
        return made(setup, number, keys)

    # A loop of one step or none; unlike a branch it copies nothing when there is nothing to do.
    due = (phase % setup.program.stretch == 0).astype(jnp.int32)
    with jax.named_scope("end_draws"):
        return jax.lax.fori_loop(0, due, draw, draws)


def made(setup: Setup, number: Int[Array, ""], keys: tuple[Key[Array, " chains"], ...]) -> State:
    """Return new draws at the ends of every chain, that stand there from this draw on.

    Args:
        setup: constants.
        number: number of the draw.
        keys: `Setup.end_keys`.
    """
    # The key is that of the swap a draw first stands in, so a run does not depend on how many are made together.
    first_in = number + 2 * jnp.arange(setup.program.drawn_together)

    def tokens(end: background.Background, chain: Array) -> Array:
        return jax.vmap(lambda swap: end.draw(jax.random.fold_in(chain, swap)))(first_in)

    rows = [jax.vmap(functools.partial(tokens, end))(mine) for end, mine in zip(setup.ends, keys, strict=True)]
    return jax.vmap(jax.vmap(setup.kernel.init))(jnp.concatenate(rows, axis=1))


def installed(
    states: State,
    replica: Int[Array, "chains ends"],
    taken: Bool[Array, "chains ends"],
    draws: State,
    now: Int[Array, " ends"],
) -> State:
    """Return the states, in which each draw replaces a replica if it is taken.

    Args:
        states: the states of the replicas of all chains, in one row.
        replica: the replica that the draw at each end replaces; those of two ends differ, or one is not taken.
        taken: whether it does.
        draws: draws of all ends, [chains, draws, …].
        now: the draw of each end that stands there.
    """
    # On a CPU a scatter copies all caches to another layout and back.
    arguments = {"replica": replica, "taken": taken, "draws": draws, "now": now}
    return jax.lax.platform_dependent(
        states,
        cpu=functools.partial(_in_turn, **arguments),
        default=functools.partial(_at_once, **arguments),
    )


def _at_once(states: State, replica: Array, taken: Array, draws: State, now: Array) -> State:
    # Chosen one by one, because compilers of accelerators copy whole caches before and after a scatter.
    replicas = jnp.arange(len(states.energy) // len(replica))[None]
    here = [((replicas == replica[:, end, None]) & taken[:, end, None]).reshape(-1) for end in range(now.shape[0])]

    def put(leaf: Array, drawn: Array) -> Array:
        for end, mask in enumerate(here):
            its = jax.lax.dynamic_index_in_dim(drawn, now[end], axis=1, keepdims=False)
            its = jnp.repeat(its, replicas.shape[1], axis=0)
            leaf = jnp.where(mask.reshape(-1, *[1] * (leaf.ndim - 1)), its, leaf)
        return leaf

    return jax.tree.map(put, states, draws)


def _in_turn(states: State, replica: Array, taken: Array, draws: State, now: Array) -> State:
    taken_first = jnp.argsort(~taken.reshape(-1)).astype(replica.dtype)
    ends, now = replica.shape[1], now.astype(replica.dtype)
    replicas = len(states.energy) // len(replica)

    def one(number: Array, states: State) -> State:
        chain, end = jnp.divmod(taken_first[number], ends)

        def put(leaf: Array, drawn: Array) -> Array:
            behind = [jnp.zeros((), replica.dtype)] * (leaf.ndim - 1)
            piece = jax.lax.dynamic_slice(drawn, (chain, now[end], *behind), (1, 1, *leaf.shape[1:]))
            return jax.lax.dynamic_update_slice(leaf, piece[0], (chain * replicas + replica[chain, end], *behind))

        return jax.tree.map(put, states, draws)

    return jax.lax.fori_loop(0, jnp.sum(taken, dtype=jnp.int32), one, states)
