"""How far a sample can be trusted: R-hat, effective sample size (ESS) and Monte Carlo standard error (MCSE).

Plain NumPy in float64, with two entrances. Where draws are stored: `rhat`, `ess_bulk`, `ess_tail`, `ess_mean` and
`mcse_mean` (Vehtari, Gelman, Simpson, Carpenter & Bürkner, Bayesian Analysis 16(2), 2021). Where only sums over batches
of states are kept: `indicator_rhat`, which loses nothing by that, and batch means with the lugsail correction (Vats &
Flegal, Biometrika 109(3), 2022), centred at the mean of all chains so that their disagreement counts (Gupta & Vats,
arXiv:2007.04229, 2020).

What cannot be known gets the answer that flatters nobody. A quantity that never changed was not sampled: its ESS is 0
and its R-hat and MCSE are NaN, as they are where draws are not finite or too few. Chains that are stuck, each at its
own value, are one draw each: R-hat is infinite and ESS at most the number of chains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

CHUNK = 2**20  # draws worked on at once: the intermediate arrays stay small, however many quantities there are
MIN_DRAWS = 4  # of a chain: with fewer, a half has no variance
GROUPS = 16  # groups of batches in a chain, at the fine scale; the coarse scale has half as many
# Chains differ when their spread is larger than one of so many with the variance of the groups; with few chains even
# such as never move would not stand out.
_CHANCE, _ENOUGH_CHAINS = 1e-3, 6


def rhat(draws: Float[np.ndarray, "chains draws *shape"]) -> Float[np.ndarray, "*shape"]:
    """Rank-normalised split R-hat, the larger of bulk and folded (Vehtari et al. 2021); shape [...].

    Near 1 where chains, and the halves of each, look alike. One chain is enough: its halves are compared. Of an odd
    number of draws the middle one is left out. NaN for a quantity that never changes, for draws that are not finite and
    for fewer than 4 draws a chain; infinite where every half is stuck, not all at the same value.

    Args:
        draws: shape [chains, draws, ...]: numbers in the order drawn; trailing axes are quantities of their own.
    """
    return _of_each_quantity(_rhat, draws, np.nan)


def ess_bulk(draws: Float[np.ndarray, "chains draws *shape"]) -> Float[np.ndarray, "*shape"]:
    """Effective sample size of the rank-normalised draws (Vehtari et al. 2021); shape [...].

    Draws are as in `rhat`, and so is what `ess_mean` says of its answers.
    """
    return _of_each_quantity(lambda x: _ess(_normal_scores(_halves(x))), draws, 0.0)


def ess_tail(draws: Float[np.ndarray, "chains draws *shape"]) -> Float[np.ndarray, "*shape"]:
    """The smaller effective sample size of the 5 % and 95 % quantiles (Vehtari et al. 2021); shape [...].

    These are the ESS of the indicators that a draw is at most the quantile. Where 5 % of the draws or more share the
    largest value, that indicator never changes, there is no such quantile to estimate, and only the other counts; 0
    where none is left. Draws are as in `rhat`.
    """
    return _of_each_quantity(_ess_tail, draws, 0.0)


def ess_mean(draws: Float[np.ndarray, "chains draws *shape"]) -> Float[np.ndarray, "*shape"]:
    """Effective sample size for the mean: the independent draws that would estimate it as well; shape [...].

    Geyer's initial monotone positive sequence on split chains (Vehtari et al. 2021, section 3.2). Above
    the number N of draws where they are antithetic, at most N log10 N. 0 for a quantity that never changes, for draws
    that are not finite and for fewer than 4 draws a chain; the number of chains where every half of a chain is stuck,
    not all at the same value. Fewer than 10 draws a chain are too few to show antithetic draws: ESS is then at most N.

    Args:
        draws: shape [chains, draws, ...]: as in `rhat`.
    """
    return _of_each_quantity(lambda x: _ess(_halves(x)), draws, 0.0)


def mcse_mean(draws: Float[np.ndarray, "chains draws *shape"]) -> Float[np.ndarray, "*shape"]:
    """Monte Carlo standard error of the mean, sd / sqrt(`ess_mean`), in the quantity's own unit; shape [...].

    NaN where `ess_mean` is 0. Where every half is stuck it is the error from as many draws as there are chains, NaN for
    a single one. Draws are as in `rhat`.
    """
    return _of_each_quantity(_mcse_mean, draws, np.nan)


class BatchError(NamedTuple):
    """Monte Carlo standard errors from batch means.

    Attributes:
        error: shape [...]: standard error of the mean over all batches and chains, in the quantity's own unit.
        degrees: shape [...]: its degrees of freedom, for Student's t: the interval of 95 % is the mean ±
            scipy.special.stdtrit(degrees, 0.975) · error. 0 where the error is NaN.
    """

    error: Float[np.ndarray, ...]
    degrees: Float[np.ndarray, ...]


def batch_means_mcse(means: Float[np.ndarray, "batches chains *shape"]) -> BatchError:
    """Standard error of a mean whose draws are not stored, from the means of equal batches; shape [...].

    The largest of three estimates. Two are from groups of adjacent batches, 8 of them in a chain (coarse) or 16 (fine),
    by their spread about the mean of all chains: coarse, and 2 coarse − fine, the lugsail correction, which removes the
    bias of batch means to first order in the autocorrelation time over the length of a group. The third is the spread
    between the means of the chains, the only one that sees the whole error of chains that stay where they are, and the
    only one with fewer than 16 batches. Batches left over at the front count in the mean but not in the groups: a
    multiple of 16 is used best.

    The largest is biased up: where chains mix well, the error is on average too large by 18 % with 2 chains, 13 % with
    4, 7 % with 16 and 2 % with 256 or a single one. Where the autocorrelation time reaches the length of a group,
    several chains still show the error; a single one does not.

    NaN for batch means that are not finite or show no spread, and for a single chain of fewer than 16 batches.

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
    """Effective sample size for the mean, from the means of equal batches; shape [...].

    The variance over that of the mean, which is from groups of batches as in `batch_means_mcse`; the spread between
    chains takes its place where it is significantly larger, or where there are fewer than 6 chains or 16 batches. At
    most N log10 N for N = size · batches · chains states; 0 where the variance is 0 and where `batch_means_mcse`
    knows no error. Chains that are stuck, each at its own value, have fewer than there are chains.

    Args:
        means: shape [batches, chains, ...]: as in `batch_means_mcse`.
        variance: shape [...]: variance of the quantity over single states, in the square of its unit.
        size: states in a batch.
    """
    means = _batches(means)
    return _batch_ess(means, np.asarray(variance, np.float64), _size(size))


def indicator_rhat(counts: Int[np.ndarray, "batches chains *shape"], size: int) -> Float[np.ndarray, "*shape"]:
    """`rhat` of an indicator, from counts: exactly that of the states, which need not be stored; shape [...].

    Ranks of a two-valued variable are an affine map of it, which R-hat does not see; its folded form is another such
    map, or constant. So nothing but the counts of the halves is needed. Of an odd number of batches the middle one is
    left out. NaN for an indicator that never changes, for a single batch and for halves of a single state; infinite
    where every half is stuck, not all at the same value.

    Args:
        counts: shape [batches, chains, ...], integer: states of each batch with the indicator set.
        size: states in a batch.
    """
    counts, size = _counts(counts, size)
    half = counts.shape[0] // 2
    states = half * size
    if states < 2:
        return np.full(counts.shape[2:], np.nan)
    halves = [part.sum(0, dtype=np.int64) / states for part in (counts[:half], counts[-half:])]
    share = np.concatenate(halves)
    within = (share * (1 - share)).mean(0) * states / (states - 1)
    return _rhat_of(within, share.var(0, ddof=1), states)


def batch_ess(counts: Int[np.ndarray, "batches chains *shape"], size: int) -> Float[np.ndarray, "*shape"]:
    """Effective sample size for the frequency of an indicator, from counts; see `batch_means_ess`; shape [...].

    0 for an indicator that never changes, and for a single chain of fewer than 16 batches.

    Args:
        counts: shape [batches, chains, ...], integer: as in `indicator_rhat`.
        size: states in a batch.
    """
    counts, size = _counts(counts, size)
    return _batch_ess(counts / size, _variance_of_indicator(counts, size), size)


def batch_mcse(counts: Int[np.ndarray, "batches chains *shape"], size: int) -> BatchError:
    """Standard error of the frequency of an indicator, from counts; see `batch_means_mcse`; shape [...].

    NaN where `batch_ess` is 0, and never below what its upper bound allows.

    Args:
        counts: shape [batches, chains, ...], integer: as in `indicator_rhat`.
        size: states in a batch.
    """
    counts, size = _counts(counts, size)
    single = _variance_of_indicator(counts, size)
    variance, degrees = _variance_of_mean(counts / size)
    variance = np.maximum(variance, single / _most_effective(counts.shape[0] * counts.shape[1] * size))
    return _batch_error(np.where(single > 0, variance, np.nan), degrees)


# Stored draws. Everything below is for arrays [quantities, chains, draws], or [quantities, halves, draws].


def _of_each_quantity(function: Callable[[np.ndarray], np.ndarray], draws: Any, unknown: float) -> np.ndarray:
    """`function` of each quantity, `unknown` where there are too few draws; shape [...]."""
    draws = np.asarray(draws)
    if draws.ndim < 2 or draws.dtype.kind not in "buif" or not draws.shape[0]:
        raise ValueError(
            f"draws must be numbers of shape [chains, draws, ...], at least one chain, got {_described(draws)}"
        )
    shape = draws.shape[2:]
    results = np.full(math.prod(shape), unknown)
    if draws.shape[1] >= MIN_DRAWS:
        for chunk, values in _chunks(draws.reshape(*draws.shape[:2], -1)):
            values[~np.isfinite(values).all((1, 2))] = 0  # as unknown as what never changes
            results[chunk] = function(values)
    return results.reshape(shape)


def _chunks(draws: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Quantities of draws [chains, draws, quantities] a few at a time, in float64 and with the draws adjacent."""
    chains, length, quantities = draws.shape
    step = max(CHUNK // (chains * length), 1)
    for start in range(0, quantities, step):
        chunk = slice(start, start + step)
        yield chunk, np.array(np.moveaxis(draws[..., chunk], -1, 0), np.float64, order="C")


def _halves(values: np.ndarray) -> np.ndarray:
    """The first and the last half of every chain, as chains of their own."""
    half = values.shape[-1] // 2
    return np.concatenate([values[..., :half], values[..., -half:]], axis=1)


def _normal_scores(halves: np.ndarray) -> np.ndarray:
    """Ranks among all draws of a quantity, ties averaged, as normal quantiles (Vehtari et al. 2021)."""
    from scipy.special import ndtri  # importing SciPy changes warning filters

    ranks = _ranks(halves.reshape(len(halves), -1))
    return ndtri((ranks - 3 / 8) / (ranks.shape[1] + 1 / 4)).reshape(halves.shape)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, from 1, along the last axis, ties averaged; shape [quantities, draws]."""
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    new = np.diff(ordered, axis=1) != 0
    edge = np.ones((len(values), 1), bool)
    place = np.arange(values.shape[1])
    first = np.maximum.accumulate(np.where(np.hstack([edge, new]), place, 0), axis=1)
    last = np.where(np.hstack([new, edge]), place, values.shape[1])
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    return ranks


def _rhat(values: np.ndarray) -> np.ndarray:
    halves = _halves(values)
    folded = np.abs(halves - np.median(halves, axis=(1, 2), keepdims=True))
    # Folded, a two-valued quantity may be constant: then the bulk alone decides, which fmax knows.
    return np.fmax(_split_rhat(_normal_scores(halves)), _split_rhat(_normal_scores(folded)))


def _split_rhat(halves: np.ndarray) -> np.ndarray:
    means = halves.mean(-1)
    within = np.where(_stuck(halves), 0, halves.var(-1, ddof=1).mean(-1))
    between = np.where(_constant(halves), 0, means.var(-1, ddof=1))
    return _rhat_of(within, between, halves.shape[-1])


def _rhat_of(within: np.ndarray, between: np.ndarray, length: int) -> np.ndarray:
    """R-hat from the mean variance within halves and the variance of their means (Vehtari et al. 2021)."""
    ratio = between / np.where(within > 0, within, 1)
    stuck = np.where(between > 0, np.inf, np.nan)
    return np.where(within > 0, np.sqrt(ratio + (length - 1) / length), stuck)


# Whether a quantity changes is asked of the draws themselves: the variance of equal numbers need not be exactly 0.


def _stuck(halves: np.ndarray) -> np.ndarray:
    return (halves.max(-1) == halves.min(-1)).all(-1)


def _constant(halves: np.ndarray) -> np.ndarray:
    return halves.max((1, 2)) == halves.min((1, 2))


def _ess(halves: np.ndarray) -> np.ndarray:
    chains = halves.shape[1] // 2
    states = halves.shape[1] * halves.shape[2]
    ess = states / np.maximum(_autocorrelation_time(halves), states / _most_effective(states))
    return np.where(_constant(halves), 0, np.where(_stuck(halves), chains, ess))


def _autocorrelation_time(halves: np.ndarray) -> np.ndarray:
    """Geyer's initial monotone positive sequence, summed as Stan and ArviZ do (Vehtari et al. 2021, section 3.2)."""
    rho = _autocorrelations(halves)
    length = halves.shape[-1]
    last = max((length - 3) // 2, 0)  # the last pair of lags looked at
    pairs = rho[:, 0 : 2 * last + 2 : 2] + rho[:, 1 : 2 * last + 2 : 2]
    if last == 0:  # too short to tell antithetic draws from chance, or to follow the sequence to its end
        return np.maximum(2 * pairs[:, 0] - 1, 1)
    ends = pairs <= 0
    end = np.where(ends.any(1), ends.argmax(1), last)
    monotone = np.minimum.accumulate(pairs, axis=1)
    total = np.where(np.arange(last + 1) < end[:, None], monotone, 0).sum(1)
    # Of the pair at the end the even lag still counts, where it is positive or the data ended first.
    index = np.arange(len(rho))
    even = rho[index, 2 * end]
    return 2 * total - 1 + np.where(pairs[index, end] >= 0, even, np.maximum(even, 0))


def _autocorrelations(halves: np.ndarray) -> np.ndarray:
    """Autocorrelations over all halves, disagreement between them counted as correlation; shape [quantities, lags]."""
    length = halves.shape[-1]
    means = halves.mean(-1)
    padded = 1 << (2 * length - 1).bit_length()  # a power of two, and so long that the ends do not meet
    power = np.abs(np.fft.rfft(halves - means[..., None], n=padded)) ** 2
    covariance = np.fft.irfft(power.mean(1), n=padded)[:, :length] / length
    within = covariance[:, :1] * length / (length - 1)
    total = covariance[:, :1] + means.var(-1, ddof=1)[:, None]
    rho = 1 - (within - covariance) / np.where(total > 0, total, 1)
    rho[:, 0] = 1
    return rho


def _ess_tail(values: np.ndarray) -> np.ndarray:
    """The indicators need order statistics only, so no rounding of an interpolated quantile can move a tie across."""
    flat = values.reshape(len(values), -1)
    ranks = [(flat.shape[1] - 1) * percent // 100 for percent in (5, 95)]
    quantiles = np.partition(flat, ranks, axis=1)[:, ranks]
    sizes = []
    for quantile in quantiles.T:
        halves = _halves(values <= quantile[:, None, None]).astype(np.float64)
        sizes.append(np.where(_constant(halves), np.inf, _ess(halves)))
    smaller = np.minimum(*sizes)
    return np.where(np.isinf(smaller), 0, smaller)


def _mcse_mean(values: np.ndarray) -> np.ndarray:
    halves = _halves(values)
    ess = _ess(halves)
    draws = np.where(_stuck(halves), values.shape[1], values.shape[1] * values.shape[2])
    unbiased = draws / np.where(draws > 1, draws - 1, np.nan)
    return np.sqrt(values.var((1, 2)) * unbiased / np.where(ess > 0, ess, np.nan))


def _most_effective(states: int) -> float:
    """The largest effective sample size believed of so many states (Vehtari et al. 2021)."""
    return states * math.log10(max(states, 2))


# Batches. Everything below is for arrays [batches, chains, ...].


def _variance_of_mean(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the mean over all batches and chains, and its degrees of freedom; NaN and 0 where unknown."""
    finite = np.isfinite(means).all((0, 1))
    if not finite.all():
        means = np.where(finite, means, 0)
    variance, degrees = _between_chains(means)
    if len(means) >= GROUPS:
        within, of_within = _lugsail(means)
        larger = variance > within  # never where a single chain leaves it unknown
        variance, degrees = np.where(larger, variance, within), np.where(larger, degrees, of_within)
    known = finite & ~np.isnan(variance)
    return np.where(known, variance, np.nan), np.where(known, degrees, 0.0)


def _variance_where_chains_differ(means: np.ndarray) -> np.ndarray:
    """Variance of the mean from groups of batches; from the chains where they differ more than chance allows.

    The spread of a few chains is so noisy that the least of hundreds of effective sample sizes would mostly be its
    noise. So it has to exceed the other estimate significantly, which it does for chains that stay where they are.
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
    """Variance of the mean from the spread of the chains: unbiased however slowly they move, but noisy."""
    chains = means.shape[1]
    if chains < 2:
        return np.full(means.shape[2:], np.nan), 0.0
    return means.mean(0).var(0, ddof=1) / chains, chains - 1.0


def _lugsail(means: np.ndarray) -> tuple[np.ndarray, float]:
    """Variance of the mean from groups of batches, the larger of coarse and 2 coarse − fine.

    Degrees of freedom are those of its first two moments (Satterthwaite 1946): with n coarse groups, normal and
    independent, 2 coarse − fine = coarse + (coarse − d) / 2 for a d as noisy as coarse and independent of it, and the
    variance of the maximum is 7/4 − 1/(4π) times that of coarse, to leading order in 1/n.
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
    most = _most_effective(means.shape[0] * means.shape[1] * size)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((variance > 0) & ~np.isnan(of_mean), np.minimum(variance / of_mean, most), 0.0)


def _variance_of_indicator(counts: np.ndarray, size: int) -> np.ndarray:
    share = counts.sum((0, 1), dtype=np.int64) / (counts.shape[0] * counts.shape[1] * size)
    return share * (1 - share)


def _batches(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim < 2 or array.dtype.kind not in "buif" or 0 in array.shape[:2]:
        raise ValueError(
            f"means must be numbers of shape [batches, chains, ...], at least one of both, got {_described(array)}"
        )
    return array.astype(np.float64, copy=False)


def _counts(values: Any, size: Any) -> tuple[np.ndarray, int]:
    array, size = np.asarray(values), _size(size)
    if array.ndim < 2 or array.dtype.kind not in "iu" or 0 in array.shape[:2]:
        raise ValueError(
            "counts must be whole numbers of shape [batches, chains, ...], at least one of both,"
            f" got {_described(array)}"
        )
    if array.size and (array.min() < 0 or array.max() > size):
        raise ValueError(f"counts must be from 0 to size = {size}, got {array.min()} to {array.max()}")
    return array, size


def _size(size: Any) -> int:
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(f"size must be a whole number of at least 1, got {size!r}")
    return int(size)


def _described(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {list(array.shape)}"
