"""Fields: the terms μ N(x) of an ensemble that do not depend on the network.

Every field here is a sum over single letters and over pairs of neighbouring letters,

    N(x) = Σ_i unary[i, x_i] + Σ_i pair[x_i, x_{i+1}],

which covers the composition (GC content, amino-acid classes), dinucleotides such as CpG, and per-position
priors, and leaves the ensemble at β = 0 exactly solvable (see `background`).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from jaxmaxent import checks
from jaxmaxent.alphabet import DNA, Alphabet


@struct.dataclass
class Field:
    """One term μ N(x).

    Attributes:
        mu: the multiplier (a chemical potential for a composition), shape [] or [anchors]; dimensionless.
        unary: what each letter adds to N, shape [letters] or [length, letters].
        pair: what each pair of neighbouring letters adds to N, shape [letters, letters], or None.
        name: what the field is called in results.
    """

    mu: Any
    unary: Float[Array, "... letters"]
    pair: Float[Array, "letters letters"] | None = None
    name: str = struct.field(pytree_node=False, default="field")

    def count(self, tokens: Int[Array, " length"]) -> Float[Array, ""]:
        """N(x) of one sequence of tokens."""
        # Letters come first: a long axis last is what a CPU's vector units want.
        letters = self.unary.shape[-1]
        table = jnp.broadcast_to(self.unary, (*tokens.shape, letters)).T
        total = jnp.sum(jnp.where(jax.nn.one_hot(tokens, letters, dtype=bool, axis=0), table, 0))
        if self.pair is not None:
            total = total + jnp.sum(self.pair[tokens[:-1], tokens[1:]])
        return total


@jax.transfer_guard("allow")
def composition(letters: str, mu: float = 0.0, *, alphabet: Alphabet = DNA) -> Field:
    """The number of positions that hold one of `letters`; `composition("GC")` is the GC count.

    Raises:
        ValueError: for a letter outside the alphabet, none, or all of them (the count could not change).
    """
    chosen = set(letters)
    if not chosen < set(alphabet.letters) or not chosen:
        raise ValueError(f"letters must be some but not all of {alphabet.letters!r}, got {letters!r}")
    unary = jnp.array([float(letter in chosen) for letter in alphabet.letters])
    return Field(mu=_multiplier(mu), unary=unary, name=letters)


@jax.transfer_guard("allow")
def dinucleotide(pair: str, mu: float = 0.0, *, alphabet: Alphabet = DNA) -> Field:
    """The number of positions i with x_i x_{i+1} equal to `pair`, for example "CG"; it is then called "CpG".

    Raises:
        ValueError: if `pair` is not two letters of the alphabet.
    """
    if len(pair) != 2 or not set(pair) <= set(alphabet.letters):
        raise ValueError(f"pair must be two letters of {alphabet.letters!r}, got {pair!r}")
    first, second = (alphabet.letters.index(letter) for letter in pair)
    table = np.zeros((len(alphabet), len(alphabet)))
    table[first, second] = 1
    return Field(
        mu=_multiplier(mu), unary=jnp.zeros(len(alphabet)), pair=jnp.asarray(table, float), name="p".join(pair)
    )


@jax.transfer_guard("allow")
def position_prior(table: Float[np.ndarray, "length letters"], mu: float = 1.0) -> Field:
    """A score for every letter at every position; with log-probabilities and μ = 1, an independent prior.

    Args:
        table: finite scores, shape [length, letters].
        mu: the multiplier of the whole table.

    Raises:
        ValueError: for a table that is not finite or has another number of axes.
    """
    scores = checks.finite_array("table", table)
    if scores.ndim != 2:
        raise ValueError(f"table must have shape [length, letters], got {list(scores.shape)}")
    return Field(mu=_multiplier(mu), unary=jnp.asarray(scores, float), name="prior")


def _multiplier(mu: Any) -> jax.Array:
    return jnp.asarray(checks.finite_array("mu", mu), float)
