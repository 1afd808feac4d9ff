"""The progress of anchors in lanes: one line on those in hand, below the bar of all anchors."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from jaxmaxent import console
from jaxmaxent.sampling._options import Options
from jaxmaxent.sampling.host._progress import WORTH_TELLING, expected_steps, precision_text

_LONGEST_NAME = 40
# Weight of what was before, when a block is added to the speed: that of the last 20 blocks or so counts.
_FORGET = 0.95


class Course:
    """How far an anchor has come on its way through a lane.

    Attributes:
        name: its name.
        steps: its steps so far.
        left: steps to its end, if it goes on as it has; NaN while nothing is known.
    """

    def __init__(self, options: Options, *, done: int = 0) -> None:
        self.name, self.steps = options.names[0], done
        self._until, self._burn_in, self._most = options.until, options.burn_in, options.steps
        self._expected, self._shown = (options.steps, "") if options.until is None else (None, "")

    def advance(self, what: str, steps: int, **numbers: float) -> None:
        """Take in that so many more steps are done."""
        del what, numbers
        self.steps += steps

    def looked(self, rhat: float, ess: float | None = None, *, least: int = 0) -> None:
        """Take in how far the anchor is from the precision wanted."""
        until = self._until
        if until is None:
            return
        sampled = self.steps - self._burn_in
        expected = max(least, expected_steps(sampled, rhat, ess, until))
        # If these are as wanted and the anchor stays, it waits for something else, such as the two legs to agree.
        self._expected = min(self._most, self._burn_in + expected) if expected > sampled else None
        self._shown = precision_text(rhat, ess, until)

    @property
    def left(self) -> float:
        """Steps to the probable end; NaN while nothing is known."""
        return math.nan if self._expected is None else max(self._expected - self.steps, 0)

    def told(self) -> str:
        """Return how far the anchor is, in a few words."""
        if self.steps < self._burn_in:
            return f"burn-in, {self.steps:,} of {self._burn_in:,} steps"
        if self._until is None:
            return f"{self.steps:,} of {self._most:,} steps"
        return self._shown or f"sampling, {self.steps:,} steps"


class LanesProgress:
    """A line that says how many anchors are in hand, and how far the one that is nearest to its end has come."""

    def __init__(self, *, show: bool) -> None:
        self._steps = self._seconds = 0.0
        self._last = time.perf_counter()
        # Drawn after a block if it is time for it, whatever the number of blocks since the last time.
        self._bar = console.bar(desc="compiling", bar_format="{desc}", miniters=1, leave=None, show=show)

    def compiled(self, seconds: float) -> None:
        """Take in that compiling is over and took so long."""
        self._last = time.perf_counter()
        if seconds >= WORTH_TELLING and not self._bar.disable:
            console.say_above(f"compiled in {seconds:.1f} s")

    def advance(self, steps: int, courses: Sequence[Course]) -> None:
        """Show how far anchors are after so many more steps of each lane."""
        now = time.perf_counter()
        self._steps, self._seconds = _FORGET * self._steps + steps, _FORGET * self._seconds + now - self._last
        self._last = now
        if courses and not self._bar.disable:
            self._bar.set_description_str(in_hand(courses, self._seconds / max(self._steps, 1)), refresh=False)
            self._bar.update()

    def close(self) -> None:
        """Take the line away."""
        self._bar.close()


def in_hand(courses: Sequence[Course], pace: float) -> str:
    """Return a line on anchors in lanes, which take so many seconds for a step."""
    nearest = min(courses, key=_order)
    name = console.one_line(nearest.name)
    name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    which = "" if len(courses) == 1 else ", nearest"
    left = "" if math.isnan(nearest.left) else f", about {_time(nearest.left * pace)} left"
    return f"{len(courses)} in hand{which}: {name}, {nearest.told()}{left}"


def _order(one: Course) -> tuple[bool, float]:
    """Return what sorts anchors: those that are nearer to the end first, then those of which nothing is known."""
    unknown = math.isnan(one.left)
    return unknown, -one.steps if unknown else one.left


def _time(seconds: float) -> str:
    """Return a length of time in the unit that suits it."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
