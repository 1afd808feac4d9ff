"""Replica exchange: a ladder of β's, its exchanges, and how it is adapted.

Neighbouring rungs exchange their sequences with the Metropolis probability min(1, exp((β' − β)(E' − E))), the pairs
(0, 1), (2, 3) … and (1, 2), (3, 4) … in turn, which carries sequences along the ladder instead of letting them
diffuse (Okabe et al., Chem. Phys. Lett. 335, 2001; Syed, Bouchard-Côté, Deligiannidis & Doucet, J. R. Stat. Soc. B
84, 2022). The rung at β = 0 is never walked on: it is a fresh exact draw at every second exchange, so a sequence that
comes down to it is forgotten and a new one starts from there.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent import checks

# A pair that never refuses would have no width in an even ladder; this much it is given.
_LEAST_REJECTION = 0.01


def exchange(
    numbers: Float[Array, " pairs"],
    even: Bool[Array, ""],
    betas: Float[Array, " rungs"],
    energies: Float[Array, " rungs"],
) -> tuple[Int[Array, " rungs"], Float[Array, " pairs"]]:
    """Exchange neighbours in one ladder.

    Args:
        numbers: uniform in [0, 1), one for every pair.
        even: whether the pairs that begin with an even rung are tried, or those that begin with an odd one.
        betas: β of every rung, increasing.
        energies: E of the sequence at every rung.

    Returns:
        from which rung each rung now has its sequence, and the acceptance probability of every pair, tried or not.
    """
    log_ratio = (betas[1:] - betas[:-1]) * (energies[1:] - energies[:-1])
    pairs = jnp.arange(log_ratio.shape[0])
    tried = (pairs % 2 == 0) == even
    accepted = tried & (jnp.log1p(-numbers) < log_ratio)
    nobody = jnp.zeros(1, bool)
    with_above, with_below = jnp.concatenate([accepted, nobody]), jnp.concatenate([nobody, accepted])
    rungs = jnp.arange(energies.shape[0])
    return rungs + with_above - with_below, jnp.exp(jnp.minimum(log_ratio, 0))


def first_guess(beta: Float[np.ndarray, " anchors"], rungs: int) -> Float[np.ndarray, "anchors rungs"]:
    """A ladder from 0 to β to begin with: narrow at small β, where energies vary most."""
    return np.asarray(beta, float)[:, None] * np.linspace(0, 1, rungs) ** 2


def evened(betas: Float[np.ndarray, " rungs"], rejection: Float[np.ndarray, " pairs"]) -> Float[np.ndarray, " rungs"]:
    """The ladder between the same ends in which every pair would be refused equally often.

    The sum of rejection rates up to β hardly depends on the rungs it is measured with, so rungs at equal steps of that
    sum are refused alike (Syed et al. 2022, section 5).

    Args:
        betas: the ladder used, increasing (all 0 for an ensemble at β = 0).
        rejection: mean probability that an exchange of rungs k and k + 1 was refused.
    """
    from scipy.interpolate import PchipInterpolator  # slow to import, and it changes warning filters

    if betas[-1] == 0:
        return betas
    barrier = np.concatenate([[0], np.cumsum(np.maximum(rejection, _LEAST_REJECTION))])
    wanted = np.linspace(0, barrier[-1], len(betas))
    inverse = PchipInterpolator(barrier, betas)
    return np.concatenate([betas[:1], np.asarray(inverse(wanted[1:-1])), betas[-1:]])


def checked(ladder: object, beta: Float[np.ndarray, " anchors"]) -> Float[np.ndarray, "anchors rungs"]:
    """β's given by a user, one ladder for all anchors or one each, as an array."""
    betas = checks.finite_array("ladder", ladder, at_least=0)
    if betas.ndim not in (1, 2) or betas.shape[-1] < 2 or (betas.ndim == 2 and len(betas) != len(beta)):
        raise ValueError(
            f"ladder must hold at least 2 β's, [rungs] or [{len(beta)} anchors, rungs], got shape {list(betas.shape)}"
        )
    betas = np.broadcast_to(betas, (len(beta), betas.shape[-1]))
    if (betas[:, 0] != 0).any() or (np.diff(betas) <= 0).any():
        raise ValueError(f"ladder must begin with 0 and increase, got {np.asarray(ladder).tolist()}")
    if not np.allclose(betas[:, -1], beta, rtol=1e-6):
        raise ValueError(f"ladder must end with the β of the ensemble, {beta.tolist()}, got {betas[:, -1].tolist()}")
    return betas
