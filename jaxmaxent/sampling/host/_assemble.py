"""What a loop has gathered, as a `Run`."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from jaxmaxent.diagnostics import _free_energy as free_energy
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background
from jaxmaxent.results import Run
from jaxmaxent.sampling.device._background_draws import standing
from jaxmaxent.sampling.device._block import SCALARS
from jaxmaxent.sampling.host._anchor_start import AnchorStart, compare, limited, objection
from jaxmaxent.sampling.host._copies import energies_of_copies
from jaxmaxent.sampling.host._loop import Loop
from jaxmaxent.sampling.host._stopping import Diagnosis, diagnose, has_to_go_on, judge
from jaxmaxent.sampling.host._totals import Record

# A run is judged again when it has grown by a tenth, so that judging costs little beside sampling.
_GROWTH = 1.1
_FEWEST_BATCHES = 16
# Acceptance ratios are wrong by a factor of exp(β × noise): at a tenth the noise decides what the network should.
_NOISY = 0.1


@jax.transfer_guard("allow")
def enough(loop: Loop) -> bool:
    """Whether a run that ends when it knows enough has come there; asked after every batch."""
    until, batches = loop.settings.until, len(loop.record.letters)
    if until is None or batches < _FEWEST_BATCHES:
        return False
    if until.seconds is not None and loop.seconds > until.seconds:
        return True
    # A batch is a 32nd to a 16th of the run: every other batch is about a tenth.
    if batches % 2:
        return False
    return all(_knows_enough(loop, a) for a in range(loop.ensemble.anchors))


def _knows_enough(loop: Loop, anchor: int) -> bool:
    """Whether what is known of an anchor is enough; mostly a first look says that it is not."""
    if has_to_go_on(*_estimates(loop, anchor), loop.settings.wanted):
        return False
    if not _judged(loop, anchor, diagnose(*_estimates(loop, anchor)))[0]:
        return False
    return _compared(loop, anchor, _traces(loop, anchor)[..., 0])[1]


def _estimates(loop: Loop, anchor: int) -> tuple[Record, int, slice, np.ndarray]:
    """What diagnostics of an anchor look at: the record, which anchor, which of its chains, and which letters vary."""
    possible = _possible(loop.ensemble, anchor)
    return loop.record, anchor, slice(0, loop.settings.chains), possible & (possible.sum(1, keepdims=True) > 1)


def _possible(ensemble: Ensemble, anchor: int) -> Bool[np.ndarray, "length letters"]:
    """Return which letters are possible at each position: where it is held the anchor's own, elsewhere all allowed."""
    letters = len(ensemble.alphabet)
    possible = np.arange(letters)[None] == np.asarray(ensemble.anchor)[anchor][:, None]
    possible[np.asarray(ensemble.movable)] = True
    forbidden = ensemble.forbidden()
    return possible if forbidden is None else possible & ~np.asarray(forbidden)


def _judged(loop: Loop, anchor: int, found: Diagnosis) -> tuple[bool, str]:
    """Whether the estimates of an anchor are good enough, and why."""
    fields = tuple(f"{field.name} count" for field in loop.ensemble.fields)
    return judge(found, loop.settings.wanted, loop.ensemble.alphabet.letters, fields, loop.betas[anchor])


@jax.transfer_guard("allow")
def result(loop: Loop, compile_seconds: float) -> Run:
    """The run of a loop that has come to its end."""
    ensemble, settings, record = loop.ensemble, loop.settings, loop.record
    anchors = [_of_anchor(loop, a) for a in range(ensemble.anchors)]
    together: dict[str, Any] = {name: np.stack([one[name] for one in anchors]) for name in anchors[0]}
    outcomes = tuple(str(text) for text in together.pop("outcome"))
    fields = ensemble.fields
    return Run(
        names=settings.names,
        letters=ensemble.alphabet.letters,
        field_names=tuple(field.name for field in fields),
        anchors=np.asarray(ensemble.anchor, np.uint8),
        beta=np.asarray(loop.betas, float),
        mu=np.stack([np.asarray(f.mu, float) for f in fields], -1) if fields else np.zeros((ensemble.anchors, 0)),
        outcomes=outcomes,
        last=_last(loop),
        draws=_draws(loop),
        steps=np.full(ensemble.anchors, record.counted * settings.thin),
        burn_in=settings.burn_in,
        thin=settings.thin,
        seconds=loop.seconds,
        compile_seconds=compile_seconds,
        proposals_per_second=_proposals(loop) / max(loop.seconds, 1e-9),
        device=device_name(),
        evaluation=settings.evaluation,
        **together,
    )


def _proposals(loop: Loop) -> int:
    return loop.steps * loop.plan.chains * loop.plan.replicas * loop.ensemble.anchors


def _of_anchor(loop: Loop, a: int) -> dict[str, Any]:
    """The entries of a run that belong to one anchor."""
    record, chains = loop.record, slice(0, loop.settings.chains)
    found = diagnose(*_estimates(loop, a))
    letters = record.sums["letters"][a, chains].sum(0)
    means, variances = record.scalars.mean[a, chains], record.scalars.variance()[a, chains]
    # Total variance: within chains plus between their means.
    variance = variances.mean(0) + means.var(0)
    sequences = letters[:, 0].sum(-1)  # that counted at every rung
    accepted = record.sums["accepted"][a, chains].sum(0) / (sequences * loop.plan.thin)
    traces = _traces(loop, a)
    log_z, log_z_error = _free_energy(loop, a, traces[..., 0])
    start, believed, remark = _compared(loop, a, traces[..., 0])
    good, outcome = _outcome(loop, a, found, believed, remark)
    return {
        "frequencies": letters / sequences[:, None, None],
        "frequency_errors": found.letter_mcse,
        "frequency_rhat": found.letter_rhat,
        "frequency_ess": found.letter_ess,
        "energy": means[..., 0].mean(0),
        "energy_error": found.scalar_mcse[:, 0],
        "energy_rhat": found.scalar_rhat[:, 0],
        "energy_ess": found.scalar_ess[:, 0],
        "energy_tail_ess": found.scalar_tail_ess[:, 0],
        "field_mean": means[..., SCALARS:].mean(0),
        "field_error": found.scalar_mcse[:, SCALARS:],
        "field_variance": variance[:, SCALARS:],
        "field_rhat": found.scalar_rhat[:, SCALARS:],
        "field_ess": found.scalar_ess[:, SCALARS:],
        "acceptance": np.where(np.arange(loop.plan.rungs) < loop.plan.has_source, np.nan, accepted),
        "swap_acceptance": record.sums["exchange"][a, chains].mean(0) / record.counted,
        "arrivals": record.sums["trips"][a, chains, 0].sum(),
        "round_trips": record.sums["round_trips"][a, chains].sum(),
        "log_z": log_z,
        "log_z_error": log_z_error,
        "energies": np.moveaxis(traces[..., 0], 2, 0),
        "counts": np.moveaxis(traces[..., SCALARS:], 2, 0),
        "anchor_start_energy": start.energy,
        "anchor_start_error": start.error,
        "drift": float(np.max(loop.carry.drift[a])),
        "energy_noise": loop.noise[a],
        "converged": good,
        "outcome": outcome,
    }


def _outcome(loop: Loop, a: int, found: Diagnosis, believed: bool, remark: str) -> tuple[bool, str]:
    good, why = _judged(loop, a, found)
    good, why = good and believed, f"{why}; {remark}"
    if loop.noise[a] > _NOISY:
        good, why = False, f"{why}; energies are noisy: β times their noise is {loop.noise[a]:.2g}, above {_NOISY:g}"
    steps = f"after {loop.record.counted * loop.plan.thin:,} steps"
    return good, f"{'converged' if good else 'not converged'} {steps}: {why}"


def _compared(loop: Loop, a: int, energies: Float[np.ndarray, "chains states rungs"]) -> tuple[AnchorStart, bool, str]:
    """Return what chains started at an anchor saw, whether the others are to be believed, and a sentence on that."""
    if not loop.settings.extra:
        unknown = np.full(loop.plan.rungs, np.nan)
        return AnchorStart(unknown, unknown, np.isnan(unknown), np.nan), True, "no chain was started at the anchor"
    record, chains = loop.record, loop.settings.chains
    start = compare(record, a, chains)
    if start.agrees[-1]:
        log_z = log_z_error = math.nan  # not asked for
    else:
        log_z, log_z_error = (values[-1] for values in _free_energy(loop, a, energies))
        start = _limited(loop, a, start)
    energy = record.scalars.mean[a, :chains, -1, 0].mean()
    return start, *objection(start, loop.betas[a], energy, log_z, log_z_error)


def _limited(loop: Loop, a: int, start: AnchorStart) -> AnchorStart:
    """Return what chains started at an anchor saw, with the limit of log Z of their state."""
    one = loop.ensemble.take(a)
    if a not in loop.copies:
        loop.copies[a] = energies_of_copies(one)
    return limited(
        start, loop.record, a, loop.settings.chains, beta=float(loop.betas[a, -1]),
        mu=np.asarray(one.mu(), np.float64), choices=_possible(loop.ensemble, a).sum(1),
        copies=lambda most: max(1, int((loop.copies[a] <= most).sum())),
    )  # fmt: skip


def _traces(loop: Loop, a: int) -> Float[np.ndarray, "chains states rungs scalars"]:
    """Energies, distances and counts of the traced states of one anchor."""
    return np.stack([row[a, : loop.settings.chains] for row in loop.record.traces], axis=1)


def _free_energy(
    loop: Loop, a: int, energies: Float[np.ndarray, "chains states rungs"]
) -> tuple[Float[np.ndarray, " rungs"], Float[np.ndarray, " rungs"]]:
    """log Z at every rung and its standard error."""
    if not loop.plan.has_source:
        unknown = np.full(1, np.nan)
        return unknown, unknown
    one = loop.ensemble.take(a)
    with jax.enable_x64(True):  # it is exact, so let it be so
        first = float(background.log_partition(one, jnp.asarray(one.mu(), jnp.float64)))
    return free_energy.along(loop.betas[a], energies, first)


def _by_place(loop: Loop, tokens: np.ndarray) -> np.ndarray:
    """Tokens of replicas [anchors, ladders, replicas, length] in the order of the places they stand at."""
    at = np.asarray(loop.carry.at)[..., None]
    return np.take_along_axis(tokens, at, axis=2)


def _last(loop: Loop) -> np.ndarray:
    """The last sequence of every chain at every place; at β = 0, where there is no chain, a fresh draw."""
    walked = _by_place(loop, np.asarray(loop.carry.states.tokens, np.uint8))[:, : loop.settings.chains].swapaxes(1, 2)
    if loop.carry.source is None:
        return walked
    now = standing(loop.steps // loop.plan.thin - 1, loop.plan.drawn_together)  # in the last exchange
    fresh = np.asarray(loop.carry.source.tokens[:, : loop.settings.chains, now], np.uint8)[:, None]
    return np.concatenate([fresh, walked], axis=1)


def _draws(loop: Loop) -> np.ndarray | None:
    """Stored draws, [anchors, rungs, draws, chains, length]."""
    if not loop.draws:
        return None
    every = np.concatenate(loop.draws, axis=2)[:, : loop.settings.chains]
    return np.ascontiguousarray(every.transpose(0, 3, 2, 1, 4))


def device_name() -> str:
    """What JAX computes on, for example "NVIDIA H200 (gpu)" or "cpu"."""
    kind, backend = jax.devices()[0].device_kind, jax.default_backend()
    return backend if kind == backend else f"{kind} ({backend})"
