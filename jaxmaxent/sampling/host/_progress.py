"""Progress bars driven from the host between compiled blocks, so that they work on every device and in notebooks."""

from __future__ import annotations

import math
from typing import Protocol

from jaxmaxent import console
from jaxmaxent.sampling._precision import Precision

# Compiling that took less is not worth a line.
WORTH_TELLING = 0.5


class Listener(Protocol):
    """What a loop tells how far it is."""

    def advance(self, what: str, steps: int, **numbers: float) -> None:
        """Take in that `steps` more steps of `what` are done, and some numbers."""
        ...

    def looked(self, rhat: float, ess: float | None = None, *, least: int = 0) -> None:
        """Take in how far an anchor is from what is wanted; it needs at least so many steps after the burn-in."""
        ...


class Progress:
    """A bar over the steps of a replica that says what is being done: compiling, burn-in, sampling.

    If a run ends at a precision, the bar shows how far R-hat and effective sample size have come, and its end is where
    they will be as wanted if they go on as they have: R-hat − 1 and 1 / ESS fall as 1 / steps.
    """

    def __init__(self, total: int, *, until: Precision | None = None, show: bool) -> None:
        self._most, self._until = total, until
        self._steps = self._burn_in = 0
        self._total = 0
        known = total if until is None else None
        self._bar = console.bar(total=known, desc="compiling", unit=" steps", leave=None, show=show)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def tell(self, line: str) -> None:
        """Show a line above the bar: what will run."""
        if not self._bar.disable:
            console.say_above(line)

    def compiled(self, seconds: float, *, done: int = 0) -> None:
        """Restart the clock of the bar: compiling is over and took `seconds`; `done` steps were made before."""
        self._steps = done
        if not self._bar.disable:
            if seconds >= WORTH_TELLING:
                console.say_above(f"compiled in {seconds:.1f} s")
            self._bar.unpause()
            self._bar.reset(self._bar.total)
            self._bar.update(done)

    def advance(self, what: str, steps: int, **numbers: float) -> None:
        """Show that `steps` more steps of `what` are done, and some numbers."""
        self._steps += steps
        if what != "sampling":
            self._burn_in = self._steps
        self._bar.set_description_str(what, refresh=False)
        if self._total:  # of the last look
            self._bar.total, self._total = self._total, 0
        elif self._bar.total is None or self._until is None:
            self._bar.set_postfix({k: f"{v:.3g}" for k, v in numbers.items()}, refresh=False)
        self._bar.update(steps)

    def looked(self, rhat: float, ess: float | None = None, *, least: int = 0) -> None:
        """Show how far one of the anchors is: its largest R-hat, and its smallest effective sample size if known.

        All anchors of a run are looked at, one after another, between two blocks; the one with most to do is shown.
        """
        until = self._until
        if until is None or self._bar.disable:
            return
        expected = max(least, expected_steps(self._steps - self._burn_in, rhat, ess, until))
        total = self._burn_in + min(self._most - self._burn_in, expected)
        if total < self._total:
            return
        self._total = total
        self._bar.set_postfix_str(precision_text(rhat, ess, until), refresh=False)


def expected_steps(sampled: int, rhat: float, ess: float | None, until: Precision) -> int:
    """Return the steps after the burn-in at which a run with so many will probably end."""
    factors = [1.0]
    if math.isfinite(rhat):
        factors.append((rhat - 1) / (until.rhat - 1))
    if ess is not None and math.isfinite(ess):
        factors.append(until.ess / max(ess, 1.0))
    return math.ceil(min(max(sampled, 1) * max(factors), 2**62))


def precision_text(rhat: float, ess: float | None, until: Precision) -> str:
    """Return R-hat and effective sample size beside what is wanted, as far as they are known."""
    parts = [f"R-hat {rhat:.3f} (wanted {until.rhat:g})"] if math.isfinite(rhat) else []
    if ess is not None and math.isfinite(ess):
        parts.append(f"ESS {ess:.0f} (wanted {until.ess:g})")
    return ", ".join(parts)
