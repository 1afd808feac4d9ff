"""The interface between a kernel and the network."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.evaluate import _slices as slices


class Edit(NamedTuple):
    """Letters to write in place of others: in each part, `width` adjacent letters from a start.

    Parts do not overlap. A site or a segment is one part; a transposition of two positions has two parts.

    Attributes:
        starts: the first position of each part.
        letters: the new letters of each part.

    Example:
        ```python
        Edit(starts=jnp.array([17]), letters=jnp.array([[2]]))  # the letter 2 at position 17
        ```
    """

    starts: Int[Array, " parts"]
    letters: Int[Array, "parts width"]


class Evaluator(Protocol):
    """The interface that evaluates edits of one sequence, for one anchor and one chain; the sampler maps it over both.

    If a rule draws its positions once for all chains (see `jaxmaxent.kernels`), `edit.starts` stays unbatched under
    `jax.vmap`, and the slices it addresses stay contiguous.
    """

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], Any]:
        """Return the energy of `tokens`, and a cache of what has to be remembered about them."""
        ...

    def propose(self, cache: Any, edit: Edit) -> tuple[Float[Array, ""], Any]:
        """Return the energy after an edit, and the patch that `commit` needs to make it."""
        ...

    def commit(self, cache: Any, patch: Any, accept: Bool[Array, ""]) -> Any:
        """Return the cache, with the patch if `accept`."""
        ...


def read(tokens: Int[Array, " length"], starts: Int[Array, " parts"], width: int) -> Int[Array, "parts width"]:
    """Return the `width` letters from each start."""
    parts = [slices.cut(tokens, starts[i], width) for i in range(starts.shape[0])]
    return jax.numpy.stack(parts)


def write(tokens: Int[Array, " length"], edit: Edit) -> Int[Array, " length"]:
    """Return `tokens` after an edit."""
    for i in range(edit.starts.shape[0]):
        tokens = slices.put(tokens, edit.letters[i], edit.starts[i])
    return tokens
