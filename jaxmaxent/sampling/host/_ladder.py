"""The β's of a ladder: the first ones, those that a user gives, and how the burn-in moves them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks

# The first ladder has β_k = β (k / (rungs − 1))^2: narrow at small β, where energies vary most.
FIRST_EXPONENT = 2
# A pair that is never refused would have no width in an even ladder, so it counts as refused this often.
_LEAST_REJECTION = 0.01


def first_ladder(beta: Float[np.ndarray, " anchors"], rungs: int) -> Float[np.ndarray, "anchors rungs"]:
    """Return the β's, from 0 to the β of each anchor, that the burn-in begins with."""
    return np.asarray(beta, float)[:, None] * np.linspace(0, 1, rungs) ** FIRST_EXPONENT


def first_shares(rungs: int, anchors: int) -> Float[np.ndarray, "anchors reference_rungs"]:
    """Return the shares of the reference at the rungs beyond the target that the burn-in begins with."""
    return np.broadcast_to(np.arange(1, rungs + 1) / max(rungs, 1), (anchors, rungs))


def evened(betas: Float[np.ndarray, " rungs"], rejection: Float[np.ndarray, " pairs"]) -> Float[np.ndarray, " rungs"]:
    """Return the ladder between the same ends in which every pair would be refused equally often.

    The sum of rejection rates up to β hardly depends on the rungs it is measured with, so rungs at equal steps of that
    sum are refused alike (Syed et al., J. R. Stat. Soc. B 84, 2022, section 5).

    Args:
        betas: the ladder used, increasing (all 0 for an ensemble at β = 0).
        rejection: mean probability that a swap of rungs k and k + 1 was refused.
    """
    from scipy.interpolate import PchipInterpolator  # slow to import, and it changes warning filters

    if betas[-1] == 0:
        return betas
    barrier = np.concatenate([[0], np.cumsum(np.maximum(rejection, _LEAST_REJECTION))])
    wanted = np.linspace(0, barrier[-1], len(betas))
    inverse = PchipInterpolator(barrier, betas)
    return np.concatenate([betas[:1], np.asarray(inverse(wanted[1:-1])), betas[-1:]])


def checked_ladder(ladder: object, beta: Float[np.ndarray, " anchors"]) -> Float[np.ndarray, "ladders rungs"]:
    """Return β's given by a user, one ladder for all anchors or one per anchor.

    Raises:
        ValueError: unless each ladder begins with 0, increases, and ends with the β of its anchor.
    """
    betas = checks.finite_array("ladder", ladder, at_least=0)
    if betas.ndim not in (1, 2) or betas.shape[-1] < 2 or (betas.ndim == 2 and len(betas) != len(beta)):
        raise ValueError(
            f"ladder must hold at least 2 β's, [rungs] or [{len(beta)} anchors, rungs], got shape {list(betas.shape)}"
        )
    betas = np.atleast_2d(betas)
    if (betas[:, 0] != 0).any() or (np.diff(betas) <= 0).any():
        raise ValueError(f"ladder must begin with 0 and increase, got {np.asarray(ladder).tolist()}")
    ends = np.broadcast_to(betas[:, -1], beta.shape)
    if not np.allclose(ends, beta, rtol=1e-6):
        raise ValueError(f"ladder must end with the β of the ensemble, {beta.tolist()}, got {ends.tolist()}")
    return betas
