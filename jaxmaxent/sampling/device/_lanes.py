"""Lanes: anchors side by side in one compiled program, each at a time of its own.

A lane is what `block` does for one anchor. All lanes run the same number of draws. All else is their own, keys and
positions included, so that an anchor's draws do not depend on those beside it. What is seldom due is due in all lanes
at the same draws (`Clock.phase`).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, UInt32

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.sampling.device._block import advance
from jaxmaxent.sampling.device._state import Carry, Clock, Keys, Ladder, Trace
from jaxmaxent.sampling.program._program import Program

LANES = "lanes"


class Seats(NamedTuple):
    """What lanes hold besides the ensemble; every leaf has the leading axis [lanes], then what one anchor has.

    Attributes:
        rule: how replicas move.
        ladder: the rungs.
        keys: the words of the keys, [lanes, keys, words].
        carry: the replicas.
    """

    rule: Any
    ladder: Ladder
    keys: UInt32[Array, "lanes keys words"]
    carry: Carry


@functools.partial(jax.jit, static_argnames=("program", "impl", "mesh"), donate_argnames=("seats",))
def lanes_block(
    program: Program,
    impl: str,
    mesh: Mesh | None,
    ensemble: Ensemble,
    seats: Seats,
    clocks: Int[Array, "lanes numbers"],
    draws: Int[Array, ""],
    phase: Int[Array, ""],
) -> tuple[Seats, Trace]:
    """Advance all lanes by so many draws.

    Args:
        program: the program of one lane.
        impl: the implementation of the keys.
        mesh: devices that the lanes are spread over, along an axis named "lanes"; None for one device.
        ensemble: the anchors of the lanes.
        seats: what else the lanes hold.
        clocks: the clock of every lane.
        draws: draws of this block.
        phase: `Clock.phase` of all lanes.

    Returns:
        the seats and the trace of every lane.
    """
    program = dataclasses.replace(program, mesh=None)
    axes = ensemble.anchor_axes()

    def one(mine: Ensemble, seat: Seats, clock: Array, draws: Array, phase: Array) -> tuple[Seats, Trace]:
        keys = Keys(*jax.random.wrap_key_data(seat.keys, impl=impl))
        its_clock = Clock(*clock)._replace(draws=draws, phase=phase)
        carry, trace = advance(program, mine.batched(), seat.rule, seat.ladder, keys, seat.carry, its_clock)
        return seat._replace(carry=carry), trace

    def on_a_device(mine: Ensemble, seats: Seats, clocks: Array, draws: Array, phase: Array) -> tuple[Seats, Trace]:
        return jax.vmap(one, in_axes=(axes, 0, 0, None, None))(mine, seats, clocks, draws, phase)

    if mesh is None:
        return on_a_device(ensemble, seats, clocks, draws, phase)
    of_lane, everywhere = PartitionSpec(LANES), PartitionSpec()
    of_ensemble = jax.tree.map(lambda leaf, axis: of_lane if axis == 0 else everywhere, ensemble, axes)
    over_devices = jax.shard_map(
        on_a_device, mesh=mesh, in_specs=(of_ensemble, of_lane, of_lane, everywhere, everywhere),
        out_specs=(of_lane, of_lane), check_vma=False,
    )  # fmt: skip
    return over_devices(ensemble, seats, clocks, draws, phase)


def lanes_mesh(lanes: int) -> Mesh | None:
    """Return the mesh of the most devices of this process that divide a number of lanes, None for one device."""
    devices = jax.local_devices()
    count = max(n for n in range(1, len(devices) + 1) if lanes % n == 0)
    return Mesh(devices[:count], (LANES,)) if count > 1 else None


def spread(mesh: Mesh | None, ensemble: Ensemble, seats: Seats) -> tuple[Ensemble, Seats]:
    """Return the anchors of lanes and what else they hold, as arrays of their own on the devices of a mesh."""
    ensemble, seats = jax.tree.map(jnp.copy, (ensemble, seats))
    if mesh is None:
        return ensemble, seats
    of_lane, everywhere = (NamedSharding(mesh, PartitionSpec(*names)) for names in ((LANES,), ()))
    placed = jax.tree.map(
        lambda leaf, axis: jax.device_put(leaf, everywhere if axis is None else of_lane),
        ensemble, ensemble.anchor_axes(),
    )  # fmt: skip
    return placed, jax.device_put(seats, of_lane)


@functools.partial(jax.jit, donate_argnames=("lanes",))
def put(lanes: Any, lane: Int[Array, ""], one: Any) -> Any:
    """Return what lanes hold, with that of one lane replaced."""
    return jax.tree.map(lambda leaf, its: leaf.at[lane].set(its), lanes, one)


@functools.partial(jax.jit, donate_argnames=("ensemble",))
def put_anchor(ensemble: Ensemble, lane: Int[Array, ""], one: Ensemble) -> Ensemble:
    """Return the anchors of lanes, with that of one lane replaced by the only anchor of `one`."""

    def replaced(leaf: Array, its: Array, axis: int | None) -> Array:
        return leaf if axis is None else leaf.at[lane].set(its[0])

    return jax.tree.map(replaced, ensemble, one, ensemble.anchor_axes())


@jax.jit
def taken(lanes: Any, lane: Int[Array, ""]) -> Any:
    """Return what one lane holds."""
    return jax.tree.map(lambda leaf: jnp.take(leaf, lane, axis=0), lanes)
