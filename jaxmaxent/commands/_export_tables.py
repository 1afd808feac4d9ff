"""What `jaxmaxent export` writes about positions, anchors, windows and sites: columns of tables, and stretches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent.analysis import anchor_table, position_table
from jaxmaxent.analysis._motifs.informative_windows import InformativeWindow, informative_windows
from jaxmaxent.commands._common import beta_text
from jaxmaxent.commands._write import SUMMARY
from jaxmaxent.data import AnchorInterval
from jaxmaxent.data._places import in_genome
from jaxmaxent.ensembles import with_letters
from jaxmaxent.results import Run
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


def windows(result: Run) -> list[InformativeWindow]:
    """Return the informative windows of all anchors at the target."""
    return informative_windows(
        result.frequencies[:, -1], result.frequency_errors[:, -1], THRESHOLD, _LEAST, _GAP, flank=0
    )


def told_beta(result: Run) -> str:
    """Return the β of the target, or the smallest and the largest of the anchors."""
    betas = result.beta[:, -1]
    return " to ".join(dict.fromkeys(beta_text(float(f"{beta:.6g}")) for beta in (betas.min(), betas.max())))


def _positions(result: Run, folder: Path) -> Columns:
    length = result.anchors.shape[1]
    position = np.tile(np.arange(length), len(result.names))
    every = np.stack([np.repeat(np.arange(len(result.names)), length), position, position + 1], axis=1)
    return _with_coordinates(position_table(result), result, every, after="position")


def _anchors(result: Run, folder: Path) -> Columns:
    length = result.anchors.shape[1]
    every = np.array([(a, 0, length) for a in range(len(result.names))])
    return _with_coordinates(anchor_table(result), result, every, after="anchor")


def _windows(result: Run, folder: Path) -> Columns:
    found = windows(result)
    frequencies = [result.frequencies[w.anchor, -1, w.start : w.stop] for w in found]
    errors = [result.frequency_errors[w.anchor, -1, w.start : w.stop] for w in found]
    pairs = list(zip(frequencies, errors, strict=True))
    columns = _stretches(result, found) | {
        "consensus": _texts(_consensus(result, table) for table in frequencies),
        "information": np.array([information_bits(table).sum() for table in frequencies], float),
        "information_error": np.array([information_errors(*pair).sum() for pair in pairs], float),
        "converged": result.converged[np.array([w.anchor for w in found], int)],
    }
    return _with_coordinates(columns, result, np.array(found), after="stop")


def _sites(result: Run, folder: Path) -> Columns:
    found = read_sites(result, folder)
    where = [(a, site["start"], site["stop"]) for a, site, _ in found]
    letters = with_letters(result.letters).decode(result.anchors)
    columns = _stretches(result, where) | {
        "letters": _texts(letters[a][start:stop] for a, start, stop in where),
        "kind": _texts(_kind(site) for _, site, _ in found),
        **{name: np.array([site[name] for _, site, _ in found], float) for name in _NUMBERS},
    }
    return _with_coordinates(columns, result, np.array(where), after="stop")


def _stretches(result: Run, found: Sequence[Sequence[int]]) -> Columns:
    return {
        "anchor": _texts(result.names[one[0]] for one in found),
        "start": np.array([one[1] for one in found], int),
        "stop": np.array([one[2] for one in found], int),
    }


def _with_coordinates(columns: Columns, result: Run, found: np.ndarray, after: str) -> Columns:
    """Add the places in the genome of stretches of anchors, behind a column; nothing if anchors have none.

    The stretches are rows of anchor, start and stop.
    """
    placed = in_genome(result.names, result.anchors.shape[1])
    if placed is None:
        return columns
    anchor, start, stop = found.reshape(-1, 3).astype(int).T
    chromosomes, starts, ends, strands = (np.array(column, kind) for column, kind in zip(
        zip(*placed, strict=True), (object, int, int, object), strict=True
    ))  # fmt: skip
    begin = np.where(strands[anchor] == "-", ends[anchor] - stop, starts[anchor] + start)
    added = {
        "chromosome": chromosomes[anchor],
        "genome_start": begin,
        "genome_stop": begin + stop - start,
        "strand": strands[anchor],
    }
    names = list(columns)
    at = names.index(after) + 1
    return {name: columns[name] for name in names[:at]} | added | {name: columns[name] for name in names[at:]}


def _texts(texts: Iterable[str]) -> np.ndarray:
    return np.array(list(texts), object)


def _consensus(result: Run, table: np.ndarray) -> str:
    return consensus(table, result.letters, any_letter=with_letters(result.letters).any_letter)


def _window_intervals(result: Run, folder: Path) -> list[AnchorInterval]:
    """Return the informative windows, named by their consensus; scores are the shares of the largest information."""
    found = []
    for window in windows(result):
        table = result.frequencies[window.anchor, -1, window.start : window.stop]
        share = information_bits(table).mean() / np.log2(len(result.letters))
        found.append(AnchorInterval(*window, _consensus(result, table), float(np.clip(share, 0, 1))))
    return found


def _site_intervals(result: Run, folder: Path) -> list[AnchorInterval]:
    """Return the sites, named by their kind; scores are shares of the distance of background sequences."""
    found = []
    for a, site, background in read_sites(result, folder):
        share = np.nan_to_num(np.fmax(site["necessity"], site["sufficiency"]) / background)
        found.append(AnchorInterval(a, site["start"], site["stop"], _kind(site), float(np.clip(share, 0, 1))))
    return found


def _kind(site: dict[str, Any]) -> str:
    return "redundant" if site["redundant"] else "needed"


def read_sites(result: Run, folder: Path) -> list[tuple[int, dict[str, Any], float]]:
    """Return the index of the anchor of every site, the site, and the distance of background sequences.

    Raises:
        ValueError: if the folder has no summary of this run that `interpret` wrote.
    """
    file = folder / SUMMARY
    if not file.is_file():
        raise ValueError(f"{folder} must be a folder that `interpret` wrote, because a saved run has no sites")
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["anchors"]
        if tuple(row["name"] for row in rows) != result.names:
            raise ValueError("it is of other anchors than the run")
        found = [
            (a, {"redundant": bool(site["redundant"])} | _numbers(site), float(row["where"]["background_energy"]))
            for a, row in enumerate(rows)
            for site in row["where"]["sites"]
        ]
        length = result.anchors.shape[1]
        if any(not 0 <= site["start"] < site["stop"] <= length for _, site, _ in found):
            raise ValueError(f"a site lies outside the {length} positions of its anchor")
        return found
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        why = f"the entry {error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{file} cannot be read for sites: {why}") from error


def _numbers(site: dict[str, Any]) -> dict[str, Any]:
    ends = {name: int(site[name]) for name in ("start", "stop")}
    return ends | {name: np.nan if site[name] is None else float(site[name]) for name in _NUMBERS}


COLUMNS: dict[str, Callable[[Run, Path], Columns]] = {
    "positions": _positions,
    "anchors": _anchors,
    "windows": _windows,
    "sites": _sites,
}
INTERVALS: dict[str, Callable[[Run, Path], list[AnchorInterval]]] = {
    "windows": _window_intervals,
    "sites": _site_intervals,
}
