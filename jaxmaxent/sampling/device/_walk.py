"""Steps of all replicas of one anchor, and the recomputation of what they cache."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from jaxmaxent.evaluate import _slices as slices
from jaxmaxent.kernels import Info, Kernel, State, build
from jaxmaxent.kernels._few import chains_last
from jaxmaxent.kernels._metropolis import Drawn
from jaxmaxent.sampling.device._state import Carry, Setup, in_slot

# Draws between two recomputations of everything that is cached, always at the same numbers of a run. All that is due
# more often is due at these draws too, so anchors that begin so many draws apart can share a program.
REFRESH_EVERY = 96


# Steps whose random numbers are made in one call, at most; those of a stretch are if they take no more memory.
_TOGETHER = 8
_MOST_BYTES_AHEAD = 32 * 2**20


def together(thin: int) -> int:
    """Return the steps whose random numbers are made in one call: the largest number that divides `thin`."""
    return max(size for size in range(1, _TOGETHER + 1) if thin % size == 0)


def refresh(setup: Setup, phase: Int[Array, ""], carry: Carry) -> Carry:
    """Recompute the caches at fixed draws, so that a run does not depend on where it was interrupted."""

    def recompute(again: Array, old: Carry) -> Carry:
        # The barrier keeps the compiler from recomputing ahead of the loop, every time.
        tokens, _ = jax.lax.optimization_barrier((old.states.tokens, again))
        states = jax.vmap(setup.kernel.init)(tokens)
        change = jnp.abs(states.energy - old.states.energy)
        drift = jnp.max(change.reshape(old.in_slot.shape), axis=1)
        return old._replace(states=states, drift=jnp.maximum(old.drift, drift))

    # A loop of one step or none; unlike a branch it copies nothing when there is nothing to do.
    due = (phase % REFRESH_EVERY == 0).astype(jnp.int32)
    with jax.named_scope("refresh"):
        return jax.lax.fori_loop(0, due, recompute, carry)


class Ahead(NamedTuple):
    """What is drawn for some steps before they are made; small arrays for many steps cost no more than for one.

    Attributes:
        wheres: what all chains share in each step, [steps, …]; None if it is not drawn so early.
        drawn: what each chain draws in each step, [steps, …, replicas]; None if it is not drawn so early.
    """

    wheres: Any
    drawn: Drawn | None


def ahead_of(setup: Setup, first: Int[Array, ""], draws: int) -> Ahead:
    """Return what can be drawn ahead for all steps of some draws."""
    if setup.program.thin > _TOGETHER:
        return Ahead(None, None)
    numbers = first + jnp.arange(draws * setup.program.thin, dtype=first.dtype)
    wheres = _shared(setup, numbers)
    few = setup.program.draws_ahead and _bytes_drawn(setup, numbers, wheres) <= _MOST_BYTES_AHEAD
    return Ahead(wheres, _drawn(setup, numbers, wheres) if few else None)


def walk(
    setup: Setup, first: Int[Array, ""], carry: Carry, ahead: Ahead, offset: Int[Array, ""]
) -> tuple[Carry, Int[Array, " all_replicas"]]:
    """Make `thin` steps of every replica, and return how many of each were accepted.

    Args:
        setup: constants.
        first: number of the first step.
        carry: where the replicas are, in one row.
        ahead: what `ahead_of` returned.
        offset: the entry of `ahead` that belongs to the first step.
    """
    program = setup.program
    slots, rungs = _walked_in(setup, carry.in_slot)
    size = together(program.thin)

    def kernel_in(slot: Array, rung: Array) -> Kernel:
        rule = setup.rule.at(setup.anchor, rung)
        return build(rule, in_slot(setup, slot), setup.evaluator, choice=program.choice)

    def some(which: Array, inner: _Walked) -> _Walked:
        numbers = first + which * size + jnp.arange(size, dtype=first.dtype)
        entry = offset + which * size
        wheres = _Made(ahead.wheres, entry) if ahead.wheres is not None else _Made(_shared(setup, numbers), 0)
        if not program.draws_ahead:
            each = functools.partial(key_of_each, wheres, _Made(_keys(setup, numbers), 0))
        elif ahead.drawn is not None:
            each = functools.partial(drawn_for_each, wheres, ahead.drawn)
        else:
            its = jax.tree.map(lambda leaf: slices.cut(leaf, wheres.entry, size), wheres.arrays)
            each = functools.partial(drawn_for_each, _Made(its, 0), _drawn(setup, numbers, its))
        with jax.named_scope("steps"):
            return jax.lax.fori_loop(0, size, functools.partial(step, each), inner)

    def key_of_each(wheres: _Made, keys: _Made, index: Array, states: State) -> tuple[State, Info]:
        where = wheres.of(index)

        def move(key: Key[Array, ""], state: State, slot: Array, rung: Array) -> tuple[State, Info]:
            return kernel_in(slot, rung).move(key, state, where)

        return jax.vmap(move)(keys.of(index), states, slots, rungs)

    def drawn_for_each(wheres: _Made, drawn: Drawn, index: Array, states: State) -> tuple[State, Info]:
        now = functools.partial(_taken, wheres.entry + index)

        def move(drawn: Drawn, state: State, slot: Array, rung: Array) -> tuple[State, Info]:
            return kernel_in(slot, rung).moved(drawn, state, wheres.arrays, now)

        return jax.vmap(move, in_axes=(-1, 0, 0, 0))(drawn, states, slots, rungs)

    def step(each: Callable[..., tuple[State, Info]], index: Array, inner: _Walked) -> _Walked:
        states, accepted, non_finite, offender = inner
        states, info = each(index, states)
        if not program.incremental:  # the order of axes is then that of caches
            states = states._replace(tokens=jax.vmap(chains_last)(states.tokens))
            info = info._replace(proposed=jax.vmap(chains_last)(info.proposed))
        bad = ~jnp.isfinite(info.proposed_energy)
        offender = jnp.where(bad[:, None], info.proposed, offender)
        return _Walked(states, accepted + info.accepted, non_finite + bad, offender)

    before = _Walked(carry.states, jnp.zeros_like(carry.non_finite), carry.non_finite, carry.offender)
    states, accepted, non_finite, offender = jax.lax.fori_loop(0, program.thin // size, some, before)
    return carry._replace(states=states, non_finite=non_finite, offender=offender), accepted


def _walked_in(
    setup: Setup, in_slot: Int[Array, "chains replicas"]
) -> tuple[Int[Array, " all_replicas"], Int[Array, " all_replicas"]]:
    """Return the slot of each replica of all chains, and the rung of its tables."""
    program = setup.program
    # The inverse of the permutation, by comparison, because a sort takes seconds to compile.
    here = in_slot[:, :, None] == jnp.arange(in_slot.shape[1], dtype=in_slot.dtype)[None, None]
    walked_in = np.arange(in_slot.shape[1], dtype=in_slot.dtype)
    # Nothing walks at β = 0, before these slots, nor at the reference, between the rungs and the rest of the target.
    slots = walked_in + program.has_background + (program.has_reference & (walked_in >= program.walked))
    # Beyond the target by the letters of the reference, in its further slots as in the first.
    rungs = np.where(slots < program.path, np.minimum(slots, program.rungs), program.rungs - 1)
    slots, rungs = (
        jnp.sum(jnp.where(here, numbers[None, :, None], 0), axis=1, dtype=in_slot.dtype).reshape(-1)
        for numbers in (slots.astype(in_slot.dtype), rungs.astype(in_slot.dtype))
    )
    if not program.draws_ahead:
        return slots, rungs
    # Otherwise compilers of accelerators find them again in every step.
    return jax.lax.optimization_barrier((slots, rungs))


class _Made(NamedTuple):
    """Arrays made for many steps, [steps, …], and the entry of the first of some of them."""

    arrays: Any
    entry: Any

    def of(self, index: Int[Array, ""]) -> Any:
        """Return what belongs to one of the steps."""
        return _taken(self.entry + index, self.arrays)


def _taken(entry: Int[Array, ""], arrays: Any) -> Any:
    # Positions that may be negative would be made positive by a further operation of a GPU.
    take = functools.partial(jax.lax.dynamic_index_in_dim, keepdims=False, allow_negative_indices=False)
    return jax.tree.map(lambda leaf: take(leaf, entry), arrays)


class _Walked(NamedTuple):
    """The replicas of all chains during a walk: states, accepted and failed proposals, and the last that failed."""

    states: State
    accepted: Int[Array, " replicas"]
    non_finite: Int[Array, " replicas"]
    offender: Int[Array, "replicas length"]


def _shared(setup: Setup, steps: Int[Array, " steps"]) -> Any:
    """Return what all chains share in each of some steps, [steps, …]."""
    return jax.vmap(lambda number: setup.kernel.where(jax.random.fold_in(setup.where_key, number)))(steps)


def _drawn(setup: Setup, steps: Int[Array, " steps"], wheres: Any) -> Drawn:
    """Return what every replica draws in each of some steps, [steps, …, replicas]; it is the same in all slots.

    Replicas are on the last axis, because a TPU computes along it.
    """
    kernel = build(setup.rule.at(setup.anchor, 0), setup.ensemble, setup.evaluator, choice=setup.program.choice)
    of_replicas = jax.vmap(kernel.draw, in_axes=(0, None), out_axes=-1)
    return jax.vmap(of_replicas)(_keys(setup, steps), wheres)


def _bytes_drawn(setup: Setup, steps: Int[Array, " steps"], wheres: Any) -> int:
    drawn = jax.eval_shape(functools.partial(_drawn, setup), steps, wheres)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(drawn))


def _keys(setup: Setup, steps: Int[Array, " steps"]) -> Key[Array, "steps replicas"]:
    """Return the key of every replica in each of some steps."""
    fold = jax.vmap(jax.random.fold_in, in_axes=(0, None))
    return jax.vmap(fold, in_axes=(None, 0))(setup.what_keys.reshape(-1), steps)
