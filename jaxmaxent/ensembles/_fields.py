"""Fields: the terms μ N(x) of an ensemble that do not depend on the network.

Most fields are sums over single letters and over pairs of neighbouring letters,

    N(x) = Σ_i unary[i, x_i] + Σ_i pair[x_i, x_{i+1}],

which covers the composition (GC content, amino-acid classes), dinucleotides such as CpG, and per-position
priors, and leaves the background, the ensemble at β = 0, exactly solvable. Others, which count motifs, codons or
anything else, grow along a ladder from nothing at β = 0 (see `_growing`).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Integer
from numpy.typing import ArrayLike

from jaxmaxent import checks
from jaxmaxent.ensembles._alphabet import DNA, Alphabet, checked_alphabet
from jaxmaxent.ensembles._terms import checked_terms


@struct.dataclass
class Field:
    """One term μ N(x).

    Attributes:
        mu: the multiplier (a chemical potential for a composition), shape [] or [anchors]; dimensionless.
        unary: the contribution of each letter to N, shape [letters] or [length, letters].
        pair: the contribution of each pair of neighbouring letters to N, shape [letters, letters], or None.
        forbidden: letters that no sequence has at a position, whatever μ, shape [length, letters]; None without any.
        terms: the count of a growing field, such as `motif_count` makes, whose other tables hold nothing; else None.
        name: the field's name in results (static).
    """

    mu: Any
    unary: Float[Array, "... letters"]
    pair: Float[Array, "letters letters"] | None = None
    forbidden: Bool[Array, "length letters"] | None = None
    terms: Any = None
    name: str = struct.field(pytree_node=False, default="field")

    @property
    def grows(self) -> bool:
        """True if the field grows along a ladder: at β_r it then has the share β_r/β of its μ."""
        return self.terms is not None

    def count(self, tokens: Int[Array, " length"]) -> Float[Array, ""]:
        """Return N(x) of one sequence of tokens."""
        if self.terms is not None:
            return jnp.asarray(self.terms.count(tokens), float)
        total = jnp.sum(self._scores(tokens))
        return total if self.pair is None else total + jnp.sum(self._pair_scores(self.pair, tokens))

    def change(self, old: Int[Array, " length"], new: Int[Array, " length"]) -> Float[Array, ""]:
        """Return N(new) − N(old), summed letter by letter.

        Letters that stay add exactly 0. The difference of two sums would lose small changes beside a large score of a
        letter that stays.
        """
        if self.terms is not None:
            return jnp.asarray(self.terms.change(old, new), float)
        total = jnp.sum(self._scores(new) - self._scores(old))
        if self.pair is None:
            return total
        return total + jnp.sum(self._pair_scores(self.pair, new) - self._pair_scores(self.pair, old))

    def _scores(self, tokens: Int[Array, " length"]) -> Float[Array, "letters length"]:
        """Return the contribution of each position to N, in the row of its letter and 0 elsewhere."""
        # Letters come first: the vector units of a CPU are fastest with a long axis last.
        letters = self.unary.shape[-1]
        table = jnp.broadcast_to(self.unary, (*tokens.shape, letters)).T
        return jnp.where(jax.nn.one_hot(tokens, letters, dtype=bool, axis=0), table, 0)

    def _pair_scores(
        self, pair: Float[Array, "letters letters"], tokens: Int[Array, " length"]
    ) -> Float[Array, " pairs"]:
        return pair[tokens[:-1], tokens[1:]]


@jax.transfer_guard("allow")
def composition(letters: str, mu: float = 0.0, *, alphabet: Alphabet = DNA) -> Field:
    """Return the field that counts the positions with one of `letters`; `composition("GC")` is the GC count.

    Args:
        letters: the letters to count.
        mu: the multiplier μ, dimensionless.
        alphabet: the letters of the sequences.

    Raises:
        ValueError: for a letter outside the alphabet, none, or all of them (the count could not change).

    Example:
        >>> float(jme.composition("GC", mu=0.4).count(jnp.array(jme.DNA.encode("GATTACA"), int)))
        2.0
    """
    checked_alphabet(alphabet)
    chosen = set(checks.text("letters", letters))
    if not chosen < set(alphabet.letters) or not chosen:
        raise ValueError(f"letters must be some but not all of {alphabet.letters!r}, got {checks.shown(letters)}")
    unary = jnp.array([float(letter in chosen) for letter in alphabet.letters])
    return Field(mu=multiplier(mu), unary=unary, name=letters)


@jax.transfer_guard("allow")
def dinucleotide(pair: str, mu: float = 0.0, *, alphabet: Alphabet = DNA) -> Field:
    """Return the field that counts the positions i with x_i x_{i+1} equal to `pair`; for "CG" its name is "CpG".

    Args:
        pair: two letters.
        mu: the multiplier μ, dimensionless.
        alphabet: the letters of the sequences.

    Raises:
        ValueError: if `pair` is not two letters of the alphabet.

    Example:
        >>> float(jme.dinucleotide("CG", mu=-1.0).count(jnp.array(jme.DNA.encode("ACGTCG"), int)))
        2.0
    """
    checked_alphabet(alphabet)
    if len(checks.text("pair", pair)) != 2 or not set(pair) <= set(alphabet.letters):
        raise ValueError(f"pair must be two letters of {alphabet.letters!r}, got {checks.shown(pair)}")
    first, second = (alphabet.letters.index(letter) for letter in pair)
    table = np.zeros((len(alphabet), len(alphabet)))
    table[first, second] = 1
    return Field(mu=multiplier(mu), unary=jnp.zeros(len(alphabet)), pair=jnp.asarray(table, float), name="p".join(pair))


@jax.transfer_guard("allow")
def position_prior(table: ArrayLike, mu: float = 1.0) -> Field:
    """Return the field of a score for every letter at every position.

    With log-probabilities and μ = 1 it is an independent prior. A score of −∞ forbids a letter: no sequence has it at
    that position, whatever μ.

    Args:
        table: scores, shape [length, letters], finite or −∞.
        mu: the multiplier of the whole table.

    Raises:
        ValueError: for NaN, +∞, a position without any letter left, or another number of axes.

    Example:
        >>> scores = np.zeros((24, 4))
        >>> scores[3, 0] = -np.inf  # no A at position 3
        >>> field = jme.position_prior(scores)
    """
    scores, forbidden = split_forbidden("table", table)
    if scores.ndim != 2:
        raise ValueError(f"table must have shape [length, letters], got {list(scores.shape)}")
    mask = None if forbidden is None else jnp.asarray(forbidden)
    return Field(mu=multiplier(mu), unary=jnp.asarray(scores, float), forbidden=mask, name="prior")


def split_forbidden(name: str, table: Any) -> tuple[Float[np.ndarray, "..."], Bool[np.ndarray, "..."] | None]:
    """Return the scores of a table with 0 in place of −∞, and the mask of the −∞, None if there are none.

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


def checked_field(field: Any, tokens: Integer[np.ndarray, "*anchors length"], alphabet: Alphabet) -> Field:
    """Return a field with arrays of JAX, one μ per anchor if the anchors' tokens have an axis of anchors.

    Raises:
        ValueError: for anything but a field whose tables fit the length and the alphabet.
    """
    if not isinstance(field, Field):
        raise ValueError(f"fields must hold fields such as composition('GC'), got {type(field).__name__}")
    batch, length = tokens.shape[:-1], tokens.shape[-1]
    if field.terms is not None:
        terms = checked_terms(field.name, field.terms, tokens.reshape(-1, length))
        field = field.replace(terms=terms)  # pyright: ignore[reportAttributeAccessIssue]
        if not np.size(field.unary):  # of a function, which works with any alphabet
            field = field.replace(unary=np.zeros(len(alphabet)))  # pyright: ignore[reportAttributeAccessIssue]
    unary, forbidden = split_forbidden("field.unary", field.unary)
    pair = None if field.pair is None else checks.finite_array("field.pair", field.pair)
    if pair is not None and pair.shape != (len(alphabet), len(alphabet)):
        raise ValueError(f"field {field.name!r} must have pairs of shape [{len(alphabet)}] * 2, got {list(pair.shape)}")
    if unary.shape not in ((len(alphabet),), (length, len(alphabet))):
        raise ValueError(
            f"field {field.name!r} must have a table of shape [{len(alphabet)}] or [{length}, {len(alphabet)}], "
            f"got {list(unary.shape)}"
        )
    if field.terms is not None and (unary.any() or pair is not None or forbidden is not None):
        raise ValueError(f"field {field.name!r} must have terms or tables of letters, got both: give two fields")
    mu = one_per_anchor("mu", checks.factor("mu", field.mu), batch)
    tables = {"unary": jnp.asarray(unary, float), "pair": None if pair is None else jnp.asarray(pair, float)}
    tables["forbidden"] = _all_forbidden(forbidden, field.forbidden, (length, len(alphabet)))
    return field.replace(mu=mu, **tables)  # pyright: ignore[reportAttributeAccessIssue]


def _all_forbidden(by_score: Any, given: Any, shape: tuple[int, int]) -> jax.Array | None:
    """Return the letters that a field forbids, by a score of −∞ or by its own mask; None without any."""
    masks = [np.broadcast_to(np.asarray(mask, bool), shape) for mask in (by_score, given) if mask is not None]
    return jnp.asarray(np.logical_or.reduce(masks)) if masks else None


def settled_positions(
    fields: tuple[Field, ...], tokens: Integer[np.ndarray, "*anchors length"], alphabet: Alphabet
) -> Bool[np.ndarray, " length"]:
    """Return the mask of positions at which the fields allow a single letter.

    Raises:
        ValueError: if the fields forbid a letter of an anchor.
    """
    masks = [np.asarray(field.forbidden) for field in fields if field.forbidden is not None]
    forbidden = np.logical_or.reduce([np.zeros((tokens.shape[-1], len(alphabet)), bool), *masks])
    rows = tokens.reshape(-1, tokens.shape[-1])
    wrong = forbidden[np.arange(rows.shape[1]), rows]
    if wrong.any():
        anchor, position = np.argwhere(wrong)[0]
        raise ValueError(
            f"fields must not forbid a letter of the anchor, but {alphabet.letters[rows[anchor, position]]!r} at "
            f"position {position} of anchor {anchor} has a score of −∞"
        )
    return (~forbidden).sum(1) == 1


def one_per_anchor(name: str, value: Float[np.ndarray, "..."], batch: tuple[int, ...]) -> Float[Array, "*anchors"]:
    """Return one number, or one per anchor if `batch` is [anchors]; ValueError for another shape.

    For a single anchor an array of one number is taken as well, as functions that find one per anchor return it.
    """
    if not batch and value.shape == (1,):
        value = value[0]
    if value.shape not in ((), batch):
        expected = f"one number or shape {list(batch)}" if batch else "one number"
        raise ValueError(f"{name} must be {expected}, got shape {list(value.shape)}")
    return jnp.asarray(np.broadcast_to(value, batch), float)


def multiplier(mu: Any) -> jax.Array:
    """Return μ as an array; ValueError if it is not a finite number that may be multiplied with a count."""
    return jnp.asarray(checks.factor("mu", mu), float)
