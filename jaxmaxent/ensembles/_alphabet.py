"""Alphabets: the letters of sequences, and their order.

The order of letters is defined only here. An array in another order (the published program of Finnegan & Song used G,
C, A, T) is converted once, by `Alphabet.from_one_hot`, whose argument `letters` gives that order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, UInt8
from numpy.typing import ArrayLike

from jaxmaxent import checks

# The meanings of the ambiguity codes of the IUPAC nomenclature (1985), for error messages.
IUPAC_DNA = {
    "R": "A or G",
    "Y": "C or T",
    "S": "C or G",
    "W": "A or T",
    "K": "G or T",
    "M": "A or C",
    "B": "C, G or T",
    "D": "A, G or T",
    "H": "A, C or T",
    "V": "A, C or G",
    "N": "any letter",
}


@dataclasses.dataclass(frozen=True)
class Alphabet:
    """An ordered set of letters.

    Attributes:
        letters: the letters in order; a letter's index in this string is its token.
        any_letter: the sign in a consensus where no letter has more than half of the draws.
        complements: the complement of each letter, in the order of `letters`; None without complements.

    Example:
        ```python
        Alphabet("ACGT", any_letter="N", complements="TGCA").encode("GATTACA")
        ```
    """

    letters: str
    any_letter: str = "?"
    complements: str | None = None

    def __post_init__(self) -> None:
        checks.text("letters", self.letters)
        checks.text("any_letter", self.any_letter)
        if self.complements is not None:
            checks.text("complements", self.complements)
        if not 2 <= len(self.letters) <= 255 or len(set(self.letters)) != len(self.letters):
            raise ValueError(f"letters must be 2 to 255 different characters, got {checks.shown(self.letters)}")
        if self.complements is not None and sorted(self.complements) != sorted(self.letters):
            raise ValueError(
                f"complements must be the letters {self.letters!r} in another order, "
                f"got {checks.shown(self.complements)}"
            )
        other = dict(zip(self.letters, self.complements or self.letters, strict=True))
        if any(other[other[letter]] != letter for letter in self.letters):
            raise ValueError(f"complements must be mutual for {self.letters!r}, got {self.complements!r}")
        if len(self.any_letter) != 1 or self.any_letter in self.letters:
            raise ValueError(f"any_letter must be one character that is no letter, got {checks.shown(self.any_letter)}")

    def __len__(self) -> int:
        return len(self.letters)

    def encode(self, sequence: str | Sequence[str]) -> UInt8[np.ndarray, "*sequences length"]:
        """Return the tokens of one sequence, or of several of equal length.

        Lower case is read as upper case if the alphabet has only the upper-case letter (genomes mark repeats by
        lower case).

        Args:
            sequence: a string, or a sequence of strings of equal length.

        Returns:
            Tokens, uint8, shape [length] for a string and [sequences, length] for several.

        Raises:
            ValueError: for a letter that is not in the alphabet, an empty sequence or unequal lengths.
        """
        if isinstance(sequence, str):
            return self._encode_one(sequence, "sequence")
        sequence = list(sequence)  # a column of a table may have no entry 0
        if len(sequence) == 0:
            raise ValueError("sequence must hold at least one sequence, got an empty list")
        lengths = {len(s) for s in sequence}
        if len(lengths) > 1:
            odd = next(i for i, s in enumerate(sequence) if len(s) != len(sequence[0]))
            raise ValueError(
                f"sequences must have equal lengths, but sequence 0 has {len(sequence[0])} letters "
                f"and sequence {odd} has {len(sequence[odd])}"
            )
        return np.stack([self._encode_one(s, f"sequence {i}") for i, s in enumerate(sequence)])

    def _encode_one(self, sequence: str, what: str) -> np.ndarray:
        if not sequence:
            raise ValueError(f"{what} is empty, expected letters of {self.letters!r}")
        points = np.frombuffer(sequence.encode("utf-32-le"), np.uint32)
        table = self._table()
        tokens = table[np.minimum(points, len(table) - 1)]
        wrong = np.flatnonzero(tokens == 255)
        if wrong.size:
            letter = sequence[wrong[0]]
            if self._nucleotides and _reads_as_protein(sequence):
                described, hint = repr(letter), "; it reads as a protein, for which alphabet=PROTEIN may be meant"
            else:
                described, hint = self._describe(letter), ""
            raise ValueError(
                f"{what} has {described} at position {wrong[0]} (0-based), "
                f"expected only the letters {self.letters!r}{hint}"
            )
        return tokens

    @property
    def _nucleotides(self) -> bool:
        return set(self.letters) in (set(DNA.letters), set(RNA.letters))

    def _describe(self, letter: str) -> str:
        meaning = IUPAC_DNA.get(letter.upper()) if set(self.letters) == set(DNA.letters) else None
        return f"{letter!r} (IUPAC for {meaning})" if meaning else repr(letter)

    def _table(self) -> np.ndarray:
        """Return the token of every code point up to the largest letter, 255 for no letter, as in the last entry."""
        points = {ord(letter): token for token, letter in enumerate(self.letters)}
        # Some letters have a lower case of several characters, which no single letter of a sequence can be.
        lower = {ord(c): token for token, letter in enumerate(self.letters) if len(c := letter.lower()) == 1}
        points = lower | points
        table = np.full(max(points) + 2, 255, np.uint8)
        table[list(points)] = list(points.values())
        return table

    def read(self, name: str, given: Any) -> Integer[np.ndarray, "*sequences length"]:
        """Return the tokens of one sequence or several, given as letters or as tokens.

        Each type has one meaning. A text is one sequence, and so is an object whose items are the letters of its text
        (such as a sequence of Biopython). A list, tuple, array or column of texts is several sequences. Whole numbers
        are tokens.

        Args:
            name: the name of the argument, for messages.
            given: letters, or tokens of shape [length] or [sequences, length].

        Raises:
            ValueError: for anything else, and if two readings are possible: for a list of single letters, and for whole
                numbers that are tokens of several sequences and also a one-hot of one.
        """
        text = _text(given)
        if text is not None:
            return self._encode_one(text, name)
        array = _array(name, given)
        if array.dtype == object:
            return self.encode(_texts(name, array))
        if array.dtype.kind not in "iu" or array.ndim not in (1, 2) or array.size == 0:
            raise ValueError(
                f"{name} must be letters or whole-number tokens of shape [length] or [{name}s, length], "
                f"got {array.dtype} of shape {list(array.shape)}{self._advice(array)}"
            )
        if array.min() < 0 or array.max() >= len(self):
            raise ValueError(
                f"{name} must hold tokens 0 to {len(self) - 1} for the alphabet {self.letters!r}, "
                f"got {array.min()} to {array.max()}"
            )
        self.check_no_one_hot(name, array)
        return array

    def check_no_one_hot(self, name: str, tokens: np.ndarray) -> None:
        """Raise ValueError if tokens of several sequences are also a one-hot of one sequence."""
        if tokens.ndim == 2 and len(tokens) > 1 and tokens.shape[1] == len(self) and _is_one_hot(tokens):
            raise ValueError(
                f"{name} of shape {list(tokens.shape)} can be tokens of {len(tokens)} sequences or the one-hot of "
                f"one: write Alphabet.from_one_hot(array, letters) for a one-hot, and letters instead of tokens "
                f"(Alphabet.decode) for sequences"
            )

    def _advice(self, array: np.ndarray) -> str:
        """Return advice for an array that may be a one-hot, or nothing."""
        if array.ndim < 2 or array.shape[-1] != len(self) or array.dtype.kind not in "iufb":
            return ""
        return "; Alphabet.from_one_hot(array, letters) turns a one-hot into tokens"

    def decode(self, tokens: ArrayLike) -> str | list[str]:
        """Return the string of tokens of shape [length], or the list of strings of shape [sequences, length]."""
        array = np.asarray(tokens)
        if not np.issubdtype(array.dtype, np.integer) or array.ndim == 0:
            raise ValueError(f"tokens must be whole numbers in an array, got {checks.shown(array)}")
        if array.size and (array.min() < 0 or array.max() >= len(self)):
            raise ValueError(f"tokens must be 0 to {len(self) - 1}, got values {array.min()} to {array.max()}")
        letters = np.array(list(self.letters))[array]
        return "".join(letters) if array.ndim == 1 else ["".join(row) for row in letters]

    def one_hot(self, tokens: ArrayLike) -> Float[Array, "*sequences length letters"]:
        """Return the one-hot of tokens [..., length] in the alphabet's own letter order, as a JAX array of float32.

        Raises:
            ValueError: unless tokens are whole numbers, for example if they are a string.
        """
        if not isinstance(tokens, jax.Array) and np.asarray(tokens).dtype.kind not in "iu":
            raise ValueError(
                f"tokens must be whole numbers, got {checks.shown(tokens)}; encode() makes them of strings"
            )
        return jax.nn.one_hot(tokens, len(self), dtype=jnp.float32)

    def from_one_hot(self, one_hot: ArrayLike, letters: str) -> UInt8[np.ndarray, "*sequences length"]:
        """Return the tokens of a one-hot array whose last axis is in the declared letter order.

        Args:
            one_hot: shape [..., length, letters], of any numeric type, with one 1 and otherwise 0 at every position.
            letters: the letter order of the last axis, for example "GCAT".

        Returns:
            Tokens in this alphabet's order, uint8, the shape of `one_hot` without its last axis.

        Raises:
            ValueError: if `letters` is no permutation of the alphabet, or the array is no one-hot.
        """
        if sorted(checks.text("letters", letters)) != sorted(self.letters):
            raise ValueError(f"letters must be the letters {self.letters!r} in some order, got {checks.shown(letters)}")
        given = np.asarray(one_hot)
        if given.ndim < 2 or given.shape[-1] != len(self) or 0 in given.shape:
            raise ValueError(
                f"one_hot must have shape [..., length, {len(self)}] and not be empty, got {list(given.shape)}"
            )
        if not np.issubdtype(given.dtype, np.number) and given.dtype != bool:
            raise ValueError(f"one_hot must hold numbers, got dtype {given.dtype}")
        valid = ((given == 0) | (given == 1)).all(-1) & (given.sum(-1) == 1)
        if not valid.all():
            where = tuple(int(i) for i in np.argwhere(~valid)[0])
            raise ValueError(
                f"one_hot must have exactly one 1 and otherwise 0 at every position, "
                f"but at index {list(where)} it holds {given[where].tolist()}"
            )
        order = np.array([self.letters.index(letter) for letter in letters], np.uint8)
        return order[given.argmax(-1)]

    def reverse_complement(self, tokens: ArrayLike) -> UInt8[np.ndarray, "*sequences length"]:
        """Return the other strand in its own direction; ValueError without complements."""
        return self.complement(tokens)[..., ::-1]

    def complement(self, tokens: ArrayLike) -> UInt8[np.ndarray, "*sequences length"]:
        """Return the complement of every letter at its position; ValueError without complements."""
        if self.complements is None:
            raise ValueError(f"the alphabet {self.letters!r} has no complements")
        table = np.array([self.letters.index(c) for c in self.complements], np.uint8)
        return table[np.asarray(tokens)]


def _text(given: Any) -> str | None:
    """Return the letters of one sequence, or None for anything else."""
    if isinstance(given, str):
        return str(given)
    if isinstance(given, list | tuple | dict | set | frozenset) or hasattr(given, "__array__"):
        return None
    try:
        text = str(given)
        same = len(text) == len(given) and all(str(one) == letter for one, letter in zip(given, text, strict=True))
    except (TypeError, ValueError):
        return None
    return text if same else None


def _array(name: str, given: Any) -> np.ndarray:
    """Return a list, tuple or array as a NumPy array, of objects if it may hold text."""
    expected = f"{name} must be letters or whole-number tokens of shape [length] or [{name}s, length]"
    if not (isinstance(given, list | tuple) or hasattr(given, "__array__")):
        hint = "; decode it to text first" if isinstance(given, bytes | bytearray) else ""
        raise ValueError(f"{expected}, got {type(given).__name__}{hint}")
    if isinstance(given, list | tuple):
        if len(given) == 0:
            raise ValueError(f"{expected}, got an empty {type(given).__name__}")
        if any(_text(entry) is not None for entry in given):
            array = np.empty(len(given), object)
            for index, entry in enumerate(given):
                array[index] = entry
            return array
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError):  # PyTorch raises RuntimeError
        raise ValueError(f"{expected}, got a {type(given).__name__} that is no array of one shape") from None
    return array.astype(object) if array.dtype.kind in "UT" else array


def _texts(name: str, array: np.ndarray) -> list[str]:
    """Return the strings of an array of objects; ValueError if they are not several sequences."""
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one string for each sequence, got strings of shape {list(array.shape)}")
    entries = [_text(entry) for entry in array]
    texts = [entry for entry in entries if entry is not None]
    if len(texts) < len(entries):
        wrong = entries.index(None)
        raise ValueError(f"{name} must hold strings only, but entry {wrong} is of type {type(array[wrong]).__name__}")
    if len(texts) > 1 and all(len(text) == 1 for text in texts):
        raise ValueError(
            f"{name} must not be {len(texts)} single letters, which can be one sequence or {len(texts)}: write "
            f'"".join({name}) for one sequence, and tokens of shape [{len(texts)}, 1] for {len(texts)} of one letter'
        )
    return texts


def _is_one_hot(array: np.ndarray) -> bool:
    return bool(((array == 0) | (array == 1)).all() and (array.sum(-1) == 1).all())


DNA = Alphabet("ACGT", any_letter="N", complements="TGCA")
RNA = Alphabet("ACGU", any_letter="N", complements="UGCA")
PROTEIN = Alphabet("ACDEFGHIKLMNPQRSTVWY", any_letter="X")
BINARY = Alphabet("01")


def _reads_as_protein(sequence: str) -> bool:
    """Return True for letters of proteins only, if some are no code for nucleotides or most are no nucleotide."""
    found = sequence.upper()
    most = sum(letter not in "ACGTUN" for letter in found) > len(found) / 2
    return set(found) <= set(PROTEIN.letters) and (most or bool(set(found) - set("ACGTU") - set(IUPAC_DNA)))


def with_letters(letters: str) -> Alphabet:
    """Return the alphabet above with these letters in this order, or else a new one without complements."""
    return next((known for known in (DNA, RNA, PROTEIN, BINARY) if known.letters == letters), Alphabet(letters))


def checked_alphabet(value: Any) -> Alphabet:
    """Return `value`; ValueError if it is no alphabet."""
    if not isinstance(value, Alphabet):
        raise ValueError(f"alphabet must be an Alphabet such as DNA or Alphabet('ACGT'), got {checks.shown(value)}")
    return value
