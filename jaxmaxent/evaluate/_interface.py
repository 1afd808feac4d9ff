"""The interface between a kernel and the network."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.evaluate import _slices as slices


class Edit(NamedTuple):
    """Letters to write in place of others: in each part, `width` adjacent letters from a start.

    Parts do not overlap. One part is a site or a block, two parts are a swap of two far positions.
    """

    starts: Int[Array, " parts"]
    letters: Int[Array, "parts width"]


class Evaluator(Protocol):
    """Evaluates edits of one sequence, for one anchor and one chain; `run` maps it over both.

    Where a rule draws its positions once for all chains (see `kernels`), `edit.starts` stays unbatched under
    `jax.vmap`, and the slices it addresses stay contiguous.
    """

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], Any]:
        """Energy of `tokens`, and what has to be remembered about them."""
        ...

    def propose(self, cache: Any, edit: Edit) -> tuple[Float[Array, ""], Any]:
        """Energy after an edit, and the patch that would make it."""
        ...

    def commit(self, cache: Any, patch: Any, accept: Bool[Array, ""]) -> Any:
        """The cache with the patch where `accept`, unchanged where not."""
        ...


def read(tokens: Int[Array, " length"], starts: Int[Array, " parts"], width: int) -> Int[Array, "parts width"]:
    """The `width` letters from each start."""
    parts = [slices.cut(tokens, starts[i], width) for i in range(starts.shape[0])]
    return jax.numpy.stack(parts)


def write(tokens: Int[Array, " length"], edit: Edit) -> Int[Array, " length"]:
    """`tokens` with an edit made."""
    for i in range(edit.starts.shape[0]):
        tokens = slices.put(tokens, edit.letters[i], edit.starts[i])
    return tokens
