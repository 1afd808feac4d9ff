"""Measure the peak memory for several numbers of steps; it must not grow with them.

    python benchmarks/memory.py [--chains 16] [--steps 10000 1000000] [--filters 64]

With few filters a step is cheap, while the statistics have the same size. Each run has its own process and reports its
largest resident set.
"""

import argparse
import multiprocessing
import resource
import sys


def peak_megabytes(chains: int, steps: int, filters: int) -> tuple[float, float]:
    """Return the largest resident set of a run of the CTCF architecture with random weights, and its seconds."""
    import jax
    from flax import nnx

    import jaxmaxent as jme
    from jaxmaxent.models import ConvArchitecture, representation

    network = ConvArchitecture(filters=filters).build(nnx.Rngs(0))
    ensemble = jme.Ensemble.create(representation(network), "ACGTA" * 20 + "C", beta=5.0)
    # One β as in the published sampler. A ladder has the same statistics for every rung.
    run = jme.sample(jax.random.key(0), ensemble, ladder=4, chains=chains, steps=steps, progress=False)
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale, run.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=16)
    parser.add_argument("--steps", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--filters", type=int, default=64, help="filters of the network (default %(default)s)")
    options = parser.parse_args()
    for steps in options.steps:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            megabytes, seconds = pool.apply(peak_megabytes, (options.chains, steps, options.filters))
        print(f"{options.chains} chains × {steps:>9,} steps: peak {megabytes:7.1f} MiB, {seconds:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
