"""log Z along a ladder of β's, by the multistate Bennett acceptance ratio (MBAR).

All rungs have the same fields, so their densities differ by a function of the energy alone. With the draws of all
rungs pooled, the equations

    Z_k = Σ_n exp(−β_k E_n) / Σ_j N_j exp(−β_j E_n) / Z_j

hold for every rung at once (Shirts & Chodera, J. Chem. Phys. 129, 124105, 2008, equation 11). The Z_j that solve them
minimize a convex function, so Newton's method finds them. The first of them is exact and stays fixed.

The rungs of a chain swap sequences and so are not independent, and neither are the draws of a rung. The chains are
independent. The standard error is therefore the spread of the influence of each chain on the estimate. The influence is
the derivative with respect to the chain's weight (the infinitesimal jackknife; Efron, "The jackknife, the bootstrap and
other resampling plans", 1982). The error needs no model of the autocorrelation and has chains − 1 degrees of freedom.
With fewer than six chains it is no smaller than the error from batch means of the influences of their draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent.diagnostics._batch_means import GROUPS, batch_means_mcse

# With steps this small, the error left after a step of Newton's method is its square.
_SMALL, _ROUGH = 1e-7, 1e-2
# Steps are halved only for ladders that hardly overlap.
_MOST_STEPS, _MOST_HALVINGS = 100, 30
# Draws per rung, all chains together, that find a good first guess.
_FOR_A_GUESS = 1024
_BLOCK = 2**14
# With fewer common draws than this, two parts of a ladder do not determine the ratio of their Z's.
_FEWEST_SHARED = 1.0
# An error this small relative to its value is rounding: draws that never differ do not determine an error.
_ROUNDING = 1e-12
# The spread of fewer chains is too noisy to be the error by itself.
_ENOUGH_CHAINS = 6


class LogZ(NamedTuple):
    """log Z along a ladder.

    Attributes:
        value: log Z at every rung, exact at the first, shape [rungs].
        error: its standard error, shape [rungs]. It is 0 if β is that of the first rung. It is NaN without draws, for
            a single chain of fewer than 16 draws, if draws never differ, and from the first rung on that has no draws
            in common with those below it.
    """

    value: Float[np.ndarray, " rungs"]
    error: Float[np.ndarray, " rungs"]


def log_z_along(
    betas: Float[np.ndarray, " rungs"], energies: Float[np.ndarray, "chains draws rungs"], first: float
) -> LogZ:
    """Return log Z at every rung and its standard error, by MBAR.

    Beyond a gap, at which two parts of the ladder have no draws in common, log Z is a guess and its error is NaN.

    Args:
        betas: β of every rung, increasing.
        energies: energies of the draws of every rung. Draws of one index are from the same step of a chain.
        first: log Z at the first rung, which is exact.
    """
    energies, betas = np.asarray(energies, np.float64), np.asarray(betas, np.float64)
    unknown = np.full(len(betas), np.nan)
    if energies.shape[1] == 0:
        return LogZ(np.concatenate([[first], unknown[1:]]), unknown)
    lowest = energies.min()  # large energies that differ little would lose digits
    value, gap = _first_guess(betas, energies - lowest)
    if gap is None:
        value = solved(betas, energies - lowest, value, _SMALL)
        error = standard_error(influences(betas, energies - lowest, value))
    else:
        below = log_z_along(betas[: gap + 1], energies[..., : gap + 1] - lowest, 0.0)
        value = np.concatenate([below.value, below.value[-1] + value[gap + 1 :] - value[gap]])
        error = np.concatenate([below.error, unknown[gap + 1 :]])
    value = first - (betas - betas[0]) * lowest + value
    return LogZ(value, nan_if_rounding(error, value, betas))


def chain_influences(
    betas: Float[np.ndarray, " rungs"],
    energies: Float[np.ndarray, "chains draws rungs"],
    log_z: Float[np.ndarray, " rungs"],
) -> Float[np.ndarray, "chains rungs"]:
    """Return the influence of every chain on log Z at every rung; see `jackknife_error`.

    Args:
        betas: β of every rung.
        energies: energies of the draws of every rung.
        log_z: `log_z_along` of these.
    """
    return influences(betas, energies, log_z).mean(1)


def rung_probabilities(
    betas: Float[np.ndarray, "rungs ..."],
    energies: Float[np.ndarray, "draws ..."],
    log_z: Float[np.ndarray, " rungs"],
) -> tuple[Float[np.ndarray, "rungs draws"], Float[np.ndarray, " draws"]]:
    """Return the probability that a draw comes from each rung, given its energy, and log Σ_j exp(−β_j E) / Z_j.

    The probabilities are for equally many draws of every rung. If densities differ by several coordinates, both β and E
    have an axis for them, and their product is summed over it.
    """
    # Two coordinates on two legs, one on one: a product of matrices, or an outer product.
    slopes = betas[:, None] * energies if energies.ndim == 1 else betas @ energies.T
    terms = -slopes - log_z[:, None]
    top = terms.max(0)
    terms -= top
    np.exp(terms, out=terms)
    total = terms.sum(0)
    terms /= total
    return terms, top + np.log(total)


def shared_draws(
    betas: Float[np.ndarray, " rungs"],
    energies: Float[np.ndarray, "chains draws rungs"],
    log_z: Float[np.ndarray, " rungs"],
) -> Float[np.ndarray, " pairs"]:
    """Return for each pair of neighboring rungs the number of draws that both parts of the ladder have in common.

    One part is all rungs up to the lower of the pair, the other all those above. A draw counts as p (1 − p), with p the
    probability that it comes from the lower part.
    """
    shared = np.zeros(len(betas) - 1)
    for block in _blocks(energies):
        probabilities, _ = rung_probabilities(betas, block, log_z)
        below = np.cumsum(probabilities, axis=0)[:-1]
        shared += (below * (1 - below)).clip(0).sum(1)
    return shared


def first_gap(shared: Float[np.ndarray, " pairs"]) -> int | None:
    """Return the first pair of rungs between which a ladder falls into two parts, or None; see `shared_draws`."""
    gaps = np.flatnonzero(~(shared >= _FEWEST_SHARED))
    return int(gaps[0]) if gaps.size else None


def jackknife_error(influence: Float[np.ndarray, "chains ..."]) -> Float[np.ndarray, "..."]:
    """Return the standard error of an estimate from the influence of each chain on it; NaN for a single chain."""
    chains = len(influence)
    if chains < 2:
        return np.full(influence.shape[1:], np.nan)
    return np.asarray(influence.std(0, ddof=1) / np.sqrt(chains))


def nan_if_rounding(
    error: Float[np.ndarray, " rungs"], value: Float[np.ndarray, " rungs"], betas: Float[np.ndarray, " rungs"]
) -> Float[np.ndarray, " rungs"]:
    """Return the errors of values along a ladder, NaN if they are no more than rounding.

    At the β of the first rung values are exact, and their error stays.
    """
    rounding = error <= _ROUNDING * np.maximum(1, np.abs(value))
    return np.where(rounding & (betas > betas[0]), np.nan, error)


def _first_guess(betas: np.ndarray, energies: np.ndarray) -> tuple[np.ndarray, int | None]:
    """Return a guess of log Z, 0 at the first rung, and the first gap in the ladder.

    The guess is from few draws if these overlap, because an evaluation costs time in proportion to them.
    """
    chains, draws, _ = energies.shape
    stride = max(1, chains * draws // _FOR_A_GUESS)
    few = energies[:, ::stride]
    guess = _bennett(betas, few)
    if stride > 1 and first_gap(shared_draws(betas, few, guess)) is None:
        guess = solved(betas, few, guess, _ROUGH)
    elif stride > 1:
        guess = _bennett(betas, energies)
    return guess, first_gap(shared_draws(betas, energies, guess))


def solved(betas: np.ndarray, energies: np.ndarray, log_z: np.ndarray, small: float, last: int = 0) -> np.ndarray:
    """Return the log Z that solves the equations, by Newton's method from a first guess.

    The first rung stays fixed, and so do as many rungs at the end as `last`.
    """
    value, slopes, curvature = _likelihood(betas, energies, log_z)
    free = slice(1, len(betas) - last)
    for _ in range(_MOST_STEPS):
        step = np.zeros(len(betas))
        step[free] = np.linalg.solve(curvature[free, free], slopes[free])
        if np.abs(step).max() < small:
            return log_z + step
        for _ in range(_MOST_HALVINGS):
            there = _likelihood(betas, energies, log_z + step)
            if there[0] <= value + 1e-12 * abs(value):
                break
            step = step / 2
        log_z, (value, slopes, curvature) = log_z + step, there
    return log_z


def _likelihood(
    betas: np.ndarray, energies: np.ndarray, log_z: np.ndarray
) -> tuple[float, Float[np.ndarray, " rungs"], Float[np.ndarray, "rungs rungs"]]:
    """Return the function of log Z that MBAR minimizes, the negative of its slope, and its second derivative."""
    chains, draws, rungs = energies.shape[:3]
    value, slopes, curvature = chains * draws * log_z.sum(), np.zeros(rungs), np.zeros((rungs, rungs))
    for block in _blocks(energies):
        probabilities, log_mixture = rung_probabilities(betas, block, log_z)
        occupied = probabilities.sum(1)
        value += log_mixture.sum()
        slopes += occupied
        curvature += np.diag(occupied) - probabilities @ probabilities.T
    return float(value), slopes - chains * draws, curvature


def _blocks(energies: np.ndarray) -> Iterator[Float[np.ndarray, " draws"]]:
    """Yield all draws in blocks that stay in a processor's cache with one number per rung."""
    flat = energies.reshape(-1, *energies.shape[3:])
    for start in range(0, len(flat), _BLOCK):
        yield flat[start : start + _BLOCK]


def influences(
    betas: np.ndarray, energies: np.ndarray, log_z: np.ndarray, last: int = 0
) -> Float[np.ndarray, "chains draws rungs"]:
    """Return the influence on log Z of all draws of one index in a chain; their means over draws are the chain's.

    It is 0 at the first rung, and at as many rungs at the end as `last`, because these stay fixed.
    """
    chains, draws, rungs = energies.shape[:3]
    free = slice(1, rungs - last)
    slopes, curvature = np.empty((chains, draws, rungs)), np.zeros((rungs, rungs))
    for c, row in enumerate(energies):
        probabilities, _ = rung_probabilities(betas, row.reshape(-1, *row.shape[2:]), log_z)
        slopes[c] = probabilities.reshape(rungs, draws, rungs).sum(2).T - 1
        curvature += np.diag(probabilities.sum(1)) - probabilities @ probabilities.T
    found = np.zeros((chains, draws, rungs))
    of_rungs = np.linalg.inv(curvature[free, free] / (chains * draws))
    found[..., free] = slopes[..., free] @ of_rungs  # the matrix is symmetric
    return found


def standard_error(influences: Float[np.ndarray, "chains draws rungs"]) -> Float[np.ndarray, " rungs"]:
    """Return the error from the spread of chains; of a few chains the larger of that and of batch means.

    Two chains agree by chance so often that their spread alone would say nothing. The error is NaN for a single chain
    of fewer than 16 draws.
    """
    chains, draws, rungs = influences.shape
    batches = 2 * GROUPS if draws >= 4 * GROUPS else GROUPS
    size = draws // batches
    if chains >= _ENOUGH_CHAINS or (chains > 1 and not size):
        return jackknife_error(influences.mean(1))
    if not size:
        return np.concatenate([[0], np.full(rungs - 1, np.nan)])
    rows = influences[:, draws - batches * size :].reshape(chains, batches, size, rungs).mean(2)
    error = np.concatenate([[0], batch_means_mcse(np.swapaxes(rows, 0, 1)).error[1:]])
    return error if chains == 1 else np.fmax(error, jackknife_error(influences.mean(1)))


def _bennett(betas: np.ndarray, energies: np.ndarray) -> Float[np.ndarray, " rungs"]:
    """Return log Z, 0 at the first rung, by Bennett's acceptance ratio of neighbors (J. Comput. Phys. 22, 1976).

    For Δβ E at the lower and the higher rung of a pair and f = −log Z'/Z, the left side of the equation
    Σ 1 / (1 + exp(low − f)) = Σ 1 / (1 + exp(f − high)) grows with f and the right side falls, so bisection finds f.
    """
    steps = np.diff(betas)
    low, high = steps * energies[..., :-1], steps * energies[..., 1:]
    below, above = high.min((0, 1)) - 1, low.max((0, 1)) + 1
    below, above = np.minimum(below, above) - 40, np.maximum(below, above) + 40
    for _ in range(60):
        middle = (below + above) / 2
        too_low = _logistic(middle - low).mean((0, 1)) < _logistic(high - middle).mean((0, 1))
        below, above = np.where(too_low, middle, below), np.where(too_low, above, middle)
    return np.concatenate([[0], -np.cumsum((below + above) / 2)])


def _logistic(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))
