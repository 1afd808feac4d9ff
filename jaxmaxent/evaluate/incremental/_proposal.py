"""One edit of one sequence: every value before and after the edit, in any range.

Values are computed on demand, from the features backwards, and each is computed once. A rule gets a `Reader`, which
gives the values before the edit or those after it, so the same rule computes both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

from jaxmaxent.evaluate import _slices as slices
from jaxmaxent.evaluate._interface import Edit, write
from jaxmaxent.evaluate._slices import Offset, laid_over, shifted
from jaxmaxent.evaluate.incremental._plan import Plan
from jaxmaxent.evaluate.incremental._ranges import Range
from jaxmaxent.evaluate.incremental._values import Graph, Value, Window

# The values of networks with more values than this are computed in their order.
_DEEP = 150


class Reader:
    """The values that a rule reads: those after the edit if `new` is True, else those before it."""

    def __init__(self, proposal: Proposal, new: bool) -> None:
        self.proposal, self._new = proposal, new

    def tokens(self, wanted: Range) -> Int[Array, " size"]:
        """Return the letters in a range."""
        p = self.proposal
        return p.cut(p.tokens[self._new], wanted, 0)

    def window(self, value: Value, wanted: Range, like: Window | None = None) -> Array:
        """Return a value in a range.

        Args:
            value: windowed, or clean.
            wanted: the range, which lies inside the value's sequence axis at every site.
            like: for a clean value, the window that gives the shape of the result.
        """
        if value.depends:
            return self.proposal.window(value, wanted, self._new)
        return self.proposal.clean_window(value, wanted, like)

    def positions(self, wanted: Range) -> Int[Array, " size"]:
        """Return the indices of the positions of a range."""
        return self.proposal.look_up(wanted.part, wanted.start).value + jnp.arange(wanted.size)

    def padded(
        self, value: Value, start: np.ndarray, wanted: Range, base: int, fill: Any, like: Window | None = None
    ) -> Array:
        """Return `wanted.size` positions of a value from `start[site]` on; they may lie outside its sequence axis.

        Args:
            value: windowed, or clean.
            start: the start for each site, counted after `base` − 1 times `fill` were put between the elements.
            wanted: a range; only its size and its part are used.
            base: 1 if nothing is put between the elements.
            fill: the number between the elements and outside.
            like: as for `window`.
        """
        window = value.opened or like
        assert window is not None
        length, axis, size = window.length, window.axis, wanted.size
        first = start // base
        held = min(length, size if base == 1 else (size - 1) // base + 3)
        inside = wanted.moved(np.clip(first, 0, length - held), held)
        array = self.window(value, inside, like)
        if base > 1:
            gaps = [(0, 0, base - 1 if i == axis else 0) for i in range(array.ndim)]
            array = lax.pad(array, jnp.asarray(fill, array.dtype), gaps)
        offset = start - inside.start * base
        return shifted(array, self.proposal.look_up(wanted.part, offset), size, axis, fill)


class Proposal:
    """One edit of one sequence, or, without an edit, the sequence itself.

    Args:
        graph: the network.
        plan: the windows for edits of this size.
        leaves: parameters and constants.
        remembered: the cached values, by the number of the value.
        tokens: the tokens of the sequence.
        edit: the edit; None for the sequence itself.
    """

    def __init__(
        self,
        graph: Graph,
        plan: Plan,
        leaves: Sequence[Any],
        remembered: dict[int, Array],
        tokens: Int[Array, " length"],
        edit: Edit | None,
    ) -> None:
        self.graph, self.plan, self.leaves, self.remembered = graph, plan, leaves, remembered
        self._starts = () if edit is None else edit.starts
        self.tokens = (tokens, tokens if edit is None else write(tokens, edit))
        self.old, self.new = Reader(self, False), Reader(self, True)
        self._memo: dict[Any, Any] = {}

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return the result of `make`, which is called only the first time that a key is used."""
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    # --- positions ---------------------------------------------------------------------------------------------

    def look_up(self, part: int, table: np.ndarray) -> Offset:
        """Return the entry of a table at the site of one part."""
        least, most = int(table.min()), int(table.max())
        if least == most:
            return Offset(least, least, most)
        key = ("look up", part, table.tobytes())
        entry = self.once(key, lambda: slices.cut(jnp.asarray(table, jnp.int32), self._starts[part], 1)[0])
        return Offset(entry, least, most)

    def between(self, one: Range, other: Range, scale: int = 1) -> Offset:
        """Return scale · one.start − other.start."""
        if one.part == other.part:
            return self.look_up(one.part, one.start * scale - other.start)
        first, second = self.look_up(one.part, one.start), self.look_up(other.part, other.start)
        value = first.value * scale - second.value
        return Offset(value, first.least * scale - second.most, first.most * scale - second.least)

    def cut(self, array: Array, wanted: Range, axis: int) -> Array:
        """Return a range along an axis of an array."""
        if wanted.size == array.shape[axis]:
            return array
        start = self.look_up(wanted.part, wanted.start)
        return slices.cut(array, start.value, wanted.size, axis)

    # --- in order -----------------------------------------------------------------------------------------------

    def features(self) -> Array:
        """Return the features. In a deep network values are computed in order, because calls would nest too deeply."""
        live = self.graph.live()
        if len(live) > _DEEP:
            for value in live:
                self._settle(value)
        return self.full(self.graph.result)

    def _settle(self, value: Value) -> None:
        if not value.depends or value.opened is None or not self.remembered:
            self.full(value)
        elif value.number in self.remembered and not self.plan.whole(value):
            for where in self.plan.ranges(value):
                self.window(value, where, False)
                self.window(value, where, True)

    # --- values ------------------------------------------------------------------------------------------------

    def clean(self, value: Value) -> Any:
        """Return a value that does not depend on the sequence."""
        if value.constant is not None:
            return value.constant
        if value.leaf is not None:
            return self.leaves[value.leaf]
        return self._result(value, self.clean)

    def full(self, value: Value) -> Any:
        """Return a whole value after the edit, in its own shape."""
        if not value.depends:
            return self.clean(value)
        if value is self.graph.sequence:
            return self.once("one hot", lambda: value.window.compute(self.new, self.plan.everywhere(value)))
        if value.number not in self.remembered:
            return self._result(value, self.full)
        if value.change is not None:
            if not self.plan.known_before(value.change.source):
                return self._result(value, self.full)
            return self.once(("sum", value.number), lambda: self._updated(value))
        if self.plan.whole(value):
            return self._result(value, self.full)
        return self.once(("full", value.number), lambda: self._merged(value))

    def _result(self, value: Value, of: Callable[[Value], Any]) -> Any:
        """Return a value by applying its equation."""
        equation = value.equation
        assert equation is not None
        made = self.once(("equation", id(equation)), lambda: equation.bind(*map(of, equation.inputs)))
        return made[value.output] if equation.primitive.multiple_results else made

    def _updated(self, value: Value) -> Array:
        change = value.change
        assert change is not None
        terms = [change.terms(self, difference, where) for difference, where in self.changes(change.source)]
        return sum(terms, start=self.remembered[value.number])

    def _merged(self, value: Value) -> Array:
        whole = jnp.moveaxis(self.remembered[value.number], 0, value.window.axis)
        for where in self.plan.ranges(value):
            start = self.look_up(where.part, where.start)
            whole = laid_over(whole, self.window(value, where, True), start, value.window.axis)
        return whole.reshape(value.shape)

    def clean_window(self, value: Value, wanted: Range, like: Window | None) -> Any:
        """Return a clean value in a range, in the shape of a window; a single number stays as it is."""
        if value.shape == () or like is None:
            return self.clean(value)
        equation = value.equation
        if equation is not None and equation.name == "broadcast_in_dim" and like.shape == value.shape:
            (source, *_), mapped = equation.inputs, equation.params["broadcast_dimensions"]
            if like.axis not in mapped or source.shape[mapped.index(like.axis)] == 1:
                return equation.bind(self.clean(source), shape=like.sized(wanted.size))
        if len(value.shape) == len(like.shape) and value.shape[like.axis] == 1:
            return self.clean(value)
        if len(value.shape) == len(like.shape):
            return self.cut(self.clean(value), wanted, like.axis)
        return self.cut(jnp.reshape(self.clean(value), like.shape), wanted, like.axis)

    def window(self, value: Value, wanted: Range, new: bool) -> Array:
        """Return a windowed value in a range, in the shape of its window."""
        return self.once((value.number, wanted.key, new), lambda: self._window(value, wanted, new))

    def _window(self, value: Value, wanted: Range, new: bool) -> Array:
        window = value.window
        held = self.remembered.get(value.number)
        if not new:
            if held is None:
                return window.compute(self.old, wanted)
            return jnp.moveaxis(self.cut(held, wanted, 0), 0, window.axis)
        if self.plan.whole(value):
            return self.cut(jnp.reshape(self.full(value), window.shape), wanted, window.axis)
        if held is None:
            return window.compute(self.new, wanted)
        made = None if window.update is None else window.update(self, wanted)
        if made is not None:
            return made
        own = self.plan.ranges(value)
        if any(where.key == wanted.key for where in own) or wanted.size <= min(where.size for where in own):
            return window.compute(self.new, wanted)
        return self._overlaid(value, wanted, own)

    def _overlaid(self, value: Value, wanted: Range, own: list[Range]) -> Array:
        """Return the cached value after its new windows were written over it."""
        axis = value.window.axis
        array = self.window(value, wanted, False)
        for where in own:
            array = laid_over(array, self.window(value, where, True), self.between(where, wanted), axis)
        return array

    def changes(self, value: Value) -> list[tuple[Array, Range]]:
        """Return new − old of a windowed value in each window. A position in two windows counts only in the first."""
        return self.once(("changes", value.number), lambda: self._changes(value))

    def _changes(self, value: Value) -> list[tuple[Array, Range]]:
        found = []
        axis, own = value.window.axis, self.plan.ranges(value)
        for i, where in enumerate(own):
            new, old = self.window(value, where, True), self.window(value, where, False)
            difference = new - old
            for earlier in own[:i]:
                offset = self.between(where, earlier)
                at = offset.value + np.arange(where.size)
                free = (at < 0) | (at >= earlier.size)
                shape = [where.size if j == axis else 1 for j in range(difference.ndim)]
                difference = jnp.where(free.reshape(shape), difference, jnp.zeros_like(difference))
            found.append((difference, where))
        return found

    def patch_of(self, value: Value) -> Any:
        """Return the patch of a cached value: starts and windows, sequence axis first; for a sum, the new sum."""
        if value.change is not None:
            return self.full(value)
        if self.plan.whole(value):
            whole = jnp.reshape(self.full(value), value.window.shape)
            whole = jnp.moveaxis(whole, value.window.axis, 0)
            return [(jnp.zeros((), jnp.int32), whole)]
        return [self._piece(value, where) for where in self.plan.ranges(value)]

    def _piece(self, value: Value, where: Range) -> tuple[Array, Array]:
        """Return the start and the values of a window, or of a range around it that was computed already."""
        asked = [key for key in self._memo if isinstance(key, tuple) and key[0] == value.number and key[2:] == (True,)]
        for key in asked:
            part, start, size = key[1]
            table = np.full_like(where.start, start) if part < 0 else np.frombuffer(start, where.start.dtype)
            candidate = Range(where.part if part < 0 else part, table, size)
            if candidate.covers(where) and size <= 2 * where.size:
                where = candidate
                break
        start = jnp.asarray(self.look_up(where.part, where.start).value, jnp.int32)
        return start, jnp.moveaxis(self.window(value, where, True), value.window.axis, 0)


def first_cache(graph: Graph, plan: Plan, leaves: Sequence[Any], tokens: Array, values: Sequence[Value]) -> Any:
    """Return the features of a sequence, and the arrays of `values` as the cache holds them, in their `held_shape`."""
    proposal = Proposal(graph, plan, leaves, {}, tokens, None)

    def kept(value: Value) -> Array:
        whole = proposal.full(value)
        if value.opened is None:
            return whole
        whole = jnp.moveaxis(jnp.reshape(whole, value.window.shape), value.window.axis, 0)
        return jnp.reshape(whole, held_shape(value))

    return proposal.features(), tuple(kept(value) for value in values)


def held_shape(value: Value) -> tuple[int, ...]:
    """Return the shape of a value in the cache: the sequence axis first, and no other axis of size 1.

    Compilers may change the layout in memory of arrays with axes of size 1, and would copy whole caches to do so.
    """
    if value.opened is None:
        return value.shape
    axis, shape = value.window.axis, value.window.shape
    return (shape[axis], *(size for size in shape[:axis] + shape[axis + 1 :] if size != 1))


def full_shape(value: Value) -> tuple[int, ...]:
    """Return the shape of a cached value with all its axes, the sequence axis first."""
    if value.opened is None:
        return value.shape
    axis, shape = value.window.axis, value.window.shape
    return (shape[axis], *shape[:axis], *shape[axis + 1 :])
