"""The chains of a run that was not told how many: 8 on a CPU, and on accelerators as many as fill them."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax

CHAINS, CHAINS_AT_ONE_BETA, ANCHOR_CHAINS = 8, 256, 1
# Sequences on one device from which a step reaches about nine tenths of the largest rate, by the start of the name that
# JAX gives the device, modelled for the CTCF network (docs/how_to/hardware.md).
_SATURATION = {"TPU v5 lite": 3_000, "TPU v5e": 3_000, "TPU v6": 3_000, "NVIDIA H200": 16_000}
_SATURATION_OF_OTHERS = 8_000
# Shares of a device's memory for the sequences; temporaries and what is counted take the rest.
_SHARE_OF_MEMORY = 1 / 4
# Letter frequencies of all chains of an anchor, which the host diagnoses within seconds and in 2 GiB.
_MOST_FREQUENCIES = 2**21
# Many chains are a multiple of this, so that groups of them are alike (see `chains_together`); their number may be
# smaller by this share for it.
_MULTIPLE, _FEWER = 16, 1 / 4


class Machine(NamedTuple):
    """The devices of this process.

    Attributes:
        kind: the name that JAX gives the devices.
        devices: their number.
        memory: bytes of each that JAX may use, or None if it does not say.
    """

    kind: str
    devices: int
    memory: int | None = None


def this_machine() -> Machine | None:
    """Return the accelerators of this process; None on a CPU."""
    if jax.default_backend() == "cpu":
        return None
    devices = jax.local_devices()
    stats = devices[0].memory_stats() or {}
    return Machine(devices[0].device_kind, len(devices), stats.get("bytes_limit"))


def default_anchor_chains(machine: Machine | None) -> int:
    """Return the chains that start at the anchor: one, or one on each of several accelerators.

    As all chains are spread over the devices, the others are then a multiple of the devices too.
    """
    return ANCHOR_CHAINS if machine is None else ANCHOR_CHAINS * machine.devices


def default_chains(
    machine: Machine | None,
    *,
    anchors: int,
    rungs: int,
    replicas: int,
    anchor_chains: int,
    letters: int,
    sequence_bytes: int,
) -> int:
    """Return the chains at every rung that enter estimates.

    On accelerators they are as many as bring the sequences of all anchors to saturation (see `filling`) and the host
    can diagnose. With the anchor-start chains they divide the devices: one without chains would stand idle. There are
    never fewer than on a CPU.

    Args:
        machine: the accelerators; None for a CPU.
        anchors: anchors side by side.
        rungs: rungs of the first leg; 1 without a ladder.
        replicas: replicas of each chain.
        anchor_chains: chains of each anchor that start at it.
        letters: possible letters of all positions, length × letters of the alphabet.
        sequence_bytes: bytes of a device's memory that a replica takes.
    """
    least = CHAINS if rungs > 1 else CHAINS_AT_ONE_BETA
    if machine is None:
        return least
    together = filling(machine, sequence_bytes) // (anchors * replicas) - anchor_chains
    most = max(min(together, _MOST_FREQUENCIES // (rungs * letters)), least)
    fewest = max(least, math.ceil(most * (1 - _FEWER)))
    allowed = [n for n in range(fewest, most + 1) if (n + anchor_chains) % machine.devices == 0]
    if not allowed:
        return most + -(most + anchor_chains) % machine.devices
    return max(allowed, key=lambda n: (math.gcd(n, _MULTIPLE), n))


def filling(machine: Machine, sequence_bytes: int) -> int:
    """Return the sequences that fill all devices, as long as they take at most a quarter of the memory.

    Args:
        machine: the accelerators.
        sequence_bytes: bytes of a device's memory that a sequence takes.
    """
    known = [number for start, number in _SATURATION.items() if machine.kind.startswith(start)]
    each = known[0] if known else _SATURATION_OF_OTHERS
    if machine.memory is not None:
        each = min(each, int(_SHARE_OF_MEMORY * machine.memory) // max(sequence_bytes, 1))
    return each * machine.devices
