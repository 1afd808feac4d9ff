"""The number of sequences that the network treats as equal to the anchor: entropy, free energy and heat capacity.

log Z is exact at β = 0. So quantities at every larger β have absolute values: the entropy of the ensemble in bits,

    S = (log Z + β ⟨E⟩ − Σ_k μ_k ⟨N_k⟩) / ln 2,

and with it 2^S, the number of equally likely sequences that would have the same entropy. log Z is that of the run, by
MBAR (see `diagnostics.log_z_along`). `thermodynamic_integration` finds it in another way, for comparison.

Standard errors come from the spread between chains, so they need no model of the autocorrelation. They are NaN with a
single chain, except that of log Z. They have chains − 1 degrees of freedom: the interval of 95 % is the value ±
scipy.special.stdtrit(chains − 1, 0.975) standard errors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float

from jaxmaxent import checks
from jaxmaxent.analysis._thermodynamics.mbar import Mbar, mbar, potentials_of, traces
from jaxmaxent.diagnostics import jackknife_error, nan_if_rounding
from jaxmaxent.results import Run


class Thermodynamics(NamedTuple):
    """An anchor's ensemble at every rung; k_B = 1, entropies are in bits and heat capacities in nats.

    Attributes:
        beta: β, shape [rungs].
        log_z: log Z of the run, by MBAR, exact at the first rung, shape [rungs].
        log_z_error: its standard error.
        energy: mean energy ⟨E⟩ by MBAR, shape [rungs].
        energy_error: its standard error.
        entropy: S in bits, shape [rungs].
        entropy_error: its standard error.
        information: S(0) − S, the loss of entropy from β = 0 to the rung, in bits, shape [rungs]. It includes
            dependences between positions, which the sum of a profile's information over the positions leaves out.
        information_error: its standard error.
        heat_capacity: β² Var E, shape [rungs].
        heat_capacity_error: its standard error.
    """

    beta: Float[np.ndarray, " rungs"]
    log_z: Float[np.ndarray, " rungs"]
    log_z_error: Float[np.ndarray, " rungs"]
    energy: Float[np.ndarray, " rungs"]
    energy_error: Float[np.ndarray, " rungs"]
    entropy: Float[np.ndarray, " rungs"]
    entropy_error: Float[np.ndarray, " rungs"]
    information: Float[np.ndarray, " rungs"]
    information_error: Float[np.ndarray, " rungs"]
    heat_capacity: Float[np.ndarray, " rungs"]
    heat_capacity_error: Float[np.ndarray, " rungs"]

    @property
    def free_energy(self) -> Float[np.ndarray, " rungs"]:
        """−log Z / β in units of E (with fields, the grand potential), shape [rungs]; NaN at β = 0: it has no limit."""
        return -_over(self.log_z, self.beta)

    @property
    def free_energy_error(self) -> Float[np.ndarray, " rungs"]:
        """Standard error of `free_energy`, shape [rungs]."""
        return _over(self.log_z_error, self.beta)

    @property
    def log10_number(self) -> Float[np.ndarray, " rungs"]:
        """log10 of 2^S, the number of sequences that the network treats as equal to the anchor, shape [rungs]."""
        return self.entropy * math.log10(2)

    @property
    def log10_number_error(self) -> Float[np.ndarray, " rungs"]:
        """Standard error of `log10_number`, shape [rungs]."""
        return self.entropy_error * math.log10(2)

    @property
    def log10_share(self) -> Float[np.ndarray, " rungs"]:
        """log10 of 2^S over its value at β = 0, shape [rungs]."""
        return -self.information * math.log10(2)

    @property
    def log10_share_error(self) -> Float[np.ndarray, " rungs"]:
        """Standard error of `log10_share`, shape [rungs]."""
        return self.information_error * math.log10(2)


class Integration(NamedTuple):
    """log Z by thermodynamic integration.

    Attributes:
        beta: β, shape [rungs].
        log_z: log Z, exact at the first rung, shape [rungs].
        standard_error: standard error from the draws, shape [rungs].
        quadrature: part of log Z that comes from the third cumulants, summed up to each rung, in nats; shape [rungs].
            The error of the integration rule is of this kind, but smaller. If this part is not small, the ladder is too
            coarse for the method.
    """

    beta: Float[np.ndarray, " rungs"]
    log_z: Float[np.ndarray, " rungs"]
    standard_error: Float[np.ndarray, " rungs"]
    quadrature: Float[np.ndarray, " rungs"]


class SequencesWithin(NamedTuple):
    """The number of sequences within a distance of the anchor; NaN if no draw is within it.

    Attributes:
        energy: distances, shape [thresholds].
        log10_number: log10 of the number of sequences x with E(x) ≤ energy, shape [thresholds].
        log10_number_error: its standard error.
        log10_share: log10 of the probability of E(x) ≤ energy at β = 0, shape [thresholds].
        log10_share_error: its standard error.
    """

    energy: Float[np.ndarray, " thresholds"]
    log10_number: Float[np.ndarray, " thresholds"]
    log10_number_error: Float[np.ndarray, " thresholds"]
    log10_share: Float[np.ndarray, " thresholds"]
    log10_share_error: Float[np.ndarray, " thresholds"]


def thermodynamics(run: Run, *, anchor: int = 0) -> Thermodynamics:
    """Return entropy, free energy and heat capacity of one anchor at every rung, from the draws of all rungs together.

    Args:
        run: a run with a ladder.
        anchor: index of the anchor.

    Raises:
        ValueError: if there is no such anchor, the run has no ladder or no traced draws, or two parts of the ladder
            have no draws in common.

    Example:
        >>> found = analysis.thermodynamics(run)
        >>> round(float(found.entropy[0]), 3)  # bits at β = 0: those of all sequences of 24 letters
        48.0
    """
    checks.like("run", run, "beta", "a Run: sample gives one, and Run.load reads one from a file")
    return of_draws(mbar(run, anchor))


def of_draws(pooled: Mbar) -> Thermodynamics:
    """Return `thermodynamics` from draws that have their weights already."""
    betas, energies = pooled.betas, pooled.energies
    field_terms = pooled.counts @ pooled.mu
    values = np.stack([energies, energies**2, field_terms, pooled.potentials], axis=-1)
    mean, influence = pooled.averages(betas, values)
    log_z, log_z_influence = pooled.log_z, pooled.log_z_influence
    entropy = (log_z + betas * mean[:, 3] - mean[:, 2]) / math.log(2)
    of_entropy = (log_z_influence + betas * influence[..., 3] - influence[..., 2]) / math.log(2)
    variance = mean[:, 1] - mean[:, 0] ** 2
    of_variance = influence[..., 1] - 2 * mean[:, 0] * influence[..., 0]
    information = entropy[0] - entropy
    return Thermodynamics(
        beta=betas,
        log_z=log_z,
        log_z_error=pooled.log_z_error,
        energy=mean[:, 0],
        energy_error=jackknife_error(influence[..., 0]),
        entropy=entropy,
        entropy_error=nan_if_rounding(jackknife_error(of_entropy), entropy, betas),
        information=information,
        information_error=nan_if_rounding(jackknife_error(of_entropy[:, :1] - of_entropy), information, betas),
        heat_capacity=betas**2 * variance,
        heat_capacity_error=betas**2 * jackknife_error(of_variance),
    )


def thermodynamic_integration(run: Run, *, anchor: int = 0) -> Integration:
    """Return log Z at every rung from log Z(β) = log Z(0) − ∫ ⟨E⟩ dβ, from each rung's own draws.

    With fields that grow along the ladder it is the integral of ⟨E − Σ (μ/β) N⟩ over these fields.

    Between neighbors ⟨E⟩ is the polynomial of degree 5 that has their ⟨E⟩, slopes d⟨E⟩/dβ = −Var E and curvatures
    d²⟨E⟩/dβ² = third cumulant, all estimated from the draws. This is the trapezoidal rule with two corrections.

    Args:
        run: a run with a ladder.
        anchor: index of the anchor.

    Raises:
        ValueError: if there is no such anchor, or the run has no ladder or no traced draws.

    Example:
        >>> found = analysis.thermodynamic_integration(run)
    """
    checks.like("run", run, "beta", "a Run: sample gives one, and Run.load reads one from a file")
    energies, _ = potentials_of(run, anchor, *traces(run, anchor))
    betas = np.asarray(run.beta[anchor], np.float64)
    mean = energies.mean((1, 2))
    centered = energies - mean[:, None, None]
    second, third = (centered**2).mean((1, 2)), (centered**3).mean((1, 2))
    # Influence of every chain on the three cumulants, [rungs, chains]. The mean is an estimate as well.
    of_mean = centered.mean(2)
    of_second = (centered**2).mean(2) - second[:, None]
    of_third = (centered**3).mean(2) - third[:, None] - 3 * second[:, None] * of_mean
    steps = np.diff(betas)
    change = -_hermite(steps, mean, -second, third)
    of_change = -_hermite(steps[:, None], of_mean, -of_second, of_third)
    cubic = -steps / 2 * (mean[1:] + mean[:-1]) - steps**2 / 12 * np.diff(second)
    return Integration(
        beta=betas,
        log_z=float(run.log_z[anchor, 0]) + _running(change),
        standard_error=jackknife_error(_running(of_change).T),
        quadrature=_running(np.abs(change - cubic)),
    )


def sequences_within(run: Run, energy: ArrayLike, *, anchor: int = 0) -> SequencesWithin:
    """Count the sequences within each of some distances of the anchor, E(x) ≤ energy; β plays no role.

    Every draw represents a known number of sequences. The result is the sum of these numbers over the draws within the
    distance. The weights that fields give to sequences are divided out.

    Args:
        run: a run with a ladder.
        energy: one distance or several, ≥ 0.
        anchor: index of the anchor.

    Raises:
        ValueError: for a negative energy or one that is not finite, and as `thermodynamics` does.

    Example:
        >>> found = analysis.sequences_within(run, [0.5, 1.0])
    """
    checks.like("run", run, "beta", "a Run: sample gives one, and Run.load reads one from a file")
    thresholds = np.atleast_1d(checks.finite_array("energy", energy, at_least=0))
    if thresholds.ndim != 1 or not thresholds.size:
        raise ValueError(f"energy must be a number or an array of some, got shape {list(thresholds.shape)}")
    pooled = mbar(run, anchor)

    def within(chain: int) -> np.ndarray:
        return np.where(pooled.energies[chain][:, None] <= thresholds, 0.0, -np.inf)

    def each_as_one(chain: int) -> np.ndarray:
        return within(chain) - (pooled.counts[chain] @ pooled.mu)[:, None]

    log_number, of_number = pooled.log_sums(each_as_one)
    log_mass, of_mass = pooled.log_sums(within)
    return SequencesWithin(
        energy=thresholds,
        log10_number=log_number / math.log(10),
        log10_number_error=jackknife_error(of_number) / math.log(10),
        log10_share=(log_mass - pooled.log_z[0]) / math.log(10),
        log10_share_error=jackknife_error(of_mass) / math.log(10),
    )


def _hermite(steps: np.ndarray, value: np.ndarray, slope: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """Return integrals between neighbors of a function given at the rungs with two derivatives, [rungs − 1, ...]."""
    return (
        steps / 2 * (value[:-1] + value[1:])
        + steps**2 / 10 * (slope[:-1] - slope[1:])
        + steps**3 / 120 * (curvature[:-1] + curvature[1:])
    )


def _running(changes: np.ndarray) -> np.ndarray:
    """Return sums from the first rung up to each, 0 at the first."""
    return np.concatenate([np.zeros((1, *changes.shape[1:])), np.cumsum(changes, axis=0)])


def _over(values: np.ndarray, betas: np.ndarray) -> np.ndarray:
    return np.divide(values, betas, out=np.full(len(betas), np.nan), where=betas > 0)
