"""The search for the μ of one field, or for the μ's of several fields together.

With one field ⟨N⟩ grows with μ, so an estimate on one side of the target closes the bracket on that side. It does so
only if it is further from the target than its error explains by chance; otherwise more draws are requested. If the
draws so far reach the answer by reweighting (see `reweighting`), the next round is there. If they do not, it is at the
middle of the bracket, or further out while the bracket is open. Several fields have no bracket. Their search takes
Newton steps of bounded length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent.analysis._chemical_potential.reweighting import Means, Root, Round, means_at, root

# A side is chosen at this many standard errors of a normal. With few chains the number is larger: that of Student's t
# with the same probability.
DECISIVE = 3.5
# An answer further than this from the μ at β = 0 (a factor of e^15 for every letter) is not attainable.
_FURTHEST = 15.0
# The longest step (a factor of e^2 for every letter), and the shortest in the search for a second end of the bracket.
_LONGEST, _SHORTEST = 2.0, 0.05


class Trial(NamedTuple):
    """One round of the search: the mean at one μ, and the bracket known afterwards.

    Attributes:
        mu: μ, a number, or a tuple with one number per field.
        fraction: mean of the field per site at `mu`, estimated from all draws so far; a number or a tuple, as `mu` is.
        standard_error: its standard error, a number or a tuple.
        verdict: "below" or "above" the target, "off" for several fields, or "undecided".
        bracket: the two μ's that enclose the answer, infinite where none is known yet; None for several fields.
    """

    mu: float | tuple[float, ...]
    fraction: float | tuple[float, ...]
    standard_error: float | tuple[float, ...]
    verdict: str
    bracket: tuple[float, float] | None


class Search:
    """The search for the μ of one anchor, or of several that share it.

    Attributes:
        mu: μ of the next round, shape [fields]; NaN once the search has failed.
        root: the answer, if there is one.
        outcome: a sentence that says how the search ended; empty while it is open.
        trials: all rounds, in order.
    """

    def __init__(
        self, target: Float[np.ndarray, " fields"], tolerance: float, mu: Float[np.ndarray, " fields"], length: int
    ) -> None:
        self.target, self.tolerance, self.length = target, tolerance, length
        self.mu = self._first = mu
        self.root: Root | None = None
        self.outcome = ""
        self.trials: list[Trial] = []
        self._exact = self._determined = False
        self._below, self._above, self._stride = -math.inf, math.inf, 0.0

    @property
    def open(self) -> bool:
        """True while more rounds are needed."""
        return not self.outcome

    @property
    def failed(self) -> bool:
        """True once the search was given up."""
        return self.outcome.startswith("not reached")

    def update(self, rounds: Sequence[Sequence[Round]]) -> None:
        """Take in the rounds of each anchor so far, the last of them at `self.mu`."""
        if self.failed or self._exact:
            return
        here, wanted = means_at(rounds, self.mu), self.target * self.length
        error, degrees = here.error()
        verdict = _verdict(wanted - here.counts, error, degrees)
        self.root = root(rounds, wanted, self.mu)
        self._narrow(verdict)
        self._note(here.counts / self.length, error / self.length, verdict)
        if self.root is None:
            self.outcome = ""
            self._step(wanted - here.counts, here)
        else:
            self.mu, self._stride = self.root.mu, 0.0
            errors = self.root.errors()
            # Not `>`: an error that is not known (NaN) is not small enough.
            known = bool((errors <= self.tolerance).all())
            self.outcome = f"solved to a standard error of {errors.max():.2g}" if known else ""

    def accept_first(self) -> None:
        """Take the first μ as the answer, without an error."""
        self._exact, self.outcome = True, "exact, because letters do not depend on the network at β = 0"

    def covariance(self) -> Float[np.ndarray, "fields fields"]:
        """Return the covariance of the answer: 0 if it is exact, NaN if there is none."""
        nothing = np.full((len(self.mu), len(self.mu)), 0.0 if self._exact else math.nan)
        return nothing if self.root is None else self.root.covariance

    def draws_missing(self) -> float:
        """Return the draws that the answer may still need by its present error, as a multiple of those so far."""
        if not self.open or self.root is None:
            return 0.0
        worst = float(self.root.errors().max())
        return (worst / self.tolerance) ** 2 - 1 if math.isfinite(worst) else math.inf

    def give_up(self, steps: int) -> None:
        """End the search after so many steps, with an outcome that names the reason."""
        if not self.open:
            return
        if self.root is not None:
            errors = self.root.errors()
            known = f"{errors.max():.2g}" if np.isfinite(errors).all() else "unknown"
            self.fail(
                f"the standard error of μ is still {known} after {steps} steps, above the wanted {self.tolerance:g}"
            )
        elif self._determined:
            self.fail(f"no μ with the wanted mean was found in {steps} steps and {len(self.trials)} rounds")
        else:
            why = "the count did not change" if len(self.target) == 1 else "counts did not change independently"
            self.fail(f"the standard error of μ is still unknown after {steps} steps, because {why}")

    def fail(self, why: str) -> None:
        """Give up for a reason."""
        self.outcome, self.root = f"not reached: {why}", None
        self.mu = np.full_like(self.mu, math.nan)

    def _narrow(self, verdict: str) -> None:
        """Move an end of the bracket. Drop ends that the root excludes, because they were chosen wrongly."""
        if verdict == "below":
            self._below = max(self._below, float(self.mu[0]))
        elif verdict == "above":
            self._above = min(self._above, float(self.mu[0]))
        if self.root is not None and len(self.mu) == 1:
            found = float(self.root.mu[0])
            self._below = self._below if self._below < found else -math.inf
            self._above = self._above if self._above > found else math.inf
        elif self._below >= self._above:
            self._below, self._above = (self._below, math.inf) if verdict == "below" else (-math.inf, self._above)

    def _note(self, fraction: np.ndarray, error: np.ndarray, verdict: str) -> None:
        one = len(self.mu) == 1
        mu, mean, noise = (float(v[0]) if one else tuple(v.tolist()) for v in (self.mu, fraction, error))
        self.trials.append(Trial(mu, mean, noise, verdict, (self._below, self._above) if one else None))

    def _step(self, gap: np.ndarray, here: Means) -> None:
        """Choose the μ of the next round if the draws do not reach the answer."""
        self._determined = here.determined()
        newton = np.linalg.solve(here.slope, gap) if self._determined else np.sign(gap)
        if len(self.mu) == 1:
            self.mu = np.array([self._within_bracket(float(newton[0]))])
        else:
            self.mu = self.mu + newton * min(1.0, _LONGEST / 2 / max(np.abs(newton).max(), 1e-300))
        if np.abs(self.mu - self._first).max() > _FURTHEST:
            wanted = ", ".join(f"{value:g}" for value in self.target)
            furthest = ", ".join(f"{value:.1f}" for value in np.atleast_1d(self.trials[-1].mu))
            self.fail(f"the mean does not reach {wanted} as far out as μ = {furthest}")

    def _within_bracket(self, newton: float) -> float:
        width = self._above - self._below
        if math.isfinite(width):
            return (self._below + self._above) / 2
        # 1.5 times as far as the slope suggests, so that the step probably passes the answer, and at least twice as far
        # as the step before.
        self._stride = min(max(2 * self._stride, 1.5 * abs(newton), _SHORTEST), _LONGEST)
        return float(self.mu[0]) + math.copysign(self._stride, newton)


def _verdict(gap: np.ndarray, error: np.ndarray, degrees: np.ndarray) -> str:
    """Return the side of the target on which the estimate certainly is, or "undecided".

    An unknown error (NaN, of chains that never moved) decides nothing.
    """
    with np.errstate(invalid="ignore"):
        certain = np.abs(gap) > unlikely(DECISIVE, degrees) * error
    if not certain.any():
        return "undecided"
    return "off" if len(gap) > 1 else "below" if gap[0] > 0 else "above"


def unlikely(deviations: float, degrees: Float[np.ndarray, "..."] | float) -> np.ndarray | float:
    """Return the deviation of Student's t that is as unlikely as `deviations` of the normal."""
    from scipy import special  # slow to import, and it changes warning filters

    return -special.stdtrit(np.maximum(degrees, 1e-3), special.ndtr(-deviations))
