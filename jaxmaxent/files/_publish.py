"""Output that appears under its final name whole or not at all.

A file or folder is written in a hidden folder and then renamed to its destination. The hidden folder lies beside the
destination, or in it if the destination is a folder that exists. A killed process leaves the hidden folder behind. The
next process that writes to the same place moves old output back to its place, and deletes the rest.
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
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # errors that are raised only if something is written


@contextlib.contextmanager
def new_file(
    path: str | os.PathLike[str], *, force: bool = False, ours: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Yield a temporary path to write to. It is renamed to `path` if the block ends without an exception.

    If `path` is a link, the target of the link is written.

    Args:
        path: the file to make.
        force: replace a file of that name.
        ours: a function that returns True if jaxmaxent wrote an existing file; `force` replaces no other files. If
            None, `force` replaces any file.

    Raises:
        ValueError: if `path` exists and may not be replaced, is a folder or a device, or cannot be written.
    """
    place = resolved(path)
    with refusing(path, "written"):  # the name may be too long
        _check_file(path, place, force, ours)
    begin = f"{HIDDEN}file-{place.name}-"
    with contextlib.ExitStack() as stack:
        with refusing(path, "written"):
            stack.enter_context(made(place.parent))
            _sweep(place.parent, begin)
            scratch = place.parent / f"{begin}{uuid.uuid4().hex[:8]}"
            # No other process writes here, but one that deletes old hidden folders may hold this one for a moment.
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
    """Yield a temporary folder to fill. Its content is moved to `path` if the block ends without an exception.

    If the folder exists, only its content is replaced. So it may be a mount point, the target of a link or the working
    directory.

    Args:
        path: the folder to make.
        kind: the kind of output, in one word.
        force: replace output of the same kind. Nothing is replaced if the folder contains a file that jaxmaxent did not
            write, or one that has changed since.
        notes: anything that JSON can hold, kept with the list of files.

    Raises:
        ValueError: if `path` exists and may not be replaced, or cannot be written, or another process writes to it.
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
            # Another program may have written something there since the first check.
            _check_folder(path, place, kind, force and scratch == inside)
            if scratch == inside:
                _replace(place, scratch)
            else:
                os.rename(scratch / _NEW, place)
            sync_folder(scratch.parent)


@contextlib.contextmanager
def _naming(path: str | os.PathLike[str], scratch: Path) -> Iterator[None]:
    """Make errors of the operating system name the output that is being written, not the hidden folder."""
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
    """Delete hidden folders that killed processes left behind."""
    for left in folder.iterdir():
        if left.name.startswith(begin) and left.is_dir():
            with contextlib.suppress(ValueError, FileNotFoundError), held(left, left):  # another process may use it
                delete(left)


def _replace(place: Path, scratch: Path) -> None:
    """Move the old content of a folder out and the new content in. The list of files is moved last, to mark success."""
    for entry in entries(place):
        os.rename(entry, scratch / _OLD / entry.name)
    for entry in sorted((scratch / _NEW).iterdir(), key=lambda entry: entry.name == MANIFEST):
        os.rename(entry, place / entry.name)


def _clear(place: Path, scratch: Path) -> None:
    """Undo an unfinished move from or to `place`, and delete the hidden folder, which this process holds."""
    written, aside = scratch / _NEW, scratch / _OLD
    # The list is moved last. If it is not here, either nothing has been moved yet or everything has been moved.
    about = read_manifest(written)
    if about is not None:
        moved = {name.split("/")[0] for name in about["files"]} - {entry.name for entry in written.iterdir()}
        for name in moved:
            if os.path.lexists(place / name):
                os.rename(place / name, written / name)
        for entry in aside.iterdir():
            os.rename(entry, place / entry.name)
    delete(scratch)
