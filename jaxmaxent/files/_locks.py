"""Hidden folders that one process at a time holds. What a killed process left there is taken over by the next."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = "lock"


class Busy(ValueError):
    """Another process works on a place."""


@contextlib.contextmanager
def held(folder: Path, path: str | os.PathLike, *, seconds: float = 0) -> Iterator[None]:
    """Make a folder if it is not there, and hold it until the block ends. What is in it stays.

    The system releases it when the process dies, however that happens.

    Args:
        folder: the folder; its parent must exist.
        path: what the user calls the place it serves, for the message.
        seconds: how long to wait for another process.

    Raises:
        Busy: if another process holds it, or another call of this process.
    """
    lock = _lock(folder, seconds)
    if lock is None:
        raise Busy(f"{path} is being written by another process; wait for its end, or name another place")
    try:
        yield
    finally:
        lock.release()


def delete(folder: Path) -> None:
    """Delete a folder that this process holds.

    The lock goes last: until then no other process can take the folder and have its own files deleted.
    """
    with contextlib.suppress(OSError):  # what could not be deleted is left to the next who takes the folder
        for entry in list(folder.iterdir()):
            if entry.name != LOCK:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        (folder / LOCK).unlink()
        folder.rmdir()


def _lock(folder: Path, seconds: float) -> FileLock | None:
    """The lock of a folder, acquired; None if another has it all the time."""
    file = folder / LOCK
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        lock = FileLock(file)
        try:
            file.touch()
            before = file.stat()
            lock.acquire(timeout=seconds)
            # Its former owner may have deleted the file after it was opened here; then this lock keeps nobody out.
            if os.path.samestat(before, file.stat()):
                return lock
        except Timeout:
            return None
        except (FileNotFoundError, FileExistsError):  # the folder was deleted by its former owner, or made by another
            pass
        lock.release()
