"""Comparison of two profiles: the positions at which they differ, with p-values.

The profiles may be of two runs, two anchors or two rungs. Errors are added as for independent estimates. Two rungs of
one run are positively correlated, so their differences are more certain than the p-values say.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxmaxent import checks
from jaxmaxent.analysis._profiles.profile import Profile


class ProfileComparison(NamedTuple):
    """The differences between two profiles.

    Attributes:
        difference: frequencies of the second less those of the first, shape [length, letters].
        z: `difference` in units of its standard error, NaN where that is unknown or 0, shape [length, letters].
        p: the chance at each position that a letter differs as much if the two are alike (Bonferroni over its letters),
            1 where nothing is known, shape [length].
        p_holm: `p`, adjusted to bound the chance of any error among all positions (Holm 1979).
        p_bh: `p`, adjusted to bound the share of errors among the positions chosen (Benjamini & Hochberg 1995).
        differs: True where `p_holm` is below the level, shape [length].
        summary: a sentence.
    """

    difference: Float[np.ndarray, "length letters"]
    z: Float[np.ndarray, "length letters"]
    p: Float[np.ndarray, " length"]
    p_holm: Float[np.ndarray, " length"]
    p_bh: Float[np.ndarray, " length"]
    differs: Bool[np.ndarray, " length"]
    summary: str

    def __repr__(self) -> str:
        return f"ProfileComparison({self.summary!r})"


def compare_profiles(
    first: Profile, second: Profile, *, level: float = 0.05, degrees: float = 30.0
) -> ProfileComparison:
    """Compare two profiles of the same length and alphabet, letter by letter.

    Args:
        first: one profile.
        second: the other.
        level: positions with a smaller adjusted p are said to differ.
        degrees: degrees of freedom of the standard errors, for Student's t. The errors of a run of 8 chains or more are
            at least as well known as the default says.

    Raises:
        ValueError: if the profiles differ in length or alphabet, or an argument is out of range.

    Example:
        >>> found = analysis.compare_profiles(analysis.profile(run, anchor=0), analysis.profile(run, anchor=1))
    """
    from scipy.stats import false_discovery_control  # slow to import, and it changes warning filters

    for name, given in (("first", first), ("second", second)):
        checks.like(name, given, "frequencies", "a profile, as analysis.profile gives it")
    if first.letters != second.letters or first.frequencies.shape != second.frequencies.shape:
        shapes = [f"{len(p.frequencies)} positions of {p.letters!r}" for p in (first, second)]
        raise ValueError(f"second must have the length and alphabet of first, {shapes[0]}, got {shapes[1]}")
    level = checks.number("level", level, above=0, below=1)
    degrees = checks.number("degrees", degrees, above=0)
    difference = second.frequencies - first.frequencies
    error = np.hypot(first.frequency_errors, second.frequency_errors)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, difference / error, np.nan)
    p = _p_values(z, degrees)
    p_holm, p_bh = holm(p), false_discovery_control(p)
    differs = p_holm < level
    return ProfileComparison(difference, z, p, p_holm, p_bh, differs, _summary(first, second, z, differs, level))


def holm(p: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """Return p-values adjusted to bound the chance of any error among all tests (Holm 1979)."""
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted


def _p_values(z: Float[np.ndarray, "length letters"], degrees: float) -> Float[np.ndarray, " length"]:
    from scipy import special  # slow to import, and it changes warning filters

    known = np.isfinite(z)
    largest = np.where(known, np.abs(z), 0).max(-1)
    # The frequency of one of two letters determines the other.
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
        f"surest at position {position}: {first.letters[letter]} {seen[0]} in the first, {seen[1]} in the second"
    )
