"""Two legs: log Z of the target from the background and from a learned reference, and whether the two agree.

Both ends of the ladder are drawn exactly and their log Z is known, so log Z of the target is found twice. If a state of
the target is known to one end only, the two disagree: the sequences that stand at the target weigh both states, and
each leg compares them with its own end. Agreement between chains shows nothing of that kind, because all of them may
miss the same state.

Rungs beyond the target have the log-density log q − b U with U = log q + β E − Σ μ N and b from 0 at the reference to 1
at the target. That is a ladder of its own, so MBAR serves for it too. All rungs of both legs together have densities
that differ by two coordinates, E and log q − Σ μ N. The reported log Z are those of all draws with both ends fixed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent.diagnostics import _mbar as mbar

# A state that one end does not know of may hold a share of 1 − exp(−difference) of the weight.
MARGIN = 0.5
# Sequences that have come to the target from each end, at least.
FEWEST_ARRIVALS = 50
_SMALL = 1e-7


class TwoLegs(NamedTuple):
    """log Z by two legs.

    Attributes:
        value: log Z of the rungs up to the target from all draws of both legs, shape [rungs].
        error: its standard error; NaN where it is unknown.
        of_legs: log Z of the target from the background and from the reference.
        difference_error: standard error of their difference; NaN if it is unknown.
    """

    value: Float[np.ndarray, " rungs"]
    error: Float[np.ndarray, " rungs"]
    of_legs: tuple[float, float]
    difference_error: float


def log_z_of_legs(
    betas: Float[np.ndarray, " rungs"],
    shares: Float[np.ndarray, " reference_rungs"],
    energies: Float[np.ndarray, "chains draws path"],
    tilts: Float[np.ndarray, "chains draws path"],
    first: float,
) -> TwoLegs:
    """Return log Z of the rungs up to the target, by MBAR of both legs, and log Z of the target by each leg alone.

    If a leg has a gap, a pair of neighbors without draws in common, the estimates are those of the first leg.

    Args:
        betas: β of the rungs up to the target.
        shares: share of the reference at the rungs beyond it, increasing to 1.
        energies: energies of the draws of all rungs.
        tilts: log q(x) − Σ μ N(x) of the same draws.
        first: log Z at the first rung, which is exact.
    """
    rungs, target = len(betas), len(betas) - 1
    energies, tilts = np.asarray(energies, np.float64), np.asarray(tilts, np.float64)
    up = mbar.log_z_along(betas, energies[..., :rungs], first)
    from_reference = np.concatenate([[0.0], shares])[::-1]
    back = np.ascontiguousarray((tilts + betas[-1] * energies)[..., : target - 1 if target else None : -1])
    down = mbar.log_z_along(1 - from_reference, back, 0.0)
    of_legs = float(up.value[-1]), float(down.value[-1])
    if not energies.shape[1] or np.isnan(up.error[-1]) or np.isnan(down.error[-1]):
        return TwoLegs(up.value, up.error, of_legs, math.nan)
    by_leg = [
        mbar.influences(betas, energies[..., :rungs], up.value)[..., -1:],
        mbar.influences(1 - from_reference, back, down.value)[..., -1:],
    ]
    nothing = np.zeros_like(by_leg[0])  # for the first rung, which has no error
    error = mbar.standard_error(np.concatenate([nothing, by_leg[0] - by_leg[1]], axis=-1))[-1]
    value, value_error = _pooled(betas, shares, energies, tilts, up.value, down.value[-2::-1])
    value, value_error = value[:rungs], mbar.nan_if_rounding(value_error[:rungs], value[:rungs], betas)
    return TwoLegs(value, value_error, of_legs, float(error))


def _pooled(
    betas: np.ndarray, shares: np.ndarray, energies: np.ndarray, tilts: np.ndarray, up: np.ndarray, beyond: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return log Z of all rungs and its error, from all draws, with the first and the last rung fixed."""
    lowest, heights = energies.min(), tilts.max()  # large values that differ little would lose digits
    coordinates = np.stack([energies - lowest, heights - tilts], axis=-1)
    slopes = np.stack([np.concatenate([betas, betas[-1] * (1 - shares)]), np.concatenate([0 * betas, shares])], axis=-1)
    moved = slopes[:, 0] * lowest - slopes[:, 1] * heights
    guess = np.concatenate([up, beyond]) + moved
    value = mbar.solved(slopes, coordinates, guess, _SMALL, last=1)
    error = mbar.standard_error(mbar.influences(slopes, coordinates, value, last=1))
    return value - moved, error


def judge_legs(legs: TwoLegs, arrivals: tuple[int, int]) -> tuple[bool, str]:
    """Return whether the two ends agree on the target, and a sentence on it.

    Args:
        legs: log Z by two legs.
        arrivals: number of sequences that came to the target from β = 0 and from the reference.
    """
    background, reference = legs.of_legs
    told = f"log Z is {background:.2f} from the background and {reference:.2f} from the reference"
    gap, error = abs(background - reference), legs.difference_error
    if not math.isfinite(gap + error):
        return False, f"{told}, with an unknown error: neighboring rungs have no draws in common"
    told = f"{told}, apart by {gap:.2f} ± {error:.1g}"
    most = gap + 2 * error
    if most > MARGIN:
        open_share = 1 - math.exp(-most)
        return False, f"{told}, wanted at most {MARGIN:g} with two errors: up to {open_share:.0%} of the weight is open"
    for count, end in zip(arrivals, ("the background", "the reference"), strict=True):
        if count < FEWEST_ARRIVALS:
            return False, f"{told}; {count} sequences came to the target from {end}, wanted {FEWEST_ARRIVALS}"
    return True, told
