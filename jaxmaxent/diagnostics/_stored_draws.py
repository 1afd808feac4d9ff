"""R-hat, effective sample size (ESS) and Monte Carlo standard error (MCSE) of stored draws.

The estimates are those of Vehtari, Gelman, Simpson, Carpenter & Bürkner (Bayesian Analysis 16(2), 2021), computed by
arviz-stats in float64. This module adds defined answers where arviz-stats has none:

- A quantity that never changed was not sampled. Its ESS is 0, and its R-hat and MCSE are NaN. The same holds if draws
  are not finite or too few.
- Chains that are stuck, each at its own value, count as one draw each. R-hat is then infinite and the ESS is at most
  the number of chains.
- A single chain has an R-hat: that of its two halves.
- Fewer than 10 draws per chain cannot show antithetic draws. The ESS is then at most the number of draws.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

CHUNK = 2**20  # draws worked on at once, so that intermediate arrays stay small for any number of quantities
MIN_DRAWS = 4  # per chain: with fewer, a half has no variance
_SHORT_HALF = 5  # draws: in shorter halves, Geyer's sequence ends before it can show antithetic draws


def rhat(draws: Shaped[np.ndarray, "chains draws *shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the rank-normalized split R-hat, the larger of bulk and folded (Vehtari et al. 2021); shape [...].

    It is near 1 if the chains, and the halves of each chain, look alike. For a single chain its halves are compared. If
    the number of draws is odd, the middle draw is left out. R-hat is NaN for a quantity that never changes, for draws
    that are not finite and for fewer than 4 draws per chain. It is infinite if every half is stuck, not all at the same
    value.

    Args:
        draws: shape [chains, draws, ...]: numbers in the order drawn; each entry of the trailing axes is a quantity.
    """
    return _of_each_quantity(_rhat, draws, np.nan)


def nested_rhat(draws: Shaped[np.ndarray, "chains draws *shape"], together: int) -> Float[np.ndarray, "*shape"]:
    """Return `rhat` of superchains: groups of chains that count as one chain each; shape [...].

    R-hat of single chains requires each chain to be long enough on its own. R-hat of superchains requires this only of
    all chains of a superchain together (Margossian et al., Bayesian Analysis, 2024). The halves of a superchain are
    the halves of its chains, so a drift that all chains share is seen. `arviz_stats.rhat_nested` puts both halves of a
    chain into the same superchain and does not see such a drift.

    Args:
        draws: shape [chains, draws, ...]: as in `rhat`.
        together: number of chains in a superchain, a divisor of the number of chains.

    Raises:
        ValueError: if the chains cannot be divided into such groups.
    """
    draws = _checked(draws)
    chains, length, *shape = draws.shape
    if isinstance(together, bool) or not isinstance(together, int | np.integer) or together < 1 or chains % together:
        raise ValueError(f"together must be a divisor of the number of chains, {chains}, got {together!r}")
    groups = draws.reshape(chains // together, together, length, *shape).swapaxes(1, 2)
    return rhat(groups.reshape(chains // together, together * length, *shape))


def ess_bulk(draws: Shaped[np.ndarray, "chains draws *shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the effective sample size of the rank-normalized draws (Vehtari et al. 2021); shape [...].

    Draws are as in `rhat`; special cases are as in `ess_mean`.
    """
    return _of_each_quantity(lambda values: _ess(_normal_scores(_halves(values))), draws, 0.0)


def ess_tail(draws: Shaped[np.ndarray, "chains draws *shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the smaller effective sample size of the 5 % and 95 % quantiles (Vehtari et al. 2021); shape [...].

    These are the ESS of the indicators that a draw is at most the quantile. If 5 % of the draws or more share the
    largest value, the upper indicator never changes, and only the lower one counts. The answer is 0 if neither
    indicator changes. Draws are as in `rhat`.
    """
    return _of_each_quantity(_ess_tail, draws, 0.0)


def ess_mean(draws: Shaped[np.ndarray, "chains draws *shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the effective sample size for the mean: the number of independent draws of equal precision; shape [...].

    It is estimated by Geyer's initial monotone positive sequence on split chains (Vehtari et al. 2021, section 3.2).
    For antithetic draws it exceeds the number N of draws, up to N log10 N. It is 0 for a quantity that never changes,
    for draws that are not finite and for fewer than 4 draws per chain. It is the number of chains if every half of a
    chain is stuck, not all at the same value. With fewer than 10 draws per chain it is at most N.

    Args:
        draws: shape [chains, draws, ...]: as in `rhat`.
    """
    return _of_each_quantity(lambda values: _ess(_halves(values)), draws, 0.0)


def mcse_mean(draws: Shaped[np.ndarray, "chains draws *shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the Monte Carlo standard error of the mean, sd / sqrt(`ess_mean`), in the quantity's unit; shape [...].

    It is NaN if `ess_mean` is 0. If every half is stuck, it is the error of as many draws as there are chains, and NaN
    for a single chain. Draws are as in `rhat`.
    """
    return _of_each_quantity(_mcse_mean, draws, np.nan)


def rhat_of_variances(
    within: Float[np.ndarray, "*shape"], between: Float[np.ndarray, "*shape"], length: int
) -> Float[np.ndarray, "*shape"]:
    """Return R-hat from the mean variance within halves and the variance of their means (Vehtari et al. 2021).

    Args:
        within: mean variance of the draws of a half; 0 if all halves are stuck.
        between: variance of the means of the halves; 0 if the quantity never changes.
        length: number of draws of a half.
    """
    ratio = between / np.where(within > 0, within, 1)
    stuck = np.where(between > 0, np.inf, np.nan)
    return np.where(within > 0, np.sqrt(ratio + (length - 1) / length), stuck)


def largest_ess(draws: int) -> float:
    """Return the largest effective sample size that is believed of this number of draws (Vehtari et al. 2021)."""
    return draws * math.log10(max(draws, 2))


def described(array: np.ndarray) -> str:
    """Return type and shape of an array for an error message."""
    return f"{array.dtype} of shape {list(array.shape)}"


# Everything below is for arrays [quantities, chains, draws] or [quantities, halves, draws].


def _of_each_quantity(function: Callable[[np.ndarray], np.ndarray], draws: Any, unknown: float) -> np.ndarray:
    """Return `function` of each quantity, or `unknown` if there are too few draws; shape [...]."""
    draws = _checked(draws)
    shape = draws.shape[2:]
    results = np.full(math.prod(shape), unknown)
    if draws.shape[1] >= MIN_DRAWS:
        for chunk, values in _chunks(draws.reshape(*draws.shape[:2], -1)):
            values[~np.isfinite(values).all((1, 2))] = 0  # as unknown as a quantity that never changes
            results[chunk] = function(values)
    return results.reshape(shape)


def _checked(draws: Any) -> np.ndarray:
    draws = np.asarray(draws)
    if draws.ndim < 2 or draws.dtype.kind not in "buif" or not draws.shape[0]:
        raise ValueError(
            f"draws must be numbers of shape [chains, draws, ...], at least one chain, got {described(draws)}"
        )
    return draws


def _chunks(draws: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield draws [chains, draws, quantities] a few quantities at a time, in float64 and with the draws adjacent."""
    chains, length, quantities = draws.shape
    step = max(CHUNK // (chains * length), 1)
    for start in range(0, quantities, step):
        chunk = slice(start, start + step)
        yield chunk, np.array(np.moveaxis(draws[..., chunk], -1, 0), np.float64, order="C")


@functools.cache
def _arviz() -> Any:
    """Return the array functions of arviz-stats, which is slow to import if xarray is installed."""
    with warnings.catch_warnings():  # importing it, and SciPy with it, changes warning filters
        warnings.simplefilter("ignore")
        from arviz_stats.base.array import array_stats
    return array_stats


def _halves(values: np.ndarray) -> np.ndarray:
    """Return the first and the last half of every chain, as chains of their own."""
    half = values.shape[-1] // 2
    return np.concatenate([values[..., :half], values[..., -half:]], axis=1)


# These ask the draws themselves, because the computed variance of equal numbers need not be exactly 0.


def _stuck(halves: np.ndarray) -> np.ndarray:
    return (halves.max(-1) == halves.min(-1)).all(-1)


def _constant(halves: np.ndarray) -> np.ndarray:
    return halves.max((1, 2)) == halves.min((1, 2))


def _rhat(values: np.ndarray) -> np.ndarray:
    halves = _halves(values)
    result = np.where(_constant(halves), np.nan, np.inf)
    moves = ~_stuck(halves)
    if moves.any():
        result[moves] = _rhat_of_halves(halves[moves])
    return result


def _rhat_of_halves(halves: np.ndarray) -> np.ndarray:
    """Return R-hat of halves that are not all stuck.

    arviz-stats has none for a single chain, and takes one quantity after another, ten times as long.
    """
    folded = np.abs(halves - np.median(halves, axis=(1, 2), keepdims=True))
    # Folded, a two-valued quantity may be constant. Then fmax takes the bulk alone.
    return np.fmax(*(_plain_rhat(_normal_scores(values)) for values in (halves, folded)))


def _plain_rhat(halves: np.ndarray) -> np.ndarray:
    within = np.where(_stuck(halves), 0, halves.var(-1, ddof=1).mean(-1))
    between = np.where(_constant(halves), 0, halves.mean(-1).var(-1, ddof=1))
    return rhat_of_variances(within, between, halves.shape[-1])


def _normal_scores(halves: np.ndarray) -> np.ndarray:
    """Return ranks among all draws of a quantity, ties averaged, as normal quantiles (Vehtari et al. 2021)."""
    from scipy.special import ndtri  # importing SciPy changes warning filters
    from scipy.stats import rankdata

    ranks = rankdata(halves.reshape(len(halves), -1), axis=1)
    return ndtri((ranks - 3 / 8) / (ranks.shape[1] + 1 / 4)).reshape(halves.shape)


def _ess(halves: np.ndarray) -> np.ndarray:
    chains = halves.shape[1] // 2
    result = np.where(_constant(halves), 0.0, chains)
    moves = ~_stuck(halves)
    if not moves.any():
        return result
    if halves.shape[-1] < _SHORT_HALF:
        result[moves] = _ess_of_short(halves[moves])
    else:  # the halves are ranked here for all quantities at once, which is faster than method="bulk"
        result[moves] = _arviz().ess(_of_order_one(halves[moves]), chain_axis=1, draw_axis=2, method="identity")
    return result


def _of_order_one(halves: np.ndarray) -> np.ndarray:
    """Return the draws times a power of two; arviz-stats takes draws that differ by less than 1e-15 as equal."""
    _, exponent = np.frexp(np.ptp(halves, axis=(1, 2), keepdims=True))
    return np.ldexp(halves, -exponent)


def _ess_of_short(halves: np.ndarray) -> np.ndarray:
    """Return the ESS of halves that are too short for Geyer's sequence, from the autocorrelation at lag 1."""
    length = halves.shape[-1]
    means = halves.mean(-1, keepdims=True)
    centered = halves - means
    lag_0 = (centered**2).mean((1, 2))
    lag_1 = (centered[..., 1:] * centered[..., :-1]).sum(-1).mean(-1) / length
    total = lag_0 + means[..., 0].var(-1, ddof=1)
    rho = 1 - (lag_0 * length / (length - 1) - lag_1) / total
    return halves.shape[1] * length / np.maximum(1 + 2 * rho, 1)


def _ess_tail(values: np.ndarray) -> np.ndarray:
    """Return the smaller ESS of two indicators.

    They come from order statistics, so the rounding of an interpolated quantile cannot move a tie across it.
    """
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
