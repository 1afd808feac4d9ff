"""Compilation and comparison of numbers, as the checks do them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import chex
import jax
import numpy as np
from jaxtyping import Float
from scipy import stats

# The probability that a check of counts fails by chance.
_CHANCE = 1e-4
_numbers = itertools.count()


def traced_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a compiled function that raises AssertionError when it is traced a second time."""
    # chex counts traces by the name and the source of a function, so every function here gets its own name.
    function.__name__ = f"{function.__name__}_{next(_numbers)}"
    return jax.jit(chex.assert_max_traces(function, n=1))


def tolerance(dtype: Any) -> float:
    """Return the largest allowed error of numbers of a type: 1e-10 in double precision, else 1e-4."""
    return 1e-10 if np.dtype(dtype) == np.float64 else 1e-4


def chi_square(seen: Float[np.ndarray, " cells"], expected: Float[np.ndarray, " cells"]) -> float:
    """Return the P-value of counts; 0 if a cell whose expected count is 0 has counts.

    Cells with expected counts below 5 are added up to one cell.
    """
    if (seen[expected == 0] > 0).any():
        return 0.0
    few = expected < 5
    seen, expected = (np.append(counts[~few], counts[few].sum()).astype(float) for counts in (seen, expected))
    if 0 < expected[-1] < 5 and len(expected) > 1:
        seen[-2:], expected[-2:] = seen[-2:].sum() / 2, expected[-2:].sum() / 2
    kept = expected > 0
    return float(stats.chisquare(seen[kept], expected[kept]).pvalue) if kept.sum() > 1 else 1.0


def check_counts(what: str, seen: Float[np.ndarray, " cells"], expected: Float[np.ndarray, " cells"]) -> None:
    """Raise AssertionError if counts differ from expected counts by more than chance explains."""
    if not (chance := chi_square(seen, expected)) > _CHANCE:
        raise AssertionError(f"{what}: the chance of counts as far from the expected ones is {chance:.1g}")
