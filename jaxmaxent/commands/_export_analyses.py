"""Tables of analyses that `jaxmaxent export` writes: anchor by anchor, from the whole ladder or from stored draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from jaxmaxent.analysis import (
    composition_shift,
    couplings,
    kmer_profile,
    periodicity,
    thermodynamics,
)
from jaxmaxent.results import Run
from jaxmaxent.results._in_parts import RunParts

Columns = dict[str, np.ndarray]
DEFAULT_KMER = "WW"
# Attributes of `CompositionShift` that have a number for each anchor.
_PER_FIELD = ("fraction", "background", "shift", "shift_error", "own")


def thermodynamics_table(runs: RunParts, kmer: str | None) -> Iterator[Columns]:
    """Yield entropy, free energy and heat capacity at every rung of every anchor, in bits and units of E."""
    del kmer
    return (_ladder_of(run, a) for _, run in runs for a in range(len(run.names)))


def couplings_table(runs: RunParts, kmer: str | None) -> Iterator[Columns]:
    """Yield the most strongly coupled pairs of positions of every anchor."""
    del kmer
    return (_pairs_of(run, a) for _, run in runs for a in range(len(run.names)))


def periodicity_table(runs: RunParts, kmer: str | None) -> Iterator[Columns]:
    """Yield the period of a class of k-mers in the draws of every anchor."""
    return (_period_of(run, a, kmer or DEFAULT_KMER) for _, run in runs for a in range(len(run.names)))


def composition_table(runs: RunParts, kmer: str | None) -> Iterator[Columns]:
    """Yield the share of each field in the draws of every anchor, and how far it is from that of the background."""
    del kmer
    if not runs.field_names:
        raise ValueError("run must have been sampled with a field, such as the GC content, got a run without fields")
    return (_shifts_of(run, field) for field in runs.field_names for _, run in runs)


def _ladder_of(run: Run, a: int) -> Columns:
    found = thermodynamics(run, anchor=a)
    numbers = {name: np.asarray(value, float) for name, value in found._asdict().items()}
    return {"anchor": np.full(len(found.beta), run.names[a], object), "rung": np.arange(len(found.beta))} | numbers


def _pairs_of(run: Run, a: int) -> Columns:
    found = couplings(run, anchor=a)
    count = len(found.pairs)
    names = ("first", "second", "mutual_information", "error", "p", "q")
    return {"anchor": np.full(count, run.names[a], object)} | {
        name: np.array([getattr(pair, name) for pair in found.pairs], int if name in ("first", "second") else float)
        for name in names
    }


def _period_of(run: Run, a: int, kmer: str) -> Columns:
    found = periodicity(kmer_profile(run, kmer, anchor=a))
    names = ("period", "period_error", "amplitude", "amplitude_error", "phase", "phase_error", "p")
    return {"anchor": np.array([run.names[a]], object), "kmers": np.array([kmer], object)} | {
        name: np.array([getattr(found, name)], float) for name in names
    }


def _shifts_of(run: Run, field: str) -> Columns:
    found = composition_shift(run, field=field)
    count = len(run.names)
    return {"anchor": np.array(run.names, object), "field": np.full(count, field, object)} | {
        name: np.asarray(getattr(found, name), float) for name in _PER_FIELD
    }


# What each table needs of a run.
TABLES: dict[str, tuple[str, Callable[[RunParts, str | None], Iterator[Columns]]]] = {
    "thermodynamics": ("ladder", thermodynamics_table),
    "composition": ("ladder", composition_table),
    "couplings": ("draws", couplings_table),
    "periodicity": ("draws", periodicity_table),
}
