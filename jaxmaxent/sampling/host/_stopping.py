"""The decision to stop a run, and the verdict on each of its anchors."""

from __future__ import annotations

import math

import jax
import numpy as np
from jaxtyping import Bool

from jaxmaxent.diagnostics import (
    AnchorStart,
    Batches,
    Diagnosis,
    ScalarBatches,
    Verdict,
    compare_starts,
    diagnose,
    judge,
    judge_start,
    limit_log_z,
    target_rhat,
)
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.sampling._options import FEWEST_BATCHES
from jaxmaxent.sampling.device._counters import SCALARS
from jaxmaxent.sampling.host._assemble import free_energies, of_one
from jaxmaxent.sampling.host._copies import energies_of_copies
from jaxmaxent.sampling.host._loop import Loop

# Acceptance ratios are wrong by a factor of exp(β × noise). From a tenth on, the noise decides instead of the network.
_NOISY = 0.1


@jax.transfer_guard("allow")
def enough(loop: Loop) -> bool:
    """Return whether a run that ends when it knows enough may end; called after every batch."""
    until, batches = loop.options.until, len(loop.totals.letters)
    if until is None or batches < FEWEST_BATCHES:
        return False
    if until.seconds is not None and loop.seconds > until.seconds:
        return True
    # Judging costs little beside sampling if a run has grown by about a tenth since the last time. A batch is a 32nd to
    # a 16th of the run, so that is every other batch.
    if batches % 2:
        return False
    return all(_knows_enough(loop, a) for a in range(loop.ensemble.anchors))


def _knows_enough(loop: Loop, anchor: int) -> bool:
    """Return whether the estimates of an anchor are good enough; R-hat at the target mostly shows that they are not."""
    totals, chains, varies = loop.totals, slice(0, loop.options.chains), _varies(loop.ensemble, anchor)
    counts = np.stack([batch[anchor, chains, -1:] for batch in totals.letters])
    if not target_rhat(counts, totals.size, totals.target_replicas, varies) <= loop.options.wanted.rhat:
        return False
    if not _judged(loop, anchor, diagnose(batches_of(loop, anchor), varies))[0]:
        return False
    return _compared(loop, anchor)[1]


@jax.transfer_guard("allow")
def verdict(loop: Loop, anchor: int) -> Verdict:
    """Return the verdict on an anchor of a run that has come to its end."""
    found = diagnose(batches_of(loop, anchor), _varies(loop.ensemble, anchor))
    start, believed, remark = _compared(loop, anchor)
    good, why = _judged(loop, anchor, found)
    good, why = good and believed, f"{why}; {remark}"
    noise = loop.noise[anchor]
    if noise > _NOISY:
        good, why = False, f"{why}; energies are noisy: β times their noise is {noise:.2g}, above {_NOISY:g}"
    steps = f"after {loop.totals.draws * loop.options.thin:,} steps"
    return Verdict(found, start, good, f"{'converged' if good else 'not converged'} {steps}: {why}")


def batches_of(loop: Loop, anchor: int) -> Batches:
    """Return counts and traces of the chains of an anchor that enter estimates."""
    totals, chains = loop.totals, slice(0, loop.options.chains)
    return Batches(
        letters=np.stack([batch[anchor, chains] for batch in totals.letters]),
        means=np.stack([batch[anchor, chains] for batch in totals.means]),
        traces=np.stack([row[anchor, chains] for row in totals.traces], axis=1),
        variance=totals.scalars.variance()[anchor, chains].mean(0),
        trips=totals.sums["trips"][anchor, chains].sum(0),
        size=totals.size,
        target_replicas=totals.target_replicas,
    )


def _possible(ensemble: Ensemble, anchor: int) -> Bool[np.ndarray, "length letters"]:
    """Return the possible letters of each position: if it is held, that of the anchor, else all that are allowed."""
    letters = len(ensemble.alphabet)
    possible = np.arange(letters)[None] == np.asarray(ensemble.anchor)[anchor][:, None]
    possible[np.asarray(ensemble.movable)] = True
    forbidden = ensemble.forbidden()
    return possible if forbidden is None else possible & ~np.asarray(forbidden)


def _varies(ensemble: Ensemble, anchor: int) -> Bool[np.ndarray, "length letters"]:
    """Return the letters that a position may have besides others."""
    possible = _possible(ensemble, anchor)
    return possible & (possible.sum(1, keepdims=True) > 1)


def _judged(loop: Loop, anchor: int, found: Diagnosis) -> tuple[bool, str]:
    """Return whether the estimates of an anchor are as good as wanted, and why."""
    wanted = loop.options.wanted
    return judge(
        found, rhat=wanted.rhat, ess=wanted.ess, mcse=wanted.mcse, letters=loop.ensemble.alphabet.letters,
        scalar_names=tuple(f"{field.name} count" for field in loop.ensemble.fields), betas=loop.betas[anchor],
    )  # fmt: skip


def _compared(loop: Loop, anchor: int) -> tuple[AnchorStart, bool, str]:
    """Return energies of the anchor-start chains, whether to believe the other chains, and a sentence on that."""
    if not loop.options.anchor_chains:
        unknown = np.full(loop.program.rungs, np.nan)
        return AnchorStart(unknown, unknown, np.isnan(unknown), np.nan), True, "no chain was started at the anchor"
    chains = loop.options.chains
    start = compare_starts(*(_scalar_batches(loop, anchor, group) for group in (slice(0, chains), slice(chains, None))))
    log_z = log_z_error = math.nan  # needed only if the two disagree
    if not start.agrees[-1]:
        log_z, log_z_error = (values[-1] for values in free_energies(loop, anchor))
        start = _limited(loop, anchor, start)
    energy = loop.totals.scalars.mean[anchor, :chains, -1, 0].mean()
    return start, *judge_start(start, loop.betas[anchor], energy, log_z, log_z_error)


def _scalar_batches(loop: Loop, anchor: int, chains: slice) -> ScalarBatches:
    totals = loop.totals
    return ScalarBatches(
        batches=np.stack([batch[anchor, chains, :, :SCALARS] for batch in totals.means]),
        mean=totals.scalars.mean[anchor, chains, :, :SCALARS],
        variance=totals.scalars.variance()[anchor, chains, :, :SCALARS],
        size=totals.size,
    )


def _limited(loop: Loop, anchor: int, start: AnchorStart) -> AnchorStart:
    """Return `start` with the limit of log Z of the state that the anchor-start chains are in."""
    one, totals, chains = of_one(loop.ensemble, anchor), loop.totals, slice(loop.options.chains, None)
    if anchor not in loop.copies:
        loop.copies[anchor] = energies_of_copies(one)
    return limit_log_z(
        start,
        np.stack([row[anchor, chains, -1] for row in totals.traces], axis=1),
        np.stack([batch[anchor, chains, -1] for batch in totals.letters]),
        np.stack([batch[anchor, chains, -1] for batch in totals.means]),
        sequences=totals.size * totals.target_replicas,
        beta=float(loop.betas[anchor, -1]),
        mu=np.asarray(one.mu(), np.float64),
        choices=_possible(loop.ensemble, anchor).sum(1),
        copies=lambda most: max(1, int((loop.copies[anchor] <= most).sum())),
    )
