"""Swaps of neighbouring rungs on pairs of enumerated states."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent.sampling.device._swaps import log_ratios, probabilities, thresholds
from jaxmaxent.testing._report import CheckPart
from jaxmaxent.testing._space import Space

# Numbers in [0, 1), evenly spaced, that decide a swap: the share that makes it is its probability, up to one of them.
_NUMBERS = 32


def swap_parts(space: Space, betas: Float[np.ndarray, " rungs"], close: float) -> list[CheckPart]:
    """Return whether swaps leave the joint distribution of two rungs invariant, for all pairs of neighbours.

    A swap exchanges two sequences or none, so a pair of states goes to its mirror image or stays. The joint
    distribution is invariant if as much flows from each pair to its mirror image as back.
    """
    energies = jnp.asarray(space.potentials)
    worst, off, size = 0.0, 0.0, len(space.states)
    for low, high in itertools.pairwise(betas):
        both = jnp.asarray([low, high], energies.dtype)
        accept, made = (np.asarray(found, np.float64) for found in jax.device_get(_swaps(both, energies)))
        flow = np.outer(*(space.rung(beta).distribution(beta) for beta in (low, high))) * accept
        worst = max(worst, float(np.abs(flow - flow.T).sum(1).max()))
        off = max(off, float(np.abs(accept - made).max()))
    what, pairs = "joint distribution of two neighbouring rungs after a swap", (len(betas) - 1) * size**2
    return [
        CheckPart(what, worst, close, "of probability", pairs),
        CheckPart("share of swaps made, against their probability", off, 1 / _NUMBERS, "of 1", pairs),
    ]


@jax.jit
def _swaps(
    betas: Float[Array, " 2"], energies: Float[Array, " states"]
) -> tuple[Float[Array, "states states"], Float[Array, "states states"]]:
    """Return the probability of a swap of every two states, and the share of numbers that make it."""
    numbers = ((jnp.arange(_NUMBERS) + 0.5) / _NUMBERS).astype(energies.dtype)

    def one(low: Array, high: Array) -> tuple[Array, Array]:
        pair = jnp.stack([low, high])
        log_ratio = log_ratios(betas, pair)
        made = jax.vmap(lambda number: thresholds(number[None], jnp.asarray(True)) < log_ratio)(numbers)
        return probabilities(log_ratio)[0], jnp.mean(made, dtype=energies.dtype)

    return jax.vmap(lambda low: jax.vmap(lambda high: one(low, high))(energies))(energies)
