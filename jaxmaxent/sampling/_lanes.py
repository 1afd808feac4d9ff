"""A stream of anchors through lanes: an anchor that knows enough leaves its lane, and the next one takes it.

Nothing waits for the slowest anchor, and memory depends on the number of lanes alone. What an anchor draws depends on
its key and its ensemble: not on the anchors beside it, nor on when it took its lane.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmaxent.kernels import Mixture, Rule
from jaxmaxent.kernels._mixture import TOGETHER
from jaxmaxent.results import Run
from jaxmaxent.sampling._begin import finished
from jaxmaxent.sampling._checkpoint import Saver
from jaxmaxent.sampling.device._lanes import Seats, lanes_block, put, put_anchor, taken
from jaxmaxent.sampling.device._state import Carry, Clock, Ladder
from jaxmaxent.sampling.device._walk import REFRESH_EVERY
from jaxmaxent.sampling.host._loop import Alone, Loop, Ran, Wish, next_size
from jaxmaxent.sampling.host._signals import Interrupted, Interrupts
from jaxmaxent.sampling.host._stopping import enough
from jaxmaxent.sampling.program._program import Program


_STRIDE = Clock._fields.index("stride")


def lane_program(program: Program, rule: Rule | Mixture) -> Program:
    """Return the program of one anchor in a lane.

    Lanes choose their rules by themselves, so a branch or a loop would do the work of all rules for all lanes. Where it
    can, a step lets all rules propose, and evaluates one proposal.
    """
    together = not program.incremental and not rule.needs_gradient
    choice = TOGETHER if together else program.choice
    return dataclasses.replace(program, one_by_one=False, choice=choice, mesh=None)


@dataclasses.dataclass
class Entrant:
    """An anchor on its way to a lane.

    Attributes:
        number: its number, by which its run is known.
        loop: its loop, at the start or where it was interrupted; its program is that of a lane.
        saver: where it is saved, or None.
    """

    number: int
    loop: Loop
    saver: Saver | None = None


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

    def __init__(self, first: Loop, count: int, mesh: jax.sharding.Mesh | None) -> None:
        self.program, self.impl, self.mesh = first.program, str(jax.random.key_impl(first.keys.what)), mesh
        whole = first.ensemble.take(np.zeros(count, int))
        seats = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], count, axis=0), _seats_of(first))
        self.ensemble, self.seats = jax.tree.map(jnp.copy, whole), seats
        self.sitting: list[_Sitting | None] = [None] * count

    @property
    def active(self) -> list[tuple[int, _Sitting]]:
        """The lanes that are taken, and who sits there."""
        return [(lane, one) for lane, one in enumerate(self.sitting) if one is not None]

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


@jax.transfer_guard("allow")
def stream(
    entrants: Iterable[Entrant], lanes: int, *, mesh: jax.sharding.Mesh | None = None
) -> Iterator[tuple[Entrant, Run]]:
    """Yield anchors and their runs, in the order in which they end.

    Args:
        entrants: the anchors; each is asked for when a lane is free. All have the same program.
        lanes: number of lanes.
        mesh: devices that the lanes are spread over, along an axis named "lanes".

    Raises:
        Interrupted: on Ctrl-C or SIGTERM, once all anchors in lanes are saved.
        NonFiniteEnergyError: if the network returns NaN or infinity.
    """
    waiting, size, phase = _Waiting(iter(entrants)), 1, 0
    seats: _Lanes | None = None
    compiling = 0.0
    with Interrupts() as interrupts:
        while True:
            if seats is None:
                if waiting.next is None:
                    return
                seats = _Lanes(waiting.next.loop, lanes, mesh)
            if not seats.active and waiting.next is not None:
                phase = _number(waiting.next) % REFRESH_EVERY
            ended = []
            for lane in [k for k, one in enumerate(seats.sitting) if one is None]:
                if waiting.next is None or (phase - _number(waiting.next)) % REFRESH_EVERY:
                    break
                entrant = waiting.take()
                if not seats.enter(lane, entrant):
                    ended.append(entrant)
            for entrant in ended:  # saved after its last block
                yield entrant, finished(entrant.loop, compiling)
            active = seats.active
            if not active:
                if waiting.next is None:
                    return
                continue
            _save_all(active, interrupts)
            draws = min(size, *(one.wish.draws for _, one in active))
            if len(active) < lanes and waiting.next is not None:
                draws = min(draws, (_number(waiting.next) - phase - 1) % REFRESH_EVERY + 1)
            if not compiling:
                began = time.perf_counter()
                seats.run(0, phase)
                compiling = time.perf_counter() - began
            began = time.perf_counter()
            rows, stored, bad = seats.run(draws, phase)
            took = time.perf_counter() - began
            size, phase = next_size(draws, took), (phase + draws) % REFRESH_EVERY
            for lane, one in active:
                ran = Ran(draws, rows[lane], stored[lane], bad[lane], took / len(active))
                try:
                    one.wish = one.turns.send(ran)
                except StopIteration:
                    ended.append(seats.leave(lane))
                else:
                    seats.told(lane)
            for entrant in ended:
                yield entrant, finished(entrant.loop, compiling)


class _Waiting:
    """The anchors that wait for a lane; the next one is made when it is first looked at."""

    def __init__(self, entrants: Iterator[Entrant]) -> None:
        self._entrants = entrants
        self._known: list[Entrant] = []

    @property
    def next(self) -> Entrant | None:
        """The next anchor, or None."""
        if not self._known:
            self._known = [one for one in [next(self._entrants, None)] if one is not None]
        return self._known[0] if self._known else None

    def take(self) -> Entrant:
        """Return the next anchor, which waits no more."""
        return self._known.pop()


def _number(entrant: Entrant) -> int:
    """Return the number of the next draw of an anchor."""
    return entrant.loop.steps // entrant.loop.program.thin


def _save_all(active: list[tuple[int, _Sitting]], interrupts: Interrupts) -> None:
    """Save all anchors that it is time for; after a signal all of them, before `Interrupted` is raised."""
    stopped = None
    for _, one in active:
        if one.entrant.saver is not None:
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
