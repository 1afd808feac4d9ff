"""A stream of anchors through lanes: an anchor that knows enough leaves its lane, and the next one takes it.

Nothing waits for the slowest anchor, and memory depends on the number of lanes alone. What an anchor draws depends on
its key and its ensemble: not on the anchors beside it, nor on when it took its lane.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmaxent.results import Run
from jaxmaxent.sampling._begin import finished
from jaxmaxent.sampling._entrants import Entrant
from jaxmaxent.sampling.device._lanes import Seats, lanes_block, lanes_mesh, put, put_anchor, spread, taken
from jaxmaxent.sampling.device._state import Carry, Clock, Ladder
from jaxmaxent.sampling.device._walk import REFRESH_EVERY
from jaxmaxent.sampling.host._lanes_progress import LanesProgress
from jaxmaxent.sampling.host._loop import Alone, Loop, Ran, Wish, in_units, next_size
from jaxmaxent.sampling.host._signals import Interrupted, Interrupts
from jaxmaxent.sampling.host._stopping import enough

_STRIDE = Clock._fields.index("stride")


class _LaneSeat:
    """The place of a loop's replicas in the arrays of all lanes."""

    def __init__(self, lanes: _Lanes, lane: int) -> None:
        self._lanes, self._lane = lanes, lane

    @property
    def carry(self) -> Carry:
        return self._lanes.taken(self._lane)

    @carry.setter
    def carry(self, carry: Carry) -> None:
        self._lanes.put(self._lane, carry)


class _Lanes:
    """The arrays of all lanes on the device, and the loops that sit in them."""

    @jax.transfer_guard("allow")
    def __init__(self, first: Loop, count: int) -> None:
        self.program, self.impl = first.program, str(jax.random.key_impl(first.keys.what))
        self.mesh = lanes_mesh(count)
        self.ensemble, self.seats = spread(
            self.mesh, first.ensemble.take(np.zeros(count, int)),
            jax.tree.map(lambda leaf: jnp.repeat(leaf[None], count, axis=0), _seats_of(first)),
        )  # fmt: skip
        self.sitting: list[_Sitting | None] = [None] * count

    @property
    def active(self) -> list[tuple[int, _Sitting]]:
        """The lanes that are taken, and who sits there."""
        return [(lane, one) for lane, one in enumerate(self.sitting) if one is not None]

    @property
    def free(self) -> list[int]:
        """The lanes that are free."""
        return [lane for lane, one in enumerate(self.sitting) if one is None]

    def taken(self, lane: int) -> Carry:
        """Return the carry of a lane."""
        return taken(self.seats.carry, np.int32(lane))

    def put(self, lane: int, carry: Carry) -> None:
        """Replace the carry of a lane."""
        self.seats = self.seats._replace(carry=put(self.seats.carry, np.int32(lane), carry))

    def enter(self, lane: int, entrant: Entrant) -> bool:
        """Give a free lane to an anchor; return False if it has come to its end before."""
        loop = entrant.loop
        turns = loop.turns(enough)
        wish = next(turns, None)
        if wish is None:
            return False
        self.ensemble = put_anchor(self.ensemble, np.int32(lane), loop.ensemble)
        self.seats = put(self.seats, np.int32(lane), _seats_of(loop))
        loop.seat = _LaneSeat(self, lane)
        self.sitting[lane] = _Sitting(entrant, turns, wish, loop.rule, loop.ladder)
        return True

    def leave(self, lane: int) -> Entrant:
        """Take an anchor out of its lane, with its replicas."""
        entrant = self._of(lane).entrant
        entrant.loop.seat = Alone(entrant.loop.carry)
        self.sitting[lane] = None
        return entrant

    def run(self, draws: int, phase: int) -> tuple[Any, Any, Any]:
        """Advance all lanes, and return what they traced and the proposals without a finite energy, [lanes, …]."""
        numbers = np.zeros((len(self.sitting), len(Clock._fields)), np.int32)
        for lane, one in self.active:
            numbers[lane] = one.entrant.loop.clock(draws, one.wish.stride)
        numbers[:, _STRIDE] = np.maximum(numbers[:, _STRIDE], 1)  # a free lane traces nothing that is looked at
        clocks, many, now = jax.device_put((numbers, np.int32(draws), np.int32(phase)))
        self.seats, trace = lanes_block(
            self.program, self.impl, self.mesh, self.ensemble, self.seats, clocks, many, now
        )  # fmt: skip
        return jax.device_get((trace.scalars, trace.stored, self.seats.carry.non_finite))

    def told(self, lane: int) -> None:
        """Let a lane know the rule and the ladder of its loop, if it has learned."""
        one = self._of(lane)
        loop = one.entrant.loop
        if loop.rule is not one.rule or loop.ladder is not one.ladder:
            new = loop.rule, _ladder_of(loop)
            rule, ladder = put((self.seats.rule, self.seats.ladder), np.int32(lane), new)
            self.seats = self.seats._replace(rule=rule, ladder=ladder)
            one.rule, one.ladder = loop.rule, loop.ladder

    def _of(self, lane: int) -> _Sitting:
        one = self.sitting[lane]
        if one is None:
            raise RuntimeError(f"lane {lane} is free")
        return one


@dataclasses.dataclass
class _Sitting:
    """An anchor in a lane.

    Attributes:
        entrant: the anchor.
        turns: its loop, which says what it wants next.
        wish: what it wants next.
        rule: the rule that its lane knows.
        ladder: the ladder that its lane knows.
    """

    entrant: Entrant
    turns: Generator[Wish, Ran, None]
    wish: Wish
    rule: Any
    ladder: Ladder


def stream(entrants: Iterable[Entrant], lanes: int, *, progress: bool = False) -> Iterator[tuple[Entrant, Run]]:
    """Yield anchors and their runs, in the order in which they end; checkpoints stay.

    Lanes are spread over the devices of this process, the most of them that divide their number.

    Args:
        entrants: the anchors; each is asked for when a lane is free. All have the same program.
        lanes: number of lanes.
        progress: show a line on the anchors in lanes.

    Raises:
        Interrupted: on Ctrl-C or SIGTERM, once all anchors in lanes are saved.
        NonFiniteEnergyError: if the network returns NaN or infinity.
    """
    waiting = _Waiting(iter(entrants))
    with contextlib.closing(LanesProgress(show=progress)) as line:
        if waiting.next is None:
            return
        work, ended = _Stream(_Lanes(waiting.next.loop, lanes), waiting, line), []
        try:
            with Interrupts() as interrupts:
                while ended := work.next(interrupts):
                    for one in ended:
                        with one.holding:
                            yield one, finished(one.loop, work.compile_seconds)
        finally:
            for one in (*ended, *(sitting.entrant for _, sitting in work.lanes.active), *waiting.known):
                one.holding.close()


class _Stream:
    """The work of all lanes.

    Attributes:
        lanes: the lanes.
        waiting: the anchors that have had none.
        line: the line on the anchors in lanes.
        phase: draws of all lanes so far, up to a multiple of the period after which everything is due again. An anchor
            may enter when its own number of draws is the same up to such a multiple.
        size: draws of a block that takes a moment.
        compile_seconds: time that compiling took.
    """

    def __init__(self, lanes: _Lanes, waiting: _Waiting, line: LanesProgress) -> None:
        self.lanes, self.waiting, self.line = lanes, waiting, line
        self.phase, self.size = 0, 1
        self.compile_seconds = 0.0

    @jax.transfer_guard("allow")
    def next(self, interrupts: Interrupts) -> list[Entrant]:
        """Run blocks until anchors have come to their end, and return these; none if all have."""
        while True:
            ended = self._filled()
            active = self.lanes.active
            if ended or not active:
                return ended
            _save_all(active, interrupts)
            if not self.compile_seconds:
                began = time.perf_counter()
                self.lanes.run(0, self.phase)
                self.compile_seconds = time.perf_counter() - began
                self.line.compiled(self.compile_seconds)
            if ended := self._advanced(active):
                return ended

    def _filled(self) -> list[Entrant]:
        """Give free lanes to anchors that may enter now; return those that had come to their end before."""
        ended, next_one = [], self._coming()
        if next_one is not None and not self.lanes.active:
            self.phase = _number(next_one) % REFRESH_EVERY
        for lane in self.lanes.free:
            while (next_one := self._coming()) is not None and self._gap(next_one) == 0:
                if self.lanes.enter(lane, self.waiting.take()):
                    break
                ended.append(next_one)
        return ended

    def _coming(self) -> Entrant | None:
        """Return the next anchor, or None; if it goes on within a stretch, lanes do without whole stretches."""
        one = self.waiting.next
        if one is not None and not one.loop.program.whole_stretches:
            self.lanes.program = dataclasses.replace(self.lanes.program, whole_stretches=False)
        return one

    def _gap(self, entrant: Entrant) -> int:
        """Return the draws until an anchor may enter."""
        return (_number(entrant) - self.phase) % REFRESH_EVERY

    def _advanced(self, active: list[tuple[int, _Sitting]]) -> list[Entrant]:
        """Run one block, and return the anchors that have come to their end."""
        next_one = self._coming() if self.lanes.free else None
        draws = min(in_units(self.size, self.lanes.program.unit), *(one.wish.draws for _, one in active))
        if next_one is not None:
            draws = min(draws, self._gap(next_one) or REFRESH_EVERY)
        began = time.perf_counter()
        rows, stored, bad = self.lanes.run(draws, self.phase)
        took = time.perf_counter() - began
        self.size, self.phase = next_size(draws, took), (self.phase + draws) % REFRESH_EVERY
        ended = []
        for lane, one in active:
            ran = Ran(draws, rows[lane], stored[lane], bad[lane], took / len(active))
            try:
                one.wish = one.turns.send(ran)
            except StopIteration:
                ended.append(self.lanes.leave(lane))
            else:
                self.lanes.told(lane)
        courses = [one.entrant.course for _, one in self.lanes.active]
        self.line.advance(draws * active[0][1].entrant.loop.program.thin, courses)
        return ended


class _Waiting:
    """The anchors that wait for a lane; the next one is made when it is first looked at.

    Attributes:
        known: the next one, if it is made.
    """

    def __init__(self, entrants: Iterator[Entrant]) -> None:
        self._entrants = entrants
        self.known: list[Entrant] = []

    @property
    def next(self) -> Entrant | None:
        """The next anchor, or None."""
        if not self.known:
            self.known = [one for one in [next(self._entrants, None)] if one is not None]
        return self.known[0] if self.known else None

    def take(self) -> Entrant:
        """Return the next anchor, which waits no more."""
        return self.known.pop()


def _number(entrant: Entrant) -> int:
    """Return the number of the next draw of an anchor."""
    return entrant.loop.steps // entrant.loop.program.thin


def _save_all(active: list[tuple[int, _Sitting]], interrupts: Interrupts) -> None:
    """Save all anchors that it is time for; after a signal all of them, before `Interrupted` is raised."""
    stopped = None
    for _, one in active:
        try:
            one.entrant.saver.save_if_due(one.entrant.loop, interrupts)
        except Interrupted as error:
            stopped = error
    if stopped is not None:
        raise stopped


def _seats_of(loop: Loop) -> Seats:
    """Return what a loop brings to its lane."""
    return Seats(loop.rule, _ladder_of(loop), jnp.stack([jax.random.key_data(key) for key in loop.keys]), loop.carry)


def _ladder_of(loop: Loop) -> Ladder:
    return Ladder(*(jnp.asarray(np.asarray(a), loop.ensemble.beta.dtype) for a in loop.ladder))
