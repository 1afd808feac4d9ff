"""`jaxmaxent potential`: the μ that gives a wanted GC content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jaxmaxent.analysis import ChemicalPotential, solve_chemical_potential
from jaxmaxent.checks import number, random_key
from jaxmaxent.commands._common import ensemble_of, read_for, say, versions, write_json
from jaxmaxent.commands._network import Found
from jaxmaxent.commands._options import PotentialOptions, SolverOptions, values
from jaxmaxent.data import Sequences
from jaxmaxent.files import new_file

FORMAT = "jaxmaxent-potential"
FORMAT_VERSION = 1


def run(options: PotentialOptions) -> ChemicalPotential:
    """Solve for μ of every sequence, or of all together; write the JSON file, print the results and return them."""
    gc = number("gc", options.gc, above=0, below=1)
    with new_file(options.out, force=options.force, ours=_is_ours) as scratch:
        network, anchors = read_for(Found.at(options), options)
        ensemble = ensemble_of(network, anchors, beta=options.beta, mu=0.0, unit=options.unit)
        solved = solve_chemical_potential(
            random_key(options.seed), ensemble, gc, progress=not options.quiet, **values(options, SolverOptions)
        )
        write_json(scratch, _about(options, anchors, solved))
    names = [f"{len(anchors)} sequences together"] if options.shared else anchors.names
    for a, name in enumerate(names):
        say(_line(name, solved, a))
    return solved


def _about(options: PotentialOptions, anchors: Sequences, solved: ChemicalPotential) -> dict[str, Any]:
    """Return the contents of the JSON file."""
    columns = {
        "mu": solved.mu,
        "standard_error": solved.standard_error,
        "gc": solved.fraction,
        "gc_standard_error": solved.fraction_error,
        "reached": solved.reached,
        "outcome": solved.outcomes,
        "trials": [[trial._asdict() for trial in trials] for trials in solved.trials],
    }
    # Most files contain one result. Then readers expect a number instead of a list.
    if len(solved.mu) == 1:
        columns = {key: value[0] for key, value in columns.items()}
    named = {"name": anchors.names[0]} if len(anchors) == 1 else {"names": anchors.names}
    mark = {"format": FORMAT, "format_version": FORMAT_VERSION}
    asked = {"target_gc": float(options.gc)} | {name: getattr(options, name) for name in ("beta", "chains", "seed")}
    return mark | named | columns | asked | {"proposals": solved.proposals, "versions": versions()}


def _is_ours(path: Path) -> bool:
    """Return True if this command wrote a file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["format"] == FORMAT
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def _line(name: str, solved: ChemicalPotential, a: int) -> str:
    if not solved.reached[a]:
        return f"{name}: {solved.outcomes[a]}"
    return (
        f"{name}: mu = {solved.mu[a]:.4f} ± {solved.standard_error[a]:.4f}, "
        f"GC content {solved.fraction[a]:.4f} ± {solved.fraction_error[a]:.4f} in a new run"
    )
