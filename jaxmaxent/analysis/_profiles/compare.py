"""Two profiles side by side: at which positions they differ, and how surely.

The profiles may be of two runs, two anchors or two rungs. Errors are added as of independent estimates; two rungs of
one run are positively correlated, so that their differences are rather more certain than is said.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxmaxent import checks
from jaxmaxent.analysis._profiles.profile import Profile


class Comparison(NamedTuple):
    """How one profile differs from another.

    Attributes:
        difference: frequencies of the second less those of the first, shape [length, letters].
        z: `difference` in its standard errors, NaN where these are unknown or 0, shape [length, letters].
        p: at each position, the chance of a letter as far off if the two are alike (Bonferroni over its letters), 1
            where nothing is known, shape [length].
        p_holm: `p` so adjusted that the chance of any error among all positions is bounded (Holm 1979).
        p_bh: `p` so adjusted that the share of errors among the positions chosen is (Benjamini & Hochberg 1995).
        differs: where `p_holm` is below the level, shape [length].
        summary: a sentence.
    """

    difference: Float[np.ndarray, "length letters"]
    z: Float[np.ndarray, "length letters"]
    p: Float[np.ndarray, " length"]
    p_holm: Float[np.ndarray, " length"]
    p_bh: Float[np.ndarray, " length"]
    differs: Bool[np.ndarray, " length"]
    summary: str


def compare_profiles(first: Profile, second: Profile, *, level: float = 0.05, degrees: float = 30.0) -> Comparison:
    """Compare two profiles of the same length and alphabet, letter by letter.

    Args:
        first: one profile.
        second: the other.
        level: below which adjusted p positions are said to differ.
        degrees: degrees of freedom of the standard errors, for Student's t: those of runs of 8 chains or more are at
            least as well known as the default says.

    Raises:
        ValueError: if they are of different length or alphabet, or an argument is out of range.
    """
    for name, given in (("first", first), ("second", second)):
        checks.like(name, given, "frequencies", "a profile, as analysis.profile gives it")
    if first.letters != second.letters or first.frequencies.shape != second.frequencies.shape:
        shapes = [f"{len(p.frequencies)} positions of {p.letters!r}" for p in (first, second)]
        raise ValueError(f"second must be of the length and alphabet of first, {shapes[0]}, got {shapes[1]}")
    level = checks.number("level", level, above=0, below=1)
    degrees = checks.number("degrees", degrees, above=0)
    difference = second.frequencies - first.frequencies
    error = np.hypot(first.frequency_errors, second.frequency_errors)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, difference / error, np.nan)
    p = _p_values(z, degrees)
    p_holm, p_bh = holm(p), benjamini_hochberg(p)
    differs = p_holm < level
    return Comparison(difference, z, p, p_holm, p_bh, differs, _summary(first, second, z, differs, level))


def holm(p: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """p-values adjusted for the chance of any error among all tests (Holm 1979)."""
    order = np.argsort(p)
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _in_order_of(order, np.minimum(raised, 1))


def benjamini_hochberg(p: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """p-values adjusted for the share of errors among those rejected (Benjamini & Hochberg 1995)."""
    order = np.argsort(p)
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _in_order_of(order, np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1))


def _in_order_of(order: np.ndarray, values: np.ndarray) -> np.ndarray:
    result = np.empty_like(values)
    result[order] = values
    return result


def _p_values(z: Float[np.ndarray, "length letters"], degrees: float) -> Float[np.ndarray, " length"]:
    from scipy import special  # slow to import, and it changes warning filters

    known = np.isfinite(z)
    largest = np.where(known, np.abs(z), 0).max(-1)
    # Of two letters one frequency says all.
    tests = known.sum(-1) if z.shape[-1] > 2 else known.any(-1).astype(int)
    return np.minimum(np.where(tests > 0, 2 * tests * special.stdtr(degrees, -largest), 1), 1)


def _summary(first: Profile, second: Profile, z: np.ndarray, differs: np.ndarray, level: float) -> str:
    chosen, length = int(differs.sum()), len(differs)
    if not chosen:
        return f"none of {length} positions differs (Holm-adjusted p < {level:g})"
    size = np.where(np.isfinite(z) & differs[:, None], np.abs(z), -1)
    position, letter = (int(i) for i in np.unravel_index(size.argmax(), z.shape))
    seen = [
        f"{p.frequencies[position, letter]:.3f} ± {p.frequency_errors[position, letter]:.2g}" for p in (first, second)
    ]
    return (
        f"{chosen} of {length} positions {'differs' if chosen == 1 else 'differ'} (Holm-adjusted p < {level:g}), the "
        f"surest at position {position}: {first.letters[letter]} {seen[0]} in the first against {seen[1]} in the second"
    )
