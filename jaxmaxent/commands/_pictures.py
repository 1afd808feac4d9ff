"""The pictures of a run, as PNG files in memory: the profile, its ladder, and the logos on the way to it."""

from __future__ import annotations

import numpy as np

from jaxmaxent import plot
from jaxmaxent.analysis import Profile, Thermodynamics, sequences_within
from jaxmaxent.console import printable
from jaxmaxent.data import Sequences
from jaxmaxent.report import Picture
from jaxmaxent.results import Run

_LOGOS = 5
_THRESHOLDS = 61


def profile_logo(result: Run, a: int, found: Profile, anchors: Sequences) -> bytes:
    """The logo at the wanted β, over the anchor's own letters."""
    axes = plot.logo(
        found.frequencies,
        letters=result.letters,
        standard_error=found.frequency_errors,
        anchor=anchors.alphabet.decode(anchors.tokens)[a],
        title=f"{printable(result.names[a])}, β = {result.beta[a, -1]:g}",
    )
    return plot.png(axes)


def along_ladder(result: Run, a: int, profiles: list[Profile]) -> list[Picture]:
    """What the ladder shows of an anchor, given its profile at every rung; nothing for a single β."""
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
            "Mean energy (bars: ± 2 standard errors), information of all positions (band: ± 1 standard error at most), "
            "and how often neighbouring rungs exchange. Where chains started at the anchor part from those that came "
            "from the background, at least one of the two is not in equilibrium.",
            plot.png(panels),
        ),
        Picture(
            "From coarse to fine",
            "Logos at some of the β's: what the network looks at first, and what it adds.",
            plot.png(logos),
        ),
    ]


def how_many(result: Run, a: int, found: Thermodynamics | None) -> list[Picture]:
    """How many sequences the network holds equal to an anchor; nothing where that is not known, or for a single β."""
    if found is None or not np.isfinite(found.heat_capacity).all() or not result.beta[a, -1] > result.beta[a, 0]:
        return []
    # From where a few draws of the sharpest rung lie to where the background lies.
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
            "How many sequences",
            "Entropy of the draws in bits and heat capacity along β, and how many sequences lie within a distance of "
            "the anchor (bands: ± 2 standard errors). A peak of the heat capacity is where draws change over from any "
            "sequence to such as the network takes for the anchor.",
            plot.png(panels),
        )
    ]


def _rungs_to_show(bits: np.ndarray) -> list[int]:
    """Some rungs up to the last, apart both in information and along the ladder."""
    last = len(bits) - 1
    progress = np.arange(last + 1) / last + np.clip(bits / max(bits[-1], 1e-9), 0, 1)
    wanted = 2 * np.arange(1, _LOGOS) / _LOGOS
    nearest = {int(np.argmin(np.abs(progress - value))) for value in wanted}
    return sorted((nearest | {last}) - {0})
