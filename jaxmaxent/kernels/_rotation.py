"""Rotation proposals: the letters of a window move along, and those that leave it enter at its other end."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, read
from jaxmaxent.kernels._metropolis import State, Unlearned
from jaxmaxent.kernels._rule_dataclass import rule_dataclass
from jaxmaxent.kernels._window import MovableWindow, draw_window


@rule_dataclass
class Rotation(Unlearned):
    """The letters of a random window rotate by a random amount, so that a whole motif moves to another place.

    Changes of single letters take a motif apart before they build it elsewhere, through sequences of high energy. A
    rotation moves all its letters together. The width of the window is uniform from 2 to `width`, its start uniform
    among those inside the sequence. Only movable positions rotate: in order, they are one ring. A window with fewer
    than 2 of them leaves the sequence as it is.

    All chains share the window. The amount is uniform from 1 to m − 1 of m movable positions, and each chain draws its
    own. A rotation by r is undone by one by m − r, which is as likely, so the proposal is symmetric in every window. If
    chains shared the amount too, this would hold only on average over the steps: replicas that swap their rungs would
    no longer be independent.

    The composition does not change, so rotations alone do not reach every sequence: use the rule in a `Mixture` with
    one that does. It waits until the burn-in has learned its tables, because chains that teach a reference must not
    move their sites; a mixture gives it no share before (see `Mixture.settled`).

    Attributes:
        width: positions of the largest window, at least 2; the whole sequence where that is shorter (static). With
            incremental evaluation every proposal costs as much as the largest window.

    Raises:
        ValueError: for a width below 2.

    Example:
        ```python
        rule = Mixture.create([Site(), Rotation(32)], [4, 1])
        ```
    """

    width: int = struct.field(pytree_node=False, default=48)

    waits = True

    def __post_init__(self) -> None:
        checks.integer("width", self.width, at_least=2)

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> MovableWindow:
        """Draw a window."""
        return draw_window(key, ensemble, self.width)

    def draw(self, key: Key[Array, ""], where: MovableWindow, ensemble: Ensemble) -> Int[Array, ""]:
        """Draw the amount."""
        del ensemble
        return 1 + jax.random.randint(key, (), 0, jnp.maximum(where.ring.size - 1, 1))

    def what(self, drawn: Int[Array, ""], state: State, where: MovableWindow, ensemble: Ensemble) -> Edit:
        """Return the edit that moves each letter along the ring."""
        del ensemble
        places = jnp.arange(len(where.inside))
        ring = where.ring
        origin = ring.members[(ring.rank - drawn) % jnp.maximum(ring.size, 1)]
        letters = read(state.tokens, where.start, len(places))[0]
        return Edit(where.start, letters[jnp.where(where.inside, origin, places)][None])

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """Return 0: the proposal is symmetric."""
        del state, edit, patch
        return jnp.zeros((), ensemble.beta.dtype)
