"""Values of options that are more than a number or a word, and how they are read."""

from __future__ import annotations

from typing import NamedTuple

Unit = int | tuple[int, int]


def read_unit(text: str) -> Unit:
    """Return an output unit, "1", or a pair of them, "1,0"."""
    first, *rest = (int(part) for part in text.split(","))
    if len(rest) > 1:
        raise ValueError
    return (first, rest[0]) if rest else first


class BetaRule(NamedTuple):
    """A rule of `analysis.auto_beta`, and what it wants; None stands for its default."""

    rule: str
    wanted: float | None = None

    def __str__(self) -> str:
        return self.rule if self.wanted is None else f"{self.rule}={self.wanted:g}"


AUTO_BETA = BetaRule("auto")
BETA_RULES = (AUTO_BETA.rule, "information", "energy", "median", "acceptance")


def read_beta(text: str) -> float | tuple[float, ...] | BetaRule:
    """Return a number, several such as "40,80", or a rule such as "auto" or "information=12"."""
    rule, equals, wanted = text.partition("=")
    if rule not in BETA_RULES:
        first, *rest = (float(part) for part in text.split(","))
        return (first, *rest) if rest else first
    return BetaRule(rule, float(wanted) if equals else None)
