"""The windows of every value of a network, for edits of a given number of parts and letters."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np

from jaxmaxent.evaluate.incremental._costs import flops_of
from jaxmaxent.evaluate.incremental._ranges import Range, Reach, joined, merged
from jaxmaxent.evaluate.incremental._values import Graph, Value

# An update also reads and writes memory. It is used only if its FLOPs are less than this share of the full ones.
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
        self._unknown: set[int] = set()
        site = np.arange(length - width + 1)
        self._take(graph.sequence, [Reach(part, site, site + width - 1) for part in range(parts)])
        for value in graph.values:
            if value.opened is not None and value is not graph.sequence:
                self._take(value, list(self._spread(value)))

    def _spread(self, value: Value) -> Iterator[Reach]:
        for source, spread in value.window.spread:
            for reach in self._reaches[source.number]:
                found = spread(reach)
                yield from found if isinstance(found, list) else [found]

    def _take(self, value: Value, reaches: list[Reach]) -> None:
        length, sources = value.window.length, [source for source, _ in value.window.spread]
        kept = merged(reaches, length)
        wide = sum(reach.size for reach in kept) >= length
        if wide:
            kept = [joined(kept, length)]
        self._reaches[value.number] = kept
        if any(source.number in self._unknown for source in sources):
            self._unknown.add(value.number)
        if wide and not self._worth_updating(value) and self._worth_computing(value, sources):
            self._whole.add(value.number)
            self._unknown.add(value.number)

    def _worth_computing(self, value: Value, sources: list[Value]) -> bool:
        """Return True if a value that changes everywhere is computed in full, and is not taken from windows.

        Moving elements costs nothing. The one position that a slice keeps is taken from the window of its source.
        """
        return flops_of(value) > 0 or (bool(sources) and all(self.whole(source) for source in sources))

    def _worth_updating(self, value: Value) -> bool:
        """Return True if an update costs less than full computation, although the value changes everywhere."""
        flops = value.window.flops
        if value.number in self._unknown:
            return False
        return flops is not None and flops(self) < _WORTH * flops_of(value)

    def whole(self, value: Value) -> bool:
        """Return True if a windowed value is computed in full, because an edit changes all of it."""
        return value.number in self._whole

    def known_before(self, value: Value) -> bool:
        """Return True if a windowed value before the edit is cached, or cheap to compute from cached values."""
        return value.number not in self._unknown

    def ranges(self, value: Value) -> list[Range]:
        """Return the windows of a windowed value."""
        length = value.window.length
        return [reach.range(length) for reach in self._reaches[value.number]]

    def everywhere(self, value: Value) -> Range:
        """Return the range that covers all of a windowed value."""
        nowhere = np.zeros_like(self._reaches[value.number][0].lo) if self._reaches[value.number] else np.zeros(1, int)
        return Range(0, nowhere, value.window.length)


def cached(graph: Graph, plan: Plan) -> list[Value]:
    """Return the values to cache: values whose windows are narrower than the whole value, and sums over such values."""
    live = [value for value in graph.live() if value.depends]
    windows = [value for value in live if value.opened and not plan.whole(value) and _worth_reading(value, plan)]
    sums = [value for value in live if value.change and plan.known_before(value.change.source)]
    passed = _passed_on(live, plan, {value.number for value in windows}, graph.result)
    kept = [value for value in windows if value.number not in passed]
    if jax.default_backend() != "cpu":
        again = _computed_again(live, plan, {value.number for value in kept}, graph.result)
        kept = [value for value in kept if value.number not in again]
    return kept + sums


def _passed_on(live: list[Value], plan: Plan, held: set[int], result: Value) -> set[int]:
    """Return the values that need no cache, because they are read only to compute cached values of the same windows.

    The old value of such an input is needed only if it, or a value computed from it, is updated by a change.
    """
    readers = _readers(live)
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


def _computed_again(live: list[Value], plan: Plan, held: set[int], result: Value) -> set[int]:
    """Return the cached values that an accelerator computes again in each window, from the letters alone.

    They are the largest of many networks, and first layers of few inputs: that costs an accelerator no more than to
    read and write the window. On a CPU it costs several times more. The old value must not be needed for a change.
    """
    readers = _readers(live)
    letters: set[int] = set()  # the sequence, and values that only move its elements
    new_alone: dict[int, bool] = {}
    for value in reversed(live):
        new_alone[value.number] = value is not result and all(
            reader.opened is not None
            and not plan.whole(reader)
            and not _is_updated(reader, plan)
            and (reader.number in held or new_alone[reader.number])
            for reader in readers.get(value.number, [])
        )
    for value in live:
        sources = [source for source, _ in value.window.spread] if value.opened else []
        if value.opened and flops_of(value) == 0 and all(source.number in letters for source in sources):
            letters.add(value.number)
    return {
        value.number
        for value in live
        if value.number in held
        and new_alone[value.number]
        and value.number not in letters
        and all(source.number in letters for source, _ in value.window.spread)
    }


def _readers(live: list[Value]) -> dict[int, list[Value]]:
    """Return the values that read each value, by its number."""
    readers: dict[int, list[Value]] = {}
    for value in live:
        for source in value.equation.inputs if value.equation else []:
            readers.setdefault(source.number, []).append(value)
    return readers


def _is_updated(value: Value, plan: Plan) -> bool:
    return value.window.updates is not None and value.window.updates(plan)


def _worth_reading(value: Value, plan: Plan) -> bool:
    """Return True if a windowed value is worth caching: if it is costly, or joins inputs whose windows differ.

    If such joins were not cached, each sum of a residual network would be computed again for every later sum.
    """
    ranges = [[where.key for where in plan.ranges(source)] for source, _ in value.window.spread]
    return value.window.cached or any(keys != ranges[0] for keys in ranges[1:])
