"""Measure the speed of this device for more and more chains, for several networks, two evaluators, two precisions.

    python benchmarks/hardware.py --out FILE.json [--plot FILE.png] [--networks ctcf basset …] [--minutes 10]

It runs on the device that JAX finds. For each network of benchmarks/networks.py, with random weights, it measures the
whole single-site kernel with full and with incremental evaluation. Numbers are float32, with matrix products at
precision "highest", which the package asks for, and at the "default" of the device. The number of chains is doubled
until two doublings in a row gain less than 5 % (another program may disturb one of them), or until the chains do not
fit into memory. If both precisions give the same energies bit by bit, as on CPUs, only one is measured.

Figures are the median of three rounds. FLOPs are compared with those of a large matrix product of the same precision,
bytes of cache with those of a large copy. `sample` warns of noisy energies if β times their noise exceeds 0.1. So the
noise of a precision gives the largest β that it allows. That β is compared with the β at which the median single-letter
mutant is 20 times less likely than the anchor. benchmarks/compare.py shows results side by side.

After `--minutes` no further figure is begun: then give each figure fewer `--seconds`, or choose `--networks`.
"""

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import networks
import numpy as np
from measure import Way, ceilings, machine, write_json
from tqdm import tqdm

import jaxmaxent as jme
from jaxmaxent.evaluate import FullEvaluator, IncrementalEvaluator, energy_noise
from jaxmaxent.sampling.host._stopping import _NOISY  # the limit above which `sample` warns
from jaxmaxent.sampling.program._evaluation import free_bytes

EVALUATORS = {"full": FullEvaluator, "incremental": IncrementalEvaluator}
PRECISIONS = ("highest", "default")
ROUNDS, GAIN, PATIENCE, SHARE_OF_MEMORY = 3, 1.05, 2, 0.8
SEQUENCES = 64


def main() -> None:
    options = parsed()
    found: dict[str, Any] = {"kind": "hardware", "machine": machine(), "ceilings": {}, "energies": [], "rows": []}
    with tqdm(total=len(options.networks) * len(PRECISIONS) * len(EVALUATORS), unit="sweep") as bar:
        for name in options.networks:
            for row in rows_of(name, options, found, bar):
                found["rows"].append(row)
                # Results are written after every measurement, so that a later failure does not lose earlier ones.
                write_json(options.out, found)
                if time.monotonic() > options.end:
                    break
            if time.monotonic() > options.end:
                print(f"{options.minutes:g} minutes are over; what was not measured is left out")
                break
    print(table(found))
    if options.plot:
        plot(found, options.plot)


def parsed() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--plot", type=Path, help="picture to write: chains against proposals per second")
    parser.add_argument("--networks", nargs="+", choices=list(networks.NETWORKS), default=list(networks.NETWORKS))
    parser.add_argument("--chains", type=int, nargs="+", help="numbers of chains to measure, instead of doubling")
    parser.add_argument("--first", type=int, help="chains to begin with (default: 16, on an accelerator 256)")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="approximate time of each figure (default %(default)s)"
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="begin no figure after so many minutes (default %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="the CTCF network and BPNet, 64 and 128 chains, one second"
    )
    options = parser.parse_args()
    options.end = time.monotonic() + 60 * options.minutes
    if options.quick:
        options.networks, options.seconds = [n for n in ("ctcf", "bpnet") if n in options.networks], 1.0
        options.chains = options.chains or [64, 128]
    return options


class At:
    """The features of a network with matrix products at a given precision, not at the one that the package sets."""

    def __init__(self, features: Any, precision: str) -> None:
        self.features, self.precision = features, precision

    def __call__(self, weights: Any, one_hot: jax.Array) -> jax.Array:
        with jax.default_matmul_precision(self.precision):
            return self.features(weights, one_hot)


def ensemble_of(network: networks.Network, precision: str) -> jme.Ensemble:
    """Return an ensemble around a random anchor, whose features are computed at the same precision."""
    anchor = np.random.default_rng(7).integers(0, networks.LETTERS, network.length)
    representation = jme.Representation(At(network.features, precision), network.weights)
    return jme.Ensemble.create(representation, anchor, beta=1.0)


def rows_of(name: str, options: Any, found: dict[str, Any], bar: tqdm) -> Any:
    """Yield a row per precision, evaluator and number of chains."""
    network = networks.NETWORKS[name]()
    ensembles = {precision: ensemble_of(network, precision) for precision in PRECISIONS}
    energies, same = compared(ensembles)
    found["energies"] += [{"network": name} | row for row in energies]
    for precision, ensemble in ensembles.items():
        needed = not (same and precision == "default")
        if needed and precision not in found["ceilings"]:
            flops, bandwidth = ceilings(precision)
            found["ceilings"][precision] = {"flops": flops, "bytes": bandwidth}
        for way in EVALUATORS:
            bar.set_description(f"{name}, {way}, {precision}")
            if needed:
                for row in sweep(ensemble, way, found["ceilings"][precision], options):
                    bar.set_postfix_str(f"{row['chains']:,} chains: {row['proposals_per_second']:,.0f}/s")
                    yield {"network": name, "length": network.length, "precision": precision} | row
            bar.update()


def compared(ensembles: dict[str, jme.Ensemble]) -> tuple[list[dict[str, Any]], bool]:
    """Measure the noise of energies at each precision, and the β's it allows; compare the precisions bit by bit.

    The noise is a root mean square over single-letter mutants of the anchor and random sequences. It has two parts: the
    effect of batching and that of the precision.
    """
    rng = np.random.default_rng(11)
    anchor = np.asarray(ensembles["highest"].anchor)
    mutants = np.tile(anchor, (SEQUENCES, 1))
    sites = rng.integers(0, len(anchor), SEQUENCES)
    mutants[np.arange(SEQUENCES), sites] = (anchor[sites] + rng.integers(1, 4, SEQUENCES)) % networks.LETTERS
    random = rng.integers(0, networks.LETTERS, mutants.shape)
    # Mutants and random sequences alternate, because `energy_noise` uses the first ones.
    tokens = jnp.asarray(np.stack([mutants, random], axis=1).reshape(-1, len(anchor)), jnp.int32)
    energies = {p: np.asarray(jax.jit(jax.vmap(e.energy))(tokens), np.float64) for p, e in ensembles.items()}
    nearest = energies["highest"][0::2]
    usual = -np.log(0.05) / np.median(nearest[nearest > 0]) if (nearest > 0).any() else None
    same = bool((energies["highest"] == energies["default"]).all())
    rows = []
    for precision, ensemble in ensembles.items():
        batching = energy_noise(ensemble.batched(), tokens[None], jnp.asarray(energies[precision], jnp.float32)[None])
        noise = float(np.hypot(batching[0], rms(energies[precision] - energies["highest"])))
        most = _NOISY / noise if noise else None
        allowed = bool(most is None or usual is None or most >= usual)
        rows.append(
            {"precision": precision, "noise": noise, "largest_beta": most, "usual_beta": usual, "allowed": allowed}
        )
    for row in rows:
        row["same_as_highest"] = same or row["precision"] == "highest"
    return rows, same


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))


def sweep(ensemble: jme.Ensemble, way: str, ceiling: dict[str, float], options: Any) -> Any:
    """Yield a row per number of chains. The last one holds the reason for stopping."""
    best, in_vain, given = 0.0, 0, list(options.chains or [])
    chains = options.first or (16 if jax.default_backend() == "cpu" else 256)
    while True:
        if options.chains:
            if not given:
                return
            chains = given.pop(0)
        row = measured(ensemble, way, chains, ceiling, options.seconds)
        rate = row["proposals_per_second"]
        if rate is None:
            print(f"{way}, {chains:,} chains: {row['stopped']}", file=sys.stderr)
            return
        in_vain = in_vain + 1 if rate < GAIN * best else 0
        saturated = in_vain == PATIENCE
        yield row | {"stopped": "two doublings gained less than 5 %" if saturated and not options.chains else ""}
        if saturated and not options.chains:
            return
        best, chains = max(best, rate), 2 * chains


def measured(
    ensemble: jme.Ensemble, way: str, chains: int, ceiling: dict[str, float], seconds: float
) -> dict[str, Any]:
    """Measure one evaluator with this many chains. The rate is None if they do not fit into memory."""
    free = free_bytes()
    gc.collect()  # frees the chains of the last measurement
    try:
        walk = Way(ensemble, EVALUATORS[way], chains, free=None if free is None else SHARE_OF_MEMORY * free)
        rate = chains / time_of_step(walk, seconds)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return {"proposals_per_second": None, "stopped": str(error).splitlines()[0]}
    cost = IncrementalEvaluator(ensemble).network.explain()
    incremental = way == "incremental"
    flops, moved = (cost.flops, cost.bytes) if incremental else (cost.full_flops, None)
    return {
        "evaluator": way, "chains": chains, "proposals_per_second": rate, "compile_seconds": walk.compile_seconds,
        "cache_bytes": walk.cache_bytes, "flops": flops, "share_of_flops": flops * rate / ceiling["flops"],
        "bytes": moved, "share_of_bandwidth": None if moved is None else moved * rate / ceiling["bytes"],
    }  # fmt: skip


def time_of_step(walk: Way, seconds: float) -> float:
    """Return the median time of a step over rounds. Runs before them compile, and find the number of steps to time."""
    walk.run(2)
    steps = 2
    for _ in range(2):
        # There are two rounds, because a single step takes longer than one of many steps.
        steps = max(2, min(50 * steps, int(seconds / (ROUNDS + 1) / walk.run(steps))))
    return float(np.median([walk.run(steps) for _ in range(ROUNDS)]))


def table(found: dict[str, Any]) -> str:
    """Return the figures as a text table."""
    about, lines = found["machine"], []
    for precision, ceiling in found["ceilings"].items():
        lines.append(f"{precision}: {ceiling['flops'] / 1e9:,.0f} GFLOP/s, {ceiling['bytes'] / 1e9:,.1f} GB/s copied")
    for row in found["energies"]:
        most = "any β" if row["largest_beta"] is None else f"β ≤ {row['largest_beta']:,.3g}"
        usual = "" if row["usual_beta"] is None else f", usual β {row['usual_beta']:,.3g}"
        verdict = "allowed" if row["allowed"] else "too noisy"
        lines.append(f"{row['network']}, {row['precision']}: noise {row['noise']:.1e} allows {most}{usual}: {verdict}")
    heads = f"{'network':<18} {'evaluator':<12} {'precision':<9} {'chains':>9} {'proposals/s':>13}"
    lines.append(f"{heads} {'FLOPs':>6} {'bytes':>6} {'compile s':>9} {'cache/chain':>12}")
    for row in found["rows"]:
        moved = "" if row["share_of_bandwidth"] is None else f"{100 * row['share_of_bandwidth']:.0f} %"
        lines.append(
            f"{row['network']:<18} {row['evaluator']:<12} {row['precision']:<9} {row['chains']:>9,} "
            f"{row['proposals_per_second']:>13,.0f} {100 * row['share_of_flops']:>4.0f} % {moved:>6} "
            f"{row['compile_seconds']:>9.1f} {row['cache_bytes']:>12,}"
        )
    return "\n".join([f"{about['device']}, {about['cpu']}, {about['cores']} cores, {about['date']}", *lines])


def plot(found: dict[str, Any], path: Path) -> None:
    """Draw proposals per second against the number of chains, one panel per network."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator

    names = list(dict.fromkeys(row["network"] for row in found["rows"]))
    figure = Figure(figsize=(4 * len(names), 3.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, max(1, len(names)), squeeze=False)[0])
    for panel, name in zip(panels, names, strict=False):
        for precision, style in zip(PRECISIONS, ("-", "--"), strict=True):
            for way, color in zip(EVALUATORS, ("C0", "C1"), strict=True):
                rows = [
                    r for r in found["rows"] if (r["network"], r["evaluator"], r["precision"]) == (name, way, precision)
                ]
                if rows:
                    points = [(r["chains"], r["proposals_per_second"]) for r in rows]
                    panel.plot(*zip(*points, strict=True), style, marker="o", color=color, label=f"{way}, {precision}")
        counts = sorted({r["chains"] for r in found["rows"] if r["network"] == name})
        panel.set(xscale="log", yscale="log", title=name, xlabel="chains", ylabel="proposals per second")
        # Ticks at the measured numbers of chains, or at some of them if there are many.
        panel.set_xticks(ticks := counts[:: 1 + len(counts) // 6], [f"{n:,}" for n in ticks], fontsize=8)
        panel.xaxis.minorticks_off()
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:,.0f}"))
        panel.yaxis.minorticks_off()
    # The legend is that of the panel with the most lines, because some networks have fewer lines.
    labelled = max((panel.get_legend_handles_labels() for panel in panels), key=lambda found: len(found[1]))
    figure.legend(*labelled, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    figure.suptitle(f"{found['machine']['device']}, {found['machine']['cpu']}, {found['machine']['date']}")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
