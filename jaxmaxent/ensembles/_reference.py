"""The reference: a product of letter frequencies, learned where chains started at the anchor stay.

It is the far end of the second leg of a ladder. Its log Z is 0, and it is drawn exactly. Rungs between the target and
the reference q have the log-weight

    (1 − a) (−β E(x) + Σ_k μ_k N_k(x)) + a log q(x),    0 ≤ a ≤ 1,

so log q(x) is one more field, with μ = a (the stabilized variational tempering of Surjanovic, Syed, Bouchard-Côté &
Campbell, NeurIPS 2022, with a product of letters).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent.ensembles import _background as background
from jaxmaxent.ensembles._ensemble import Ensemble
from jaxmaxent.ensembles._fields import Field

NAME = "log q"
# The share of the background in a reference, so that it covers every sequence of the ensemble.
_BACKGROUND = 0.2


def with_reference(ensemble: Ensemble, log_q: Float[Array, "length letters"]) -> Ensemble:
    """Return the ensemble of one anchor with log q as its last field, at μ = 0; impossible letters count 0."""
    table = jnp.where(jnp.isfinite(log_q), log_q, 0)
    field = Field(mu=jnp.zeros((), ensemble.beta.dtype), unary=table, name=NAME)
    return ensemble.replace(fields=(*ensemble.fields, field))  # pyright: ignore[reportAttributeAccessIssue]


def learned_reference(
    counts: Float[np.ndarray, "anchors length letters"], marginals: Float[np.ndarray, "anchors length letters"]
) -> Float[np.ndarray, "anchors length letters"]:
    """Return log q from counts of letters, −∞ for letters that the ensemble does not have at a position.

    Args:
        counts: letters seen in the state to be covered; all 0 where nothing was seen, which leaves the background.
        marginals: letter frequencies at β = 0; 0 for impossible letters.
    """
    counts = np.where(marginals > 0, counts, 0)
    total = counts.sum(-1, keepdims=True)
    seen = np.where(total > 0, counts / np.maximum(total, 1), marginals)
    q = (1 - _BACKGROUND) * seen + _BACKGROUND * marginals
    with np.errstate(divide="ignore"):
        return np.log(q / q.sum(-1, keepdims=True))


def marginals(ensemble: Ensemble) -> Float[np.ndarray, "anchors length letters"]:
    """Return the exact letter frequencies at β = 0 of every anchor of a batched ensemble."""
    return np.asarray(_marginals(ensemble), np.float64)


@jax.jit
def _marginals(ensemble: Ensemble) -> Float[Array, "anchors length letters"]:
    return jax.vmap(background.marginals, in_axes=(ensemble.anchor_axes(),))(ensemble)
