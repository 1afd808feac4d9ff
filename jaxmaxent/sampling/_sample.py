"""`sample` and `resume`: what a user asks for, turned into a loop and its outcome."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import energy_noise
from jaxmaxent.kernels import Mixture, Rule, SegmentAdaptive, Site, SiteAdaptive
from jaxmaxent.results import Run
from jaxmaxent.sampling._checkpoint import Saver, owned
from jaxmaxent.sampling._options import AUTO, THIN, Precision, Settings
from jaxmaxent.sampling.device import _block as blocks
from jaxmaxent.sampling.host._assemble import enough, result
from jaxmaxent.sampling.host._first_states import first_tokens, fresh_key
from jaxmaxent.sampling.host._loop import Loop, NonFiniteEnergyError
from jaxmaxent.sampling.host._progress import Progress
from jaxmaxent.sampling.host._signals import Interrupts
from jaxmaxent.sampling.program import _memory as memory
from jaxmaxent.sampling.program import _program as plans
from jaxmaxent.sampling.program._evaluation import chosen
from jaxmaxent.sampling.program._sharding import placed

# How often the default mixture takes single sites, a few adjacent ones, and whole segments, which cost several times as
# much. A few bring most effective draws at the last rung, whole segments sequences up the ladder (docs/results.md).
_FEW = 6
_SHARES = (6, 3, 1)


# What is under `jax.transfer_guard("allow")` sends little between host and device, before and after the loop or between
# rounds of its warm-up. The blocks of the loop leave the guard as the user has it, and send explicitly.


def sample(
    key: Key[Array, ""],
    ensemble: Ensemble,
    *,
    ladder: Any = "auto",
    chains: int | None = None,
    target_replicas: int | None = None,
    anchor_chains: int | None = None,
    until: Precision | None = None,
    steps: int | None = None,
    burn_in: int | None = None,
    thin: int = THIN,
    store_every: int | None = None,
    start: str | Run = "background",
    rule: Rule | None = None,
    evaluation: str = "auto",
    names: Sequence[str] | None = None,
    mesh: jax.sharding.Mesh | None = None,
    checkpoint: str | os.PathLike | None = None,
    keep_checkpoint: bool = False,
    progress: bool = True,
) -> Run:
    """Sample an ensemble by replica exchange, until its letter frequencies are known well enough.

    Each chain of each anchor is a ladder of replicas from β = 0, where sequences are drawn exactly, to the wanted β.
    Ladders are independent of each other, so agreement between them is evidence. One compiled program serves every
    later call with the same network and shapes, whatever β, μ, anchors or parameters.

    Args:
        key: a typed key, `jax.random.key(seed)`.
        ensemble: what to sample, for one anchor or several.
        ladder: "auto" for 14 rungs that are placed in the warm-up so that all exchange alike; another number of rungs;
            the β's themselves, [rungs] or [anchors, rungs], from 0 to the ensemble's β; or None for the ensemble's β
            alone, without exchanges: at a large β such chains mostly stay where they start.
        chains: chains at every rung; 8, or 256 without a ladder, if None.
        target_replicas: sequences of each chain at the last rung, where they change slowest; all count. 8, or 1 without
            a ladder, if None.
        anchor_chains: chains that start at the anchor and run beside the others, at all rungs, as a diagnostic; no
            estimate takes them in. 1, or none without a ladder, if None.
        until: what has to be reached before the run ends, and when it gives up; `Precision()` if None.
        steps: instead of `until`: exactly so many proposals of each replica, a multiple of `thin`.
        burn_in: proposals of each replica before those that count, a multiple of `thin`. If None, a quarter of `steps`,
            rounded up, or 40 × length where `until` decides.
        thin: proposals between two exchanges, and two states that enter the statistics.
        store_every: keep the sequences each time after so many proposals, a multiple of `thin`; None keeps none.
            Stored draws take rungs × chains × length bytes each for an anchor. At β = 0 a sequence is drawn for every
            second exchange, and counts until the next one is.
        start: "background" (exact draws at β = 0), "anchor" (every chain at x0), or a run whose chains go on.
        rule: how replicas move; if None, adaptive sites, in three of ten steps adaptive segments of 6 and in one of 24
            (see `kernels`), or `kernels.Site()` without a ladder.
        evaluation: "full" for a forward pass of the whole network at every proposal, "incremental" to recompute only
            what a proposal can reach, or "auto" for the faster of the two, which is timed for a moment where it is not
            plain. What comes out is the same up to rounding.
        names: what the anchors are called; anchor_0, anchor_1, … if None.
        mesh: devices to spread over, with axes named "anchors" or "chains"; those of this process if None. What comes
            out depends on them in the last bits of energies only.
        checkpoint: a folder, written from time to time and when the run is interrupted; `resume` goes on from there.
        keep_checkpoint: leave that folder when the run is over, to be deleted once the run is saved.
        progress: show a progress bar.

    Returns:
        the run; its arrays have the shapes [anchors, rungs, …], and the wanted β is the last rung. `run.converged` and
        `run.outcomes` say whether its numbers can be trusted.

    Raises:
        ValueError: for bad input, naming the argument.
        NonFiniteEnergyError: if the network returns NaN or infinity, naming anchor, chain and sequence.
        Interrupted: on Ctrl-C or SIGTERM, once a run with a `checkpoint` is saved.
    """
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    key = fresh_key(checks.typed_key(key), start)
    batch = ensemble.batched()
    going_on = isinstance(start, Run)
    betas, adapts = plans.first_ladder(ladder, batch, start if going_on else None)
    if isinstance(start, Run) and target_replicas is None and ladder is not None:
        target_replicas = start.target_replicas
    settings = Settings.of(
        batch, rungs=betas.shape[1], has_source=ladder is not None, adapts=adapts, going_on=going_on, chains=chains,
        target_replicas=target_replicas, anchor_chains=anchor_chains, until=until, steps=steps, burn_in=burn_in,
        thin=thin, store_every=store_every, names=names,
    )  # fmt: skip
    rule, settings, plan = _planned(batch, settings, rule, evaluation, mesh)
    key_start, key_steps = _two(key)
    total = settings.burn_in + settings.counted * settings.thin
    with owned(checkpoint, parents=True), Progress(total, show=progress) as bar:
        tokens = first_tokens(key_start, batch, plan, settings.extra, start)
        carry = placed(plan.mesh, blocks.begin(plan, batch, rule, tokens))
        _check_first_energies(batch, carry)
        loop = Loop(plan, batch, rule, betas, blocks.Keys.of(key_steps), settings, carry, bar)
        loop.noise = _noise(batch, tokens, carry)
        saver = None if checkpoint is None else Saver.begin(checkpoint, loop)
        return _run(loop, saver, keep_checkpoint)


def resume(
    checkpoint: str | os.PathLike,
    ensemble: Ensemble,
    *,
    rule: Rule | None = None,
    mesh: jax.sharding.Mesh | None = None,
    keep_checkpoint: bool = False,
    progress: bool = True,
) -> Run:
    """Go on with a run that `sample` saved, to the result it would have had without the interruption.

    Args:
        checkpoint: the folder given to `sample`.
        ensemble: the ensemble given to `sample`.
        rule: the rule given to `sample`.
        mesh: devices to spread over, not necessarily those of before.
        keep_checkpoint: leave the folder when the run is over, to be deleted once the run is saved.
        progress: show a progress bar.

    Raises:
        ValueError: if the checkpoint is missing, damaged, or of another ensemble or rule, or another process goes on
            with it.
        NonFiniteEnergyError, Interrupted: as `sample`.
    """
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    with owned(checkpoint):
        saver, saved = Saver.open(checkpoint)
        batch = ensemble.batched()
        settings = saved.settings
        rule = prepared_rule(rule, batch, settings)
        saved.check(batch, rule)
        plan = plans.make(batch, settings, mesh, rule)
        with Progress(settings.burn_in + settings.counted * settings.thin, show=progress) as bar:
            loop = saved.restore(plan, batch, rule, bar)
            return _run(loop, saver, keep_checkpoint)


def takes_turns(ensemble: Ensemble, *, ladder: Any, chains: int) -> bool:
    """Whether `sample` would have these anchors take turns, so that a call for each of them costs no more.

    The arguments are those of `sample`, with one replica at the last rung; the ensemble is batched.
    """
    betas, adapts = plans.first_ladder(ladder, ensemble, None)
    settings = Settings.of(
        ensemble, rungs=betas.shape[1], has_source=ladder is not None, adapts=adapts, going_on=False, chains=chains,
        target_replicas=1, anchor_chains=0, until=None, steps=THIN, burn_in=0, thin=THIN, store_every=None, names=None,
    )  # fmt: skip
    return _planned(ensemble, settings, None, AUTO, None)[2].one_by_one


@jax.transfer_guard("allow")
def _planned(
    ensemble: Ensemble, settings: Settings, rule: Any, evaluation: Any, mesh: jax.sharding.Mesh | None
) -> tuple[Any, Settings, plans.Plan]:
    """The rule prepared, the settings with the way of evaluation, and the plan; the ensemble is batched."""
    if mesh is not None:
        checks.like("mesh", mesh, "axis_names", "a jax.sharding.Mesh")
    memory.check(ensemble, settings, devices=getattr(mesh, "size", len(jax.local_devices())))
    rule = prepared_rule(rule, ensemble, settings)
    settings = dataclasses.replace(settings, evaluation=chosen(evaluation, ensemble, rule, settings))
    return rule, settings, plans.make(ensemble, settings, mesh, rule)


@jax.transfer_guard("allow")
def prepared_rule(rule: Any, ensemble: Ensemble, settings: Settings) -> Any:
    """The rule as the warm-up begins, the default one if None is given; the ensemble is batched."""
    if rule is None:
        adaptive = [SiteAdaptive(), SegmentAdaptive(_FEW), SegmentAdaptive()]
        rule = Mixture.create(adaptive, _SHARES) if settings.has_source else Site()
    checks.like("rule", rule, "prepare", "a rule of jaxmaxent.kernels, such as Site()")
    return rule.prepare(ensemble, settings.rungs)


def _run(loop: Loop, saver: Saver | None, keep_checkpoint: bool) -> Run:
    """Compile, run to the end, and gather; saved from time to time and when interrupted."""
    compile_seconds = loop.compile()
    loop.bar.compiled(compile_seconds, done=loop.steps)
    with Interrupts(active=saver is not None) as interrupts:
        loop.run(enough, lambda: saver and saver.look_up(loop, interrupts))
    found = result(loop, compile_seconds)
    if saver is not None and not keep_checkpoint:
        saver.remove()
    return found


@jax.transfer_guard("allow")
def _two(key: Key[Array, ""]) -> tuple[Any, Any]:
    first, second = jax.random.split(key)
    return first, second


@jax.transfer_guard("allow")
def _noise(ensemble: Ensemble, tokens: Any, carry: blocks.Carry) -> np.ndarray:
    return energy_noise(ensemble, tokens[:, 0], carry.states.energy[:, 0])


@jax.transfer_guard("allow")
def _check_first_energies(ensemble: Ensemble, carry: blocks.Carry) -> None:
    energies, tokens = jax.device_get((carry.states.energy, carry.states.tokens))
    wrong = np.argwhere(~np.isfinite(energies))
    if wrong.size:
        anchor, chain, replica = (int(i) for i in wrong[0])
        raise NonFiniteEnergyError(
            f"the network returned a NaN or infinite energy for {len(wrong)} of {energies.size} first sequences, for "
            f"example {ensemble.alphabet.decode(tokens[anchor, chain, replica])}, where chain {chain} of anchor "
            f"{anchor} starts; check its parameters"
        )
