"""The carry of a block, the draws that it returns, and the constants that its functions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt8

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background
from jaxmaxent.ensembles._reference import with_reference
from jaxmaxent.evaluate import Evaluator
from jaxmaxent.kernels import Kernel, State, build, evaluator_for
from jaxmaxent.kernels._few import entry
from jaxmaxent.sampling.device._counters import Counters, zero_counters
from jaxmaxent.sampling.program._program import Program

# Draws whose scalars a block has room to return one by one.
TRACE_SLOTS = 16


class Carry(NamedTuple):
    """The replicas and counters that a block hands to the next; leading axes [anchors, all_chains].

    Attributes:
        states: states of the replicas, [replicas, …].
        in_slot: the replica in each slot, β = 0 left out.
        lowest: the lowest rung of the first leg that the sequence of each replica has been at since it was at the
            target; the number of these rungs if it was drawn from the reference and has not been at the target.
        been_up: whether it has been at the target since it was drawn.
        draws: the draws at the ends that were made together, those at β = 0, then those from the reference; None
            without a ladder.
        entry: acceptance probability of the last swap with each end.
        counters: counts since the host last emptied them.
        non_finite: proposals without a finite energy.
        offender: the last such proposal of each replica.
        drift: the largest change of an energy when it was recomputed.
    """

    states: State
    in_slot: Int[Array, " replicas"]
    lowest: Int[Array, " replicas"]
    been_up: Bool[Array, " replicas"]
    draws: State | None
    entry: Float[Array, " ends"]
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
        teaching: 1 while anchor-start chains teach the reference, and so swap nothing; else 0.
        phase: number of the first draw, up to a multiple of the periods at which things are due. Lanes that began at
            different times have the same, so that nothing is due in some of them only.
    """

    first: Any
    draws: Any
    done: Any
    sampled: Any
    stride: Any
    teaching: Any
    phase: Any


class Ladder(NamedTuple):
    """The rungs of both legs, besides what the ensemble says; leading axis [anchors].

    Attributes:
        betas: β of the rungs of the first leg, from 0 to the target.
        shares: share a of the reference at the rungs beyond the target, increasing to 1.
        log_q: the reference, −∞ for impossible letters; without a second leg it has no use.
    """

    betas: Float[Array | np.ndarray, "*anchors rungs"]
    shares: Float[Array | np.ndarray, "*anchors reference_rungs"]
    log_q: Float[Array | np.ndarray, "*anchors length letters"]


class Keys(NamedTuple):
    """Keys by purpose; each is folded with the numbers of the anchor, chain, replica, step or swap that uses it."""

    where: Key[Array, ""]
    what: Key[Array, ""]
    swap: Key[Array, ""]
    background: Key[Array, ""]
    reference: Key[Array, ""]

    @classmethod
    @jax.transfer_guard("allow")
    def of(cls, key: Key[Array, ""]) -> Keys:
        """Return the keys of a run."""
        return cls(*jax.random.split(key, len(cls._fields)))


class Setup(NamedTuple):
    """Constants of a block for the chains of one anchor.

    Attributes:
        program: what shapes the program.
        ensemble: the ensemble of the anchor, with the reference as its last field if there is a second leg.
        rule: how replicas move.
        anchor: number of the anchor.
        betas: β of every slot.
        mus: μ of every field in every slot.
        teachers: chains that start at the anchor.
        evaluator: the evaluator, which all rungs share because energies do not depend on β.
        kernel: a kernel that makes states.
        ends: the distributions at β = 0 and, with a second leg, at the reference.
        where_key: key of the positions, which all chains share.
        what_keys: keys of the letters, [chains, replicas].
        swap_keys: keys of the swaps, [chains].
        end_keys: keys of the draws at each end, [chains].
    """

    program: Program
    ensemble: Ensemble
    rule: Any
    anchor: Int[Array, ""]
    betas: Float[Array, " slots"]
    mus: Float[Array, "slots fields"]
    teachers: Bool[Array, " chains"]
    evaluator: Evaluator
    kernel: Kernel
    ends: tuple[background.Background, ...]
    where_key: Key[Array, ""]
    what_keys: Key[Array, "chains replicas"]
    swap_keys: Key[Array, " chains"]
    end_keys: tuple[Key[Array, " chains"], ...]


def setup_of(
    program: Program,
    ensemble: Ensemble,
    rule: Any,
    ladder: Ladder,
    keys: Keys,
    anchor: Int[Array, ""],
    chains: Int[Array, " chains"],
) -> Setup:
    """Return the constants for the chains of these numbers of one anchor."""
    ends = (background.background_of(ensemble),)
    if program.has_reference:
        log_q = jnp.asarray(ladder.log_q)
        ensemble = with_reference(ensemble, log_q)
        ends = (*ends, background.Background(log_q, None))
    betas, mus = _of_slots(program, ensemble, ladder)
    evaluator = evaluator_for(rule, ensemble, incremental=program.incremental)
    kernel = build(rule.at(0, 0), ensemble, evaluator)

    def of_chain(key: Array) -> Array:
        return jax.vmap(lambda number: jax.random.fold_in(jax.random.fold_in(key, anchor), number))(chains)

    replicas = jnp.arange(program.replicas)
    what_keys = jax.vmap(lambda key: jax.vmap(lambda r: jax.random.fold_in(key, r))(replicas))(of_chain(keys.what))
    end_keys = tuple(of_chain(key) for key in (keys.background, keys.reference)[: len(ends)])
    teachers = chains >= program.all_chains - program.anchor_chains
    return Setup(
        program, ensemble, rule, anchor, betas, mus, teachers, evaluator, kernel, ends, keys.where, what_keys,
        of_chain(keys.swap), end_keys,
    )  # fmt: skip


def _of_slots(
    program: Program, ensemble: Ensemble, ladder: Ladder
) -> tuple[Float[Array, " slots"], Float[Array, "slots fields"]]:
    """Return β and the μ of every field in every slot."""
    further = program.target_replicas - 1
    target = ladder.betas[-1]
    betas = jnp.concatenate([ladder.betas, target * (1 - ladder.shares), jnp.repeat(target[None], further)])
    mu = ensemble.mu()
    if not mu_differs(program, ensemble):
        return betas, jnp.broadcast_to(mu, (len(betas), len(mu)))
    mus = jnp.broadcast_to(mu, (len(betas), len(mu)))
    if program.has_background:
        grown = jnp.concatenate([ladder.betas / target, jnp.ones(len(betas) - program.rungs, betas.dtype)])
        grows = np.array([field.grows for field in ensemble.fields])
        mus = jnp.where(grows[None], grown[:, None], 1) * mus
    if not program.has_reference:
        return betas, mus
    share = jnp.concatenate([jnp.zeros_like(ladder.betas), ladder.shares, jnp.zeros(further, betas.dtype)])[:, None]
    return betas, jnp.concatenate([(1 - share) * mus[:, :-1], share], axis=1)


def mu_differs(program: Program, ensemble: Ensemble) -> bool:
    """Return whether the μ of some field differs between slots: that of a growing field, or of the reference."""
    return program.has_reference or (program.has_background and any(field.grows for field in ensemble.fields))


def in_slot(setup: Setup, slot: Int[Array, ""]) -> Ensemble:
    """Return the ensemble of a slot."""
    ensemble = setup.ensemble.replace(beta=entry(setup.betas, slot))  # pyright: ignore[reportAttributeAccessIssue]
    if not mu_differs(setup.program, ensemble):
        return ensemble
    mu = entry(setup.mus, slot)
    return ensemble.replace(fields=tuple(field.replace(mu=mu[k]) for k, field in enumerate(ensemble.fields)))


def in_one_row(carry: Carry) -> Carry:
    """Return the carry of an anchor in which the replicas of all chains stand in one row.

    Compilers of accelerators give arrays of [chains, replicas, …] another order than those of [all_replicas, …], and
    would copy all caches in each draw.
    """
    shape = carry.in_slot.shape

    def row(leaf: Array) -> Array:
        return leaf.reshape(shape[0] * shape[1], *leaf.shape[2:])

    return _reshaped(carry, row)


def by_chain(carry: Carry) -> Carry:
    """Return the carry whose replicas stood in one row, as it was before."""
    return _reshaped(carry, lambda leaf: leaf.reshape(*carry.in_slot.shape, *leaf.shape[1:]))


def _reshaped(carry: Carry, change: Callable[[Array], Array]) -> Carry:
    its = jax.tree.map(change, (carry.states, carry.non_finite, carry.offender))
    return carry._replace(states=its[0], non_finite=its[1], offender=its[2])


def first_carry(program: Program, ensemble: Ensemble, states: State) -> Carry:
    """Return the carry of one chain whose replicas have these states, the first at the lowest rung above β = 0."""
    replicas = jnp.arange(program.replicas, dtype=jnp.int32)
    lowest, been_up = jnp.full_like(replicas, program.rungs - 1), jnp.zeros_like(replicas, bool)
    none, no_offender = jnp.zeros_like(replicas), jnp.zeros_like(states.tokens)
    drift = jnp.zeros((), states.energy.dtype)
    draws = None
    ends = program.has_background + program.has_reference
    if program.has_background:  # any states will do, because draws are made before they are first used
        shape = (program.drawn_together * ends,)
        draws = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[0], shape + leaf.shape[1:]), states)
    counters = zero_counters(program, ensemble, drift.dtype)
    entry = jnp.zeros(ends, drift.dtype)
    return Carry(states, replicas, lowest, been_up, draws, entry, counters, none, no_offender, drift)
