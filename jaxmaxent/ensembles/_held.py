"""Positions held at the letters of the anchor: the same in all anchors, or some in each."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Integer

from jaxmaxent import checks
from jaxmaxent.ensembles._alphabet import Alphabet


def held_positions(
    fixed: Any,
    settled: Bool[np.ndarray, " length"],
    tokens: Integer[np.ndarray, "*anchors length"],
    alphabet: Alphabet,
) -> tuple[Int[np.ndarray, " movable"], Bool[np.ndarray, "anchors length"] | None]:
    """Return the positions that move in some anchor, and which of these each anchor holds; None if no anchor does.

    Args:
        fixed: as `Ensemble.create` has it.
        settled: positions at which fields allow a single letter.
        tokens: the anchors.
        alphabet: the letters.

    Raises:
        ValueError: for anything else, and for an anchor whose positions are all held.
    """
    mask = np.broadcast_to(_mask(fixed, tokens, alphabet) | settled, tokens.shape)
    rows = mask.reshape(-1, tokens.shape[-1])
    if rows.all(1).any():
        where = f" of anchor {rows.all(1).argmax()}" if len(rows) > 1 else ""
        raise ValueError(
            f"fixed must leave a position that may move, but it and the fields hold all {rows.shape[1]}{where}"
        )
    movable = np.flatnonzero(~rows.all(0))
    if not rows[:, movable].any():
        return movable, None
    return movable, rows & ~rows.all(0)


def _mask(fixed: Any, tokens: np.ndarray, alphabet: Alphabet) -> Bool[np.ndarray, "*anchors length"]:
    """Return a mask of held positions, of all anchors or of each."""
    length = tokens.shape[-1]
    if fixed is None:
        return np.zeros(length, bool)
    if isinstance(fixed, str):
        return _of_template(fixed, tokens, alphabet)
    if isinstance(fixed, list | tuple) and fixed and all(isinstance(row, str) for row in fixed):
        if tokens.ndim == 1 or len(fixed) != len(tokens):
            expected = "1 template" if tokens.ndim == 1 else f"{len(tokens)} templates, one per anchor"
            raise ValueError(f"fixed must be {expected}, got {len(fixed)} templates")
        rows = zip(fixed, tokens, strict=True)
        return np.stack([_of_template(template, anchor, alphabet) for template, anchor in rows])
    given = np.asarray(fixed)
    if given.dtype == bool and given.shape not in ((length,), tokens.shape):
        shapes = f"[{length}]" if tokens.ndim == 1 else f"[{length}] or {list(tokens.shape)}"
        raise ValueError(f"fixed must be a mask of shape {shapes}, got {list(given.shape)}")
    if given.dtype == bool:
        return given
    if not (np.issubdtype(given.dtype, np.integer) or given.size == 0) or given.ndim != 1:
        raise ValueError(f"fixed must be positions or a boolean mask, got {checks.shown(fixed)}")
    if given.size and not (given.min() >= 0 and given.max() < length):
        raise ValueError(f"fixed must hold positions 0 to {length - 1}, got {given.tolist()}")
    if given.shape == (length,) and length > 2 and np.isin(given, (0, 1)).all():
        raise ValueError(f"fixed must be positions or a mask of True and False, got {length} numbers 0 and 1")
    mask = np.zeros(length, bool)
    mask[given if given.size else []] = True
    return mask


def _of_template(template: str, tokens: np.ndarray, alphabet: Alphabet) -> Bool[np.ndarray, " length"]:
    """Return the positions at which a template has a letter, which must be that of every anchor."""
    if len(template) != tokens.shape[-1]:
        raise ValueError(f"fixed must be a template of {tokens.shape[-1]} letters, got {len(template)}")
    free = np.array([sign in (".", alphabet.any_letter) for sign in template])
    letters = np.array(list(alphabet.letters))[tokens]
    wrong = (letters != np.array(list(template))) & ~free
    if wrong.any():
        position = int(wrong.reshape(-1, len(template)).any(0).argmax())
        raise ValueError(
            f"fixed must have letters of the anchor, or '.' or {alphabet.any_letter!r} for a free position, got "
            f"{template[position]!r} at position {position}"
        )
    return ~free
