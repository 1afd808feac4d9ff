"""Reverse-complement proposals: a window is read from the other strand."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, read
from jaxmaxent.kernels._metropolis import State, Unlearned
from jaxmaxent.kernels._rule_dataclass import rule_dataclass
from jaxmaxent.kernels._window import MovableWindow, draw_window


@rule_dataclass
class ReverseComplement(Unlearned):
    """A random window is replaced by its reverse complement, so that a whole motif moves to the other strand.

    It is for networks that read both strands. The width of the window is uniform from 2 to `width`, its start uniform
    among those inside the sequence; all chains share it. Only movable positions change: their letters, in order, are
    reversed and complemented. The same proposal again restores the sequence, so it is symmetric.

    The count of a letter together with its complement does not change (the GC content of DNA), so the rule alone does
    not reach every sequence: use it in a `Mixture` with one that does. It waits until the burn-in has learned its
    tables, because chains that teach a reference must not move their sites; a mixture gives it no share before (see
    `Mixture.settled`).

    Attributes:
        width: positions of the largest window, at least 2; the whole sequence where that is shorter (static). With
            incremental evaluation every proposal costs as much as the largest window.

    Raises:
        ValueError: for a width below 2; for an alphabet without complements, when the rule is first used.

    Example:
        ```python
        rule = Mixture.create([Site(), Rotation(), ReverseComplement()], [3, 1, 1])
        ```
    """

    width: int = struct.field(pytree_node=False, default=48)

    waits = True

    def __post_init__(self) -> None:
        checks.integer("width", self.width, at_least=2)

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> MovableWindow:
        """Draw a window."""
        if ensemble.alphabet.complements is None:
            raise ValueError(
                f"alphabet must have complements for a ReverseComplement, got {ensemble.alphabet.letters!r} without"
            )
        return draw_window(key, ensemble, self.width)

    def draw(self, key: Key[Array, ""], where: MovableWindow, ensemble: Ensemble) -> tuple[()]:
        """Return nothing: all is shared."""
        del key, where, ensemble
        return ()

    def what(self, drawn: tuple[()], state: State, where: MovableWindow, ensemble: Ensemble) -> Edit:
        """Return the edit that reverses and complements the letters at the movable positions of the window."""
        del drawn
        letters = read(state.tokens, where.start, len(where.inside))[0]
        complements = jnp.asarray(ensemble.alphabet.complement(np.arange(len(ensemble.alphabet))), letters.dtype)
        turned = complements[letters[where.ring.mirrored]]
        return Edit(where.start, jnp.where(where.inside, turned, letters)[None])

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """Return 0: the proposal is symmetric."""
        del state, edit, patch
        return jnp.zeros((), ensemble.beta.dtype)
