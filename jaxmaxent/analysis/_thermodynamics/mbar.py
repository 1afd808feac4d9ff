"""Every rung's draws used for every β: the multistate Bennett acceptance ratio, MBAR.

All rungs have the same fields, so their densities differ by a function of the energy alone. With the draws of all
rungs pooled, each draw stands for exp(log_density) of the sum over all sequences, and

    Z(β) = Σ_n exp(−β E_n + log_density_n),    log_density_n = −log Σ_j N_j exp(−β_j E_n) / Z_j,

holds at every rung at once (Shirts & Chodera, J. Chem. Phys. 129, 124105, 2008, equation 11). The Z_j that solve it
minimise a convex function, so Newton's method finds them. The first of them is exact and held.

The rungs of a chain exchange sequences and so are not independent, and neither are the draws of a rung. But the chains
are. So every estimate comes with the influence of each chain on it, the derivative with respect to the chain's weight,
and the spread of these gives its standard error (the infinitesimal jackknife; Efron, "The jackknife, the bootstrap and
other resampling plans", 1982). It needs no model of the autocorrelation, and has chains − 1 degrees of freedom.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.results import Run

# Newton's steps become as small as rounding allows after some five; halved ones are for ladders that hardly overlap.
_MOST_STEPS, _MOST_HALVINGS, _SMALL = 100, 30, 1e-10
# Fewer draws than this between the rungs below a β and those above it say nothing of what lies between.
_FEWEST_BETWEEN = 1.0


@dataclasses.dataclass(frozen=True)
class Mbar:
    """The pooled draws of one anchor, each with its weight.

    Attributes:
        betas: β of every rung, shape [rungs].
        energies: energies of the draws of all rungs, shape [chains, draws].
        counts: their counts N_k, shape [chains, draws, fields].
        mu: μ of every field, shape [fields].
        log_z: log Z at every rung, exact at the first, shape [rungs].
        log_z_influence: of every chain on it, shape [chains, rungs].
        log_density: log of the number of sequences, each weighted by exp(Σ μ_k N_k), that a draw stands for; shape
            [chains, draws].
    """

    betas: Float[np.ndarray, " rungs"]
    energies: Float[np.ndarray, "chains draws"]
    counts: Float[np.ndarray, "chains draws fields"]
    mu: Float[np.ndarray, " fields"]
    log_z: Float[np.ndarray, " rungs"]
    log_z_influence: Float[np.ndarray, "chains rungs"]
    log_density: Float[np.ndarray, "chains draws"]

    @property
    def chains(self) -> int:
        """How many chains there are, all independent."""
        return len(self.energies)

    def log_sums(
        self, log_factor: Callable[[int], Float[np.ndarray, "draws sums"]]
    ) -> tuple[Float[np.ndarray, " sums"], Float[np.ndarray, "chains sums"]]:
        """log Σ_x a(x) exp(Σ μ_k N_k(x)) over all sequences for positive a, and the influence of every chain on it.

        Args:
            log_factor: log a of the draws of a chain, by its index; −∞ where a is 0.

        Returns:
            the logarithms and their influences, NaN where a is 0 for every draw.
        """
        logs = np.stack([_log_sum(log_factor(c) + self.log_density[c][:, None], 0) for c in range(self.chains)])
        total = _log_sum(logs, 0)
        known = np.isfinite(total)
        total = np.where(known, total, 0)
        shares = np.zeros((len(total), len(self.betas)))
        for c in range(self.chains):
            weights = np.exp(log_factor(c) + self.log_density[c][:, None] - total)
            shares += weights.T @ self._of_rungs(c)
        influence = self.chains * np.exp(logs - total) - 1 + self.log_z_influence @ shares.T
        return np.where(known, total, np.nan), np.where(known, influence, np.nan)

    def averages(
        self, betas: Float[np.ndarray, " betas"], values: Float[np.ndarray, "chains draws values"]
    ) -> tuple[Float[np.ndarray, "betas values"], Float[np.ndarray, "chains betas values"]]:
        """Mean values in the ensembles at these β, and the influence of every chain on them.

        Args:
            betas: β's within the ladder, at its rungs or between them.
            values: of every draw, in the order of `energies`.
        """

        def exponents(c: int) -> np.ndarray:
            return self.log_density[c][:, None] - self.energies[c][:, None] * betas

        log_z = _log_sum(np.stack([_log_sum(exponents(c), 0) for c in range(self.chains)]), 0)
        mass = np.empty((self.chains, len(betas)))
        sums = np.empty((self.chains, len(betas), values.shape[-1]))
        mass_of_rungs = np.zeros((len(betas), len(self.betas)))
        sums_of_rungs = np.zeros((len(betas), values.shape[-1], len(self.betas)))
        for c in range(self.chains):
            weights, rungs = np.exp(exponents(c) - log_z), self._of_rungs(c)
            mass[c], sums[c] = weights.sum(0), weights.T @ values[c]
            mass_of_rungs += weights.T @ rungs
            sums_of_rungs += np.stack([weights.T @ (value[:, None] * rungs) for value in values[c].T], axis=1)
        mean = sums.sum(0)
        own = self.chains * (sums - mass[..., None] * mean)
        slope = sums_of_rungs - mean[..., None] * mass_of_rungs[:, None]  # of the mean, in log Z of every rung
        return mean, own + np.einsum("cr,kvr->ckv", self.log_z_influence, slope)

    def _of_rungs(self, chain: int) -> Float[np.ndarray, "draws rungs"]:
        """The probability that a draw of a chain comes from each rung, given its energy."""
        return _of_rungs(self.betas, self.energies[chain], self.log_z)[0]


def standard_error(influence: Float[np.ndarray, "chains ..."]) -> Float[np.ndarray, ...]:
    """Standard error of an estimate from every chain's influence on it; NaN for a single chain."""
    chains = len(influence)
    if chains < 2:
        return np.full(influence.shape[1:], np.nan)
    return influence.std(0, ddof=1) / np.sqrt(chains)


def mbar(run: Run, anchor: int = 0) -> Mbar:
    """The draws of all rungs of one anchor with their weights, from the traced states of a run.

    Raises:
        ValueError: if there is no such anchor, the run has no ladder or no traced states, or two parts of the ladder
            have no draws in common.
    """
    energies, counts = traces(run, anchor)
    betas = np.asarray(run.beta[anchor], np.float64)
    pooled = np.moveaxis(energies, 0, 1).reshape(energies.shape[1], -1)
    log_z, influence = _solved(betas, pooled, np.asarray(run.log_z[anchor], np.float64))
    log_mixture = np.stack([_of_rungs(betas, row, log_z)[1] for row in pooled])
    return Mbar(
        betas=betas,
        energies=pooled,
        counts=np.moveaxis(counts, 0, 1).reshape(*pooled.shape, counts.shape[-1]),
        mu=np.asarray(run.mu[anchor], np.float64),
        log_z=log_z,
        log_z_influence=influence,
        log_density=-log_mixture - np.log(energies.shape[1] * energies.shape[2]),
    )


def traces(
    run: Run, anchor: int
) -> tuple[Float[np.ndarray, "rungs chains states"], Float[np.ndarray, "rungs chains states fields"]]:
    """Energies and counts of the traced states of one anchor.

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


def _solved(
    betas: Float[np.ndarray, " rungs"], energies: Float[np.ndarray, "chains draws"], log_z: Float[np.ndarray, " rungs"]
) -> tuple[Float[np.ndarray, " rungs"], Float[np.ndarray, "chains rungs"]]:
    """log Z and the influence of every chain on it, by Newton's method from a first guess; the first is held."""
    value, slopes, curvature, between = _likelihood(betas, energies, log_z)
    _check_overlap(betas, between)
    for _ in range(_MOST_STEPS):
        # Of the first rung nothing changes: its row and column are left out.
        step = np.concatenate([[0], np.linalg.solve(curvature[1:, 1:], slopes.mean(0)[1:])])
        for _ in range(_MOST_HALVINGS):
            there = _likelihood(betas, energies, log_z + step)
            if there[0] <= value + 1e-12 * abs(value):
                break
            step = step / 2
        log_z, (value, slopes, curvature, _) = log_z + step, there
        if np.abs(step).max() < _SMALL * max(1.0, np.abs(log_z).max()):
            break
    influence = np.linalg.solve(curvature[1:, 1:], slopes[:, 1:].T).T
    return log_z, np.concatenate([np.zeros((len(slopes), 1)), influence], axis=1)


def _likelihood(
    betas: Float[np.ndarray, " rungs"], energies: Float[np.ndarray, "chains draws"], log_z: Float[np.ndarray, " rungs"]
) -> tuple[float, Float[np.ndarray, "chains rungs"], Float[np.ndarray, "rungs rungs"], Float[np.ndarray, " pairs"]]:
    """What MBAR minimises, over log Z, as a mean of chains.

    Returns:
        its value; the negative of its slope, of every chain; its second derivative; and for each pair of neighbouring
        rungs how many draws could as well come from the rungs up to the lower as from those beyond.
    """
    chains, draws = energies.shape
    states = draws // len(betas)
    value, slopes = states * log_z.sum(), np.empty((chains, len(betas)))
    curvature, between = np.zeros((len(betas), len(betas))), np.zeros(len(betas) - 1)
    for c, row in enumerate(energies):
        rungs, log_mixture = _of_rungs(betas, row, log_z)
        value += log_mixture.sum() / chains
        slopes[c] = rungs.sum(0) - states
        curvature += (np.diag(rungs.sum(0)) - rungs.T @ rungs) / chains
        below = np.cumsum(rungs, axis=1)[:, :-1]
        between += (below * (1 - below)).clip(0).sum(0)
    return float(value), slopes, curvature, between


def _of_rungs(
    betas: Float[np.ndarray, " rungs"], energies: Float[np.ndarray, " draws"], log_z: Float[np.ndarray, " rungs"]
) -> tuple[Float[np.ndarray, "draws rungs"], Float[np.ndarray, " draws"]]:
    """The probability that a draw comes from each rung, given its energy, and log Σ_j exp(−β_j E) / Z_j."""
    exponents = -energies[:, None] * betas - log_z
    top = exponents.max(1, keepdims=True)
    terms = np.exp(exponents - top)
    total = terms.sum(1, keepdims=True)
    return terms / total, (top + np.log(total))[:, 0]


def _log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    """log Σ exp along an axis, −∞ for a sum of nothing."""
    top = values.max(axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(values - top).sum(axis)) + top.squeeze(axis)


def _check_overlap(betas: np.ndarray, between: np.ndarray) -> None:
    worst = int(between.argmin())
    if between[worst] < _FEWEST_BETWEEN:
        raise ValueError(
            f"run must have rungs whose energies overlap, but those up to β = {betas[worst]:g} and those from "
            f"β = {betas[worst + 1]:g} do not"
        )
