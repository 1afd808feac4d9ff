"""The numbers of a run in `summary.json`. The names of fields are the keys in that file."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxmaxent.analysis import Profile, Thermodynamics, information_bits
from jaxmaxent.commands import _kmers as kmers
from jaxmaxent.commands._regions import region_entry
from jaxmaxent.commands._whole import Whole
from jaxmaxent.results import Run
from jaxmaxent.results._blank import advice
from jaxmaxent.results._in_parts import RunParts
from jaxmaxent.results._mobility import is_mobile

_NAMED = 5
_AT_TARGET = ("beta", "mean_energy", "mean_energy_error", "acceptance", "max_rhat", "min_ess")
_OPTIONAL = (
    "entropy_bits", "entropy_bits_error", "log10_sequences", "log10_sequences_error", "gc", "gc_error", "beta_reason",
    "advice", "barrier", "reference_barrier", "asked", "region", "kmers",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class RungSummary:
    """The numbers of one rung of an anchor.

    The error of the information is an upper bound: the sum of the errors of the positions.
    """

    beta: float
    mean_energy: float
    mean_energy_error: float
    acceptance: float
    information_bits: float
    information_bits_error: float
    swap_acceptance_with_next: float | None
    max_rhat: float
    min_ess: float
    log_z: float
    log_z_error: float
    anchor_start_energy: float
    anchor_start_error: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class AtBeta:
    """The further numbers of the draws at a β that was asked for."""

    consensus: str
    information_bits: Float[np.ndarray, " length"]
    information_bits_error: Float[np.ndarray, " length"]
    # Of all positions together, against the background and without bias.
    total_information_bits: float
    total_information_bits_error: float
    # These are known only with a ladder on which all neighboring rungs have draws in common.
    entropy_bits: float | None
    entropy_bits_error: float | None
    log10_sequences: float | None
    log10_sequences_error: float | None
    # These are known only with a field of G and C.
    gc: float | None
    gc_error: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnchorSummary(AtBeta):
    """The numbers of an anchor and of each of its rungs; the target is the last rung."""

    name: str
    region: dict[str, Any] | None  # in the genome, if the name says so
    mu: float
    beta_reason: str | None
    converged: bool
    outcome: str
    steps: int
    arrivals: int
    round_trips: int
    # Whether sites count wherever they stand, and where they are in this sequence.
    mobility: float
    mobility_error: float
    mobility_told: str
    where: dict[str, Any]
    kmers: dict[str, Any] | None  # those of the draws, if they were counted
    advice: str | None  # if the letters hold nearly nothing
    # The global communication barriers Λ of both legs; None for a leg that there is not.
    barrier: float | None
    reference_barrier: float | None
    ladder: list[RungSummary]
    asked: dict[int, AtBeta] | None  # by the rungs of all β's that were asked for, if there are several
    # These numbers are of the whole run.
    proposals_per_second: float
    compile_seconds: float

    @property
    def target(self) -> RungSummary:
        """Return the numbers of the target."""
        return self.ladder[-1]

    def as_json(self) -> dict[str, Any]:
        """Return the entries of `summary.json`, without optional numbers that are not known."""
        known = _known(self)
        if self.asked is not None:
            known["asked"] = [
                {"rung": k} | _at_rung(self.ladder[k]) | _known(found) for k, found in sorted(self.asked.items())
            ]
        ladder = known.pop("ladder")  # the longest entry is written last
        return {"name": self.name} | _at_rung(self.target) | known | {"ladder": ladder}


def _known(found: AtBeta) -> dict[str, Any]:
    """Return the numbers by their names, without optional ones that are not known."""
    entries = dataclasses.asdict(found)
    return {key: value for key, value in entries.items() if value is not None or key not in _OPTIONAL}


def _at_rung(rung: RungSummary) -> dict[str, Any]:
    return {key: getattr(rung, key) for key in _AT_TARGET}


def summarize(
    result: Run,
    a: int,
    profiles: list[Profile],
    heat: Thermodynamics | None,
    reason: str | None,
    asked: list[int],
    where: dict[str, Any],
) -> AnchorSummary:
    """Return the numbers of an anchor.

    Args:
        result: the run.
        a: index of the anchor.
        profiles: the profile at every rung, the target last.
        heat: entropies along the ladder, or None if they are not known.
        reason: why the anchor has its β, if it was chosen automatically.
        asked: rungs of all β's that were asked for.
        where: the numbers of the anchor's maps.
    """
    several = {k: AtBeta(**_at_beta(result, a, k, profiles[k], heat)) for k in asked} if len(asked) > 1 else None
    return AnchorSummary(
        **_at_beta(result, a, -1, profiles[-1], heat),
        name=result.names[a],
        region=region_entry(result.names[a], result.anchors.shape[1]).get("region"),
        mu=result.mu[a, 0] if result.field_names else 0.0,
        beta_reason=reason,
        converged=result.converged[a],
        outcome=result.outcomes[a],
        steps=result.steps[a],
        arrivals=result.arrivals[a],
        round_trips=result.round_trips[a],
        mobility=result.mobility[a],
        mobility_error=result.mobility_error[a],
        mobility_told=result.mobility_outcomes[a],
        where=where,
        kmers=kmers.as_json(kmers.kmers_of(result, a)),
        advice=advice_for(result, a),
        barrier=result.barriers[a, 0] if result.swap_acceptance.shape[1] else None,
        reference_barrier=result.barriers[a, 1] if result.reference_share.shape[1] else None,
        ladder=[_summarize_rung(result, a, k, at_rung) for k, at_rung in enumerate(profiles)],
        asked=several,
        proposals_per_second=result.proposals_per_second,
        compile_seconds=result.compile_seconds,
    )


def _at_beta(result: Run, a: int, k: int, found: Profile, heat: Thermodynamics | None) -> dict[str, Any]:
    """Return the numbers of `AtBeta` at a rung by their names."""
    gc, gc_error = _gc(result, a, k)
    return {
        "consensus": found.consensus,
        "information_bits": found.information,
        "information_bits_error": found.information_errors,
        "total_information_bits": result.total_information[a, k],
        "total_information_bits_error": result.total_information_error[a, k],
        "entropy_bits": None if heat is None else heat.entropy[k],
        "entropy_bits_error": None if heat is None else heat.entropy_error[k],
        "log10_sequences": None if heat is None else heat.log10_number[k],
        "log10_sequences_error": None if heat is None else heat.log10_number_error[k],
        "gc": gc,
        "gc_error": gc_error,
    }


def advice_for(result: Run, a: int) -> str | None:
    """Return a sentence that says what to try if the letters of an anchor hold nearly nothing.

    That is another β, or another analysis if sites may stand anywhere. Where draws have k-mers that stand anywhere,
    they are no arbitrary sequences, though no position holds a letter.
    """
    mobile = is_mobile(result.mobility[a])
    moving = kmers.kmers_of(result, a) if mobile else None
    if moving is not None and moving.kmers:
        return None
    information = information_bits(result.frequencies[a, -1])
    return advice(result.beta[a], result.total_information[a], information, mobile=mobile)


def outcomes(result: Run) -> list[str]:
    """Return lines for each anchor: how it ended, what its letters hold, whether its sites move, k-mers, and advice."""
    bits, errors = result.total_information[:, -1], result.total_information_error[:, -1]
    lines = []
    for a, name in enumerate(result.names):
        error = f" ± {errors[a]:.1f}" if np.isfinite(errors[a]) else ""
        lines.append(
            f"{name}: {result.outcomes[a]}; {bits[a]:.1f}{error} bits in total at β = {result.beta[a, -1]:.4g}"
        )
        lines.append(f"{name}: {result.mobility_outcomes[a]}")
        found = kmers.kmers_of(result, a) if is_mobile(result.mobility[a]) else None
        lines += [] if found is None else [f"{name}: {kmers.told(found)}"]
        tried = advice_for(result, a)
        lines += [] if tried is None else [f"{name}: {tried}"]
    return lines


def outcome(result: Run | Whole | RunParts) -> str:
    """Return a sentence about convergence, with the names of sequences that did not converge."""
    missing = [name for name, good in zip(result.names, result.converged, strict=True) if not good]
    count = len(result.names)
    if not missing:
        return f"converged: {count} of {count} sequences"
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return f"not converged: {len(missing)} of {count} sequences ({', '.join(missing[:_NAMED])}{more})"


def _gc(result: Run, a: int, k: int) -> tuple[float | None, float | None]:
    """Return the mean share of G and C at a rung and its error, or None without a GC field."""
    if "GC" not in result.field_names:
        return None, None
    field, length = result.field_names.index("GC"), result.anchors.shape[1]
    return result.field_mean[a, k, field] / length, result.field_error[a, k, field] / length


def _summarize_rung(result: Run, a: int, k: int, found: Profile) -> RungSummary:
    return RungSummary(
        beta=result.beta[a, k],
        mean_energy=result.energy[a, k],
        mean_energy_error=result.energy_error[a, k],
        acceptance=result.acceptance[a, k],
        information_bits=float(found.information.sum()),
        information_bits_error=float(found.information_errors.sum()),
        swap_acceptance_with_next=result.swap_acceptance[a, k] if k < result.swap_acceptance.shape[1] else None,
        max_rhat=result.max_rhat[a, k],
        min_ess=result.min_ess[a, k],
        log_z=result.log_z[a, k],
        log_z_error=result.log_z_error[a, k],
        anchor_start_energy=result.anchor_start_energy[a, k],
        anchor_start_error=result.anchor_start_error[a, k],
    )
