"""Mobility: whether a network holds the sites of an anchor equal wherever they stand, in words."""

from __future__ import annotations

import math

# A logo shows a letter at its own position, so it is flat where shifted copies are much nearer to the anchor than
# unrelated sequences are. Networks that pool over the sequence have 0.05 to 0.23; the published CTCF network, which
# does not, has 0.70 or more for 29 of 30 anchors (docs/results/sites.md).
MOBILE, TIED = 0.4, 0.6


def is_mobile(mobility: float) -> bool:
    """Return whether the network holds sites equal wherever they stand; False if it is not known."""
    return mobility < MOBILE


def told(mobility: float, error: float) -> str:
    """Return a sentence on the mobility of an anchor."""
    if math.isnan(mobility):
        return "it is not known whether sites count wherever they stand"
    number = f"mobility {mobility:.2f}" + (f" ± {error:.2f}" if math.isfinite(error) else "")
    if is_mobile(mobility):
        return (
            f"sites count wherever they stand ({number}): draws have them elsewhere too, so the logo does not show "
            "where they are, and their necessity does"
        )
    if mobility < TIED:
        return f"it matters somewhat where sites stand ({number}): the logo may miss sites that draws have elsewhere"
    return f"sites count at their own positions ({number}), where the logo shows them"
