"""What rules see of a sequence, before an edit or after it."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

from jaxmaxent.evaluate.incremental._ranges import Range
from jaxmaxent.evaluate.incremental._shifts import shifted
from jaxmaxent.evaluate.incremental._values import Value, Window


class Reader:
    """What rules see of a sequence: `new` after the edit, else before it."""

    def __init__(self, proposal: Any, new: bool) -> None:
        self.proposal, self._new = proposal, new

    def tokens(self, wanted: Range) -> Int[Array, " size"]:
        """The letters in a range."""
        p = self.proposal
        return p.cut(p.tokens[self._new], wanted, 0)

    def window(self, value: Value, wanted: Range, like: Window | None = None) -> Array:
        """A value in a range.

        Args:
            value: windowed, or clean.
            wanted: the range; inside the value's sequence axis at every site.
            like: for a clean value, the window in whose shape it is to be taken.
        """
        if value.depends:
            return self.proposal.window(value, wanted, self._new)
        return self.proposal.clean_window(value, wanted, like)

    def positions(self, wanted: Range) -> Int[Array, " size"]:
        """The numbers of the positions of a range."""
        return self.proposal.look_up(wanted.part, wanted.start).value + jnp.arange(wanted.size)

    def padded(
        self, value: Value, start: np.ndarray, wanted: Range, base: int, fill: Any, like: Window | None = None
    ) -> Array:
        """`wanted.size` positions of a value from `start[site]` of its sequence axis on, which may lie outside it.

        Args:
            value: windowed, or clean.
            start: of each site, in the axis after `base` − 1 times `fill` have been put between its elements.
            wanted: gives the size and the part.
            base: 1 for none.
            fill: what is between and outside.
            like: as for `window`.
        """
        window = value.opened or like
        assert window is not None
        length, axis, size = window.length, window.axis, wanted.size
        first = start // base
        held = min(length, size if base == 1 else (size - 1) // base + 3)
        inside = wanted.moved(np.clip(first, 0, length - held), held)
        array = self.window(value, inside, like)
        if base > 1:
            gaps = [(0, 0, base - 1 if i == axis else 0) for i in range(array.ndim)]
            array = lax.pad(array, jnp.asarray(fill, array.dtype), gaps)
        offset = start - inside.start * base
        return shifted(array, self.proposal.look_up(wanted.part, offset), size, axis, fill)
