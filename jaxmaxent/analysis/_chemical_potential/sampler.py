"""Runs at any μ of the anchors, all by one compiled program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Key

from jaxmaxent.analysis._chemical_potential.problem import Problem
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.results import Run
from jaxmaxent.sampling import Options, prepare, sample

# Steps between two draws.
THIN = 10


class Lengths(NamedTuple):
    """Steps of each replica: in the first round, in all rounds together, and before the first round."""

    first: int
    most: int
    burn_in: int


class Sampler:
    """Runs of an ensemble at any μ of its groups of anchors, and their cost.

    Attributes:
        ensemble: the ensemble.
        problem: the fields that are solved for, and the groups of anchors.
        chains: chains of each anchor.
        bar: the progress bar, moved by every run.
        ladder: as for `sample`.
        proposals: proposals of all replicas so far.
    """

    def __init__(self, ensemble: Ensemble, problem: Problem, ladder: Any, chains: int, bar: Any) -> None:
        self.ensemble, self.problem, self.chains, self.bar = ensemble, problem, chains, bar
        # At β = 0 there is nothing to swap.
        self.ladder = ladder if np.asarray(ensemble.beta).any() else None
        self.proposals = 0

    def run(
        self,
        key: Key[Array, ""],
        mus: Sequence[Float[np.ndarray, " fields"]],
        steps: int,
        burn_in: int,
        start: str | Run = "background",
    ) -> Run:
        """Sample with the μ of every group; at μ = 0 for a group that has none (NaN)."""
        at = self.ensemble
        for k, index in enumerate(self.problem.indices):
            mu = np.zeros(at.anchors)
            for anchors, of_group in zip(self.problem.groups, mus, strict=True):
                mu[anchors] = np.nan_to_num(of_group[k])
            at = at.with_mu(mu, index)
        run = sample(
            key, at, ladder=self.ladder, chains=self.chains, target_replicas=1, anchor_chains=0, steps=steps,
            burn_in=burn_in, thin=THIN, start=start, progress=False,
        )  # fmt: skip
        walked = run.beta.shape[1] - (self.ladder is not None)
        self.proposals += at.anchors * self.chains * walked * (steps + burn_in)
        self.bar.update()
        return run


def samplers_of(ensemble: Ensemble, problem: Problem, ladder: Any, chains: int, bar: Any) -> list[Sampler]:
    """Return one sampler for all groups side by side, or one per group if `sample` would have them take turns.

    In turns, each group is sampled no longer than it needs.
    """
    if len(problem.groups) == 1 or not _takes_turns(ensemble, ladder, chains):
        return [Sampler(ensemble, problem, ladder, chains, bar)]
    own = np.ndim(ladder) == 2
    alone = problem._replace(groups=[[0]])
    return [
        Sampler(ensemble.take([anchor]), alone, np.asarray(ladder)[[anchor]] if own else ladder, chains, bar)
        for (anchor,) in problem.groups
    ]


def _takes_turns(ensemble: Ensemble, ladder: Any, chains: int) -> bool:
    """Check if `sample` would have these anchors take turns, so that one call per anchor costs no more."""
    options = Options.of(
        ensemble, ladder=ladder, chains=chains, target_replicas=1, anchor_chains=0, steps=THIN, burn_in=0, thin=THIN
    )
    return prepare(ensemble, options).program.one_by_one
