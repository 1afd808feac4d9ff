"""Compare rules: effective draws per second and per evaluation of the network.

    JAXMAXENT_DATA=... python benchmarks/kernels.py --model MODEL [--seconds 60] [--rules site adaptive …]
    python benchmarks/kernels.py --example [--seconds 60]

The network is MODEL, of the CTCF experiment, at a published anchor. With --example it is trained here on sequences with
an implanted site. All rules run on one ladder, for about the same time, after burn-in. The effective sample size is the
median over the slowest tenth of the letter frequencies at the target, because the smallest of hundreds of estimates is
mostly noise; the smallest is printed too. A gradient counts as two more evaluations, because it costs as many FLOPs.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxmaxent as jme
from jaxmaxent import models
from jaxmaxent.data import ctcf_example, read_one_hot
from jaxmaxent.kernels import Informed, Mixture, Segment, SegmentAdaptive, Site, SiteAdaptive, Transposition

RULES: dict[str, Any] = {
    "site": Site(),
    "adaptive": SiteAdaptive(),
    "default": None,
    "adaptive + segment 24 (9:1)": Mixture.create([SiteAdaptive(), SegmentAdaptive(24)], [9, 1]),
    "adaptive + segment 24": Mixture.create([SiteAdaptive(), SegmentAdaptive(24)], [4, 1]),
    "adaptive + segment 12": Mixture.create([SiteAdaptive(), SegmentAdaptive(12)], [4, 1]),
    "adaptive, segment 2, 24": Mixture.create([SiteAdaptive(), Segment(2), SegmentAdaptive(24)], [5, 4, 1]),
    "uniform segment 2": Segment(2),
    "uniform segment 3": Segment(3),
    "informed": Informed(),
    "site + transposition": Mixture.create([Site(), Transposition()]),
    "adaptive + uniform segment 2": Mixture.create([SiteAdaptive(), Segment(2)]),
    "adaptive + informed": Mixture.create([SiteAdaptive(), Informed()]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    network = parser.add_mutually_exclusive_group(required=True)
    network.add_argument("--model", type=Path, help="a folder that `jaxmaxent train` wrote, of the CTCF experiment")
    network.add_argument("--example", action="store_true", help="train on sequences with an implanted site")
    parser.add_argument("--anchor", type=int, default=0, help="the number of a published anchor (default %(default)s)")
    parser.add_argument("--beta", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds for each rule (default %(default)s)")
    parser.add_argument("--rules", nargs="+", choices=list(RULES), default=list(RULES))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    ensemble = example_ensemble(options.beta) if options.example else ctcf_ensemble(options)
    # All rules use one ladder, the one that a first run found.
    first = jme.sample(jax.random.key(99), ensemble, steps=2000, burn_in=4000, anchor_chains=0, progress=False)
    with np.printoptions(precision=1, suppress=True, linewidth=140):
        print(f"ladder {first.beta[0]}")
    print(
        "rule                        proposals/s  acceptance  trips   ESS    ESS/s  ESS/10^6 evaluations  least ESS/s"
    )
    for name in options.rules:
        print_rule(name, ensemble, first.beta, options)


def print_rule(name: str, ensemble: jme.Ensemble, ladder: np.ndarray, options: argparse.Namespace) -> None:
    """Print one line of the table."""
    settings: dict[str, Any] = {"ladder": ladder, "rule": RULES[name], "anchor_chains": 0, "progress": False}
    key = jax.random.key(options.seed)
    timed = jme.sample(key, ensemble, steps=200, burn_in=0, **settings)
    speed = jme.sample(key, ensemble, steps=200, burn_in=0, **settings).proposals_per_second
    replicas = timed.last[:, 1:, :, 0].size
    steps = int(options.seconds * speed / replicas) // 320 * 320 + 320
    run = jme.sample(key, ensemble, steps=steps, burn_in=4000, **settings)
    seconds = run.seconds * steps / (steps + run.burn_in)
    sizes = np.sort(run.frequency_ess[0, -1].ravel())
    slow = float(np.median(sizes[: sizes.size // 10]))
    evaluations = replicas * steps * cost(RULES[name]) / 1e6
    print(
        f"{name:26s} {run.proposals_per_second:12,.0f} {run.acceptance[0, -1]:11.3f} {run.round_trips[0]:6d} "
        f"{slow:6.0f} {slow / seconds:8.2f} {slow / evaluations:20.1f} {sizes[0] / seconds:12.2f}",
        flush=True,
    )


def cost(rule: Any) -> float:
    """Return the evaluations of the network per proposal. If one rule of a mixture needs the gradient, all count it."""
    return 3.0 if getattr(rule, "needs_gradient", False) else 1.0


def ctcf_ensemble(options: argparse.Namespace) -> jme.Ensemble:
    """Return the ensemble of a published anchor under a saved network."""
    if "JAXMAXENT_DATA" not in os.environ:
        sys.exit("set JAXMAXENT_DATA to the folder that holds ctcf/")
    anchors = Path(os.environ["JAXMAXENT_DATA"]) / "ctcf" / "published_anchors_gcat.npy"
    tokens = read_one_hot(anchors, "GCAT").tokens[options.anchor]
    return jme.Ensemble.create(models.representation(models.load(options.model)), tokens, beta=options.beta)


def example_ensemble(beta: float) -> jme.Ensemble:
    """Return the ensemble of a sequence with an implanted CTCF site, under a network trained on such sequences."""
    example = ctcf_example(np.random.default_rng(0), 6000)
    labels = np.asarray(example.labels)
    trained = models.train(jax.random.key(0), models.ConvArchitecture(), example.tokens, labels, epochs=10)
    anchor = example.tokens[int(np.flatnonzero(labels == 1)[0])]
    return jme.Ensemble.create(models.representation(trained.network), anchor, beta=beta)


if __name__ == "__main__":
    main()
