"""Exact means of a run's fields at β = 0, from the ensemble that the run sampled."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background
from jaxmaxent.results import Run


def sampled_ensemble(run: Run, ensemble: Ensemble) -> Ensemble:
    """Return the batched ensemble if it is the one that the run sampled.

    Raises:
        ValueError: if its anchors, fields or μ differ from those of the run.
    """
    checks.like("ensemble", ensemble, "batched", "an Ensemble")
    batch = ensemble.batched()
    names = tuple(field.name for field in batch.fields)
    if names != run.field_names or not np.array_equal(batch.anchor, run.anchors):
        raise ValueError(
            f"ensemble must have the run's {len(run.names)} anchors and fields {list(run.field_names)}, got "
            f"{batch.anchors} anchors and fields {list(names)}"
        )
    mu = np.stack([np.broadcast_to(np.asarray(field.mu, float), batch.anchors) for field in batch.fields], -1)
    if not np.allclose(mu, run.mu, rtol=1e-5, atol=1e-6):
        raise ValueError(f"ensemble must have the run's μ, {run.mu.tolist()}, got {mu.tolist()}")
    return batch


def moments_at_zero_beta(ensemble: Ensemble, k: int, mu: Float[Array, " fields"]) -> tuple[Array, Array]:
    """Return the mean and the variance of N_k at β = 0, the first two derivatives of log Z."""
    along = jax.nn.one_hot(k, len(ensemble.fields), dtype=mu.dtype)
    mean, slope = jax.jvp(lambda m: background.mean_counts(ensemble, m), (mu,), (along,))
    return mean[k], slope[k]
