"""The draws of all rungs of an anchor together, each with its weight: what every estimate at any β is made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks, diagnostics
from jaxmaxent.diagnostics import jackknife_error as standard_error  # noqa: F401
from jaxmaxent.results import Run


@dataclasses.dataclass(frozen=True)
class Mbar:
    """The pooled draws of one anchor, each with its weight by MBAR (see `diagnostics.log_z_along`).

    Attributes:
        betas: β of every rung, shape [rungs].
        energies: energies of the draws of all rungs, shape [chains, draws].
        potentials: E − Σ (μ/β) N over the growing fields, which the rungs differ by; the energies without such fields;
            shape [chains, draws].
        counts: their counts N_k, shape [chains, draws, fields].
        mu: μ of every field that all rungs have alike, 0 for growing ones, shape [fields].
        log_z: log Z at every rung, exact at the first, shape [rungs].
        log_z_error: its standard error, shape [rungs].
        log_z_influence: influence of every chain on log Z, shape [chains, rungs].
        log_density: log of the number of sequences that a draw stands for, each weighted by exp(Σ μ_k N_k) with
            these μ; shape [chains, draws].
    """

    betas: Float[np.ndarray, " rungs"]
    energies: Float[np.ndarray, "chains draws"]
    potentials: Float[np.ndarray, "chains draws"]
    counts: Float[np.ndarray, "chains draws fields"]
    mu: Float[np.ndarray, " fields"]
    log_z: Float[np.ndarray, " rungs"]
    log_z_error: Float[np.ndarray, " rungs"]
    log_z_influence: Float[np.ndarray, "chains rungs"]
    log_density: Float[np.ndarray, "chains draws"]

    @property
    def chains(self) -> int:
        """Number of chains, all independent."""
        return len(self.energies)

    def log_sums(
        self, log_factor: Callable[[int], Float[np.ndarray, "draws sums"]]
    ) -> tuple[Float[np.ndarray, " sums"], Float[np.ndarray, "chains sums"]]:
        """Return log Σ_x a(x) exp(Σ μ_k N_k(x)) over all sequences for a ≥ 0, and the influence of every chain on it.

        Args:
            log_factor: gives log a of the draws of a chain from the chain's index; −∞ where a is 0.

        Returns:
            the logarithms and their influences, NaN if a is 0 for every draw.
        """
        logs = np.stack([_log_sum(log_factor(c) + self.log_density[c][:, None], 0) for c in range(self.chains)])
        total = _log_sum(logs, 0)
        known = np.isfinite(total)
        total = np.where(known, total, 0)
        shares = np.zeros((len(self.betas), len(total)))
        for c in range(self.chains):
            shares += self._of_rungs(c) @ np.exp(log_factor(c) + self.log_density[c][:, None] - total)
        influence = self.chains * np.exp(logs - total) - 1 + self.log_z_influence @ shares
        return np.where(known, total, np.nan), np.where(known, influence, np.nan)

    def averages(
        self, betas: Float[np.ndarray, " betas"], values: Float[np.ndarray, "chains draws values"]
    ) -> tuple[Float[np.ndarray, "betas values"], Float[np.ndarray, "chains betas values"]]:
        """Return mean values in the ensembles at these β, and the influence of every chain on them.

        Args:
            betas: β's within the ladder, at its rungs or between them.
            values: values of every draw, in the order of `energies`.
        """

        def exponents(c: int) -> np.ndarray:
            return self.log_density[c][:, None] - self.potentials[c][:, None] * betas

        log_z = _log_sum(np.stack([_log_sum(exponents(c), 0) for c in range(self.chains)]), 0)
        mass = np.empty((self.chains, len(betas)))
        sums = np.empty((self.chains, len(betas), values.shape[-1]))
        mass_of_rungs = np.zeros((len(betas), len(self.betas)))
        sums_of_rungs = np.zeros((len(betas), values.shape[-1], len(self.betas)))
        for c in range(self.chains):
            weights, rungs = np.exp(exponents(c) - log_z), self._of_rungs(c)
            mass[c], sums[c] = weights.sum(0), weights.T @ values[c]
            mass_of_rungs += weights.T @ rungs.T
            sums_of_rungs += np.stack([weights.T @ (value * rungs).T for value in values[c].T], axis=1)
        mean = sums.sum(0)
        own = self.chains * (sums - mass[..., None] * mean)
        slope = sums_of_rungs - mean[..., None] * mass_of_rungs[:, None]  # of the mean, in log Z of every rung
        return mean, own + np.einsum("cr,kvr->ckv", self.log_z_influence, slope)

    def _of_rungs(self, chain: int) -> Float[np.ndarray, "rungs draws"]:
        """Return the probability that a draw of a chain comes from each rung, given its energy."""
        return diagnostics.rung_probabilities(self.betas, self.potentials[chain], self.log_z)[0]


def mbar(run: Run, anchor: int = 0) -> Mbar:
    """Return the draws of all rungs of one anchor with their weights, from the traced draws of a run and its log Z.

    Raises:
        ValueError: if there is no such anchor, the run has no ladder or no traced draws, or two parts of the ladder
            have no draws in common.
    """
    energies, counts = traces(run, anchor)
    betas, log_z = np.asarray(run.beta[anchor], np.float64), np.asarray(run.log_z[anchor], np.float64)
    potentials, mu = potentials_of(run, anchor, energies, counts)
    by_draw = np.ascontiguousarray(np.moveaxis(potentials, 0, -1))  # [chains, draws, rungs]
    gap = diagnostics.first_gap(diagnostics.shared_draws(betas, by_draw, log_z))
    if gap is not None:
        raise ValueError(
            f"run must have rungs whose energies overlap, but those up to β = {betas[gap]:g} and those from "
            f"β = {betas[gap + 1]:g} do not"
        )
    pooled = by_draw.reshape(len(by_draw), -1)
    log_mixture = np.stack([diagnostics.rung_probabilities(betas, row, log_z)[1] for row in pooled])
    return Mbar(
        betas=betas,
        energies=np.moveaxis(energies, 0, -1).reshape(pooled.shape),
        potentials=pooled,
        counts=np.moveaxis(counts, 0, 2).reshape(*pooled.shape, counts.shape[-1]),
        mu=mu,
        log_z=log_z,
        log_z_error=np.asarray(run.log_z_error[anchor], np.float64),
        log_z_influence=diagnostics.chain_influences(betas, by_draw, log_z),
        log_density=-log_mixture - np.log(by_draw.shape[0] * by_draw.shape[1]),
    )


def traces(
    run: Run, anchor: int
) -> tuple[Float[np.ndarray, "rungs chains draws"], Float[np.ndarray, "rungs chains draws fields"]]:
    """Return energies and counts of the traced draws of one anchor.

    Raises:
        ValueError: as `mbar` does.
    """
    checks.like("run", run, "energies", "a Run: sample gives one, and Run.load reads one from a file")
    anchors, rungs = run.beta.shape
    if isinstance(anchor, bool) or not isinstance(anchor, int | np.integer) or not 0 <= anchor < anchors:
        raise ValueError(f"anchor must be a whole number from 0 to {anchors - 1}, got {checks.shown(anchor)}")
    if rungs < 2 or not np.isfinite(run.log_z[anchor, 0]):
        raise ValueError("run must have a ladder that begins at β = 0, got one that was sampled without a ladder")
    energies = np.asarray(run.energies[anchor], np.float64)
    known = np.isfinite(energies).all((0, 1))  # joined runs are filled up with NaN
    if not known.any():
        raise ValueError(f"run must have traced energies, got none for anchor {anchor}")
    return energies[..., known], np.asarray(run.counts[anchor][..., known, :], np.float64)


def potentials_of(
    run: Run, anchor: int, energies: Float[np.ndarray, "*draws"], counts: Float[np.ndarray, "*draws fields"]
) -> tuple[Float[np.ndarray, "*draws"], Float[np.ndarray, " fields"]]:
    """Return E − Σ (μ/β) N over the growing fields of one anchor's draws, and the μ's with 0 for these fields."""
    grows = (np.asarray(run.mu_share[anchor]) != 1).any(0)
    mu = np.asarray(run.mu[anchor], np.float64)
    if grows.any():
        energies = energies - counts @ (np.where(grows, mu, 0) / run.beta[anchor, -1])
    return energies, np.where(grows, 0, mu)


def _log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    """Return log Σ exp along an axis, −∞ for a sum of nothing."""
    top = values.max(axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(values - top).sum(axis)) + top.squeeze(axis)
