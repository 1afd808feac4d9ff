"""Measure the accuracy of the chemical potential, its standard errors, and its cost on a real network.

    python benchmarks/potential.py [--repeats 50]
    JAXMAXENT_DATA=... python benchmarks/potential.py --model MODEL [--anchors 10] [--ladder 6] [--chains 8]

Without a model, 20 ensembles of 256 sequences each are compared with exact enumeration. Then one of them is solved
repeatedly, each time by new chains. With a model of the CTCF experiment, μ is solved for a mean GC content of 0.41 at
β = 100 for the published anchors, and the proposals and seconds are printed.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import jax
import numpy as np

import jaxmaxent as jme
from jaxmaxent import models
from jaxmaxent.analysis import ChemicalPotential, solve_chemical_potential
from jaxmaxent.data import read_one_hot

TARGET, CTCF_TARGET = 0.38, 0.41
LENGTH, FEATURES = 4, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a folder that `jaxmaxent train` wrote, of the CTCF experiment")
    parser.add_argument("--anchors", type=int, default=10)
    parser.add_argument("--beta", type=float, default=100.0)
    parser.add_argument("--tolerance", type=float, default=0.02)
    parser.add_argument("--ladder", type=int, default=6)
    parser.add_argument("--chains", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.model is None:
        print_exact(options)
    else:
        print_ctcf(options)


def print_exact(options: argparse.Namespace) -> None:
    """Solve twenty ensembles, then one of them repeatedly."""
    network = ToyNetwork(options.seed)
    rng = np.random.default_rng(options.seed)
    states = np.stack(np.unravel_index(np.arange(4**LENGTH), (4,) * LENGTH), -1)
    anchors, betas = states[rng.choice(len(states), 20, replace=False)], np.linspace(0.3, 3, 20)
    truth = np.array([exact_mu(network, states, a, b) for a, b in zip(anchors, betas, strict=True)])
    solved = solve(network, anchors, betas, options)
    z = (solved.mu - truth) / solved.standard_error
    print(f"20 ensembles of {len(states)} sequences, β from 0.3 to 3, target {TARGET}: {solved.reached.sum()} reached")
    print(f"  |μ − exact| < 3 standard errors in {np.mean(np.abs(z) < 3):.0%}, root mean square of z {rms(z):.2f}")
    repeated = solve(network, np.repeat(anchors[10:11], options.repeats, 0), betas[10], options)
    spread, error = repeated.mu.std(ddof=1), rms(repeated.standard_error)
    print(f"{options.repeats} repeats of one: spread {spread:.4f}, reported {error:.4f}, ratio {error / spread:.2f}")
    print(f"  mean − exact {repeated.mu.mean() - truth[10]:+.4f} ± {spread / options.repeats**0.5:.4f}")


def solve(
    network: "ToyNetwork", anchors: np.ndarray, betas: np.ndarray, options: argparse.Namespace
) -> ChemicalPotential:
    ensemble = jme.Ensemble.create(network, anchors, beta=betas)
    return solve_chemical_potential(
        jax.random.key(options.seed), ensemble, TARGET, ladder=4, chains=options.chains, tolerance=options.tolerance
    )


class ToyNetwork:
    """Features of a random network of one hidden layer."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.first, self.bias = rng.normal(size=(4 * LENGTH, 16)), rng.normal(size=16)
        self.second = rng.normal(scale=0.5, size=(16, FEATURES))

    def __call__(self, one_hot: jax.Array) -> jax.Array:
        return jax.numpy.tanh(jax.nn.relu(one_hot.reshape(-1) @ self.first + self.bias) @ self.second)

    def in_float64(self, tokens: np.ndarray) -> np.ndarray:
        hidden = np.eye(4)[tokens].reshape(len(tokens), -1) @ self.first + self.bias
        return np.tanh(np.maximum(hidden, 0) @ self.second)


def exact_mu(network: ToyNetwork, states: np.ndarray, anchor: np.ndarray, beta: float) -> float:
    """Return μ by bisection on the exact mean over all sequences."""
    energy = np.linalg.norm(network.in_float64(states) - network.in_float64(anchor[None]), axis=1)
    counts = np.isin(states, (1, 2)).sum(1)
    low, high = -20.0, 20.0
    for _ in range(80):
        mu = (low + high) / 2
        weights = np.exp(mu * counts - beta * energy)
        below = weights @ counts / weights.sum() < TARGET * LENGTH
        low, high = (mu, high) if below else (low, mu)
    return (low + high) / 2


def print_ctcf(options: argparse.Namespace) -> None:
    if "JAXMAXENT_DATA" not in os.environ:
        sys.exit("set JAXMAXENT_DATA to the folder that holds ctcf/")
    file = Path(os.environ["JAXMAXENT_DATA"]) / "ctcf" / "published_anchors_gcat.npy"
    tokens = read_one_hot(file, "GCAT").tokens[: options.anchors]
    network = models.representation(models.load(options.model))
    ensemble = jme.Ensemble.create(network, tokens, beta=options.beta)
    settings = {"ladder": options.ladder, "chains": options.chains, "progress": False}
    # A first call, at another μ, compiles all programs.
    solve_chemical_potential(jax.random.key(1), ensemble, 0.5, steps=10, max_steps=10, burn_in=0, **settings)
    began = time.perf_counter()
    solved = solve_chemical_potential(
        jax.random.key(options.seed), ensemble, CTCF_TARGET, tolerance=options.tolerance, **settings
    )
    took = time.perf_counter() - began
    for mu, error, fraction, its_error, outcome, trials in zip(
        solved.mu, solved.standard_error, solved.fraction, solved.fraction_error, solved.outcomes, solved.trials,
        strict=True,
    ):  # fmt: skip
        print(f"μ {mu:.4f} ± {error:.4f}  GC {fraction:.4f} ± {its_error:.4f}  {len(trials)} rounds, {outcome}")
    print(f"{len(tokens)} anchors, target {CTCF_TARGET}, β = {options.beta:g}, {options.ladder} rungs, ", end="")
    print(f"{options.chains} chains: {solved.reached.sum()} reached, {solved.proposals / 1e6:.2f} million proposals")
    print(
        f"  {took:.1f} s after compiling, {solved.proposals / took:,.0f} proposals/s, all work between rounds included"
    )


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


if __name__ == "__main__":
    main()
