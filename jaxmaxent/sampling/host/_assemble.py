"""The `Run` of a loop that has come to its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from jaxmaxent import diagnostics
from jaxmaxent.diagnostics import TwoLegs, Verdict
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background
from jaxmaxent.results import Run
from jaxmaxent.sampling._sites import mobility
from jaxmaxent.sampling.device._counters import SCALARS
from jaxmaxent.sampling.device._end_draws import standing_at_ends
from jaxmaxent.sampling.host._loop import Loop
from jaxmaxent.sampling.host._totals import Kept


@jax.transfer_guard("allow")
def result(loop: Loop, kept: Kept, verdicts: Sequence[Verdict], compile_seconds: float) -> Run:
    """Return the run of a loop that has come to its end, with the verdicts on its anchors."""
    ensemble, options = loop.ensemble, loop.options
    anchors = [_of_anchor(loop, kept, a, one) for a, one in enumerate(verdicts)]
    together: dict[str, Any] = {name: np.stack([one[name] for one in anchors]) for name in anchors[0]}
    fields = ensemble.fields
    return Run(
        names=options.names,
        letters=ensemble.alphabet.letters,
        field_names=tuple(field.name for field in fields),
        anchors=np.asarray(ensemble.anchor, np.uint8),
        beta=np.asarray(loop.betas, float),
        mu=np.stack([np.asarray(f.mu, float) for f in fields], -1) if fields else np.zeros((ensemble.anchors, 0)),
        mu_share=_mu_share(loop),
        reference=_reference(loop),
        reference_share=np.array(loop.ladder.shares, float),
        outcomes=tuple(one.outcome for one in verdicts),
        last=_last(loop),
        draws=_stored(loop, kept),
        kmer_counts=_kmer_counts(loop, kept),
        steps=np.full(ensemble.anchors, kept.draws * options.thin),
        burn_in=options.burn_in + kept.dropped * options.thin,
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


def _reference(loop: Loop) -> Float[np.ndarray, "anchors length letters"]:
    """Return the reference of each anchor, NaN without a second leg."""
    log_q = np.asarray(loop.ladder.log_q, float)
    return np.exp(log_q) if loop.program.has_reference else np.full(log_q.shape, np.nan)


def _of_anchor(loop: Loop, kept: Kept, a: int, verdict: Verdict) -> dict[str, Any]:
    """Return the entries of a run that belong to one anchor."""
    program, chains, found = loop.program, slice(0, loop.options.chains), verdict.found
    rungs, scalars = program.rungs, SCALARS + len(loop.ensemble.fields)
    whole = kept.whole
    letters = whole.letters[a, chains].sum(0, dtype=np.int64)
    means = whole.scalars.mean[a, chains, :rungs, :scalars]
    # Total variance: within chains plus between their means.
    variance = whole.scalars.variance()[a, chains, :rungs, :scalars].mean(0) + means.var(0)
    sequences = letters[:, 0].sum(-1)  # at every rung, those that counted
    accepted = whole.sums["accepted"][a, chains].sum(0) / (sequences * program.thin)
    swaps = whole.sums["swaps"][a, chains].mean(0) / kept.draws
    traces = traces_of(loop, kept, a)[..., :rungs, :scalars]
    product_noise = loop.options.product_noise[a] if loop.options.product_noise else 0.0
    log_z, log_z_error = verdict.legs[:2] if verdict.legs else free_energies(loop, kept, a)
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
        "acceptance": np.where(np.arange(rungs) < program.has_background, np.nan, accepted),
        "swap_acceptance": swaps[: rungs - 1],
        "reference_swap_acceptance": swaps[rungs - 1 :],
        "arrivals": whole.sums["trips"][a, chains, 0].sum(),
        "reference_arrivals": whole.sums["trips"][a, chains, -1].sum(),
        "round_trips": whole.sums["round_trips"][a, chains].sum(),
        "log_z": log_z,
        "log_z_error": log_z_error,
        "leg_log_z": np.array(verdict.legs.of_legs if verdict.legs else [log_z[-1], np.nan], float),
        "leg_difference_error": verdict.legs.difference_error if verdict.legs else math.nan,
        "energies": np.moveaxis(traces[..., 0], 2, 0),
        "counts": np.moveaxis(traces[..., SCALARS:], 2, 0),
        "anchor_start_energy": verdict.start.energy,
        "anchor_start_error": verdict.start.error,
        **_mobility(loop, a, means[..., 0].mean(0), found.scalar_mcse[:, 0]),
        "drift": float(np.asarray(loop.carry.drift)[a].max()),
        "energy_noise": math.hypot(loop.noise[a], product_noise),
        "product_noise": product_noise,
        "converged": verdict.converged,
    }


def _mobility(
    loop: Loop, a: int, energy: Float[np.ndarray, " rungs"], error: Float[np.ndarray, " rungs"]
) -> dict[str, float]:
    """Return how an anchor's energy changes when its sites move; from the rung at β = 0 if there is one."""
    apart = (float(energy[0]), float(error[0])) if loop.program.has_background else None
    value, its_error = mobility(loop.ensemble, a, apart)
    return {"mobility": value, "mobility_error": its_error}


def free_energies(loop: Loop, kept: Kept, a: int) -> tuple[Float[np.ndarray, " rungs"], Float[np.ndarray, " rungs"]]:
    """Return log Z of one anchor at every rung and its standard error by the first leg, NaN without a ladder."""
    if not loop.program.has_background:
        unknown = np.full(1, np.nan)
        return unknown, unknown
    potentials = potentials_of(loop, a, traces_of(loop, kept, a)[..., : loop.program.rungs, :])
    return diagnostics.log_z_along(loop.betas[a], potentials, _first_log_z(loop, a))


def two_legs(loop: Loop, kept: Kept, a: int) -> TwoLegs:
    """Return log Z of one anchor by two legs."""
    traces = np.asarray(traces_of(loop, kept, a), np.float64)
    mu = np.where(_grows(loop), 0, np.asarray(of_one(loop.ensemble, a).mu(), np.float64))
    tilts = traces[..., -1] - traces[..., SCALARS:-1] @ mu
    shares, potentials = np.asarray(loop.ladder.shares[a]), potentials_of(loop, a, traces)
    return diagnostics.log_z_of_legs(loop.betas[a], shares, potentials, tilts, _first_log_z(loop, a))


def potentials_of(
    loop: Loop, a: int, traces: Float[np.ndarray, "chains draws path scalars"]
) -> Float[np.ndarray, "chains draws path"]:
    """Return the potential U = E − Σ (μ/β) N over the growing fields of traced draws, in float64.

    All rungs of the first leg are the ensembles of U at their β, as they are those of E without growing fields. On the
    second leg β U and the other fields have the share 1 − a.
    """
    grows, energies = _grows(loop), np.asarray(traces[..., 0], np.float64)
    if not grows.any():
        return energies
    mu = np.where(grows, np.asarray(of_one(loop.ensemble, a).mu(), np.float64), 0)
    counts = np.asarray(traces[..., SCALARS : SCALARS + len(grows)], np.float64)
    return energies - counts @ (mu / loop.betas[a, -1])


def _grows(loop: Loop) -> Bool[np.ndarray, " fields"]:
    return np.array([field.grows for field in loop.ensemble.fields], bool)


def _mu_share(loop: Loop) -> Float[np.ndarray, "anchors rungs fields"]:
    """Return the share of μ that every field has at every rung up to the target."""
    shape = *loop.betas.shape, len(loop.ensemble.fields)
    if not loop.program.has_background or not _grows(loop).any():
        return np.ones(shape)
    return np.where(_grows(loop), (loop.betas / loop.betas[:, -1:])[..., None], np.ones(shape))


def _first_log_z(loop: Loop, a: int) -> float:
    """Return log Z at β = 0, where growing fields have no part."""
    one = of_one(loop.ensemble, a)
    with jax.enable_x64(True):  # it is exact, so let it be so
        return float(background.log_partition(one, jnp.asarray(one.mu(), jnp.float64)))


@jax.jit  # outside a program each slice would be compiled by itself
def of_one(ensemble: Ensemble, anchor: Any) -> Ensemble:
    """Return the ensemble of one anchor."""
    return ensemble.take(anchor)


def traces_of(loop: Loop, kept: Kept, a: int) -> Float[np.ndarray, "chains draws path scalars"]:
    """Return energies, distances and counts of the traced draws of one anchor, at the rungs of both legs."""
    return np.stack([row[a, : loop.options.chains] for row in kept.traces], axis=1)


def _last(loop: Loop) -> UInt8[np.ndarray, "anchors slots chains length"]:
    """Return the last sequence in every slot of every chain; at the ends, where no replica walks, the last draw."""
    tokens, in_slot = np.asarray(loop.carry.states.tokens, np.uint8), np.asarray(loop.carry.in_slot)
    walked = np.take_along_axis(tokens, in_slot[..., None], axis=2)[:, : loop.options.chains].swapaxes(1, 2)
    if loop.carry.draws is None:
        return walked
    now = np.asarray(standing_at_ends(loop.program, loop.steps // loop.program.thin - 1))  # in the last swap
    drawn = np.asarray(loop.carry.draws.tokens, np.uint8)[:, : loop.options.chains, now].swapaxes(1, 2)
    path = loop.program.walked
    return np.concatenate([drawn[:, :1], walked[:, :path], drawn[:, 1:], walked[:, path:]], axis=1)


def _stored(loop: Loop, kept: Kept) -> UInt8[np.ndarray, "anchors rungs draws chains length"] | None:
    if not loop.stored:
        return None
    early = kept.dropped // loop.program.store_every
    every = np.concatenate(loop.stored, axis=2)[:, : loop.options.chains, early:]
    return np.ascontiguousarray(every.transpose(0, 3, 2, 1, 4))


def _kmer_counts(loop: Loop, kept: Kept) -> Int[np.ndarray, "anchors ends chains kmers"] | None:
    counts = loop.totals.kmers.counts(kept.dropped)
    return None if counts is None else np.ascontiguousarray(counts[:, : loop.options.chains].swapaxes(1, 2))


def device_name() -> str:
    """Return the name of what JAX computes on, for example "NVIDIA H200 (gpu)" or "cpu"."""
    kind, backend = jax.devices()[0].device_kind, jax.default_backend()
    return backend if kind == backend else f"{kind} ({backend})"
