"""The interface between a kernel and the network."""

from __future__ import annotations

from typing import Any, Protocol

from jaxtyping import Array, Bool, Float, Int


class Evaluator(Protocol):
    """Evaluates edits of one sequence, for one anchor and one chain; `run` maps it over both.

    `start` is the same for all chains of a run (see `kernels`), so under `jax.vmap` it stays a single number and
    the slices it addresses stay contiguous.
    """

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], Any]:
        """Energy of `tokens`, and what has to be remembered about them."""
        ...

    def propose(self, cache: Any, start: Int[Array, ""], letters: Int[Array, " width"]) -> tuple[Float[Array, ""], Any]:
        """Energy after writing `letters` at `start`, and the patch that would make the edit."""
        ...

    def commit(self, cache: Any, patch: Any, accept: Bool[Array, ""]) -> Any:
        """The cache with the patch where `accept`, unchanged where not."""
        ...
