"""Output that appears under its final name whole or not at all.

A file or folder is written beside its destination under a temporary name and moved there by one rename, so an
interrupted program leaves what was there before.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def new_file(path: str | os.PathLike, *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path to write to; it becomes `path` if the block ends without an exception.

    Raises:
        ValueError: if `path` exists and `force` is False, is a folder, or cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected the name of a file to write")
    if path.exists() and not force:
        raise ValueError(f"{path} exists already; name another file or allow overwriting it (--force)")
    with _scratch_beside(path) as scratch:
        yield scratch / path.name
        os.replace(scratch / path.name, path)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike, *, marker: str, force: bool = False) -> Iterator[Path]:
    """Yield a temporary folder to fill; it becomes `path` if the block ends without an exception.

    Args:
        path: the folder to make.
        marker: name of a file that every folder of this kind holds. With `force`, an existing folder is
            replaced only if it holds that file, so that a slip of the pen cannot delete something else.
        force: replace an existing folder of the same kind.

    Raises:
        ValueError: if `path` exists and may not be replaced, or cannot be written.
    """
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        if not force:
            raise ValueError(f"{path} exists already; name another folder or allow overwriting it (--force)")
        if not (path / marker).is_file():
            raise ValueError(f"{path} holds no {marker}, so it was not written here and is not overwritten")
    with _scratch_beside(path) as scratch:
        fresh = scratch / "new"
        fresh.mkdir()
        yield fresh
        _put_in_place(fresh, path, scratch / "old")


def _put_in_place(fresh: Path, path: Path, aside: Path) -> None:
    """Rename `fresh` to `path`; what was there goes aside, and comes back if that fails."""
    if path.exists():
        os.replace(path, aside)
    try:
        os.replace(fresh, path)
    except BaseException:
        if aside.exists():
            os.replace(aside, path)
        raise


@contextlib.contextmanager
def _scratch_beside(path: Path) -> Iterator[Path]:
    """A temporary folder on the same file system as `path`, gone afterwards."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
