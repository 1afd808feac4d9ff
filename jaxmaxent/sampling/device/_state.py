"""The carry of a block, the draws that it returns, and the constants that its functions share."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, UInt8

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background
from jaxmaxent.evaluate import Evaluator
from jaxmaxent.kernels import Kernel, State, build, evaluator_for
from jaxmaxent.sampling.device._counters import Counters, zero_counters
from jaxmaxent.sampling.program._program import Program

# Draws whose scalars a block has room to return one by one.
TRACE_SLOTS = 16


class Carry(NamedTuple):
    """The replicas and counters that a block hands to the next; leading axes [anchors, all_chains].

    Attributes:
        states: states of the replicas, [replicas, …].
        in_slot: the replica in each slot, β = 0 left out.
        lowest: the lowest rung that the sequence in each slot has been at since it was at the target.
        been_up: whether it has been at the target since it was drawn.
        background: the draws at β = 0 that were made together, [drawn_together, …]; None without a ladder.
        entry: acceptance probability of the last swap with β = 0.
        counters: counts since the host last emptied them.
        non_finite: proposals without a finite energy.
        offender: the last such proposal of each replica.
        drift: the largest change of an energy when it was recomputed.
    """

    states: State
    in_slot: Int[Array, " replicas"]
    lowest: Int[Array, " replicas"]
    been_up: Bool[Array, " replicas"]
    background: State | None
    entry: Float[Array, ""]
    counters: Counters
    non_finite: Int[Array, " replicas"]
    offender: Int[Array, "replicas length"]
    drift: Float[Array, ""]


class Trace(NamedTuple):
    """Single draws that a block returns; leading axes [anchors, all_chains].

    Attributes:
        scalars: energies, distances and field counts of the draws that are traced.
        stored: sequences of the draws that are stored.
    """

    scalars: Float[Array, "slots rungs scalars"]
    stored: UInt8[Array, "stored rungs length"]


class Clock(NamedTuple):
    """The position of a block in its run; all are numbers, so none of them shapes the program.

    Attributes:
        first: number of the first step.
        draws: draws of this block.
        done: draws since the host last emptied the counters.
        sampled: draws since the burn-in.
        stride: draws between two that are traced.
    """

    first: Any
    draws: Any
    done: Any
    sampled: Any
    stride: Any


class Keys(NamedTuple):
    """Keys by purpose; each is folded with the numbers of the anchor, chain, replica, step or swap that uses it."""

    where: Key[Array, ""]
    what: Key[Array, ""]
    swap: Key[Array, ""]
    background: Key[Array, ""]

    @classmethod
    @jax.transfer_guard("allow")
    def of(cls, key: Key[Array, ""]) -> Keys:
        """Return the keys of a run."""
        return cls(*jax.random.split(key, len(cls._fields)))


class Setup(NamedTuple):
    """Constants of a block for the chains of one anchor.

    Attributes:
        program: what shapes the program.
        ensemble: the ensemble of the anchor.
        rule: how replicas move.
        anchor: number of the anchor.
        betas: β of every slot.
        evaluator: the evaluator, which all rungs share because energies do not depend on β.
        kernel: a kernel that makes states.
        background: the distribution at β = 0.
        where_key: key of the positions, which all chains share.
        what_keys: keys of the letters, [chains, replicas].
        swap_keys: keys of the swaps, [chains].
        background_keys: keys of the draws at β = 0, [chains].
    """

    program: Program
    ensemble: Ensemble
    rule: Any
    anchor: Int[Array, ""]
    betas: Float[Array, " slots"]
    evaluator: Evaluator
    kernel: Kernel
    background: background.Background
    where_key: Key[Array, ""]
    what_keys: Key[Array, "chains replicas"]
    swap_keys: Key[Array, " chains"]
    background_keys: Key[Array, " chains"]


def setup_of(
    program: Program,
    ensemble: Ensemble,
    rule: Any,
    betas: Float[Array, " rungs"],
    keys: Keys,
    anchor: Int[Array, ""],
    chains: Int[Array, " chains"],
) -> Setup:
    """Return the constants for the chains of these numbers of one anchor."""
    of_slots = jnp.concatenate([betas, jnp.repeat(betas[-1:], program.target_replicas - 1)])
    evaluator = evaluator_for(rule, ensemble, incremental=program.incremental)
    kernel = build(rule.at(0, 0), ensemble, evaluator)
    drawn_from = background.background_of(ensemble)

    def of_chain(key: Array) -> Array:
        return jax.vmap(lambda number: jax.random.fold_in(jax.random.fold_in(key, anchor), number))(chains)

    replicas = jnp.arange(program.replicas)
    what_keys = jax.vmap(lambda key: jax.vmap(lambda r: jax.random.fold_in(key, r))(replicas))(of_chain(keys.what))
    return Setup(
        program, ensemble, rule, anchor, of_slots, evaluator, kernel, drawn_from, keys.where, what_keys,
        of_chain(keys.swap), of_chain(keys.background),
    )  # fmt: skip


def first_carry(program: Program, ensemble: Ensemble, states: State) -> Carry:
    """Return the carry of one chain whose replicas have these states, the first at the lowest rung above β = 0."""
    replicas = jnp.arange(program.replicas, dtype=jnp.int32)
    lowest, been_up = jnp.full_like(replicas, program.rungs - 1), jnp.zeros_like(replicas, bool)
    none, no_offender = jnp.zeros_like(replicas), jnp.zeros_like(states.tokens)
    drift = jnp.zeros((), states.energy.dtype)
    draws = None
    if program.has_background:  # any states will do, because draws are made before they are first used
        shape = (program.drawn_together,)
        draws = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[0], shape + leaf.shape[1:]), states)
    counters = zero_counters(program, ensemble, drift.dtype)
    return Carry(states, replicas, lowest, been_up, draws, drift, counters, none, no_offender, drift)
