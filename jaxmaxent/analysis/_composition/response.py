"""The response of a field's count to μ, beside that of the background.

If a network limits the count, the count changes less with μ than it would without the network (β = 0, the same fields).
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from jaxmaxent import checks
from jaxmaxent.analysis._composition.background import moments_at_zero_beta, sampled_ensemble
from jaxmaxent.analysis._run_parts import anchor_of, checked_run, field_of, refuse_growing, rung_of
from jaxmaxent.diagnostics import ess_mean
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.results import Run

# By default the curve extends this many inverse standard deviations of the count to both sides, with so many points.
_REACH, _POINTS = 2.0, 41


class CompositionResponse(NamedTuple):
    """The count of a field as a function of its μ, from one run by reweighting; NaN where too few draws count.

    Attributes:
        field: name of the field.
        length: positions of a sequence.
        run_mu: μ of the run.
        mu: shape [points].
        mean: ⟨N⟩ at each μ, a count, shape [points].
        mean_error: its standard error, from a jackknife over chains, shape [points].
        susceptibility: d⟨N⟩/dμ = Var N, shape [points].
        susceptibility_error: its standard error, shape [points].
        ess: effective sample size that remains at each μ, shape [points].
        background: ⟨N⟩ without the network, shape [points].
        background_susceptibility: Var N without it, shape [points].
    """

    field: str
    length: int
    run_mu: float
    mu: Float[np.ndarray, " points"]
    mean: Float[np.ndarray, " points"]
    mean_error: Float[np.ndarray, " points"]
    susceptibility: Float[np.ndarray, " points"]
    susceptibility_error: Float[np.ndarray, " points"]
    ess: Float[np.ndarray, " points"]
    background: Float[np.ndarray, " points"]
    background_susceptibility: Float[np.ndarray, " points"]


class Reweighted(NamedTuple):
    """Mean and variance of a count at other μ's, their errors and effective sample sizes; each of shape [points]."""

    mean: Float[np.ndarray, " points"]
    mean_error: Float[np.ndarray, " points"]
    variance: Float[np.ndarray, " points"]
    variance_error: Float[np.ndarray, " points"]
    ess: Float[np.ndarray, " points"]


def composition_response(
    run: Run,
    *,
    anchor: int = 0,
    rung: int | None = None,
    field: int | str = 0,
    mu: Float[np.ndarray, " points"] | None = None,
    ensemble: Ensemble | None = None,
    min_ess: float = 100.0,
) -> CompositionResponse:
    """Return ⟨N⟩ and d⟨N⟩/dμ of one anchor as functions of μ, from the traced counts of one run.

    Args:
        run: a run sampled with the field.
        anchor: index of the anchor.
        rung: index of the rung; None means the target.
        field: name of the field, such as "GC", or its index.
        mu: values of μ, shape [points]; None means two inverse standard deviations of the count around the run's μ.
        ensemble: the ensemble that was sampled, from which the background is exact. Without it the background is the
            run's own rung at β = 0, reweighted, and NaN if there is none.
        min_ess: smallest effective sample size; below it, everything but the background is NaN.

    Raises:
        ValueError: if the run has no such field, anchor or rung, a field grows along the ladder, the ensemble has other
            anchors or another μ, a μ is not finite, or the count never changed in the run.

    Example:
        >>> found = analysis.composition_response(run, field="GC")
    """
    checked_run(run, "field_names")
    k, anchor, rung = field_of(run, field), anchor_of(run, anchor), rung_of(run, rung)
    refuse_growing(run, "the background at β = 0 lacks it")
    run_mu = float(run.mu[anchor, k])
    counts = _traced(run, anchor, rung, k)
    if mu is None:
        if counts.std() == 0:
            raise ValueError(f"run must have a count of {run.field_names[k]} that changes, got {counts.flat[0]:g} only")
        mu = run_mu + np.linspace(-_REACH, _REACH, _POINTS) / counts.std()
    mu = checks.finite_array("mu", mu)
    found = reweighted(counts, mu - run_mu, min_ess=min_ess)
    if ensemble is not None:
        one = sampled_ensemble(run, ensemble).take(anchor)
        bare = tuple(np.asarray(values, float) for values in _exact_curve(one, k, jnp.asarray(mu, one.beta.dtype)))
    elif run.beta[anchor, 0] == 0:
        bare = reweighted(_traced(run, anchor, 0, k), mu - run_mu, min_ess=min_ess)[::2]
    else:
        bare = np.full(len(mu), np.nan), np.full(len(mu), np.nan)
    return CompositionResponse(run.field_names[k], run.anchors.shape[1], run_mu, mu, *found, bare[0], bare[1])


def reweighted(
    counts: Real[np.ndarray, "chains draws"], change: Float[np.ndarray, " points"], *, min_ess: float = 100.0
) -> Reweighted:
    """Return mean and variance of a count at a μ that is larger by `change`, from draws at one μ.

    Draws get the weights exp(Δμ N). Their effective sample size is Kish's for the weights, (Σw)² / Σw², times the share
    of the draws that were independent. Errors are from leaving out each chain in turn.

    Args:
        counts: N of single draws, shape [chains, draws].
        change: Δμ, shape [points].
        min_ess: smallest effective sample size; below it, everything but the effective sample size is NaN.

    Raises:
        ValueError: if the shapes are others, or a value is not finite.
    """
    counts, change = checks.finite_array("counts", counts), checks.finite_array("change", change)
    min_ess = checks.number("min_ess", min_ess, above=0)
    if counts.ndim != 2 or not counts.size or change.ndim != 1:
        raise ValueError(
            f"counts must have shape [chains, draws] and change [points], got {list(counts.shape)} and "
            f"{list(change.shape)}"
        )
    center = counts.mean()  # powers of N − its mean lose no digits
    sums = np.stack([_weighted_sums(counts - center, delta) for delta in change], axis=-1)  # [powers, chains, points]
    total = sums.sum(1)
    mean, variance = _mean_and_variance(total)
    ess = total[0] ** 2 / total[3] / counts.size * float(ess_mean(counts))
    without = [_jackknife_error(values) for values in _mean_and_variance(total[:, None] - sums)]
    found = (np.where(ess >= min_ess, values, np.nan) for values in (mean + center, without[0], variance, without[1]))
    return Reweighted(*found, ess=ess)


def _weighted_sums(counts: np.ndarray, delta: float) -> np.ndarray:
    """Return Σw, ΣwN, ΣwN² and Σw² of each chain."""
    weights = np.exp(delta * counts - (delta * counts).max())
    terms = (weights, weights * counts, weights * counts**2, weights**2)
    return np.stack([term.sum(-1) for term in terms])


def _mean_and_variance(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums[1] / sums[0]
        return mean, np.maximum(sums[2] / sums[0] - mean**2, 0)


def _jackknife_error(without: Float[np.ndarray, "chains points"]) -> Float[np.ndarray, " points"]:
    """Return the standard error from the values that leave out one chain each; NaN for a single chain."""
    chains = len(without)
    return np.sqrt((chains - 1) * without.var(0)) if chains > 1 else np.full(without.shape[1:], np.nan)


def _traced(run: Run, anchor: int, rung: int, k: int) -> Float[np.ndarray, "chains draws"]:
    counts = run.counts[anchor, rung, :, :, k]
    return counts[:, ~np.isnan(counts).all(0)].astype(float)  # the shorter of two joined runs ends in NaN


@functools.partial(jax.jit, static_argnums=1)
def _exact_curve(ensemble: Ensemble, k: int, mu: Float[Array, " points"]) -> tuple[Array, Array]:
    """Return the mean and variance of N_k at β = 0 at each μ_k, each of shape [points]."""
    mus = jnp.tile(ensemble.mu()[None], (len(mu), 1)).at[:, k].set(mu)
    return jax.vmap(lambda m: moments_at_zero_beta(ensemble, k, m))(mus)
