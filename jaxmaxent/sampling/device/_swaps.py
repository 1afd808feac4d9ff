"""Parallel tempering (replica exchange): swaps of neighbouring rungs.

The sequences at two neighbouring rungs are swapped with the Metropolis probability min(1, exp((β' − β)(E' − E))). Where
every rung has its own μ, on the second leg and for growing fields, the exponent is less by (μ' − μ)(N' − N). The pairs
(0, 1), (2, 3) … and (1, 2), (3, 4) … take turns, which carries sequences along the ladder instead of letting them
diffuse (Okabe et al., Chem. Phys. Lett. 335, 2001; Syed, Bouchard-Côté, Deligiannidis & Doucet, J. R. Stat. Soc. B 84,
2022). No replica walks at β = 0, nor at the reference: an exact draw stands there for two swaps. A sequence that comes
to it is forgotten, and the draw starts along the ladder in its place.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from jaxmaxent.kernels import State
from jaxmaxent.sampling.device._end_draws import installed, standing_at_ends
from jaxmaxent.sampling.device._state import Carry, Setup, mu_differs


class _End(NamedTuple):
    """The draws at the ends of one chain that stand there: their energies and counts."""

    energy: Float[Array, " ends"]
    counts: Float[Array, "ends fields"]


def swap(
    setup: Setup, number: Int[Array, ""], phase: Int[Array, ""], teaching: Any, carry: Carry, draws: State
) -> Carry:
    """Swap all pairs of one parity in every chain, the outermost with a draw at their end.

    Chains that teach the reference swap nothing, so that what stands at their target never left it. The phase is the
    number up to a multiple of the period, as `Clock.phase`.
    """
    program = setup.program
    now = standing_at_ends(program, phase)
    replaced = carry.in_slot[:, jnp.array([0, program.walked - 1])[: len(now)]]
    keys = jax.vmap(lambda key: jax.random.fold_in(key, number))(setup.swap_keys)
    allowed = ~(setup.teachers & (teaching > 0))
    moved, taken = jax.vmap(functools.partial(_swap_chain, setup, phase % 2 == 0))(
        keys, allowed, _End(draws.energy[:, now], draws.counts[:, now]),
        carry._replace(states=carry.states._replace(cache=None), draws=None),
    )  # fmt: skip
    # A draw replaces the sequence that it is swapped with, which is forgotten.
    states = installed(carry.states, replaced, taken, draws, now)
    return moved._replace(states=states, draws=draws)


def swapped(
    numbers: Float[Array, " pairs"],
    even: Bool[Array, ""],
    betas: Float[Array, " rungs"],
    energies: Float[Array, " rungs"],
    more: Float[Array, " pairs"] | float = 0.0,
    allowed: Bool[Array, ""] | bool = True,
) -> tuple[Int[Array, " rungs"], Float[Array, " pairs"]]:
    """Swap neighbours in one chain.

    Args:
        numbers: uniform in [0, 1), one for every pair.
        even: whether the pairs that begin with an even rung are tried, or those that begin with an odd one.
        betas: β of every rung.
        energies: E of the sequence at every rung.
        more: what fields add to the log of the acceptance ratio of every pair.
        allowed: whether anything is swapped at all.

    Returns:
        the rung from which each rung now has its sequence, and the acceptance probability of every pair, tried or not.
    """
    log_ratio = (betas[1:] - betas[:-1]) * (energies[1:] - energies[:-1]) + more
    pairs = jnp.arange(log_ratio.shape[0])
    tried = ((pairs % 2 == 0) == even) & allowed
    accepted = tried & (jnp.log1p(-numbers) < log_ratio)
    nobody = jnp.zeros(1, bool)
    with_above, with_below = jnp.concatenate([accepted, nobody]), jnp.concatenate([nobody, accepted])
    rungs = jnp.arange(energies.shape[0])
    return rungs + with_above - with_below, jnp.exp(jnp.minimum(log_ratio, 0))


def _swap_chain(
    setup: Setup, even: Bool[Array, ""], key: Key[Array, ""], allowed: Bool[Array, ""], ends: _End, carry: Carry
) -> tuple[Carry, Bool[Array, " ends"]]:
    """Return one chain after its swaps, and which of the draws at its ends were taken in."""
    program, counters, path = setup.program, carry.counters, setup.program.path
    numbers = jax.random.uniform(key, (path,), ends.energy.dtype)  # one for each pair, and one to rotate the target by
    order, probability = swapped(numbers[:-1], even, *_ratios(setup, ends, carry), allowed)
    probability, entry = _before_taken(setup, even, probability, carry.entry)
    taken = jnp.stack([order[1] == 0, order[-2] == path - 1])[: len(entry)]
    rows, came_from = _followed(setup, order, carry)
    in_slot, lowest, been_up = _rotated(setup, numbers[-1], rows)
    counters = counters._replace(
        swaps=counters.swaps + probability,
        trips=counters.trips + (jnp.arange(program.rungs + 1) == came_from),
        round_trips=counters.round_trips + (taken[0] & carry.been_up[0]),
    )
    return carry._replace(in_slot=in_slot, lowest=lowest, been_up=been_up == 1, entry=entry, counters=counters), taken


def _ratios(
    setup: Setup, ends: _End, carry: Carry
) -> tuple[Float[Array, " rungs"], Float[Array, " rungs"], Float[Array, " pairs"] | float]:
    """Return β and energy at every rung of both legs, and what the fields add to the log-ratio of every pair."""
    program, walking = setup.program, carry.in_slot[: setup.program.walked]

    def along(drawn: Array, states: Array) -> Array:
        return jnp.concatenate([drawn[:1], states[walking], drawn[1:]])

    energies = along(ends.energy, carry.states.energy)
    if not mu_differs(program, setup.ensemble):
        return setup.betas[: program.path], energies, 0.0
    counts, mus = along(ends.counts, carry.states.counts), setup.mus[: program.path]
    return setup.betas[: program.path], energies, -jnp.sum(jnp.diff(mus, axis=0) * jnp.diff(counts, axis=0), axis=1)


def _before_taken(
    setup: Setup, even: Bool[Array, ""], probability: Float[Array, " pairs"], entry: Float[Array, " ends"]
) -> tuple[Float[Array, " pairs"], Float[Array, " ends"]]:
    """Return acceptance probabilities with those of each end from before its draw could be taken in.

    After a draw was taken in, the rung beside the end holds what became of it. Only before are the two independent, as
    the mean acceptance probability of a swap supposes. A draw stands at its end for an even and then an odd swap.
    """
    found = [jnp.where(even, probability[0], entry[0])]
    if setup.program.has_reference:
        tried_first = setup.program.path % 2 == 0  # the last pair is an even one
        found.append(jnp.where(even, probability[-1], entry[1]) if tried_first else probability[-1])
    for end, value in zip((0, -1), found, strict=False):
        probability = probability.at[end].set(value)
    return probability, jnp.stack(found)


def _followed(
    setup: Setup, order: Int[Array, " rungs"], carry: Carry
) -> tuple[Int[Array, "3 replicas"], Int[Array, ""]]:
    """Return `in_slot`, `lowest` and `been_up` after swaps, and the former `lowest` of what stands first at the target.

    A draw is new, and takes the replica of the sequence that it is swapped with.
    """
    program, kind = setup.program, carry.in_slot.dtype
    top, walked, target = program.rungs - 1, program.walked, program.target
    before = jnp.stack([carry.in_slot, carry.lowest, carry.been_up.astype(kind)])
    up = jnp.stack([before[0, 0], *jnp.zeros(2, kind)])
    down = jnp.stack([before[0, walked - 1], jnp.asarray(program.rungs, kind), jnp.zeros((), kind)])
    ends = [up[:, None], before[:, :walked], *([down[:, None]] if program.has_reference else [])]
    in_slot, lowest, been_up = jnp.concatenate(ends, axis=1)[:, order[1 : 1 + walked]]
    came_from = lowest[target]
    rung, at_target = jnp.arange(1, 1 + walked, dtype=kind), jnp.arange(walked) == target
    below = jnp.minimum(lowest, jnp.where(rung > top, program.rungs, rung))
    walking = jnp.stack([in_slot, jnp.where(at_target, top, below), been_up | at_target])
    return jnp.concatenate([walking, before[:, walked:]], axis=1), came_from


def _rotated(setup: Setup, number: Float[Array, ""], rows: Int[Array, "3 replicas"]) -> Int[Array, "3 replicas"]:
    """Return what belongs to slots, with those at the target rotated by an amount that a number in [0, 1) decides.

    Sequences come to and leave the first of these slots, and it is the one that is traced. Rotated at random, it holds
    any of the replicas each time, so the autocorrelation of a trace is that of all of them together. In a fixed order
    each replica would return after as many swaps as there are replicas, and the draws between would make the trace look
    uncorrelated.
    """
    replicas = setup.program.target_replicas
    if replicas == 1:
        return rows
    there = np.array([setup.program.target, *range(setup.program.walked, setup.program.replicas)])
    amount = jnp.floor(number * replicas).astype(int)
    return rows.at[:, there].set(rows[:, jnp.asarray(there)[(jnp.arange(replicas) + amount) % replicas]])
