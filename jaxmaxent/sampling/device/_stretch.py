"""Count the draws of a stretch together.

Each draw leaves a record, and the records of a stretch are counted in a few operations, where each draw would need as
many.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxmaxent.sampling.device._counters import add_draws
from jaxmaxent.sampling.device._end_draws import standing_at_ends
from jaxmaxent.sampling.device._state import Carry, Clock, Setup, Trace
from jaxmaxent.sampling.device._swaps import Chances, picked, probabilities
from jaxmaxent.sampling.program._program import Program


class Record(NamedTuple):
    """The draws of a stretch; leading axes [draws, chains].

    Attributes:
        tokens: the sequence of every replica.
        energy: its E.
        counts: its N_k.
        in_slot: the replica in each slot, as in `Carry`.
        accepted: accepted proposals of every replica.
        log_ratio: the log of the acceptance ratio of swaps, for each pair; None without a ladder.
    """

    tokens: UInt8[Array, "replicas length"]
    energy: Float[Array, " replicas"]
    counts: Float[Array, "replicas fields"]
    in_slot: Int[Array, " replicas"]
    accepted: Int[Array, " replicas"]
    log_ratio: Float[Array, " pairs"] | None


def record_of(carry: Carry, accepted: Int[Array, "chains replicas"], log_ratio: Any) -> Record:
    """Return the record of one draw."""
    states = carry.states
    tokens = states.tokens.astype(jnp.uint8)
    return Record(tokens, states.energy, states.counts, carry.in_slot, accepted, log_ratio)


def empty_record(program: Program, carry: Carry) -> Record:
    """Return a record with room for the draws of a stretch."""
    log_ratio = None
    if carry.draws is not None:
        log_ratio = jnp.zeros((carry.in_slot.shape[0], program.path - 1), carry.states.energy.dtype)
    like = record_of(carry, carry.in_slot, log_ratio)
    return jax.tree.map(lambda leaf: jnp.zeros((program.stretch, *leaf.shape), leaf.dtype), like)


def recorded(record: Record, turn: Int[Array, ""], new: Record) -> Record:
    """Return the record with the draw of this turn."""

    def put(leaf: Array, its: Array) -> Array:
        return jax.lax.dynamic_update_index_in_dim(leaf, its, turn, axis=0, allow_negative_indices=False)

    return jax.tree.map(put, record, new)


def count_stretch(
    setup: Setup,
    clock: Clock,
    index: Array,
    turns: Array | int,
    carry: Carry,
    trace: Trace,
    record: Record,
    before: Int[Array, " replicas"],
    chances: Chances | None,
) -> tuple[Carry, Trace]:
    """Count the sequences in all slots of one chain; at an end the draws that stood there, taken in or not.

    Args:
        setup: constants.
        clock: the clock of the block.
        index: the first draw of the stretch, in its block.
        turns: number of its draws; records beyond are of no draw.
        carry: the carry of the chain, after the draws.
        trace: the trace of the chain.
        record: the records of the chain.
        before: `in_slot` before the draws.
        chances: what chance decided; None without a ladder.
    """
    program = setup.program
    phases = clock.phase + index + jnp.arange(program.stretch)
    counted = jnp.arange(program.stretch) < turns
    # The steps count for the slot where a replica made them, though a swap then moved it.
    stood = jnp.concatenate([before[None], record.in_slot[:-1]])
    accepted, in_slot = record.accepted, record.in_slot
    sequences = record.tokens, record.energy, record.counts
    if carry.draws is not None:
        now = jax.vmap(lambda phase: standing_at_ends(program, phase))(phases)
        drawn = carry.draws.tokens.astype(jnp.uint8), carry.draws.energy, carry.draws.counts
        ends = jax.tree.map(lambda leaf: jax.vmap(lambda which: picked(leaf, which))(now), drawn)
        # The draws at the ends count as further replicas, which stand there.
        sequences = jax.tree.map(lambda leaf, more: jnp.concatenate([leaf, more], axis=1), sequences, ends)
        accepted = jnp.concatenate([accepted, jnp.zeros_like(accepted, shape=now.shape)], axis=1)
        stood, in_slot = _with_ends(setup, stood), _with_ends(setup, in_slot)
    accepted = jax.vmap(picked)(accepted, stood)
    tokens, energy, counts = sequences
    anchor = setup.ensemble.anchor.astype(jnp.uint8)[None, None]
    changed = jnp.sum(tokens != anchor, axis=-1, dtype=jnp.int32).astype(energy.dtype)
    scalars = jnp.concatenate([energy[..., None], changed[..., None], counts], axis=-1)
    scalars = jax.vmap(picked)(scalars, in_slot)
    tokens = jax.vmap(lambda rows, which: rows[which])(tokens, in_slot)
    counters = add_draws(program, carry.counters, counted, tokens, scalars, accepted)
    carry = carry._replace(counters=counters)
    if chances is not None:
        carry = _with_swaps(setup, counted, phases % 2 == 0, carry, record, chances)
    return carry, _traced(setup, clock, index, counted, trace, scalars[:, : program.path], tokens[:, : program.rungs])


def _with_ends(setup: Setup, in_slot: Int[Array, "draws replicas"]) -> Int[Array, "draws slots"]:
    """Return the replica in each slot, the draws at the ends among them as further replicas."""
    program, draws = setup.program, len(in_slot)
    ends = [jnp.full((draws, 1), program.replicas + end, in_slot.dtype) for end in range(1 + program.has_reference)]
    return jnp.concatenate([ends[0], in_slot[:, : program.walked], *ends[1:], in_slot[:, program.walked :]], axis=1)


def _with_swaps(
    setup: Setup, counted: Bool[Array, " draws"], even: Bool[Array, " draws"], carry: Carry, record: Record,
    chances: Chances,
) -> Carry:
    """Return the carry of one chain with the swaps of a stretch counted."""
    probability, entry = _before_taken(setup, counted, even, probabilities(record.log_ratio), carry.entry)
    sums = carry.counters.swaps
    for turn in range(setup.program.stretch):
        sums = jnp.where(counted[turn], sums + probability[turn], sums)
    carry = carry._replace(entry=entry, counters=carry.counters._replace(swaps=sums))
    return _with_trips(setup, counted, carry, record, chances)


def _before_taken(
    setup: Setup,
    counted: Bool[Array, " draws"],
    even: Bool[Array, " draws"],
    probability: Float[Array, "draws pairs"],
    entry: Float[Array, " ends"],
) -> tuple[Float[Array, "draws pairs"], Float[Array, " ends"]]:
    """Return acceptance probabilities with those of each end from before its draw could be taken in.

    After a draw was taken in, the rung beside the end holds what became of it. Only before are the two independent, as
    the mean acceptance probability of a swap supposes. A draw stands at its end for an even and then an odd swap.
    """
    pairs = jnp.arange(probability.shape[1])

    def first(end: int) -> Array:
        tried = probability[:, end]
        return jnp.where(even, tried, jnp.concatenate([entry[end : end + 1 or None], tried[:-1]]))

    found = [first(0)]
    if setup.program.has_reference:
        tried_first = setup.program.path % 2 == 0  # the last pair is an even one
        found.append(first(-1) if tried_first else probability[:, -1])
        probability = jnp.where(pairs[None] == len(pairs) - 1, found[1][:, None], probability)
    probability = jnp.where(pairs[None] == 0, found[0][:, None], probability)
    last = jnp.arange(len(counted)) == jnp.sum(counted) - 1
    return probability, jnp.sum(jnp.where(last[None], jnp.stack(found), 0), axis=1)


def _with_trips(
    setup: Setup, counted: Bool[Array, " draws"], carry: Carry, record: Record, chances: Chances
) -> Carry:
    """Return the carry of one chain with the trips of a stretch: where the sequence of each replica has been."""
    program, replicas = setup.program, jnp.arange(setup.program.replicas)
    top, walked, target = program.rungs - 1, program.walked, program.target
    accepted = chances.threshold < record.log_ratio
    # The slot of each replica before those at the target were rotated.
    here = record.in_slot[:, :, None] == replicas[None, None]
    slots = jnp.sum(jnp.where(here, chances.source[:, :, None], 0), axis=1)
    lowest, been_up = carry.lowest, carry.been_up
    origins = jnp.arange(program.rungs + 1)[None]
    trips, returns = jnp.zeros((program.replicas, program.rungs + 1), jnp.int32), jnp.zeros(program.replicas, jnp.int32)
    for turn in range(program.stretch):
        slot, ends, true = slots[turn], accepted[turn], counted[turn]
        from_zero = (slot == 0) & ends[0] & true
        returns = returns + (from_zero & been_up)
        lowest, been_up = jnp.where(from_zero, 0, lowest), been_up & ~from_zero
        if program.has_reference:
            from_reference = (slot == walked - 1) & ends[-1] & true
            lowest, been_up = jnp.where(from_reference, program.rungs, lowest), been_up & ~from_reference
        at_target = (slot == target) & true
        trips = trips + ((lowest[:, None] == origins) & at_target[:, None])
        passed = jnp.where((slot < walked) & true, jnp.where(slot + 1 > top, program.rungs, slot + 1), program.rungs)
        lowest = jnp.where(at_target, top, jnp.minimum(lowest, passed))
        been_up = been_up | at_target
    trips, returns = trips.sum(0, dtype=jnp.int32), returns.sum(dtype=jnp.int32)
    counters = carry.counters
    counters = counters._replace(trips=counters.trips + trips, round_trips=counters.round_trips + returns)
    return carry._replace(lowest=lowest, been_up=been_up, counters=counters)


def _traced(
    setup: Setup, clock: Clock, index: Array, counted: Bool[Array, " draws"], trace: Trace, scalars: Array, tokens: Array
) -> Trace:
    """Return the trace with the draws of a stretch; one that is not to be kept is written over by the next."""
    program = setup.program
    indices = index + jnp.arange(program.stretch)

    def put(kept: Array, new: Array, done: Array, every: Any) -> Array:
        slots = (done + indices) // every - done // every
        written = (slots[None] == jnp.arange(kept.shape[0])[:, None]) & counted[None]
        last = jnp.max(jnp.where(written, jnp.arange(program.stretch)[None], -1), axis=1)
        mask = (last >= 0).reshape(-1, *[1] * (kept.ndim - 1))
        return jnp.where(mask, new[last], kept)

    rows = put(trace.scalars, scalars, clock.done, clock.stride)
    if not program.store_every:
        return trace._replace(scalars=rows)
    return Trace(rows, put(trace.stored, tokens, clock.sampled, program.store_every))
