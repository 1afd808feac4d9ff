"""Checks of the arguments of pictures."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks

PerRung = Float[np.ndarray, " rungs"]
PerPair = Float[np.ndarray, " pairs"]  # of neighbouring rungs
PerThreshold = Float[np.ndarray, " thresholds"]


def need(*packages: str) -> None:
    """Import the packages, or raise ImportError that names their extra."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ImportError(f"drawing needs {package}: pip install 'jaxmaxent[plot]' ({error})") from error


def checked_frequencies(name: str, value: Any, letters: str, *, ndim: int) -> np.ndarray:
    """Return `value` as a float array of `ndim` axes whose rows sum to 1 over the letters."""
    if not isinstance(letters, str) or len(letters) < 2 or len(set(letters)) < len(letters):
        raise ValueError(f"letters must be a string of at least 2 different characters, got {letters!r}")
    if any(not letter.isprintable() or letter.isspace() for letter in letters):
        raise ValueError(f"letters must be visible characters, got {letters!r}")
    array = checks.finite_array(name, value, at_least=0.0)
    if array.ndim != ndim or array.shape[-1] != len(letters) or 0 in array.shape:
        wanted = "[length, letters]" if ndim == 2 else "[anchors, length, letters]"
        raise ValueError(
            f"{name} must have shape {wanted} with the {len(letters)} letters {letters!r}, got {list(array.shape)}"
        )
    sums = array.sum(-1)
    wrong = np.argwhere(abs(sums - 1) > 1e-3)  # frequencies may be float32 or rounded to 4 digits in a table
    if len(wrong):
        where = tuple(int(i) for i in wrong[0])
        raise ValueError(f"{name} must sum to 1 over the letters, got {sums[where]:g} at {list(where)}")
    return array / sums[..., None]


def checked_standard_error(value: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return standard errors as a float array; NaN means "not known", as for a chain that never moved."""
    if value is None:
        return None
    array = np.asarray(value, dtype=float)
    if array.shape != shape:
        raise ValueError(f"standard_error must have shape {list(shape)}, got {list(array.shape)}")
    if (array < 0).any():
        raise ValueError(f"standard_error must not be negative, got {array[array < 0][0]:g}")
    return array


def checked_position(start: Any) -> int:
    """Return `start` as an int."""
    if isinstance(start, bool) or not isinstance(start, int | np.integer):
        raise ValueError(f"start must be a whole number, got {start!r}")
    return int(start)
