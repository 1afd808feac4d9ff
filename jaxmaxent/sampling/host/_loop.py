"""The one loop of the host: blocks, one after another, through the burn-in and then until enough is known.

The result of a run does not depend on how long its blocks are, nor on whether it was saved, killed and resumed between
two of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxmaxent.sampling._prepare import Prepared
from jaxmaxent.sampling.device import _block as blocks
from jaxmaxent.sampling.device._counters import Counters
from jaxmaxent.sampling.device._state import TRACE_SLOTS, Carry, Clock, Keys, Trace
from jaxmaxent.sampling.host._ladder import evened
from jaxmaxent.sampling.host._progress import Progress
from jaxmaxent.sampling.host._totals import Totals, first_size

# Long enough that a call costs nothing beside the work, short enough that the bar moves and Ctrl-C is heard.
_SECONDS_PER_BLOCK = 0.5
# Devices get copies of what they share. Between host and device nothing is sent but by `device_put` and `device_get`.
_shared = jax.transfer_guard_device_to_device("allow")


class NonFiniteEnergyError(ArithmeticError):
    """The network returned NaN or infinity for a sequence that a chain came to."""


class Loop:
    """A run in progress: it runs blocks and gathers what they return.

    Attributes:
        program: what shapes the compiled program.
        ensemble: what is sampled, batched.
        rule: how replicas move.
        betas: the ladder of each anchor, [anchors, rungs].
        keys: the keys of the run.
        options: the options.
        carry: the replicas, and their counters since the last batch.
        totals: everything counted after the burn-in.
        stored: stored draws, a list of [anchors, all_chains, draws, rungs, length].
        round: the round of the burn-in; the number of rounds once it is over.
        done: draws in this round or batch.
        steps: steps of every replica so far.
        seconds: time that the blocks ran.
        noise: β times the noise of the energy, [anchors].
        copies: energies of shifted and reverse-complemented anchors, by number of the anchor, once they are needed.
    """

    def __init__(self, prepared: Prepared, keys: Keys, carry: Carry, bar: Progress) -> None:
        self.ensemble, self.options, self.rule, self.program, self.betas = prepared
        self.keys, self.carry, self.bar = keys, carry, bar
        self.totals = Totals(first_size(self.options.draws), self.options.target_replicas)
        self.stored: list[np.ndarray] = []
        self.round = self.done = self.steps = 0
        self.seconds = 0.0
        self.noise = np.zeros(self.ensemble.anchors)
        self.copies: dict[int, np.ndarray] = {}
        self._size = 1

    @_shared
    def compile(self) -> float:
        """Compile the program by a block of no steps, unless it is compiled already; return the seconds it took."""
        began = time.perf_counter()
        self.carry, _ = jax.block_until_ready(self._block(0, 1))
        return time.perf_counter() - began

    @_shared
    def run(self, enough: Callable[[Loop], bool], after_block: Callable[[], Any] = lambda: None) -> None:
        """Go on to the end from wherever the loop is.

        Args:
            enough: called after every batch; the loop stops when it returns True.
            after_block: called after every block, when the loop can be saved.
        """
        rounds = self.options.rounds
        while self.round < len(rounds):
            size = rounds[self.round]
            self._adapt(self._batch("burn-in", size, -(-size // TRACE_SLOTS), after_block))
            self.round += 1
            after_block()
        while self.totals.draws < self.options.draws and not enough(self):
            size = min(self.totals.size, self.options.draws - self.totals.draws)
            self.totals.add_batch(self._batch("sampling", size, self.totals.stride, after_block))
            after_block()

    def _batch(self, what: str, size: int, stride: int, after_block: Callable[[], Any]) -> Counters:
        """Run blocks until there are so many draws, and return their counters."""
        while self.done < size:
            draws = self._block_size(size - self.done)
            began = time.perf_counter()
            self.carry, trace = self._block(draws, stride)
            rows, stored, bad = jax.device_get((trace.scalars, trace.stored, self.carry.non_finite))
            took = time.perf_counter() - began
            self.seconds += took
            self._size = max(1, min(4 * draws, int(draws * _SECONDS_PER_BLOCK / max(took, 1e-6))))
            self._check_energies(bad)
            if what == "sampling":
                self._keep(rows, stored, draws, stride)
            self.done += draws
            self.steps += draws * self.program.thin
            self.bar.advance(what, draws * self.program.thin, energy=float(rows[..., 0, -1, 0].mean()))
            if self.done < size:
                after_block()
        counters = jax.device_get(self.carry.counters)
        self.carry = blocks.emptied(self.program, self.ensemble, self.carry)
        self.done = 0
        return counters

    def _block(self, draws: int, stride: int) -> tuple[Carry, Trace]:
        sampled = self.totals.draws + self.done if self.round == len(self.options.rounds) else 0
        clock = Clock(self.steps, draws, self.done, sampled, stride)
        betas = np.asarray(self.betas, self.ensemble.beta.dtype)
        # As one array, because to send each of the numbers by itself would take several times as long.
        betas, clock = jax.device_put((betas, np.array(clock, np.int32)))
        return blocks.block(self.program, self.ensemble, self.rule, betas, self.keys, self.carry, clock)

    def _block_size(self, left: int) -> int:
        """Return the draws of the next block: as many as fit the time and the buffer of stored draws."""
        size = min(self._size, left)
        if self.program.store_every:
            sampled = self.totals.draws + self.done
            size = min(size, self.program.buffer * self.program.store_every - sampled % self.program.store_every)
        return size

    def _keep(self, rows: np.ndarray, stored: np.ndarray, draws: int, stride: int) -> None:
        """Take in what a block traced; its last slots are not complete."""
        complete = (self.done + draws) // stride - self.done // stride
        self.totals.add_trace(rows[:, :, :complete])
        if self.program.store_every:
            sampled, every = self.totals.draws + self.done, self.program.store_every
            self.stored.append(stored[:, :, : (sampled + draws) // every - sampled // every])

    @jax.transfer_guard("allow")
    def _adapt(self, counters: Counters) -> None:
        """Let the rule learn from a round of the burn-in, and even the ladder unless the round was the last.

        What the rule has learned helps replicas to reach the target in the next rounds, where more is learned.
        """
        estimating = slice(0, self.options.chains)
        letters = counters.letters[:, estimating].sum(1)
        self.rule = self.rule.learn(letters / letters.sum(-1, keepdims=True), self.ensemble)
        if self.options.adapts and self.round < len(self.options.rounds) - 1:
            refused = 1 - counters.swaps[:, estimating].mean(1) / self.options.rounds[self.round]
            self.betas = np.stack([evened(*row) for row in zip(self.betas, refused, strict=True)])

    def _check_energies(self, bad: np.ndarray) -> None:
        if not bad.any():
            return
        anchor, chain, replica = (int(i) for i in np.argwhere(bad)[0])
        tokens = np.asarray(self.carry.offender[anchor, chain, replica])
        raise NonFiniteEnergyError(
            f"the network returned a NaN or infinite energy for {int(bad.sum())} proposals before step "
            f"{self.steps}, the first in chain {chain} of anchor {anchor}, for example for the sequence "
            f"{self.ensemble.alphabet.decode(tokens)}; check its parameters"
        )
