"""Checkpoints of a run on disk: what a sampling loop needs to go on after it was stopped at any moment.

A folder holds `about.json`, which says what is run, and the newest two checkpoints. Each is an Orbax checkpoint, a
folder that appears under its name whole or not at all. In it the arrays are one vector of bytes behind a description
with their names, types, shapes and checksums: Orbax spends a millisecond on every array, holds none without elements,
and may not notice that bytes have changed. No pickle is written or read.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxmaxent import checks
from jaxmaxent.files import new_file, new_folder

FORMAT = "jaxmaxent-checkpoints"
FORMAT_VERSION = 1
ABOUT = "about.json"
CHUNK = 2**24  # bytes; chunks are compressed and written in parallel
_STATE = "state"  # the one entry of an Orbax checkpoint
_CHECKSUM, _LENGTH = 4, 8  # bytes of the numbers in front of a description
_SAVED = re.compile(r"(\d+)-step-(\d+)")
_DELETED = ".deleted"
# What a save, a deletion or `begin` leaves where it was killed.
_LEFTOVER = re.compile(rf"{_SAVED.pattern}({_DELETED}|\.orbax-checkpoint-tmp.*)|\.{ABOUT}\..*")


class _Saved(NamedTuple):
    """A completed checkpoint: which save it was, counted from 1, and of which step."""

    number: int
    step: int
    path: Path


class _Damaged(Exception):
    """What is wrong with a checkpoint."""


class Checkpoints:
    """The checkpoints of one run: a folder with the newest ones and a description of the run.

    One process at a time writes to a folder. A kill at any moment, also in the middle of a method, leaves what was
    saved last. Files are not forced to disk: a machine that loses power may lose what was saved shortly before, and the
    checksums tell.

    Attributes:
        folder: where they are, as an absolute path.
    """

    folder: Path

    def __init__(self, folder: str | os.PathLike) -> None:
        # Orbax wants an absolute path, and the folder must not move with the working directory.
        self.folder = Path(os.path.abspath(folder))

    def begin(self, about: Mapping[str, Any], *, force: bool = False) -> None:
        """Make the folder, without checkpoints.

        Args:
            about: what is run, anything that JSON can hold.
            force: forget the checkpoints that are there.

        Raises:
            ValueError: if the folder exists, is not empty and `force` is False or it is no folder of checkpoints; if
                it cannot be written, or JSON cannot hold `about`.
        """
        description = {"format": FORMAT, "format_version": FORMAT_VERSION, "about": dict(about)}
        text = _json("about", description, indent=2) + "\n"
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder} is a file, expected the name of a folder for checkpoints")
        with _refusing(self.folder, "written"):
            if not self.folder.exists() or not any(self.folder.iterdir()):
                with new_folder(self.folder, marker=ABOUT) as scratch:
                    (scratch / ABOUT).write_text(text, encoding="utf-8")
                return
            if not force:
                raise ValueError(f"{self.folder} exists already; name another folder or allow overwriting it (--force)")
            self.about()
            self._clear()
            with new_file(self.folder / ABOUT, force=True) as scratch:
                scratch.write_text(text, encoding="utf-8")

    def about(self) -> dict[str, Any]:
        """What `begin` was told.

        Raises:
            ValueError: if the folder is missing, of another kind or of a newer version, or its description is damaged.
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
        """Save a state, whole or not at all, and delete all but the newest other one of an earlier step.

        Args:
            step: how far the run is. Checkpoints of this step and later ones are replaced by this one.
            arrays: numbers or booleans of any shape, by name.
            notes: anything that JSON can hold.

        Raises:
            ValueError: for a step below 0, arrays of other types or notes that JSON cannot hold; if the folder is not
                one that `begin` made, or cannot be written.
        """
        step = checks.integer("step", step, at_least=0)
        state = _pack(step, arrays, notes)
        self.about()
        with _refusing(self.folder, "written"):
            self._sweep()
            earlier = self._saved()
            # Counted, not named by the step alone: the last one saved is the newest, also where a run went back.
            number = max((saved.number for saved in earlier), default=0) + 1
            try:
                _write(self.folder / f"{number:06d}-step-{step}", state)
            except ValueError:
                self._sweep()
                raise
            kept = [saved for saved in earlier if saved.step < step][-1:]
            for saved in earlier:
                if saved not in kept:
                    _delete(saved.path)

    def load(self, step: int | None = None) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
        """The newest checkpoint: its step, its arrays bit for bit and its notes.

        Args:
            step: load the checkpoint of this step instead.

        Raises:
            ValueError: if there is none, or it is damaged, in which case the message says whether an older one is
                whole; if the folder is not one that `begin` made.
        """
        self.about()
        with _refusing(self.folder, "read"):
            saved = self._saved()
        if not saved:
            raise ValueError(f"{self.folder} holds no checkpoint yet, as none was saved after it was begun")
        chosen = [one for one in saved if step is None or one.step == step]
        if not chosen:
            steps = ", ".join(str(one.step) for one in saved)
            raise ValueError(f"{self.folder} holds no checkpoint of step {step!r}, only of {steps}")
        try:
            return _load(chosen[-1])
        except ValueError as error:
            older = [one for one in saved if one.step < chosen[-1].step and _is_whole(one)]
            advice = f", load(step={older[-1].step}) gives the one before it, which is whole" if older else ""
            raise ValueError(f"{error}{advice}") from error

    def remove(self) -> None:
        """Delete the checkpoints and their folder; a file that was not written here stays, and the folder with it.

        Raises:
            ValueError: if the folder is not one that `begin` made, or cannot be deleted.
        """
        self.about()
        with _refusing(self.folder, "deleted"):
            self._clear()
            (self.folder / ABOUT).unlink()  # the last to go: until then the folder is known as one of these
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _saved(self) -> list[_Saved]:
        """The completed checkpoints, the newest last."""
        found = [(path, _SAVED.fullmatch(path.name)) for path in self.folder.iterdir()]
        return sorted(_Saved(int(match[1]), int(match[2]), path) for path, match in found if match)

    def _clear(self) -> None:
        """Delete all checkpoints, the newest last."""
        self._sweep()
        for saved in self._saved():
            _delete(saved.path)

    def _sweep(self) -> None:
        """Delete what killed processes left."""
        for path in list(self.folder.iterdir()):
            if _LEFTOVER.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _refusing(path: Path, what: str) -> Iterator[None]:
    """Say what the operating system refuses in a sentence that names `path`."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{path} cannot be {what}: {error.strerror or error}") from error


def _delete(path: Path) -> None:
    """Delete a checkpoint, which loses its name first, so that none is ever seen in part."""
    gone = path.with_name(path.name + _DELETED)
    os.replace(path, gone)
    shutil.rmtree(gone, ignore_errors=True)


def _checked(file: Path, description: Any) -> dict[str, Any]:
    kind = description.get("format") if isinstance(description, dict) else None
    if kind != FORMAT:
        raise ValueError(f"{file} must have the format {FORMAT!r}, got {kind!r}")
    number = description.get("format_version")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"{file} must have a format_version that is a whole number from 1, got {number!r}")
    if number > FORMAT_VERSION:
        raise ValueError(
            f"{file} has format_version {number}, but this version of jaxmaxent reads up to {FORMAT_VERSION}"
        )
    if not isinstance(description.get("about"), dict):
        raise ValueError(f"{file} must hold an object 'about', got {description.get('about')!r}")
    return description


def _json(name: str, value: Any, **layout: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, **layout)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} must be what JSON can hold, but {error}") from error


def _pack(step: int, arrays: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> np.ndarray:
    """A state as one vector of bytes: a checksum, the length of the description, the description, the arrays."""
    entries, pieces = [], []
    for name, array in arrays.items():
        _check_array(name, array)
        pieces.append(np.asarray(array, order="C").reshape(-1).view(np.uint8))
        # Types that NumPy does not know itself, such as bfloat16, go by their name.
        kind = array.dtype.name if array.dtype.kind == "V" else array.dtype.str
        entries.append({"name": name, "dtype": kind, "shape": array.shape, "crc32": zlib.crc32(pieces[-1].data)})
    text = _json("notes", {"step": step, "notes": dict(notes), "arrays": entries}).encode()
    head = len(text).to_bytes(_LENGTH, "big") + text
    head = zlib.crc32(head).to_bytes(_CHECKSUM, "big") + head
    size = len(head) + sum(piece.size for piece in pieces)
    filling = np.zeros(-size % CHUNK if size > CHUNK else 0, np.uint8)  # Orbax cuts into equal chunks only
    return np.concatenate([np.frombuffer(head, np.uint8), *pieces, filling])


def _check_array(name: Any, array: Any) -> None:
    if not isinstance(name, str):
        raise ValueError(f"arrays must be named by strings, got the name {name!r}")
    if not isinstance(array, np.ndarray | np.generic):
        raise ValueError(f"arrays must hold NumPy arrays, but {name!r} is a {type(array).__name__}")
    if array.dtype != bool and not (array.dtype.kind in "iufcV" and jnp.issubdtype(array.dtype, np.number)):
        raise ValueError(f"arrays must hold numbers or booleans, but {name!r} has the type {array.dtype}")


def _unpack(state: np.ndarray) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
    """What `_pack` was given."""
    start = _CHECKSUM + _LENGTH + int.from_bytes(state[_CHECKSUM:][:_LENGTH].tobytes(), "big")
    if start > state.size or zlib.crc32(state[_CHECKSUM:start].data) != int.from_bytes(
        state[:_CHECKSUM].tobytes(), "big"
    ):
        raise _Damaged("its description does not have its checksum")
    description = json.loads(state[_CHECKSUM + _LENGTH : start].tobytes())
    arrays = {}
    for entry in description["arrays"]:
        dtype, shape = np.dtype(entry["dtype"]), entry["shape"]
        size = dtype.itemsize * math.prod(shape)
        data = state[start : start + size].copy()
        if data.size != size or zlib.crc32(data.data) != entry["crc32"]:
            raise _Damaged(f"its array {entry['name']!r} does not have its checksum")
        arrays[entry["name"]] = data.view(dtype).reshape(shape)
        start += size
    return description["step"], arrays, description["notes"]


def _load(saved: _Saved) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
    try:
        step, arrays, notes = _unpack(_read(saved.path))
        if step != saved.step:
            raise _Damaged(f"it is of step {step}")
    except _Damaged as error:
        raise ValueError(f"the checkpoint {saved.path} is damaged: {error}") from error
    return step, arrays, notes


def _is_whole(saved: _Saved) -> bool:
    try:
        _load(saved)
    except ValueError:
        return False
    return True


def _said(error: Exception) -> str:
    """An error of Orbax in one sentence, without the advice, source locations and tracebacks that follow."""
    line = f"{type(error).__name__}: {error}".splitlines()[0].split(" [")[0].split(". ")[0].rstrip(".")
    return line if len(line) <= 300 else line[:300] + "…"


@contextlib.contextmanager
def _orbax() -> Iterator[tuple[Any, Any]]:
    """Orbax and a checkpointer, whose log is silent meanwhile.

    At every save Orbax warns that there is nothing to merge; what does go wrong comes as an exception.
    """
    import orbax.checkpoint as ocp  # takes a second or more

    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=False)) as checkpointer:
            yield ocp, checkpointer
    finally:
        logger.setLevel(level)


def _write(path: Path, state: np.ndarray) -> None:
    with _orbax() as (ocp, checkpointer):
        chunks = ocp.SaveArgs(chunk_byte_size=CHUNK)
        try:
            checkpointer.save(path, args=ocp.args.PyTreeSave({_STATE: state}, save_args={_STATE: chunks}))
        except Exception as error:  # of any type: TensorStore reports a full disk as a ValueError
            raise ValueError(f"{path} cannot be written: {_said(error)}") from error


def _read(path: Path) -> np.ndarray:
    with _orbax() as (ocp, checkpointer):
        try:
            state = np.asarray(checkpointer.restore(path, args=ocp.args.PyTreeRestore())[_STATE])
        except Exception as error:  # of any type, as damaged files are read
            raise _Damaged(f"Orbax cannot read it ({_said(error)})") from error
    if state.dtype != np.uint8 or state.ndim != 1:
        raise _Damaged(f"its entry {_STATE!r} is no vector of bytes")
    return state
