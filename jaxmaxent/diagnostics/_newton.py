"""Newton's method with damping, for one problem or for several side by side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Problems = Float[np.ndarray, "problems n"]


def damped_newton(
    at: Callable[[Problems], tuple[Problems, Float[np.ndarray, " problems"]]],
    start: Problems,
    *,
    steps: int,
    halvings: int,
) -> Problems:
    """Return the points at which Newton's method ends.

    A step is halved until it makes the error smaller. A problem rests while its step is 0, or while no halved step
    helps; the search ends when all rest.

    Args:
        at: gives Newton's step from each point, 0 where the search shall end, shape [problems, n]; and the error that
            must shrink, such as the norm of the gap that is left, shape [problems]. The error is infinite at a point
            that must not be entered.
        start: shape [problems, n].
        steps: the most steps.
        halvings: how often a step is tried, each time at half its length.

    Returns:
        the last points. The caller judges whether they are answers.
    """
    points, (step, error) = start, at(start)
    for _ in range(steps):
        worse = going = (step != 0).any(axis=1)
        if not going.any():
            break
        next_step, next_error = step, error
        for _ in range(halvings):
            next_step, next_error = at(points + step)
            worse = going & ~(next_error < error)
            if not worse.any():
                break
            step = np.where(worse[:, None], step / 2, step)
        points = np.where(worse[:, None], points, points + step)
        # Rest is for good: a problem without a step gets no new one.
        step = np.where((going & ~worse)[:, None], next_step, 0)
        error = np.where(worse, error, next_error)
    return points
