"""The folder that keeps an unfinished job: its place, the files that were written there, and its deletion.

Two files list the files that a job began with: its description, which has a checksum, and the list that every output
folder has. One of them is enough to delete the folder. Files that neither lists are not touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxmaxent.console import complain
from jaxmaxent.files import HIDDEN, MANIFEST, PARTIAL, belongings, entries, read_manifest, refusing, resolved
from jaxmaxent.files._checkpoints import DamagedCheckpointWarning

FORMAT = "jaxmaxent-interpretation"
FORMAT_VERSION = 9
SETTINGS, MODEL, ANCHORS = "settings.json", "model", "anchors.npz"
SUFFIX = ".checkpoint"
KIND = "job"  # the kind of output, in the list of files of the folder
# Files that are added to the folder after the job began.
_ADDED = re.compile(
    rf"group-\d{{6}}\.(npz|beta\.json)|group-\d{{6}}/(about\.json|\d+-step-\d+\.npz)({re.escape(PARTIAL)})?"
    rf"|run\.zarr/.*|(.*/)?{re.escape(HIDDEN)}.*"
)


def folder_of(out: str) -> Path:
    """Return the folder of the job with the output `out`; if there is none, the folder that it would have."""
    beside, inside = belongings(resolved(out), SUFFIX)
    return inside if inside.is_dir() and not beside.is_dir() else beside


def check_place(out: str, *, force: bool) -> None:
    """Raise ValueError if the place of the job of `out` has a job that may not be deleted, or other files."""
    for kept in belongings(resolved(out), SUFFIX):
        with refusing(kept, "read"):
            if not kept.exists() or (kept.is_dir() and not entries(kept)):
                continue
            if not force:
                raise ValueError(
                    f"{kept} keeps an interrupted run: continue it with `jaxmaxent resume {shlex.quote(str(out))}`, or "
                    "discard it with --force"
                )
            if foreign := _foreign(kept):
                raise ValueError(
                    f"{kept} is not discarded, as {foreign} was not written by jaxmaxent; move it elsewhere"
                )


def write_about(folder: Path, about: dict[str, Any]) -> None:
    """Write the description of a job, with the checksums of the files in its folder, and a checksum of itself."""
    about = about | {"files": _checksums(folder)}
    about |= {"format": FORMAT, "format_version": FORMAT_VERSION, "checksum": _checksum(_canonical(about))}
    (folder / SETTINGS).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def read_about(folder: Path) -> dict[str, Any]:
    """Return the description of a job.

    Raises:
        ValueError: if the folder is missing, or the description is missing, damaged or of another version.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{folder} does not exist, expected the folder that an interrupted `jaxmaxent interpret` keeps"
        )
    try:
        about = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        kind, version, checksum = (about.pop(key) for key in ("format", "format_version", "checksum"))
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{folder} is damaged or was not made by `jaxmaxent interpret`: no valid {SETTINGS}"
        ) from error
    if kind != FORMAT or not isinstance(version, int) or version != FORMAT_VERSION:
        raise ValueError(
            f"{folder} has format {kind!r} version {version!r}, expected {FORMAT!r} version {FORMAT_VERSION}"
        )
    if checksum != _checksum(_canonical(about)):
        raise ValueError(f"{folder} is damaged: {SETTINGS} does not have its checksum")
    return about


def check_files(folder: Path, about: dict[str, Any]) -> None:
    """Raise ValueError if a file that a job began with is missing or has changed."""
    found = _checksums(folder)
    for name, expected in about["files"].items():
        if found.get(name) != expected:
            state = "does not have its checksum" if name in found else "is missing"
            raise ValueError(f"{folder} is damaged: {name} {state}")


def identifier_of(folder: Path) -> str:
    """Return the identifier of the job in a folder; an empty text if its description and its list are damaged."""
    with contextlib.suppress(ValueError):
        return read_about(folder)["identifier"]
    listed = _listed(folder)
    return "" if listed is None else str(listed["notes"].get("identifier"))


def has_sound_list(folder: Path) -> bool:
    """Return True if the list of the files of a job can be read."""
    return _listed(folder) is not None


def discard(folder: Path) -> None:
    """Delete the folder of a job. A file that was not written here stays, and so does the folder.

    The file that lists the others is deleted last, because it marks the folder of a job.

    Raises:
        ValueError: if something in it cannot be deleted.
    """
    if not folder.is_dir():
        return
    with refusing(folder, "deleted"):
        ours, proof = _ours(folder), MANIFEST if has_sound_list(folder) else SETTINGS
        written = [name for name in _files(folder) if ours and (name in ours or _ADDED.fullmatch(name))]
        for name in sorted(written, key=lambda name: (name == proof, name)):
            (folder / name).unlink()
        for path in [*sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True), folder]:
            if not any(path.iterdir()):
                path.rmdir()


def _foreign(folder: Path) -> str | None:
    """Return the name of a file in the place of a job that no job wrote; None if there is none."""
    ours = _ours(folder)
    if not ours:
        return "what is there"
    return next((name for name in _files(folder) if name not in ours and not _ADDED.fullmatch(name)), None)


def _ours(folder: Path) -> set[str]:
    """Return the files that a job began with; none if the folder is not that of a job."""
    listed, found = _listed(folder), set()
    if listed is not None:
        found |= {MANIFEST, *listed["files"]}
    with contextlib.suppress(ValueError):
        found |= {MANIFEST, SETTINGS, f"{MODEL}/{MANIFEST}", *read_about(folder)["files"]}
    return found


def _listed(folder: Path) -> dict[str, Any] | None:
    """Return the list of the files of a job; None if it is missing or damaged."""
    listed = read_manifest(folder)
    return listed if listed is not None and listed.get("kind") == KIND else None


def _files(folder: Path) -> list[str]:
    paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _checksums(folder: Path) -> dict[str, str]:
    files = [folder / ANCHORS, *sorted((folder / MODEL).glob("[!.]*"))]
    return {str(file.relative_to(folder)): _checksum(file.read_bytes()) for file in files if file.is_file()}


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(about: dict[str, Any]) -> bytes:
    return json.dumps(about, sort_keys=True).encode()


@contextlib.contextmanager
def saying_what_is_damaged() -> Iterator[None]:
    """Print a warning about a damaged checkpoint as a line, without the place in the source."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", DamagedCheckpointWarning)
        show = warnings.showwarning

        def told(message: Any, category: Any, *rest: Any, **more: Any) -> None:
            complain(message) if issubclass(category, DamagedCheckpointWarning) else show(
                message, category, *rest, **more
            )

        warnings.showwarning = told
        yield
