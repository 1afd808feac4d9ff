"""The layout of a network's input: how one one-hot sequence becomes the array that the network takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxmaxent import checks

# Words of image networks for layouts with one row.
_WORDS = {"NCHW": "NC1L", "NHWC": "N1LC"}
# Groups of layouts that are tried, one after another until one in a group works.
BATCHES = (("NLC", "NCL"), ("NC1L", "N1LC", "NCL1", "NL1C"))
ONE_SEQUENCE = (("CL", "LC"), ("C1L", "1LC"))


def checked_layout(layout: Any) -> str:
    """Return a layout in the letters N (batch), L (positions), C (letters) and 1.

    Raises:
        ValueError: for another text.
    """
    text = checks.text("layout", layout)
    text = _WORDS.get(text, text)
    if sorted(text.replace("1", "")) not in (["C", "L"], ["C", "L", "N"]) or "N" in text[1:]:
        raise ValueError(
            f'layout must be like "NLC" or "NC1L", made of N (batch, first), L (positions), C (letters) and 1, got '
            f"{checks.shown(layout)}"
        )
    return text


def has_batch(layout: str) -> bool:
    """Return True if the network takes a batch of sequences."""
    return layout[0] == "N"


def arranged(one_hot: Any, layout: str) -> Any:
    """Return one-hot sequences in a layout.

    Args:
        one_hot: array of NumPy or JAX, shape [length, letters]; or [batch, length, letters] for a layout with a
            batch axis.
        layout: the layout; a single sequence gets a batch of one.
    """
    xp: Any = np if isinstance(one_hot, np.ndarray) else jnp
    if has_batch(layout) and one_hot.ndim == 2:
        one_hot = one_hot[None]
    axes = layout.replace("1", "")
    if axes.index("C") < axes.index("L"):
        one_hot = xp.swapaxes(one_hot, -1, -2)
    for axis, letter in enumerate(layout):
        if letter == "1":
            one_hot = xp.expand_dims(one_hot, axis)
    return one_hot


def layout_that_works(
    kind: str, groups: Sequence[Sequence[str]], layout: Any, run: Callable[[str], Any], one_hot: np.ndarray
) -> str:
    """Return the layout that was given, or the only one that a network takes.

    Args:
        kind: name of the framework.
        groups: groups of layouts to try, in order.
        layout: the layout that was given, or None.
        run: runs the network on one sequence in a layout, or fails.
        one_hot: that sequence, for the message.

    Raises:
        ValueError: if the network takes none or several, or not the one given.
    """
    given = None if layout is None else checked_layout(layout)
    failures: dict[str, Exception] = {}

    def works(one: str) -> bool:
        try:
            run(one)
        except Exception as error:
            failures[one] = error
            return False
        return True

    if given is not None and works(given):
        return given
    # Many networks take one more axis as a part of the batch, so layouts without it come first.
    tried = ([one for one in group if one != given and works(one)] for group in groups)
    others = next((group for group in tried if group), [])
    shape = f"sequences of shape [{one_hot.shape[0]}, {one_hot.shape[1]}]"
    if given is not None and others:
        raise ValueError(
            f"layout must be one that the network takes for {shape}, such as {others[0]!r}, got {layout!r}"
        )
    if len(others) > 1:
        raise ValueError(f"layout must be given, since the network takes {' and '.join(map(repr, others))} for {shape}")
    if not others:
        raise ValueError(_failure({one: failures[one] for one in [given] if one} or failures, kind, one_hot))
    return others[0]


def _failure(failures: Mapping[str, Exception], kind: str, one_hot: np.ndarray) -> str:
    """Return a sentence that says how a network failed in the first two layouts."""
    told = []
    for layout, error in list(failures.items())[:2]:
        line = next(filter(None, map(str.strip, f"{type(error).__name__}: {error}".splitlines())))
        shape = list(arranged(one_hot, layout).shape)
        told.append(f"in {layout!r}, an input of shape {shape}, with {checks.shown(line.rstrip('.'))[1:-1]}")
    return (
        f"the network must take one one-hot sequence, but {kind} failed {'; '.join(told)}; length, letters, layout and "
        "fixed_inputs say what it takes"
    )


def in_words(made: Callable[[], Any], kind: str, layout: str, one_hot: np.ndarray) -> Any:
    """Return what a function makes; if it fails, ValueError says how a network failed in a layout."""
    try:
        return made()
    except Exception as error:
        raise ValueError(_failure({layout: error}, kind, one_hot)) from error
