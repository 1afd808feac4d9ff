"""How the checks compile and compare."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import chex
import jax
import numpy as np
from jaxtyping import Float
from scipy import stats

# A check of counts fails by chance for one seed in so many.
_CHANCE = 1e-4
_numbers = itertools.count()


def traced_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a compiled function that raises AssertionError when it is traced a second time."""
    # chex counts traces by a function's name and source, so each check gives its own function a name of its own.
    function.__name__ = f"{function.__name__}_{next(_numbers)}"
    return jax.jit(chex.assert_max_traces(function, n=1))


def tolerance(dtype: Any) -> float:
    """Return how far numbers of a type may be from exact ones: 1e-10 in double precision, else 1e-4."""
    return 1e-10 if np.dtype(dtype) == np.float64 else 1e-4


def chi_square(seen: Float[np.ndarray, " cells"], expected: Float[np.ndarray, " cells"]) -> float:
    """Return the P-value of counts; 0 if a cell holds something where nothing is expected.

    Cells that expect fewer than 5 are taken together.
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
    """Raise AssertionError if counts are further from the expected ones than chance allows."""
    if not (chance := chi_square(seen, expected)) > _CHANCE:
        raise AssertionError(f"{what}: the chance of counts as far from the expected ones is {chance:.1g}")
