"""Accumulators: statistics of a chain in memory that does not grow with its length.

They take arrays and know nothing of ensembles or chains. `Moments` works on JAX and on NumPy arrays alike: inside a
block it runs in the device's float type, between blocks the host merges blocks in float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int


class Moments(NamedTuple):
    """Count of values, their mean and their sum of squared deviations (Welford 1962), element by element."""

    count: Any
    mean: Any
    squares: Any

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: Any = float) -> Moments:
        """Moments of nothing yet, as JAX arrays."""
        return cls(jnp.zeros((), jnp.int32), jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def add(self, value: Float[Array, ...]) -> Moments:
        """The moments with one more value."""
        count = self.count + 1
        delta = value - self.mean
        mean = self.mean + delta / count
        return Moments(count, mean, self.squares + delta * (value - mean))

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of values together (Chan, Golub & LeVeque 1979), in float64 on the host."""
        n, m = int(self.count), int(other.count)
        share = m / max(n + m, 1)
        mean = np.asarray(self.mean, np.float64)
        delta = np.asarray(other.mean, np.float64) - mean
        squares = np.asarray(self.squares, np.float64) + np.asarray(other.squares, np.float64)
        return Moments(n + m, mean + delta * share, squares + delta**2 * (n * share))

    def variance(self) -> Any:
        """Variance of the values seen (divided by their count)."""
        return self.squares / max(int(self.count), 1)


def count_letters(
    counts: Int[Array, "*chains length letters"], tokens: Int[Array, "*chains length"]
) -> Int[Array, "*chains length letters"]:
    """`counts` with one more sequence of every chain."""
    return counts + jax.nn.one_hot(tokens, counts.shape[-1], dtype=counts.dtype)


def mean_over_chains(values: Float[np.ndarray, ...], axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of chain averages and its standard error, from the spread between chains.

    Chains are independent given the positions they share, so this error needs no model of autocorrelation. With a
    single chain it is NaN: one chain says nothing about its own error.
    """
    values = np.asarray(values, np.float64)
    chains = values.shape[axis]
    if chains < 2:
        return values.mean(axis), np.full_like(values.mean(axis), np.nan)
    return values.mean(axis), values.std(axis, ddof=1) / np.sqrt(chains)
