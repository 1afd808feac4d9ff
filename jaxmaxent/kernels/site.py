"""Single-site proposals: one position, another letter."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jaxmaxent.ensemble import Ensemble

# With two letters the only proposal is a flip. Where every flip is accepted, the parity of the number of ones
# would alternate for ever and the chain be periodic, so one proposal in 16 is to stay.
BINARY_LAZINESS = 1 / 16


@dataclasses.dataclass(frozen=True)
class Site:
    """A uniform movable position, a uniform letter among the others (the published sampler's proposal)."""

    width: int = dataclasses.field(default=1, init=False)

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Int[Array, ""]:
        """A movable position, uniformly."""
        return ensemble.movable[jax.random.randint(key, (), 0, ensemble.movable.shape[0])]

    def what(
        self, key: Key[Array, ""], current: Int[Array, " 1"], ensemble: Ensemble
    ) -> tuple[Int[Array, " 1"], Float[Array, ""]]:
        """Another letter, uniformly; symmetric, so no correction."""
        letters = len(ensemble.alphabet)
        if letters == 2:
            shift = jax.random.bernoulli(key, 1 - BINARY_LAZINESS, (1,)).astype(current.dtype)
        else:
            # A remainder favours a letter by less than letters / 2^32; `jax.random.randint`, which takes care of
            # ranges near 2^32, costs four times as many hashes.
            shift = 1 + (jax.random.bits(key, (1,), jnp.uint32) % (letters - 1)).astype(current.dtype)
        return (current + shift) % letters, jnp.zeros((), ensemble.beta.dtype)
