"""Runs of many anchors in one Zarr folder, which is read anchor by anchor, also while it grows.

The folder has the arrays of `Run` under their names, so that xarray opens it, and for each anchor a sentence on
convergence, times, a remark, checksums, and a mark that it is complete, which is written last. A finished anchor is
first a file of its own in a hidden folder. Whole blocks of such files then become chunks of the arrays: with a chunk
per anchor and array, 10,000 anchors would make half a million files.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from jaxmaxent import checks
from jaxmaxent.files import named
from jaxmaxent.results import _export as export
from jaxmaxent.results._format import FORMAT as RUN_FORMAT
from jaxmaxent.results._join import join
from jaxmaxent.results._run import Run
from jaxmaxent.results._schema import VARIABLES

FORMAT, FORMAT_VERSION = export.STORE, 1
ABOUT = "about"  # the attribute with everything that all anchors share
COMPLETE, CHECKSUMS, REMARKS, OUTCOMES, NAMES = "complete", "checksums", "remark", "outcomes", "names"
# Numbers of a whole run, which a store has for each anchor.
EACH = ("burn_in", "seconds", "compile_seconds", "proposals_per_second")
# Arrays whose length differs from anchor to anchor, and its axis, by the name of the array with that length.
LENGTHS = {"states": ("energies", 3), "stored": ("draws", 2)}
PER_STATE = ("energies", "counts")
SHARED = ("letters", "field_names", "thin", "device", "evaluation")
WAITING = ".jaxmaxent-waiting"  # the hidden folder of anchors that are finished or begun, and in no chunk yet


class RunStore(Sequence[Run]):
    """Runs of many anchors on disk, each read when it is asked for.

    `store[3]` is the run of one anchor, as if it had been sampled alone, and `store.take([0, 5])` that of several.
    Memory does not depend on the number of anchors. A store can be read while another process writes it: `complete`
    says which anchors are there, and is read anew each time. xarray opens the folder too.

    Attributes:
        path: the folder.
        names: names of all anchors.
        about: further words of the job that fills the store.

    Example:
        ```
        store = jaxmaxent.Run.open("run.zarr")
        information = [run.total_information[0, -1] for run in store]
        ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(named(path))
        self._group = _opened(self.path)
        self.names, self.about = _names_and_about(self.path, self._group)
        self._block: tuple[dict[str, np.ndarray], int, dict[str, Any]] | None = None

    def __repr__(self) -> str:
        return f"RunStore({str(self.path)!r}): {int(self.complete.sum())} of {len(self)} anchors are complete"

    def __len__(self) -> int:
        return len(self.names)

    @property
    def complete(self) -> Bool[np.ndarray, " anchor"]:
        """True for each anchor whose run is there."""
        found = np.zeros(len(self), bool)
        if self._has_arrays():
            found |= self._group[COMPLETE][:].astype(bool)
        found[[number for number in waiting(self.path) if number < len(found)]] = True
        return found

    @property
    def converged(self) -> Bool[np.ndarray, " anchor"]:
        """True for each anchor whose run reached the wanted precision; the store must be complete."""
        return self.read("converged")

    def __getitem__(self, index: Any) -> Run:
        """Return the run of one anchor.

        Raises:
            IndexError: if there is no such anchor.
            ValueError: if its run is not there yet, or is damaged.
        """
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        number = int(index) + len(self) * (int(index) < 0)
        if not 0 <= number < len(self):
            raise IndexError(f"index must be less than the {len(self)} anchors, got {checks.shown(index)}")
        return self._read(number)[0]

    def __iter__(self) -> Iterator[Run]:
        """Yield the runs of all anchors, in their order."""
        return (self._read(number)[0] for number in range(len(self)))

    def take(self, indices: Any) -> Run:
        """Return the runs of some anchors as one, in memory; without stored draws if some have none.

        Raises:
            IndexError, ValueError: as for one anchor.
        """
        runs = [self[int(i)] for i in indices]
        if not all(run.draws is not None for run in runs):
            runs = [dataclasses.replace(run, draws=None) for run in runs]
        return join(runs)

    @property
    def block_size(self) -> int:
        """Number of anchors whose runs lie together on disk."""
        return self._group[COMPLETE].chunks[0] if self._has_arrays() else 1

    def blocks(self) -> Iterator[tuple[range, Run]]:
        """Yield the runs of all anchors, those together that lie together on disk, with their indices."""
        size = self.block_size
        for first in range(0, len(self), size):
            numbers = range(first, min(first + size, len(self)))
            yield numbers, self.take(numbers)

    def read(self, name: str) -> np.ndarray:
        """Return one array of all anchors, in memory: an attribute of `Run`, such as "converged", or "remark".

        Raises:
            ValueError: if the store has no such array, or is not complete.
        """
        if not self.complete.all() or waiting(self.path):
            raise ValueError(f"{self.path} is not complete; `store.complete` says which anchors are there")
        if name not in self._group:
            raise ValueError(f"{self.path} has no array {checks.shown(name)}")
        return self._group[name][:]

    def remark(self, index: int) -> str:
        """Return the remark that was written with the run of an anchor, "" if there is none."""
        return self._read(int(index))[1]

    def _has_arrays(self) -> bool:
        """Return whether a first block was written, perhaps by another process since the folder was opened."""
        if COMPLETE not in self._group:
            return False
        if "arrays" not in json.loads(self._group.attrs[ABOUT]):
            self._group = _opened(self.path)
        return True

    def _read(self, number: int) -> tuple[Run, str]:
        """Return run and remark of an anchor, from its file or from the arrays."""
        file = file_of(self.path, number)
        for _ in range(2):  # another process may put the file into the arrays just now
            if self._has_arrays() and self._group[COMPLETE][number]:
                return self._from_arrays(number)
            if file.is_file():
                return Run.load(file), read_remark(file)
        raise ValueError(f"{self.path} has no run of {self.names[number]!r} yet; `complete` says which are there")

    def _from_arrays(self, number: int) -> tuple[Run, str]:
        rows, first, about = self._block_with(number)
        row = number - first
        arrays = {name: rows[name][row : row + 1] for name in about["arrays"]}
        for name in PER_STATE:
            arrays[name] = arrays[name][:, :, :, : int(rows["states"][row])]
        if "draws" in arrays:
            arrays["draws"] = arrays["draws"][:, :, : int(rows["stored"][row])]
        texts = {name: str(rows[name][row]) for name in (OUTCOMES, REMARKS)}
        if not np.array_equal(rows[CHECKSUMS][row], checksums(arrays, texts)):
            raise ValueError(f"{self.path} is damaged: the run of {self.names[number]!r} does not have its checksum")
        words = about["shared"] | {name: rows[name][row].item() for name in EACH}
        words["field_names"] = tuple(words["field_names"])
        absent = {name: None for name in VARIABLES if name not in arrays}
        attributes: dict[str, Any] = {**words, **arrays, **absent}
        if "draws" in arrays and not arrays["draws"].shape[2]:
            attributes["draws"] = None
        run = Run(names=(self.names[number],), outcomes=(texts[OUTCOMES],), **attributes)
        return run, texts[REMARKS]

    def _block_with(self, number: int) -> tuple[dict[str, np.ndarray], int, dict[str, Any]]:
        """Return all arrays of the block that an anchor is in, the first anchor of it, and the words of the store.

        The block is kept until another is asked for, because anchors are mostly read one after another.
        """
        size = self._group[COMPLETE].chunks[0]
        first = number // size * size
        if self._block is None or self._block[1] != first:
            about = json.loads(self._group.attrs[ABOUT])
            names = [*about["arrays"], *LENGTHS, *EACH, OUTCOMES, REMARKS, CHECKSUMS]
            try:
                rows = {name: self._group[name][first : first + size] for name in names}
            except Exception as error:  # damaged chunks raise errors of any type
                raise ValueError(
                    f"{self.path} is damaged: the runs from {self.names[first]!r} cannot be read"
                ) from error
            self._block = rows, first, about
        return self._block


def file_of(path: Path, number: int) -> Path:
    """Return the file of an anchor that is in no chunk yet; without its suffix it is the place of a checkpoint."""
    return path / WAITING / f"{number:06d}.npz"


def waiting(path: Path) -> set[int]:
    """Return the indices of the finished anchors that are in no chunk yet."""
    folder = path / WAITING
    names = os.listdir(folder) if folder.is_dir() else []
    return {int(name[:-4]) for name in names if name.endswith(".npz") and name[:-4].isdigit()}


def checksums(arrays: dict[str, np.ndarray], texts: dict[str, str]) -> np.ndarray:
    """Return the checksum of each array of an anchor, and of each text, in the order of their names."""
    parts = [np.ascontiguousarray(arrays[name]).data for name in sorted(arrays)]
    parts += [texts[name].encode() for name in sorted(texts)]
    return np.array([zlib.crc32(part) for part in parts], np.uint32)


def read_remark(file: Path) -> str:
    """Return the remark that lies beside the file of a finished anchor."""
    file = file.with_suffix(".txt")
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _opened(path: Path) -> Any:
    (zarr,) = export.needed("a run in .zarr", "xarray", "zarr")
    if not path.is_dir():
        raise ValueError(f"{path} is not there, expected a folder of runs (.zarr)")
    try:
        return zarr.open_group(path, mode="r", zarr_format=2, use_consolidated=False)
    except Exception as error:  # damaged folders raise errors of any type
        raise ValueError(f"{path} is damaged or holds no runs, expected a Zarr folder") from error


def _names_and_about(path: Path, group: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    try:
        about = json.loads(group.attrs[ABOUT])
        if about["format"] == RUN_FORMAT:
            raise ValueError(f"{path} holds a run as a whole, which `Run.load` reads")
        if (about["format"], about["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise ValueError(
                f"{path} has format {about['format']!r} version {about['format_version']!r}, expected {FORMAT!r} "
                f"version {FORMAT_VERSION}"
            )
        return tuple(map(str, group[NAMES][:])), dict(about["job"])
    except KeyError as error:
        raise ValueError(f"{path} holds no runs, expected a folder that jaxmaxent wrote") from error
