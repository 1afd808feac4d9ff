"""A random window of a sequence, inside an edit whose size the program knows."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from jaxmaxent.ensembles import Ensemble


class Ring(NamedTuple):
    """The movable positions of a window, in order.

    Attributes:
        size: their number.
        rank: how many of them stand before each position of the edit.
        members: the place in the edit of each of them; 0 behind the last.
        mirrored: for each of them, the place in the edit of the one as far from the other end.
    """

    size: Int[Array, ""]
    rank: Int[Array, " size"]
    members: Int[Array, " size"]
    mirrored: Int[Array, " size"]


class MovableWindow(NamedTuple):
    """A window of adjacent positions, as the part of an edit of fixed size in which it lies.

    Attributes:
        start: the first position of the edit, shape [1].
        inside: True at the movable positions of the window; the other letters of the edit stay as they are.
        ring: these positions in order, which all chains share like the window.
    """

    start: Int[Array, " 1"]
    inside: Bool[Array, " size"]
    ring: Ring

    @classmethod
    def of(cls, start: Int[Array, " 1"], inside: Bool[Array, " size"]) -> MovableWindow:
        """Return the window of these movable positions of an edit."""
        return cls(start, inside, ring_of(inside))


def draw_window(key: Key[Array, ""], ensemble: Ensemble, most: int) -> MovableWindow:
    """Draw a window: its width uniform from 2 to `most`, then its start uniform among those inside the sequence.

    A sequence shorter than `most` cuts it; the window of a single position is that position.
    """
    key_width, key_start = jax.random.split(key)
    most, length = min(most, ensemble.length), ensemble.length
    width = jax.random.randint(key_width, (), min(2, most), most + 1)
    first = jax.random.randint(key_start, (), 0, length - width + 1)
    start = jnp.minimum(first, length - most)
    positions = start + jnp.arange(most, dtype=start.dtype)
    return MovableWindow.of(start[None], ensemble.moves(positions) & (positions >= first) & (positions < first + width))


def ring_of(inside: Bool[Array, " size"]) -> Ring:
    """Return the movable positions of a window in order, by comparison, because a sort takes seconds to compile."""
    rank = jnp.cumsum(inside, dtype=jnp.int32) - inside
    wanted = jnp.arange(len(inside), dtype=jnp.int32)
    members = jnp.argmax(inside[None] & (rank[None] == wanted[:, None]), axis=1)
    size = jnp.sum(inside, dtype=jnp.int32)
    return Ring(size, rank, members, members[size - 1 - rank])
