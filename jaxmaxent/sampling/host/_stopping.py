"""The decision to stop a run, and the verdict on each of its anchors."""

from __future__ import annotations

import dataclasses
import math

import jax
import numpy as np
from jaxtyping import Bool

from jaxmaxent.diagnostics import (
    AnchorStart,
    Batches,
    Diagnosis,
    ScalarBatches,
    TwoLegs,
    Verdict,
    compare_starts,
    diagnose,
    judge,
    judge_legs,
    judge_start,
    limit_log_z,
    target_rhat,
)
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.sampling._options import FEWEST_BATCHES
from jaxmaxent.sampling._precision import Precision
from jaxmaxent.sampling.device._counters import SCALARS
from jaxmaxent.sampling.host._assemble import free_energies, of_one, two_legs
from jaxmaxent.sampling.host._copies import energies_of_copies
from jaxmaxent.sampling.host._loop import Loop
from jaxmaxent.sampling.host._totals import Kept

# Acceptance ratios are wrong by a factor of exp(β × noise). From a tenth on, the noise decides instead of the network.
_NOISY = 0.1
# A run ends when it is good twice, with so many times the draws between, and the first time it may be so much worse.
_TWICE = 1.5


@jax.transfer_guard("allow")
def enough(loop: Loop) -> bool:
    """Return whether a run that ends when it knows enough may end; called after every batch.

    An anchor may look good by chance. So it is known well enough if it has the precision wanted, and had it nearly, by
    a factor `_TWICE`, when there were so many times fewer draws and ever since.
    """
    until, batches = loop.options.until, len(loop.totals.batches)
    if until is None or batches < FEWEST_BATCHES:
        return False
    if until.seconds is not None and loop.seconds > until.seconds:
        return True
    # Judging costs little beside sampling if a run has grown by about a tenth since the last time. A batch is a 48th to
    # a 24th of the run, so that is every other batch.
    if batches % 2:
        return False
    kept = loop.kept()
    known = [_knows_enough(loop, kept, a) for a in range(loop.ensemble.anchors)]  # all of them are looked at
    return all(known)


def _knows_enough(loop: Loop, kept: Kept, anchor: int) -> bool:
    """Return whether the estimates of an anchor are good enough; R-hat at the target mostly shows that they are not."""
    chains, varies, draws = slice(0, loop.options.chains), _varies(loop.ensemble, anchor), loop.totals.draws
    counts = np.stack([batch[anchor, chains, -1:] for batch in kept.letters])
    rhat = target_rhat(counts, loop.totals.size, loop.totals.target_replicas, varies)
    near = _near(loop.options.wanted)
    found = diagnose(batches_of(loop, kept, anchor), varies, tails=False) if rhat <= near.rhat else None
    good = found is not None and _judged(loop, anchor, found, near)[0]
    loop.passed[anchor] = (loop.passed[anchor] or draws) if good else 0
    ess = None
    if found is not None:
        rhat, ess = float(np.nanmax([rhat, *found.max_rhat()])), float(found.min_ess().min())
    loop.bar.looked(rhat, ess, least=math.ceil(_TWICE * loop.passed[anchor]) * loop.options.thin)
    if found is None or not good:
        return False
    if draws < _TWICE * loop.passed[anchor] or not _judged(loop, anchor, found, loop.options.wanted)[0]:
        return False
    return _legs(loop, kept, anchor)[1] and _compared(loop, kept, anchor)[1]


def _near(wanted: Precision) -> Precision:
    """Return limits that are nearly those wanted."""
    mcse = None if wanted.mcse is None else wanted.mcse * math.sqrt(_TWICE)
    rhat = 1 + _TWICE * (wanted.rhat - 1)
    return dataclasses.replace(wanted, rhat=rhat, ess=wanted.ess / _TWICE, mcse=mcse)


@jax.transfer_guard("allow")
def verdict(loop: Loop, kept: Kept, anchor: int) -> Verdict:
    """Return the verdict on an anchor of a run that has come to its end."""
    found = diagnose(batches_of(loop, kept, anchor), _varies(loop.ensemble, anchor))
    start, believed, remark = _compared(loop, kept, anchor)
    legs, agree, on_legs = _legs(loop, kept, anchor)
    good, why = _judged(loop, anchor, found, loop.options.wanted)
    good, why = good and believed and agree, "; ".join(part for part in (why, on_legs, remark) if part)
    noise = loop.noise[anchor]
    if noise > _NOISY:
        good, why = False, f"{why}; energies are noisy: β times their noise is {noise:.2g}, above {_NOISY:g}"
    steps = f"after {kept.draws * loop.options.thin:,} steps"
    return Verdict(found, start, legs, good, f"{'converged' if good else 'not converged'} {steps}: {why}")


def batches_of(loop: Loop, kept: Kept, anchor: int) -> Batches:
    """Return counts and traces of the chains of an anchor that enter estimates, at the rungs of the first leg."""
    whole, chains, rungs = kept.whole, slice(0, loop.options.chains), slice(0, loop.program.rungs)
    scalars = slice(0, SCALARS + len(loop.ensemble.fields))
    return Batches(
        letters=np.stack([batch[anchor, chains] for batch in kept.letters]),
        means=np.stack([batch[anchor, chains, rungs, scalars] for batch in kept.means]),
        traces=np.stack([row[anchor, chains, rungs, scalars] for row in kept.traces], axis=1),
        variance=whole.scalars.variance()[anchor, chains, rungs, scalars].mean(0),
        trips=whole.sums["trips"][anchor, chains, :-1].sum(0),
        size=loop.totals.size,
        target_replicas=loop.totals.target_replicas,
    )


def _legs(loop: Loop, kept: Kept, anchor: int) -> tuple[TwoLegs | None, bool, str]:
    """Return log Z by two legs, whether these agree, and a sentence on that."""
    if not loop.program.has_reference:
        return None, True, ""
    legs, chains = two_legs(loop, kept, anchor), slice(0, loop.options.chains)
    arrivals = kept.whole.sums["trips"][anchor, chains].sum(0)
    return legs, *judge_legs(legs, (int(arrivals[0]), int(arrivals[-1])))


def _possible(ensemble: Ensemble, anchor: int) -> Bool[np.ndarray, "length letters"]:
    """Return the possible letters of each position: if it is held, that of the anchor, else all that are allowed."""
    one, letters = of_one(ensemble, anchor), len(ensemble.alphabet)
    possible = np.arange(letters)[None] == np.asarray(one.anchor)[:, None]
    possible[np.asarray(ensemble.movable)] = True
    forbidden = one.forbidden()
    return possible if forbidden is None else possible & ~np.asarray(forbidden)


def _varies(ensemble: Ensemble, anchor: int) -> Bool[np.ndarray, "length letters"]:
    """Return the letters that a position may have besides others."""
    possible = _possible(ensemble, anchor)
    return possible & (possible.sum(1, keepdims=True) > 1)


def _judged(loop: Loop, anchor: int, found: Diagnosis, wanted: Precision) -> tuple[bool, str]:
    """Return whether the estimates of an anchor are as good as wanted, and why."""
    return judge(
        found, rhat=wanted.rhat, ess=wanted.ess, mcse=wanted.mcse, letters=loop.ensemble.alphabet.letters,
        scalar_names=tuple(f"{field.name} count" for field in loop.ensemble.fields), betas=loop.betas[anchor],
    )  # fmt: skip


def _compared(loop: Loop, kept: Kept, anchor: int) -> tuple[AnchorStart, bool, str]:
    """Return energies of the anchor-start chains, whether to believe the other chains, and a sentence on that."""
    if not loop.options.anchor_chains:
        unknown = np.full(loop.program.rungs, np.nan)
        return AnchorStart(unknown, unknown, np.isnan(unknown), np.nan), True, "no chain was started at the anchor"
    chains = loop.options.chains
    groups = slice(0, chains), slice(chains, None)
    start = compare_starts(*(_scalar_batches(loop, kept, anchor, group) for group in groups))
    log_z = log_z_error = math.nan  # needed only if the two disagree
    if not start.agrees[-1]:
        log_z, log_z_error = (values[-1] for values in free_energies(loop, kept, anchor))
        start = _limited(loop, kept, anchor, start)
    energy = kept.whole.scalars.mean[anchor, :chains, loop.program.rungs - 1, 0].mean()
    return start, *judge_start(start, loop.betas[anchor], energy, log_z, log_z_error)


def _scalar_batches(loop: Loop, kept: Kept, anchor: int, chains: slice) -> ScalarBatches:
    rungs = slice(0, loop.program.rungs)
    return ScalarBatches(
        batches=np.stack([batch[anchor, chains, rungs, :SCALARS] for batch in kept.means]),
        mean=kept.whole.scalars.mean[anchor, chains, rungs, :SCALARS],
        variance=kept.whole.scalars.variance()[anchor, chains, rungs, :SCALARS],
        size=loop.totals.size,
    )


def _limited(loop: Loop, kept: Kept, anchor: int, start: AnchorStart) -> AnchorStart:
    """Return `start` with the limit of log Z of the state that the anchor-start chains are in."""
    one, chains, target = of_one(loop.ensemble, anchor), slice(loop.options.chains, None), loop.program.rungs - 1
    scalars = slice(0, SCALARS + len(loop.ensemble.fields))
    if anchor not in loop.copies:
        loop.copies[anchor] = energies_of_copies(one)
    return limit_log_z(
        start,
        np.stack([row[anchor, chains, target, scalars] for row in kept.traces], axis=1),
        np.stack([batch[anchor, chains, -1] for batch in kept.letters]),
        np.stack([batch[anchor, chains, target, scalars] for batch in kept.means]),
        sequences=loop.totals.size * loop.totals.target_replicas,
        beta=float(loop.betas[anchor, -1]),
        mu=np.asarray(one.mu(), np.float64),
        choices=_possible(loop.ensemble, anchor).sum(1),
        copies=lambda most: max(1, int((loop.copies[anchor] <= most).sum())),
    )
