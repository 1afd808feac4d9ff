"""Steps of all replicas of one anchor, and the recomputation of what they cache."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

from jaxmaxent.kernels import Info, State, build
from jaxmaxent.sampling.device._state import Carry, Setup, in_slot

# Draws between two recomputations of everything that is cached, always at the same numbers of a run. All that is due
# more often is due at these draws too, so anchors that begin so many draws apart can share a program.
REFRESH_EVERY = 96


# Steps whose random positions and keys are made in one call, at most.
_TOGETHER = 8


def together(thin: int) -> int:
    """Return the steps whose random numbers are made in one call: the largest number that divides `thin`."""
    return max(size for size in range(1, _TOGETHER + 1) if thin % size == 0)


def refresh(setup: Setup, phase: Int[Array, ""], carry: Carry) -> Carry:
    """Recompute the caches at fixed draws, so that a run does not depend on where it was interrupted."""

    def recompute(again: Array, old: Carry) -> Carry:
        # The barrier keeps the compiler from recomputing ahead of the loop, every time.
        tokens, _ = jax.lax.optimization_barrier((old.states.tokens, again))
        states = jax.vmap(jax.vmap(setup.kernel.init))(tokens)
        drift = jnp.max(jnp.abs(states.energy - old.states.energy), axis=1)
        return old._replace(states=states, drift=jnp.maximum(old.drift, drift))

    # A loop of one step or none; unlike a branch it copies nothing when there is nothing to do.
    due = (phase % REFRESH_EVERY == 0).astype(jnp.int32)
    with jax.named_scope("refresh"):
        return jax.lax.fori_loop(0, due, recompute, carry)


def shared_of(setup: Setup, first: Int[Array, ""], draws: int) -> Any:
    """Return what all chains share in each step of some draws, [steps, …], or None if there are many steps.

    Made for many steps at once, small arrays cost hardly more time than for one step.
    """
    if setup.program.thin > _TOGETHER:
        return None
    return _shared(setup, first + jnp.arange(draws * setup.program.thin, dtype=first.dtype))


def walk(
    setup: Setup, first: Int[Array, ""], carry: Carry, shared: Any, offset: Int[Array, ""]
) -> tuple[Carry, Int[Array, "chains replicas"]]:
    """Make `thin` steps of every replica, and return how many of each were accepted.

    Args:
        setup: constants.
        first: number of the first step.
        carry: where the replicas are.
        shared: what `shared_of` returned.
        offset: the entry of `shared` that belongs to the first step.
    """
    program, shape = setup.program, carry.in_slot.shape
    # The inverse of the permutation `in_slot`, by comparison, because a sort takes seconds to compile.
    here = carry.in_slot[:, :, None] == jnp.arange(shape[1], dtype=carry.in_slot.dtype)[None, None]
    walked_in = jnp.argmax(here, axis=1).reshape(-1)
    # Nothing walks at β = 0, before these slots, nor at the reference, between the rungs and the rest of the target.
    slots = walked_in + program.has_background + (program.has_reference & (walked_in >= program.walked))
    size = together(program.thin)

    def some(which: Array, inner: _Walked) -> _Walked:
        numbers = first + which * size + jnp.arange(size, dtype=first.dtype)
        wheres, entry = (_shared(setup, numbers), 0) if shared is None else (shared, offset + which * size)
        with jax.named_scope("steps"):
            return jax.lax.fori_loop(0, size, functools.partial(step, wheres, entry, _keys(setup, numbers)), inner)

    def step(wheres: Any, entry: Any, all_keys: Key[Array, "steps replicas"], index: Array, inner: _Walked) -> _Walked:
        states, accepted, non_finite, offender = inner
        # Positions that may be negative would be made positive by a further operation of a GPU.
        take = functools.partial(jax.lax.dynamic_index_in_dim, keepdims=False, allow_negative_indices=False)
        where, keys = jax.tree.map(lambda leaf: take(leaf, entry + index), wheres), take(all_keys, index)

        def move(key: Array, state: State, slot: Array) -> tuple[State, Info]:
            # Beyond the target by the letters of the reference, in its further slots as in the first.
            rung = jnp.where(slot < program.path, jnp.minimum(slot, program.rungs), program.rungs - 1)
            rule = setup.rule.at(setup.anchor, rung)
            kernel = build(rule, in_slot(setup, slot), setup.evaluator, choice=program.choice)
            return kernel.move(key, state, where)

        states, info = jax.vmap(move)(keys, states, slots)
        bad = ~jnp.isfinite(info.proposed_energy)
        offender = jnp.where(bad[:, None], info.proposed, offender)
        return _Walked(states, accepted + info.accepted, non_finite + bad, offender)

    def flat(leaf: Array) -> Array:
        return leaf.reshape(shape[0] * shape[1], *leaf.shape[2:])

    before = _Walked(carry.states, jnp.zeros(shape, jnp.int32), carry.non_finite, carry.offender)
    after = jax.lax.fori_loop(0, program.thin // size, some, jax.tree.map(flat, before))
    states, accepted, non_finite, offender = jax.tree.map(lambda leaf: leaf.reshape(*shape, *leaf.shape[1:]), after)
    return carry._replace(states=states, non_finite=non_finite, offender=offender), accepted


class _Walked(NamedTuple):
    """The replicas of all chains during a walk: states, accepted and failed proposals, and the last that failed."""

    states: State
    accepted: Int[Array, " replicas"]
    non_finite: Int[Array, " replicas"]
    offender: Int[Array, "replicas length"]


def _shared(setup: Setup, steps: Int[Array, " steps"]) -> Any:
    """Return what all chains share in each of some steps, [steps, …]."""
    return jax.vmap(lambda number: setup.kernel.where(jax.random.fold_in(setup.where_key, number)))(steps)


def _keys(setup: Setup, steps: Int[Array, " steps"]) -> Key[Array, "steps replicas"]:
    """Return the key of every replica in each of some steps."""
    fold = jax.vmap(jax.random.fold_in, in_axes=(0, None))
    return jax.vmap(fold, in_axes=(None, 0))(setup.what_keys.reshape(-1), steps)
