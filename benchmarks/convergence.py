"""Measure the time until draws can be trusted, for parallel tempering and the published protocol on CTCF anchors.

    JAXMAXENT_DATA=... python benchmarks/convergence.py --model MODEL [--anchors 0 1 2] [--beta 100] [--out FOLDER]

MODEL is a folder that `jaxmaxent train` wrote, for example through benchmarks/ctcf.py. Each anchor is sampled until
every letter frequency, the energy and the GC count have R-hat ≤ 1.01 and an effective sample size ≥ 400. --second adds
a run with another seed on the same ladder, and prints the share of all frequencies that agree. --published adds the
published protocol (one β, 50 chains at the anchor, 10,000 steps, no burn-in), and prints its diagnostics and its
distance from the converged frequencies. Each run is saved below --out. --overhead only measures the time that
statistics and swaps add to the kernel.
"""

import argparse
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measure import data_folder

import jaxmaxent as jme
from jaxmaxent import models
from jaxmaxent.data import read_one_hot
from jaxmaxent.evaluate import FullEvaluator, IncrementalEvaluator
from jaxmaxent.kernels import Site, build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--anchors", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--beta", type=float, default=100.0)
    parser.add_argument("--steps", type=int, default=200_000, help="give up after this many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--second", action="store_true", help="run another seed on the same ladder")
    parser.add_argument("--published", action="store_true", help="run the published protocol as well")
    parser.add_argument("--overhead", action="store_true", help="only time the kernel alone and the sampler")
    parser.add_argument("--evaluation", choices=["auto", "full", "incremental"], default="auto")
    parser.add_argument("--out", type=Path, default=Path("convergence"))
    options = parser.parse_args()
    tokens = read_one_hot(data_folder("ctcf") / "published_anchors_gcat.npy", "GCAT").tokens
    network = models.representation(models.load(options.model))
    for anchor in options.anchors:
        ensemble = jme.Ensemble.create(network, tokens[anchor], beta=options.beta, fields=[jme.composition("GC", 0.0)])
        if options.overhead:
            print_overhead(ensemble)
            continue
        options.out.mkdir(parents=True, exist_ok=True)
        first = until_converged(f"anchor {anchor}", options.seed, ensemble, options)
        first.save(options.out / f"anchor_{anchor}_beta_{options.beta:g}_seed_{options.seed}.npz", force=True)
        if options.second:
            again = until_converged("  second seed", options.seed + 1, ensemble, options, ladder=first.beta)
            print_agreement(first, again)
        if options.published:
            print_published(ensemble, first, options.seed)


def until_converged(what: str, seed: int, ensemble: jme.Ensemble, options: Any, **settings: Any) -> jme.Run:
    """Sample until the run has converged, and print the figures."""
    began = time.perf_counter()
    run = jme.sample(
        jax.random.key(seed), ensemble, until=jme.Precision(steps=options.steps), evaluation=options.evaluation,
        progress=False, **settings,
    )  # fmt: skip
    took = time.perf_counter() - began
    print(
        f"{what}: β = {options.beta:g}, {took:.0f} s in all, {run.seconds:.0f} s sampling after "
        f"{run.compile_seconds:.1f} s compiling, {run.proposals_per_second:,.0f} proposals/s ({run.evaluation})\n"
        f"    {run.outcomes[0]}"
    )
    with np.printoptions(precision=3, suppress=True, linewidth=140):
        slopes = np.diff(run.energy[0]) / np.diff(run.beta[0])
        steepest = int(np.argmin(slopes[1:])) + 2
        for name in ("beta", "energy", "swap_acceptance", "max_rhat", "min_ess", "log_z"):
            print(f"    {name:9s}", getattr(run, name)[0])
    print(
        f"    {run.round_trips[0]} round trips, {run.arrivals[0]} arrivals; steepest ⟨E⟩(β) at "
        f"{run.beta[0, steepest - 1]:.3g}–{run.beta[0, steepest]:.3g}: R-hat {run.max_rhat[0, steepest]:.3f}, "
        f"effective sample size {run.min_ess[0, steepest]:,.0f}",
        flush=True,
    )
    return run


def print_agreement(one: jme.Run, other: jme.Run) -> None:
    """Print the share of frequencies, at all rungs, that agree for two seeds within 4 combined standard errors."""
    gap = np.abs(one.frequencies - other.frequencies)[0]
    error = np.hypot(one.frequency_errors, other.frequency_errors)[0]
    agree = gap <= 4 * error
    print(
        f"    two seeds agree within 4 standard errors at {100 * agree.mean():.2f} % of {agree.size} frequencies, "
        f"at the worst rung {100 * agree.mean((1, 2)).min():.2f} %; largest gap at the target {gap[-1].max():.3f}",
        flush=True,
    )


def print_published(ensemble: jme.Ensemble, truth: jme.Run, seed: int) -> None:
    """Print the diagnostics of the published protocol, and its distance from the converged frequencies."""
    settings: dict[str, Any] = {"ladder": None, "chains": 50, "steps": 10_000, "burn_in": 0, "start": "anchor"}
    run = jme.sample(jax.random.key(seed), ensemble, progress=False, **settings)
    gap = np.abs(run.frequencies[0, -1] - truth.frequencies[0, -1]).max(-1)
    by_energy = f"R-hat of its energy {run.energy_rhat[0, -1]:.3f}, ⟨E⟩ {run.energy[0, -1]:.4f}"
    print(
        f"    published protocol: {by_energy} against {truth.energy[0, -1]:.4f}; largest R-hat of a letter "
        f"{run.max_rhat[0, -1]:.2f}; {int((gap > 0.1).sum())} positions off by more than 0.1, the furthest by "
        f"{gap.max():.2f}",
        flush=True,
    )


def print_overhead(ensemble: jme.Ensemble, rounds: int = 9) -> None:
    """Print the seconds per proposal of the whole sampler, beside those of the kernel alone in a loop.

    Both are timed alternately and compared in pairs, because the speed of a machine changes from minute to minute.
    """
    # The runs have the usual length. Blocks grow with the run, so a short run spends more time between blocks. Full
    # evaluation is so slow that this does not matter.
    for way, evaluator, steps in (("incremental", IncrementalEvaluator, 8000), ("full", FullEvaluator, 1500)):
        settings: dict[str, Any] = {"steps": steps, "burn_in": 0, "rule": Site(), "evaluation": way, "progress": False}
        run = jme.sample(jax.random.key(0), ensemble, **settings)  # compiles
        replicas = (run.chains + 1) * (run.last.shape[1] - 2)  # with the anchor-start chains, without the two ends
        walk = _kernel_alone(evaluator, ensemble, replicas, steps)
        walk()
        alone, whole = [], []
        for number in range(1, rounds + 1):
            run = jme.sample(jax.random.key(number), ensemble, **settings)
            whole.append(1 / run.proposals_per_second)
            alone.append(walk() / (steps * replicas))
        low, median, high = 100 * (np.quantile(np.divide(whole, alone), [0.25, 0.5, 0.75]) - 1)
        print(
            f"{way}, {replicas} replicas: kernel alone {np.median(alone) * 1e6:.2f} µs per proposal, in the sampler "
            f"{np.median(whole) * 1e6:.2f}; pairs differ by {median:.0f} % (quartiles {low:.0f} and {high:.0f} %)",
            flush=True,
        )


def _kernel_alone(evaluator: Any, ensemble: jme.Ensemble, replicas: int, steps: int) -> Callable[[], float]:
    """Return a function that continues a walk at every call, and returns the seconds of that call.

    The parameters of the network are arguments, as in the sampler. If they were constants, with one program per
    checkpoint, the compiler would rearrange a dense layer at compile time, which makes full evaluation of the CTCF
    network 14 % faster.
    """
    keys = jax.random.split(jax.random.key(0), replicas)

    @functools.partial(jax.jit, donate_argnums=1)
    def walk(ensemble: jme.Ensemble, states: Any) -> Any:
        kernel = build(Site(), ensemble, evaluator(ensemble))

        def step(number: Any, states: Any) -> Any:
            where = kernel.where(jax.random.fold_in(keys[0], number))
            move = jax.vmap(lambda key, state: kernel.move(jax.random.fold_in(key, number), state, where)[0])
            return move(keys, states)

        return jax.lax.fori_loop(0, steps, step, states)

    first = jnp.broadcast_to(ensemble.anchor, (replicas, ensemble.length))
    states = jax.block_until_ready(jax.jit(jax.vmap(build(Site(), ensemble, evaluator(ensemble)).init))(first))

    def timed() -> float:
        nonlocal states
        began = time.perf_counter()
        states = jax.block_until_ready(walk(ensemble, states))
        return time.perf_counter() - began

    return timed


if __name__ == "__main__":
    main()
