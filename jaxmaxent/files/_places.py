"""The places that output is written to: their names, their hidden folders, and the process that writes there."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxmaxent.files._locks import delete, held
from jaxmaxent.files._manifest import HIDDEN

_OPEN = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


class Refused(ValueError):
    """An error that is raised because the operating system refuses access to a place.

    Attributes:
        path: the place.
        reason: the reason that the system gives.
    """

    def __init__(self, path: str | os.PathLike[str], what: str, reason: str) -> None:
        super().__init__(f"{path} cannot be {what}: {reason}")
        self.path: str | os.PathLike[str] = path
        self.reason: str = reason
        self._what = what

    def __reduce__(self) -> Any:
        """Let the error come out of other processes, with its notes."""
        return type(self), (self.path, self._what, self.reason), self.__dict__


def named(path: Any) -> str:
    """Return a path as text; raise ValueError if it cannot be the name of a file or folder."""
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(name, str) or not name or "\0" in name:
        given = " ".join(repr(path).split())
        raise ValueError(
            f"a file or folder must be named by text that is not empty and without NUL characters, "
            f"got {given[:80]}{'…' if len(given) > 80 else ''}"
        )
    return name


def to_read(path: Any) -> str:
    """Return a path as text, as `named` does; raise ValueError for a device or a pipe, which may never end.

    An open pipe is accepted, because a shell passes one for the output of another command: `<(zcat motifs.gz)`.
    """
    name = named(path)
    with contextlib.suppress(OSError):  # if the file is missing, opening it later raises the error
        mode = os.stat(name).st_mode
        is_open = stat.S_ISFIFO(mode) and name.startswith(_OPEN)
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or is_open):
            raise ValueError(f"{name} cannot be read: it is a pipe, a device or the like, expected a file")
    return name


def resolved(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a place to write to. For a link it is the target, so that the link stays.

    Raises:
        ValueError: for an empty path, a link that leads to itself or to a folder that does not exist.
    """
    if path == "":
        raise ValueError("the name of a place to write to is empty")
    named(path)
    try:
        place = Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{os.fspath(path)!r} cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from error
    if os.path.islink(place):
        raise ValueError(f"{path} cannot be written: it is a link that leads to itself")
    if os.path.islink(path) and not place.parent.is_dir():
        raise ValueError(f"{path} cannot be written: it is a link to {place}, but {place.parent} is no folder")
    return place


@contextlib.contextmanager
def refusing(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Turn an error of the operating system into a `Refused`: "`path` cannot be `what`", with the reason."""
    try:
        yield
    except OSError as error:
        raise Refused(path, what, error.strerror or str(error)) from error


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make a folder and its parents. If the block fails, delete the folders that were made here and are empty."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for place in missing:
                place.rmdir()
        raise


def belongings(place: Path, name: str) -> tuple[Path, Path]:
    """Return the two possible places for work that belongs to an output folder: beside the folder, or hidden in it.

    The name of the place beside it is the name of the folder followed by `name`.
    """
    return place.with_name(place.name + name) if place.name else place / name, place / f"{HIDDEN}{name.strip('.')}"


def lies_inside(place: Path) -> bool:
    """Return True if work that belongs to a folder must lie in it: it is a mount point, or its parent is read-only."""
    return place.is_dir() and (os.path.ismount(place) or not os.access(place.parent, os.W_OK | os.X_OK))


@contextlib.contextmanager
def owned(path: str | os.PathLike[str], *, parents: bool = False) -> Iterator[None]:
    """Hold an output folder until the block ends, so that no other process can write to it.

    Args:
        path: the folder, which need not exist.
        parents: make the parents of the folder.

    Raises:
        ValueError: if another process writes to it, or nothing can be written there.
    """
    place = resolved(path)
    with contextlib.ExitStack() as stack:
        with refusing(path, "written"):
            mine = place / f"{HIDDEN}owner" if lies_inside(place) else place.parent / f"{HIDDEN}owner-{place.name}"
            if parents:
                stack.enter_context(made(mine.parent))
            stack.enter_context(held(mine, path))
        stack.callback(delete, mine)
        yield
