"""The choice of a rung by its β."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks

# A β that a user writes differs so much at most from the same β in single precision.
_SAME = 1e-6


def nearest_rung(betas: Float[np.ndarray, " rung"], beta: float) -> int:
    """Return the index of the rung of an anchor at β; see `Run.rung_at`.

    Raises:
        ValueError: if the anchor has no rung at this β.
    """
    wanted = checks.number("beta", beta)
    nearest = int(np.abs(betas - wanted).argmin())
    if not np.isclose(betas[nearest], wanted, rtol=_SAME, atol=0):
        raise ValueError(
            f"beta must be that of a rung of the anchor, {', '.join(f'{value:.6g}' for value in betas)}, got "
            f"{checks.shown(beta)}; sample(..., rungs_at=…) puts a rung there"
        )
    return nearest
