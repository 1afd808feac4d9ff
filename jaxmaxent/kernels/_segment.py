"""Segment proposals: several adjacent letters redrawn at once."""

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
    """Several adjacent letters redrawn at once, uniformly among all fillings of the segment but the current one.

    A movable position is drawn uniformly, and its place in the segment too; a segment that would stick out of the
    sequence is moved inside. Fixed positions in it keep their letters. The rule generalizes `Site` (Finnegan & Song,
    PLoS Comput Biol 13(10): e1005836, 2017), which is a segment of one letter.

    Attributes:
        width: positions in the segment, at least 1 and at most the length (static).

    Raises:
        ValueError: for a width below 1; for one above the length of the sequences, when the rule is first used.

    Example:
        ```python
        run = sample(key, ensemble, rule=Mixture.create([Site(), Segment(3)]))
        ```
    """

    width: int = struct.field(pytree_node=False)

    def __post_init__(self) -> None:
        checks.integer("width", self.width, at_least=1)

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Int[Array, " 1"]:
        """Draw the start of a segment that holds a movable position."""
        if self.width > ensemble.length:
            raise ValueError(
                f"width must be at most the length of the sequences, {ensemble.length}, got a Segment of {self.width}"
            )
        key_position, key_place = jax.random.split(key)
        position = ensemble.movable[jax.random.randint(key_position, (1,), 0, ensemble.movable.shape[0])]
        place = jax.random.randint(key_place, (1,), 0, self.width, position.dtype)
        # The choice depends on no chain, so it may favour segments at the ends without a correction.
        return jnp.clip(position - place, 0, ensemble.length - self.width)

    def draw(self, key: Key[Array, ""], where: Int[Array, " 1"], ensemble: Ensemble) -> Int[Array, "1 width"]:
        """Draw how far each letter moves along the alphabet, uniformly among all ways but no movement at all."""
        window = where[:, None] + jnp.arange(self.width)[None]
        return jnp.where(ensemble.moves(window), self._shift(key, len(ensemble.alphabet)).astype(where.dtype)[None], 0)

    def what(self, drawn: Int[Array, "1 width"], state: State, where: Int[Array, " 1"], ensemble: Ensemble) -> Edit:
        """Return the edit that moves the letters of the segment, all fillings but the current one alike."""
        current = read(state.tokens, where, self.width)
        return Edit(where, (current + drawn.astype(current.dtype)) % len(ensemble.alphabet))

    def _shift(self, key: Key[Array, ""], letters: int) -> Array:
        """Draw the numbers that are added to the letters, modulo the alphabet: uniform among all but only zeros.

        The number of zeros in front is drawn first, in proportion to the shifts that have it, because a wide segment
        has more fillings than an integer can count. A shift and its inverse have as many zeros in front, so rounding
        in the shares leaves the proposal symmetric.
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
        """Return 0: the proposal is symmetric."""
        del state, edit, patch
        return jnp.zeros((), ensemble.beta.dtype)
