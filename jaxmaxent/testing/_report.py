"""What a check of exactness found, in numbers and in sentences."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

# A comparison of right numbers fails by chance for one seed in so many.
CHANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class CheckPart:
    """One comparison of a check.

    Attributes:
        what: what was compared, in words.
        worst: the largest deviation; NaN if there was nothing to compare or something was not a number.
        limit: the largest deviation that passes.
        unit: of both: "of E", "of probability", "standard errors" and so on.
        comparisons: how many numbers were compared.
        note: a sentence on what was expected or what it means, or "".

    Example:
        ```python
        print(*(part.what for part in jme.check(ensemble).parts if not part.passed))
        ```
    """

    what: str
    worst: float
    limit: float
    unit: str
    comparisons: int
    note: str = ""

    @property
    def passed(self) -> bool:
        """True if the largest deviation is within the limit."""
        return bool(self.worst <= self.limit)  # a NaN is not

    def __str__(self) -> str:
        found = f"{self.worst:.3g} {self.unit}".rstrip()
        text = f"{'passed' if self.passed else 'FAILED'}: {self.what}: at most {found} (limit {self.limit:.3g})"
        return f"{text}, {self.comparisons:,} compared.{' ' * bool(self.note)}{self.note}"


@dataclasses.dataclass(frozen=True)
class CheckReport:
    """What `check` found.

    Attributes:
        parts: the comparisons, in the order in which they were made.
        positions: the positions that moved, increasing, shape [positions].
        sequences: the number of sequences that were enumerated.
        seconds: the time that the check took, compilation included, in units of s.

    Example:
        ```python
        report = jme.check(ensemble)
        print(report)
        assert report.passed
        ```
    """

    parts: tuple[CheckPart, ...]
    positions: Int[np.ndarray, " positions"]
    sequences: int
    seconds: float

    @property
    def passed(self) -> bool:
        """True if every comparison passed."""
        return all(part.passed for part in self.parts)

    def __repr__(self) -> str:
        """Return the verdict in a few sentences, with every comparison that failed."""
        failed = [part for part in self.parts if not part.passed]
        verdict = f"FAILED in {len(failed)} of" if failed else "passed all of"
        places = ", ".join(map(str, self.positions.tolist()))
        head = (
            f"The check {verdict} {len(self.parts)} comparisons, in {self.seconds:.0f} s. It enumerated "
            f"{self.sequences:,} sequences, which differ at the positions {places}."
        )
        if failed:
            return "\n".join([head, *map(str, failed)])
        worst = max(self.parts, key=lambda part: part.worst / part.limit if part.limit else 0.0)
        return f"{head} Closest to its limit: {worst.what}, {worst.worst:.3g} of {worst.limit:.3g}."

    def __str__(self) -> str:
        """Return the verdict and every comparison, one in a line."""
        return "\n".join([repr(self).split("\n")[0], *(f"  {part}" for part in self.parts)])


def z_parts(
    what: str,
    z: Float[np.ndarray, " comparisons"],
    *,
    degrees: float = np.inf,
    alike: float = 1.0,
    excess: Float[np.ndarray, " comparisons"] | None = None,
    note: str = "",
) -> tuple[CheckPart, CheckPart]:
    """Return the comparisons of the largest |z| and of the mean z² with what chance makes of them.

    Args:
        what: what was compared.
        z: deviations in standard errors.
        degrees: degrees of freedom of the standard errors (Student's t).
        alike: how many of the deviations go together as one, for the limit of the mean square.
        excess: the excess kurtosis of each deviation, which widens the limit of the mean square; none if None.
        note: a sentence on the comparison, or "".
    """
    count = len(z)
    if not count:
        nothing = CheckPart(what, np.nan, np.nan, "standard errors", 0, note or "There was nothing to compare.")
        return nothing, dataclasses.replace(nothing, what=f"{what}, mean square")
    median = float(stats.norm.isf((1 - 0.5 ** (1 / count)) / 2))  # of the largest of so many independent ones
    largest = CheckPart(
        what,
        float(np.abs(z).max()),
        float(stats.t.isf(CHANCE / (2 * count), degrees)),
        "standard errors",
        count,
        f"{note}{' ' * bool(note)}About {median:.1f} is expected.",
    )
    # As many squares of normal numbers as have a mean of that variance.
    wider = 1.0 if excess is None else max(1 + float(np.mean(excess)) / 2, 0.1)
    free = max(count / (alike * wider), 1)
    limit = float(stats.chi2.isf(CHANCE, free) / free)
    unit, squares = "squared standard errors", float(np.mean(z**2))
    return largest, CheckPart(f"{what}, mean square", squares, limit, unit, count, "1 is expected.")
