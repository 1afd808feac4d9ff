"""One-hot arrays in .npy files. The letter order is always declared: nothing in the file tells it."""

from __future__ import annotations

import os
import tokenize

import numpy as np

from jaxmaxent.alphabet import DNA, Alphabet
from jaxmaxent.data.sequences import Sequences, numbered_names


def read_one_hot(path: str | os.PathLike, letters: str, *, alphabet: Alphabet = DNA) -> Sequences:
    """Read one-hot sequences from a .npy file.

    Args:
        path: a NumPy array file of shape [sequences, length, letters], or [length, letters] for one sequence;
            any numeric type, exactly one 1 and otherwise 0 at every position.
        letters: the letter order of the last axis, for example "GCAT".
        alphabet: the alphabet of the sequences returned, in its own order.

    Returns:
        The sequences, named "sequence_<n>" with n counted from 0.

    Raises:
        ValueError: if the file cannot be read, is cut off, holds Python objects, has another shape or is no
            one-hot array, or if `letters` is not the alphabet's letters in some order.
    """
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
    try:
        tokens = alphabet.from_one_hot(np.asarray(array), letters)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    tokens = tokens.reshape(-1, tokens.shape[-1])
    return Sequences(tokens, numbered_names(len(tokens)), None, alphabet)
