"""The β's that a rule chose for a group of sequences, kept in the folder of the job."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from jaxmaxent.analysis import AutoBeta
from jaxmaxent.files import new_file

CHOSEN = ".beta.json"  # end of the name of the file


def write_chosen(path: Path, chosen: AutoBeta) -> None:
    """Write the β's and the reasons, whole or not at all."""
    text = json.dumps({"beta": chosen.beta.tolist(), "reasons": list(chosen.reasons)}, indent=1)
    with new_file(path) as scratch:
        scratch.write_text(text + "\n", encoding="utf-8")


def read_chosen(path: Path) -> AutoBeta:
    """Return what `write_chosen` wrote.

    Raises:
        ValueError: if the file is damaged.
    """
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return AutoBeta(np.array(saved["beta"], float), tuple(map(str, saved["reasons"])))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged; delete it to choose β for these sequences again") from error
