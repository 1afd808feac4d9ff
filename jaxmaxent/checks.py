"""Validation at the boundary: every message names the argument, what was given and what was expected."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def integer(name: str, value: Any, *, at_least: int) -> int:
    """`value` as an int, or ValueError if it is not a whole number of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < at_least:
        raise ValueError(f"{name} must be a whole number of at least {at_least}, got {value!r}")
    return int(value)


def number(name: str, value: Any, *, above: float = -math.inf, below: float = math.inf) -> float:
    """`value` as a float, or ValueError if it is not a finite number with above < value < below."""
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not (math.isfinite(result) and above < result < below):
        bounds = [f"above {above:g}"] * (above > -math.inf) + [f"below {below:g}"] * (below < math.inf)
        raise ValueError(f"{name} must be a finite number {' and '.join(bounds)}".rstrip() + f", got {value!r}")
    return result


def number_array(name: str, value: Any) -> np.ndarray:
    """Return `value` as a float array, which may hold infinities and NaN; ValueError if it is no array of numbers."""
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number or an array of numbers, got {value!r}") from None


def finite_array(name: str, value: Any, *, at_least: float = -math.inf) -> np.ndarray:
    """`value` as a float array, or ValueError if an entry is not finite or below `at_least`."""
    array = number_array(name, value)
    wrong = ~np.isfinite(array) | (array < at_least)
    if wrong.any():
        bound = f" ≥ {at_least:g}" if at_least > -math.inf else ""
        raise ValueError(f"{name} must be finite{bound}, got {array[wrong].flat[0]:g}")
    return array


def finite_parameters(name: str, tree: Any) -> None:
    """ValueError that names the first leaf of `tree` that is no array or holds a NaN or infinite value."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if jnp.issubdtype(getattr(leaf, "dtype", float), jax.dtypes.extended):
            continue  # a random key, say of dropout, which is off
        if not isinstance(leaf, jax.typing.ArrayLike):
            where = jax.tree_util.keystr(path)
            raise ValueError(f"{name} must hold arrays only, but {where} is a {type(leaf).__name__}")
        array = np.asarray(leaf)
        if np.issubdtype(array.dtype, np.integer) or array.dtype == bool:
            continue
        bad = ~np.isfinite(array.astype(np.float32) if array.dtype.itemsize < 4 else array)
        if bad.any():
            where = jax.tree_util.keystr(path)
            raise ValueError(
                f"{name} must be finite, but {where} has {int(bad.sum())} NaN or infinite of {array.size} values"
            )


def multiple(name: str, value: int, of_name: str, of: int) -> int:
    """`value`, or ValueError if it is not a multiple of `of`, the value of the argument `of_name`."""
    if value % of:
        raise ValueError(f"{name} must be a multiple of {of_name} = {of}, got {value}")
    return value


@jax.transfer_guard("allow")
def random_key(seed: Any) -> jax.Array:
    """The typed key of a seed, or ValueError if it is not a whole number of 64 bits."""
    try:
        return jax.random.key(integer("seed", seed, at_least=-(2**63)))
    except OverflowError:
        raise ValueError(f"seed must be a whole number below 2^63, got {seed}") from None


def typed_key(key: Any) -> jax.Array:
    """`key`, or ValueError if it is not one typed key."""
    if not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0):
        raise ValueError(f"key must be one typed key such as jax.random.key(0), got {type(key).__name__}")
    return key
