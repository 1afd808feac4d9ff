"""`sample` and `resume`: the two ways to start a loop."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

import jax
from jaxtyping import Array, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.files import owned
from jaxmaxent.kernels import Mixture, Rule
from jaxmaxent.results import Run
from jaxmaxent.sampling._begin import finished, first_loop
from jaxmaxent.sampling._checkpoint import Saver
from jaxmaxent.sampling._options import THIN, Options
from jaxmaxent.sampling._precision import Precision
from jaxmaxent.sampling._prepare import prepare
from jaxmaxent.sampling.host._first_states import key_after
from jaxmaxent.sampling.host._loop import Loop
from jaxmaxent.sampling.host._progress import Progress
from jaxmaxent.sampling.host._signals import Interrupts
from jaxmaxent.sampling.host._stopping import enough


def sample(
    key: Key[Array, ""],
    ensemble: Ensemble,
    *,
    ladder: Any = "auto",
    rungs_at: Sequence[float] = (),
    reference_rungs: int | None = None,
    chains: int | None = None,
    target_replicas: int | None = None,
    anchor_chains: int | None = None,
    until: Precision | None = None,
    steps: int | None = None,
    burn_in: int | None = None,
    thin: int = THIN,
    store_every: int | None = None,
    kmers: int | None = None,
    start: str | Run = "background",
    rule: Rule | Mixture | None = None,
    evaluation: str = "auto",
    names: Sequence[str] | None = None,
    mesh: jax.sharding.Mesh | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    keep_checkpoint: bool = False,
    progress: bool = True,
) -> Run:
    """Sample an ensemble by parallel tempering (replica exchange), until its letter frequencies are known well enough.

    Each chain has replicas at every rung of a ladder, from β = 0, where sequences are drawn exactly, to the wanted β,
    the target. Chains are independent of each other, so agreement between them is evidence. One compiled program serves
    every later call with the same network and shapes, whatever β, μ, anchors or parameters.

    Args:
        key: a typed key, `jax.random.key(seed)`.
        ensemble: what to sample, for one anchor or several.
        ladder: "auto" for 14 rungs that the burn-in places so that all pairs swap equally often; another number of
            rungs; the β's themselves, [rungs] or [anchors, rungs], from 0 to the β of the ensemble; or None for the β
            of the ensemble alone, without swaps: at a large β such chains mostly stay where they start.
        rungs_at: further β's that are asked for: each has a rung of the ladder that the burn-in places exactly there.
            They increase and lie between 0 and the β of every anchor. `run.rung_at(β)` finds the rung.
        reference_rungs: rungs beyond the target, a second leg that ends in a learned reference: letters seen by chains
            that stay at the anchor, each position by itself. It is drawn exactly too, so that the anchor's
            surroundings and the background are both weighed at the target. 6 if None, and 0, no second leg, if the
            ladder is given or None or if there are no anchor-start chains.
        chains: chains at every rung; 8, or 256 without a ladder, if None. On accelerators as many as fill the devices
            of this process with all anchors side by side, in a quarter of their memory; with the anchor-start chains
            they divide evenly among the devices.
        target_replicas: replicas of each chain at the target, where sequences change slowest; all count. 8, or 1
            without a ladder, if None.
        anchor_chains: chains that start at the anchor and run beside the others, at all rungs, as a diagnostic; they
            enter no estimate. 1, on several accelerators one for each, or none without a ladder, if None.
        until: what has to be reached before the run ends, and when it gives up; `Precision()` if None.
        steps: instead of `until`: exactly so many steps (proposals) of each replica, a multiple of `thin`.
        burn_in: steps of each replica before draws count, a multiple of `thin`. If None, a quarter of `steps`, rounded
            up, or 40 × length if `until` decides.
        thin: steps between two swaps, and between two draws that count.
        store_every: keep the sequences each time after so many steps, a multiple of `thin`; None keeps none. A stored
            draw takes rungs × chains × length bytes per anchor. At β = 0 a sequence is drawn for every second swap, and
            counts until the next one is drawn.
        kmers: count the k-mers of so many letters, up to 8 of DNA, in all draws at β = 0 and at the target, in memory
            that does not grow with the run, for `analysis.enriched_kmers`. In a run of open length at least half of the
            draws that count are in these counts.
        start: "background" (exact draws at β = 0), "anchor" (every chain at x0), or a run whose chains go on.
        rule: how replicas move; if None, adaptive sites, in three of ten steps adaptive segments of 6 and in one of 24
            (see `kernels`), or `kernels.Site()` without a ladder.
        evaluation: "full" for a forward pass of the whole network at every step, "incremental" to recompute only the
            activations that a proposal can change, or "auto" for the faster of the two, which is timed for a moment if
            it is not obvious. The results are the same up to rounding.
        names: names of the anchors; anchor_0, anchor_1, … if None.
        mesh: devices of this process to spread over, with axes named "anchors" or "chains"; all of them if None. The
            result depends on them in the last bits of energies only.
        checkpoint: a folder, written from time to time and when the run is interrupted; `resume` goes on from there.
        keep_checkpoint: leave that folder when the run is over, so that you can delete it once the run is saved.
        progress: show a progress bar.

    Returns:
        the run; its arrays have the shapes [anchors, rungs, …], and the target is the last rung. `run.converged` and
        `run.outcomes` tell whether its numbers can be trusted.

    Raises:
        ValueError: for bad input, naming the argument.
        NonFiniteEnergyError: if the network returns NaN or infinity, naming anchor, chain and sequence.
        Interrupted: on Ctrl-C or SIGTERM, once a run with a `checkpoint` is saved.

    Example:
        >>> run = jme.sample(key, ensemble, steps=100, progress=False)  # or until=jme.Precision()
        >>> run.frequencies.shape  # [anchors, rungs, length, letters]
        (3, 14, 24, 4)
    """
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    key = key_after(checks.typed_key(key), start)
    batch = ensemble.batched()
    options = Options.of(
        batch, ladder=ladder, reference_rungs=reference_rungs, chains=chains, target_replicas=target_replicas,
        anchor_chains=anchor_chains, until=until, steps=steps, burn_in=burn_in, thin=thin, store_every=store_every,
        start=start, names=names, evaluation=evaluation, rungs_at=rungs_at, kmers=kmers,
    )  # fmt: skip
    prepared = prepare(batch, options, rule=rule, mesh=mesh, start=start)
    kept = contextlib.nullcontext() if checkpoint is None else owned(checkpoint, parents=True)
    with kept, Progress(options.steps, until=options.until, show=progress) as bar:
        if jax.default_backend() != "cpu":
            bar.tell(prepared.told)
        loop = first_loop(key, prepared, start, bar)
        saver = None if checkpoint is None else Saver.begin(checkpoint, loop)
        return _run(loop, bar, saver, keep_checkpoint)


def resume(
    checkpoint: str | os.PathLike[str],
    ensemble: Ensemble,
    *,
    rule: Rule | Mixture | None = None,
    mesh: jax.sharding.Mesh | None = None,
    keep_checkpoint: bool = False,
    progress: bool = True,
) -> Run:
    """Go on with a run that `sample` saved, to the result that it would have had without the interruption.

    Args:
        checkpoint: the folder given to `sample`.
        ensemble: the ensemble given to `sample`.
        rule: the rule given to `sample`.
        mesh: devices to spread over, not necessarily those of before.
        keep_checkpoint: leave the folder when the run is over, so that you can delete it once the run is saved.
        progress: show a progress bar.

    Raises:
        ValueError: if the checkpoint is missing, damaged, or of another ensemble or rule, or another process goes on
            with it.
        NonFiniteEnergyError, Interrupted: as `sample`.

    Example:
        >>> run = jme.sample(key, ensemble, steps=100, checkpoint="folder", keep_checkpoint=True, progress=False)
        >>> run = jme.resume("folder", ensemble, progress=False)
    """
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    with owned(checkpoint):
        saver, saved = Saver.open(checkpoint)
        batch = ensemble.batched()
        saved.check_ensemble(batch)
        prepared = prepare(batch, saved.options, rule=rule, mesh=mesh)
        with Progress(prepared.options.steps, until=prepared.options.until, show=progress) as bar:
            loop = saved.restore(prepared, bar)
            return _run(loop, bar, saver, keep_checkpoint)


def _run(loop: Loop, bar: Progress, saver: Saver | None, keep_checkpoint: bool) -> Run:
    """Compile, run to the end and gather the result; save from time to time and when interrupted."""
    compile_seconds = loop.compile()
    bar.compiled(compile_seconds, done=loop.steps)
    if saver is None:
        loop.run(enough)
    else:
        with Interrupts() as interrupts:
            loop.run(enough, lambda: saver.save_if_due(loop, interrupts))
    found = finished(loop, compile_seconds)
    if saver is not None and not keep_checkpoint:
        saver.remove()
    return found
