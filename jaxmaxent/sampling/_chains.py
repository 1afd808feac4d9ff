"""The chains of a run that was not told how many."""

from __future__ import annotations

import jax

CHAINS, CHAINS_AT_ONE_BETA, ANCHOR_CHAINS = 8, 256, 1


def default_chains(anchor_chains: int, *, laddered: bool) -> int:
    """Return the chains at every rung that enter estimates.

    On accelerators they are the fewest, but not fewer than on a CPU, that fill all devices of this process together
    with the anchor-start chains: one that has no chains would stand idle.
    """
    chains = CHAINS if laddered else CHAINS_AT_ONE_BETA
    if jax.default_backend() == "cpu":
        return chains
    return chains + -(chains + anchor_chains) % len(jax.local_devices())
