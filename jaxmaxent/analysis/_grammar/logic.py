"""Which motifs are required, which can take each other's place, and which are refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxmaxent.analysis._grammar.insertion import Changed
from jaxmaxent.analysis._grammar.presence import Presence
from jaxmaxent.analysis._grammar.result import Requirement
from jaxmaxent.analysis._grammar.shares import adjusted, two_sided

_MIDDLE = 0.5  # between the output of the background, 0, and that of the anchor, 1


def logic(
    found: Presence, changes: Sequence[Changed], names: tuple[str, ...], level: float, false: float
) -> list[Requirement]:
    """Return the rows of presence with their decisions, and those of motifs that replace or refuse each other."""
    inserted = _by_insertion(changes, names, false)
    drawn = [] if changes else _by_draws(found, names, level, false)
    replacing = {frozenset(row.motifs) for row in [*inserted, *drawn] if row.held and row.kind in ("any of", "one of")}
    replaceable = set().union(*replacing) if replacing else set()
    rows = []
    for row in found.rows:
        held = row.held
        if row.kind == "needs":
            k = names.index(row.motifs[0])
            often = row.value >= level and 1 - row.value <= (1 - row.control) / 2
            held = bool(found.more[k] and often and row.motifs[0] not in replaceable)
        elif row.kind == "not" and not changes:
            k = names.index(row.motifs[0])
            held = bool(found.fewer[k] and row.value <= row.control / 2)
        rows.append(row._replace(held=held))
    return rows + inserted + drawn


def _by_insertion(changes: Sequence[Changed], names: tuple[str, ...], false: float) -> list[Requirement]:
    """Return the tests of outputs: of the second motif at the place of the first, and of both together."""
    family, kinds = [], []
    for one in changes:
        degrees = int(np.count_nonzero(one.weights)) - 1
        second = names[one.second]
        as_drawn, both = one.mean(one.as_drawn)[0], one.mean(one.inserted)
        change, change_error = one.mean(one.inserted - one.as_drawn)
        refused = both[0] < _MIDDLE <= as_drawn
        p = min(1.0, one.strands * float(two_sided(change, change_error, degrees)))
        names_of = (second,) if one.first is None else (names[one.first], second)
        family.append(Requirement("not", names_of, both[0], both[1], as_drawn, p))
        kinds.append(refused)
        if one.first is not None:
            instead, without = one.mean(one.replaced), one.mean(one.erased)[0]
            gain, gain_error = one.mean(one.replaced - one.erased)
            p = float(two_sided(gain, gain_error, degrees))
            family.append(Requirement("any of", names_of, instead[0], instead[1], without, p))
            kinds.append(instead[0] >= _MIDDLE > without)
    rows = [
        row._replace(held=bool(row.q <= false and large)) for row, large in zip(adjusted(family), kinds, strict=True)
    ]
    return _joined(rows)


def _joined(rows: list[Requirement]) -> list[Requirement]:
    """Return "one of" for two motifs that replace each other and refuse each other."""
    refused = {row.motifs for row in rows if row.held and row.kind == "not"}
    replaced = {row.motifs for row in rows if row.held and row.kind == "any of"}
    exclusive = {frozenset(pair) for pair in refused & replaced if len(pair) == 2}
    result = []
    for row in rows:
        pair = frozenset(row.motifs)
        if pair in exclusive and row.kind == "any of":
            row = row._replace(kind="one of")
        elif pair in exclusive:
            row = row._replace(held=False)  # "one of" says it
        result.append(row._replace(motifs=row.motifs[-1:]) if row.kind == "not" else row)
    return result


def _by_draws(found: Presence, names: tuple[str, ...], level: float, false: float) -> list[Requirement]:
    """Return pairs of motifs of which draws have one or the other, from the draws alone."""
    rows, exclusive, wanted = [], [], np.flatnonzero(found.more).tolist()
    for place, i in enumerate(wanted):
        for j in wanted[place + 1 :]:
            united = float(found.united[i, j])
            most = max(float(found.present.value[i]), float(found.present.value[j]))
            p = float(found.apart[i, j])
            error = float(np.hypot(found.present.error[i], found.present.error[j]))
            rows.append(Requirement("any of", (names[i], names[j]), united, error, most, p))
            exclusive.append(_avoided(found, i, j, false) or _avoided(found, j, i, false))
    return [
        row._replace(
            kind="one of" if apart else "any of",
            held=bool(row.q <= false and row.value >= level and 1 - row.value <= (1 - row.control) / 2),
        )
        for row, apart in zip(adjusted(rows), exclusive, strict=True)
    ]


def _avoided(found: Presence, first: int, second: int, false: float) -> bool:
    """Return True if draws with the first motif have the second one more rarely than the background has it."""
    value, p = found.together.value[first, second], found.together.p[first, second]
    return bool(p <= false and value < found.control[second] / 2)
