"""The options of a run: what a user asks for besides the ensemble, checked, with every default filled in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.results import Run
from jaxmaxent.sampling._chains import CHAINS, default_anchor_chains, default_chains, this_machine
from jaxmaxent.sampling._given import check_counts, checked_names, checked_store_every
from jaxmaxent.sampling._kmers import checked_kmers
from jaxmaxent.sampling._precision import Precision
from jaxmaxent.sampling.host._ladder import checked_ladder, checked_rungs_at
from jaxmaxent.sampling.program._activations import sequence_bytes

# Sweeps of single-site proposals over the sequence in the burn-in, if the length of the run is open.
BURN_IN_SWEEPS = 40
# Rule and ladder are adapted after each of so many rounds, each a 16th of the burn-in or a little less. For
# the rest of the burn-in the ladder stays as it is, so that chains settle. The rule learns from the few replicas that
# have come to the target and so brings the others there: many short rounds are better than a few long ones.
_ROUNDS = 12
# How proposals are evaluated.
AUTO, FULL, INCREMENTAL = "auto", "full", "incremental"
# Batches of counts that the host asks for in a long run, at least.
FEWEST_BATCHES = 16
# Steps between two swaps. Sequences travel along a ladder as fast as it swaps.
THIN = 5
DEFAULT_RUNGS, MOST_RUNGS = 14, 10_000
# Rungs beyond the target, on the way to the learned reference.
REFERENCE_RUNGS = 6
# Replicas at the target, where sequences change slowest.
TARGET_REPLICAS = 8
# A forward pass of so many sequences costs little more per sequence than one of many.
_ENOUGH_TOGETHER = 32
# A draw at β = 0 that waits takes as much memory as a replica: at most a few wait, and at most this share of these.
_MOST_TOGETHER, _SHARE_TOGETHER = 4, 1 / 4
# A round of several in the burn-in has a multiple of so many draws: each draw at an end stands there for two swaps.
_ROUND_OF = 2 * _MOST_TOGETHER


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a run as plain numbers and words, so that they can be saved as JSON; make them with `Options.of`.

    Attributes:
        chains: chains at every rung that enter estimates.
        anchor_chains: chains beside them that start at the anchor.
        rungs: number of β's of each anchor.
        reference_rungs: rungs beyond the target, the reference at their end; 0 without a second leg.
        target_replicas: replicas of each chain at the target.
        has_background: whether the first rung is at β = 0 and drawn exactly.
        betas: β's that were given, one ladder or one per anchor; None if the ladder is to be placed.
        rounds: draws of every round of the burn-in.
        draws: largest number of draws after the burn-in.
        thin: steps between two draws.
        store_every: steps between two stored draws, or None.
        until: what ends the run before that, or None.
        names: names of the anchors.
        evaluation: how proposals are evaluated: "full", "incremental", or "auto" until `prepare` decides.
        rungs_at: β's at which a ladder that is to be placed has rungs, besides its ends.
        kmers: letters of the k-mers that are counted; 0 counts none.
        long_stretches: whether draws at β = 0 are made seldom, many together, with any number of chains: an accelerator
            waits for the host before and after it makes them.
        product_noise: β times the error of rounded matrix products, one per anchor, once `prepare` has decided to take
            these; empty if it has decided for full ones, and None before, or where there is no choice.
    """

    chains: int
    anchor_chains: int
    rungs: int
    reference_rungs: int
    target_replicas: int
    has_background: bool
    betas: tuple[tuple[float, ...], ...] | None
    rounds: tuple[int, ...]
    draws: int
    thin: int
    store_every: int | None
    until: Precision | None
    names: tuple[str, ...]
    evaluation: str = AUTO
    rungs_at: tuple[float, ...] = ()
    kmers: int = 0
    long_stretches: bool = False
    product_noise: tuple[float, ...] | None = None

    @property
    def all_chains(self) -> int:
        """Chains of each anchor, those that start at it included."""
        return self.chains + self.anchor_chains

    @property
    def adapts(self) -> bool:
        """True if the ladder is adapted in the burn-in."""
        return self.has_background and self.betas is None

    @property
    def path(self) -> int:
        """Rungs of both legs."""
        return self.rungs + self.reference_rungs

    @property
    def tables(self) -> int:
        """Sets of letter frequencies that rules learn: of every rung of the first leg, then of the reference.

        The reference counts as half as many as there are rungs, so that a third of the segments are drawn from it: they
        lead from one state of the target to the other in one step.
        """
        return self.rungs + (max(self.rungs // 2, 1) if self.reference_rungs else 0)

    @property
    def slots(self) -> int:
        """Slots of a chain: one at every rung of both legs, and one for each further replica at the target."""
        return self.path - 1 + self.target_replicas

    @property
    def ends(self) -> int:
        """Rungs at which sequences are drawn instead of walking: β = 0 and the reference."""
        return self.has_background + (self.reference_rungs > 0)

    @property
    def replicas(self) -> int:
        """Replicas of a chain; none walks at the ends, where sequences are drawn."""
        return self.slots - self.ends

    @property
    def drawn_together(self) -> int:
        """Draws at each end that are made together for a chain, 0 without a ladder."""
        if not self.has_background:
            return 0
        return drawn_together(self.all_chains, self.replicas, always=self.long_stretches)

    @property
    def burn_in(self) -> int:
        """Steps of the burn-in."""
        return sum(self.rounds) * self.thin

    @property
    def steps(self) -> int:
        """Largest number of steps, the burn-in included."""
        return self.burn_in + self.draws * self.thin

    @property
    def wanted(self) -> Precision:
        """The precision that the estimates are judged by, even if it does not end the run."""
        return self.until or Precision()

    @classmethod
    @jax.transfer_guard("allow")
    def of(
        cls,
        ensemble: Ensemble,
        *,
        ladder: Any = AUTO,
        reference_rungs: int | None = None,
        chains: int | None = None,
        target_replicas: int | None = None,
        anchor_chains: int | None = None,
        until: Precision | None = None,
        steps: int | None = None,
        burn_in: int | None = None,
        thin: int = THIN,
        store_every: int | None = None,
        start: str | Run = "background",
        names: Sequence[str] | None = None,
        evaluation: str = AUTO,
        rungs_at: Sequence[float] = (),
        kmers: int | None = None,
    ) -> Options:
        """Check what was given and fill in the rest; arguments are those of `sample`.

        Raises:
            ValueError: for bad input, naming the argument.
        """
        ensemble = ensemble.batched()
        goes_on, laddered = isinstance(start, Run), ladder is not None
        _check_growth(ensemble, laddered=laddered)
        rungs, betas = _ladder(ladder, ensemble, start)
        rungs_at = checked_rungs_at(rungs_at, np.asarray(ensemble.beta), rungs, placed=laddered and betas is None)
        if isinstance(start, Run) and laddered and target_replicas is None:
            target_replicas = start.target_replicas
        machine = this_machine()
        if anchor_chains is None:
            anchor_chains = default_anchor_chains(machine) if laddered and not goes_on else 0
        target_replicas = _target_replicas(target_replicas, laddered=laddered)
        anchor_chains = checks.integer("anchor_chains", anchor_chains, at_least=0)
        reference_rungs = _reference_rungs(reference_rungs, start, anchor_chains, placed=laddered and betas is None)
        thin = checks.integer("thin", thin, at_least=1, at_most=checks.MOST_STEPS)
        until, steps = _length(until, steps, thin)
        burn_in = _burn_in(burn_in, steps if until is None else None, thin, ensemble.length)
        store_every = checked_store_every(store_every, thin, steps)
        # The sequences of an earlier run can be learned from at once.
        rounds = _rounds(burn_in // thin, several=laddered and not goes_on)
        kmers = checked_kmers(kmers, ensemble)
        each = max(thin, ensemble.length if kmers else 0)  # a sequence may have one k-mer at all places
        check_counts(max(*rounds, steps // thin // FEWEST_BATCHES, 1) * each, target_replicas)
        own = cls(
            chains=CHAINS if chains is None else checks.integer("chains", chains, at_least=1),
            anchor_chains=anchor_chains,
            rungs=rungs,
            reference_rungs=reference_rungs,
            target_replicas=target_replicas,
            has_background=laddered,
            betas=betas,
            rounds=rounds,
            draws=steps // thin,
            thin=thin,
            store_every=store_every,
            until=until,
            names=checked_names(names, ensemble.anchors),
            evaluation=evaluation,
            rungs_at=rungs_at,
            kmers=kmers,
            long_stretches=machine is not None,
        )
        if chains is None:
            each = 0 if machine is None else sequence_bytes(ensemble, full=evaluation == FULL)
            letters = ensemble.length * len(ensemble.alphabet)
            chains = default_chains(
                machine, anchors=ensemble.anchors, rungs=rungs, replicas=own.replicas, anchor_chains=anchor_chains,
                letters=letters, sequence_bytes=each,
            )  # fmt: skip
        return dataclasses.replace(own, chains=chains)

    def to_json(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Options:
        """Return the options that were saved."""
        until = None if saved["until"] is None else Precision(**saved["until"])
        betas = None if saved["betas"] is None else tuple(map(tuple, saved["betas"]))
        own: dict[str, Any] = {name: tuple(saved[name]) for name in ("rounds", "names", "rungs_at")}
        if saved.get("product_noise") is not None:
            own["product_noise"] = tuple(saved["product_noise"])
        return cls(**saved | own | {"until": until, "betas": betas})


def drawn_together(chains: int, replicas: int, *, always: bool = False) -> int:
    """Return how many draws at β = 0 of each chain are made together, in one forward pass of those of all chains.

    Args:
        chains: number of chains.
        replicas: replicas of each chain.
        always: as many for any number of chains.
    """
    enough = _MOST_TOGETHER if always else -(-_ENOUGH_TOGETHER // chains)
    return max(1, min(_MOST_TOGETHER, enough, int(_SHARE_TOGETHER * replicas)))


def _ladder(given: Any, ensemble: Ensemble, start: Any) -> tuple[int, tuple[tuple[float, ...], ...] | None]:
    """Return the number of rungs, and the β's if they are known."""
    if given is None:
        return 1, None
    if isinstance(given, str) and given != AUTO:
        raise ValueError(f'ladder must be "auto", a number of rungs, β\'s or None, got {checks.shown(given)}')
    if isinstance(start, Run) and np.ndim(given) == 0:
        # The ladder of the run fits its chains, and was adapted with more of them than a new burn-in would have.
        given = start.beta
    if isinstance(given, str):
        return DEFAULT_RUNGS, None
    if np.ndim(given) == 0:
        return checks.integer("ladder", given, at_least=2, at_most=MOST_RUNGS), None
    betas = checked_ladder(given, np.asarray(ensemble.beta, float))
    return betas.shape[1], tuple(map(tuple, betas.tolist()))


def _check_growth(ensemble: Ensemble, *, laddered: bool) -> None:
    """Check that growing fields have a ladder to grow along, or none at all."""
    growing = [field.name for field in ensemble.fields if field.grows]
    if growing and laddered and not (np.asarray(ensemble.beta) > 0).all():
        raise ValueError(
            f"ladder must be None at β = 0 with fields that grow along it, such as {growing[0]!r}, got a ladder"
        )


def _target_replicas(given: int | None, *, laddered: bool) -> int:
    replicas = TARGET_REPLICAS if laddered else 1
    if given is not None:
        replicas = checks.integer("target_replicas", given, at_least=1)
    if replicas > 1 and not laddered:
        raise ValueError(f"target_replicas must be 1 without a ladder, got {replicas}: take more chains")
    return replicas


def _reference_rungs(given: Any, start: Any, anchor_chains: int, *, placed: bool) -> int:
    """Return the rungs beyond the target: those of a run that goes on, or the default if the ladder is to be placed."""
    if isinstance(start, Run):
        own = start.reference_share.shape[1]
        if given is not None and given != own:
            raise ValueError(f"reference_rungs must be those of the run that goes on, {own}, got {checks.shown(given)}")
        return own
    if given is None:
        return REFERENCE_RUNGS if placed and anchor_chains else 0
    rungs = checks.integer("reference_rungs", given, at_least=0, at_most=MOST_RUNGS)
    if rungs and not (placed and anchor_chains):
        raise ValueError(
            f"reference_rungs must be 0 without anchor-start chains, which teach the reference, and with a ladder that "
            f"is given or None, got {rungs}"
        )
    return rungs


def _length(until: Any, steps: Any, thin: int) -> tuple[Precision | None, int]:
    """Return the precision that ends the run, or None, and the largest number of steps."""
    if steps is not None:
        if until is not None:
            raise ValueError(
                f"give until or steps, not both, got until={checks.shown(until)} and steps={checks.shown(steps)}"
            )
        return None, checks.multiple(
            "steps", checks.integer("steps", steps, at_least=1, at_most=checks.MOST_STEPS), "thin", thin
        )
    until = Precision() if until is None else until
    if not isinstance(until, Precision):
        raise ValueError(f"until must be a Precision, got {type(until).__name__}")
    return until, max(until.steps // thin, 1) * thin


def _burn_in(given: Any, steps: int | None, thin: int, length: int) -> int:
    """Return the steps of the burn-in; `steps` are those after it, or None if the length of the run is open."""
    if given is None:
        given = -(-(BURN_IN_SWEEPS * length if steps is None else steps // 4) // thin) * thin
    given = checks.integer("burn_in", given, at_least=0, at_most=checks.MOST_STEPS)
    return checks.multiple("burn_in", given, "thin", thin)


def _rounds(draws: int, *, several: bool) -> tuple[int, ...]:
    """Return the draws of every round of a burn-in of so many draws."""
    if not several:
        return (draws,) if draws else ()
    # A new reference comes when draws at the ends are made, so that these do not depend on how many are made together.
    size = max(draws // 16 // _ROUND_OF * _ROUND_OF, _ROUND_OF)
    sizes = [size] * min(_ROUNDS, 3 * draws // (4 * size))
    return (*sizes, draws - sum(sizes)) if draws else ()
