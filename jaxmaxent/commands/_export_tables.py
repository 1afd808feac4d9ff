"""What `jaxmaxent export` writes about positions, anchors, windows and sites: columns of tables, and stretches.

Columns come part by part: those of some anchors at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxmaxent.analysis import anchor_table, position_table
from jaxmaxent.analysis._motifs.informative_windows import InformativeWindow, informative_windows
from jaxmaxent.commands._common import beta_text
from jaxmaxent.commands._write import SUMMARY
from jaxmaxent.data import AnchorInterval
from jaxmaxent.data._places import in_genome
from jaxmaxent.ensembles import with_letters
from jaxmaxent.results import Run
from jaxmaxent.results._in_parts import RunParts
from jaxmaxent.results._information import THRESHOLD, consensus, information_bits, information_errors

Columns = dict[str, np.ndarray]
# The windows are those from which `find_motifs` makes motifs, without flanks.
_LEAST, _GAP = 4.0, 8
# Columns by which a table is known to be one of these.
KNOWN = tuple(
    frozenset({"anchor", name})
    for name in (
        "information_error",
        "necessity_error",
        "heat_capacity_error",
        "shift_error",
        "mutual_information",
        "amplitude_error",
    )
)
_NUMBERS = ("necessity", "necessity_error", "sufficiency", "sufficiency_error")


def windows(run: Run) -> list[InformativeWindow]:
    """Return the informative windows of the anchors of a run at the target."""
    return informative_windows(run.frequencies[:, -1], run.frequency_errors[:, -1], THRESHOLD, _LEAST, _GAP, flank=0)


def told_beta(runs: RunParts) -> str:
    """Return the β of the target, or the smallest and the largest of the anchors."""
    betas = runs.beta
    return " to ".join(dict.fromkeys(beta_text(float(f"{beta:.6g}")) for beta in (betas.min(), betas.max())))


def _positions(runs: RunParts, folder: Path) -> Iterator[Columns]:
    placed, position = _Placed.of(runs), np.arange(runs.length)
    for numbers, run in runs:
        anchor, start = np.repeat(np.array(numbers), runs.length), np.tile(position, len(numbers))
        yield _with_coordinates(position_table(run), placed, anchor, start, start + 1, after="position")


def _anchors(runs: RunParts, folder: Path) -> Iterator[Columns]:
    placed = _Placed.of(runs)
    for numbers, run in runs:
        start = np.zeros(len(numbers), int)
        yield _with_coordinates(
            anchor_table(run), placed, np.array(numbers), start, start + runs.length, after="anchor"
        )


def _windows(runs: RunParts, folder: Path) -> Iterator[Columns]:
    placed = _Placed.of(runs)
    for numbers, run in runs:
        found = windows(run)
        frequencies = [run.frequencies[w.anchor, -1, w.start : w.stop] for w in found]
        errors = [run.frequency_errors[w.anchor, -1, w.start : w.stop] for w in found]
        pairs = list(zip(frequencies, errors, strict=True))
        anchor, start, stop = np.array(found, int).reshape(-1, 3).T
        columns = {
            "anchor": _texts(run.names[a] for a in anchor),
            "start": start,
            "stop": stop,
            "consensus": _texts(_consensus(run, table) for table in frequencies),
            "information": np.array([information_bits(table).sum() for table in frequencies], float),
            "information_error": np.array([information_errors(*pair).sum() for pair in pairs], float),
            "converged": run.converged[anchor],
        }
        yield _with_coordinates(columns, placed, numbers.start + anchor, start, stop, after="stop")


def _sites(runs: RunParts, folder: Path) -> Iterator[Columns]:
    placed, found = _Placed.of(runs), read_sites(runs, folder)
    for numbers, run in runs:
        mine = [(a, site) for a, site, _ in found if a in numbers]
        letters = with_letters(run.letters).decode(run.anchors)
        anchor, start, stop = (np.array(column, int) for column in (
            [a for a, _ in mine], [site["start"] for _, site in mine], [site["stop"] for _, site in mine]
        ))  # fmt: skip
        columns = {
            "anchor": _texts(runs.names[a] for a in anchor),
            "start": start,
            "stop": stop,
            "letters": _texts(letters[a - numbers.start][site["start"] : site["stop"]] for a, site in mine),
            "kind": _texts(_kind(site) for _, site in mine),
            **{name: np.array([site[name] for _, site in mine], float) for name in _NUMBERS},
        }
        yield _with_coordinates(columns, placed, anchor, start, stop, after="stop")


class _Placed(NamedTuple):
    """The places of all anchors in the genome, each array of shape [anchors]."""

    chromosome: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray

    @classmethod
    def of(cls, runs: RunParts) -> _Placed | None:
        """Return the places by the names of the anchors; None if they have none."""
        placed = in_genome(runs.names, runs.length)
        if placed is None:
            return None
        columns = zip(zip(*placed, strict=True), (object, int, int, object), strict=True)
        return cls(*(np.array(column, kind) for column, kind in columns))


def _with_coordinates(
    columns: Columns, placed: _Placed | None, anchor: np.ndarray, start: np.ndarray, stop: np.ndarray, *, after: str
) -> Columns:
    """Add the places in the genome of stretches of anchors, behind a column; nothing if anchors have none."""
    if placed is None:
        return columns
    reverse = placed.strand[anchor] == "-"
    begin = np.where(reverse, placed.end[anchor] - stop, placed.start[anchor] + start)
    added = {
        "chromosome": placed.chromosome[anchor],
        "genome_start": begin,
        "genome_stop": begin + stop - start,
        "strand": placed.strand[anchor],
    }
    names = list(columns)
    at = names.index(after) + 1
    return {name: columns[name] for name in names[:at]} | added | {name: columns[name] for name in names[at:]}


def _texts(texts: Iterable[str]) -> np.ndarray:
    return np.array(list(texts), object)


def _consensus(run: Run, table: np.ndarray) -> str:
    return consensus(table, run.letters, any_letter=with_letters(run.letters).any_letter)


def _window_intervals(runs: RunParts, folder: Path) -> list[AnchorInterval]:
    """Return the informative windows, named by their consensus; scores are the shares of the largest information."""
    found = []
    for numbers, run in runs:
        for anchor, start, stop in windows(run):
            table = run.frequencies[anchor, -1, start:stop]
            share = float(np.clip(information_bits(table).mean() / np.log2(len(run.letters)), 0, 1))
            found.append(AnchorInterval(numbers.start + anchor, start, stop, _consensus(run, table), share))
    return found


def _site_intervals(runs: RunParts, folder: Path) -> list[AnchorInterval]:
    """Return the sites, named by their kind; scores are shares of the distance of background sequences."""
    found = []
    for a, site, background in read_sites(runs, folder):
        share = np.nan_to_num(np.fmax(site["necessity"], site["sufficiency"]) / background)
        found.append(AnchorInterval(a, site["start"], site["stop"], _kind(site), float(np.clip(share, 0, 1))))
    return found


def _kind(site: dict[str, Any]) -> str:
    return "redundant" if site["redundant"] else "needed"


def read_sites(runs: RunParts, folder: Path) -> list[tuple[int, dict[str, Any], float]]:
    """Return the index of the anchor of every site, the site, and the distance of background sequences.

    Raises:
        ValueError: if the folder has no summary of this run that `interpret` wrote.
    """
    file = folder / SUMMARY
    if not file.is_file():
        raise ValueError(f"{folder} must be a folder that `interpret` wrote, because a saved run has no sites")
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["anchors"]
        if tuple(row["name"] for row in rows) != runs.names:
            raise ValueError("it is of other anchors than the run")
        found = [
            (a, {"redundant": bool(site["redundant"])} | _numbers(site), float(row["where"]["background_energy"]))
            for a, row in enumerate(rows)
            for site in row["where"]["sites"]
        ]
        length = runs.length
        if any(not 0 <= site["start"] < site["stop"] <= length for _, site, _ in found):
            raise ValueError(f"a site lies outside the {length} positions of its anchor")
        return found
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        why = f"the entry {error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{file} cannot be read for sites: {why}") from error


def _numbers(site: dict[str, Any]) -> dict[str, Any]:
    ends = {name: int(site[name]) for name in ("start", "stop")}
    return ends | {name: np.nan if site[name] is None else float(site[name]) for name in _NUMBERS}


COLUMNS: dict[str, Callable[[RunParts, Path], Iterator[Columns]]] = {
    "positions": _positions,
    "anchors": _anchors,
    "windows": _windows,
    "sites": _sites,
}
INTERVALS: dict[str, Callable[[RunParts, Path], list[AnchorInterval]]] = {
    "windows": _window_intervals,
    "sites": _site_intervals,
}
