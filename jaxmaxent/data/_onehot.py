"""One-hot arrays in .npy files. The letter order is always declared: nothing in the file tells it."""

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

    Args:
        path: a NumPy array file of shape [sequences, length, letters], or [length, letters] for one sequence;
            any numeric type, exactly one 1 and otherwise 0 at every position.
        letters: the letter order of the last axis, for example "GCAT".
        alphabet: the alphabet of the sequences returned, in its own order.
        limit: read only the first so many.
        skip_invalid: leave out sequences with a position that is not one letter, such as one of zeros for N, and
            warn of how many.

    Returns:
        The sequences, named "sequence_<n>" with n the number in the file counted from 0.

    Raises:
        ValueError: if the file cannot be read, is cut off, holds Python objects, has another shape or is no
            one-hot array, or if `letters` is not the alphabet's letters in some order.
    """
    checked_alphabet(alphabet)
    to_read(path)
    try:
        # Mapping the file refuses an announced size that the file does not have before memory is taken.
        with np.errstate(over="raise"):
            array = np.lib.format.open_memmap(os.fspath(path), mode="r")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, ArithmeticError, tokenize.TokenError) as error:
        raise ValueError(f"{path} is not a sound .npy file of numbers: {error}") from None
    if array.ndim not in (2, 3):
        raise ValueError(
            f"{path}: the array must have shape [sequences, length, letters] or [length, letters], "
            f"got {list(array.shape)}"
        )
    limit = None if limit is None else checks.integer("limit", limit, at_least=1)
    one_hot = np.asarray(array)
    numbers = np.arange(1 if one_hot.ndim == 2 else len(one_hot))
    if skip_invalid:
        numbers = _sound(path, one_hot, numbers)
    numbers = numbers[:limit]
    try:
        tokens = alphabet.from_one_hot(one_hot if one_hot.ndim == 2 else one_hot[numbers], letters)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    names = tuple(map(numbered_name, numbers))
    return Sequences(tokens.reshape(len(names), -1), names, None, alphabet)


def _sound(path: str | os.PathLike[str], one_hot: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The numbers of sequences with one letter at every position; all where there is none, for the error it gives."""
    if not np.issubdtype(one_hot.dtype, np.number) and one_hot.dtype != bool:
        return numbers
    valid = ((one_hot == 0) | (one_hot == 1)).all(-1) & (one_hot.sum(-1) == 1)
    sound = np.flatnonzero(np.atleast_1d(valid.all(-1)))
    if len(sound) in (0, len(numbers)):
        return numbers
    warnings.warn(
        f"{path}: {len(numbers) - len(sound):,} of {len(numbers):,} sequences are left out, which do not have "
        "exactly one 1 and otherwise 0 at every position",
        LeftOut,
        stacklevel=3,
    )
    return sound
