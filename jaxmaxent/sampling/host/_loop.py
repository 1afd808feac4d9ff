"""The one loop of the host: blocks, one after another, through the burn-in and then until enough is known.

The result of a run does not depend on how long its blocks are, nor on whether it was saved, killed and resumed between
two of them.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jaxmaxent.ensembles._reference import learned_reference, marginals
from jaxmaxent.sampling._prepare import Prepared
from jaxmaxent.sampling.device import _block as blocks
from jaxmaxent.sampling.device._counters import Counters
from jaxmaxent.sampling.device._state import TRACE_SLOTS, Carry, Clock, Keys, Trace
from jaxmaxent.sampling.host._ladder import evened
from jaxmaxent.sampling.host._progress import Listener
from jaxmaxent.sampling.host._totals import Kept, Totals, first_size

# Long enough that a call costs nothing beside the work, short enough that the bar moves and Ctrl-C is heard.
_SECONDS_PER_BLOCK = 0.5
# Letters that teach the reference count so much less after a round of the burn-in.
_FORGET = 0.5
# Devices get copies of what they share. Between host and device nothing is sent but by `device_put` and `device_get`.
_shared = jax.transfer_guard_device_to_device("allow")


class NonFiniteEnergyError(ArithmeticError):
    """The network returned NaN or infinity for a sequence that a chain came to."""


class Wish(NamedTuple):
    """What a loop wants next: a block of at most so many draws.

    Attributes:
        draws: the largest number of draws.
        stride: draws between two that are traced.
    """

    draws: int
    stride: int


class Ran(NamedTuple):
    """What a loop learns of a block that ran.

    Attributes:
        draws: its draws, at most as many as were wished.
        rows: energies, distances and field counts of the draws that are traced; the last slots are not complete.
        stored: sequences of the draws that are stored.
        bad: proposals without a finite energy.
        seconds: time that it took.
    """

    draws: int
    rows: np.ndarray
    stored: np.ndarray
    bad: np.ndarray
    seconds: float


class Seat(Protocol):
    """The place where the replicas of a loop are."""

    @property
    def carry(self) -> Carry:
        """The replicas, and their counters since the last batch."""
        ...

    @carry.setter
    def carry(self, carry: Carry) -> None: ...


@dataclasses.dataclass
class Alone:
    """The seat of a loop with a program to itself."""

    carry: Carry


class Loop:
    """A run in progress: it runs blocks and gathers what they return.

    Attributes:
        program: what shapes the compiled program.
        ensemble: what is sampled, batched.
        rule: how replicas move.
        ladder: the rungs of both legs of each anchor, as arrays of NumPy in float64.
        taught: letters that anchor-start chains showed at the target, later rounds more, [anchors, length, letters].
        keys: the keys of the run.
        options: the options.
        seat: where the replicas are, with their counters since the last batch.
        totals: everything counted after the burn-in.
        stored: stored draws, a list of [anchors, all_chains, draws, rungs, length].
        round: the round of the burn-in; the number of rounds once it is over.
        done: draws in this round or batch.
        steps: steps of every replica so far.
        seconds: time that the blocks ran.
        passed: draws at which each anchor first came near the precision wanted, 0 if it has not, [anchors].
        noise: β times the noise of the energy, [anchors].
        copies: energies of shifted and reverse-complemented anchors, by number of the anchor, once they are needed.
    """

    def __init__(self, prepared: Prepared, keys: Keys, carry: Carry, bar: Listener) -> None:
        self.ensemble, self.options, self.rule, self.program, self.ladder = prepared
        self.keys, self.bar = keys, bar
        self.seat: Seat = Alone(carry)
        replicas, beyond = self.options.target_replicas, self.options.reference_rungs
        self.totals = Totals(first_size(self.options.draws), replicas, beyond, self.burn_in)
        self.taught = np.zeros(self.ladder.log_q.shape)
        self.passed = np.zeros(self.ensemble.anchors, np.int64)
        self.stored: list[np.ndarray] = []
        self.round = self.done = self.steps = 0
        self.seconds = 0.0
        self.noise = np.zeros(self.ensemble.anchors)
        self.copies: dict[int, np.ndarray] = {}
        self._size = 1

    @property
    def carry(self) -> Carry:
        """The replicas, and their counters since the last batch."""
        return self.seat.carry

    @carry.setter
    def carry(self, carry: Carry) -> None:
        self.seat.carry = carry

    @property
    def betas(self) -> np.ndarray:
        """β of the rungs up to the target, [anchors, rungs]."""
        return np.asarray(self.ladder.betas)

    def kept(self) -> Kept:
        """Return the draws that enter estimates; in a run of open length, burn-in grows with the run."""
        return self.totals.kept(self.burn_in)

    @property
    def burn_in(self) -> int | None:
        """Draws of the burn-in at first; None if it does not grow, in a run of a given length."""
        return None if self.options.until is None else sum(self.options.rounds)

    @_shared
    def compile(self) -> float:
        """Compile the program by a block of no steps, unless it is compiled already; return the seconds it took."""
        began = time.perf_counter()
        self.carry, _ = jax.block_until_ready(self._block(0, 1))
        return time.perf_counter() - began

    @_shared
    def run(self, enough: Callable[[Loop], bool], before_block: Callable[[], Any] = lambda: None) -> None:
        """Go on to the end from wherever the loop is.

        Args:
            enough: called after every batch; the loop stops when it returns True.
            before_block: called before every block and at the end, when the loop can be saved.
        """
        turns = self.turns(enough)
        wish = next(turns, None)
        while wish is not None:
            before_block()
            ran = self._advance(wish)
            try:
                wish = turns.send(ran)
            except StopIteration:
                wish = None
        before_block()

    def turns(self, enough: Callable[[Loop], bool]) -> Generator[Wish, Ran, None]:
        """Yield what is to be run next, and take what was run, to the end; at every yield the loop can be saved.

        Args:
            enough: called after every batch; the generator ends when it returns True.
        """
        rounds = self.options.rounds
        if len(rounds) < 2:  # nothing is learned
            self.rule = self.rule.settled()
        while self.round < len(rounds):
            size = rounds[self.round]
            self._adapt((yield from self._batch("burn-in", size, -(-size // TRACE_SLOTS))))
            self.round += 1
        while self.totals.draws < self.options.draws and not enough(self):
            size = min(self.totals.size, self.options.draws - self.totals.draws)
            self.totals.add_batch((yield from self._batch("sampling", size, self.totals.stride)))

    def _batch(self, what: str, size: int, stride: int) -> Generator[Wish, Ran, Counters]:
        """Yield wishes until there are so many draws, and return their counters."""
        while self.done < size:
            ran = yield Wish(self._block_size(size - self.done), stride)
            self.seconds += ran.seconds
            self._check_energies(ran.bad)
            if what == "sampling":
                self._keep(ran, stride)
            self.done += ran.draws
            self.steps += ran.draws * self.program.thin
            self.bar.advance(
                what, ran.draws * self.program.thin, energy=float(ran.rows[..., 0, self.program.rungs - 1, 0].mean())
            )
        counters = jax.device_get(self.carry.counters)
        self.carry = blocks.emptied(self.program, self.ensemble, self.carry)
        self.done = 0
        return counters

    def _advance(self, wish: Wish) -> Ran:
        """Run a block, of a length that takes a moment."""
        draws = min(wish.draws, in_units(self._size, self.program.unit))
        began = time.perf_counter()
        self.carry, trace = self._block(draws, wish.stride)
        rows, stored, bad = jax.device_get((trace.scalars, trace.stored, self.carry.non_finite))
        took = time.perf_counter() - began
        self._size = next_size(draws, took)
        return Ran(draws, rows, stored, bad, took)

    def _block(self, draws: int, stride: int) -> tuple[Carry, Trace]:
        kind = self.ensemble.beta.dtype
        # As one array, because to send each of the numbers by itself would take several times as long.
        ladder, clock = jax.device_put(
            (jax.tree.map(lambda a: np.asarray(a, kind), self.ladder), np.array(self.clock(draws, stride), np.int32))
        )
        return blocks.block(self.program, self.ensemble, self.rule, ladder, self.keys, self.carry, clock)

    def clock(self, draws: int, stride: int) -> Clock:
        """Return the clock of a block that begins now."""
        sampled = self.totals.draws + self.done if self.round == len(self.options.rounds) else 0
        return Clock(self.steps, draws, self.done, sampled, stride, self._learns, self.steps // self.program.thin)

    @property
    def _learns(self) -> bool:
        """True while ladder and reference are learned: in all rounds of several but the last."""
        return self.round < len(self.options.rounds) - 1

    def _block_size(self, left: int) -> int:
        """Return the most draws of the next block: as many as the buffer of stored draws has room for."""
        if not self.program.store_every:
            return left
        sampled = self.totals.draws + self.done
        room = self.program.buffer * self.program.store_every - sampled % self.program.store_every
        return min(left, in_units(room, self.program.unit))

    def _keep(self, ran: Ran, stride: int) -> None:
        """Take in what a block traced."""
        complete = (self.done + ran.draws) // stride - self.done // stride
        self.totals.add_trace(ran.rows[:, :, :complete])
        if self.program.store_every:
            sampled, every = self.totals.draws + self.done, self.program.store_every
            self.stored.append(ran.stored[:, :, : (sampled + ran.draws) // every - sampled // every])

    @jax.transfer_guard("allow")
    def _adapt(self, counters: Counters) -> None:
        """Let the rule learn from a round of the burn-in, and even the ladder unless the round was the last.

        What the rule has learned helps replicas to reach the target in the next rounds, where more is learned.
        """
        estimating, pairs = slice(0, self.options.chains), self.options.rungs - 1
        if self._learns:
            refused = 1 - counters.swaps[:, estimating].mean(1) / self.options.rounds[self.round]
            if self.options.adapts:
                rows = zip(self.betas, refused[:, :pairs], strict=True)
                evener = [evened(*row, self.options.rungs_at) for row in rows]
                self.ladder = self.ladder._replace(betas=np.stack(evener))
            if self.program.has_reference:
                self._learn_reference(counters.letters[:, self.options.chains :, -1].sum(1), refused[:, pairs:])
        letters = counters.letters[:, estimating].sum(1)
        frequencies = letters / letters.sum(-1, keepdims=True)
        settled = self.round >= len(self.options.rounds) - 2  # from now on chains move as they will when draws count
        if self.program.has_reference:
            frequencies = self._with_reference(frequencies, known=settled)
        self.rule = self.rule.learn(frequencies, self.ensemble)
        if settled:
            self.rule = self.rule.settled()

    def _with_reference(self, frequencies: Any, *, known: bool) -> np.ndarray:
        """Return letter frequencies of all rungs, and behind them those of the reference once it is known.

        A rule that proposes letters of the reference leads from one state of the target to another, so chains that
        teach it would leave the anchor's state. Until it is known, those of the target stand in its place.
        """
        last = np.exp(self.ladder.log_q)[:, None] if known else np.asarray(frequencies)[:, -1:]
        return np.concatenate([frequencies, *[last] * (self.options.tables - self.options.rungs)], axis=1)

    def _learn_reference(self, letters: Any, refused: Any) -> None:
        """Take the reference from what the anchor-start chains show at the target, and even the second leg.

        Letters seen before count half as much after each round: early on, chains are still close to the anchor.
        """
        self.taught = _FORGET * self.taught + letters
        log_q = learned_reference(self.taught, marginals(self.ensemble))
        shares = np.concatenate([np.zeros((len(refused), 1)), self.ladder.shares], axis=1)
        evener = np.stack([evened(*row) for row in zip(shares, refused, strict=True)])
        self.ladder = self.ladder._replace(shares=evener[:, 1:], log_q=log_q)
        self.carry = blocks.told(self.program, self.ensemble, np.asarray(log_q, self.ensemble.beta.dtype), self.carry)

    def _check_energies(self, bad: np.ndarray) -> None:
        if not bad.any():
            return
        anchor, chain, replica = (int(i) for i in np.argwhere(bad)[0])
        tokens = np.asarray(self.carry.offender[anchor, chain, replica])
        blamed = "the network or a field" if any(field.grows for field in self.ensemble.fields) else "the network"
        raise NonFiniteEnergyError(
            f"{blamed} returned a NaN or infinite energy for {int(bad.sum())} proposals before step "
            f"{self.steps}, the first in chain {chain} of anchor {anchor}, for example for the sequence "
            f"{self.ensemble.alphabet.decode(tokens)}; check its parameters"
        )


def next_size(draws: int, seconds: float) -> int:
    """Return the draws of a block that takes a moment, after one of so many draws took so long."""
    return max(1, min(4 * draws, int(draws * _SECONDS_PER_BLOCK / max(seconds, 1e-6))))


def in_units(draws: int, unit: int) -> int:
    """Return the largest multiple of a unit that is no more than so many draws, or one unit."""
    return max(draws // unit, 1) * unit
