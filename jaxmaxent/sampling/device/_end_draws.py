"""Draws at the ends of a ladder, β = 0 and the reference.

They are made several at a time, stand at their end in turn, and replace a replica when they are taken in.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from jaxmaxent.ensembles import _background as background
from jaxmaxent.kernels import State
from jaxmaxent.kernels._few import chains_last
from jaxmaxent.sampling.device._state import Setup
from jaxmaxent.sampling.program._program import Program

# A product of all replicas and all draws that stand at ends takes longer than copies if there are more of these.
_MOST_IN_A_PRODUCT = 1024


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
    values: Float[Array, "chains ends values"],
) -> State:
    """Return the states, in which each draw replaces a replica if it is taken.

    Args:
        states: the states of the replicas of all chains, in one row.
        replica: the replica that the draw at each end replaces; those of two ends differ, or one is not taken.
        taken: whether it does.
        draws: draws of all ends, [chains, draws, …].
        now: the draw of each end that stands there.
        values: its E and N_k.
    """
    # On a CPU a scatter copies all caches to another layout and back.
    arguments = {"replica": replica, "taken": taken, "draws": draws, "now": now}
    return jax.lax.platform_dependent(
        states,
        cpu=functools.partial(_in_turn, **arguments),
        tpu=functools.partial(_by_product, **arguments, values=values),
        default=functools.partial(_at_once, **arguments),
    )


def _at_once(states: State, replica: Array, taken: Array, draws: State, now: Array) -> State:
    # Chosen one by one, because a GPU's compiler copies whole caches before and after a scatter.
    return jax.tree.map(functools.partial(_chosen, replica, taken, now), states, draws)


def _chosen(replica: Array, taken: Array, now: Array, leaf: Array, drawn: Array) -> Array:
    replicas = jnp.arange(len(leaf) // len(replica), dtype=replica.dtype)[None]
    for end in range(now.shape[0]):
        mask = ((replicas == replica[:, end, None]) & taken[:, end, None]).reshape(-1, *[1] * (leaf.ndim - 1))
        its = jax.lax.dynamic_index_in_dim(drawn, now[end], axis=1, keepdims=False)
        leaf = jnp.where(mask, jnp.repeat(its, replicas.shape[1], axis=0), leaf)
    return leaf


def _by_product(states: State, replica: Array, taken: Array, draws: State, now: Array, values: Array) -> State:
    # The last axis of a TPU's arrays is that of replicas. It would copy whole caches to another order and back to
    # repeat or to gather along this axis.
    chains, ends = replica.shape
    if chains * ends > _MOST_IN_A_PRODUCT:
        return _at_once(states, replica, taken, draws, now)
    rows = np.arange(len(states.energy), dtype=replica.dtype)
    first = rows[:: len(rows) // chains, None]
    here = rows[:, None] == jnp.where(taken, first + replica, -1).reshape(-1)[None]

    def standing_there(leaf: Array) -> Array:
        leaf = leaf.reshape(chains, ends, -1, *leaf.shape[2:])
        return jax.lax.dynamic_index_in_dim(leaf, now[0], axis=2, keepdims=False)

    def moved(its: Array) -> Array:
        # All bits arrive: the products of the highest precision are with 1 and 0, and one at most is not 0.
        its = _coded(its.reshape(chains * ends, *its.shape[2:]))
        return _decoded(jnp.tensordot(here.astype(its.dtype), its, 1, precision="highest"))

    # The small ones in one product.
    tokens, length = standing_there(draws.tokens).astype(values.dtype), states.tokens.shape[1]
    small, replaced = moved(jnp.concatenate([tokens, values], axis=-1)), jnp.any(here, axis=1)

    def put(leaf: Array, new: Array) -> Array:
        return jnp.where(replaced.reshape(-1, *[1] * (leaf.ndim - 1)), new.astype(leaf.dtype), leaf)

    def put_cache(leaf: Array, drawn: Array) -> Array:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return _chosen(replica, taken, now, leaf, drawn)
        new = moved(standing_there(drawn).astype(jnp.promote_types(leaf.dtype, jnp.float32)))
        return jax.vmap(chains_last)(put(leaf, new))

    return State(
        put(states.tokens, small[:, :length]),
        put(states.energy, small[:, length]),
        put(states.counts, small[:, length + 1 :]),
        jax.tree.map(put_cache, states.cache, draws.cache),
    )


def _coded(values: Array) -> Array:
    """Return numbers of which those that are not finite have a finite code, because 0 times them would not be 0."""
    infinite, none = _codes(values)
    return jnp.where(jnp.isnan(values), none, jnp.clip(values, -infinite, infinite))


def _decoded(values: Array) -> Array:
    """Return the numbers of which these are the codes."""
    infinite, none = _codes(values)
    signed = jnp.where(jnp.abs(values) >= infinite, jnp.sign(values) * jnp.inf, values)
    return jnp.where(values == none, jnp.nan, signed)


def _codes(values: Array) -> tuple[np.ndarray, np.ndarray]:
    """Return those of ∞ and of what is no number: larger than numbers of networks, and of one and two bits."""
    infinite = np.ldexp(np.ones((), values.dtype), jnp.finfo(values.dtype).maxexp - 1)
    return infinite, infinite * np.asarray(1.5, values.dtype)


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
