"""Segment proposals: some adjacent positions at once."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, read
from jaxmaxent.kernels._metropolis import State, Unlearned
from jaxmaxent.kernels._rule_dataclass import rule_dataclass
from jaxmaxent.kernels._site import BINARY_LAZINESS


@rule_dataclass
class Segment(Unlearned):
    """A window of adjacent positions, uniform letters among all but the current ones.

    The window is one that holds a movable position: such a position uniformly, at a uniform place in the window,
    which is moved inside the sequence where it would stick out. Fixed positions in it keep their letters.

    Attributes:
        width: positions in the window, at least 1 and at most the length (static).

    Raises:
        ValueError: for another width; where it is too long, when the rule is first used.
    """

    width: int = struct.field(pytree_node=False)

    def __post_init__(self) -> None:
        checks.integer("width", self.width, at_least=1)

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Int[Array, " 1"]:
        """The start of a window that holds a movable position."""
        if self.width > ensemble.length:
            raise ValueError(
                f"width must be at most the length of the sequences, {ensemble.length}, got a Segment of {self.width}"
            )
        key_position, key_place = jax.random.split(key)
        position = ensemble.movable[jax.random.randint(key_position, (1,), 0, ensemble.movable.shape[0])]
        place = jax.random.randint(key_place, (1,), 0, self.width, position.dtype)
        # The choice looks at no chain, so it may favour windows at the ends without a correction.
        return jnp.clip(position - place, 0, ensemble.length - self.width)

    def what(self, key: Key[Array, ""], state: State, where: Int[Array, " 1"], ensemble: Ensemble) -> Edit:
        """Other letters, uniformly among all of the window's."""
        current = read(state.tokens, where, self.width)
        window = where[:, None] + jnp.arange(self.width)[None]
        free = (window[..., None] == ensemble.movable[None, None]).any(-1)
        shift = self._shift(key, len(ensemble.alphabet)).astype(current.dtype)[None]
        return Edit(where, (current + jnp.where(free, shift, 0)) % len(ensemble.alphabet))

    def _shift(self, key: Key[Array, ""], letters: int) -> Array:
        """What is added to the letters, modulo their number: uniform among everything but only zeros.

        The number of zeros in front is drawn first, with the share it has, as the windows of long alphabets have
        more letters than an integer can count. A shift and its inverse have the same number, so rounding in the
        shares leaves the proposal symmetric.
        """
        key_zeros, key_digits = jax.random.split(key)
        bits = jax.random.bits(key_digits, (self.width,), jnp.uint32)
        if letters**self.width == 2:
            return jax.random.bernoulli(key_zeros, 1 - BINARY_LAZINESS, (1,))
        shares = float(letters) ** -np.arange(self.width)
        zeros = jax.random.choice(key_zeros, self.width, p=jnp.asarray(shares / shares.sum(), float))
        digit = jnp.arange(self.width)
        return jnp.where(digit == zeros, 1 + bits % (letters - 1), jnp.where(digit < zeros, 0, bits % letters))

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """0: the proposal is symmetric."""
        del state, edit, patch
        return jnp.zeros((), ensemble.beta.dtype)
