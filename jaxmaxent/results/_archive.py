"""A run as one `.npz` archive: its arrays under their names, all else as JSON text in the entry `about`; no pickle."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent.files import new_file
from jaxmaxent.results._format import FORMAT, TooLarge, check_fits


def write(path: Path, words: Mapping[str, Any], arrays: Mapping[str, np.ndarray], *, force: bool) -> None:
    """Write an archive, whole or not at all.

    Raises:
        ValueError: if there is something in that place and `force` is False or it is no run, or it cannot be written.
    """
    entries: dict[str, Any] = {**arrays, "about": np.array(json.dumps(dict(words)))}
    with new_file(path, force=force, ours=_is_run) as scratch:
        np.savez_compressed(scratch, **entries)


def read(path: Path) -> dict[str, Any]:
    """Return the entries of an archive: the arrays by their names, and the words as JSON under `about`.

    Raises:
        ValueError: if the archive is missing or damaged.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there, expected a run saved as .npz")
    try:
        # Opened here, because NumPy leaves the file open if the archive is damaged.
        with open(path, "rb") as file:
            with zipfile.ZipFile(file) as archive:
                announced = sum(member.file_size for member in archive.infolist())
            check_fits(path, announced)
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
    except TooLarge:
        raise
    except Exception as error:  # damaged files raise errors of any type
        raise ValueError(f"{path} is damaged or no run, expected an .npz archive that `Run.save` wrote") from error


def _is_run(path: Path) -> bool:
    """Return True for an `.npz` archive that `Run.save` wrote, in any version of the format."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return json.loads(str(archive["about"]))["format"] == FORMAT
    except Exception:  # other files raise errors of any type
        return False
