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
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.kernels import State
from jaxmaxent.sampling.device._end_draws import installed, standing_at_ends
from jaxmaxent.sampling.device._state import Carry, Setup, mu_differs


class Chances(NamedTuple):
    """What chance decides about the swaps of some draws; leading axes [draws, chains].

    Attributes:
        threshold: the log-ratio above which a pair is swapped; ∞ for pairs that are not tried.
        whence: the slot from which each slot has its replica when those at the target are rotated.
        ends: E and N_k of the draw that stands at each end.
    """

    threshold: Float[Array, " pairs"]
    whence: Int[Array, " replicas"]
    ends: Float[Array, "ends values"]


def chances(setup: Setup, first: Int[Array, ""], phase: Int[Array, ""], teaching: Any, drawn: State) -> Chances:
    """Return what chance decides about the swaps of a stretch.

    Chains that teach the reference swap nothing, so that what stands at their target never left it.

    Args:
        setup: constants.
        first: number of the first draw.
        phase: the same up to a multiple of the period, as `Clock.phase`.
        teaching: `Clock.teaching`.
        drawn: the draws at the ends.
    """
    draws, path = jnp.arange(setup.program.stretch, dtype=first.dtype), setup.program.path

    def of_chain(key: Array, allowed: Array, draw: Array) -> tuple[Array, Array]:
        # One number for each pair, and one to rotate the target by.
        numbers = jax.random.uniform(jax.random.fold_in(key, first + draw), (path,), setup.betas.dtype)
        even = (phase + draw) % 2 == 0
        return thresholds(numbers[:-1], even, allowed), _whence(setup, numbers[-1])

    chains = len(setup.swap_keys)
    allowed = ~(setup.teachers & (teaching > 0))
    each = jnp.tile(setup.swap_keys, len(draws)), jnp.tile(allowed, len(draws)), jnp.repeat(draws, chains)
    threshold, whence = (leaf.reshape(len(draws), chains, -1) for leaf in jax.vmap(of_chain)(*each))
    now = jax.vmap(functools.partial(standing_at_ends, setup.program))(phase + draws)
    of_chains = jax.vmap(picked, in_axes=(0, None))
    return Chances(threshold, whence, jax.vmap(of_chains, in_axes=(None, 0))(measured(drawn), now))


def measured(states: State) -> Float[Array, "*lead values"]:
    """Return E and N_k of states."""
    return jnp.concatenate([states.energy[..., None], states.counts], axis=-1)


def swap(
    setup: Setup, chances: Chances, phase: Int[Array, ""], carry: Carry, draws: State
) -> tuple[Carry, Float[Array, "chains pairs"]]:
    """Swap all pairs of one parity in every chain, the outermost with a draw at their end.

    Args:
        setup: constants.
        chances: what chance decides, [chains, …].
        phase: number of the draw, up to a multiple of the period, as `Clock.phase`.
        carry: the carry, its replicas in one row.
        draws: the draws at the ends.

    Returns:
        the carry, and the log of the acceptance ratio of every pair, tried or not.
    """
    program = setup.program
    now = standing_at_ends(program, phase)
    energy, counts = (
        leaf.reshape(*carry.in_slot.shape, *leaf.shape[1:]) for leaf in (carry.states.energy, carry.states.counts)
    )
    replaced = jnp.stack([carry.in_slot[:, 0], carry.in_slot[:, program.walked - 1]][: len(now)], axis=1)
    in_slot, accepted, log_ratio = jax.vmap(functools.partial(_swap_chain, setup))(
        chances, carry.in_slot, energy, counts
    )
    taken = jnp.stack([accepted[:, 0], accepted[:, -1]][: len(now)], axis=1)
    # A draw replaces the sequence that it is swapped with, which is forgotten.
    states = installed(carry.states, replaced, taken, draws, now, chances.ends)
    return carry._replace(states=states, in_slot=in_slot), log_ratio


def thresholds(
    numbers: Float[Array, " pairs"], even: Bool[Array, ""], allowed: Bool[Array, ""] | bool = True
) -> Float[Array, " pairs"]:
    """Return the log-ratio above which each pair of neighbours is swapped, ∞ for those that are not tried.

    Args:
        numbers: uniform in [0, 1), one for every pair.
        even: whether the pairs that begin with an even rung are tried, or those that begin with an odd one.
        allowed: whether anything is swapped at all.
    """
    tried = ((jnp.arange(len(numbers)) % 2 == 0) == even) & allowed
    return jnp.where(tried, jnp.log1p(-numbers), jnp.inf)


def log_ratios(
    betas: Float[Array, " rungs"], energies: Float[Array, " rungs"], more: Float[Array, " pairs"] | float = 0.0
) -> Float[Array, " pairs"]:
    """Return the log of the acceptance ratio of swaps of all neighbours, before it is cut at 0.

    Args:
        betas: β of every rung.
        energies: E of the sequence at every rung.
        more: what fields add.
    """
    return (betas[1:] - betas[:-1]) * (energies[1:] - energies[:-1]) + more


def probabilities(log_ratio: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return acceptance probabilities."""
    return jnp.exp(jnp.minimum(log_ratio, 0))


def picked(values: Array, index: Int[Array, " picks"]) -> Array:
    """Return entries of the first axis of an array."""
    # A TPU is slow to gather.
    return jax.lax.platform_dependent(values, index, tpu=_by_comparison, default=_gathered)


def _gathered(values: Array, index: Array) -> Array:
    return values.at[index].get(mode="promise_in_bounds")


def _by_comparison(values: Array, index: Array) -> Array:
    here = index[:, None] == jnp.arange(len(values), dtype=index.dtype)[None]
    here = here.reshape(*here.shape, *[1] * (values.ndim - 1))
    return jnp.sum(jnp.where(here, values[None], 0), axis=1, dtype=values.dtype)


def _whence(setup: Setup, number: Float[Array, ""]) -> Int[Array, " replicas"]:
    """Return the slot from which each has its replica when those at the target are rotated.

    Sequences come to and leave the first of these slots, and it is the one that is traced. Rotated at random, it holds
    any of the replicas each time, so the autocorrelation of a trace is that of all of them together. In a fixed order
    each replica would return after as many swaps as there are replicas, and the draws between would make the trace look
    uncorrelated.

    Args:
        setup: constants.
        number: the number in [0, 1) that decides the amount.
    """
    program, replicas = setup.program, setup.program.target_replicas
    there = np.arange(program.replicas, dtype=np.int32)
    if replicas == 1:
        return jnp.asarray(there)
    at_target = (there == program.target) | (there >= program.walked)
    order = np.where(there == program.target, 0, there - program.walked + 1)
    amount = jnp.floor(number * replicas).astype(jnp.int32)
    whence = (order + amount) % replicas
    whence = jnp.where(whence == 0, program.target, whence + program.walked - 1)
    return jnp.where(at_target, whence, there)


def _swap_chain(
    setup: Setup,
    chances: Chances,
    in_slot: Int[Array, " replicas"],
    energy: Float[Array, " replicas"],
    counts: Float[Array, "replicas fields"],
) -> tuple[Int[Array, " replicas"], Bool[Array, " pairs"], Float[Array, " pairs"]]:
    """Return `in_slot` of one chain after its swaps, which pairs were swapped, and all log-ratios.

    A draw that is taken in has the replica of the sequence that it is swapped with.
    """
    program, walked = setup.program, setup.program.walked
    log_ratio = _log_ratios(setup, chances.ends, in_slot[:walked], energy, counts)
    accepted = chances.threshold < log_ratio
    between, behind = accepted[1:walked], program.replicas - walked  # pairs of two replicas
    above, below = jnp.pad(between, (0, behind + 1)), jnp.pad(between, (1, behind))
    nobody = jnp.zeros((), in_slot.dtype)
    next_one, last_one = (jax.lax.pad(in_slot, nobody, [edges]) for edges in ((-1, 1, 0), (1, -1, 0)))
    followed = jnp.where(above, next_one, jnp.where(below, last_one, in_slot))
    return picked(followed, chances.whence), accepted, log_ratio


def _log_ratios(
    setup: Setup,
    ends: Float[Array, "ends values"],
    walking: Int[Array, " rungs"],
    energy: Float[Array, " replicas"],
    counts: Float[Array, "replicas fields"],
) -> Float[Array, " pairs"]:
    """Return the log of the acceptance ratio of every pair of both legs."""
    program = setup.program

    def along(drawn: Array, states: Array) -> Array:
        return jnp.concatenate([drawn[:1], picked(states, walking), drawn[1:]])

    betas, energies, more = setup.betas[: program.path], along(ends[:, 0], energy), 0.0
    if mu_differs(program, setup.ensemble):
        steps = jnp.diff(setup.mus[: program.path], axis=0)
        columns = [along(ends[:, 1 + k], counts[:, k]) for k in range(steps.shape[1])]
        more = -jnp.sum(steps * jnp.diff(jnp.stack(columns, axis=1), axis=0), axis=1)
    return log_ratios(betas, energies, more)
