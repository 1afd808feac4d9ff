"""Requirements that the grammars of many anchors share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxmaxent import checks
from jaxmaxent.analysis._grammar.result import Grammar, Requirement

_EITHER_WAY = {"any of", "one of", "spacing", "same strand", "other strand"}


class SharedRequirement(NamedTuple):
    """A requirement, and the anchors whose grammar has it.

    Attributes:
        kind: the statement, one of the kinds of `Requirement`.
        motifs: names of the motifs; in alphabetical order where the order means nothing.
        number: the number of copies; 1 for other kinds.
        anchors: indices of the grammars that have it.
        tested: number of grammars in which it was tested.
        share: anchors that have it among those in which it was tested.
        error: standard error of the share, over anchors.
    """

    kind: str
    motifs: tuple[str, ...]
    number: int
    anchors: tuple[int, ...]
    tested: int
    share: float
    error: float


def shared_requirements(grammars: Sequence[Grammar]) -> tuple[SharedRequirement, ...]:
    """Return the requirements of the grammars of many anchors, those that most anchors share first.

        found = [analysis.grammar(run, motifs=motifs, anchor=k) for k in range(len(run.names))]
        for row in analysis.shared_requirements(found):
            print(row.kind, row.motifs, f"{row.share:.2f} ± {row.error:.2f} of {row.tested} anchors")

    A requirement may not be testable for some anchors, such as the order of motifs that an anchor does not have. These
    anchors do not count. The error is that of a share after one more success and one more failure (Agresti & Coull,
    The American Statistician 52:119, 1998), so that it is not 0 where all anchors agree.

    Args:
        grammars: results of `grammar`, one for each anchor, with the same motifs.

    Raises:
        ValueError: if there are none, or they have different motifs.
    """
    rows = checks.several("grammars", grammars, "results of grammar")
    if not rows:
        raise ValueError("grammars must have one result or more, got none")
    for row in rows:
        if not isinstance(row, Grammar):
            raise ValueError(f"grammars must be results of grammar, got {checks.shown(row)}")
        if row.motifs != rows[0].motifs:
            raise ValueError(f"grammars must have the same motifs, got {rows[0].motifs} and {row.motifs}")
    holding: dict[tuple[str, tuple[str, ...], int], set[int]] = {}
    for k, grammar in enumerate(rows):
        for requirement in grammar.held:
            holding.setdefault(_key(requirement), set()).add(k)
    testing = [{_subject(requirement) for requirement in grammar.tested} for grammar in rows]
    result = []
    for (kind, motifs, number), anchors in holding.items():
        subject = _subject(Requirement(kind, motifs, 0, 0, 0, 0))
        tested = len(anchors | {k for k, subjects in enumerate(testing) if subject in subjects})
        smooth = (len(anchors) + 1) / (tested + 2)
        error = math.sqrt(smooth * (1 - smooth) / (tested + 2))
        shown = tuple(sorted(anchors))
        result.append(SharedRequirement(kind, motifs, number, shown, tested, len(anchors) / tested, error))
    return tuple(sorted(result, key=lambda row: (-len(row.anchors), row.kind, row.motifs)))


def _key(row: Requirement) -> tuple[str, tuple[str, ...], int]:
    return row.kind, tuple(sorted(row.motifs)) if row.kind in _EITHER_WAY else row.motifs, row.number


def _subject(row: Requirement) -> tuple[str, frozenset[str]]:
    """Return what a test is about: the same for two outcomes of one test, such as both orders of two motifs."""
    kind = {
        "needs": "presence",
        "not": "presence",
        "one of": "any of",
        "upstream": "downstream",
        "other strand": "same strand",
    }.get(row.kind, row.kind)
    return kind, frozenset(name.removesuffix(" reversed") for name in row.motifs)
