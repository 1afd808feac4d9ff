"""Monte Carlo standard errors and effective sample sizes (ESS) of draws that are not stored.

Only the sums over batches of draws are needed, in float64. `indicator_rhat` is exactly the R-hat of the draws. Standard
errors are those of batch means with the lugsail correction (Vats & Flegal, Biometrika 109(3), 2022), centered at the
mean of all chains so that a disagreement between chains counts (Gupta & Vats, arXiv:2007.04229, 2020).

A quantity that never changed was not sampled. Its ESS is 0, and its R-hat and its standard error are NaN.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from jaxmaxent.diagnostics._stored_draws import described, largest_ess, rhat_of_variances

GROUPS = 16  # groups of batches per chain at the fine scale; the coarse scale has half as many
# The spread of chains counts as larger if chance makes it so in at most this share of cases. Chains that never move
# do not stand out from the groups if there are fewer chains than this.
_CHANCE, _ENOUGH_CHAINS = 1e-3, 6


class BatchError(NamedTuple):
    """Monte Carlo standard errors from batch means.

    Attributes:
        error: shape [...]: standard error of the mean over all batches and chains, in the quantity's own unit.
        degrees: shape [...]: its degrees of freedom for Student's t, 0 if the error is NaN. The interval of 95 % is
            the mean ± scipy.special.stdtrit(degrees, 0.975) · error.
    """

    error: Float[np.ndarray, "..."]
    degrees: Float[np.ndarray, "..."]


def batch_means_mcse(means: Float[np.ndarray, "batches chains *shape"]) -> BatchError:
    """Return the standard error of a mean from the means of equal batches, if draws are not stored; shape [...].

    It is the largest of three estimates. Two come from groups of adjacent batches, 8 per chain (coarse) or 16 (fine),
    by their spread about the mean of all chains: coarse, and 2 coarse − fine. The second is the lugsail correction. It
    removes the bias of batch means to first order in the autocorrelation time over the length of a group. The third
    estimate is the spread between the means of the chains. Only this one sees the whole error of chains that stay
    where they are, and only this one exists with fewer than 16 batches. Batches left over at the front count in the
    mean but not in the groups, so a multiple of 16 is used best.

    The largest is biased up. If chains mix well, the error is on average too large by 18 % with 2 chains, 13 % with 4,
    7 % with 16 and 2 % with 256 or a single one. If the autocorrelation time reaches the length of a group, several
    chains still show the error; a single one does not.

    The error is NaN for batch means that are not finite or show no spread, and for a single chain of fewer than 16
    batches.

    Args:
        means: shape [batches, chains, ...]: the mean of each batch, in the order drawn.
    """
    means = _batches(means)
    variance, degrees = _variance_of_mean(means)
    varies = means.max((0, 1)) > means.min((0, 1))  # the variance of equal numbers need not be exactly 0
    return _batch_error(np.where(varies & (variance > 0), variance, np.nan), degrees)


def batch_means_ess(
    means: Float[np.ndarray, "batches chains *shape"], variance: Float[np.ndarray, "*shape"] | float, size: int
) -> Float[np.ndarray, "*shape"]:
    """Return the effective sample size for the mean, from the means of equal batches; shape [...].

    It is the variance of the draws over that of the mean. The latter comes from groups of batches as in
    `batch_means_mcse`. The spread between chains takes its place if it is significantly larger, or if there are fewer
    than 6 chains or 16 batches. The ESS is at most N log10 N for N = size · batches · chains draws. It is 0 if the
    variance is 0 or `batch_means_mcse` is NaN. Chains that are stuck, each at its own value, have an ESS below the
    number of chains.

    Args:
        means: shape [batches, chains, ...]: as in `batch_means_mcse`.
        variance: shape [...]: variance of the quantity over single draws, in the square of its unit.
        size: number of draws in a batch.
    """
    means = _batches(means)
    return _batch_ess(means, np.asarray(variance, np.float64), _size(size))


def indicator_rhat(counts: Integer[np.ndarray, "batches chains *shape"], size: int) -> Float[np.ndarray, "*shape"]:
    """Return `rhat` of an indicator from counts: exactly that of its draws, which need not be stored; shape [...].

    The ranks of a two-valued variable are an affine map of it, which leaves R-hat unchanged. Its folded form is another
    such map, or constant. So only the counts of the halves are needed. If the number of batches is odd, the middle one
    is left out. R-hat is NaN for an indicator that never changes, for a single batch and for halves of a single draw.
    It is infinite if every half is stuck, not all at the same value.

    Args:
        counts: shape [batches, chains, ...], integer: number of draws of each batch with the indicator set.
        size: number of draws in a batch.
    """
    counts, size = _counts(counts, size)
    half = counts.shape[0] // 2
    states = half * size
    if states < 2:
        return np.full(counts.shape[2:], np.nan)
    halves = [part.sum(0, dtype=np.int64) / states for part in (counts[:half], counts[-half:])]
    share = np.concatenate(halves)
    within = (share * (1 - share)).mean(0) * states / (states - 1)
    return rhat_of_variances(within, share.var(0, ddof=1), states)


def batch_ess(counts: Integer[np.ndarray, "batches chains *shape"], size: int) -> Float[np.ndarray, "*shape"]:
    """Return the effective sample size for the frequency of an indicator, from counts; shape [...].

    See `batch_means_ess`. It is 0 for an indicator that never changes, and for a single chain of fewer than 16 batches.

    Args:
        counts: shape [batches, chains, ...], integer: as in `indicator_rhat`.
        size: number of draws in a batch.
    """
    counts, size = _counts(counts, size)
    return _batch_ess(counts / size, _variance_of_indicator(counts, size), size)


def batch_mcse(counts: Integer[np.ndarray, "batches chains *shape"], size: int) -> BatchError:
    """Return the standard error of the frequency of an indicator, from counts; shape [...].

    See `batch_means_mcse`. It is NaN if `batch_ess` is 0. It is never below the error that belongs to the largest ESS.

    Args:
        counts: shape [batches, chains, ...], integer: as in `indicator_rhat`.
        size: number of draws in a batch.
    """
    counts, size = _counts(counts, size)
    single = _variance_of_indicator(counts, size)
    variance, degrees = _variance_of_mean(counts / size)
    variance = np.maximum(variance, single / largest_ess(counts.shape[0] * counts.shape[1] * size))
    return _batch_error(np.where(single > 0, variance, np.nan), degrees)


# Everything below is for arrays [batches, chains, ...].


def _variance_of_mean(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance of the mean over all batches and chains, and its degrees of freedom; NaN and 0 if unknown."""
    finite = np.isfinite(means).all((0, 1))
    if not finite.all():
        means = np.where(finite, means, 0)
    variance, degrees = _between_chains(means)
    if len(means) >= GROUPS:
        within, of_within = _lugsail(means)
        larger = variance > within  # False if a single chain leaves it NaN
        variance, degrees = np.where(larger, variance, within), np.where(larger, degrees, of_within)
    known = finite & ~np.isnan(variance)
    return np.where(known, variance, np.nan), np.where(known, degrees, 0.0)


def _variance_where_chains_differ(means: np.ndarray) -> np.ndarray:
    """Return the variance of the mean from groups of batches, or from chains that differ more than chance allows.

    The spread of a few chains is so noisy that the smallest of hundreds of effective sample sizes would mostly be its
    noise. So it is used only if it exceeds the other estimate significantly, as for chains that stay where they are.
    """
    from scipy.special import fdtri  # changes warning filters

    largest, _ = _variance_of_mean(means)
    if len(means) < GROUPS or means.shape[1] < _ENOUGH_CHAINS:
        return largest
    within, of_within = _lugsail(means)
    between, of_between = _between_chains(means)
    differ = between > fdtri(of_between, of_within, 1 - _CHANCE) * within
    return np.where(differ | np.isnan(largest), largest, within)


def _between_chains(means: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the variance of the mean from the spread of the chains: unbiased at any speed of mixing, but noisy."""
    chains = means.shape[1]
    if chains < 2:
        return np.full(means.shape[2:], np.nan), 0.0
    return means.mean(0).var(0, ddof=1) / chains, chains - 1.0


def _lugsail(means: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the variance of the mean from groups of batches, the larger of coarse and 2 coarse − fine.

    The degrees of freedom follow from its first two moments (Satterthwaite 1946). For n coarse groups, normal and
    independent, 2 coarse − fine = coarse + (coarse − d) / 2 with a d as noisy as coarse and independent of it. The
    variance of the maximum is then 7/4 − 1/(4π) times that of coarse, to leading order in 1/n.
    """
    batches, chains, *shape = means.shape
    length = batches // GROUPS
    groups = means[batches - GROUPS * length :].reshape(GROUPS, length, chains, *shape).mean(1)
    fine = groups.var((0, 1), ddof=1)
    coarse = 2 * ((groups[0::2] + groups[1::2]) / 2).var((0, 1), ddof=1)
    largest = np.maximum(coarse, 2 * coarse - fine) * (length / (batches * chains))
    return largest, (GROUPS // 2 * chains - 1) / (7 / 4 - 1 / (4 * math.pi))


def _batch_error(variance: np.ndarray, degrees: np.ndarray) -> BatchError:
    return BatchError(np.sqrt(variance), np.where(np.isnan(variance), 0.0, degrees))


def _batch_ess(means: np.ndarray, variance: np.ndarray, size: int) -> np.ndarray:
    of_mean = _variance_where_chains_differ(means)
    most = largest_ess(means.shape[0] * means.shape[1] * size)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((variance > 0) & ~np.isnan(of_mean), np.minimum(variance / of_mean, most), 0.0)


def _variance_of_indicator(counts: np.ndarray, size: int) -> np.ndarray:
    share = counts.sum((0, 1), dtype=np.int64) / (counts.shape[0] * counts.shape[1] * size)
    return share * (1 - share)


def _batches(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim < 2 or array.dtype.kind not in "buif" or 0 in array.shape[:2]:
        raise ValueError(
            f"means must be numbers of shape [batches, chains, ...], at least one of both, got {described(array)}"
        )
    return array.astype(np.float64, copy=False)


def _counts(values: Any, size: Any) -> tuple[np.ndarray, int]:
    array, size = np.asarray(values), _size(size)
    if array.ndim < 2 or array.dtype.kind not in "iu" or 0 in array.shape[:2]:
        raise ValueError(
            "counts must be whole numbers of shape [batches, chains, ...], at least one of both,"
            f" got {described(array)}"
        )
    if array.size and (array.min() < 0 or array.max() > size):
        raise ValueError(f"counts must be from 0 to size = {size}, got {array.min()} to {array.max()}")
    return array, size


def _size(size: Any) -> int:
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(f"size must be a whole number of at least 1, got {size!r}")
    return int(size)
