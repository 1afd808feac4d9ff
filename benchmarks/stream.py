"""Measure jobs of many anchors: memory and time for few and many, one process against several, and the engine itself.

    python benchmarks/stream.py --anchors 100 1000
    python benchmarks/stream.py --model MODEL --sequences test.fa --limit 10
    python benchmarks/stream.py --engine 64
    python benchmarks/stream.py --lanes 8 --count 48

The first samples anchors of 12 letters under a small network by `jaxmaxent interpret`, into a store, and prints the
largest resident set and the seconds per anchor. The second samples the same sequences with one process and with the
default number, in turn, and prints the ratio of the times. The third gives so many workers of a Dask cluster short
sleeps instead of sampling, and prints the share of the time in which they slept. The fourth samples small anchors of
different difficulty to the same precision in lanes, in groups of as many that end together, and one by one, all with
full evaluation, and prints steps and seconds without compiling.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NETWORK = """
import jax.numpy as jnp
import numpy as np
import jaxmaxent as jme

weights = jnp.asarray(np.random.default_rng(0).normal(size=(48, 4)), jnp.float32)
network = jme.Representation(lambda params, one_hot: jnp.tanh(one_hot.reshape(-1) @ params), weights)
"""
SHORT = ["--rungs", "4", "--chains", "2", "--steps", "200", "--beta", "3", "--pictures", "0", "--quiet"]
INSIDE = """
import resource, sys, time
from jaxmaxent.cli import main
began = time.perf_counter()
code = main(sys.argv[1:])
print("MEASURED", time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(0 if code in (0, 3) else code)
"""


def interpret(arguments: list[str]) -> tuple[float, float]:
    """Run `jaxmaxent interpret` in a process of its own; return its seconds and its largest resident set in MiB."""
    command = [sys.executable, "-c", INSIDE, "interpret", *arguments]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    _, seconds, largest = said.strip().splitlines()[-1].split()
    return float(seconds), float(largest) / (2**20 if sys.platform == "darwin" else 2**10)


def many(counts: list[int]) -> None:
    """Print memory and time per anchor for several numbers of anchors."""
    import numpy as np

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        network, file = Path(folder) / "net.py", Path(folder) / "anchors.fa"
        network.write_text(NETWORK)
        for count in counts:
            rows = ("".join(rng.choice(list("ACGT"), 12)) for _ in range(count))
            file.write_text("".join(f">a{i}\n{row}\n" for i, row in enumerate(rows)))
            out = str(Path(folder) / f"run-{count}")
            given = [f"{network}:network", str(file), *SHORT, "--store", "zarr", "--workers", "1", "--out", out]
            seconds, megabytes = interpret(given)
            files = sum(1 for path in Path(out).rglob("*") if path.is_file())
            print(
                f"{count:>7,} anchors: peak {megabytes:7.1f} MiB, {seconds:7.1f} s, "
                f"{1000 * seconds / count:6.1f} ms per anchor, {files:,} files",
                flush=True,
            )


def workers(model: str, sequences: str, limit: int, more: list[str]) -> None:
    """Print the times of one process and of the default number, one after the other, twice."""
    found = []
    for number in range(2):
        with tempfile.TemporaryDirectory() as folder:
            given = [model, sequences, "--limit", str(limit), "--pictures", "0", "--quiet", *more]
            one, _ = interpret([*given, "--workers", "1", "--out", f"{folder}/one"])
            several, _ = interpret([*given, "--out", f"{folder}/several"])
        found.append(one / several)
        print(f"pair {number}: one process {one:.1f} s, default {several:.1f} s, ratio {found[-1]:.2f}", flush=True)
    print(f"the default is {sum(found) / len(found):.2f} times as fast as one process")


def engine(count: int) -> None:
    """Print how much of the time the workers of a cluster slept, if their work is to sleep."""
    from distributed import Client, LocalCluster

    from jaxmaxent.cluster import each

    seconds, calls = 1.0, 20 * count
    about: dict[str, Any] = {"n_workers": 4, "threads_per_worker": -(-count // 4), "processes": False}
    about["dashboard_address"] = None
    with (
        LocalCluster(**about) as cluster,
        Client(cluster) as client,
    ):
        began = time.perf_counter()
        executor = client.get_executor(pure=False)
        assert sum(1 for _ in each(_sleep, range(calls), executor=executor)) == calls
        wall = time.perf_counter() - began
    share = calls * seconds / count / wall
    print(f"{count} workers, {calls:,} sleeps of {seconds:g} s: {wall:.1f} s, efficiency {share:.3f}")


def lanes(width: int, count: int) -> None:
    """Print steps and seconds of anchors in lanes, in groups and one by one."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import jaxmaxent as jme
    from jaxmaxent.cluster import sample_each

    rng = np.random.default_rng(0)
    weights = jnp.asarray(rng.normal(size=(48, 8)), jnp.float32)
    network = jme.Representation(lambda params, one_hot: jnp.tanh(one_hot.reshape(-1) @ params), weights)
    beta = np.exp(rng.uniform(np.log(1), np.log(10), count))  # so that some take much longer than others
    ensemble = jme.Ensemble.create(network, rng.integers(0, 4, (count, 12)), beta=beta)
    settings: dict[str, Any] = {"evaluation": "full", "progress": False, "until": jme.Precision(rhat=1.02, ess=300)}

    def in_lanes(number: int, folder: str) -> list[jme.Run]:
        return list(sample_each(jax.random.key(0), ensemble, f"{folder}/{number}.zarr", lanes=number, **settings))

    def in_groups() -> list[jme.Run]:
        parts = range(0, count, width)
        return [jme.sample(jax.random.key(k), ensemble.take(np.arange(k, k + width)), **settings) for k in parts]

    for name in ("lanes", "groups", "one by one"):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            found = in_groups() if name == "groups" else in_lanes(width if name == "lanes" else 1, folder)
            took = time.perf_counter() - began
        steps = sum(int(run.burn_in * len(run.names) + run.steps.sum()) for run in found)
        sampling, compiling = sum(run.seconds for run in found), max(run.compile_seconds for run in found)
        done = sum(int(run.converged.sum()) for run in found)
        print(
            f"{name:>10s}: {steps:>9,} steps, {sampling:6.1f} s of blocks, {took - compiling:6.1f} s "
            f"with all else but compiling, {done} converged",
            flush=True,
        )


def _sleep(number: int) -> int:
    time.sleep(1.0)
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anchors", type=int, nargs="+", default=[], help="numbers of anchors")
    parser.add_argument("--model", help="network for the comparison of one process with several")
    parser.add_argument("--sequences", help="its sequences")
    parser.add_argument("--limit", type=int, default=10, help="number of them (default %(default)s)")
    parser.add_argument("--engine", type=int, help="number of simulated workers")
    parser.add_argument("--lanes", type=int, help="number of lanes, and of anchors of a group")
    parser.add_argument("--count", type=int, default=48, help="number of anchors, a multiple of that")
    parser.add_argument("rest", nargs="*", help="further options of `jaxmaxent interpret`, after --")
    options = parser.parse_args()
    if options.anchors:
        many(options.anchors)
    if options.model:
        workers(options.model, options.sequences, options.limit, options.rest)
    if options.engine:
        engine(options.engine)
    if options.lanes:
        lanes(options.lanes, options.count)
    print(f"children: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime:.0f} s of CPU")


if __name__ == "__main__":
    main()
