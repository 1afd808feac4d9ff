"""log Z along a ladder of β's, from the energies seen at its rungs and its exact value at β = 0.

Between neighbours it is Bennett's acceptance ratio (J. Comput. Phys. 22, 1976), the estimate of smallest variance from
the two. Chains are independent, so the standard error is that of their contributions to the sum up to each rung; of a
single chain it comes from the means of batches of its draws.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxmaxent import diagnostics

# An error this small beside the number itself is rounding: draws that never differ do not say how far they are off.
_ROUNDING = 1e-12


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
        log Z and its standard error. The error is 0 where β is that of the first rung, and NaN without draws, for a
        single chain of fewer than 16 draws, and where draws never differ.
    """
    energies = np.asarray(energies, np.float64)
    chains, draws, rungs = energies.shape
    if draws == 0:
        unknown = np.full(rungs, np.nan)
        return np.where(np.arange(rungs) == 0, first, unknown), unknown
    steps = np.diff(betas)
    low, high = steps * energies[..., :-1], steps * energies[..., 1:]
    change = _bennett(low, high)
    influence = _logistic(change - low) - _logistic(high - change)  # [chains, draws, pairs], 0 on average
    slope = np.mean(
        _logistic(change - low) * _logistic(low - change) + _logistic(high - change) * _logistic(change - high), (0, 1)
    )
    log_z = first - np.concatenate([[0], np.cumsum(change)])
    if chains > 1:
        error = np.cumsum(influence.mean(1) / slope, axis=1).std(0, ddof=1) / np.sqrt(chains)
    else:
        error = _error_of_one(np.cumsum(influence[0] / slope, axis=1))
    return log_z, or_unknown(np.concatenate([[0], error]), log_z, betas)


def or_unknown(
    error: Float[np.ndarray, " rungs"], value: Float[np.ndarray, " rungs"], betas: Float[np.ndarray, " rungs"]
) -> Float[np.ndarray, " rungs"]:
    """Return the errors of values along a ladder, NaN where they are no more than rounding.

    At the β of the first rung values are exact, and their error stays.
    """
    rounding = error <= _ROUNDING * np.maximum(1, np.abs(value))
    return np.where(rounding & (betas > betas[0]), np.nan, error)


def _error_of_one(influence: Float[np.ndarray, "draws rungs"]) -> Float[np.ndarray, " rungs"]:
    """Return the standard errors of the means of a single chain, NaN for fewer than 16 draws."""
    batches = 2 * diagnostics.GROUPS if len(influence) >= 4 * diagnostics.GROUPS else diagnostics.GROUPS
    size = len(influence) // batches
    if not size:
        return np.full(influence.shape[1], np.nan)
    rows = influence[len(influence) - batches * size :].reshape(batches, size, 1, -1).mean(1)
    return diagnostics.batch_means_mcse(rows).error


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
