"""Parallel tempering (replica exchange): swaps of neighbouring rungs.

The sequences at two neighbouring rungs are swapped with the Metropolis probability min(1, exp((β' − β)(E' − E))). The
pairs (0, 1), (2, 3) … and (1, 2), (3, 4) … take turns, which carries sequences along the ladder instead of letting them
diffuse (Okabe et al., Chem. Phys. Lett. 335, 2001; Syed, Bouchard-Côté, Deligiannidis & Doucet, J. R. Stat. Soc. B
84, 2022). No replica walks at β = 0: an exact draw stands there for two swaps. A sequence that comes down to it is
forgotten, and the draw starts up the ladder in its place.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxmaxent.kernels import State
from jaxmaxent.sampling.device._background_draws import drawn, installed, standing
from jaxmaxent.sampling.device._state import Carry, Setup


def swap(setup: Setup, number: Int[Array, ""], carry: Carry, draws: State) -> Carry:
    """Swap all pairs of one parity in every chain, the lowest with a draw at β = 0."""
    draws, now = drawn(setup, number, draws), standing(number, setup.program.drawn_together)
    lowest = carry.in_slot[:, 0]
    keys = jax.vmap(lambda key: jax.random.fold_in(key, number))(setup.swap_keys)
    moved, taken = jax.vmap(functools.partial(_swap_chain, setup, number % 2 == 0))(
        keys, draws.energy[:, now], carry._replace(states=carry.states._replace(cache=None), background=None)
    )
    # A draw replaces the sequence that it is swapped with, which is forgotten.
    states = installed(carry.states, lowest, taken, draws, now)
    return moved._replace(states=states, background=draws)


def swapped(
    numbers: Float[Array, " pairs"],
    even: Bool[Array, ""],
    betas: Float[Array, " rungs"],
    energies: Float[Array, " rungs"],
) -> tuple[Int[Array, " rungs"], Float[Array, " pairs"]]:
    """Swap neighbours in one chain.

    Args:
        numbers: uniform in [0, 1), one for every pair.
        even: whether the pairs that begin with an even rung are tried, or those that begin with an odd one.
        betas: β of every rung, increasing.
        energies: E of the sequence at every rung.

    Returns:
        the rung from which each rung now has its sequence, and the acceptance probability of every pair, tried or not.
    """
    log_ratio = (betas[1:] - betas[:-1]) * (energies[1:] - energies[:-1])
    pairs = jnp.arange(log_ratio.shape[0])
    tried = (pairs % 2 == 0) == even
    accepted = tried & (jnp.log1p(-numbers) < log_ratio)
    nobody = jnp.zeros(1, bool)
    with_above, with_below = jnp.concatenate([accepted, nobody]), jnp.concatenate([nobody, accepted])
    rungs = jnp.arange(energies.shape[0])
    return rungs + with_above - with_below, jnp.exp(jnp.minimum(log_ratio, 0))


def _swap_chain(
    setup: Setup, even: Bool[Array, ""], key: Key[Array, ""], energy: Float[Array, ""], carry: Carry
) -> tuple[Carry, Bool[Array, ""]]:
    """Return one chain after its swaps, and whether the draw at β = 0, which has this energy, was taken in."""
    program, counters, rungs = setup.program, carry.counters, setup.program.rungs
    numbers = jax.random.uniform(key, (rungs,), energy.dtype)  # one for each pair, and one to rotate the target by
    energies = jnp.concatenate([energy[None], carry.states.energy[carry.in_slot[: rungs - 1]]])
    order, probability = swapped(numbers[:-1], even, setup.betas[:rungs], energies)
    # After a draw was taken in, the rung above holds what became of it. Only before are the two independent, as the
    # mean acceptance probability of a swap supposes.
    entry = jnp.where(even, probability[0], carry.entry)
    probability = probability.at[0].set(entry)
    taken = order[1] == 0
    order = jnp.concatenate([order, jnp.arange(rungs, program.slots, dtype=order.dtype)])
    rows, came_from = _followed(setup, order[1:], carry)
    in_slot, lowest, been_up = _rotated(setup, numbers[-1], rows)
    counters = counters._replace(
        swaps=counters.swaps + probability,
        trips=counters.trips + (jnp.arange(rungs) == came_from),
        round_trips=counters.round_trips + (taken & carry.been_up[0]),
    )
    return carry._replace(in_slot=in_slot, lowest=lowest, been_up=been_up == 1, entry=entry, counters=counters), taken


def _followed(
    setup: Setup, order: Int[Array, " replicas"], carry: Carry
) -> tuple[Int[Array, "3 replicas"], Int[Array, ""]]:
    """Return `in_slot`, `lowest` and `been_up` after swaps, and the former `lowest` of what stands first at the target.

    What comes from β = 0 is new, and takes the replica of the sequence that it is swapped with.
    """
    top, replicas = setup.program.rungs - 1, setup.program.replicas
    rung = jnp.minimum(1 + jnp.arange(replicas, dtype=carry.in_slot.dtype), top)
    at_target = jnp.arange(replicas) == top - 1
    before = jnp.stack([carry.in_slot, carry.lowest, carry.been_up.astype(carry.in_slot.dtype)])
    new = jnp.stack([carry.in_slot[0], *jnp.zeros(2, carry.in_slot.dtype)])
    in_slot, lowest, been_up = jnp.concatenate([new[:, None], before], axis=1)[:, order]
    came_from = lowest[top - 1]
    lowest = jnp.where(at_target, top, jnp.minimum(lowest, rung))
    return jnp.stack([in_slot, lowest, been_up | at_target]), came_from


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
    first = setup.program.replicas - replicas
    rotated = first + (jnp.arange(replicas) + jnp.floor(number * replicas).astype(int)) % replicas
    return jnp.concatenate([rows[:, :first], rows[:, rotated]], axis=1)
