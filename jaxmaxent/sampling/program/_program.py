"""The program: what has to be known of a run before its code can be compiled."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.kernels._mixture import LOOP, choice_for
from jaxmaxent.sampling._options import INCREMENTAL, Options
from jaxmaxent.sampling.program._activations import activation_bytes
from jaxmaxent.sampling.program._sharding import mesh_for

# Letters of all replicas of an anchor from which a CPU takes anchors in turn, so that activations stay in its cache.
# Below, anchors go side by side, as on accelerators, to share the cost of starting each operation. With incremental
# evaluation a CPU always takes them in turn, because windows at a position per anchor are no slices of one array.
ENOUGH_FOR_A_CPU = 8192
# The fast memory of a TPU, 128 MiB of a v5e or v6e, holds so many bytes of the largest activation of a network beside
# all else. There it need not be written to the slow memory and read again in each step. With fewer sequences at a time
# a TPU is idle for longer than that would take.
_FAST_BYTES, _FEWEST_TOGETHER = 96 * 2**20, 1024
# Draws of a stretch where none are made at ends.
_STRETCH = 8
# Stored draws wait on the device for the end of a block, at most so many of them and in at most so many bytes.
_BUFFER_DRAWS, _BUFFER_BYTES = 64, 64 * 2**20


def stretch_of(drawn_together: int, *, has_background: bool) -> int:
    """Return the draws of a stretch: as long as the draws at ends that are made together stand there, if there are."""
    return 2 * drawn_together if has_background else _STRETCH


@dataclasses.dataclass(frozen=True)
class Program:
    """Everything besides the ensemble and the rule that shapes the compiled program.

    Attributes:
        all_chains: chains of every rung, those that start at the anchor included.
        anchor_chains: chains that start at the anchor and are never part of an estimate.
        rungs: rungs of the first leg, from β = 0 to the target.
        reference_rungs: rungs beyond the target, the reference at their end; 0 without a second leg.
        target_replicas: replicas of every chain at the target.
        slots: slots of a chain: one at every rung of both legs, then one for each further replica at the target.
        replicas: replicas of a chain; none walks at an end, where sequences are drawn.
        has_background: whether the first rung is at β = 0 and drawn exactly.
        drawn_together: draws at each end of each chain that are made together.
        thin: steps between two draws.
        incremental: whether proposals are evaluated by what they change.
        one_by_one: whether anchors take turns, each for a whole block, instead of going side by side.
        store_every: draws between two stored draws; 0 stores none.
        buffer: stored draws that a block has room for.
        kmers: letters of the k-mers that are counted; 0 counts none.
        choice: how a step of a mixture chooses its rule (see `MixtureKernel`).
        most_together: sequences that go side by side, at most; if there are more, groups of chains take turns, each for
            a whole block. 0 for any number.
        whole_stretches: whether every block begins and ends where a stretch does, so that a GPU knows how many draws a
            stretch has, and does not ask its host before each of them.
        mesh: devices to spread over, or None for one.
        rule: structure of the rule; JAX takes pytrees of two classes for one program if their leaves are alike.
    """

    all_chains: int
    anchor_chains: int
    rungs: int
    reference_rungs: int
    target_replicas: int
    slots: int
    replicas: int
    has_background: bool
    drawn_together: int
    thin: int
    incremental: bool
    one_by_one: bool
    store_every: int
    buffer: int
    mesh: jax.sharding.Mesh | None = None
    rule: str = ""
    kmers: int = 0
    choice: str = LOOP
    whole_stretches: bool = False
    most_together: int = 0

    @property
    def stretch(self) -> int:
        """Draws of a stretch: nothing that is seldom due, such as draws at the ends, is due within it."""
        return stretch_of(self.drawn_together, has_background=self.has_background)

    @property
    def unit(self) -> int:
        """Number of draws that divides those of every block."""
        return self.stretch if self.whole_stretches else 1

    def groups(self, chains: int, anchors: int) -> int:
        """Return the number of groups of chains that take turns on a device: one, unless groups have a good size.

        Args:
            chains: chains of an anchor on the device.
            anchors: anchors that are side by side there.
        """
        each = anchors * self.replicas
        number = -(-chains * each // max(self.most_together, each)) if self.most_together else 1
        return number if -(-chains // number) * each >= _FEWEST_TOGETHER else 1

    @property
    def draws_ahead(self) -> bool:
        """True if chains draw their random numbers for several steps at once, for every rule.

        It saves an accelerator many small operations. A CPU draws in each step what the rule of that step needs.
        """
        return self.choice != LOOP

    @property
    def path(self) -> int:
        """Rungs of both legs."""
        return self.rungs + self.reference_rungs

    @property
    def kmer_ends(self) -> int:
        """Rungs at which k-mers are counted: β = 0, unless there is no ladder, and the target."""
        return (1 + self.has_background) if self.kmers else 0

    @property
    def has_reference(self) -> bool:
        """True if there is a second leg."""
        return self.reference_rungs > 0

    @property
    def walked(self) -> int:
        """Rungs of both legs at which replicas walk; the further replicas at the target come behind them."""
        return self.path - self.has_background - self.has_reference

    @property
    def target(self) -> int:
        """The first replica at the target, among the slots that are walked in."""
        return self.rungs - 1 - self.has_background


def most_together(activation: int) -> int:
    """Return the number of sequences whose largest activation a TPU's fast memory holds; 0 where it does not matter.

    Args:
        activation: bytes of the largest activation of a sequence.
    """
    most = _FAST_BYTES // max(activation, 1)
    return most if jax.default_backend() == "tpu" and most >= _FEWEST_TOGETHER else 0


@jax.transfer_guard("allow")
def program_of(ensemble: Ensemble, options: Options, rule: Any, mesh: jax.sharding.Mesh | None) -> Program:
    """Return the program of a run on the devices of a mesh, or on all of this process; the ensemble is batched."""
    every = buffer = 0
    if options.store_every is not None:
        every = options.store_every // options.thin
        one_draw = ensemble.anchors * options.all_chains * options.rungs * ensemble.length
        buffer = max(1, min(_BUFFER_DRAWS, _BUFFER_BYTES // one_draw))
    incremental = options.evaluation == INCREMENTAL
    enough = options.all_chains * options.replicas * ensemble.length >= ENOUGH_FOR_A_CPU
    in_turn = jax.default_backend() == "cpu" and (incremental or enough)
    return Program(
        all_chains=options.all_chains,
        anchor_chains=options.anchor_chains,
        rungs=options.rungs,
        reference_rungs=options.reference_rungs,
        target_replicas=options.target_replicas,
        slots=options.slots,
        replicas=options.replicas,
        has_background=options.has_background,
        drawn_together=options.drawn_together,
        thin=options.thin,
        incremental=incremental,
        one_by_one=ensemble.anchors == 1 or in_turn,
        store_every=every,
        buffer=buffer,
        mesh=mesh_for(mesh, ensemble.anchors, options.all_chains),
        rule=str(jax.tree.structure(rule)),
        kmers=options.kmers,
        choice=choice_for(rule, incremental=incremental),
        most_together=0 if incremental else most_together(activation_bytes(ensemble)),
    )
