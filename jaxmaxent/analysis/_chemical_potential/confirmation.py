"""The confirmation of answers by new chains from the background.

The draws of these chains count right after the burn-in of the first round. The search ran for longer. So chains that
have not settled by then show as a disagreement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Key

from jaxmaxent.analysis._chemical_potential.problem import Problem
from jaxmaxent.analysis._chemical_potential.sampler import THIN, Lengths, Sampler
from jaxmaxent.analysis._chemical_potential.search import Search, unlikely
from jaxmaxent.analysis._run_parts import rung_of
from jaxmaxent.results import Run

# The new run must agree with the target within this many of its own and the solution's standard errors.
_AGREES = 4.0
# Its error, in terms of μ, must be at most so many times that of the solution or the tolerance.
_AS_SURE = 3.0
# It is first tried with this share of the steps of the search.
_SHARE = 4


class Confirmation(NamedTuple):
    """The new run at the answers.

    Attributes:
        fractions: means per site of every group, shape [groups, fields]; NaN where nothing was run.
        errors: their standard errors, the same shape.
        objections: a sentence per group against its answer; empty if there is none.
    """

    fractions: Float[np.ndarray, "groups fields"]
    errors: Float[np.ndarray, "groups fields"]
    objections: tuple[str, ...]


def confirm(
    key: Key[Array, ""], sampler: Sampler, searches: Sequence[Search], lengths: Lengths, counted: int
) -> Confirmation:
    """Run new chains at every answer of searches that took `counted` steps."""
    problem = sampler.problem
    fractions = errors = np.full((len(searches), len(problem.indices)), np.nan)
    if not all(search.failed for search in searches):
        mus = [search.mu for search in searches]
        steps = max(lengths.first, counted // _SHARE // THIN * THIN)
        run = sampler.run(key, mus, steps, lengths.burn_in)
        fractions, errors = _fractions(run, problem)
        while steps < counted and any(map(_unsure, searches, errors)):
            steps = min(2 * steps, counted)
            run = sampler.run(key, mus, steps, 0, run)
            fractions, errors = _fractions(run, problem)
    degrees = 2 * sampler.chains - 2
    objections = tuple(_objection(*entry, degrees) for entry in zip(searches, fractions, errors, strict=True))
    return Confirmation(fractions, errors, objections)


def _fractions(run: Run, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return means per site of every group at the target, and their standard errors, shape [groups, fields]."""
    length, target = run.anchors.shape[1], rung_of(run, None)
    means, errors = (values[:, target][:, problem.indices] / length for values in (run.field_mean, run.field_error))
    mean = np.stack([means[anchors].mean(0) for anchors in problem.groups])
    # Anchors are independent, given the positions that all chains share.
    return mean, np.stack([np.sqrt(np.square(errors[anchors]).sum(0)) / len(anchors) for anchors in problem.groups])


def _unsure(search: Search, noise: np.ndarray) -> bool:
    """Check if the mean of a new run is too noisy to confirm the answer of a search."""
    if search.root is None:
        return False
    slope = np.sqrt(np.square(search.root.means.slope).sum(1)) / search.length
    allowed = np.maximum(search.root.means.error().error / search.length, slope * search.tolerance)
    return not (noise <= _AS_SURE * allowed).all()


def _objection(search: Search, seen: np.ndarray, noise: np.ndarray, degrees: int) -> str:
    """Return the objection of a new run with the means `seen` ± `noise` to the answer of a search, empty if none."""
    if search.root is None:
        return ""

    def spelled(values: np.ndarray, digits: int) -> str:
        return ", ".join(f"{value:.{digits}g}" for value in values)

    found = f"not reached: new chains at μ = {spelled(search.mu, 4)} have a mean of {spelled(seen, 4)}"
    found = f"{found} ± {spelled(noise, 2)}"
    if _unsure(search, noise):
        return f"{found}, too uncertain to confirm it, so the chains do not mix at this β"
    own = search.root.means.error().error / search.length
    if not (np.abs(seen - search.target) <= unlikely(_AGREES, degrees) * np.hypot(noise, own)).all():
        return f"{found}, not {spelled(search.target, 6)}, so the chains do not mix at this β"
    return ""
