"""What `interpret` writes about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent import console
from jaxmaxent.analysis import Profile, Thermodynamics, informative_window, profile, thermodynamics
from jaxmaxent.commands._common import Missed, file_name, versions, write_json
from jaxmaxent.commands._job import RUN, JobSettings
from jaxmaxent.commands._pictures import along_ladder, how_many, profile_logo
from jaxmaxent.data import Motif, Sequences, write_meme
from jaxmaxent.report import Picture, write_report
from jaxmaxent.results import Run
from jaxmaxent.sampling import Precision

SUMMARY = "summary.json"
_NOTE = (
    "All chains ran at one β. At a large β they may not have mixed: the standard errors tell how far chains "
    "agree with each other, not whether they have all seen the same part of sequence space."
)
_RARE = 0.2  # neighbours that exchange less often than this cut a ladder in two
_NAMED = 5


def write(result: Run, anchors: Sequences, folder: Path, settings: JobSettings, *, progress: bool = False) -> list[str]:
    """Write everything that is told about a run into an existing folder, the numbers first.

    Returns:
        a sentence on the pictures that could not be drawn, for each reason.
    """
    rungs = range(result.beta.shape[1])
    any_letter = anchors.alphabet.any_letter
    profiles = [[profile(result, a, k, any_letter=any_letter) for k in rungs] for a in range(len(anchors))]
    heat = [_thermodynamics(result, a) for a in range(len(anchors))]
    summary = [_summary(result, profiles[a], heat[a], a) for a in range(len(anchors))]
    for row, reason in zip(summary, settings.reasons, strict=False):
        row["beta_reason"] = reason
    about = {
        "converged": result.converged.all(),
        "outcome": outcome(result),
        "settings": settings.plain() | {"thin": result.thin},
        "anchors": summary,
        "seconds": result.seconds,
        "compile_seconds": result.compile_seconds,
        "proposals_per_second": result.proposals_per_second,
        "versions": versions(),
    }
    write_json(folder / SUMMARY, about)
    _write_frequencies(result, folder / "frequencies.npz")
    result.save(folder / RUN)
    wanted = [every[-1] for every in profiles]
    _write_motifs(wanted, anchors, folder / "motifs.meme")
    missed = Missed()
    logos, pictures = _drawn(result, profiles, heat, anchors, settings.pictures, missed, progress)
    _write_logos(logos, anchors, folder / "logos")
    write_report(
        folder / "report.html",
        title=f"Maximum entropy profiles at β = {settings.told_beta}",
        summary=[row | {"advice": _advice(result, a, settings)} for a, row in enumerate(summary)],
        logos=logos,
        pictures=pictures,
        facts=_facts(result, settings),
        notes=_notes(result, settings) + missed.told(),
    )
    return missed.told()


def outcome(result: Run) -> str:
    """Whether all sequences converged, and which did not."""
    missing = [name for name, good in zip(result.names, result.converged, strict=True) if not good]
    count = len(result.names)
    if not missing:
        return f"converged: {count} of {count} sequences"
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return f"not converged: {len(missing)} of {count} sequences ({', '.join(missing[:_NAMED])}{more})"


def _thermodynamics(result: Run, a: int) -> Thermodynamics | None:
    """Entropies along the ladder; None without one, and where it falls into parts that have nothing in common."""
    try:
        return thermodynamics(result, a)
    except ValueError:
        return None


def _summary(result: Run, profiles: list[Profile], heat: Thermodynamics | None, a: int) -> dict[str, Any]:
    found = profiles[-1]
    row = {
        "name": result.names[a],
        "converged": result.converged[a],
        "outcome": result.outcomes[a],
        "beta": result.beta[a, -1],
        "mu": result.mu[a, 0] if result.field_names else 0.0,
        "steps": result.steps[a],
        "max_rhat": result.max_rhat[a, -1],
        "min_ess": result.min_ess[a, -1],
        "mean_energy": result.energy[a, -1],
        "mean_energy_error": result.energy_error[a, -1],
        "acceptance": result.acceptance[a, -1],
        "consensus": found.consensus,
        "information_bits": found.information,
        "information_bits_error": found.information_errors,
        "arrivals": result.arrivals[a],
        "round_trips": result.round_trips[a],
        "proposals_per_second": result.proposals_per_second,
        "compile_seconds": result.compile_seconds,
    }
    if heat is not None:
        row |= {"entropy_bits": heat.entropy[-1], "entropy_bits_error": heat.entropy_error[-1]}
        row |= {"log10_sequences": heat.log10_number[-1], "log10_sequences_error": heat.log10_number_error[-1]}
    if "GC" in result.field_names:
        k, length = result.field_names.index("GC"), result.anchors.shape[1]
        row |= {"gc": result.field_mean[a, -1, k] / length, "gc_error": result.field_error[a, -1, k] / length}
    return row | {"ladder": [_rung(result, found, a, k) for k, found in enumerate(profiles)]}


def _rung(result: Run, found: Profile, a: int, k: int) -> dict[str, Any]:
    """One rung of an anchor; the error of the information is at most that, as if the positions' errors added up."""
    return {
        "beta": result.beta[a, k],
        "mean_energy": result.energy[a, k],
        "mean_energy_error": result.energy_error[a, k],
        "acceptance": result.acceptance[a, k],
        "information_bits": found.information.sum(),
        "information_bits_error": found.information_errors.sum(),
        "swap_acceptance_with_next": result.swap_acceptance[a, k] if k < result.swap_acceptance.shape[1] else None,
        "max_rhat": result.max_rhat[a, k],
        "min_ess": result.min_ess[a, k],
        "log_z": result.log_z[a, k],
        "log_z_error": result.log_z_error[a, k],
        "anchor_start_energy": result.anchor_start_energy[a, k],
        "anchor_start_error": result.anchor_start_error[a, k],
    }


def _write_frequencies(result: Run, path: Path) -> None:
    """All rungs, the wanted β last, for readers who want nothing else."""
    names = ("frequencies", "frequency_errors", "frequency_rhat", "frequency_ess", "beta")
    arrays = {name: getattr(result, name) for name in names}
    np.savez_compressed(path, letters=np.array(result.letters), names=np.array(result.names), **arrays)


def _write_motifs(profiles: list[Profile], anchors: Sequences, path: Path) -> None:
    """The informative stretch of every profile that has one; no file where none has."""
    motifs = []
    for index, (name, found) in enumerate(zip(anchors.names, profiles, strict=True)):
        start, stop = informative_window(found.information)
        if stop > start:
            rows = found.frequencies[start:stop]
            rows = rows / rows.sum(1, keepdims=True)
            motifs.append(Motif(f"{name}_{start}-{stop}", f"{index}", rows))
    if motifs:
        write_meme(path, motifs, alphabet=anchors.alphabet)


def _drawn(
    result: Run,
    profiles: list[list[Profile]],
    heat: list[Thermodynamics | None],
    anchors: Sequences,
    limit: int,
    missed: Missed,
    progress: bool,
) -> tuple[list[bytes | None], list[list[Picture]]]:
    """The logo of each sequence and its other pictures; none of those after the first `limit`."""
    logos: list[bytes | None] = [None] * len(anchors)
    pictures: list[list[Picture]] = [[] for _ in anchors.names]
    first = range(min(limit, len(anchors)))
    for a in console.bar(first, desc="drawing", unit="sequence", show=progress):
        with missed.drawing(f"the logo of {result.names[a]}"):
            logos[a] = profile_logo(result, a, profiles[a][-1], anchors)
        with missed.drawing(f"the ladder of {result.names[a]}"):
            pictures[a] += along_ladder(result, a, profiles[a])
        with missed.drawing(f"the number of sequences around {result.names[a]}"):
            pictures[a] += how_many(result, a, heat[a])
    return logos, pictures


def _write_logos(logos: list[bytes | None], anchors: Sequences, folder: Path) -> None:
    for index, picture in enumerate(logos):
        if picture is not None:
            folder.mkdir(exist_ok=True)
            (folder / f"{file_name(anchors.names[index], index)}.png").write_bytes(picture)


def _advice(result: Run, a: int, settings: JobSettings) -> str | None:
    """What to do where an anchor did not converge."""
    if result.converged[a]:
        return None
    if settings.rungs == 1:
        return "Leave --rungs at its default: chains at one β seldom mix where it is large. Or take a smaller --beta."
    wanted = settings.until or Precision()
    if not (result.max_rhat[a] > wanted.rhat).any() and (result.min_ess[a] >= wanted.ess).all():
        return (
            "Take a smaller --beta. The chains agree with each other, but not with those started at the sequence "
            "itself, and more steps seldom bring the two together."
        )
    rare = result.swap_acceptance[a].min()
    if rare < _RARE:
        return (
            f"Take more --rungs, as two neighbours exchange only {100 * rare:.0f} % of the time; or a smaller --beta."
        )
    if settings.until is None:
        return "Take more --steps, or none, so that sampling goes on until it has converged; or a smaller --beta."
    limits = f"--max-steps (it was {settings.until.steps:,})"
    if settings.until.seconds is not None:
        limits += f" and --max-seconds (it was {settings.until.seconds:g})"
    return f"Allow larger {limits}, or take a smaller --beta."


def _notes(result: Run, settings: JobSettings) -> list[str]:
    told = outcome(result)
    missing = f"{told[0].upper()}{told[1:]}. What is missing and what to do is said at each of them."
    return ([] if result.converged.all() else [missing]) + ([_NOTE] if settings.rungs == 1 else [])


def _facts(result: Run, settings: JobSettings) -> dict[str, Any]:
    fewest, most = int(result.steps.min()), int(result.steps.max())
    until, count = settings.until, len(result.names)
    drawn = min(settings.pictures, count)
    asked = {} if until is None else {
        "R-hat at most": until.rhat, "effective sample size at least": until.ess,
        "standard error at most": until.mcse, "steps at most": until.steps, "seconds at most": until.seconds,
    }  # fmt: skip
    return {
        "rungs of the ladder": settings.rungs,
        "chains of each sequence": settings.chains,
        "chains started at the anchor": settings.anchor_chains,
        **{name: value for name, value in asked.items() if value is not None},
        "steps of each replica": fewest if fewest == most else f"{fewest} to {most}",
        "burn-in": result.burn_in,
        "every … step counted": result.thin,
        **({"sequences drawn": f"the first {drawn} of {count}"} if drawn < count else {}),
        "seed": settings.seed,
        "proposals a second": f"{result.proposals_per_second:,.0f}",
        "seconds sampling": f"{result.seconds:.1f}",
        "seconds compiling": f"{result.compile_seconds:.1f}",
        **versions(),
    }
