"""Output that appears under its final name whole or not at all.

A file or folder is written in a hidden folder and then renamed to its destination. The hidden folder lies beside the
destination, or in it if the destination is a folder that exists. A killed process leaves the hidden folder behind; the
next process that writes to the same place puts back what was moved, and deletes the rest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxmaxent.files._locks import delete, held
from jaxmaxent.files._manifest import HIDDEN, MANIFEST, entries, obstacle, read_manifest, seal
from jaxmaxent.files._places import Refused, made, refusing, resolved
from jaxmaxent.files._sync import sync_file, sync_folder

_NEW, _OLD = "new", "old"  # in a hidden folder: the output that is being written, and the output it replaces
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # errors that only writing raises


@contextlib.contextmanager
def new_file(
    path: str | os.PathLike[str], *, force: bool = False, ours: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Yield a temporary path to write to; it becomes `path` if the block ends without an exception.

    If `path` is a link, the file it leads to is written.

    Args:
        path: the file to make.
        force: replace a file of that name.
        ours: a function that returns whether an existing file was written here; `force` replaces no other file. If
            None, `force` replaces any file.

    Raises:
        ValueError: if `path` exists and may not be replaced, is a folder or a device, or cannot be written.
    """
    place = resolved(path)
    _check_file(path, place, force, ours)
    begin = f"{HIDDEN}file-{place.name}-"
    with contextlib.ExitStack() as stack:
        with refusing(path, "written"):
            stack.enter_context(made(place.parent))
            _sweep(place.parent, begin)
            scratch = place.parent / f"{begin}{uuid.uuid4().hex[:8]}"
            # No other process writes here, but one that sweeps up leftovers may hold the folder for a moment.
            stack.enter_context(held(scratch, path, seconds=10))
            stack.callback(delete, scratch)
            (scratch / _NEW).mkdir()
        written = scratch / _NEW / Path(path).name
        with _naming(path, scratch):
            yield written
        _check_file(path, place, force, ours)
        with refusing(path, "written"):
            sync_file(written)
            os.replace(written, place)
            sync_folder(place.parent)


@contextlib.contextmanager
def new_folder(
    path: str | os.PathLike[str], *, kind: str, force: bool = False, notes: Mapping[str, Any] | None = None
) -> Iterator[Path]:
    """Yield a temporary folder to fill; its content becomes that of `path` if the block ends without an exception.

    A folder that exists stays, and only its content is replaced, so it may be a mount point, the target of a link or
    the working directory.

    Args:
        path: the folder to make.
        kind: the kind of output it will hold, in one word.
        force: replace output of the same kind. Nothing is replaced if the folder holds a file that was not written
            here, or that has changed since.
        notes: anything that JSON can hold, kept with the list of files.

    Raises:
        ValueError: if `path` exists and may not be replaced, cannot be written, or another process writes it.
    """
    place = resolved(path)
    inside, beside = place / f"{HIDDEN}new", place.parent / f"{HIDDEN}new-{place.name}"
    with contextlib.ExitStack() as stack:
        with refusing(path, "written"):
            for left in (inside, beside):
                if left.is_dir():
                    with held(left, path):
                        _clear(place, left)
            _check_folder(path, place, kind, force)
            scratch = inside if place.is_dir() else beside
            stack.enter_context(made(scratch.parent))
            stack.enter_context(held(scratch, path))
            stack.callback(_clear, place, scratch)
            (scratch / _NEW).mkdir()
            (scratch / _OLD).mkdir()
        with _naming(path, scratch):
            yield scratch / _NEW
        with refusing(path, "written"):
            seal(scratch / _NEW, kind, notes or {})
            # Another program may have put something there in the meantime.
            _check_folder(path, place, kind, force and scratch == inside)
            if scratch == inside:
                _replace(place, scratch)
            else:
                os.rename(scratch / _NEW, place)
            sync_folder(scratch.parent)


@contextlib.contextmanager
def _naming(path: str | os.PathLike[str], scratch: Path) -> Iterator[None]:
    """Let errors of the operating system name the output that is being written, instead of the hidden folder."""
    try:
        yield
    except OSError as error:
        if not _is_in(scratch, error.filename) and error.errno not in _FULL:
            raise
        raise Refused(path, "written", error.strerror or str(error)) from error
    except Refused as error:
        if not _is_in(scratch, error.path):
            raise
        raise Refused(path, "written", error.reason) from error


def _is_in(folder: Path, path: Any) -> bool:
    return isinstance(path, str | os.PathLike) and Path(path).is_relative_to(folder)


def _check_file(path: str | os.PathLike[str], place: Path, force: bool, ours: Callable[[Path], bool] | None) -> None:
    if place.is_dir():
        raise ValueError(f"{path} is a folder, expected the name of a file to write")
    if not os.path.lexists(place):
        return
    if not place.is_file():
        raise ValueError(f"{path} is a device or the like, expected the name of a file to write")
    if not force:
        raise ValueError(f"{path} exists already; name another file or allow overwriting it (--force)")
    if ours is not None and not ours(place):
        raise ValueError(
            f"{path} was not written by jaxmaxent and is not overwritten; move it elsewhere or name another file"
        )


def _check_folder(path: str | os.PathLike[str], place: Path, kind: str, force: bool) -> None:
    if not os.path.lexists(place):
        return
    if not place.is_dir():
        raise ValueError(f"{path} exists already and is a file, expected the name of a folder to write")
    if not entries(place):
        return
    if not force:
        raise ValueError(f"{path} exists already; name another folder or allow overwriting it (--force)")
    if what := obstacle(place, kind):
        raise ValueError(f"{path} is not overwritten, as {what}; move that elsewhere or name another folder")


def _sweep(folder: Path, begin: str) -> None:
    """Delete the hidden folders that killed processes left behind."""
    for left in folder.iterdir():
        if left.name.startswith(begin) and left.is_dir():
            with contextlib.suppress(ValueError, FileNotFoundError), held(left, left):  # unless it is being used
                delete(left)


def _replace(place: Path, scratch: Path) -> None:
    """Move the content of a folder aside and the new content in; the list of files comes last, as a sign of success."""
    for entry in entries(place):
        os.rename(entry, scratch / _OLD / entry.name)
    for entry in sorted((scratch / _NEW).iterdir(), key=lambda entry: entry.name == MANIFEST):
        os.rename(entry, place / entry.name)


def _clear(place: Path, scratch: Path) -> None:
    """Put back what was moved from or to `place`, and delete the hidden folder, which this process holds."""
    written, aside = scratch / _NEW, scratch / _OLD
    # The list is moved last: if it is not here, either nothing or everything has been moved.
    about = read_manifest(written)
    if about is not None:
        moved = {name.split("/")[0] for name in about["files"]} - {entry.name for entry in written.iterdir()}
        for name in moved:
            if os.path.lexists(place / name):
                os.rename(place / name, written / name)
        for entry in aside.iterdir():
            os.rename(entry, place / entry.name)
    delete(scratch)
