"""The `Run` of a loop that has come to its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from jaxmaxent import diagnostics
from jaxmaxent.diagnostics import Verdict
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background
from jaxmaxent.results import Run
from jaxmaxent.sampling.device._background_draws import standing
from jaxmaxent.sampling.device._counters import SCALARS
from jaxmaxent.sampling.host._loop import Loop


@jax.transfer_guard("allow")
def result(loop: Loop, verdicts: Sequence[Verdict], compile_seconds: float) -> Run:
    """Return the run of a loop that has come to its end, with the verdicts on its anchors."""
    ensemble, options, totals = loop.ensemble, loop.options, loop.totals
    anchors = [_of_anchor(loop, a, one) for a, one in enumerate(verdicts)]
    together: dict[str, Any] = {name: np.stack([one[name] for one in anchors]) for name in anchors[0]}
    fields = ensemble.fields
    return Run(
        names=options.names,
        letters=ensemble.alphabet.letters,
        field_names=tuple(field.name for field in fields),
        anchors=np.asarray(ensemble.anchor, np.uint8),
        beta=np.asarray(loop.betas, float),
        mu=np.stack([np.asarray(f.mu, float) for f in fields], -1) if fields else np.zeros((ensemble.anchors, 0)),
        outcomes=tuple(one.outcome for one in verdicts),
        last=_last(loop),
        draws=_stored(loop),
        steps=np.full(ensemble.anchors, totals.draws * options.thin),
        burn_in=options.burn_in,
        thin=options.thin,
        seconds=loop.seconds,
        compile_seconds=compile_seconds,
        proposals_per_second=_proposals(loop) / max(loop.seconds, 1e-9),
        device=device_name(),
        evaluation=options.evaluation,
        **together,
    )


def _proposals(loop: Loop) -> int:
    return loop.steps * loop.program.all_chains * loop.program.replicas * loop.ensemble.anchors


def _of_anchor(loop: Loop, a: int, verdict: Verdict) -> dict[str, Any]:
    """Return the entries of a run that belong to one anchor."""
    totals, chains, found = loop.totals, slice(0, loop.options.chains), verdict.found
    letters = totals.sums["letters"][a, chains].sum(0)
    means, variances = totals.scalars.mean[a, chains], totals.scalars.variance()[a, chains]
    # Total variance: within chains plus between their means.
    variance = variances.mean(0) + means.var(0)
    sequences = letters[:, 0].sum(-1)  # at every rung, those that counted
    accepted = totals.sums["accepted"][a, chains].sum(0) / (sequences * loop.program.thin)
    traces = _traces(loop, a)
    log_z, log_z_error = free_energies(loop, a)
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
        "acceptance": np.where(np.arange(loop.program.rungs) < loop.program.has_background, np.nan, accepted),
        "swap_acceptance": totals.sums["swaps"][a, chains].mean(0) / totals.draws,
        "arrivals": totals.sums["trips"][a, chains, 0].sum(),
        "round_trips": totals.sums["round_trips"][a, chains].sum(),
        "log_z": log_z,
        "log_z_error": log_z_error,
        "energies": np.moveaxis(traces[..., 0], 2, 0),
        "counts": np.moveaxis(traces[..., SCALARS:], 2, 0),
        "anchor_start_energy": verdict.start.energy,
        "anchor_start_error": verdict.start.error,
        "drift": float(np.asarray(loop.carry.drift)[a].max()),
        "energy_noise": loop.noise[a],
        "converged": verdict.converged,
    }


def free_energies(loop: Loop, a: int) -> tuple[Float[np.ndarray, " rungs"], Float[np.ndarray, " rungs"]]:
    """Return log Z of one anchor at every rung and its standard error, NaN without a ladder."""
    return _free_energy(loop, a, _traces(loop, a)[..., 0])


def _free_energy(
    loop: Loop, a: int, energies: Float[np.ndarray, "chains states rungs"]
) -> tuple[Float[np.ndarray, " rungs"], Float[np.ndarray, " rungs"]]:
    """Return log Z at every rung and its standard error."""
    if not loop.program.has_background:
        unknown = np.full(1, np.nan)
        return unknown, unknown
    one = of_one(loop.ensemble, a)
    with jax.enable_x64(True):  # it is exact, so let it be so
        first = float(background.log_partition(one, jnp.asarray(one.mu(), jnp.float64)))
    return diagnostics.log_z_along(loop.betas[a], energies, first)


@jax.jit  # outside a program each slice would be compiled by itself
def of_one(ensemble: Ensemble, anchor: Any) -> Ensemble:
    """Return the ensemble of one anchor."""
    return ensemble.take(anchor)


def _traces(loop: Loop, a: int) -> Float[np.ndarray, "chains draws rungs scalars"]:
    """Return energies, distances and counts of the traced draws of one anchor."""
    return np.stack([row[a, : loop.options.chains] for row in loop.totals.traces], axis=1)


def _last(loop: Loop) -> UInt8[np.ndarray, "anchors slots chains length"]:
    """Return the last sequence in every slot of every chain; at β = 0, where no replica walks, the last draw."""
    tokens, in_slot = np.asarray(loop.carry.states.tokens, np.uint8), np.asarray(loop.carry.in_slot)
    walked = np.take_along_axis(tokens, in_slot[..., None], axis=2)[:, : loop.options.chains].swapaxes(1, 2)
    if loop.carry.background is None:
        return walked
    now = standing(loop.steps // loop.program.thin - 1, loop.program.drawn_together)  # in the last swap
    drawn = np.asarray(loop.carry.background.tokens, np.uint8)[:, : loop.options.chains, now][:, None]
    return np.concatenate([drawn, walked], axis=1)


def _stored(loop: Loop) -> UInt8[np.ndarray, "anchors rungs draws chains length"] | None:
    if not loop.stored:
        return None
    every = np.concatenate(loop.stored, axis=2)[:, : loop.options.chains]
    return np.ascontiguousarray(every.transpose(0, 3, 2, 1, 4))


def device_name() -> str:
    """Return the name of what JAX computes on, for example "NVIDIA H200 (gpu)" or "cpu"."""
    kind, backend = jax.devices()[0].device_kind, jax.default_backend()
    return backend if kind == backend else f"{kind} ({backend})"
