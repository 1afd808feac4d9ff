"""Compare incremental with full evaluation: proposals per second on published architectures.

    python benchmarks/incremental.py [--networks ctcf basset …] [--chains 128] [--seconds 10] [--explain] [--mutants]
    python benchmarks/incremental.py --networks ctcf --torch
    python benchmarks/incremental.py --modern [--networks enformer …] [--chains 32] [--seconds 2]

Both ways run alternately in one process, on the same chains, positions, letters and acceptances. The median of several
rounds is printed, with the largest difference of their energies, compile times, the size of the cache, and FLOPs and
bytes of a proposal. FLOPs and bytes are also given as shares of the rates that this machine reaches when it only
multiplies matrices or only copies memory. With --mutants, in-silico mutagenesis of 100 sequences is compared with
running the batch of all mutants. With --modern, the networks of `modern_networks.py` are compared, one a line, and the
last column is the way that `evaluation="auto"` chooses. With --torch, the published sampler runs in eager PyTorch (it
needs torch, which no extra installs).
"""

import argparse
import functools
from typing import Any

import jax
import jax.numpy as jnp
import networks
import numpy as np
from measure import Way, ceilings, seconds
from modern_networks import MODERN, made
from rivals_worker import Problem, Torch

import jaxmaxent as jme
from jaxmaxent.evaluate import FullEvaluator
from jaxmaxent.evaluate.incremental import IncrementalEvaluator, mutants
from jaxmaxent.kernels import Site
from jaxmaxent.sampling import Options
from jaxmaxent.sampling.program._evaluation import chosen

ROUNDS = 3
COMPILATIONS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=[*networks.NETWORKS, *MODERN])
    parser.add_argument("--modern", action="store_true", help="compare small networks with modern layers, one a line")
    parser.add_argument("--chains", type=int, default=128)
    parser.add_argument("--beta", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds for each way, about (default %(default)s)")
    parser.add_argument("--explain", action="store_true", help="print the table of windows")
    parser.add_argument("--mutants", action="store_true", help="time in-silico mutagenesis as well")
    parser.add_argument("--sequences", type=int, default=100, help="sequences to mutate (default %(default)s)")
    parser.add_argument("--torch", action="store_true", help="time the published sampler in eager PyTorch as well")
    options = parser.parse_args()
    flops, bandwidth = ceilings()
    print(f"this machine: {flops / 1e9:,.0f} GFLOP/s in float32 matrix products, {bandwidth / 1e9:,.1f} GB/s copied")
    if options.modern:
        print_modern(options)
        return
    for name in options.networks or networks.NETWORKS:
        network = networks.NETWORKS[name]()
        print_proposals(name, network, options, flops, bandwidth)
        if options.mutants:
            print_mutants(network, options.sequences)
        if options.torch:
            print_torch(network, options)


def ensemble_of(network: networks.Network, beta: float) -> jme.Ensemble:
    anchor = np.random.default_rng(7).integers(0, networks.LETTERS, network.length)
    representation = jme.Representation(network.features, network.weights)
    return jme.Ensemble.create(representation, anchor, beta=beta)


def print_proposals(name: str, network: networks.Network, options: Any, flops: float, bandwidth: float) -> None:
    ensemble = ensemble_of(network, options.beta)
    ways, compiling = [], []
    for _ in range(COMPILATIONS):
        ways.clear()
        jax.clear_caches()
        ways.extend(Way(ensemble, evaluator, options.chains) for evaluator in (FullEvaluator, IncrementalEvaluator))
        compiling.append([way.compile_seconds for way in ways])
    full, quick = ways
    # Both ways make the same number of steps, so that they can be compared. It is the number that the slower way makes
    # in the time.
    steps = max(2, int(options.seconds / ROUNDS / full.run(2)))
    quick.run(2)
    for way in ways:
        way.times.clear()
    more = max(steps, int(options.seconds / ROUNDS / quick.run(steps)))
    full.run(steps)
    energies = [np.asarray(way.states.energy) for way in ways]
    apart = np.abs(energies[0] - energies[1]).max() / np.abs(energies[0]).max()
    for _ in range(ROUNDS):
        full.run(steps)
        quick.run(more)
    slow, fast = (float(np.median(way.times[1:])) / options.chains for way in ways)
    explanation = IncrementalEvaluator(ensemble).network.explain()
    full_seconds, quick_seconds = np.median(compiling, axis=0)
    longer = np.median(np.divide(*np.transpose(compiling)[::-1]))
    again = jax.jit(jax.vmap(ensemble.energy))(quick.states.tokens)
    drift = float(jnp.abs(again - quick.states.energy).max() / jnp.abs(again).max())
    print(f"{name} ({network.length} bp, {options.chains} chains; {network.source})")
    if options.explain:
        print("    " + str(explanation).replace("\n", "\n    "))
    print(
        f"    full {1 / slow:,.0f} proposals/s, incremental {1 / fast:,.0f}: {slow / fast:.1f} times as many\n"
        f"    energies after {steps + 2} equal steps differ by {apart:.1e} of the largest; incremental ones after "
        f"{more * ROUNDS + steps} by {drift:.1e} from full ones\n"
        f"    compiling: full {full_seconds:.2f} s, incremental {quick_seconds:.2f} s, {longer:.1f} times as long\n"
        f"    cache: {quick.cache_bytes:,} bytes per chain, {2**30 // quick.cache_bytes:,} chains per GiB\n"
        f"    FLOPs per proposal {explanation.full_flops:,} and {explanation.flops:,}: "
        f"{100 * explanation.full_flops / slow / flops:.0f} % and {100 * explanation.flops / fast / flops:.0f} % of "
        f"the products' ceiling\n"
        f"    bytes of cache per proposal {explanation.bytes:,}: "
        f"{100 * explanation.bytes / fast / bandwidth:.0f} % of the copy's ceiling",
        flush=True,
    )


def print_modern(options: Any) -> None:
    """Print a line per network: FLOPs, speed and compile time of both ways, and the way that is chosen."""
    print(f"{'network':16s}{'FLOPs':>8s}{'speed':>8s}{'full/s':>10s}{'incr./s':>10s}{'compiling':>11s}  auto")
    for name in options.networks or MODERN:
        ensemble = ensemble_of(made(MODERN[name]), options.beta)
        explanation = IncrementalEvaluator(ensemble).network.explain()
        jax.clear_caches()
        full, quick = (Way(ensemble, evaluator, options.chains) for evaluator in (FullEvaluator, IncrementalEvaluator))
        for way in (full, quick):
            steps = max(2, int(options.seconds / ROUNDS / way.run(2)))
            way.times.clear()
            for _ in range(ROUNDS):
                way.run(steps)
        slow, fast = (min(way.times) / options.chains for way in (full, quick))
        again = jax.jit(jax.vmap(ensemble.energy))(quick.states.tokens)
        apart = float(jnp.abs(again - quick.states.energy).max() / jnp.abs(again).max())
        batch = ensemble.batched()
        settings = Options.of(batch, ladder=3, chains=max(options.chains // 4, 2), target_replicas=1, steps=100)
        way = chosen("auto", batch, Site().prepare(batch, 3), settings)
        print(
            f"{name:16s}{explanation.full_flops / explanation.flops:8.1f}{slow / fast:8.1f}{1 / slow:10,.0f}"
            f"{1 / fast:10,.0f}{quick.compile_seconds / full.compile_seconds:11.1f}  {way}  ({apart:.0e})",
            flush=True,
        )


def print_mutants(network: networks.Network, sequences: int) -> None:
    """Compare mutagenesis with the batch of all mutants, in chunks of one sequence."""
    tokens = np.random.default_rng(3).integers(0, networks.LETTERS, (sequences, network.length)).astype(np.int32)
    representation = jme.Representation(network.features, network.weights)
    incremental = seconds(lambda: mutants(representation, tokens, reduce=_size), rounds=1)
    some = tokens[: max(1, sequences // 20)]
    full = seconds(lambda: _all_mutants(network.features, network.weights, jnp.asarray(some)), rounds=1)
    full *= sequences / len(some)
    expected = np.asarray(_all_mutants(network.features, network.weights, jnp.asarray(some[:1])))
    apart = np.abs(np.asarray(mutants(representation, some[:1], reduce=_size)) - expected).max() / expected.max()
    print(
        f"    all single-letter mutants of {sequences} sequences: {incremental:.1f} s, in full {full:.1f} s "
        f"(measured on {len(some)}): {full / incremental:.1f} times as fast; they differ by {apart:.1e}",
        flush=True,
    )


def _size(features: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.sum(jnp.square(features)))


@functools.partial(jax.jit, static_argnums=0)
def _all_mutants(features: Any, weights: Any, tokens: jax.Array) -> jax.Array:
    """Return a number for each mutant by full evaluation, one sequence at a time; [sequences, length, letters]."""
    length = tokens.shape[1]

    def at(row_site: Any) -> jax.Array:
        row, sites = row_site

        def one(site: jax.Array, letter: jax.Array) -> jax.Array:
            return _size(features(weights, jax.nn.one_hot(row.at[site].set(letter), networks.LETTERS)))

        return jax.vmap(lambda s: jax.vmap(lambda a: one(s, a))(jnp.arange(networks.LETTERS)))(sites)

    # A batch has 128 mutants: 4 letters at 32 sites.
    width = 32
    chunks = -(-length // width)
    sites = jnp.minimum(jnp.arange(chunks * width), length - 1).reshape(chunks, width)
    rows = jnp.repeat(tokens, chunks, axis=0)
    found = jax.lax.map(at, (rows, jnp.tile(sites, (len(tokens), 1))))
    return found.reshape(len(tokens), chunks * width, networks.LETTERS)[:, :length]


def print_torch(network: networks.Network, options: Any) -> None:
    """Time the published sampler for the CTCF network in eager PyTorch; a step is one forward pass of all chains."""
    if "conv" not in network.weights:
        print("    the published sampler is there for the ctcf network only")
        return
    pairs = [network.weights[layer] for layer in ("conv", "dense")]
    layers = [(np.asarray(pair["kernel"]), np.asarray(pair["bias"])) for pair in pairs]
    anchor = np.asarray(ensemble_of(network, options.beta).anchor, np.int64)
    weights = np.ones(layers[-1][1].shape, np.float32)
    rival = Torch(Problem(layers, weights, anchor, options.beta, ""), options.chains, seed=0)
    rival.advance(1)
    took = proposals = 0
    while took < options.seconds:
        _, more, made = rival.advance(1)
        took, proposals = took + more, proposals + made
    print(
        f"    the published sampler in eager PyTorch {rival.version}: {proposals / took:,.0f} proposals/s", flush=True
    )


if __name__ == "__main__":
    main()
