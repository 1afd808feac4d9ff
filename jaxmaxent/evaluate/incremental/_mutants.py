"""In-silico mutagenesis: the features of all sequences that differ from a given sequence in one letter."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from jaxmaxent import checks
from jaxmaxent.ensembles import Representation, as_representation
from jaxmaxent.evaluate._interface import Edit
from jaxmaxent.evaluate.incremental._evaluator import Incremental

# If `chunk` is None, the caches in memory at one time take at most this many bytes.
_MEMORY = 512 * 2**20


def mutants(
    representation: Representation | Callable[[Array], Array],
    tokens: ArrayLike,
    *,
    letters: int | None = None,
    reduce: Callable[[Array], Array] | None = None,
    chunk: int | None = None,
) -> Array:
    """Return the features of all single-letter mutants; only values that depend on the letter are recomputed.

    Args:
        representation: a `Representation`, or a plain function one_hot[length, letters] -> [features]. Keep the
            function and reuse it: a new one is compiled again.
        tokens: sequences, shape [length] or [sequences, length].
        letters: size of the alphabet; None means that of the representation, or 4 if it has no alphabet.
        reduce: a function of one vector of features, such as `ensemble.distance` or a network's head. Its results
            are returned instead of the features, which saves memory. Keep and reuse it too.
        chunk: number of sequences whose caches are in memory at one time; None means as many as fit into half a GiB.

    Returns:
        Array [*sequences, length, letters, …] of the features, or of the results of `reduce`. Entry […, i, k] is that
        of the sequence with letter k at position i. At the sequence's own letter it is that of the sequence itself.

    Raises:
        ValueError: if the tokens are not sequences of the alphabet.

    Example:
        ```python
        table = mutants(representation, sequences, reduce=ensemble.distance)  # [sequences, length, letters]
        ```
    """
    network = as_representation(representation)
    alphabet = network.alphabet
    letters = letters or (len(alphabet) if alphabet is not None else 4)
    rows = np.asarray(tokens)
    whole = np.issubdtype(rows.dtype, np.integer) and rows.ndim in (1, 2) and rows.size > 0
    if not whole or rows.min() < 0 or rows.max() >= letters:
        raise ValueError(
            f"tokens must be whole numbers from 0 to {letters - 1} of shape [length] or [sequences, length], "
            f"got {rows.dtype} of shape {list(rows.shape)}"
        )
    batch = jnp.asarray(rows.reshape(-1, rows.shape[-1]), jnp.int32)
    if chunk is None:
        traced = Incremental(network.features, network.params, batch.shape[1], letters)
        chunk = max(1, _MEMORY // traced.cache_bytes)
    chunk = min(checks.integer("chunk", chunk, at_least=1), len(batch))
    found = _all(network.features, reduce, letters, chunk, network.params, batch)
    return found.reshape(*rows.shape, *found.shape[2:])


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _all(features: Any, reduce: Any, letters: int, chunk: int, params: Any, batch: Array) -> Array:
    network = Incremental(features, params, batch.shape[1], letters)

    def reduced(made: Array) -> Array:
        return made if reduce is None else reduce(made)

    def some(rows: Array) -> Array:
        wild, caches = jax.vmap(network.init)(rows)

        def at(site: Array) -> Array:
            def one(cache: Any) -> Array:
                # A mutant is numbered by the distance of its letter from the original one. All sequences share the
                # position, so slices stay slices.
                shift = jnp.arange(1, letters, dtype=jnp.int32)
                own = jax.lax.dynamic_index_in_dim(cache.tokens, site, keepdims=False)

                def mutant(shift: Array) -> Array:
                    edit = Edit(site[None], ((own + shift) % letters)[None, None])
                    return reduced(network.propose(cache, edit)[0])

                return jax.vmap(mutant)(shift)

            return jax.vmap(one)(caches)

        others = jax.lax.map(at, jnp.arange(rows.shape[1], dtype=jnp.int32))  # [length, rows, letters − 1, …]
        itself = jnp.broadcast_to(jax.vmap(reduced)(wild)[None, :, None], (*others.shape[:2], 1, *others.shape[3:]))
        by_shift = jnp.moveaxis(jnp.concatenate([itself, others], axis=2), 0, 1)
        shift = (jnp.arange(letters)[None, None] - rows[..., None]) % letters
        shift = shift.reshape(*shift.shape, *[1] * (by_shift.ndim - 3))
        return jnp.take_along_axis(by_shift, shift, axis=2)

    chunks = -(-batch.shape[0] // chunk)
    # The last chunk is filled up with the first sequence.
    filled = jnp.concatenate([batch, jnp.broadcast_to(batch[:1], (chunks * chunk - len(batch), batch.shape[1]))])
    found = jax.lax.map(some, filled.reshape(chunks, chunk, -1))
    return found.reshape(chunks * chunk, *found.shape[2:])[: len(batch)]
