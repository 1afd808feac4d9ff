"""log Z along a ladder of β's, from the energies seen at its rungs and its exact value at β = 0.

Between neighbours it is Bennett's acceptance ratio (J. Comput. Phys. 22, 1976), the estimate of smallest variance from
the two. Chains are independent, so the standard error is that of their contributions to the sum up to each rung.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def _logistic(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


def along(
    betas: Float[np.ndarray, " rungs"], energies: Float[np.ndarray, "chains draws rungs"], first: float
) -> tuple[Float[np.ndarray, " rungs"], Float[np.ndarray, " rungs"]]:
    """log Z at every rung and its standard error.

    Args:
        betas: β of every rung, increasing.
        energies: energies seen at every rung, equally many.
        first: log Z at the first rung, which is exact.

    Returns:
        log Z and its standard error, which is NaN with a single chain or without draws.
    """
    energies = np.asarray(energies, np.float64)
    chains, draws, rungs = energies.shape
    if draws == 0:
        unknown = np.full(rungs, np.nan)
        return np.where(np.arange(rungs) == 0, first, unknown), unknown
    steps = np.diff(betas)
    low, high = steps * energies[..., :-1], steps * energies[..., 1:]
    change = _bennett(low, high)
    influence = _logistic(change - low).mean(1) - _logistic(high - change).mean(1)  # [chains, pairs], 0 on average
    slope = np.mean(
        _logistic(change - low) * _logistic(low - change) + _logistic(high - change) * _logistic(change - high), (0, 1)
    )
    along_chains = np.cumsum(influence / slope, axis=1)
    error = along_chains.std(0, ddof=1) / np.sqrt(chains) if chains > 1 else np.full(rungs - 1, np.nan)
    return first - np.concatenate([[0], np.cumsum(change)]), np.concatenate([[0], error])


def _bennett(low: Float[np.ndarray, "chains draws pairs"], high: Float[np.ndarray, "chains draws pairs"]) -> np.ndarray:
    """−log Z'/Z of every pair, from Δβ E at its lower and its higher rung, equally many; shape [pairs].

    The equation Σ 1 / (1 + exp(low − f)) = Σ 1 / (1 + exp(f − high)) grows on its left and falls on its right with f,
    so the root is found by bisection.
    """
    below, above = high.min((0, 1)) - 1, low.max((0, 1)) + 1
    below, above = np.minimum(below, above) - 40, np.maximum(below, above) + 40
    for _ in range(60):
        middle = (below + above) / 2
        too_low = _logistic(middle - low).mean((0, 1)) < _logistic(high - middle).mean((0, 1))
        below, above = np.where(too_low, middle, below), np.where(too_low, above, middle)
    return (below + above) / 2
