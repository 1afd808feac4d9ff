"""One-hot arrays in .npy files. The caller declares the order of the letters, because the file does not hold it."""

from __future__ import annotations

import os
import tokenize
import warnings

import numpy as np

from jaxmaxent import checks
from jaxmaxent.data._sequences import Sequences, numbered_name
from jaxmaxent.data._text import LeftOut
from jaxmaxent.ensembles import DNA, Alphabet, checked_alphabet
from jaxmaxent.files import to_read


def read_one_hot(
    path: str | os.PathLike[str],
    letters: str,
    *,
    alphabet: Alphabet = DNA,
    limit: int | None = None,
    skip_invalid: bool = False,
) -> Sequences:
    """Read one-hot sequences from a .npy file.

        sequences = read_one_hot("anchors.npy", "GCAT")

    Args:
        path: a file with a NumPy array of shape [sequences, length, letters], or [length, letters] for one sequence,
            of any numeric type. At every position there must be exactly one 1, and 0 otherwise.
        letters: the order of the letters along the last axis, for example "GCAT".
        alphabet: the alphabet of the result, in its own order.
        limit: read only this many sequences.
        skip_invalid: leave out sequences with a position that is not exactly one letter, such as all zeros for N, and
            warn how many (`LeftOut`).

    Returns:
        the sequences, named "sequence_<n>", where n is the number in the file, counted from 0. They have no labels.

    Raises:
        ValueError: if the file cannot be read, is cut off, holds Python objects, or does not hold a one-hot array of
            such a shape; if `letters` is not the letters of the alphabet in some order.
    """
    checked_alphabet(alphabet)
    to_read(path)
    try:
        # Mapping the file checks the announced size against the file before any memory is taken.
        with np.errstate(over="raise"):
            array = np.lib.format.open_memmap(os.fspath(path), mode="r")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, ArithmeticError, tokenize.TokenError) as error:
        raise ValueError(f"{path} is not a valid .npy file of numbers: {error}") from None
    if array.ndim not in (2, 3):
        raise ValueError(
            f"{path}: the array must have shape [sequences, length, letters] or [length, letters], "
            f"got {list(array.shape)}"
        )
    limit = None if limit is None else checks.integer("limit", limit, at_least=1)
    one_hot = np.asarray(array)
    numbers = np.arange(1 if one_hot.ndim == 2 else len(one_hot))
    if skip_invalid:
        numbers = _valid(path, one_hot, numbers)
    numbers = numbers[:limit]
    try:
        tokens = alphabet.from_one_hot(one_hot if one_hot.ndim == 2 else one_hot[numbers], letters)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    names = tuple(map(numbered_name, numbers))
    return Sequences(tokens.reshape(len(names), -1), names, None, alphabet)


def _valid(path: str | os.PathLike[str], one_hot: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the numbers of the valid sequences. If there are none, return all, so that the error names the first."""
    if not np.issubdtype(one_hot.dtype, np.number) and one_hot.dtype != bool:
        return numbers
    valid = ((one_hot == 0) | (one_hot == 1)).all(-1) & (one_hot.sum(-1) == 1)
    kept = np.flatnonzero(np.atleast_1d(valid.all(-1)))
    if len(kept) in (0, len(numbers)):
        return numbers
    warnings.warn(
        f"{path}: {len(numbers) - len(kept):,} of {len(numbers):,} sequences are left out, which do not have "
        "exactly one 1 and otherwise 0 at every position",
        LeftOut,
        stacklevel=3,
    )
    return kept
