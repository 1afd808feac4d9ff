"""Mean counts ⟨N⟩ at any μ from looks at a few, and the μ at which they are what is wanted.

The wanted μ is where log Z(μ) − μ · target is least, a convex function: its gradient is ⟨N⟩ − target, its Hessian
Cov N. Draws at μ_j speak for a neighbouring μ with the weights exp((μ − μ_j) · N), so one look gives the means all
around it, and the means at two μ's share their random numbers. How far they reach is known from the weights: the share
1 / (S Σ w²) of the S draws that still counts (Kish 1965), where it is small nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent import diagnostics

# Draws are believed at another μ where at least this share of them still counts: where log-weights have a standard
# deviation of up to 0.8. Beyond, the few draws that would count most may not have been seen at all.
TRUSTED = 0.5
_NEWTON_STEPS, _HALVINGS = 50, 12
# Newton's method ends where the gap is this small beside the standard deviation of N.
_CLOSED = 1e-6
# A covariance with a smaller ratio of eigenvalues has fields that did not vary, or not independently of each other.
_SINGULAR = 1e-9


class Look(NamedTuple):
    """Draws at one μ: the counts of the fields solved for, in the order drawn."""

    mu: Float[np.ndarray, " fields"]
    counts: Float[np.ndarray, "states chains fields"]


class Means(NamedTuple):
    """What looks say of one μ.

    Attributes:
        counts: ⟨N⟩, shape [fields].
        slope: d⟨N⟩/dμ = Cov N, shape [fields, fields].
        share: the share of the draws that counts there, of the look nearest to it.
        influence: how far each draw moves ⟨N⟩, 0 on average, shape [states, chains, fields].
    """

    counts: Float[np.ndarray, " fields"]
    slope: Float[np.ndarray, "fields fields"]
    share: float
    influence: Float[np.ndarray, "states chains fields"]

    def error(self) -> diagnostics.BatchError:
        """Standard error of ⟨N⟩ from batch means and the spread between chains."""
        return diagnostics.batch_means_mcse(self.influence)

    def determined(self) -> bool:
        """Whether the fields vary, and independently of each other, so that μ makes a difference."""
        values = np.linalg.eigvalsh(self.slope)
        return bool(values[0] > _SINGULAR * max(values[-1], 1e-300))


class Root(NamedTuple):
    """The μ that looks give for wanted means; its covariance is NaN where the error is not known.

    Attributes:
        mu: shape [fields].
        means: what the looks say there.
        covariance: of μ, shape [fields, fields].
    """

    mu: Float[np.ndarray, " fields"]
    means: Means
    covariance: Float[np.ndarray, "fields fields"]

    def errors(self) -> Float[np.ndarray, " fields"]:
        """Standard errors of μ."""
        return np.sqrt(np.diag(self.covariance))


def means_at(looks: Sequence[Sequence[Look]], mu: Float[np.ndarray, " fields"]) -> Means:
    """⟨N⟩ at μ, averaged over anchors, from the looks at each of them; all have equally many."""
    anchors = [_of_one_anchor(its_looks, mu) for its_looks in looks]
    return Means(
        np.mean([a.counts for a in anchors], axis=0),
        np.mean([a.slope for a in anchors], axis=0),
        min(a.share for a in anchors),
        np.mean([a.influence for a in anchors], axis=0),
    )


def _of_one_anchor(looks: Sequence[Look], mu: np.ndarray) -> Means:
    """The looks at one anchor together, each as heavy as it has draws that count at μ."""
    alone = [_of_one_look(look, mu) for look in looks]
    ways = np.stack([mu - look.mu for look in looks])
    nearest = int(np.square(ways).sum(1).argmin())
    # Draws that hardly vary all count alike, wherever the letters they lack are common: so weights must not spread more
    # at μ either, by the look that is nearest to it.
    spread = np.einsum("lk,km,lm->l", ways, alone[nearest].slope, ways)
    shares = np.array([means.share for means in alone])
    used = (shares >= TRUSTED) & (np.exp(-spread) >= TRUSTED)
    used[nearest] = True
    sizes = np.array([len(look.counts) for look in looks], float)
    part = np.where(used, sizes * shares, 0)
    part /= part.sum()
    counts = np.tensordot(part, [means.counts for means in alone], 1)
    slope = np.tensordot(part, [means.slope for means in alone], 1)
    # Scaled so that the mean over all states is that of the parts.
    scale = part * sizes.sum() / sizes
    influence = np.concatenate([s * means.influence for s, means in zip(scale, alone, strict=True)])
    return Means(counts, slope, float(shares[nearest]), influence)


def _of_one_look(look: Look, mu: np.ndarray) -> Means:
    log_weights = look.counts @ (mu - look.mu)
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.mean()
    counts = (weights[..., None] * look.counts).mean((0, 1))
    centred = look.counts - counts
    influence = weights[..., None] * centred
    slope = np.tensordot(influence, centred, ((0, 1), (0, 1))) / weights.size
    return Means(counts, slope, float(1 / np.mean(weights**2)), influence)


def root(
    looks: Sequence[Sequence[Look]], target: Float[np.ndarray, " fields"], start: Float[np.ndarray, " fields"]
) -> Root | None:
    """The μ at which the looks give the wanted mean counts, by damped Newton steps; None where they do not reach it.

    Args:
        looks: the looks at each anchor.
        target: wanted ⟨N⟩, averaged over anchors.
        start: where to begin, a μ at which draws were made.
    """
    mu, here = start, means_at(looks, start)
    for _ in range(_NEWTON_STEPS):
        if not here.determined():
            return None
        gap = target - here.counts
        step = np.linalg.solve(here.slope, gap)
        if gap @ step < _CLOSED**2:
            return Root(mu, here, _covariance(here))
        for _ in range(_HALVINGS):
            there = means_at(looks, mu + step)
            if there.share >= TRUSTED and np.linalg.norm(target - there.counts) < np.linalg.norm(gap):
                break
            step = step / 2
        else:
            return None
        mu, here = mu + step, there
    return None


def _covariance(means: Means) -> Float[np.ndarray, "fields fields"]:
    """Covariance of μ, which moves by slope⁻¹ times how far ⟨N⟩ moves.

    The standard errors are those of batch means; correlations are those of the means of a few long batches.
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
