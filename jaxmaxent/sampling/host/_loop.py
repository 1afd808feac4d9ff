"""The one loop of the host: blocks, one after another, through the warm-up and then until enough is known.

What a run gives does not depend on how long its blocks are, nor on whether it was saved, killed and resumed between
two of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.sampling._options import Settings
from jaxmaxent.sampling.device import _block as blocks
from jaxmaxent.sampling.device import _swaps as ladder
from jaxmaxent.sampling.host._progress import Progress
from jaxmaxent.sampling.host._totals import Record, first_size
from jaxmaxent.sampling.program._program import Plan

# Long enough that a call costs nothing beside the work, short enough that the bar moves and Ctrl-C is heard.
_SECONDS_A_BLOCK = 0.5
# Several devices get copies of what all of them share; between host and device only what is meant to goes.
_shared = jax.transfer_guard_device_to_device("allow")


class NonFiniteEnergyError(ArithmeticError):
    """The network returned NaN or infinity for a sequence that a chain came to."""


class Loop:
    """Runs blocks and gathers what they return.

    Attributes:
        plan: what shapes the program.
        ensemble: what is sampled, batched.
        rule: how replicas move.
        betas: the ladder of each anchor, [anchors, rungs].
        keys: the keys of the run.
        settings: what was asked for.
        carry: the replicas, and what they counted since the last batch.
        record: what was sampled.
        draws: stored draws, a list of [anchors, ladders, draws, rungs, length].
        round: the round of the warm-up; their number once it is over.
        done: counted states in this round or batch.
        steps: steps of every replica so far.
        seconds: time the blocks ran.
        noise: β times the noise of the energy, [anchors].
        copies: energies of shifted and reverse-complemented anchors, by the anchor's number, once they are needed.
    """

    def __init__(
        self,
        plan: Plan,
        ensemble: Ensemble,
        rule: Any,
        betas: Float[np.ndarray, "anchors rungs"],
        keys: blocks.Keys,
        settings: Settings,
        carry: blocks.Carry,
        bar: Progress,
    ) -> None:
        self.plan, self.ensemble, self.rule, self.betas = plan, ensemble, rule, betas
        self.keys, self.settings, self.carry, self.bar = keys, settings, carry, bar
        self.record = Record(first_size(settings.counted), settings.target_replicas)
        self.draws: list[np.ndarray] = []
        self.round = self.done = self.steps = 0
        self.seconds = 0.0
        self.noise = np.zeros(ensemble.anchors)
        self.copies: dict[int, np.ndarray] = {}
        self._size = 1

    @_shared
    def compile(self) -> float:
        """Compile the program, unless it is compiled already, by a block of no steps; the seconds it took."""
        began = time.perf_counter()
        self.carry, _ = jax.block_until_ready(self._block(0, 1))
        return time.perf_counter() - began

    @_shared
    def run(self, enough: Callable[[Loop], bool], after_block: Callable[[], Any]) -> None:
        """Go on to the end from wherever the loop is.

        Args:
            enough: asked after every batch whether to stop.
            after_block: called after every block, when everything is in place to be saved.
        """
        rounds = self.settings.rounds
        while self.round < len(rounds):
            size = rounds[self.round]
            self._adapt(self._batch("burn-in", size, -(-size // blocks.TRACE_SLOTS), after_block))
            self.round += 1
            after_block()
        while self.record.counted < self.settings.counted and not enough(self):
            size = min(self.record.size, self.settings.counted - self.record.counted)
            self.record.close(self._batch("sampling", size, self.record.stride, after_block))
            after_block()

    def _batch(self, what: str, size: int, stride: int, after_block: Callable[[], Any]) -> blocks.Tally:
        """Run blocks until `size` states are counted, and return what they counted."""
        while self.done < size:
            count = self._block_size(size - self.done)
            began = time.perf_counter()
            self.carry, trace = self._block(count, stride)
            rows, draws, bad = jax.device_get((trace.scalars, trace.draws, self.carry.non_finite))
            took = time.perf_counter() - began
            self.seconds += took
            self._size = max(1, min(4 * count, int(count * _SECONDS_A_BLOCK / max(took, 1e-6))))
            self._check_energies(bad)
            if what == "sampling":
                self._keep(rows, draws, count, stride)
            self.done += count
            self.steps += count * self.plan.thin
            self.bar.advance(what, count * self.plan.thin, energy=float(rows[..., 0, -1, 0].mean()))
            if self.done < size:
                after_block()
        tally = jax.device_get(self.carry.tally)
        self.carry = blocks.emptied(self.plan, self.ensemble, self.carry)
        self.done = 0
        return tally

    def _block(self, count: int, stride: int) -> tuple[blocks.Carry, blocks.Trace]:
        drawn = self.record.counted + self.done if self.round == len(self.settings.rounds) else 0
        clock = blocks.Clock(self.steps, count, self.done, drawn, stride)
        betas = np.asarray(self.betas, self.ensemble.beta.dtype)
        # As one array, since sending each of the numbers by itself would take several times as long.
        betas, clock = jax.device_put((betas, np.array(clock, np.int32)))
        return blocks.block(self.plan, self.ensemble, self.rule, betas, self.keys, self.carry, clock)

    def _block_size(self, left: int) -> int:
        """Counted states of the next block: as fits the time and the buffer of stored draws."""
        size = min(self._size, left)
        if self.plan.store_every:
            drawn = self.record.counted + self.done
            size = min(size, self.plan.buffer * self.plan.store_every - drawn % self.plan.store_every)
        return size

    def _keep(self, rows: np.ndarray, draws: np.ndarray, count: int, stride: int) -> None:
        """Take in what a block traced; its last slots are not complete."""
        complete = (self.done + count) // stride - self.done // stride
        self.record.add_trace(rows[:, :, :complete])
        if self.plan.store_every:
            drawn, every = self.record.counted + self.done, self.plan.store_every
            self.draws.append(draws[:, :, : (drawn + count) // every - drawn // every])

    @jax.transfer_guard("allow")
    def _adapt(self, tally: blocks.Tally) -> None:
        """After a round of the warm-up let the rule learn from it, and even the ladder unless it was the last.

        What the rule has learned helps the next rounds to get where the last is to be learned from.
        """
        estimating = slice(0, self.plan.chains - self.plan.extra)
        letters = tally.letters[:, estimating].sum(1)
        self.rule = self.rule.learn(letters / letters.sum(-1, keepdims=True), self.ensemble)
        if self.settings.adapts and self.round < len(self.settings.rounds) - 1:
            refused = 1 - tally.exchange[:, estimating].mean(1) / self.settings.rounds[self.round]
            self.betas = np.stack([ladder.evened(*row) for row in zip(self.betas, refused, strict=True)])

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
