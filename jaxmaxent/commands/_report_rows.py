"""What the report of `interpret` says: a row for each sequence, notes at the top, settings and speeds."""

from __future__ import annotations

from collections.abc import Sequence

from jaxmaxent.analysis import EnrichedKmers
from jaxmaxent.commands._common import versions
from jaxmaxent.commands._job_settings import JobSettings
from jaxmaxent.commands._kmers import table
from jaxmaxent.commands._summary import AnchorSummary, outcome
from jaxmaxent.commands._whole import Whole
from jaxmaxent.data import Sequences, region_of
from jaxmaxent.report import AnchorRow, Setting
from jaxmaxent.results import Run
from jaxmaxent.sampling import Precision

_ONE_BETA = (
    "All chains ran at one β. They may not have mixed if β is large: the standard errors compare the chains with each "
    "other, and cannot show that all of them have missed a part of sequence space."
)
_RARE = 0.2  # if neighboring rungs swap less often than this, the parts of the ladder hardly mix


def anchor_row(
    row: AnchorSummary, advice: str | None, anchors: Sequences, sites_told: str, kmers: EnrichedKmers | None
) -> AnchorRow:
    """Return the report's row of an anchor."""
    target = row.target
    return AnchorRow(
        name=row.name, region=region_of(row.name, anchors.tokens.shape[1]), beta=target.beta, mu=row.mu,
        mean_energy=target.mean_energy, mean_energy_error=target.mean_energy_error, acceptance=target.acceptance,
        information_bits=row.total_information_bits, information_error=row.total_information_bits_error,
        blank=row.advice, max_rhat=target.max_rhat, min_ess=target.min_ess,
        converged=row.converged, consensus=row.consensus, outcome=row.outcome, advice=advice,
        beta_reason=row.beta_reason, steps=row.steps, proposals_per_second=row.proposals_per_second,
        compile_seconds=row.compile_seconds, mobility=row.mobility,
        mobility_told=f"{row.mobility_told}; {sites_told}", table=None if kmers is None else table(kmers),
    )  # fmt: skip


def advice_of(result: Run, a: int, settings: JobSettings) -> str | None:
    """Return advice for an anchor that did not converge, or None if it did."""
    if result.converged[a]:
        return None
    if settings.rungs == 1:
        return "Leave --rungs at its default: chains at a single, large β seldom mix. Or take a smaller --beta."
    wanted = settings.until or Precision()
    if not (result.max_rhat[a] > wanted.rhat).any() and (result.min_ess[a] >= wanted.ess).all():
        return (
            "Take a smaller --beta. The chains agree with each other, but not with the anchor-start chains, and more "
            "steps seldom bring the two together."
        )
    rare = result.swap_acceptance[a].min()
    if rare < _RARE:
        return (
            f"Take more --rungs: one pair of neighbouring rungs accepts only {100 * rare:.0f} % of its swaps. Or take "
            "a smaller --beta."
        )
    if settings.until is None:
        return (
            "Take more --steps, or leave out --steps: sampling then goes on until it has converged. Or take a smaller "
            "--beta."
        )
    limits = f"--max-steps (it was {settings.until.steps:,})"
    if settings.until.seconds is not None:
        limits += f" and --max-seconds (it was {settings.until.seconds:g})"
    return f"Allow a larger {limits}, or take a smaller --beta."


def notes_of(whole: Whole, blank: Sequence[str], settings: JobSettings) -> list[str]:
    """Return the warnings at the top of the report.

    Args:
        whole: the numbers of all sequences together.
        blank: advice for sequences whose letters hold nearly nothing.
        settings: the settings of the job.
    """
    notes = []
    if not whole.converged.all():
        verdict = outcome(whole)
        notes.append(f"{verdict[0].upper()}{verdict[1:]}. The section of each of them gives the reason and advice.")
    if len(blank) == 1 and len(whole.names) == 1:
        notes.append(f"{blank[0]}.")
    elif blank:
        notes.append(
            f"For {len(blank)} of {len(whole.names)} sequences almost any sequence is equal at this β. The section of "
            "each of them gives a β to try."
        )
    if settings.rungs == 1:
        notes.append(_ONE_BETA)
    return notes


def settings_of(whole: Whole, settings: JobSettings) -> list[Setting]:
    """Return the report's table of settings and speeds."""
    fewest, most = int(whole.steps.min()), int(whole.steps.max())
    count, drawn = len(whole.names), min(settings.pictures, len(whole.names))
    rows = [
        Setting("rungs of the ladder", settings.rungs),
        Setting("chains per sequence", settings.chains),
        Setting("anchor-start chains", settings.anchor_chains),
        *_limits(settings.until),
        Setting("steps of each replica", fewest if fewest == most else f"{fewest} to {most}"),
        Setting("burn-in steps", whole.burn_in),
        Setting("steps per draw", whole.thin),
    ]
    if drawn < count:
        rows.append(Setting("sequences with logos as PNG files", f"the first {drawn} of {count}"))
    return [
        *rows,
        Setting("seed", settings.seed),
        Setting("proposals per second", f"{whole.proposals_per_second:,.0f}"),
        Setting("seconds of sampling", f"{whole.seconds:.1f}"),
        Setting("seconds of compilation", f"{whole.compile_seconds:.1f}"),
        *(Setting(name, version) for name, version in versions().items()),
    ]


def _limits(until: Precision | None) -> list[Setting]:
    """Return the limits that end a run."""
    if until is None:
        return []
    asked = [
        Setting("R-hat at most", until.rhat),
        Setting("effective sample size at least", until.ess),
        Setting("standard error at most", until.mcse),
        Setting("steps at most", until.steps),
        Setting("seconds at most", until.seconds),
    ]
    return [setting for setting in asked if setting.value is not None]
