"""Advice for a run whose letters hold nearly nothing: the β at which they would hold enough."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from jaxmaxent.results._information import informative_window

# Letters hold nearly nothing if they hold fewer bits than that in total, and no stretch of positions has so many as
# `find_motifs` asks for. Three positions with one letter each are 6 bits.
FEWEST_BITS, FEWEST_IN_WINDOW = 6.0, 4.0
# The bits that the advised β should give: enough to be above that limit in spite of its error.
WANTED_BITS = 8.0
# Where sites count wherever they stand, no β makes positions hold their letters.
ANYWHERE = (
    "sites may stand anywhere, so no position holds a letter: `where` tells where the anchor has them, `draw_motifs` "
    "which motifs the draws have; if they have none, try a larger β"
)
# Rungs that the line is laid through beyond the ladder, and how far beyond it a β is advised.
_THROUGH, _FARTHEST = 4, 5.0


def is_blank(bits: float, information: Float[np.ndarray, " positions"]) -> bool:
    """Return whether letters hold nearly nothing: in total, and in any stretch of positions; unknown bits do not."""
    start, stop = informative_window(np.nan_to_num(information))
    return bool(bits < FEWEST_BITS and information[start:stop].sum() < FEWEST_IN_WINDOW)


def beta_at_value(beta: Float[np.ndarray, " rungs"], values: Float[np.ndarray, " rungs"], wanted: float) -> float:
    """Return the β at which a value that grows with β has the wanted size.

    Within the ladder that is interpolation between rungs, where a rung below its predecessor counts as equal to it.
    Beyond, it is the line of least squares through the last 4 rungs, or from (0, 0) through a single one, but no more
    than 5 times the last β.
    """
    grown = np.maximum.accumulate(values)
    above = int(np.searchsorted(grown, wanted))
    if above < len(grown):
        low = max(above - 1, 0)
        return float(np.interp(wanted, grown[low : above + 1], beta[low : above + 1]))
    x, y = (np.append(0.0, beta), np.append(0.0, values)) if len(beta) == 1 else (beta[-_THROUGH:], values[-_THROUGH:])
    spread = float(np.square(x - x.mean()).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else 0.0
    last, farthest = float(beta[-1]), _FARTHEST * float(beta[-1])
    return farthest if slope <= 0 else min(last + (wanted - float(grown[-1])) / slope, farthest)


def advised_beta(beta: Float[np.ndarray, " rungs"], bits: Float[np.ndarray, " rungs"]) -> float:
    """Return the β to try, to two digits, from the bits along the ladder; NaN if they are not known, or β is 0."""
    if not np.isfinite(bits).all() or beta[-1] == 0:
        return math.nan
    found = beta_at_value(beta, bits, WANTED_BITS)
    return float(f"{found:.2g}")


def advice(
    beta: Float[np.ndarray, " rungs"],
    bits: Float[np.ndarray, " rungs"],
    information: Float[np.ndarray, " positions"],
    *,
    mobile: bool = False,
) -> str | None:
    """Return a sentence if letters hold nearly nothing at the target; None if they hold something, or at β = 0.

    Args:
        beta: β of each rung, the target last.
        bits: total information at each rung.
        information: information of each position at the target.
        mobile: whether sites of the anchor count wherever they stand, see `is_mobile`.
    """
    if beta[-1] == 0 or not is_blank(float(bits[-1]), information):
        return None
    if mobile:
        return f"{ANYWHERE[0].upper()}{ANYWHERE[1:]}"
    tried = advised_beta(beta, bits)
    number = "a larger β" if math.isnan(tried) else f"β = {tried:g}"
    return f"At this β almost any sequence is equal; try {number}"
