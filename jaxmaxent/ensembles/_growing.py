"""Growing fields: counts that reach beyond neighbouring letters, such as motifs, codons, or any function.

The background, the ensemble at β = 0, cannot be drawn exactly with such a field. So at a rung of a ladder the field has
the share β_r/β of its μ: nothing at β = 0, where the draws stay exact, and all of it at the target. That is the
ensemble of the potential U(x) = E(x) − Σ (μ_k/β) N_k(x) at β_r, so swaps and log Z are exact as before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from jaxmaxent import checks
from jaxmaxent.ensembles._alphabet import DNA, IUPAC_DNA, Alphabet, checked_alphabet
from jaxmaxent.ensembles._fields import Field, multiplier
from jaxmaxent.ensembles._terms import Terms

# Letters of a codon.
_CODON = 3
# Scores over a smaller softness could leave the range of single precision.
_LEAST_SOFTNESS = 1e-6


@jax.transfer_guard("allow")
def motif_count(
    motif: str | ArrayLike,
    mu: float = 0.0,
    *,
    threshold: float | None = None,
    softness: float = 0.0,
    both_strands: bool | None = None,
    name: str | None = None,
    alphabet: Alphabet = DNA,
) -> Field:
    """Return the field that counts the windows in which a motif stands, or sums the scores of all windows.

    The score of a window is the sum of the scores of its letters; with both strands, the larger of the two. The field
    grows along a ladder: at β_r it has the share β_r/β of its μ.

    Args:
        motif: a k-mer, in which IUPAC codes stand for several letters of DNA, or scores of shape [width, letters], such
            as np.log2(motif.probabilities / 0.25).
        mu: the multiplier μ, dimensionless.
        threshold: count windows with at least this score. If None, all letters have to be those of a k-mer, and scores
            of a table are summed over all windows.
        softness: if above 0, a window counts 1 / (1 + exp((threshold − score) / softness)) instead of 0 or 1.
        both_strands: read windows from both strands; if None, where the alphabet has complements.
        name: the field's name; the k-mer, or "motif", if None.
        alphabet: the letters of the sequences.

    Raises:
        ValueError: for bad input, naming the argument.

    Example:
        ```python
        Ensemble.create(network, anchor, beta=30.0, fields=[motif_count("CANNTG", mu=-2.0)])
        ```
    """
    checked_alphabet(alphabet)
    table = _of_kmer(motif, alphabet) if isinstance(motif, str) else checks.factor("motif", motif)
    if table.ndim != 2 or table.shape[1] != len(alphabet) or not len(table):
        raise ValueError(f"motif must have shape [width, {len(alphabet)}], got {list(table.shape)}")
    if isinstance(motif, str) and threshold is None:
        threshold = float(len(table))
    softness = float(checks.factor("softness", checks.number("softness", softness)))
    if softness and (softness < _LEAST_SOFTNESS or threshold is None):
        raise ValueError(f"softness must be 0, or at least {_LEAST_SOFTNESS:g} with a threshold, got {softness:g}")
    strands = [table]
    if both_strands or (both_strands is None and alphabet.complements is not None):
        if alphabet.complements is None:
            raise ValueError(f"both_strands must be False for {alphabet.letters!r}, which has no complements")
        strands.append(table[::-1, np.asarray(alphabet.complement(np.arange(len(alphabet))))])
    params = {"strands": jnp.asarray(np.stack(strands), float)}
    if threshold is not None:
        params["threshold"] = jnp.asarray(checks.factor("threshold", checks.number("threshold", threshold)), float)
    if softness:
        params["softness"] = jnp.asarray(softness, float)
    if name is None:
        name = motif if isinstance(motif, str) else "motif"
    return _field(mu, name, Terms(params, _motif_scores, width=len(table)), len(alphabet))


@jax.transfer_guard("allow")
def codons(
    scores: Mapping[str, float],
    mu: float = 0.0,
    *,
    frame: int = 0,
    name: str = "codons",
    alphabet: Alphabet = DNA,
) -> Field:
    """Return the field that sums a score of every codon, the three letters from `frame`, `frame` + 3, … on.

    A strong penalty keeps codons out: with −1 for a stop codon and μ = 20, each is e^20 times less likely. The field
    grows along a ladder: at β_r it has the share β_r/β of its μ.

    Args:
        scores: scores by codon, finite; 0 for those that are left out.
        mu: the multiplier μ, dimensionless.
        frame: the start of the first codon, 0, 1 or 2.
        name: the field's name.
        alphabet: the letters of the sequences.

    Raises:
        ValueError: for a codon of other letters, a score that is not finite, or another frame.

    Example:
        ```python
        stops = codons({"TAA": -1, "TAG": -1, "TGA": -1}, mu=20.0)
        ```
    """
    checked_alphabet(alphabet)
    frame = checks.integer("frame", frame, at_least=0, at_most=_CODON - 1)
    if not isinstance(scores, Mapping) or not scores:
        raise ValueError(f"scores must be a dictionary from codons to numbers, got {checks.shown(scores)}")
    table = np.zeros((len(alphabet),) * _CODON)
    for codon, score in scores.items():
        if not isinstance(codon, str) or len(codon) != _CODON or not set(codon) <= set(alphabet.letters):
            raise ValueError(f"scores must have codons of the letters {alphabet.letters!r}, got {checks.shown(codon)}")
        value = np.asarray(score)
        if value.ndim == 0 and value.dtype.kind == "f" and np.isneginf(value):
            raise ValueError(
                f"scores must be finite, got −inf for {codon!r}: a penalty such as −1 with μ = 20 keeps it out"
            )
        table[tuple(alphabet.letters.index(letter) for letter in codon)] = checks.factor(
            "scores", checks.number("scores", score)
        )
    terms = Terms(jnp.asarray(table, float), _codon_scores, width=_CODON, stride=_CODON, first=frame)
    return _field(mu, name, terms, len(alphabet))


@jax.transfer_guard("allow")
def count(function: Callable[[Array], Array], mu: float = 0.0, *, name: str | None = None) -> Field:
    """Return the field of any pure function of a sequence, N(x) = function(x).

    The function is evaluated in full at every step. The field grows along a ladder: at β_r it has the share β_r/β of
    its μ.

    Args:
        function: `function(tokens) -> number`, pure and written for JAX, of tokens int32 [length]. Keep the function
            and reuse it: a new lambda is a new program to compile.
        mu: the multiplier μ, dimensionless.
        name: the field's name; that of the function if None.

    Raises:
        ValueError: if the function cannot be called or hashed; `Ensemble.create` checks what it returns.

    Example:
        ```python
        distinct = count(lambda tokens: jnp.sum(tokens[1:] != tokens[:-1]), mu=0.5, name="changes")
        ```
    """
    if not callable(function):
        raise ValueError(f"function must be a function of the tokens of one sequence, got {checks.shown(function)}")
    try:
        hash(function)
    except TypeError as error:
        raise ValueError(f"function must be hashable, but: {error}") from error
    if name is None:
        name = getattr(function, "__name__", type(function).__name__)
    return _field(mu, name, Terms((), _OfTokens(function)), 0)


@dataclasses.dataclass(frozen=True)
class _OfTokens:
    """A function of tokens in the form `function(params, tokens)`; equal for the same function."""

    function: Callable[[Any], Any]

    def __call__(self, params: Any, tokens: Any) -> Any:
        del params
        return self.function(tokens)


def _field(mu: Any, name: Any, terms: Terms, letters: int) -> Field:
    return Field(mu=multiplier(mu), unary=jnp.zeros(letters), terms=terms, name=checks.text("name", name))


def _of_kmer(kmer: str, alphabet: Alphabet) -> Float[np.ndarray, "width letters"]:
    """Return a table with 1 for each letter that a k-mer allows at each of its positions."""
    nucleotides = set("ACG") < set(alphabet.letters) and len(alphabet) == 4
    rows = []
    for sign in kmer:
        allowed = {sign} & set(alphabet.letters)
        if not allowed and nucleotides and sign in IUPAC_DNA:
            named = "ACGT" if sign == "N" else IUPAC_DNA[sign]
            allowed = {letter for letter in alphabet.letters if ("T" if letter == "U" else letter) in named}
        if not allowed:
            raise ValueError(f"motif must be a k-mer of the letters {alphabet.letters!r}, got {checks.shown(kmer)}")
        rows.append([float(letter in allowed) for letter in alphabet.letters])
    if not rows:
        raise ValueError("motif must be a k-mer of at least one letter, got ''")
    return np.array(rows)


def _motif_scores(params: Any, tokens: Int[Array, " size"]) -> Float[Array, " windows"]:
    """Return what each window adds to a motif count.

    Terms are added position by position: a convolution may add them in an order that depends on the size, and a score
    on the threshold would then count in one program and not in another.
    """
    strands = params["strands"]
    width, letters = strands.shape[1:]
    windows = tokens.shape[0] - width + 1
    # Compared once, and chosen from by selects over the windows: sums over the few letters would be slow on a CPU.
    is_letter = [tokens == letter for letter in range(1, letters)]

    def of_strand(table: Float[Array, "width letters"]) -> Float[Array, " windows"]:
        total = jnp.zeros(windows, table.dtype)
        for offset in range(width):
            added = jnp.broadcast_to(table[offset, 0], (windows,))
            for letter, here in enumerate(is_letter, start=1):
                added = jnp.where(here[offset : offset + windows], table[offset, letter], added)
            total = total + added
        return total

    score = of_strand(strands[0])
    for strand in range(1, strands.shape[0]):
        score = jnp.maximum(score, of_strand(strands[strand]))
    if "threshold" not in params:
        return score
    above = score - params["threshold"]
    if "softness" not in params:
        return (above >= 0).astype(score.dtype)
    return jax.nn.sigmoid(above / params["softness"])


def _codon_scores(
    table: Float[Array, "letters letters letters"], tokens: Int[Array, " size"]
) -> Float[Array, " windows"]:
    """Return the score of the three letters from each position on."""
    return table[tokens[:-2], tokens[1:-1], tokens[2:]]
