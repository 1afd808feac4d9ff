"""Hidden folders that one process at a time holds. The next process takes over what a killed one left there."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = "lock"


class Busy(ValueError):
    """An error because another process works on a place."""


@contextlib.contextmanager
def held(folder: Path, path: str | os.PathLike[str], *, seconds: float = 0) -> Iterator[None]:
    """Make a folder if it does not exist, and hold it until the block ends. Its content stays.

    The system releases the folder when the process dies in any way.

    Args:
        folder: the folder; its parent must exist.
        path: the user's name for the output that the folder serves, for the message.
        seconds: the time to wait for another process.

    Raises:
        Busy: if another process holds it, or another call of this process.
    """
    lock = _lock(folder, seconds)
    if lock is None:
        raise Busy(f"{path} is being written by another process; wait until it ends, or name another place")
    try:
        yield
    finally:
        lock.release()


def delete(folder: Path) -> None:
    """Delete a folder that this process holds.

    The lock goes last: until then no other process can take the folder and have its own files deleted.
    """
    with contextlib.suppress(OSError):  # the next process that takes the folder deletes the rest
        for entry in list(folder.iterdir()):
            if entry.name != LOCK:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        (folder / LOCK).unlink()
        folder.rmdir()


def _lock(folder: Path, seconds: float) -> FileLock | None:
    """Acquire and return the lock of a folder; return None if another process keeps it."""
    file = folder / LOCK
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        lock = FileLock(file)
        try:
            file.touch()
            before = file.stat()
            lock.acquire(timeout=seconds)
            # If its former owner deleted the file after it was opened here, this lock keeps no other process out.
            if os.path.samestat(before, file.stat()):
                return lock
        except Timeout:
            return None
        except (FileNotFoundError, FileExistsError):  # its former owner deleted the folder, or another process made it
            pass
        lock.release()
