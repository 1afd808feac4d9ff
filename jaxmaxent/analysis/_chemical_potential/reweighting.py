"""Mean counts ⟨N⟩ at any μ, from rounds of sampling at a few μ's, and the μ at which the means are those wanted.

The wanted μ minimizes log Z(μ) − μ · target, a convex function with the gradient ⟨N⟩ − target and the Hessian Cov N.
Draws at μ_j give means at a neighboring μ with the weights exp((μ − μ_j) · N). So one round gives the means all around
it, and the means at two μ's share their random numbers. The weights also say how far a round reaches: the share
1 / (S Σ w²) of its S draws still counts (Kish 1965). Where that share is small, nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent import diagnostics
from jaxmaxent.diagnostics._newton import damped_newton

# Draws are trusted at another μ if at least this share of them still counts there, which is so if log-weights have a
# standard deviation of up to 0.8. Further away, the few draws that would count most may not have been seen at all.
TRUSTED = 0.5
_NEWTON_STEPS, _HALVINGS = 50, 12
# Newton's method ends when the gap is this small in units of the standard deviation of N.
_CLOSED = 1e-6
# With a smaller ratio of eigenvalues of the covariance, fields did not vary, or not independently of each other.
_SINGULAR = 1e-9


class Round(NamedTuple):
    """The draws of one anchor at one μ: the counts of the fields that are solved for, in the order drawn."""

    mu: Float[np.ndarray, " fields"]
    counts: Float[np.ndarray, "draws chains fields"]


class Means(NamedTuple):
    """The mean counts at one μ, estimated from rounds.

    Attributes:
        counts: ⟨N⟩, shape [fields].
        slope: d⟨N⟩/dμ = Cov N, shape [fields, fields].
        share: share of the draws that still counts there, for the round nearest to it.
        influence: amount by which each draw moves ⟨N⟩, 0 on average, shape [draws, chains, fields].
    """

    counts: Float[np.ndarray, " fields"]
    slope: Float[np.ndarray, "fields fields"]
    share: float
    influence: Float[np.ndarray, "draws chains fields"]

    def error(self) -> diagnostics.BatchError:
        """Return the standard error of ⟨N⟩ from batch means and the spread between chains."""
        return diagnostics.batch_means_mcse(self.influence)

    def determined(self) -> bool:
        """Check if the fields vary, independently of each other, so that a change of μ has an effect."""
        values = np.linalg.eigvalsh(self.slope)
        return bool(values[0] > _SINGULAR * max(values[-1], 1e-300))


class Root(NamedTuple):
    """The μ at which rounds give the wanted means.

    Attributes:
        mu: shape [fields].
        means: the means there.
        covariance: of μ, shape [fields, fields]; NaN where the error is not known.
    """

    mu: Float[np.ndarray, " fields"]
    means: Means
    covariance: Float[np.ndarray, "fields fields"]

    def errors(self) -> Float[np.ndarray, " fields"]:
        """Return the standard errors of μ."""
        return np.sqrt(np.diag(self.covariance))


def means_at(rounds: Sequence[Sequence[Round]], mu: Float[np.ndarray, " fields"]) -> Means:
    """Return ⟨N⟩ at μ, averaged over anchors, from the rounds of each anchor; all have equally many."""
    anchors = [_of_one_anchor(its_rounds, mu) for its_rounds in rounds]
    return Means(
        np.mean([a.counts for a in anchors], axis=0),
        np.mean([a.slope for a in anchors], axis=0),
        min(a.share for a in anchors),
        np.mean([a.influence for a in anchors], axis=0),
    )


def _of_one_anchor(rounds: Sequence[Round], mu: np.ndarray) -> Means:
    """Return the means of all rounds of one anchor, each weighted by the number of its draws that count at μ."""
    alone = [_of_one_round(one, mu) for one in rounds]
    ways = np.stack([mu - one.mu for one in rounds])
    nearest = int(np.square(ways).sum(1).argmin())
    # Draws that hardly vary all count alike, even where the letters they lack are common. So the spread of the weights
    # must also be small by the variance at μ, which the round nearest to it gives.
    spread = np.einsum("lk,km,lm->l", ways, alone[nearest].slope, ways)
    shares = np.array([means.share for means in alone])
    used = (shares >= TRUSTED) & (np.exp(-spread) >= TRUSTED)
    used[nearest] = True
    sizes = np.array([len(one.counts) for one in rounds], float)
    part = np.where(used, sizes * shares, 0)
    part /= part.sum()
    counts = np.tensordot(part, [means.counts for means in alone], 1)
    slope = np.tensordot(part, [means.slope for means in alone], 1)
    # Scaled so that the mean over all draws is that of the parts.
    scale = part * sizes.sum() / sizes
    influence = np.concatenate([s * means.influence for s, means in zip(scale, alone, strict=True)])
    return Means(counts, slope, float(shares[nearest]), influence)


def _of_one_round(one: Round, mu: np.ndarray) -> Means:
    log_weights = one.counts @ (mu - one.mu)
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.mean()
    counts = (weights[..., None] * one.counts).mean((0, 1))
    centered = one.counts - counts
    influence = weights[..., None] * centered
    slope = np.tensordot(influence, centered, ((0, 1), (0, 1))) / weights.size
    return Means(counts, slope, float(1 / np.mean(weights**2)), influence)


def root(
    rounds: Sequence[Sequence[Round]], target: Float[np.ndarray, " fields"], start: Float[np.ndarray, " fields"]
) -> Root | None:
    """Return the μ at which the rounds give the wanted mean counts, or None if they do not reach it.

    Args:
        rounds: the rounds of each anchor.
        target: wanted ⟨N⟩, averaged over anchors.
        start: a μ of one of the rounds, where the search begins.
    """

    def newton(mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here = means_at(rounds, mu[0])
        step, gap = _newton_step(here, target)
        return step[None], np.array([np.linalg.norm(gap) if here.share >= TRUSTED else np.inf])

    mu = damped_newton(newton, start[None], steps=_NEWTON_STEPS, halvings=_HALVINGS)[0]
    here = means_at(rounds, mu)
    closed = not _newton_step(here, target)[0].any()
    return Root(mu, here, _covariance(here)) if here.determined() and closed else None


def _newton_step(means: Means, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Newton's step and the gap; the step is 0 where the gap is closed or the slope is singular."""
    gap = target - means.counts
    step = np.linalg.solve(means.slope, gap) if means.determined() else np.zeros_like(gap)
    return np.where(gap @ step < _CLOSED**2, 0, step), gap


def _covariance(means: Means) -> Float[np.ndarray, "fields fields"]:
    """Return the covariance of μ, which moves by slope⁻¹ times the change of ⟨N⟩.

    Standard errors are those of batch means. Correlations are those of the means of a few long batches.
    """
    influence = means.influence @ np.linalg.inv(means.slope)
    error = diagnostics.batch_means_mcse(influence).error
    batches = np.array_split(influence, min(len(influence), diagnostics.GROUPS))
    averages = np.concatenate([batch.mean(0) for batch in batches])
    products = averages.T @ averages
    spread = np.sqrt(np.diag(products))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = products / np.outer(spread, spread)
    np.fill_diagonal(correlation, 1)
    return correlation * np.outer(error, error)
