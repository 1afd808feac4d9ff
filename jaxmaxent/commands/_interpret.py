"""`jaxmaxent interpret`: sample around sequences; write profiles, logos, motifs and a report."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from typing import Any

import jax
import numpy as np

from jaxmaxent import checks
from jaxmaxent.analysis._resolution.automatic import checked_rule
from jaxmaxent.commands._common import ensemble_of, precision_of, read_for, say, stopping_of
from jaxmaxent.commands._engine import check_engine
from jaxmaxent.commands._engine_options import EngineOptions
from jaxmaxent.commands._job import OUTPUT, Job
from jaxmaxent.commands._job_settings import JobSettings
from jaxmaxent.commands._kept import check_place
from jaxmaxent.commands._kmers import KMERS
from jaxmaxent.commands._network import Found
from jaxmaxent.commands._options import InterpretOptions, SamplingOptions, StoppingOptions, values
from jaxmaxent.commands._values import BetaRule
from jaxmaxent.commands._whole import whole_of
from jaxmaxent.commands._write import STORE, write
from jaxmaxent.console import complain
from jaxmaxent.ensembles import DNA, Ensemble
from jaxmaxent.files import new_folder, owned
from jaxmaxent.results import Run, RunStore
from jaxmaxent.results._export import needed
from jaxmaxent.sampling import DEFAULT_RUNGS, MOST_RUNGS, Options, Precision, group_size, prepare, side_by_side

_MOST_IN_A_FILE = 200  # sequences whose runs go to one file, all of which is read at once
_MOST_SECONDS = 1e12  # so that its product with the number of sequences is finite


def run(options: InterpretOptions) -> Run | RunStore:
    """Sample around every sequence, write the output folder, and return the run.

    With a rule for β every sequence has its own, see `analysis.auto_beta`.
    """
    until = _until(options)
    checks.random_key(options.seed)
    checks.integer("pictures", options.pictures, at_least=0)
    check_engine(options)
    with owned(options.out, parents=True):
        check_place(options.out, force=options.force)
        check_output(options.out, force=options.force)
        network = Found.at(options)
        made, anchors = read_for(network, options)
        betas = _betas(options)
        beta = betas[-1] if betas else 1.0
        ensemble = ensemble_of(made, anchors, beta=beta, mu=options.mu, unit=options.unit)
        settings = _settings(options, ensemble, until, betas)
        job = Job.begin(options.out, network, made, anchors, settings)
        return finish(job, options, begun_here=True, progress=not options.quiet)


def finish(
    job: Job, engine: EngineOptions, *, begun_here: bool, force: bool = False, progress: bool = True
) -> Run | RunStore:
    """Do the remaining work of a job, write its output and delete the job."""
    with job.kept(begun_here=begun_here):
        result = job.sampled(engine, progress=progress)
        force, notes = force or job.settings.force, {"job": job.identifier}
        with new_folder(job.out, kind=OUTPUT, force=force, notes=notes) as folder:
            settings, whole = job.settled(result), whole_of(result)
            maps = functools.partial(job.maps, progress=progress)
            written = write(result, job.anchors, folder, settings, maps, progress=progress)
        try:
            job.remove()
        except ValueError as error:  # no failure: the result is written, and only files of the job are left
            complain(error)
    for sentence in written.missed:
        say(sentence)
    count, speed = len(job.anchors), whole.proposals_per_second
    plural = "" if count == 1 else "s"
    say(
        f"sampled {count} sequence{plural} at β = {settings.told_beta}, {written.held} bits in total"
        f"{' at the largest' * bool(settings.rungs_at)}, {speed:,.0f} proposals per second"
    )
    return result if isinstance(result, Run) else RunStore(job.out / STORE)


def _until(options: InterpretOptions) -> Precision | None:
    """Return the precision at which sampling ends; None if it ends after a number of steps."""
    given = {name: value for name, value in values(options, StoppingOptions).items() if value is not None}
    if options.steps is not None and given:
        name, value = next(iter(given.items()))
        option = f"--{name.replace('_', '-')}"
        raise ValueError(
            f"give --steps or {option}, not both, got --steps {checks.shown(options.steps)} "
            f"and {option} {checks.shown(value)}"
        )
    if options.max_steps is not None:
        checks.integer("max_steps", options.max_steps, at_least=1, at_most=checks.MOST_STEPS)
    if options.max_seconds is not None:
        checks.number("max_seconds", options.max_seconds, above=0, below=_MOST_SECONDS)
    return precision_of(options) if options.steps is None else None


def _betas(options: InterpretOptions) -> tuple[float, ...]:
    """Return the β's that were given, increasing, the last of which is the target; none for a rule.

    Raises:
        ValueError: if there are several and they are not different or not above 0, or the ladder has too few rungs.
    """
    given = options.beta
    if isinstance(given, BetaRule):
        return ()
    if not isinstance(given, tuple):
        return (given,)
    betas = tuple(sorted(given))
    if not all(0 < beta < math.inf for beta in given) or len(set(given)) < len(given):
        shown = ",".join(f"{beta:g}" for beta in given)
        raise ValueError(f"beta must be different numbers above 0 if there are several, got {checks.shown(shown)}")
    rungs = DEFAULT_RUNGS if options.rungs is None else checks.integer("rungs", options.rungs, at_least=1)
    if rungs < len(betas) + 1:
        raise ValueError(f"rungs must be at least {len(betas) + 1} for {len(betas)} values of --beta, got {rungs}")
    return betas


class _Asked(Exception):
    """Ends a block whose only purpose is to check that a folder can be made."""


def check_output(out: str, *, force: bool) -> None:
    """Raise ValueError before sampling begins if the output cannot be written at the end."""
    with contextlib.suppress(_Asked), new_folder(out, kind=OUTPUT, force=force):
        raise _Asked


def _settings(
    options: InterpretOptions, ensemble: Ensemble, until: Precision | None, betas: tuple[float, ...]
) -> JobSettings:
    """Return the options with every default filled in and checked as `sample` does, and the size of a group."""
    ladder = "auto"
    if options.rungs is not None:
        ladder = checks.integer("rungs", options.rungs, at_least=1, at_most=MOST_RUNGS)
    batch = ensemble.batched()
    kmers = KMERS if _counts_kmers(batch, ladder, options.chains) else None
    filled = Options.of(
        batch, ladder=None if ladder == 1 else ladder, chains=options.chains, anchor_chains=options.anchor_chains,
        until=until, steps=options.steps, burn_in=options.burn_in, evaluation=options.evaluation, rungs_at=betas[:-1],
        kmers=kmers, store_every=options.store_every,
    )  # fmt: skip
    # On a CPU sequences take turns, so nothing is gained by sampling them side by side.
    # Elsewhere each has a lane of its own, or with incremental evaluation they share positions and end together.
    one = dataclasses.replace(filled, names=filled.names[:1])
    evaluation, lanes = side_by_side(batch, one, lanes=options.lanes)
    group = 1 if lanes > 1 or jax.default_backend() == "cpu" else group_size(batch, filled)
    store = _store(options, batch.anchors)
    some = dataclasses.replace(filled, names=filled.names[:group], evaluation=evaluation)
    kept = lanes * group if store == "zarr" else batch.anchors
    made = prepare(batch.take(np.arange(group)), some, kept=kept)
    filled = made.options
    if jax.default_backend() != "cpu":
        say(f"{lanes} sequences side by side, {made.told}" if lanes > 1 else made.told)
    asked = values(options, SamplingOptions) | stopping_of(until)
    asked |= {name: getattr(filled, name) for name in ("rungs", "chains", "anchor_chains", "burn_in", "evaluation")}
    asked |= {"mu": float(options.mu), "kmers": kmers, "store": store, "keep": _keep(options), "lanes": lanes}
    if not isinstance(options.beta, BetaRule):
        beta = float(betas[-1])
        return JobSettings(**asked, beta=beta, rule=None, wanted=None, group=group, rungs_at=betas[:-1])
    if options.beta.wanted is not None:
        checked_rule(*options.beta)
    return JobSettings(**asked, beta=None, rule=options.beta.rule, wanted=options.beta.wanted, group=group)


def _store(options: InterpretOptions, anchors: int) -> str:
    """Return what the runs are kept in; ImportError if that is a store and zarr is not installed."""
    if options.store == "zarr":
        needed("--store zarr", "xarray", "zarr")
    if options.store is not None or anchors <= _MOST_IN_A_FILE:
        return options.store or "npz"
    needed(
        f"more than {_MOST_IN_A_FILE} sequences are kept in a store, which", "xarray", "zarr",
        instead="--store npz keeps them in one file",
    )  # fmt: skip
    return "zarr"


def _keep(options: InterpretOptions) -> str:
    """Return what is kept of each run; ValueError if draws are to be kept and none are stored, or the reverse."""
    stores = options.store_every is not None
    if options.keep is not None and (options.keep == "draws") != stores:
        advice = "draws with --store-every" if stores else "profile or ladder without --store-every"
        raise ValueError(f"keep must be {advice}, got {options.keep}")
    return options.keep or ("draws" if stores else "ladder")


def _counts_kmers(batch: Ensemble, ladder: Any, chains: int | None) -> bool:
    """Return whether k-mers are counted: of four letters, where chains and β = 0 give a comparison."""
    compared = ladder != 1 and chains != 1
    return compared and len(batch.alphabet) == len(DNA) and batch.length >= KMERS
