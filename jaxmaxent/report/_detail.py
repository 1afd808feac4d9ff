"""The numbers of a run that the page shows when a reader asks for them: packed once, unpacked one anchor at a time."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from jaxmaxent.analysis import Couplings, FoundSite, Necessity, SequencesWithin, Sufficiency, Thermodynamics
from jaxmaxent.diagnostics import TwoLegs, judge_legs
from jaxmaxent.results import Run

# The script has the same numbers under the same names.
STEPS = 1000  # steps of a frequency between 0 and 1; a step is a small part of its usual standard error
LEAST_ERROR, ERROR_LEVELS = 1e-4, 100  # levels of a standard error from this to 1, by a constant ratio
RHAT_FROM, RHAT_SCALE, RHAT_LEVELS = 0.99, 0.01, 15  # a level per (R-hat − 0.98) / 15
ESS_LEVELS = 5  # levels of an effective sample size per factor e
_DIGITS = 5
_TRACK_STEPS = 65000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Detail:
    """The results that the page shows of each anchor, at every β and position. Only the run is needed.

        write_report("report.html", title="My network", detail=Detail(run=run))

    Attributes:
        run: the run.
        necessity: that of all anchors of the run.
        sufficiency: that of all anchors of the run.
        sites: the sites of all anchors.
        thermodynamics: those of each anchor; None where they are not known.
        within: the numbers of sequences within distances of each anchor; None where they are not known.
        couplings: those of each anchor; None where they are not known.
        rungs_at: β's to offer beside the slider, each of which is a rung of every anchor.

    Raises:
        ValueError: if a list or an array has not one entry per anchor of the run, or an anchor has no rung at a β.
    """

    run: Run
    necessity: Necessity | None = None
    sufficiency: Sufficiency | None = None
    sites: Sequence[FoundSite] = ()
    thermodynamics: Sequence[Thermodynamics | None] | None = None
    within: Sequence[SequencesWithin | None] | None = None
    couplings: Sequence[Couplings | None] | None = None
    rungs_at: Sequence[float] = ()

    def __post_init__(self) -> None:
        count = len(self.run.names)
        for name in ("thermodynamics", "within", "couplings"):
            given = getattr(self, name)
            if given is not None and len(given) != count:
                raise ValueError(f"{name} must have one entry for each of the {count} anchors, got {len(given)}")
        for name in ("necessity", "sufficiency"):
            given = getattr(self, name)
            if given is not None and given.positions.shape != self.run.anchors.shape:
                raise ValueError(
                    f"{name} must be that of the {count} anchors of the run, with positions of shape "
                    f"{self.run.anchors.shape}, got {given.positions.shape}"
                )
        for a in range(count):
            for beta in self.rungs_at:
                self.run.rung_at(beta, anchor=a)


def packed(detail: Detail, a: int) -> str:
    """Return the numbers of an anchor as base64 of a zlib stream.

    The stream has the length of a JSON object in bytes (4 bytes, little-endian), the object, and planes of bytes, whose
    names and lengths the object lists.
    """
    run, planes = detail.run, {}
    legs = _legs(run, a)
    shown = run.frequencies[a] if legs is None else np.concatenate([run.frequencies[a], run.reference[a][None]])
    low, high = np.divmod(_levels(shown[..., :-1] * STEPS, STEPS), 256)[::-1]
    planes |= {"frequency_high": high, "frequency_low": low}  # of all letters but the last, which follows
    planes |= {
        "error": _error_levels(run.frequency_errors[a]),
        "rhat": _rhat_levels(run.frequency_rhat[a]),
        "ess": _ess_levels(run.frequency_ess[a]),
    }
    tracks, track_planes = _tracks(detail, a)
    planes |= track_planes
    head = _along_ladder(detail, a) | {
        "tokens": run.anchors[a].tolist(),
        "legs": legs,
        "tracks": tracks,
        "sites": [_of_site(site) for site in detail.sites if site.anchor == a],
        "couplings": _pairs(None if detail.couplings is None else detail.couplings[a], run.letters),
        "planes": [[name, int(plane.size)] for name, plane in planes.items()],
    }
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode()
    body = b"".join(np.ascontiguousarray(plane, np.uint8).tobytes() for plane in planes.values())
    return base64.b64encode(zlib.compress(len(text).to_bytes(4, "little") + text + body, 9)).decode("ascii")


def small_logo(frequencies: Float[np.ndarray, "window letters"]) -> str:
    """Return letter frequencies as base64, one byte each, 255 for 1."""
    return base64.b64encode(_levels(frequencies * 255, 255).astype(np.uint8).tobytes()).decode("ascii")


def _along_ladder(detail: Detail, a: int) -> dict[str, Any]:
    """Return the numbers of each rung."""
    run = detail.run.take(np.array([a]))  # properties of a run are computed for all of its anchors
    numbers = {
        "beta": run.beta[0],
        "bits": run.total_information[0],
        "bits_error": run.total_information_error[0],
        "energy": run.energy[0],
        "energy_error": run.energy_error[0],
        "anchor_start": run.anchor_start_energy[0],
        "anchor_start_error": run.anchor_start_error[0],
        "max_rhat": run.max_rhat[0],
        "min_ess": run.min_ess[0],
        "swap": run.swap_acceptance[0],
        "reference_swap": run.reference_swap_acceptance[0],
        "barriers": run.barriers[0],
    }
    heat = None if detail.thermodynamics is None else detail.thermodynamics[a]
    if heat is not None:
        numbers |= {
            "entropy": heat.entropy,
            "entropy_error": heat.entropy_error,
            "heat": heat.heat_capacity,
            "heat_error": heat.heat_capacity_error,
        }
    within = None if detail.within is None else detail.within[a]
    if within is not None:
        numbers |= {
            "within": within.energy,
            "log10_number": within.log10_number,
            "log10_number_error": within.log10_number_error,
        }
    offered = [run.rung_at(beta) for beta in detail.rungs_at]
    return {name: _rounded(values) for name, values in numbers.items()} | {"offered": offered}


def _legs(run: Run, a: int) -> list[Any] | None:
    """Return whether both legs agree on the target, and a sentence on it; None without a second leg.

    With a second leg, the frequencies of the reference follow those of the rungs.
    """
    if not np.isfinite(run.reference[a]).all():
        return None
    both = float(run.leg_log_z[a, 0]), float(run.leg_log_z[a, 1])
    legs = TwoLegs(run.log_z[a], run.log_z_error[a], both, float(run.leg_difference_error[a]))
    return list(judge_legs(legs, (int(run.arrivals[a]), int(run.reference_arrivals[a]))))


def _tracks(detail: Detail, a: int) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Return the maps of an anchor along its positions: a line about each, and two planes of bytes."""
    about, planes = [], {}
    for name, found in (("necessity", detail.necessity), ("sufficiency", detail.sufficiency)):
        if found is None:
            continue
        both = np.stack([found.positions[a], found.position_errors[a]])
        known = np.isfinite(both)
        low = float(np.min(both, where=known, initial=0))
        scale = float(np.max(both, where=known, initial=0) - low) or 1.0
        # The largest number is that of an unknown value.
        levels = np.where(known, _levels((both - low) / scale * _TRACK_STEPS, _TRACK_STEPS), 65535)
        planes |= {f"{name}_high": levels // 256, f"{name}_low": levels % 256}
        about.append({"name": name, "width": found.width, "low": low, "step": scale / _TRACK_STEPS})
    if detail.sufficiency is not None and about:
        about[-1]["background"] = _rounded(detail.sufficiency.background[a : a + 1])[0]
    return about, planes


def _of_site(site: FoundSite) -> list[Any]:
    numbers = [site.necessity, site.necessity_error, site.sufficiency, site.sufficiency_error]
    return [site.start, site.stop, bool(site.redundant), *_rounded(np.array(numbers))]


def _pairs(found: Couplings | None, letters: str) -> list[list[Any]]:
    """Return the coupled pairs: both positions, bits and their error, and the letters that go together most."""
    if found is None:
        return []
    return [
        [pair.first, pair.second, *_rounded(np.array([pair.mutual_information, pair.error])),
         pair.together(letters)[0][0]]
        for pair in found.pairs
    ]  # fmt: skip


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in np.asarray(values, float)]


def _levels(values: np.ndarray, most: int) -> np.ndarray:
    return np.clip(np.nan_to_num(np.rint(values)), 0, most).astype(np.int64)


def _error_levels(errors: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Return 0 for an unknown error, 1 for 0, and from 2 on the logarithm of the error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.log(errors / LEAST_ERROR) / -math.log(LEAST_ERROR) * ERROR_LEVELS
    return _with_marks(errors, 2 + _levels(scaled, ERROR_LEVELS))


def _rhat_levels(rhat: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Return 0 for an unknown R-hat, and from 1 on the logarithm of its distance from 0.98."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scaled = RHAT_LEVELS * np.log1p(np.maximum(rhat - RHAT_FROM, 0) / RHAT_SCALE)
    return np.where(np.isnan(rhat), 0, 1 + _levels(scaled, 254)).astype(np.uint8)


def _ess_levels(ess: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Return 0 for an unknown size, 1 for 0, and from 2 on its logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = ESS_LEVELS * np.log(np.maximum(ess, 1))
    return _with_marks(ess, 2 + _levels(scaled, 253))


def _with_marks(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), np.where(values <= 0, 1, levels), 0).astype(np.uint8)
