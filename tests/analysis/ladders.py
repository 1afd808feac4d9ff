"""Ladders of a problem drawn from its exact distributions, in the form of a run, and their exact values."""

import dataclasses
import functools
from types import SimpleNamespace

import numpy as np

import exact
from jaxmaxent.diagnostics import log_z_along
from problems import Problem


@dataclasses.dataclass(frozen=True)
class Ladder:
    """The ensembles of a problem at some β's; everything by enumeration of its allowed states."""

    problem: Problem
    betas: tuple[float, ...]

    @functools.cached_property
    def energies(self):
        return self.problem.energies[self.problem.allowed]

    @functools.cached_property
    def counts(self):
        states = self.problem.states[self.problem.allowed]
        columns = [count(states) for count in self.problem.counts]
        return np.stack(columns, -1) if columns else np.zeros((len(states), 0))

    @property
    def mu(self):
        return np.array(self.problem.mus)

    def log_weights(self, beta):
        return -beta * self.energies + self.counts @ self.mu

    def log_z(self, beta):
        return exact.log_partition(self.log_weights(beta))

    def p(self, beta):
        return exact.distribution(self.log_weights(beta))

    def mean(self, beta, power=1):
        return self.p(beta) @ self.energies**power

    def variance(self, beta):
        return self.mean(beta, 2) - self.mean(beta) ** 2

    def entropy(self, beta):
        """From its definition, −Σ p log2 p."""
        p = self.p(beta)
        return -(p * np.log2(p)).sum()

    def run(self, rng, chains, states, *, sticky=0.0, shared=False):
        """A run of stationary chains.

        Args:
            sticky: the chance that a state is that of the step before, so that states have autocorrelation.
            shared: True to draw the rungs of a chain with the same random numbers, so that they are correlated.
        """
        order = np.argsort(self.energies)
        shape = (len(self.betas), chains, states)
        uniform = np.broadcast_to(rng.random(shape[1:]), shape) if shared else rng.random(shape)
        moved = rng.random(shape[1:] if shared else shape) >= sticky
        moved[..., 0] = True
        last = np.maximum.accumulate(np.where(moved, np.arange(states), 0), axis=-1)
        uniform = np.take_along_axis(uniform, np.broadcast_to(last, shape), axis=-1)
        drawn = np.stack(
            [
                order[np.minimum(np.searchsorted(np.cumsum(self.p(beta)[order]), row), len(order) - 1)]
                for beta, row in zip(self.betas, uniform, strict=True)
            ]
        )
        return like_a_run(self.betas, self.energies[drawn], self.log_z(0), self.counts[drawn], self.mu)


def like_a_run(betas, energies, first, counts=None, mu=()):
    """Return an object with the attributes of a run that the analysis reads, for one anchor.

    Energies have shape [rungs, chains, states].

    Its log Z is estimated from its energies, as that of a run is.
    """
    counts = np.zeros((*energies.shape, 0)) if counts is None else counts
    log_z, log_z_error = log_z_along(np.array(betas), np.moveaxis(energies, 0, -1), first)
    return SimpleNamespace(
        beta=np.array([betas]), energies=energies[None], counts=counts[None], mu=np.array([mu]).reshape(1, -1),
        mu_share=np.ones((1, len(betas), len(mu))),
        field_names=tuple(f"field {k}" for k in range(len(mu))),
        log_z=log_z[None], log_z_error=log_z_error[None],
    )  # fmt: skip


def jackknifed(estimate, run, copies):
    """Standard errors of estimates by the infinitesimal jackknife, by its definition.

    Of `copies` copies of every chain, one more or one less of a single chain changes its weight in all of them; how
    much an estimate changes with that is the influence of the chain, and the error is the spread of the influences.

    Args:
        estimate: from a run to an array of estimates.
        run: a run of a few chains.
        copies: so many that the changes are small.
    """
    chains = run.energies.shape[2]

    def copied(weights):
        which = np.repeat(np.arange(chains), weights)
        (energies,), (counts,) = run.energies[:, :, which], run.counts[:, :, which]
        kept = like_a_run(run.beta[0], energies, run.log_z[0, 0], counts, run.mu[0])
        return estimate(SimpleNamespace(**{**vars(run), **vars(kept)}))

    influences = []
    for chain in range(chains):
        change = np.eye(chains, dtype=int)[chain]
        more, less = copied(copies + change), copied(copies - change)
        # The share of the chain is (copies ± 1) / (chains copies ± 1): by so much it differs from one to the other.
        total = chains * copies
        share = (copies + 1) / (total + 1) - (copies - 1) / (total - 1)
        influences.append((more - less) / share * (1 - 1 / chains))
    return np.std(influences, axis=0, ddof=1) / np.sqrt(chains)
