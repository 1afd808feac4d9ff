"""The shift of a field's count, such as the GC content: a test for features that all positions share.

A single position does not show such a global feature. So the mean count under the anchored ensemble is compared with
that of the background, over many anchors. The background has the same fields at the same μ without the network (β = 0).
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent import checks
from jaxmaxent.analysis._composition.background import moments_at_zero_beta, sampled_ensemble
from jaxmaxent.analysis._run_parts import checked_run, field_of, refuse_growing, rung_of
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.results import Run

# Number of permutations that are drawn if there are more in all: the standard error of p = 0.05 is then 0.002.
_PERMUTATIONS = 9_999
_SEED = 0
# A run's frequencies add up to the mean count of a composition within this rounding error per position.
_ROUNDING = 1e-4


class ChiSquare(NamedTuple):
    """A χ² test.

    Attributes:
        statistic: χ²; NaN where nothing is known.
        degrees: degrees of freedom; 0 where nothing is known.
        p: probability of at least this statistic; NaN where nothing is known.
    """

    statistic: float
    degrees: int
    p: float


class Correlation(NamedTuple):
    """The correlation of shifts with the anchors' own counts; all NaN where these are not known or do not vary.

    Attributes:
        r: Pearson's correlation over the anchors.
        p: two-sided p-value, by permutation of the anchors.
        slope: slope of the least squares line: 0 if all shifts are equal, 1 if each ensemble keeps the count of its
            anchor.
        slope_error: its standard error, with anchors − 2 degrees of freedom.
    """

    r: float
    p: float
    slope: float
    slope_error: float


class CompositionShift(NamedTuple):
    """The shift of a count from the background under anchored ensembles. All values are per site: count over length.

    Attributes:
        field: name of the field.
        fraction: mean under the ensemble, shape [anchors].
        background: mean at β = 0 and the same μ, shape [anchors].
        shift: their difference, shape [anchors].
        shift_error: its Monte Carlo standard error, shape [anchors]; NaN where it is not known.
        own: count of the anchor itself, shape [anchors]; NaN where it is not known.
        mean: mean shift over the anchors.
        mean_error: its standard error with respect to the choice of the anchors, with anchors − 1 degrees of freedom.
            It includes the Monte Carlo error and is never smaller; NaN for a single anchor.
        monte_carlo_error: the part of it that longer runs would remove.
        effect: mean over the anchors of the shift in standard deviations of the background's count.
        effect_error: its standard error, calculated as `mean_error` is.
        p: two-sided p-value for a mean shift of 0, from flipping the signs of the anchors' shifts.
        moves: χ² test that no anchor's shift differs from 0 by more than Monte Carlo error.
        differs: χ² test that no anchor's shift differs from the others by more than Monte Carlo error (Cochran's Q).
        follows: dependence of the shift on the anchor's own count.
    """

    field: str
    fraction: Float[np.ndarray, " anchors"]
    background: Float[np.ndarray, " anchors"]
    shift: Float[np.ndarray, " anchors"]
    shift_error: Float[np.ndarray, " anchors"]
    own: Float[np.ndarray, " anchors"]
    mean: float
    mean_error: float
    monte_carlo_error: float
    effect: float
    effect_error: float
    p: float
    moves: ChiSquare
    differs: ChiSquare
    follows: Correlation


def composition_shift(
    run: Run, *, rung: int | None = None, field: int | str = 0, ensemble: Ensemble | None = None
) -> CompositionShift:
    """Compare the mean count of a field under the anchored ensembles of a run with that of the background.

    Args:
        run: several anchors sampled with the field.
        rung: index of the rung; None means the target.
        field: name of the field, such as "GC", or its index.
        ensemble: the ensemble that was sampled, from which the background is exact. Without it the background is the
            run's own rung at β = 0, and the anchors' own counts are known for compositions such as "GC" only.

    Raises:
        ValueError: if the run has no such field or rung, a field grows along the ladder, the ensemble has other anchors
            or another μ, or the run has no rung at β = 0 and there is no ensemble.

    Example:
        >>> found = analysis.composition_shift(run, field="GC", ensemble=ensemble)
    """
    checked_run(run, "field_names")
    k, rung = field_of(run, field), rung_of(run, rung)
    refuse_growing(run, "the background at β = 0 lacks it")
    if ensemble is not None:
        batch = sampled_ensemble(run, ensemble)
        mean, variance, own = (np.asarray(values, float) for values in _exact_background(batch, k))
        error = np.zeros(len(mean))
    else:
        _need_background(run)
        mean, variance = run.field_mean[:, 0, k], run.field_variance[:, 0, k]
        error, own = run.field_error[:, 0, k], _own_composition(run, k)
    return shift_over_anchors(
        run.field_mean[:, rung, k],
        np.hypot(run.field_error[:, rung, k], error),
        mean,
        np.sqrt(variance),
        length=run.anchors.shape[1],
        own=own,
        field=run.field_names[k],
    )


def shift_over_anchors(
    count: Float[np.ndarray, " anchors"],
    error: Float[np.ndarray, " anchors"],
    background: Float[np.ndarray, " anchors"],
    background_sd: Float[np.ndarray, " anchors"],
    *,
    length: int,
    own: Float[np.ndarray, " anchors"] | None = None,
    field: str = "count",
) -> CompositionShift:
    """Compare mean counts with those of a background, over anchors that are independent of each other.

    The standard error of the mean shift comes from the spread between the anchors, which includes Monte Carlo noise. If
    the spread is smaller than that noise, the noise counts instead. The sign-flip test takes every assignment of signs
    up to 2^13, and 9,999 drawn with a fixed seed beyond that. It is valid if shifts are as likely up as down. The χ²
    tests leave out anchors whose error is unknown or 0.

    Args:
        count: mean counts, shape [anchors].
        error: Monte Carlo standard errors of count − background; NaN where one is not known.
        background: mean counts of the background, shape [anchors].
        background_sd: standard deviation of the background's count, shape [anchors].
        length: positions of a sequence.
        own: counts of the anchors themselves, shape [anchors]; NaN where one is not known.
        field: name of the field.

    Raises:
        ValueError: if shapes differ, a count is not finite, or an error is negative.

    Example:
        >>> one = np.ones(6)
        >>> found = analysis.shift_over_anchors(12 * one, 0.1 * one, 10 * one, 2 * one, length=24)
    """
    length = checks.integer("length", length, at_least=1)
    count = checks.finite_array("count", count)
    if count.ndim != 1 or not count.size:
        raise ValueError(f"count must have shape [anchors], got {list(count.shape)}")
    background = _like("background", checks.finite_array("background", background), count)
    sd = _like("background_sd", checks.finite_array("background_sd", background_sd, at_least=0), count)
    error = _like("error", checks.number_array("error", error), count)
    own = np.full(len(count), np.nan) if own is None else _like("own", checks.number_array("own", own), count)
    if (error < 0).any():
        raise ValueError(f"error must not be negative, got {error[error < 0][0]:g}")
    shift, noise, own = (count - background) / length, error / length, own / length
    with np.errstate(divide="ignore", invalid="ignore"):
        effects, effect_noise = shift * length / sd, error / sd
    mean_error, monte_carlo = _error_of_mean(shift, noise)
    return CompositionShift(
        field, count / length, background / length, shift, noise, own, float(shift.mean()), mean_error, monte_carlo,
        float(effects.mean()), _error_of_mean(effects, effect_noise)[0], _sign_flip(shift), *_chi_squares(shift, noise),
        _correlation(own, shift),
    )  # fmt: skip


def _like(name: str, array: np.ndarray, model: np.ndarray) -> np.ndarray:
    if array.shape != model.shape:
        raise ValueError(f"{name} must have the shape {list(model.shape)} of count, got {list(array.shape)}")
    return array


def _error_of_mean(values: np.ndarray, noise: np.ndarray) -> tuple[float, float]:
    """Return the standard error of the mean over anchors like these, and its part from Monte Carlo noise alone."""
    anchors = len(values)
    monte_carlo = math.sqrt(float((noise**2).sum())) / anchors
    if anchors < 2:
        return math.nan, monte_carlo
    return float(np.fmax(values.std(ddof=1) / math.sqrt(anchors), monte_carlo)), monte_carlo


def _sign_flip(values: np.ndarray) -> float:
    """Return the two-sided p of the sum of `values` among sums with other signs; by symmetry the first sign is kept."""
    free = len(values) - 1
    if free <= math.log2(_PERMUTATIONS + 1):
        signs = np.array(list(itertools.product((1, -1), repeat=free)), float).reshape(2**free, free)
    else:
        signs = np.random.default_rng(_SEED).choice((1.0, -1.0), (_PERMUTATIONS + 1, free))
        signs[0] = 1  # the signs as they are, so that p is never 0
    return _share_at_least(np.abs(values[0] + signs @ values[1:]))


def _share_at_least(statistics: np.ndarray) -> float:
    """Return the share of the statistics that reach the first, up to rounding."""
    return float(np.mean(statistics >= statistics[0] - 1e-9 * np.abs(statistics).max()))


def _chi_squares(shift: np.ndarray, noise: np.ndarray) -> tuple[ChiSquare, ChiSquare]:
    """Return the tests that all shifts are 0, and that all are equal."""
    known = noise > 0
    shift, weights = shift[known], noise[known] ** -2.0
    common = (weights * shift).sum() / weights.sum() if known.any() else 0.0
    zero, equal = (weights * shift**2).sum(), (weights * (shift - common) ** 2).sum()
    return _chi_square(float(zero), int(known.sum())), _chi_square(float(equal), int(known.sum()) - 1)


def _chi_square(statistic: float, degrees: int) -> ChiSquare:
    from scipy.special import gammaincc  # importing SciPy changes warning filters

    if degrees < 1:
        return ChiSquare(math.nan, 0, math.nan)
    return ChiSquare(statistic, degrees, float(gammaincc(degrees / 2, statistic / 2)))


def _correlation(x: np.ndarray, y: np.ndarray) -> Correlation:
    known = np.isfinite(x)
    x, y = x[known], y[known]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(math.nan, math.nan, math.nan, math.nan)
    x, y, rng = x - x.mean(), y - y.mean(), np.random.default_rng(_SEED)
    if math.factorial(len(x)) <= _PERMUTATIONS:
        others = np.array(list(itertools.permutations(range(len(x)))))
    else:
        others = rng.permuted(np.tile(np.arange(len(x)), (_PERMUTATIONS + 1, 1)), axis=1)
        others[0] = np.arange(len(x))
    products = y[others] @ x
    r, slope = products[0] / math.sqrt((x @ x) * (y @ y)), products[0] / (x @ x)
    slope_error = math.sqrt(((y - slope * x) ** 2).sum() / (len(x) - 2) / (x @ x))
    return Correlation(float(r), _share_at_least(np.abs(products)), float(slope), slope_error)


def _own_composition(run: Run, k: int) -> Float[np.ndarray, " anchors"]:
    """Return the counts of the anchors; NaN unless letter frequencies confirm that the field is what its name says."""
    chosen = np.array([letter in run.field_names[k] for letter in run.letters])
    if not set(run.field_names[k]) <= set(run.letters):
        return np.full(len(run.names), np.nan)
    counted = run.frequencies[..., chosen].sum((-2, -1))
    same = np.abs(counted - run.field_mean[..., k]).max(1) < _ROUNDING * run.anchors.shape[1]
    return np.where(same, chosen[run.anchors].sum(1), np.nan)


def _need_background(run: Run) -> None:
    if (run.beta[:, 0] != 0).any():
        raise ValueError(
            f"run must have a rung at β = 0 if no ensemble is given, got a lowest β of {run.beta[:, 0].max():g}"
        )


@functools.partial(jax.jit, static_argnums=1)
def _exact_background(batch: Ensemble, k: int) -> tuple[Array, Array, Array]:
    """Return the mean and variance of N_k at β = 0 and the anchor's own N_k, each of shape [anchors]."""

    def of_anchor(one: Ensemble) -> tuple[Array, Array, Array]:
        return *moments_at_zero_beta(one, k, one.mu()), one.fields[k].count(one.anchor)

    return jax.vmap(of_anchor, in_axes=(batch.anchor_axes(),))(batch)
