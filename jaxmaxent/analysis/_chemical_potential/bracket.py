"""The search for one μ, or for several fields' μ's together, that believes nothing which its errors do not bear out.

With one field ⟨N⟩ grows with μ, so an estimate on one side of the target closes the bracket on that side. It does so
only where it is further from the target than its error leaves to chance; otherwise more draws are asked for. Where the
draws so far reach the answer by reweighting (see `dual`) the next look is there; where they do not it is the middle of
the bracket, or further out while the bracket is open. Several fields have no bracket: they take Newton steps of
bounded length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent.analysis._chemical_potential import dual

# A side is chosen at this many standard errors of a normal; Student's t takes as unlikely a number for a few chains.
DECISIVE = 3.5
# μ further than this from its value at β = 0 (a factor of e^15 for every letter) is no attainable answer.
_FURTHEST = 15.0
# No step is longer (a factor of e^2 for every letter), and none of the search for a second end shorter.
_LONGEST, _SHORTEST = 2.0, 0.05


class Trial(NamedTuple):
    """One look at one μ: what was seen there, and what was known of the answer afterwards.

    Attributes:
        mu: μ, a number, or a tuple of one for each field.
        fraction: mean of the field per site at `mu` by all draws so far, likewise.
        standard_error: its standard error, likewise.
        verdict: "below" or "above" the target, "off" it for several fields, or "undecided".
        bracket: the two μ's known to enclose the answer, infinite where none is known yet; None for several fields.
    """

    mu: float | tuple[float, ...]
    fraction: float | tuple[float, ...]
    standard_error: float | tuple[float, ...]
    verdict: str
    bracket: tuple[float, float] | None


class Search:
    """The search for the μ of one anchor, or of several that share it.

    Attributes:
        mu: where to look next, shape [fields]; NaN once the search has failed.
        root: the answer, if there is one.
        outcome: what happened, a sentence; empty while the search is open.
        trials: every look, in order.
    """

    def __init__(
        self, target: Float[np.ndarray, " fields"], tolerance: float, mu: Float[np.ndarray, " fields"], length: int
    ) -> None:
        self.target, self.tolerance, self.length = target, tolerance, length
        self.mu = self._first = mu
        self.root: dual.Root | None = None
        self.outcome = ""
        self.trials: list[Trial] = []
        self._exact = self._determined = False
        self._below, self._above, self._stride = -math.inf, math.inf, 0.0

    @property
    def open(self) -> bool:
        """Whether more looks are wanted."""
        return not self.outcome

    @property
    def failed(self) -> bool:
        """Whether it was given up."""
        return self.outcome.startswith("not reached")

    def look(self, looks: Sequence[Sequence[dual.Look]]) -> None:
        """Take in all looks so far, the last of them at `self.mu`."""
        if self.failed or self._exact:
            return
        here, wanted = dual.means_at(looks, self.mu), self.target * self.length
        error, degrees = here.error()
        verdict = _verdict(wanted - here.counts, error, degrees)
        self.root = dual.root(looks, wanted, self.mu)
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

    def exactly(self) -> None:
        """Take the first μ as the answer, without an error."""
        self._exact, self.outcome = True, "exact, as letters do not depend on the network at β = 0"

    def covariance(self) -> Float[np.ndarray, "fields fields"]:
        """Covariance of the answer, 0 where it is exact, NaN where there is none."""
        nothing = np.full((len(self.mu), len(self.mu)), 0.0 if self._exact else math.nan)
        return nothing if self.root is None else self.root.covariance

    def still_wanted(self) -> float:
        """How many times as many draws as so far the answer may need, by its present error."""
        if not self.open or self.root is None:
            return 0.0
        worst = float(self.root.errors().max())
        return (worst / self.tolerance) ** 2 - 1 if math.isfinite(worst) else math.inf

    def give_up(self, steps: int) -> None:
        """Say what is missing after so many steps."""
        if not self.open:
            return
        if self.root is not None:
            errors = self.root.errors()
            known = f"{errors.max():.2g}" if np.isfinite(errors).all() else "unknown"
            self.fail(
                f"the standard error of μ is still {known} after {steps} steps, above the wanted {self.tolerance:g}"
            )
        elif self._determined:
            self.fail(f"no μ with the wanted mean was found in {steps} steps, {len(self.trials)} looks")
        else:
            what = "the count did not change" if len(self.target) == 1 else "counts did not change independently"
            self.fail(f"the standard error of μ is still unknown after {steps} steps, as {what}")

    def fail(self, why: str) -> None:
        """Give up."""
        self.outcome, self.root = f"not reached: {why}", None
        self.mu = np.full_like(self.mu, math.nan)

    def _narrow(self, verdict: str) -> None:
        """Move an end of the bracket; ends that the root excludes were chosen wrongly and are given up."""
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

    def _step(self, gap: np.ndarray, here: dual.Means) -> None:
        """Where to look next, when the draws do not reach the answer."""
        self._determined = here.determined()
        newton = np.linalg.solve(here.slope, gap) if self._determined else np.sign(gap)
        if len(self.mu) == 1:
            self.mu = np.array([self._within_bracket(float(newton[0]))])
        else:
            self.mu = self.mu + newton * min(1.0, _LONGEST / 2 / max(np.abs(newton).max(), 1e-300))
        if np.abs(self.mu - self._first).max() > _FURTHEST:
            wanted = ", ".join(f"{value:g}" for value in self.target)
            furthest = ", ".join(f"{value:.1f}" for value in np.atleast_1d(self.trials[-1].mu))
            self.fail(f"the mean does not come to {wanted} as far as μ = {furthest}")

    def _within_bracket(self, newton: float) -> float:
        width = self._above - self._below
        if math.isfinite(width):
            return (self._below + self._above) / 2
        # Half as far again as the slope suggests, so that the answer is probably passed; never less than twice before.
        self._stride = min(max(2 * self._stride, 1.5 * abs(newton), _SHORTEST), _LONGEST)
        return float(self.mu[0]) + math.copysign(self._stride, newton)


def _verdict(gap: np.ndarray, error: np.ndarray, degrees: np.ndarray) -> str:
    """On which side the estimate certainly is; an unknown error (NaN, of chains that never moved) decides nothing."""
    with np.errstate(invalid="ignore"):
        certain = np.abs(gap) > unlikely(DECISIVE, degrees) * error
    if not certain.any():
        return "undecided"
    return "off" if len(gap) > 1 else "below" if gap[0] > 0 else "above"


def unlikely(deviations: float, degrees: Float[np.ndarray, ...] | float) -> np.ndarray:
    """As unlikely under Student's t with so many degrees of freedom as `deviations` under the normal."""
    from scipy import special  # slow to import, and it changes warning filters

    return -special.stdtrit(np.maximum(degrees, 1e-3), special.ndtr(-deviations))
