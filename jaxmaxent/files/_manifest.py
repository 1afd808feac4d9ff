"""The list of files that every output folder contains: the files that jaxmaxent wrote, with checksums.

A folder is replaced only if every file in it is on the list and has not changed since it was written.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxmaxent.files._sync import sync_file, sync_folder, write_whole

MANIFEST = ".jaxmaxent.json"
FORMAT = "jaxmaxent-output"
FORMAT_VERSION = 1
HIDDEN = ".jaxmaxent-"  # the start of the names of folders with work in progress; each is locked by one process
# Files that file managers and file systems make by themselves. They may be ignored.
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini", "lost+found"}


def entries(folder: Path) -> list[Path]:
    """Return the entries of a folder, except work in progress and files that file managers and file systems make."""
    return sorted(
        entry for entry in folder.iterdir() if entry.name not in _LITTER and not entry.name.startswith(HIDDEN)
    )


def seal(folder: Path, kind: str, notes: Mapping[str, Any]) -> None:
    """Write the list of a complete folder, wait until all of it is on the disk, and delete empty folders in it.

    Args:
        folder: the folder.
        kind: the kind of output, in one word.
        notes: anything else that JSON can hold.
    """
    files = {}
    for name in list(_files(folder)):
        sync_file(folder / name)
        files[name] = _checksum(folder / name)
    for below, _, _ in os.walk(folder, topdown=False):
        if Path(below) != folder and not os.listdir(below):
            os.rmdir(below)
        else:
            sync_folder(Path(below))
    about = {"format": FORMAT, "format_version": FORMAT_VERSION, "kind": kind, "notes": dict(notes), "files": files}
    text = json.dumps(about, indent=1) + "\n"
    write_whole(folder / MANIFEST, lambda file: file.write(text.encode()))


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the list of a folder: format, version, kind, notes and files; None if it is missing or damaged."""
    try:
        about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    sound = isinstance(about, dict) and (about.get("format"), about.get("format_version")) == (FORMAT, FORMAT_VERSION)
    return about if sound and all(isinstance(about.get(part), dict) for part in ("notes", "files")) else None


def obstacle(folder: Path, kind: str) -> str | None:
    """Return the reason why output of a kind may not replace a folder; None if it may."""
    about = read_manifest(folder)
    if about is None:
        first = next(_files(folder), None)
        what = "no file" if first is None else f"{first!r}"
        return f"it holds {what} and no valid {MANIFEST}, so it was not written by jaxmaxent"
    if about.get("kind") != kind:
        return f"it holds output of another kind ({about.get('kind')!r}, expected {kind!r})"
    listed = _listed(folder, about)
    for name in _files(folder):
        if name not in listed:
            return f"{name!r} in it was not written by jaxmaxent"
        file = folder / name
        if file.is_symlink() or not file.is_file() or listed[name] not in (None, _checksum(file)):
            return f"{name!r} in it has changed since jaxmaxent wrote it"
    return None


def _listed(folder: Path, about: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the checksum of every file that jaxmaxent wrote; None for a file whose content does not matter.

    Output inside other output, as in the folder of a demo, has its own list, and may have been replaced since.
    """
    listed: dict[str, str | None] = {MANIFEST: None, **about["files"]}
    for name in about["files"]:
        place, _, file = name.rpartition("/")
        inner = read_manifest(folder / place) if file == MANIFEST else None
        if inner is not None:
            listed |= {f"{place}/{below}": mark for below, mark in _listed(folder / place, inner).items()}
    return listed


def _files(folder: Path) -> Iterator[str]:
    """Yield the paths, relative to a folder, of all files and links below it, except work in progress."""
    for below, folders, files in os.walk(folder):
        if below == os.fspath(folder):
            folders[:] = [name for name in folders if not name.startswith(HIDDEN)]
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(below, name))]
        for name in sorted(name for name in files + links if name not in _LITTER):
            yield Path(below, name).relative_to(folder).as_posix()


def _checksum(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
