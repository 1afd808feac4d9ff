"""Checkpoints of a run on disk. A run that was stopped at any moment can continue from them.

A folder holds `about.json`, a description of the run, and the newest two checkpoints. Each checkpoint is an `.npz`
archive. Its checksums show whether bytes have changed, and it appears under its name whole or not at all. No pickle is
written or read.
"""

from __future__ import annotations

import io
import json
import os
import re
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxmaxent import checks
from jaxmaxent.files import PARTIAL, entries, named, refusing, write_whole

FORMAT = "jaxmaxent-checkpoints"
FORMAT_VERSION = 3  # since this version the description has a checksum
ABOUT = "about.json"
_SAVED = re.compile(r"(\d+)-step-(\d+)\.npz")
# The names of files that a killed process leaves behind.
_LEFTOVER = re.compile(rf"({_SAVED.pattern}|{re.escape(ABOUT)}){re.escape(PARTIAL)}")
_NOTES = "about"  # the entry of an archive that describes the others, whose names are 0, 1, …


class DamagedCheckpointWarning(UserWarning):
    """The newest checkpoint is damaged, and the run goes on from the one before it."""


class _Saved(NamedTuple):
    """A checkpoint: the number of the save, counted from 1, the step, and the file."""

    number: int
    step: int
    path: Path


class Checkpoints:
    """The checkpoints of one run: a folder with the newest ones and a description of the run.

    Only one process at a time may write to a folder. If that process is killed, even in the middle of a method, the
    last save remains. It also survives a loss of power, because `save` returns only when all bytes are on the disk.

    Attributes:
        folder: the folder, as an absolute path.
    """

    folder: Path

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        # An absolute path stays valid if the working directory changes.
        self.folder = Path(os.path.abspath(named(folder)))
        self._damaged: set[Path] = set()

    def begin(self, about: Mapping[str, Any], *, force: bool = False) -> None:
        """Make the folder, with the description and without checkpoints.

        Args:
            about: a description of the run, anything that JSON can hold.
            force: delete the checkpoints that are there.

        Raises:
            ValueError: if the folder is not empty, unless it is a folder of checkpoints and `force` is True; if the
                folder cannot be written, or JSON cannot hold `about`.
        """
        mark = _checksum(_json("about", dict(about)))
        description = {"format": FORMAT, "format_version": FORMAT_VERSION, "checksum": mark, "about": dict(about)}
        text = _json("about", description, indent=2) + "\n"
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder} is a file, expected the name of a folder for checkpoints")
        with refusing(self.folder, "written"):
            self.folder.mkdir(parents=True, exist_ok=True)
            if any(not _LEFTOVER.fullmatch(path.name) for path in entries(self.folder)):
                if not force:
                    raise ValueError(
                        f"{self.folder} exists already; name another folder or allow overwriting it (--force)"
                    )
                self.about()
                self._clear()
            write_whole(self.folder / ABOUT, lambda file: file.write(text.encode()))

    def about(self) -> dict[str, Any]:
        """Return the description that `begin` was given.

        Raises:
            ValueError: if the folder is missing, of another kind or version, or its description is damaged.
        """
        if not self.folder.is_dir():
            what = "is a file" if self.folder.exists() else "does not exist"
            raise ValueError(f"{self.folder} {what}, expected a folder of checkpoints")
        file = self.folder / ABOUT
        if not file.is_file():
            raise ValueError(f"{self.folder} holds no {ABOUT}, so it is not a folder of checkpoints")
        try:
            description = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{file} cannot be read as JSON: {error}") from error
        return _checked(file, description)["about"]

    def save(self, step: int, arrays: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> None:
        """Save a state, whole or not at all. Of the other checkpoints keep only the newest one of an earlier step.

        Args:
            step: the step that the run has reached. This checkpoint replaces those of the same and of later steps.
            arrays: arrays of numbers or booleans, of any shape, by name.
            notes: anything that JSON can hold.

        Raises:
            ValueError: for a step below 0, arrays of other types, or notes that JSON cannot hold; if the folder was not
                made by `begin`, or cannot be written.
        """
        step = checks.integer("step", step, at_least=0)
        archive = _pack(step, arrays, notes)
        self.about()
        with refusing(self.folder, "written"):
            self._sweep()
            earlier = self._saved()
            # Saves are numbered, because a run may go back to an earlier step: then the newest save is not of the
            # largest step.
            number = max((saved.number for saved in earlier), default=0) + 1
            write_whole(self.folder / f"{number:06d}-step-{step}.npz", lambda file: file.write(archive))
            kept = [saved for saved in earlier if saved.step < step and saved.path not in self._damaged][-1:]
            for saved in earlier:
                if saved not in kept:
                    saved.path.unlink()

    def load(self, step: int | None = None) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
        """Return the newest undamaged checkpoint: its step, its arrays bit for bit and its notes.

        If a newer one is damaged, a `DamagedCheckpointWarning` is given.

        Args:
            step: load only the checkpoint of this step; None for any step.

        Raises:
            ValueError: if there is no such checkpoint, or all are damaged; if the folder was not made by `begin`.
        """
        self.about()
        with refusing(self.folder, "read"):
            saved = self._saved()
        if not saved:
            raise ValueError(f"{self.folder} holds no checkpoint yet, as none was saved after it was begun")
        chosen = [one for one in saved if step is None or one.step == step]
        if not chosen:
            steps = ", ".join(str(one.step) for one in saved)
            raise ValueError(f"{self.folder} holds no checkpoint of step {step!r}, only of {steps}")
        damages: list[str] = []
        for one in reversed(chosen):
            try:
                found = _load(one)
            except ValueError as error:
                damages.append(str(error))
                self._damaged.add(one.path)
                continue
            if damages:
                told = f"{damages[0]}; going on from the one before it, of step {one.step}"
                warnings.warn(DamagedCheckpointWarning(told), stacklevel=2)
            return found
        raise ValueError(f"{damages[0]}{', and so is the one before it' if len(damages) > 1 else ''}")

    def remove(self) -> None:
        """Delete the checkpoints and their folder. A file that was not written here stays, and so does the folder.

        Raises:
            ValueError: if the folder was not made by `begin`, or cannot be deleted.
        """
        self.about()
        with refusing(self.folder, "deleted"):
            self._clear()
            (self.folder / ABOUT).unlink()  # last, because this file marks a folder of checkpoints
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _saved(self) -> list[_Saved]:
        """Return the checkpoints, the newest last."""
        found = [(path, _SAVED.fullmatch(path.name)) for path in self.folder.iterdir()]
        return sorted(_Saved(int(match[1]), int(match[2]), path) for path, match in found if match)

    def _clear(self) -> None:
        """Delete all checkpoints, the newest last."""
        self._sweep()
        for saved in self._saved():
            saved.path.unlink()

    def _sweep(self) -> None:
        """Delete the files that killed processes left behind."""
        for path in list(self.folder.iterdir()):
            if _LEFTOVER.fullmatch(path.name):
                path.unlink()


def _checked(file: Path, description: Any) -> dict[str, Any]:
    number = checks.format_version(file, description, FORMAT)
    if number != FORMAT_VERSION:
        raise ValueError(
            f"{file} has format_version {checks.shown(number)}, but this version of jaxmaxent reads {FORMAT_VERSION} "
            "only: go on with the version that wrote it, or sample again"
        )
    if not isinstance(description.get("about"), dict):
        raise ValueError(f"{file} must hold an object 'about', got {checks.shown(description.get('about'))}")
    if description.get("checksum") != _checksum(json.dumps(description["about"])):
        raise ValueError(f"{file} is damaged: what it says of the run does not have its checksum")
    return description


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _json(name: str, value: Any, **layout: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, **layout)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} must be what JSON can hold, but {error}") from error


def _pack(step: int, arrays: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> memoryview:
    """Return a state as the bytes of an archive, made in memory: then only the one write of the file needs the disk."""
    entries, members = [], {}
    for name, array in arrays.items():
        _check_array(name, array)
        array = np.asarray(array, order="C")
        # Types that NumPy does not know, such as bfloat16, are stored as whole numbers with the name of the type.
        foreign = array.dtype.kind == "V"
        members[str(len(entries))] = array.view(f"u{array.dtype.itemsize}") if foreign else array
        entries.append({"name": name, "dtype": array.dtype.name if foreign else None})
    text = _json("notes", {"step": step, "notes": dict(notes), "arrays": entries})
    archive = io.BytesIO()
    np.savez(archive, **{_NOTES: np.frombuffer(text.encode(), np.uint8)}, **members)
    return archive.getbuffer()


def _check_array(name: Any, array: Any) -> None:
    if not isinstance(name, str):
        raise ValueError(f"arrays must be named by strings, got the name {name!r}")
    if not isinstance(array, np.ndarray | np.generic):
        raise ValueError(f"arrays must hold NumPy arrays, but {name!r} is a {type(array).__name__}")
    if array.dtype != bool and not (array.dtype.kind in "iufcV" and jnp.issubdtype(array.dtype, np.number)):
        raise ValueError(f"arrays must hold numbers or booleans, but {name!r} has the type {array.dtype}")


def _load(saved: _Saved) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
    """Return the step, arrays and notes of a checkpoint."""
    try:
        step, arrays, notes = _unpack(saved.path)
    except Exception as error:  # a damaged file can raise errors of any type
        why = " ".join(str(error).split())
        raise ValueError(f"the checkpoint {saved.path} is damaged: {why or type(error).__name__}") from error
    if step != saved.step:
        raise ValueError(f"the checkpoint {saved.path} is damaged: it is of step {step}")
    return step, arrays, notes


def _unpack(path: Path) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
    # The file is opened here, because NumPy does not close it if the archive is damaged.
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
        # The test comes before any array is made: an array of a wrong size could need more memory than there is.
        wrong = archive.zip.testzip()
        if wrong is not None:
            raise ValueError(f"its entry {wrong} does not have its checksum")
        about = json.loads(archive[_NOTES].tobytes())
        arrays = {}
        for index, entry in enumerate(about["arrays"]):
            array = archive[str(index)]
            arrays[entry["name"]] = array if entry["dtype"] is None else array.view(np.dtype(entry["dtype"]))
    return about["step"], arrays, about["notes"]
