"""Count the draws of a stretch together.

Notes are taken of each draw. Those of a stretch are counted in about as many operations as those of one draw would
be, and on an accelerator these arrays are so small that only the number of operations costs time.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxmaxent.sampling.device._counters import add_draws
from jaxmaxent.sampling.device._end_draws import standing_at_ends
from jaxmaxent.sampling.device._state import Carry, Clock, Setup, Trace
from jaxmaxent.sampling.device._swaps import Chances, measured, picked, probabilities
from jaxmaxent.sampling.program._program import Program


class Notes(NamedTuple):
    """The draws of a stretch; leading axis [draws], then [all_replicas] of all chains in one row, or [chains].

    Attributes:
        tokens: the sequence of every replica.
        values: its E, and its N_k.
        in_slot: the replica in each slot, as in `Carry`.
        accepted: accepted proposals of every replica.
        log_ratio: the log of the acceptance ratio of swaps, for each pair; None without a ladder.
    """

    tokens: UInt8[Array, "*lead length"]
    values: Float[Array, "*lead values"]
    in_slot: Int[Array, "chains replicas"]
    accepted: Int[Array, "*lead"]
    log_ratio: Float[Array, "chains pairs"] | None


def note_of(carry: Carry, accepted: Int[Array, " all_replicas"], log_ratio: Any) -> Notes:
    """Return the notes of one draw."""
    return Notes(carry.states.tokens.astype(jnp.uint8), measured(carry.states), carry.in_slot, accepted, log_ratio)


def empty_notes(program: Program, carry: Carry) -> Notes:
    """Return notes with room for the draws of a stretch."""
    log_ratio = None
    if carry.draws is not None:
        log_ratio = jnp.zeros((carry.in_slot.shape[0], program.path - 1), carry.states.energy.dtype)
    like = note_of(carry, carry.non_finite, log_ratio)
    return jax.tree.map(lambda leaf: jnp.zeros((program.stretch, *leaf.shape), leaf.dtype), like)


def with_note(notes: Notes, turn: Int[Array, ""], new: Notes) -> Notes:
    """Return notes with the draw of this turn."""

    def put(leaf: Array, its: Array) -> Array:
        return jax.lax.dynamic_update_index_in_dim(leaf, its, turn, axis=0, allow_negative_indices=False)

    return jax.tree.map(put, notes, new)


def count_stretch(
    setup: Setup,
    clock: Clock,
    index: Array,
    turns: Array | int,
    carry: Carry,
    trace: Trace,
    notes: Notes,
    before: Int[Array, "chains replicas"],
    chances: Chances | None,
) -> tuple[Carry, Trace]:
    """Count the sequences in all slots; at an end the draws that stood there, taken in or not.

    Args:
        setup: constants.
        clock: the clock of the block.
        index: the first draw of the stretch, in its block.
        turns: number of its draws; notes beyond are of no draw.
        carry: the carry after the draws.
        trace: the trace.
        notes: those of the draws.
        before: `in_slot` before the draws.
        chances: what chance decided; None without a ladder.
    """
    program = setup.program
    phases = clock.phase + index + jnp.arange(program.stretch)
    counted = jnp.arange(program.stretch) < turns
    # The steps count for the slot where a replica made them, though a swap then moved it.
    stood = jnp.concatenate([before[None], notes.in_slot[:-1]])
    rows = notes.tokens, notes.values, notes.accepted
    its = (leaf.reshape(*stood.shape, *leaf.shape[2:]) for leaf in rows)
    notes = notes._replace(**dict(zip(("tokens", "values", "accepted"), its, strict=True)))
    ends = now = drawn = None
    if carry.draws is not None and chances is not None:
        ends, drawn = chances.ends, carry.draws.tokens.astype(jnp.uint8)
        now = jax.vmap(functools.partial(standing_at_ends, program))(phases)
    of_draw = jax.vmap(functools.partial(_in_slots, setup), in_axes=(0, 0, 0, 0, None))
    tokens, scalars, accepted = jax.vmap(of_draw, in_axes=(0, 0, 0, None, 0))(notes, stood, ends, drawn, now)
    carry = carry._replace(counters=add_draws(program, carry.counters, counted, tokens, scalars, accepted))
    if chances is not None and notes.log_ratio is not None:
        carry = _with_swaps(setup, turns, phases % 2 == 0, carry, notes.log_ratio)
        carry = _with_trips(setup, counted, carry, notes.in_slot, chances, chances.threshold < notes.log_ratio)
    scalars, tokens = scalars[:, :, : program.path], tokens[:, :, : program.rungs]
    return carry, _traced(program, clock, index, counted, trace, scalars, tokens)


def _in_slots(
    setup: Setup, notes: Notes, stood: Int[Array, " replicas"], ends: Any, drawn: Any, now: Int[Array, " ends"] | None
) -> tuple[UInt8[Array, "slots length"], Float[Array, "slots scalars"], Int[Array, " slots"]]:
    """Return tokens, scalars and accepted proposals in all slots of one chain in one draw.

    Args:
        setup: constants.
        notes: those of the draw.
        stood: `in_slot` before the swap.
        ends: values of the draws that stood at the ends; None without a ladder.
        drawn: tokens of all draws at the ends.
        now: those that stood there.
    """
    program, accepted, in_slot = setup.program, notes.accepted, notes.in_slot
    tokens, values = notes.tokens, notes.values
    if now is not None:
        # The draws at the ends are in their slots as further replicas, which accepted nothing.
        tokens, values = jnp.concatenate([tokens, picked(drawn, now)]), jnp.concatenate([values, ends])
        last = program.replicas + jnp.arange(len(now), dtype=in_slot.dtype)
        in_slot, stood = (
            jnp.concatenate([last[:1], slots[: program.walked], last[1:], slots[program.walked :]])
            for slots in (in_slot, stood)
        )
    changed = jnp.sum(tokens != setup.ensemble.anchor.astype(jnp.uint8)[None], axis=-1, dtype=jnp.int32)
    columns = values[:, 0], changed.astype(values.dtype), *jnp.unstack(values[:, 1:], axis=1)
    scalars = jnp.stack([picked(column, in_slot) for column in columns], axis=1)
    return tokens[in_slot], scalars, picked(accepted, stood)


def _with_swaps(
    setup: Setup,
    turns: Array | int,
    even: Bool[Array, " draws"],
    carry: Carry,
    log_ratio: Float[Array, "draws chains pairs"],
) -> Carry:
    """Return the carry with the acceptance probabilities of the swaps of a stretch.

    That of each end is from before its draw could be taken in. After a draw was taken in, the rung beside the end holds
    what became of it. Only before are the two independent, as the mean acceptance probability of a swap supposes. A
    draw stands at its end for an even and then an odd swap.
    """
    probability, pairs = probabilities(log_ratio), jnp.arange(setup.program.path - 1)[None, None]

    def first(end: int) -> Array:
        tried = probability[:, :, end]
        return jnp.where(even[:, None], tried, jnp.concatenate([carry.entry[None, :, end], tried[:-1]]))

    found = [first(0)]
    if setup.program.has_reference:
        tried_first = setup.program.path % 2 == 0  # the last pair is an even one
        found.append(first(-1) if tried_first else probability[:, :, -1])
        probability = jnp.where(pairs == pairs.shape[2] - 1, found[1][:, :, None], probability)
    probability = jnp.where(pairs == 0, found[0][:, :, None], probability)
    entry = jax.lax.dynamic_index_in_dim(jnp.stack(found, axis=-1), turns - 1, keepdims=False)
    sums = carry.counters.swaps
    for turn in range(setup.program.stretch):
        sums = jnp.where(turn < turns, sums + probability[turn], sums)
    return carry._replace(entry=entry, counters=carry.counters._replace(swaps=sums))


def _with_trips(
    setup: Setup,
    counted: Bool[Array, " draws"],
    carry: Carry,
    in_slot: Int[Array, "draws chains replicas"],
    chances: Chances,
    accepted: Bool[Array, "draws chains pairs"],
) -> Carry:
    """Return the carry with the trips of a stretch: where the sequence of each replica has been."""
    program = setup.program
    top, walked, target = program.rungs - 1, program.walked, program.target
    # The slot of each replica before those at the target were rotated.
    here = in_slot[..., None] == jnp.arange(program.replicas)[None, None, None]
    slots = jnp.sum(jnp.where(here, chances.whence[..., None], 0), axis=2, dtype=in_slot.dtype)
    counted = counted[:, None, None]
    from_zero = (slots == 0) & accepted[..., :1] & counted
    new_one = from_zero
    if program.has_reference:
        new_one = new_one | ((slots == walked - 1) & accepted[..., -1:] & counted)
    at_target = (slots == target) & counted
    passed = jnp.where((slots < min(top, walked)) & counted, slots + 1, program.rungs)
    lowest, been_up, counters = carry.lowest, carry.been_up, carry.counters
    origins = jnp.arange(program.rungs + 1)[None, None]
    trips, returns = jnp.zeros((*lowest.shape, origins.shape[2]), jnp.int32), jnp.zeros_like(lowest)
    for turn in range(program.stretch):
        returns = returns + (from_zero[turn] & been_up)
        lowest = jnp.where(new_one[turn], jnp.where(from_zero[turn], 0, program.rungs), lowest)
        trips = trips + ((lowest[..., None] == origins) & at_target[turn, ..., None])
        lowest = jnp.where(at_target[turn], top, jnp.minimum(lowest, passed[turn]))
        been_up = been_up & ~new_one[turn] | at_target[turn]
    counters = counters._replace(
        trips=counters.trips + trips.sum(1, dtype=jnp.int32),
        round_trips=counters.round_trips + returns.sum(1, dtype=jnp.int32),
    )
    return carry._replace(lowest=lowest, been_up=been_up, counters=counters)


def _traced(
    program: Program,
    clock: Clock,
    index: Array,
    counted: Bool[Array, " draws"],
    trace: Trace,
    scalars: Float[Array, "draws chains path scalars"],
    tokens: UInt8[Array, "draws chains rungs length"],
) -> Trace:
    """Return the trace with the draws of a stretch; one that is not to be kept is written over by the next."""
    draws = jnp.arange(program.stretch)

    def put(kept: Array, new: Array, done: Array, every: Any) -> Array:
        slots = (done + index + draws) // every - done // every
        written = (slots[None] == jnp.arange(kept.shape[1])[:, None]) & counted[None]
        last = jnp.max(jnp.where(written, draws[None], -1), axis=1)
        mask = (last >= 0).reshape(1, -1, *[1] * (kept.ndim - 2))
        return jnp.where(mask, jnp.moveaxis(new[last], 0, 1), kept)

    rows = put(trace.scalars, scalars, clock.done, clock.stride)
    if not program.store_every:
        return trace._replace(scalars=rows)
    return Trace(rows, put(trace.stored, tokens, clock.sampled, program.store_every))
