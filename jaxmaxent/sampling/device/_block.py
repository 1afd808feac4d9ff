"""The compiled block: all replicas of all chains of all anchors, for some steps, swaps and draws.

Between two draws every replica makes `thin` steps, then neighbouring rungs are swapped, then the sequences at every
rung are counted. β moves between replicas, and sequences stay where they are: a draw at β = 0 that is taken in is the
only sequence that is ever copied. The carry has the leading axes [anchors, all_chains], so that both can be spread over
devices: chains need nothing from each other inside a block.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles._reference import with_reference
from jaxmaxent.kernels import State, build, evaluator_for
from jaxmaxent.sampling.device._counters import SCALARS
from jaxmaxent.sampling.device._end_draws import drawn, made
from jaxmaxent.sampling.device._hash import written_out
from jaxmaxent.sampling.device._state import (
    TRACE_SLOTS,
    Carry,
    Clock,
    Keys,
    Ladder,
    Setup,
    Trace,
    by_chain,
    first_carry,
    in_one_row,
    setup_of,
)
from jaxmaxent.sampling.device._stretch import Notes, count_stretch, empty_notes, note_of, with_note
from jaxmaxent.sampling.device._swaps import chances, swap
from jaxmaxent.sampling.device._walk import REFRESH_EVERY, Ahead, ahead_of, refresh, walk
from jaxmaxent.sampling.program._program import Program
from jaxmaxent.sampling.program._sharding import over_devices

# What the loop over stretches carries.
_Outer = tuple[Carry, Trace, Notes]


@functools.partial(jax.jit, static_argnames=("program",))
def begin(
    program: Program,
    ensemble: Ensemble,
    rule: Any,
    log_q: Float[Array, "anchors length letters"],
    tokens: Int[Array, "anchors all_chains replicas length"],
) -> Carry:
    """Return the carry of replicas that stand at `tokens`, the first at the lowest rung above β = 0."""

    def one_anchor(one: Ensemble, its_log_q: Array, rows: Array) -> Carry:
        one = with_reference(one, its_log_q) if program.has_reference else one
        evaluator = evaluator_for(rule, one, incremental=program.incremental)
        states = jax.vmap(jax.vmap(build(rule.at(0, 0), one, evaluator).init))(rows)
        return jax.vmap(functools.partial(first_carry, program, one))(states)

    return _over_anchors(program, one_anchor, ensemble, log_q, tokens)


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("carry",))
def told(program: Program, ensemble: Ensemble, log_q: Float[Array, "anchors length letters"], carry: Carry) -> Carry:
    """Return the carry with the counts of all sequences under another reference."""

    def one_anchor(one: Ensemble, its_log_q: Array, tokens: Any) -> Any:
        counts = with_reference(one, its_log_q).counts
        return jax.tree.map(jax.vmap(jax.vmap(counts)), tokens)

    def put(states: Any, counts: Array) -> Any:
        return states._replace(counts=counts)

    both = carry.states, carry.draws
    tokens = jax.tree.map(lambda states: states.tokens, both, is_leaf=lambda node: isinstance(node, State))
    counts = _over_anchors(program, one_anchor, ensemble, log_q, tokens)
    states, draws = (put(*pair) for pair in zip(both, counts, strict=True))
    return carry._replace(states=states, draws=draws)


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("carry",))
def emptied(program: Program, ensemble: Ensemble, carry: Carry) -> Carry:
    """Return the carry with all counters at zero."""
    del program, ensemble
    return carry._replace(counters=jax.tree.map(jnp.zeros_like, carry.counters))


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("carry",))
def block(
    program: Program,
    ensemble: Ensemble,
    rule: Any,
    ladder: Ladder,
    keys: Keys,
    carry: Carry,
    clock: Clock | Int[Array, " numbers"],
) -> tuple[Carry, Trace]:
    """Advance all replicas by `clock.draws` × `program.thin` steps; the clock may be an array of its numbers."""
    return advance(program, ensemble, rule, ladder, keys, carry, Clock(*clock))


def advance(
    program: Program, ensemble: Ensemble, rule: Any, ladder: Ladder, keys: Keys, carry: Carry, clock: Clock
) -> tuple[Carry, Trace]:
    """Do `block`, inside a compiled function."""

    def on_a_device(
        mine: Ensemble, rule: Any, ladder: Ladder, anchors: Array, chains: Array, keys: Keys, carry: Carry, clock: Clock
    ) -> tuple[Carry, Trace]:
        def one_anchor(one: Ensemble, its_ladder: Ladder, anchor: Array, its_carry: Carry) -> tuple[Carry, Trace]:
            def some_chains(some: tuple[Array, Carry]) -> tuple[Carry, Trace]:
                return _advance(setup_of(program, one, rule, its_ladder, keys, anchor, some[0]), some[1], clock)

            beside = 1 if program.one_by_one else len(anchors)
            return _in_groups(program.groups(len(chains), beside), some_chains, (chains, its_carry))

        return _over_anchors(program, one_anchor, mine, ladder, anchors, carry)

    keys = Keys(*map(written_out, keys))
    shared = over_devices(program.mesh, on_a_device, ensemble)
    numbers = jnp.arange(ensemble.anchors), jnp.arange(program.all_chains)
    return shared(ensemble, rule, ladder, *numbers, keys, carry, clock)


def _over_anchors(program: Program, function: Callable[..., Any], ensemble: Ensemble, *arrays: Any) -> Any:
    """Map a function of (ensemble of one anchor, arrays of one anchor …) over the anchors."""
    if not program.one_by_one:
        return jax.vmap(function, in_axes=(ensemble.anchor_axes(), *[0] * len(arrays)))(ensemble, *arrays)

    def one(anchor: Array) -> Any:
        return function(ensemble.take(anchor), *jax.tree.map(lambda leaf: leaf[anchor], arrays))

    return jax.lax.map(one, jnp.arange(ensemble.anchors))


def _in_groups(groups: int, function: Callable[[Any], Any], arrays: Any) -> Any:
    """Apply a function of arrays, all [chains, …], to groups of chains in turn."""
    if groups == 1:
        return function(arrays)
    chains = len(jax.tree.leaves(arrays)[0])
    size = -(-chains // groups)

    def split(leaf: Array) -> Array:
        # The last chain also takes the places that are left over, where nobody looks at it.
        left_over = jnp.broadcast_to(leaf[-1:], (groups * size - chains, *leaf.shape[1:]))
        return jnp.concatenate([leaf, left_over]).reshape(groups, size, *leaf.shape[1:])

    with jax.named_scope("groups"):
        found = jax.lax.map(function, jax.tree.map(split, arrays))
    return jax.tree.map(lambda leaf: leaf.reshape(groups * size, *leaf.shape[2:])[:chains], found)


def _advance(setup: Setup, carry: Carry, clock: Clock) -> tuple[Carry, Trace]:
    """Do `block` for the chains of one anchor."""
    program = setup.program

    def at(index: Array) -> tuple[Array, Array]:
        return clock.first // program.thin + index, clock.phase + index

    def draw(begun: Array, made: tuple[Ahead, Any], turn: Array, outer: tuple[Carry, Notes]) -> tuple[Carry, Notes]:
        (carry, notes), (ahead, chance) = outer, made
        index, log_ratio = begun + turn, None
        carry, accepted = walk(setup, clock.first + index * program.thin, carry, ahead, turn * program.thin)
        if carry.draws is not None:
            take = functools.partial(jax.lax.dynamic_index_in_dim, keepdims=False, allow_negative_indices=False)
            its = jax.tree.map(lambda leaf: take(leaf, turn), chance)
            carry, log_ratio = swap(setup, its, at(index)[1], carry, carry.draws)
        return carry, with_note(notes, turn, note_of(carry, accepted, log_ratio))

    def draws(index: Array, turns: Array | int, outer: _Outer) -> _Outer:
        carry, trace, notes = outer
        ahead = ahead_of(setup, clock.first + index * program.thin, program.stretch)
        chance = None if carry.draws is None else chances(setup, *at(index), clock.teaching, carry.draws)
        # The barrier keeps the compiler from making them again in every draw.
        ahead, chance = jax.lax.optimization_barrier((ahead, chance))
        before = carry.in_slot
        with jax.named_scope("draws"):
            body = functools.partial(draw, index, (ahead, chance))
            carry, notes = jax.lax.fori_loop(0, turns, body, (carry, notes))
        carry, trace = count_stretch(setup, clock, index, turns, carry, trace, notes, before, chance)
        return carry, trace, notes

    # What is seldom due is done before a stretch of draws, because a GPU would ask its host before each draw whether
    # it is due.
    def stretch(outer: tuple[Array, _Outer]) -> tuple[Array, _Outer]:
        index, (carry, trace, notes) = outer
        number, phase = at(index)
        carry = refresh(setup, phase, carry)
        if carry.draws is not None:
            carry = carry._replace(draws=drawn(setup, number, phase, carry.draws))
        due = [period - phase % period for period in (REFRESH_EVERY, program.stretch)]
        until = jnp.minimum(index + functools.reduce(jnp.minimum, due), clock.draws)
        return until, draws(index, until - index, (carry, trace, notes))

    def whole_stretch(outer: tuple[Array, _Outer]) -> tuple[Array, _Outer]:
        index, (carry, trace, notes) = outer
        if carry.draws is not None:
            carry = carry._replace(draws=made(setup, at(index)[0], setup.end_keys))
        return index + program.stretch, draws(index, program.stretch, (carry, trace, notes))

    def whole_stretches(outer: tuple[Array, _Outer]) -> tuple[Array, _Outer]:
        index, (carry, trace, notes) = outer
        phase = at(index)[1]
        until = jnp.minimum(index + REFRESH_EVERY - phase % REFRESH_EVERY, clock.draws)
        first = index, (refresh(setup, phase, carry), trace, notes)
        with jax.named_scope("stretches"):
            return jax.lax.while_loop(lambda outer: outer[0] < until, whole_stretch, first)

    carry = in_one_row(carry)
    first = jnp.zeros_like(clock.draws), (carry, _empty_trace(setup, carry), empty_notes(program, carry))
    some = whole_stretches if program.whole_stretches else stretch
    carry, trace, _ = jax.lax.while_loop(lambda outer: outer[0] < clock.draws, some, first)[1]
    return by_chain(carry), trace


def _empty_trace(setup: Setup, carry: Carry) -> Trace:
    """Return a trace with room for the draws of a block."""
    program, ensemble, chains = setup.program, setup.ensemble, carry.in_slot.shape[0]
    scalars = (chains, TRACE_SLOTS, program.path, SCALARS + len(ensemble.fields))
    stored = (chains, program.buffer, program.rungs, ensemble.length)
    return Trace(jnp.zeros(scalars, carry.states.energy.dtype), jnp.zeros(stored, jnp.uint8))
