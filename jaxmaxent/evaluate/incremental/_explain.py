"""A table of a network's operations that shows how much work windows save. No chain is run for it."""

from __future__ import annotations

import dataclasses

import numpy as np

from jaxmaxent.evaluate.incremental._costs import flops_of
from jaxmaxent.evaluate.incremental._plan import Plan
from jaxmaxent.evaluate.incremental._values import Graph, Value

FILLED = "changes everywhere, because its windows together are as long as its sequence axis"
# Operations that end a window by filling it are named if they take at least this share of all FLOPs.
_NAMED = 0.01


@dataclasses.dataclass(frozen=True)
class Row:
    """One operation of the network that depends on the sequence.

    Attributes:
        operation: the name of the JAX primitive.
        scope: the names of the modules around it, such as "Net/conv_1"; empty without.
        shape: the shape of its result.
        length: the length of the sequence axis; 0 if the result has none.
        windows: the size of each window along that axis; empty if the result is an updated sum or is computed in full.
        how: "window", "update" (of a sum over the sequence) or "full".
        full_flops: FLOPs of a full evaluation.
        flops: FLOPs of a proposal.
        bytes: bytes of one chain's cache that an accepted proposal reads and writes.
        cached: bytes of the result in the cache of each chain; 0 if it is not cached.
        reason: why the result has no window although an input has; empty otherwise.
    """

    operation: str
    scope: str
    shape: tuple[int, ...]
    length: int
    windows: tuple[int, ...]
    how: str
    full_flops: int
    flops: int
    bytes: int
    cached: int
    reason: str


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The costs of a proposal for each operation; `print` shows them as a table.

    Attributes:
        rows: one row per operation.
        parts: the number of parts of an edit.
        width: the letters of each part.
    """

    rows: tuple[Row, ...]
    parts: int
    width: int

    @property
    def full_flops(self) -> int:
        """The FLOPs of a full evaluation."""
        return sum(row.full_flops for row in self.rows)

    @property
    def flops(self) -> int:
        """The FLOPs of a proposal."""
        return sum(row.flops for row in self.rows)

    @property
    def bytes(self) -> int:
        """The bytes of one chain's cache that an accepted proposal reads and writes."""
        return sum(row.bytes for row in self.rows)

    @property
    def cache_bytes(self) -> int:
        """The bytes of one chain's cache, without its tokens."""
        return sum(row.cached for row in self.rows)

    @property
    def stops(self) -> tuple[Row, ...]:
        """The operations at which a window ends: what follows from them is computed in full."""
        return tuple(row for row in self.rows if row.reason)

    def __str__(self) -> str:
        lines = [f"{'operation':24s}{'shape':>18s}{'window':>12s}{'FLOPs full':>14s}{'proposal':>13s}{'cache':>11s}"]
        for row in self.rows:
            if row.full_flops < self.full_flops / 1000 and not (row.cached or row.reason):
                continue
            window = " + ".join(map(str, row.windows)) or row.how
            shape = "×".join(map(str, row.shape)) or "1"
            lines.append(
                f"{row.operation[:23]:24s}{shape:>18s}{window:>12s}{row.full_flops:>14,}{row.flops:>13,}{row.cached:>11,}"
            )
        share = self.full_flops / max(self.flops, 1)
        lines.append(
            f"an edit of {self.parts} × {self.width} letters: {self.flops:,} FLOPs instead of {self.full_flops:,} "
            f"({share:.1f} times fewer), {self.bytes:,} bytes of cache read or written, {self.cache_bytes:,} bytes "
            f"of cache for each chain"
        )
        return "\n".join([*lines, *self._stops()])

    def _stops(self) -> list[str]:
        """Return a sentence for each reason and module that ends windows."""
        found: dict[tuple[str, str, str], list[Row]] = {}
        for row in self.stops:
            found.setdefault((row.operation, row.scope, row.reason), []).append(row)
        sentences = []
        for (operation, scope, reason), rows in found.items():
            place = f" in {scope}" if scope else ""
            times = f" ({len(rows)} times)" if len(rows) > 1 else ""
            sentences.append(f"no window goes on from {operation} {list(rows[0].shape)}{place}{times}: it {reason}")
        return sentences


def explain(graph: Graph, plan: Plan, cached: list[Value]) -> Explanation:
    """Return the costs of a proposal under a plan."""
    kept = {value.number for value in cached}
    rows, counted = [], set()
    for value in graph.live():
        if value.depends and value.equation:
            row = _row(value, plan, value.number in kept)
            if id(value.equation) in counted:  # the work of an operation with several results is done once
                row = dataclasses.replace(row, full_flops=0, flops=0)
            counted.add(id(value.equation))
            rows.append(row)
    least = _NAMED * sum(row.full_flops for row in rows)
    rows = [row if row.reason != FILLED or row.full_flops > least else _without_reason(row) for row in rows]
    return Explanation(tuple(rows), plan.parts, plan.width)


def _without_reason(row: Row) -> Row:
    return dataclasses.replace(row, reason="")


def _row(value: Value, plan: Plan, kept: bool) -> Row:
    full, name = flops_of(value), value.equation.name if value.equation else ""
    size = int(np.prod(value.shape)) * np.dtype(value.dtype).itemsize
    scope = value.equation.scope if value.equation else ""
    row = Row(name, scope, value.shape, 0, (), "full", full, full, 0, size if kept else 0, value.reason)
    source = value.change.source if value.change else None
    if source is not None and plan.known_before(source):
        share = sum(where.size for where in plan.ranges(source)) / source.window.length
        return dataclasses.replace(row, how="update", flops=int(full * share), bytes=2 * row.cached)
    if value.opened is None:
        return row
    length, sizes = value.window.length, tuple(where.size for where in plan.ranges(value))
    row = dataclasses.replace(row, length=length, windows=sizes, how="full" if plan.whole(value) else "window")
    if plan.whole(value):
        filled = not any(plan.whole(source) for source, _ in value.window.spread)
        return dataclasses.replace(row, reason=FILLED if filled else "")
    share = sum(sizes) / length
    count = value.window.flops if kept or value.window.update is None else None  # what is not kept is not updated
    flops = count(plan) if count else int(full * share)
    return dataclasses.replace(row, flops=flops, bytes=int(2 * row.cached * share))
