"""The checked inputs of every method: a network with a head, sequences, an output unit, baselines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmaxent import checks
from jaxmaxent.ensembles import DNA, Alphabet, Representation, unit_weights

CHUNK = 128
"""The default number of evaluations of the network at a time."""


class Question(NamedTuple):
    """An output unit of a network, and the sequences to explain.

    Attributes:
        features: the function of the representation.
        params: the parameters of the function.
        weights: weights of the output unit, shape [features].
        tokens: the sequences, shape [sequences, length].
        one_hot: the one-hot sequences in the precision of the network, shape [sequences, length, letters].
        alphabet: the letters.
        chunk: number of evaluations at a time.
    """

    features: Any
    params: Any
    weights: Float[Array, " features"]
    tokens: Int[np.ndarray, "sequences length"]
    one_hot: Float[np.ndarray, "sequences length letters"]
    alphabet: Alphabet
    chunk: int

    @property
    def network(self) -> tuple[Any, Any, Array]:
        """The arguments of `output` before the sequence."""
        return self.features, self.params, self.weights


def output(features: Any, params: Any, weights: Array, one_hot: Float[Array, "length letters"]) -> Float[Array, ""]:
    """Return the output unit before its softmax, or the log-ratio of two classes, without the bias of the head."""
    with jax.default_matmul_precision("highest"):
        return features(params, one_hot).astype(weights.dtype) @ weights


def question(
    representation: Representation, tokens: Any, unit: int | tuple[int, int] | None, alphabet: Any, chunk: Any
) -> Question:
    """Check all arguments; raise ValueError with one sentence if one of them is wrong."""
    if not isinstance(representation, Representation):
        raise ValueError(f"representation must be a Representation, got {type(representation).__name__}")
    if representation.head is None:
        raise ValueError("representation must have a head to take the gradient of an output unit, got none")
    alphabet = _alphabet(representation.alphabet, alphabet)
    tokens = _tokens(tokens, alphabet)
    head = checks.finite_array("head", representation.head)
    dtype = _dtype(representation, head, tokens.shape[1], alphabet)
    return Question(
        features=representation.features,
        params=representation.params,
        weights=jnp.asarray(unit_weights(head, unit, len(head)), dtype),
        tokens=tokens,
        one_hot=np.eye(len(alphabet), dtype=dtype)[tokens],
        alphabet=alphabet,
        chunk=checks.integer("chunk", chunk, at_least=1),
    )


def baselines(baseline: Any, asked: Question) -> Float[np.ndarray, "sequences baselines length letters"]:
    """Return the baselines of every sequence, without copying shared ones.

    Raises:
        ValueError: if they are not tokens or weights of letters in a shape that fits the sequences.
    """
    sequences, length, letters = asked.one_hot.shape
    if baseline is None:
        baseline = np.full(letters, 1 / letters)
    array = np.asarray(baseline)
    if np.issubdtype(array.dtype, np.integer):
        if array.size and not 0 <= array.min() <= array.max() < letters:
            raise ValueError(f"baseline must hold tokens 0 to {letters - 1}, got {array.min()} to {array.max()}")
        array = np.eye(letters)[array]
    array = checks.finite_array("baseline", array)
    # One baseline for all positions, one for all sequences, one per sequence, or several per sequence.
    own = array.shape[1] if array.ndim == 4 else 1
    shape = (sequences, own, length, letters)
    fits = [shape[3:], shape[2:], (sequences, *shape[2:]), shape]
    if own == 0 or array.shape not in fits:
        raise ValueError(
            f"baseline must be tokens or weights of {letters} letters that fit {sequences} sequences of length "
            f"{length}, got shape {list(np.shape(baseline))}"
        )
    array = array[:, None] if array.ndim == 3 else array
    return np.broadcast_to(array.astype(asked.one_hot.dtype), shape)


def chunks(count: int, size: int) -> Iterator[tuple[Int[np.ndarray, " size"], int]]:
    """Yield the indices from 0 to `count` chunk by chunk, and how many of each chunk are valid.

    All chunks have the same length, so that one compiled program serves them. The last one is filled up with its last
    index. The host loops over the chunks, because XLA for CPU uses a slow routine for a convolution in a compiled loop.
    """
    size = min(size, count)
    for start in range(0, count, size):
        rows = np.arange(start, start + size)
        yield np.minimum(rows, count - 1), min(size, count - start)


def _alphabet(own: Alphabet | None, wanted: Alphabet | None) -> Alphabet:
    if own is not None and wanted is not None and own.letters != wanted.letters:
        raise ValueError(f"alphabet must be that of the representation, {own.letters!r}, got {wanted.letters!r}")
    return wanted or own or DNA


def _tokens(tokens: Any, alphabet: Alphabet) -> np.ndarray:
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or tokens.size == 0 or not np.issubdtype(tokens.dtype, np.integer):
        raise ValueError(
            f"tokens must be whole numbers of shape [sequences, length], "
            f"got {tokens.dtype} of shape {list(tokens.shape)}"
        )
    if tokens.min() < 0 or tokens.max() >= len(alphabet):
        raise ValueError(f"tokens must be 0 to {len(alphabet) - 1}, got {tokens.min()} to {tokens.max()}")
    alphabet.check_no_one_hot("tokens", tokens)
    return tokens


def _dtype(representation: Representation, head: np.ndarray, length: int, alphabet: Alphabet) -> Any:
    """Check the shape of the features against the head; return their float type, at least float32."""
    one = jax.ShapeDtypeStruct((length, len(alphabet)), jnp.float32)
    try:
        found = jax.eval_shape(representation.features, representation.params, one)
    except TypeError as error:
        raise ValueError(
            f"representation must be a function of params and a sequence of shape [{length}, {len(alphabet)}], "
            f"but: {str(error).splitlines()[0]}"
        ) from error
    if not isinstance(found, jax.ShapeDtypeStruct) or found.shape != head.shape[:1]:
        raise ValueError(f"representation must return one vector with the head's {len(head)} features, got {found}")
    return jnp.promote_types(found.dtype, jnp.float32)
