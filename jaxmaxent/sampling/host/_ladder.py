"""The β's of a ladder: the first ones, those that a user gives, and how the burn-in moves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks

# The first ladder has β_k = β (k / (rungs − 1))^2: narrow at small β, where energies vary most.
FIRST_EXPONENT = 2
# A pair that is never refused would have no width in an even ladder, so it counts as refused this often.
_LEAST_REJECTION = 0.01


def first_ladder(
    beta: Float[np.ndarray, " anchors"], rungs: int, rungs_at: Sequence[float] = ()
) -> Float[np.ndarray, "anchors rungs"]:
    """Return the β's, from 0 to the β of each anchor, that the burn-in begins with.

    Args:
        beta: β of each anchor.
        rungs: number of β's.
        rungs_at: β's that are among them, increasing, between 0 and the smallest β of the anchors.
    """
    beta, at = np.asarray(beta, float), np.asarray(rungs_at, float)
    if not at.size:
        return beta[:, None] * np.linspace(0, 1, rungs) ** FIRST_EXPONENT
    first = []
    for end in beta:
        roots, kept = _spread(np.concatenate([[0], (at / end) ** (1 / FIRST_EXPONENT), [1]]), rungs)
        betas = end * roots**FIRST_EXPONENT
        betas[kept] = at  # without rounding
        first.append(betas)
    return np.stack(first)


def first_shares(rungs: int, anchors: int) -> Float[np.ndarray, "anchors reference_rungs"]:
    """Return the shares of the reference at the rungs beyond the target that the burn-in begins with."""
    return np.broadcast_to(np.arange(1, rungs + 1) / max(rungs, 1), (anchors, rungs))


def evened(
    betas: Float[np.ndarray, " rungs"], rejection: Float[np.ndarray, " pairs"], rungs_at: Sequence[float] = ()
) -> Float[np.ndarray, " rungs"]:
    """Return the ladder between the same ends in which every pair would be refused equally often.

    The sum of rejection rates up to β hardly depends on the rungs it is measured with, so rungs at equal steps of that
    sum are refused alike (Syed et al., J. R. Stat. Soc. B 84, 2022, section 5).

    Args:
        betas: the ladder used, increasing (all 0 for an ensemble at β = 0).
        rejection: mean probability that a swap of rungs k and k + 1 was refused.
        rungs_at: β's of the ladder that stay, increasing. Pairs between two of them are refused equally often, and the
            pair of all that is refused most often is refused as seldom as it can be.
    """
    from scipy.interpolate import PchipInterpolator  # slow to import, and it changes warning filters

    if betas[-1] == 0:
        return betas
    barrier = np.concatenate([[0], np.cumsum(np.maximum(rejection, _LEAST_REJECTION))])
    inner = np.searchsorted(betas, rungs_at)
    wanted, kept = _spread(barrier[[0, *inner, len(betas) - 1]], len(betas))
    inverse = PchipInterpolator(barrier, betas)
    found = np.concatenate([betas[:1], np.asarray(inverse(wanted[1:-1])), betas[-1:]])
    found[kept] = rungs_at  # without rounding
    return found


def _spread(fixed: Float[np.ndarray, " fixed"], count: int) -> tuple[Float[np.ndarray, " count"], np.ndarray]:
    """Return so many increasing numbers, as even as they can be with some that are fixed.

    Args:
        fixed: numbers that are among them, increasing, the first and the last number included.
        count: how many numbers there are.

    Returns:
        the numbers, in equal steps between two fixed ones and with the smallest possible largest step; and the indices
        of the fixed ones that are neither first nor last.
    """
    widths = np.diff(fixed)
    steps = np.ones(len(widths), int)
    for _ in range(count - 1 - len(widths)):
        steps[np.argmax(widths / steps)] += 1
    parts = [np.linspace(low, high, n, endpoint=False) for low, high, n in zip(fixed, fixed[1:], steps, strict=False)]
    return np.concatenate([*parts, fixed[-1:]]), np.cumsum(steps)[:-1]


def checked_rungs_at(given: Any, beta: Float[np.ndarray, " anchors"], rungs: int, *, placed: bool) -> tuple[float, ...]:
    """Return β's at which a user wants rungs.

    Args:
        given: what the user gave.
        beta: β of each anchor, in the precision that it is sampled with.
        rungs: number of rungs of the ladder.
        placed: whether the burn-in places them.

    Raises:
        ValueError: unless they increase and lie between 0 and the β of every anchor, and the ladder is placed and has
            so many rungs besides its ends.
    """
    betas = checks.finite_array("rungs_at", given)
    if betas.ndim != 1:
        raise ValueError(f"rungs_at must be a list of β's, such as (40.0,), got {checks.shown(given)}")
    if not betas.size:
        return ()
    if not placed:
        raise ValueError(
            "rungs_at must be empty if the ladder is given or None, or is that of the run that goes on, got "
            f"{checks.shown(given)}"
        )
    if len(betas) > rungs - 2:
        raise ValueError(f"rungs_at must hold at most {rungs - 2} β's for a ladder of {rungs} rungs, got {len(betas)}")
    with np.errstate(over="ignore", invalid="ignore"):
        # Two β's that are equal in the precision of the sampler would be one rung.
        ladder = np.concatenate([[0], betas, [beta.min()]]).astype(beta.dtype)
        increases = (np.diff(ladder) > 0).all()
    if not increases:
        raise ValueError(
            f"rungs_at must increase and lie between 0 and the smallest β of the ensemble, {beta.min():g}, got "
            f"{checks.shown(betas.tolist())}"
        )
    return tuple(betas.tolist())


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
