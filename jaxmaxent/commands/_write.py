"""The output folder of `interpret`. Numbers are written first, then pictures and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent import console
from jaxmaxent.analysis import (
    EnrichedKmers,
    Profile,
    SequencesWithin,
    Thermodynamics,
    informative_window,
    profile,
    thermodynamics,
)
from jaxmaxent.commands import _sites as sites
from jaxmaxent.commands._common import Missed, beta_text, file_name, versions, write_json
from jaxmaxent.commands._job import RUN
from jaxmaxent.commands._job_settings import JobSettings
from jaxmaxent.commands._kmers import kmers_of, table
from jaxmaxent.commands._pictures import number_of_sequences, profile_logo
from jaxmaxent.commands._sites import Maps
from jaxmaxent.commands._summary import AnchorSummary, advice_for, outcome, summarize
from jaxmaxent.data import Motif, Sequences, region_of, write_meme
from jaxmaxent.report import AnchorRow, Detail, Setting, write_report
from jaxmaxent.results import Run
from jaxmaxent.sampling import Precision

SUMMARY, MOTIFS = "summary.json", "motifs.meme"
_ONE_BETA = (
    "All chains ran at one β. They may not have mixed if β is large: the standard errors compare the chains with each "
    "other, and cannot show that all of them have missed a part of sequence space."
)
_RARE = 0.2  # if neighboring rungs swap less often than this, the parts of the ladder hardly mix


def write(
    result: Run, anchors: Sequences, folder: Path, settings: JobSettings, maps: Maps, *, progress: bool = False
) -> list[str]:
    """Write the output of a run, and where its sequences have sites, into an existing folder, numbers first.

    Returns:
        one sentence per reason why pictures were not drawn.
    """
    rungs, any_letter = range(result.beta.shape[1]), anchors.alphabet.any_letter
    profiles = [[profile(result, anchor=a, rung=k, any_letter=any_letter) for k in rungs] for a in range(len(anchors))]
    heat = [_thermodynamics(result, a) for a in range(len(anchors))]
    reasons = settings.reasons or [None] * len(anchors)
    asked = [_asked_rungs(result, a, settings) for a in range(len(anchors))]
    rows = [
        summarize(result, a, profiles[a], heat[a], reasons[a], asked[a], sites.as_json(maps, a))
        for a in range(len(anchors))
    ]
    write_json(folder / SUMMARY, _run_summary(result, settings, rows))
    _write_frequencies(result, folder / "frequencies.npz")
    result.save(folder / RUN)
    sites.write_arrays(maps, anchors.names, folder / sites.ARRAYS)
    sites.write_table(maps, anchors, folder / sites.TABLE)
    marks = [f"_beta-{beta_text(beta)}" for beta in settings.asked_betas] or [""]
    _write_motifs([[every[k] for k in asked[a]] for a, every in enumerate(profiles)], marks, anchors, folder / MOTIFS)
    missed = Missed()
    logos = _draw_logos(result, profiles, asked, anchors, settings.pictures, missed, progress)
    _write_logos(logos, marks, anchors, folder / "logos")
    detail = Detail(
        run=result, necessity=maps.necessity, sufficiency=maps.sufficiency, sites=maps.sites, thermodynamics=heat,
        within=_within(result, heat, settings.pictures, missed), rungs_at=settings.rungs_at,
    )  # fmt: skip
    write_report(
        folder / "report.html",
        title=f"Maximum entropy profiles at β = {settings.told_beta}",
        anchors=[
            _anchor_row(
                row, _advice(result, a, settings), anchors, sites.told(sites.of_anchor(maps, a)), kmers_of(result, a)
            )
            for a, row in enumerate(rows)
        ],
        detail=detail,
        settings=_report_settings(result, settings),
        notes=_notes(result, settings) + missed.told(),
    )  # fmt: skip
    return missed.told()


def _asked_rungs(result: Run, a: int, settings: JobSettings) -> list[int]:
    """Return the rungs of the β's that were asked for, the target last."""
    return [*(result.rung_at(beta, anchor=a) for beta in settings.rungs_at), result.beta.shape[1] - 1]


def _run_summary(result: Run, settings: JobSettings, rows: list[AnchorSummary]) -> dict[str, Any]:
    """Return the contents of `summary.json`. The settings have the names of the options of the command line."""
    return {
        "converged": result.converged.all(),
        "outcome": outcome(result),
        "settings": settings.plain() | {"thin": result.thin},
        "anchors": [row.as_json() for row in rows],
        "seconds": result.seconds,
        "compile_seconds": result.compile_seconds,
        "proposals_per_second": result.proposals_per_second,
        "versions": versions(),
    }


def _thermodynamics(result: Run, a: int) -> Thermodynamics | None:
    """Return entropies along the ladder; None for a single β, or if parts of the ladder have no draws in common."""
    try:
        return thermodynamics(result, anchor=a)
    except ValueError:
        return None


def _write_frequencies(result: Run, path: Path) -> None:
    """Write the letter frequencies of all rungs, the target last, to a small file."""
    names = ("frequencies", "frequency_errors", "frequency_rhat", "frequency_ess", "beta")
    arrays = {name: getattr(result, name) for name in names}
    np.savez_compressed(path, letters=np.array(result.letters), names=np.array(result.names), **arrays)


def _write_motifs(profiles: list[list[Profile]], marks: list[str], anchors: Sequences, path: Path) -> None:
    """Write the informative window of every profile that has one; write no file if none has.

    The profiles are those of each sequence at each β that was asked for, whose marks are part of the names.
    """
    motifs = []
    for index, (name, of_sequence) in enumerate(zip(anchors.names, profiles, strict=True)):
        for mark, found in zip(marks, of_sequence, strict=True):
            start, stop = informative_window(found.information)
            if stop > start:
                rows = found.frequencies[start:stop]
                rows = rows / rows.sum(1, keepdims=True)
                motifs.append(Motif(f"{name}_{start}-{stop}{mark}", f"{index}{mark}", rows))
    if motifs:
        write_meme(path, motifs, alphabet=anchors.alphabet)


def _draw_logos(
    result: Run,
    profiles: list[list[Profile]],
    asked: list[list[int]],
    anchors: Sequences,
    limit: int,
    missed: Missed,
    progress: bool,
) -> list[list[bytes | None]]:
    """Draw the logos at the rungs asked for of the first `limit` sequences; others have none."""
    logos: list[list[bytes | None]] = [[None] * len(rungs) for rungs in asked]
    first = range(min(limit, len(anchors)))
    for a in console.bar(first, desc="drawing", unit="sequence", show=progress):
        with missed.drawing(f"the logo of {result.names[a]}"):
            for i, k in enumerate(asked[a]):
                logos[a][i] = profile_logo(result, a, k, profiles[a][k], anchors)
    return logos


def _within(result: Run, heat: list[Thermodynamics | None], limit: int, missed: Missed) -> list[SequencesWithin | None]:
    """Return the numbers of sequences around the first `limit` sequences; None for others."""
    found: list[SequencesWithin | None] = [None] * len(heat)
    for a in range(min(limit, len(heat))):
        with missed.drawing(f"the number of sequences around {result.names[a]}"):
            found[a] = number_of_sequences(result, a, heat[a])
    return found


def _write_logos(logos: list[list[bytes | None]], marks: list[str], anchors: Sequences, folder: Path) -> None:
    for index, of_sequence in enumerate(logos):
        for mark, picture in zip(marks, of_sequence, strict=True):
            if picture is not None:
                folder.mkdir(exist_ok=True)
                (folder / f"{file_name(anchors.names[index], index)}{mark}.png").write_bytes(picture)


def _anchor_row(
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


def _advice(result: Run, a: int, settings: JobSettings) -> str | None:
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


def _notes(result: Run, settings: JobSettings) -> list[str]:
    """Return the warnings at the top of the report."""
    notes = []
    if not result.converged.all():
        verdict = outcome(result)
        notes.append(f"{verdict[0].upper()}{verdict[1:]}. The section of each of them gives the reason and advice.")
    blank = [tried for tried in (advice_for(result, a) for a in range(len(result.names))) if tried is not None]
    if len(blank) == 1 and len(result.names) == 1:
        notes.append(f"{blank[0]}.")
    elif blank:
        notes.append(
            f"For {len(blank)} of {len(result.names)} sequences almost any sequence is equal at this β. The section of "
            "each of them gives a β to try."
        )
    if settings.rungs == 1:
        notes.append(_ONE_BETA)
    return notes


def _report_settings(result: Run, settings: JobSettings) -> list[Setting]:
    """Return the report's table of settings and speeds."""
    fewest, most = int(result.steps.min()), int(result.steps.max())
    count, drawn = len(result.names), min(settings.pictures, len(result.names))
    rows = [
        Setting("rungs of the ladder", settings.rungs),
        Setting("chains per sequence", settings.chains),
        Setting("anchor-start chains", settings.anchor_chains),
        *_limits(settings.until),
        Setting("steps of each replica", fewest if fewest == most else f"{fewest} to {most}"),
        Setting("burn-in steps", result.burn_in),
        Setting("steps per draw", result.thin),
    ]
    if drawn < count:
        rows.append(Setting("sequences with logos as PNG files", f"the first {drawn} of {count}"))
    return [
        *rows,
        Setting("seed", settings.seed),
        Setting("proposals per second", f"{result.proposals_per_second:,.0f}"),
        Setting("seconds of sampling", f"{result.seconds:.1f}"),
        Setting("seconds of compilation", f"{result.compile_seconds:.1f}"),
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
