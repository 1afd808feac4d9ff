"""Checks of arguments. Every error message names the argument, the expected values and the value that was given."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# The largest integer of the counters on the device.
MOST = 2**31 - 1
# Each of two numbers has this limit, steps of burn-in and steps after it, so that their sum is at most `MOST`.
MOST_STEPS = 10**9
MOST_SEED = 2**63 - 1
# A factor (β, μ, a weight) times an energy or count below this number must not overflow.
_LARGEST_FACTOR_OF = 1e8
_SHOWN = 80


def integer(name: str, value: Any, *, at_least: int, at_most: int = MOST) -> int:
    """Return `value` as an int; ValueError if it is not a whole number from `at_least` to `at_most`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < at_least:
        raise ValueError(f"{name} must be a whole number of at least {at_least}, got {shown(value)}")
    if value > at_most:
        raise ValueError(f"{name} must be a whole number of at most {at_most:,}, got {shown(value)}")
    return int(value)


def shown(value: Any) -> str:
    """Return `repr(value)` for a message, cut off if it is long."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"{'-' * (value < 0)}2^{value.bit_length() - 1} or more"  # Python prints no number of 5,000 digits
    if isinstance(value, str | bytes | list | tuple) and len(value) > _SHOWN:
        value = value[:_SHOWN]
    text = " ".join(repr(value).split())  # the text of an array has several lines
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def like(name: str, value: Any, attribute: str, expected: str) -> Any:
    """Return `value`; ValueError if it lacks `attribute`. The message says that `expected` is needed."""
    if isinstance(value, type) or not hasattr(value, attribute):
        raise ValueError(f"{name} must be {expected}, got {shown(value)}")
    return value


def several(name: str, value: Any, expected: str) -> list[Any]:
    """Return the entries of `value` as a list; ValueError if it is a text, a dictionary or not iterable."""
    if isinstance(value, str | bytes | dict) or not hasattr(value, "__iter__") or getattr(value, "ndim", 1) == 0:
        raise ValueError(f"{name} must be a list of {expected}, got {shown(value)}")
    return list(value)


def text(name: str, value: Any) -> str:
    """Return `value`; ValueError if it is not a text."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text, got {shown(value)}")
    return value


def number(name: str, value: Any, *, above: float = -math.inf, below: float = math.inf) -> float:
    """Return `value` as a float; ValueError if it is not a finite number with above < value < below."""
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not (math.isfinite(result) and above < result < below):
        bounds = [f"above {above:g}"] * (above > -math.inf) + [f"below {below:g}"] * (below < math.inf)
        raise ValueError(f"{name} must be a finite number {' and '.join(bounds)}".rstrip() + f", got {shown(value)}")
    return result


def number_array(name: str, value: Any) -> np.ndarray:
    """Return `value` as a float array; ValueError if an entry is not a real number. Infinities and NaN are allowed."""
    try:
        array = np.asarray(value)
        if np.iscomplexobj(array):  # NumPy would drop the imaginary part
            raise TypeError
        return array.astype(float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a number or an array of numbers, got {shown(value)}") from None


def finite_array(name: str, value: Any, *, at_least: float = -math.inf) -> np.ndarray:
    """Return `value` as a float array; ValueError if an entry is not a finite real number of at least `at_least`."""
    array = number_array(name, value)
    wrong = ~np.isfinite(array) | (array < at_least)
    if wrong.any():
        bound = f" ≥ {at_least:g}" if at_least > -math.inf else ""
        raise ValueError(f"{name} must be finite{bound}, got {array[wrong].flat[0]:g}")
    return array


def factor(name: str, value: Any, *, at_least: float = -math.inf) -> np.ndarray:
    """Return `finite_array`; ValueError if an entry times an energy would overflow in the precision of JAX."""
    array = finite_array(name, value, at_least=at_least)
    largest = float(jnp.finfo(jnp.result_type(float)).max) / _LARGEST_FACTOR_OF
    wrong = np.abs(array) > largest
    if wrong.any():
        raise ValueError(
            f"{name} must be at most {largest:.1g} in size, as products with it would overflow, "
            f"got {array[wrong].flat[0]:g}"
        )
    return array


def finite_parameters(name: str, tree: Any) -> None:
    """Raise ValueError if a leaf of `tree` is not an array of finite numbers; the message names the first such leaf."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if jnp.issubdtype(getattr(leaf, "dtype", float), jax.dtypes.extended):
            continue  # a random key, for example of dropout
        if not isinstance(leaf, jax.typing.ArrayLike):
            where = jax.tree_util.keystr(path)
            raise ValueError(f"{name} must hold arrays only, but {where} is a {type(leaf).__name__}")
        array = np.asarray(leaf)
        if not (jnp.issubdtype(array.dtype, np.number) or array.dtype == bool):
            where = jax.tree_util.keystr(path)
            raise ValueError(f"{name} must hold numbers, but {where or 'it'} is {shown(leaf)}")
        if np.issubdtype(array.dtype, np.integer) or array.dtype == bool:
            continue
        with np.errstate(over="ignore"):  # in the precision of JAX, large numbers become infinite
            bad = ~np.isfinite(array.astype(np.float32) if array.dtype.itemsize < 4 else _as_in_jax(array))
        if bad.any():
            where = jax.tree_util.keystr(path)
            raise ValueError(
                f"{name} must be finite, but {where} has {int(bad.sum())} NaN or infinite of {array.size} values"
            )


def _as_in_jax(array: np.ndarray) -> np.ndarray:
    """Return an array in the type that JAX would use for it."""
    return array.astype(jax.dtypes.canonicalize_dtype(array.dtype))


def multiple(name: str, value: int, of_name: str, of: int) -> int:
    """Return `value`; ValueError if it is not a multiple of `of`, the value of the argument `of_name`."""
    if value % of:
        raise ValueError(f"{name} must be a multiple of {of_name} = {of}, got {value}")
    return value


@jax.transfer_guard("allow")
def random_key(seed: Any) -> jax.Array:
    """Return the typed key of a seed; ValueError if the seed is not a whole number that JAX accepts."""
    try:
        return jax.random.key(integer("seed", seed, at_least=-MOST_SEED - 1, at_most=MOST_SEED))
    except OverflowError:  # JAX accepts such a seed only in double precision
        raise ValueError(f"seed must be a whole number below 2^63, got {shown(seed)}") from None


def format_version(file: Any, description: Any, expected: str) -> int:
    """Return the version of a file's format; ValueError if its description has another format or no version."""
    kind = description.get("format") if isinstance(description, dict) else None
    if kind != expected:
        raise ValueError(f"{file} must have the format {expected!r}, got {shown(kind)}")
    number = description.get("format_version")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"{file} must have a format_version that is a whole number from 1, got {shown(number)}")
    return number


def typed_key(key: Any) -> jax.Array:
    """Return `key`; ValueError if it is not a single typed key."""
    if not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0):
        raise ValueError(f"key must be one typed key such as jax.random.key(0), got {type(key).__name__}")
    return key
