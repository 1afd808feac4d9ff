"""The windows that an edit of so many parts and letters opens, for every value of a network."""

from __future__ import annotations

import numpy as np

from jaxmaxent.evaluate.incremental._costs import flops_of
from jaxmaxent.evaluate.incremental._ranges import Range, Reach, merged
from jaxmaxent.evaluate.incremental._values import Graph, Value

# An update reads and writes what it changes, so it must save more than a little.
_WORTH = 0.75


class Plan:
    """The windows of all values for edits of `parts` parts of `width` adjacent letters."""

    def __init__(self, graph: Graph, parts: int, width: int) -> None:
        length = graph.sequence.shape[0]
        if not 1 <= width <= length:
            raise ValueError(f"width must be 1 to the length of the sequence, {length}, got {width}")
        self.parts: int = parts
        self.width: int = width
        self._reaches: dict[int, list[Reach]] = {}
        self._whole: set[int] = set()
        site = np.arange(length - width + 1)
        self._take(graph.sequence, [Reach(part, site, site + width - 1) for part in range(parts)])
        for value in graph.values:
            if value.opened is not None and value is not graph.sequence:
                reaches = [spread(r) for source, spread in value.window.spread for r in self._reaches[source.number]]
                # A value made of one that is computed in full has no old value to compare with.
                self._take(value, reaches, any(self.whole(source) for source, _ in value.window.spread))

    def _take(self, value: Value, reaches: list[Reach], whole: bool = False) -> None:
        length = value.window.length
        kept = merged(reaches, length)
        wide = sum(reach.size for reach in kept) >= length
        if whole or wide:
            nowhere = np.zeros_like(reaches[0].lo)
            kept = [Reach(0, nowhere, nowhere + length - 1)]
        self._reaches[value.number] = kept
        if whole or (wide and not self._worth_updating(value)):
            self._whole.add(value.number)

    def _worth_updating(self, value: Value) -> bool:
        """Return True if a value that changes everywhere still costs less as an update."""
        flops = value.window.flops
        return flops is not None and flops(self) < _WORTH * flops_of(value)

    def whole(self, value: Value) -> bool:
        """Return True if a windowed value is computed in full, because its windows together are as large as itself."""
        return value.number in self._whole

    def ranges(self, value: Value) -> list[Range]:
        """Return the windows of a windowed value."""
        length = value.window.length
        return [reach.range(length) for reach in self._reaches[value.number]]

    def everywhere(self, value: Value) -> Range:
        """Return one range that is all of a windowed value."""
        nowhere = np.zeros_like(self._reaches[value.number][0].lo) if self._reaches[value.number] else np.zeros(1, int)
        return Range(0, nowhere, value.window.length)


def cached(graph: Graph, plan: Plan) -> list[Value]:
    """Return the values to remember: those whose windows are narrower than themselves, and sums over them."""
    live = [value for value in graph.live() if value.depends]
    windows = [value for value in live if value.opened and not plan.whole(value) and _worth_reading(value, plan)]
    sums = [value for value in live if value.change and not plan.whole(value.change.source)]
    passed = _passed_on(live, plan, {value.number for value in windows}, graph.result)
    return [value for value in windows if value.number not in passed] + sums


def _passed_on(live: list[Value], plan: Plan, held: set[int], result: Value) -> set[int]:
    """Return the values that are read only to make others of the same windows, which are remembered themselves.

    The old value is needed only if it, or a value made of it, is updated by a change.
    """
    readers: dict[int, list[Value]] = {}
    for value in live:
        for source in value.equation.inputs if value.equation else []:
            readers.setdefault(source.number, []).append(value)
    passed: set[int] = set()
    for value in reversed(live):
        if value.opened is None or value is result or plan.whole(value) or _is_updated(value, plan):
            continue
        own = [where.key for where in plan.ranges(value)]
        if all(
            reader.opened is not None
            and not plan.whole(reader)
            and not _is_updated(reader, plan)
            and [where.key for where in plan.ranges(reader)] == own
            and (reader.number in held or reader.number in passed)
            for reader in readers[value.number]
        ):
            passed.add(value.number)
    return passed


def _is_updated(value: Value, plan: Plan) -> bool:
    return value.window.updates is not None and value.window.updates(plan)


def _worth_reading(value: Value, plan: Plan) -> bool:
    """Return True if a windowed value is worth remembering: if it is costly, or joins windows that differ.

    Otherwise each sum of a residual chain would be computed in the window of every later one.
    """
    ranges = [[where.key for where in plan.ranges(source)] for source, _ in value.window.spread]
    return value.window.cached or any(keys != ranges[0] for keys in ranges[1:])
