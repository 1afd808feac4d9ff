"""Hidden folders that one process at a time holds. If it is killed, the next process gets the folder and its files."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = "lock"


class Busy(ValueError):
    """An error that is raised because another process writes to the same place."""


@contextlib.contextmanager
def held(folder: Path, path: str | os.PathLike[str], *, seconds: float = 0) -> Iterator[None]:
    """Make a folder if it does not exist, and hold it until the block ends. Its content stays.

    The system releases the folder when the process ends, even if it is killed.

    Args:
        folder: the folder; its parent must exist.
        path: the output that the folder belongs to, as the user named it; for the message.
        seconds: the longest time to wait for another process.

    Raises:
        Busy: if another process holds the folder, or another call in this process.
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

    The lock is deleted last. Otherwise another process could take the folder, and its files would be deleted.
    """
    with contextlib.suppress(OSError):  # the next process that holds the folder deletes the rest
        for entry in list(folder.iterdir()):
            if entry.name != LOCK:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        (folder / LOCK).unlink()
        folder.rmdir()


def _lock(folder: Path, seconds: float) -> FileLock | None:
    """Acquire and return the lock of a folder; return None if another process holds it."""
    file = folder / LOCK
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        lock = FileLock(file)
        try:
            file.touch()
            before = file.stat()
            lock.acquire(timeout=seconds)
            # The former holder may have deleted the file after it was opened here. Then this lock keeps no other
            # process out.
            if os.path.samestat(before, file.stat()):
                return lock
        except Timeout:
            return None
        except (FileNotFoundError, FileExistsError):  # the former holder deleted the folder, or another process made it
            pass
        lock.release()
