"""The pictures of a run for its report, as PNG files in memory."""

from __future__ import annotations

import numpy as np

from jaxmaxent import plot
from jaxmaxent.analysis import Profile, Thermodynamics, sequences_within
from jaxmaxent.console import printable
from jaxmaxent.data import Sequences
from jaxmaxent.report import Picture
from jaxmaxent.report._values import shown, whole, with_error
from jaxmaxent.results import Run

_LOGOS = 5
_THRESHOLDS = 61


def profile_logo(result: Run, a: int, k: int, found: Profile, anchors: Sequences) -> bytes:
    """Return the logo at a rung, above the anchor's letters, as a PNG file."""
    axes = plot.logo(
        found.frequencies,
        letters=result.letters,
        standard_error=found.frequency_errors,
        anchor=anchors.alphabet.decode(anchors.tokens)[a],
        title=f"{printable(result.names[a])}, β = {result.beta[a, k]:g}",
    )
    return plot.png(axes)


def at_beta(result: Run, a: int, k: int, logo: bytes) -> Picture:
    """Return the logo at a β that was asked for besides the target, with its numbers."""
    bits, error = result.total_information[a, k], result.total_information_error[a, k]
    return Picture(
        f"β = {result.beta[a, k]:.6g}",
        f"{with_error(bits, error)} bits in total, mean energy {result.energy[a, k]:.3g}, largest R-hat "
        f"{shown(result.max_rhat[a, k])}, smallest ESS {whole(result.min_ess[a, k])}. All β's are of one run.",
        logo,
    )


def along_ladder(result: Run, a: int, profiles: list[Profile]) -> list[Picture]:
    """Return the pictures of an anchor along its ladder, from its profile at every rung; none for a single β."""
    if not result.beta[a, -1] > result.beta[a, 0]:
        return []
    bits = np.array([found.information.sum() for found in profiles])
    panels = plot.ladder(
        result.beta[a], result.energy[a], bits, result.swap_acceptance[a], energy_error=result.energy_error[a],
        information_error=np.array([found.information_errors.sum() for found in profiles]),
        anchor_start=result.anchor_start_energy[a], anchor_start_error=result.anchor_start_error[a],
    )  # fmt: skip
    rungs = _rungs_to_show(bits)
    logos = plot.resolutions(
        result.beta[a, rungs],
        result.frequencies[a, rungs],
        letters=result.letters,
        standard_error=result.frequency_errors[a, rungs],
        titles=[
            f"β = {result.beta[a, k]:.3g}: {bits[k]:.1f} bits, mean energy {result.energy[a, k]:.3g}" for k in rungs
        ],
    )
    return [
        Picture(
            "Along β",
            "Mean energy (bars: ± 2 standard errors), information of all positions (band: upper bound of ± 1 "
            "standard error), and acceptance of swaps between neighbouring rungs; Λ is the sum of their refusals. If "
            "chains started at the anchor and chains from the background have different energies, at least one of the "
            "two is not in equilibrium.",
            plot.png(panels),
        ),
        Picture(
            "From coarse to fine",
            "Logos at some of the β's. The letters that matter most to the network appear at small β, the others at "
            "larger β.",
            plot.png(logos),
        ),
    ]


def number_of_sequences(result: Run, a: int, found: Thermodynamics | None) -> list[Picture]:
    """Return the picture of the number of sequences that the network treats as equal to an anchor.

    The list is empty if the numbers are not known, or for a single β.
    """
    if found is None or not np.isfinite(found.heat_capacity).all() or not result.beta[a, -1] > result.beta[a, 0]:
        return []
    # The distances go from the smallest energies, of the target, to the largest, of the background.
    nearest, furthest = np.nanquantile(result.energies[a], [0.001, 0.99])
    if not furthest > nearest:
        return []
    distances = np.linspace(nearest, furthest, _THRESHOLDS)
    within = sequences_within(result, distances, anchor=a)
    known = np.isfinite(within.log10_number)
    if known.sum() < 2:
        return []
    panels = plot.thermodynamics(
        found.beta, found.entropy, found.heat_capacity, distances[known], within.log10_number[known],
        entropy_error=found.entropy_error, heat_capacity_error=found.heat_capacity_error,
        log10_number_error=within.log10_number_error[known],
    )  # fmt: skip
    return [
        Picture(
            "Number of sequences",
            "Entropy of the draws in bits, heat capacity, and the number of sequences within each distance of the "
            "anchor (bands: ± 2 standard errors). At a peak of the heat capacity the draws change from arbitrary "
            "sequences to sequences that the network treats as equal to the anchor.",
            plot.png(panels),
        )
    ]


def _rungs_to_show(bits: np.ndarray) -> list[int]:
    """Return a few rungs, with the target, that differ in information and in position on the ladder."""
    last = len(bits) - 1
    progress = np.arange(last + 1) / last + np.clip(bits / max(bits[-1], 1e-9), 0, 1)
    wanted = 2 * np.arange(1, _LOGOS) / _LOGOS
    nearest = {int(np.argmin(np.abs(progress - value))) for value in wanted}
    return sorted((nearest | {last}) - {0})
