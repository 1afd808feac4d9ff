"""`jaxmaxent potential`: the μ that gives a wanted GC content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jaxmaxent.analysis import ChemicalPotential, solve_chemical_potential
from jaxmaxent.checks import number, random_key
from jaxmaxent.commands._common import load_ensemble, say, versions, write_json
from jaxmaxent.files import new_file

FORMAT = "jaxmaxent-potential"
FORMAT_VERSION = 1


def run(
    model: str,
    sequences: str,
    out: str,
    *,
    gc: float,
    beta: float,
    unit: Any = None,
    shared: bool = False,
    tolerance: float = 0.02,
    chains: int = 8,
    steps: int = 1000,
    max_steps: int = 64_000,
    burn_in: int | None = None,
    limit: int | None = None,
    called: int | None = None,
    letters: str | None = None,
    headers: str | None = None,
    skip_invalid: bool = False,
    seed: int = 0,
    force: bool = False,
    progress: bool = True,
) -> ChemicalPotential:
    """Solve for every sequence, or for all together, write the JSON file `out`, print and return the answers."""
    gc = number("gc", gc, above=0, below=1)
    with new_file(out, force=force, ours=_is_ours) as scratch:
        ensemble, anchors = load_ensemble(
            model, sequences, beta=beta, mu=0.0, unit=unit, letters=letters, limit=limit, called=called,
            headers=headers, skip_invalid=skip_invalid,
        )  # fmt: skip
        solved = solve_chemical_potential(
            random_key(seed), ensemble, gc, shared=shared,
            tolerance=tolerance, chains=chains, steps=steps, max_steps=max_steps, burn_in=burn_in,
            progress=progress,
        )  # fmt: skip
        columns = {
            "mu": solved.mu,
            "standard_error": solved.standard_error,
            "gc": solved.fraction,
            "gc_standard_error": solved.fraction_error,
            "reached": solved.reached,
            "outcome": solved.outcomes,
            "trials": [[trial._asdict() for trial in trials] for trials in solved.trials],
        }
        # One number is asked for most often, and then a number is what one expects to find.
        if len(solved.mu) == 1:
            columns = {key: value[0] for key, value in columns.items()}
        named = {"name": anchors.names[0]} if len(anchors) == 1 else {"names": anchors.names}
        mark = {"format": FORMAT, "format_version": FORMAT_VERSION}
        about = {"target_gc": gc, "beta": beta, "chains": chains, "seed": seed, "proposals": solved.proposals}
        write_json(scratch, mark | named | columns | about | {"versions": versions()})
    names = [f"{len(anchors)} sequences together"] if shared else anchors.names
    for a, name in enumerate(names):
        say(_line(name, solved, a))
    return solved


def _is_ours(path: Path) -> bool:
    """Whether a file was written by this command."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["format"] == FORMAT
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def _line(name: str, solved: ChemicalPotential, a: int) -> str:
    if not solved.reached[a]:
        return f"{name}: {solved.outcomes[a]}"
    return (
        f"{name}: mu = {solved.mu[a]:.4f} ± {solved.standard_error[a]:.4f}, "
        f"GC content {solved.fraction[a]:.4f} ± {solved.fraction_error[a]:.4f} in a fresh run"
    )
