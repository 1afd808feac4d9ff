"""`jaxmaxent interpret`: a network and sequences to profiles, logos, motifs and a report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxmaxent import plot
from jaxmaxent.analysis import Profile, informative_window, profile
from jaxmaxent.checks import random_key
from jaxmaxent.commands.common import file_name, load_ensemble, say, versions, write_json
from jaxmaxent.data import Motif, Sequences, write_meme
from jaxmaxent.ensemble import Ensemble
from jaxmaxent.files import new_folder
from jaxmaxent.report import write_report
from jaxmaxent.run import sample
from jaxmaxent.store import Run, join

# So many chains of all anchors advance together; more anchors wait for their turn, so memory stays bounded.
_CHAINS_AT_ONCE = 4096
_NOTE = (
    "All chains ran at one β. At a large β they may not have mixed: the standard errors tell how far chains "
    "agree with each other, not whether they have all seen the same part of sequence space."
)


def run(
    model: str,
    sequences: str,
    out: str,
    *,
    beta: float,
    mu: float = 0.0,
    unit: Any = None,
    chains: int = 256,
    steps: int = 10_000,
    burn_in: int | None = None,
    limit: int | None = None,
    letters: str | None = None,
    seed: int = 0,
    force: bool = False,
    progress: bool = True,
) -> Run:
    """Sample around every sequence, write the folder `out`, and return the run."""
    with new_folder(out, marker="summary.json", force=force) as folder:
        ensemble, anchors = load_ensemble(model, sequences, beta=beta, mu=mu, unit=unit, letters=letters, limit=limit)
        settings = {"chains": chains, "steps": steps, "burn_in": burn_in, "progress": progress}
        result = _sample_in_groups(random_key(seed), ensemble, anchors, settings)
        write(result, anchors, folder, seed=seed)
    speed = result.proposals_per_second
    say(f"sampled {len(anchors)} sequences at β = {beta:g}, {speed:,.0f} proposals a second")
    return result


def write(result: Run, anchors: Sequences, folder: Path, *, seed: int) -> None:
    """Everything that is told about a run, into an existing folder."""
    profiles = [profile(result, a, any_letter=anchors.alphabet.any_letter) for a in range(len(anchors))]
    summary = [_summary(result, profiles[a], a) for a in range(len(anchors))]
    about = {
        "anchors": summary,
        "chains": result.chains,
        "steps": result.steps,
        "burn_in": result.burn_in,
        "thin": result.thin,
        "seed": seed,
        "seconds": result.seconds,
        "versions": versions(),
    }
    write_json(folder / "summary.json", about)
    np.savez_compressed(
        folder / "frequencies.npz",
        frequencies=result.frequencies,
        frequency_errors=result.frequency_errors,
        letters=np.array(result.letters),
        beta=result.beta,
        names=np.array(result.names),
    )
    result.save(folder / "run.npz")
    _write_motifs(profiles, anchors, folder / "motifs.meme")
    logos = _write_logos(profiles, anchors, result, folder / "logos")
    write_report(
        folder / "report.html",
        title=f"Maximum entropy profiles at β = {result.beta[0, -1]:g}",
        summary=summary,
        logos=logos,
        facts=_facts(result, seed),
        notes=[_NOTE],
    )


def _sample_in_groups(key: jax.Array, ensemble: Ensemble, anchors: Sequences, settings: dict[str, Any]) -> Run:
    """One program for groups of anchors of one size; the last group is filled up with its last anchor."""
    count = len(anchors)
    groups = max(1, math.ceil(count * int(settings["chains"] or 1) / _CHAINS_AT_ONCE))
    size = math.ceil(count / groups)
    runs = []
    for first in range(0, count, size):
        indices = np.minimum(np.arange(first, first + size), count - 1)
        names = [anchors.names[i] for i in indices]
        part = sample(jax.random.fold_in(key, first), ensemble.take(indices), names=names, **settings)
        runs.append(part.take(np.arange(min(size, count - first))))
    return join(runs)


def _summary(result: Run, found: Profile, a: int) -> dict[str, Any]:
    row = {
        "name": result.names[a],
        "beta": result.beta[a, -1],
        "mu": result.mu[a, 0] if result.field_names else 0.0,
        "mean_energy": result.energy[a, -1],
        "mean_energy_error": result.energy_error[a, -1],
        "acceptance": result.acceptance[a, -1],
        "consensus": found.consensus,
        "information_bits": found.information,
        "information_bits_error": found.information_errors,
        "proposals_per_second": result.proposals_per_second,
        "compile_seconds": result.compile_seconds,
    }
    if "GC" in result.field_names:
        k, length = result.field_names.index("GC"), result.anchors.shape[1]
        row |= {"gc": result.field_mean[a, -1, k] / length, "gc_error": result.field_error[a, -1, k] / length}
    return row


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


def _write_logos(profiles: list[Profile], anchors: Sequences, result: Run, folder: Path) -> list[bytes]:
    folder.mkdir()
    spelled = anchors.alphabet.decode(anchors.tokens)
    pictures = []
    for index, found in enumerate(profiles):
        axes = plot.logo(
            found.frequencies,
            letters=result.letters,
            standard_error=found.frequency_errors,
            anchor=spelled[index],
            title=f"{anchors.names[index]}, β = {result.beta[index, -1]:g}",
        )
        pictures.append(plot.png(axes))
        (folder / f"{file_name(anchors.names[index], index)}.png").write_bytes(pictures[-1])
    return pictures


def _facts(result: Run, seed: int) -> dict[str, Any]:
    return {
        "chains of each sequence": result.chains,
        "steps of each chain": result.steps,
        "burn-in": result.burn_in,
        "every … step counted": result.thin,
        "seed": seed,
        "proposals a second": f"{result.proposals_per_second:,.0f}",
        "seconds sampling": f"{result.seconds:.1f}",
        "seconds compiling": f"{result.compile_seconds:.1f}",
        **versions(),
    }
