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
from jaxtyping import Array, Bool, Float, Int

from jaxmaxent import checks
from jaxmaxent.ensembles._alphabet import DNA, Alphabet, checked_alphabet


@struct.dataclass
class Field:
    """One term μ N(x).

    Attributes:
        mu: the multiplier (a chemical potential for a composition), shape [] or [anchors]; dimensionless.
        unary: what each letter adds to N, shape [letters] or [length, letters].
        pair: what each pair of neighbouring letters adds to N, shape [letters, letters], or None.
        forbidden: letters that no sequence has at a position, whatever μ, shape [length, letters]; None without any.
        name: what the field is called in results.
    """

    mu: Any
    unary: Float[Array, "... letters"]
    pair: Float[Array, "letters letters"] | None = None
    forbidden: Bool[Array, "length letters"] | None = None
    name: str = struct.field(pytree_node=False, default="field")

    def count(self, tokens: Int[Array, " length"]) -> Float[Array, ""]:
        """Return N(x) of one sequence of tokens."""
        total = jnp.sum(self._scores(tokens))
        return total if self.pair is None else total + jnp.sum(self._pair_scores(self.pair, tokens))

    def change(self, old: Int[Array, " length"], new: Int[Array, " length"]) -> Float[Array, ""]:
        """Return N(new) − N(old), summed letter by letter.

        Letters that stay add exactly 0. The difference of two sums would lose small changes beside a large score of a
        letter that is held.
        """
        total = jnp.sum(self._scores(new) - self._scores(old))
        if self.pair is None:
            return total
        return total + jnp.sum(self._pair_scores(self.pair, new) - self._pair_scores(self.pair, old))

    def _scores(self, tokens: Int[Array, " length"]) -> Float[Array, "letters length"]:
        """Return what each position adds, in the row of its letter."""
        # Letters come first: a long axis last is what a CPU's vector units want.
        letters = self.unary.shape[-1]
        table = jnp.broadcast_to(self.unary, (*tokens.shape, letters)).T
        return jnp.where(jax.nn.one_hot(tokens, letters, dtype=bool, axis=0), table, 0)

    def _pair_scores(
        self, pair: Float[Array, "letters letters"], tokens: Int[Array, " length"]
    ) -> Float[Array, " pairs"]:
        return pair[tokens[:-1], tokens[1:]]


@jax.transfer_guard("allow")
def composition(letters: str, mu: float = 0.0, *, alphabet: Alphabet = DNA) -> Field:
    """The number of positions that hold one of `letters`; `composition("GC")` is the GC count.

    Raises:
        ValueError: for a letter outside the alphabet, none, or all of them (the count could not change).
    """
    checked_alphabet(alphabet)
    chosen = set(checks.text("letters", letters))
    if not chosen < set(alphabet.letters) or not chosen:
        raise ValueError(f"letters must be some but not all of {alphabet.letters!r}, got {checks.shown(letters)}")
    unary = jnp.array([float(letter in chosen) for letter in alphabet.letters])
    return Field(mu=_multiplier(mu), unary=unary, name=letters)


@jax.transfer_guard("allow")
def dinucleotide(pair: str, mu: float = 0.0, *, alphabet: Alphabet = DNA) -> Field:
    """The number of positions i with x_i x_{i+1} equal to `pair`, for example "CG"; it is then called "CpG".

    Raises:
        ValueError: if `pair` is not two letters of the alphabet.
    """
    checked_alphabet(alphabet)
    if len(checks.text("pair", pair)) != 2 or not set(pair) <= set(alphabet.letters):
        raise ValueError(f"pair must be two letters of {alphabet.letters!r}, got {checks.shown(pair)}")
    first, second = (alphabet.letters.index(letter) for letter in pair)
    table = np.zeros((len(alphabet), len(alphabet)))
    table[first, second] = 1
    return Field(
        mu=_multiplier(mu), unary=jnp.zeros(len(alphabet)), pair=jnp.asarray(table, float), name="p".join(pair)
    )


@jax.transfer_guard("allow")
def position_prior(table: Float[np.ndarray, "length letters"], mu: float = 1.0) -> Field:
    """Make a score for every letter at every position; with log-probabilities and μ = 1, an independent prior.

    A score of −∞ forbids a letter: no sequence has it at that position, whatever μ.

    Args:
        table: scores, shape [length, letters], finite or −∞.
        mu: the multiplier of the whole table.

    Raises:
        ValueError: for NaN, +∞, a position without any letter left, or another number of axes.
    """
    scores, forbidden = split_forbidden("table", table)
    if scores.ndim != 2:
        raise ValueError(f"table must have shape [length, letters], got {list(scores.shape)}")
    mask = None if forbidden is None else jnp.asarray(forbidden)
    return Field(mu=_multiplier(mu), unary=jnp.asarray(scores, float), forbidden=mask, name="prior")


def split_forbidden(name: str, table: Any) -> tuple[Float[np.ndarray, ...], Bool[np.ndarray, ...] | None]:
    """Return the finite scores of a table, 0 for those of −∞, and where these are; None if there are none.

    Raises:
        ValueError: for NaN, +∞, or a row of −∞ only.
    """
    array = checks.number_array(name, table)
    forbidden = array == -np.inf
    scores = checks.finite_array(name, np.where(forbidden, 0, array))
    if not forbidden.any():
        return scores, None
    if (empty := forbidden.all(-1)).any():
        raise ValueError(f"{name} must leave a letter at every position, but position {empty.argmax()} has only −∞")
    return scores, forbidden


def _multiplier(mu: Any) -> jax.Array:
    return jnp.asarray(checks.factor("mu", mu), float)
