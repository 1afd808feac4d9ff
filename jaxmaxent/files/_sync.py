"""Files that are on the disk, not only on their way to it, before anything relies on them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

PARTIAL = ".partial"  # ends the name of a file that is being written


def write_whole(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file that appears under its name, on the disk, when it is whole; one of that name is replaced.

    A killed process may leave `path` with the suffix `.partial`; the next call for the same path overwrites that.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        with open(partial, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until a file is on the disk."""
    with open(path, "r+b" if os.name == "nt" else "rb") as file:  # it may be one that nobody may write to
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
