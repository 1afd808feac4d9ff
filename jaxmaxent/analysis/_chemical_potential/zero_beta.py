"""The exact μ for wanted mean counts at β = 0: logit(GC) if all letters are free.

Newton's method minimizes the convex function log Z(μ) − μ · target, damped so that the gap always shrinks. A target
that no distribution of sequences has on average sends μ to infinity, and is recognized by that.
"""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent.diagnostics._newton import damped_newton
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background

_NEWTON_STEPS, _HALVINGS, _LONGEST = 200, 20, 2.0
# With a factor of e^20 for every letter, the mean is practically at the end of its range.
_FURTHEST = 20.0
# Gaps per site below the first are closed; gaps below the second may remain from sums in float32.
_CLOSED, _ROUNDING = 1e-7, 2e-6


def solve_at_zero_beta(
    ensemble: Ensemble, indices: list[int], target: Float[np.ndarray, " fields"], groups: list[list[int]]
) -> Float[np.ndarray, "groups fields"]:
    """Return the μ's of every group of anchors that give the target at β = 0, NaN if there are none.

    Args:
        ensemble: batched.
        indices: indices of the fields to solve for.
        target: wanted means per site, averaged over the anchors of a group.
        groups: anchors that share μ's; every anchor is in one group.
    """
    others = np.stack([np.asarray(field.mu, np.float64) for field in ensemble.fields], axis=-1)

    def at(mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gaps to the target and slopes of the means, per site."""
        rows = others.copy()
        for anchors, of_group in zip(groups, mu, strict=True):
            rows[np.ix_(anchors, indices)] = of_group
        means, slopes = (np.asarray(x, np.float64) / ensemble.length for x in _moments(ensemble, rows))
        pairs = slopes[:, indices][:, :, indices]
        gaps = [target - means[anchors][:, indices].mean(0) for anchors in groups]
        return np.stack(gaps), np.stack([pairs[anchors].mean(0) for anchors in groups])

    def newton(mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gap, slope = at(mu)
        return _newton_step(slope, gap), np.linalg.norm(gap, axis=1)

    start = np.zeros((len(groups), len(indices)))
    mu = damped_newton(newton, start, steps=_NEWTON_STEPS, halvings=_HALVINGS)
    gap, _ = at(mu)
    good = (np.abs(gap).max(1) < _ROUNDING) & (np.abs(mu).max(1) < _FURTHEST)
    return np.where(good[:, None], mu, np.nan)


def _newton_step(
    slope: Float[np.ndarray, "groups fields fields"], gap: Float[np.ndarray, "groups fields"]
) -> np.ndarray:
    """Return Newton's step of every group, no longer than allowed; 0 where the gap is closed."""
    # The pseudo-inverse leaves out directions in which nothing varies.
    step = (np.linalg.pinv(slope, rcond=1e-6, hermitian=True) @ gap[..., None])[..., 0]
    step *= np.minimum(1, _LONGEST / np.maximum(np.abs(step).max(1, keepdims=True), 1e-30))
    return np.where((np.abs(gap).max(1) > _CLOSED)[:, None], step, 0.0)


@jax.jit
def _moments(ensemble: Ensemble, mus: Float[Array, "anchors fields"]) -> tuple[Array, Array]:
    """Return the mean counts at β = 0 of every anchor, and their covariance."""

    def one(single: Ensemble, mu: Array) -> tuple[Array, Array]:
        means = jax.jacfwd(lambda m: background.mean_counts(single, m))
        return background.mean_counts(single, mu), means(mu)

    return jax.vmap(one, in_axes=(ensemble.anchor_axes(), 0))(ensemble, mus.astype(ensemble.beta.dtype))
