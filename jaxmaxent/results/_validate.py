"""Checks that what was read from disk is a complete run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from jaxmaxent.results._schema import VARIABLES, axes


class Wrong(Exception):
    """A fault of an entry of a saved run."""


# Kinds of NumPy for the types of arrays in the annotations of `Run`, and Python types for those of words.
_KINDS = {"Float": "f", "Int": "iu", "Bool": "b", "UInt8": "u"}
_WORDS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "tuple[str, ...]": (list,)}


# Attributes that files of earlier runs lack.
_LATER: dict[str, Any] = {"kmer_counts": None}


def checked(types: Mapping[str, str], words: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a run, after checking that they fit together.

    Args:
        types: annotation of every attribute.
        words: everything read that is no array.
        arrays: all arrays read.

    Raises:
        Wrong: naming the first attribute that is missing, of another type or shape, or out of range.
    """
    found: dict[str, Any] = {}
    known = {**_LATER, **words}
    for name, kind in types.items():
        if name in VARIABLES:
            if name in arrays:
                found[name] = _checked_array(name, arrays[name], _KINDS[kind.split("[")[0]])
            elif kind.endswith("| None") and name in known and known[name] is None:
                found[name] = None
        elif name in words:
            found[name] = _checked_word(name, words[name], kind)
        if name not in found:
            raise Wrong(f"{name} is missing")
    _check_shapes(found)
    _check_values(found)
    return found


def _checked_array(name: str, array: Any, kinds: str) -> np.ndarray:
    tokens = VARIABLES[name].unit == "token"
    if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds or (tokens and array.dtype != np.uint8):
        raise Wrong(f"{name} is of type {getattr(array, 'dtype', type(array).__name__)}")
    return array


def _checked_word(name: str, value: Any, kind: str) -> Any:
    right = isinstance(value, _WORDS[kind]) and not isinstance(value, bool)
    if isinstance(value, list):
        right = right and all(isinstance(entry, str) for entry in value)
        return tuple(value) if right else _refuse_word(name, value)
    if isinstance(value, int | float):
        right = right and 0 <= value < math.inf
    return value if right else _refuse_word(name, value)


def _refuse_word(name: str, value: Any) -> NoReturn:
    text = repr(value)
    raise Wrong(f"{name} is {text if len(text) < 80 else type(value).__name__}")


def _check_shapes(found: dict[str, Any]) -> None:
    """Check that every axis has one size in all arrays and words, and that rungs, pairs and slots go together."""
    sizes = {"letter": len(found["letters"]), "field": len(found["field_names"]), "anchor": len(found["names"])}
    if len(found["outcomes"]) != sizes["anchor"]:
        raise Wrong(f"outcomes has {len(found['outcomes'])} entries, names {sizes['anchor']}")
    for name in VARIABLES:
        if found[name] is None:
            continue
        dims, shape = axes(name), found[name].shape
        if len(dims) != len(shape) or any(sizes.setdefault(axis, n) != n for axis, n in zip(dims, shape, strict=True)):
            expected = " × ".join(f"{axis} {sizes[axis]}" if axis in sizes else axis for axis in dims)
            raise Wrong(f"{name} has the shape {list(shape)}, expected {expected}")
    if min(sizes[axis] for axis in ("anchor", "rung", "position", "chain", "state")) < 1:
        raise Wrong(f"it has an axis without entries: {sizes}")
    path = sizes["rung"] + sizes["beyond"]
    if sizes["pair"] != sizes["rung"] - 1 or sizes["slot"] < path or sizes["leg"] != 2:
        raise Wrong(f"{path} rungs do not go with {sizes['pair']} pairs, {sizes['leg']} legs and {sizes['slot']} slots")


def _check_values(found: dict[str, Any]) -> None:
    """Check that tokens are letters and that β increases."""
    letters = found["letters"]
    if not 2 <= len(letters) == len(set(letters)):
        raise Wrong(f"letters is {letters[:80]!r}")
    if found["thin"] < 1:
        raise Wrong(f"thin is {found['thin']}")
    for name, variable in VARIABLES.items():
        tokens = found[name]
        if variable.unit == "token" and tokens is not None and tokens.max(initial=0) >= len(letters):
            raise Wrong(f"{name} holds the token {tokens.max()} of {len(letters)} letters")
    counts = found["kmer_counts"]
    if counts is not None and counts.shape[-1] not in (len(letters) ** size for size in range(1, 17)):
        raise Wrong(f"kmer_counts has {counts.shape[-1]} k-mers of {len(letters)} letters")
    beta = found["beta"]
    if not (np.isfinite(beta).all() and (beta >= 0).all() and (np.diff(beta) >= 0).all()):
        raise Wrong("beta does not increase from 0 or more")
