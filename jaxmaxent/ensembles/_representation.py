"""The representation Φ: a network seen as a pure function of one sequence, whatever framework it comes from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxmaxent import checks
from jaxmaxent.ensembles import _network_errors as network_errors
from jaxmaxent.ensembles._alphabet import DNA, Alphabet, checked_alphabet

# Random sequences with which a distance is tried.
_SOME = 8


class Representation(NamedTuple):
    """A network seen as a pure function, whatever framework it comes from.

    Attributes:
        features: `features(params, one_hot[length, letters]) -> [features]`, pure, of ONE sequence. Keep the
            function and reuse it: a new lambda is a new program to compile.
        params: a pytree of arrays, the first argument of `features`.
        head: weights from the features to the output units, shape [features, units], or None.
        alphabet: the alphabet whose letter order the one-hot has; None means the alphabet of the ensemble.

    Example:
        ```python
        network = Representation(lambda params, one_hot: jnp.tanh(one_hot.reshape(-1) @ params), weights)
        ```
    """

    features: Callable[[Any, Array], Array]
    params: Any = None
    head: Any = None
    alphabet: Alphabet | None = None


@dataclasses.dataclass(frozen=True)
class _WithoutParams:
    """A plain function of one sequence in the form `features(params, one_hot)`; equal for the same function."""

    function: Callable[[Array], Array]

    def __call__(self, params: Any, one_hot: Array) -> Array:
        del params
        return self.function(one_hot)


@dataclasses.dataclass(frozen=True)
class RoundedFeatures:
    """The features of a network whose matrix products have another precision than the full one; equal if both are.

    Attributes:
        function: the features, as in `Representation`.
        precision: a word of `jax.default_matmul_precision`. Products that have a precision of their own keep it.
    """

    function: Callable[[Any, Array], Array]
    precision: str

    def __call__(self, params: Any, one_hot: Float[Array, "length letters"]) -> Float[Array, " features"]:
        """Return the features of one sequence."""
        with jax.default_matmul_precision(self.precision):
            return self.function(params, one_hot)


@dataclasses.dataclass(frozen=True)
class JoinedFeatures:
    """The features of several networks, one after the other; the parameters are a tuple."""

    parts: tuple[Callable[[Any, Array], Array], ...]

    def __call__(self, params: Any, one_hot: Float[Array, "length letters"]) -> Float[Array, " features"]:
        """Return the features of all networks."""
        made = [features(own, one_hot) for features, own in zip(self.parts, params, strict=True)]
        kind = jnp.result_type(*(features.dtype for features in made))
        return jnp.concatenate([features.astype(kind) for features in made])


def as_representation(given: Representation | Callable[[Array], Array]) -> Representation:
    """Return `given`, or a plain function one_hot[length, letters] -> [features] as a representation.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(given, Representation):
        return given
    if not callable(given):
        raise ValueError(
            f"representation must be a Representation or a function of one one-hot sequence, got {type(given).__name__}"
        )
    return Representation(_WithoutParams(given))


def name_of(features: Any) -> str:
    """Return the name of a representation's function, or of its type if it is an object."""
    while isinstance(features, _WithoutParams | RoundedFeatures | functools.partial):
        features = features.func if isinstance(features, functools.partial) else features.function
    features = getattr(features, "__self__", features)  # `module.apply` is a method of its module
    name = getattr(features, "__qualname__", type(features).__qualname__)
    return name.rpartition("<locals>.")[2]


def run_network(features: Callable[[Any, Array], Array], params: Any, one_hot: Array) -> Array:
    """Return the features of one sequence, with matrix products in full precision."""
    # The default of GPUs and TPUs rounds factors to 10 or 8 bits, and β multiplies the error that this makes in E.
    with jax.default_matmul_precision("highest"):
        return features(params, one_hot)


def chosen_alphabet(own: Alphabet | None, wanted: Alphabet | None) -> Alphabet:
    """Return the alphabet of a representation or the one asked for, DNA without either; ValueError if they differ."""
    for given in (own, wanted):
        if given is not None:
            checked_alphabet(given)
    if own is not None and wanted is not None and own.letters != wanted.letters:
        raise ValueError(f"alphabet must be that of the representation, {own.letters!r}, got {wanted.letters!r}")
    return wanted or own or DNA


def reference_features(
    representation: Representation, tokens: Integer[np.ndarray, "*anchors length"], alphabet: Alphabet
) -> Float[Array, "*anchors features"]:
    """Return Φ(x0) of every anchor, at least in float32.

    Raises:
        ValueError: for a function that fails, cannot be hashed, or does not return one finite real vector.
    """
    features = representation.features
    if not callable(features):
        raise ValueError(f"representation must have a function for its features, got {checks.shown(features)}")
    try:
        hash(features)
    except TypeError as error:
        raise ValueError(f"representation must be a hashable function, but: {error}") from error
    rows = jnp.asarray(tokens.reshape(-1, tokens.shape[-1]))
    _check_output(representation, jax.ShapeDtypeStruct(rows.shape[1:], rows.dtype), alphabet)
    with network_errors.in_words(tokens.shape[-1], len(alphabet)):
        reference = jax.block_until_ready(_features_of(features, alphabet, representation.params, rows))
    # Energies then have the precision of β, whatever that of the network.
    reference = reference.astype(jnp.promote_types(reference.dtype, jnp.result_type(float)))
    bad = np.flatnonzero(~np.isfinite(np.asarray(reference)).all(-1))
    if bad.size:
        raise ValueError(f"representation must be finite at the anchors, but is not at anchor {bad[0]}")
    return reference.reshape(*tokens.shape[:-1], -1)


def features_of_some(representation: Representation, length: int, alphabet: Alphabet) -> Float[Array, "some features"]:
    """Return Φ of a few random sequences, always the same ones."""
    rows = np.random.default_rng(0).integers(0, len(alphabet), (_SOME, length))
    with network_errors.in_words(length, len(alphabet)):
        found = _features_of(representation.features, alphabet, representation.params, jnp.asarray(rows, jnp.int32))
        return jax.block_until_ready(found).astype(jnp.result_type(float))


def _check_output(representation: Representation, row: jax.ShapeDtypeStruct, alphabet: Alphabet) -> None:
    """Raise ValueError unless a representation returns one real vector for such a row of tokens; nothing is run."""

    def one(row: Array) -> Array:
        return representation.features(representation.params, alphabet.one_hot(row))

    with network_errors.in_words(row.shape[0], len(alphabet)):
        shape = jax.eval_shape(one, row)
    if not isinstance(shape, jax.ShapeDtypeStruct) or len(shape.shape) != 1:
        raise ValueError(
            f"representation must return one vector [features] for a sequence of shape "
            f"[{row.shape[0]}, {len(alphabet)}], got {shape}"
        )
    if not any(jnp.issubdtype(shape.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_)):
        raise ValueError(
            f"representation must return real numbers, got {shape.dtype}; return real and imaginary parts side by side "
            f"for complex ones"
        )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _features_of(features: Callable[[Any, Array], Array], alphabet: Alphabet, params: Any, rows: Array) -> Array:
    # One anchor at a time: the memory of a thousand anchors must not be that of a thousand forward passes.
    return jax.lax.map(lambda row: run_network(features, params, alphabet.one_hot(row)), rows)
