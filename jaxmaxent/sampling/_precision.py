"""The precision that a run is asked for."""

from __future__ import annotations

import dataclasses

from jaxmaxent import checks


@dataclasses.dataclass(frozen=True)
class Precision:
    """The precision at which a run ends, and the limits at which it gives up.

    It holds for the frequency of every letter at every position, for the energy and for every field, at every β. Bulk
    effective sample sizes and rank-normalised split R-hat are those of Vehtari et al. (Bayesian Analysis 16, 2021).

    Attributes:
        rhat: largest R-hat.
        ess: smallest effective sample size.
        mcse: largest standard error of a letter frequency, or None.
        steps: give up after so many steps of each replica.
        seconds: give up after so many seconds of sampling (None: never). The result then depends on the machine.

    Example:
        >>> jme.Precision(rhat=1.05, ess=100, steps=20_000)
        Precision(rhat=1.05, ess=100, mcse=None, steps=20000, seconds=None)
    """

    rhat: float = 1.01
    ess: float = 400.0
    mcse: float | None = None
    steps: int = 200_000
    seconds: float | None = None

    def __post_init__(self) -> None:
        checks.number("rhat", self.rhat, above=1)
        checks.number("ess", self.ess, above=0)
        checks.integer("steps", self.steps, at_least=1, at_most=checks.MOST_STEPS)
        for name in ("mcse", "seconds"):
            if getattr(self, name) is not None:
                checks.number(name, getattr(self, name), above=0)
