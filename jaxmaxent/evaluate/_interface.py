"""The interface between a kernel and the network."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent.evaluate import _slices as slices


class Edit(NamedTuple):
    """New letters for a sequence. Each part of an edit replaces `width` adjacent letters, from its start on.

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
    """The interface for evaluating edits of one sequence, of one anchor and one chain; the sampler maps it over both.

    If a rule draws its positions once for all chains (see `jaxmaxent.kernels`), `edit.starts` stays unbatched under
    `jax.vmap`. Slices at these positions then stay contiguous.
    """

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], Any]:
        """Return the energy of `tokens`, and a cache of all values that `propose` needs again."""
        ...

    def propose(self, cache: Any, edit: Edit) -> tuple[Float[Array, ""], Any]:
        """Return the energy after an edit, and the patch that `commit` needs to make it."""
        ...

    def commit(self, cache: Any, patch: Any, accept: Bool[Array, ""]) -> Any:
        """Return the cache; the patch is applied if `accept` is True."""
        ...


def read(tokens: Int[Array, " length"], starts: Int[Array, " parts"], width: int) -> Int[Array, "parts width"]:
    """Return `width` letters from each start on.

    Example:
        >>> evaluate.read(jnp.array([0, 1, 2, 3, 2]), jnp.array([1]), 3).tolist()
        [[1, 2, 3]]
    """
    parts = [slices.cut(tokens, starts[i], width) for i in range(starts.shape[0])]
    return jax.numpy.stack(parts)


def write(tokens: Int[Array, " length"], edit: Edit) -> Int[Array, " length"]:
    """Return `tokens` after an edit.

    Example:
        >>> edit = evaluate.Edit(starts=jnp.array([1]), letters=jnp.array([[3, 3]]))
        >>> evaluate.write(jnp.zeros(5, int), edit).tolist()
        [0, 3, 3, 0, 0]
    """
    for i in range(edit.starts.shape[0]):
        tokens = slices.put(tokens, edit.letters[i], edit.starts[i])
    return tokens
