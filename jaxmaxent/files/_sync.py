"""Writing that ends only when the files are on the disk, so that later steps can rely on them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

PARTIAL = ".partial"  # the suffix of a file that is being written


def write_whole(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file, which gets its name only when all of it is on the disk; replace a file of that name.

    A killed process may leave a file with the suffix `.partial`; the next call for the same path overwrites it.
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


def link_or_copy(folder: Path, place: Path) -> None:
    """Give a folder of files that will not change a second name; copy it where the file system knows no such links."""

    def once(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    shutil.copytree(folder, place, copy_function=once)


def sync_file(path: Path) -> None:
    """Wait until a file is on the disk."""
    with open(path, "r+b" if os.name == "nt" else "rb") as file:  # the file may be read-only
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
