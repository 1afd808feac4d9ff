"""`jaxmaxent interpret`: a network and sequences to profiles, logos, motifs and a report."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from jaxmaxent import checks
from jaxmaxent.analysis import auto_beta
from jaxmaxent.commands._common import ensemble_of, read_for, say
from jaxmaxent.commands._job import OUTPUT, Job, Settings, check_place
from jaxmaxent.commands._write import write
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.files import new_folder, owned
from jaxmaxent.models import load
from jaxmaxent.results import Run
from jaxmaxent.sampling import MOST_RUNGS, Options, Precision, group_size, prepare

_MOST_SECONDS = 1e12  # times the number of sequences this has to be a number
AUTO = "auto"


def run(
    model: str,
    sequences: str,
    out: str,
    *,
    beta: float | str,
    mu: float = 0.0,
    unit: Any = None,
    rungs: int | None = None,
    chains: int | None = None,
    anchor_chains: int | None = None,
    steps: int | None = None,
    rhat: float | None = None,
    ess: float | None = None,
    mcse: float | None = None,
    max_steps: int | None = None,
    max_seconds: float | None = None,
    burn_in: int | None = None,
    limit: int | None = None,
    called: int | None = None,
    letters: str | None = None,
    headers: str | None = None,
    skip_invalid: bool = False,
    evaluation: str = "auto",
    pictures: int = 50,
    seed: int = 0,
    force: bool = False,
    progress: bool = True,
) -> Run:
    """Sample around every sequence, write the folder `out`, and return the run.

    With the β "auto" every sequence has its own, see `analysis.auto_beta`.
    """
    until = _until(steps, rhat=rhat, ess=ess, mcse=mcse, max_steps=max_steps, max_seconds=max_seconds)
    checks.random_key(seed)
    pictures = checks.integer("pictures", pictures, at_least=0)
    with owned(out, parents=True):
        check_place(out, force=force)
        check_output(out, force=force)
        network = load(model)
        anchors = read_for(
            network, sequences, letters=letters, limit=limit, called=called, headers=headers, skip_invalid=skip_invalid
        )
        ensemble = ensemble_of(network, anchors, beta=1.0 if beta == AUTO else beta, mu=mu, unit=unit)
        reasons: tuple[str, ...] = ()
        if beta == AUTO:
            found = auto_beta(ensemble)
            betas, reasons = tuple(map(float, found.beta)), found.reasons
        else:
            betas = float(beta)
        settings = _settings(
            ensemble, beta=betas, reasons=reasons, mu=float(mu), unit=unit, rungs=rungs, chains=chains,
            anchor_chains=anchor_chains, burn_in=burn_in, steps=steps, until=until, seed=seed, evaluation=evaluation,
            pictures=pictures, force=force,
        )  # fmt: skip
        return finish(Job.begin(out, network, anchors, settings), fresh=True, progress=progress)


def finish(job: Job, *, fresh: bool, force: bool = False, progress: bool = True) -> Run:
    """Do what is left of a job, write its output and forget the job."""
    with job.kept(fresh=fresh):
        result = job.sampled(progress=progress)
        force, notes = force or job.settings.force, {"job": job.identifier}
        with new_folder(job.out, kind=OUTPUT, force=force, notes=notes) as folder:
            missed = write(result, job.anchors, folder, job.settings, progress=progress)
        try:
            job.remove()
        except ValueError as error:  # the result is there, whatever is left besides
            say(error)
    for sentence in missed:
        say(sentence)
    speed = result.proposals_per_second
    say(f"sampled {len(job.anchors)} sequences at β = {job.settings.told_beta}, {speed:,.0f} proposals a second")
    return result


def _until(steps: int | None, **asked: float | None) -> Precision | None:
    """What ends the sampling, None where it is a number of steps."""
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if steps is not None and given:
        name, value = next(iter(given.items()))
        option = f"--{name.replace('_', '-')}"
        raise ValueError(
            f"give --steps or {option}, not both, got --steps {checks.shown(steps)} and {option} {checks.shown(value)}"
        )
    if "max_steps" in given:
        given["steps"] = checks.integer("max_steps", given.pop("max_steps"), at_least=1, at_most=checks.MOST_STEPS)
    if "max_seconds" in given:
        given["seconds"] = checks.number("max_seconds", given.pop("max_seconds"), above=0, below=_MOST_SECONDS)
    return Precision(**given) if steps is None else None


class _Asked(Exception):
    """Ends a block that only asks whether a folder could be made."""


def check_output(out: str, *, force: bool) -> None:
    """Refuse now what could not be written in the end, by the same steps."""
    with contextlib.suppress(_Asked), new_folder(out, kind=OUTPUT, force=force):
        raise _Asked


def _settings(
    ensemble: Ensemble, *, rungs: int | None, until: Any, steps: Any, evaluation: str, **asked: Any
) -> Settings:
    """Everything checked as `sample` will, with its defaults filled in, and the anchors divided into groups."""
    ladder = "auto" if rungs is None else checks.integer("rungs", rungs, at_least=1, at_most=MOST_RUNGS)
    batch = ensemble.batched()
    options = Options.of(
        batch, ladder=None if ladder == 1 else ladder, chains=asked["chains"], anchor_chains=asked["anchor_chains"],
        until=until, steps=steps, burn_in=asked["burn_in"], evaluation=evaluation,
    )  # fmt: skip
    group = group_size(batch, options)
    options = prepare(batch.take(np.arange(group)), options, kept=batch.anchors).options
    filled = {name: getattr(options, name) for name in ("rungs", "chains", "anchor_chains", "burn_in", "evaluation")}
    return Settings(until=until, steps=steps, group=group, **asked | filled)
