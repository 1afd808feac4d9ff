"""The layout of a network's input: how one one-hot sequence becomes the array that the network takes."""

from __future__ import annotations

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
