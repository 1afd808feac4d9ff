"""The CTCF experiment on real ChIP-seq data: train, interpret the published anchors, and time the published job.

    JAXMAXENT_DATA=... python benchmarks/ctcf.py --out ctcf [--model MODEL]

It needs ctcf/train.tsv.gz, valid.tsv.gz, test.tsv.gz and published_anchors_gcat.npy below JAXMAXENT_DATA. It writes the
network, the report and the logos below --out, and prints the figures.
"""

import argparse
from pathlib import Path
from typing import Any

import jax
import numpy as np
from measure import data_folder

import jaxmaxent as jme
from jaxmaxent import analysis, models
from jaxmaxent.commands import _interpret as interpret
from jaxmaxent.commands import _train as train
from jaxmaxent.commands._options import InterpretOptions, TrainOptions
from jaxmaxent.data import read_one_hot

# The core of the first published anchor, and the surroundings that it can reach; 0-based, end excluded.
CORE, SURROUNDINGS = slice(41, 52), slice(34, 62)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("ctcf"))
    parser.add_argument("--model", type=Path, help="a trained network, instead of training one")
    parser.add_argument("--beta", type=float, default=100.0)
    parser.add_argument("--chains", type=int, default=256)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = data_folder("ctcf")
    model = options.model or options.out / "model"
    if options.model is None:
        table, valid, test = (str(data / f"{name}.tsv.gz") for name in ("train", "valid", "test"))
        metrics = train.run(TrainOptions(table=table, out=str(model), valid=valid, test=test, seed=options.seed))
        print(f"test AUROC {metrics['test_auroc']:.4f}  AUPRC {metrics['test_auprc']:.4f}", end="  ")
        print(f"training {metrics['train_seconds']:.0f} s")
    anchors = data / "published_anchors_gcat.npy"
    time_published_job(model, anchors, options.beta)
    settings: dict[str, Any] = {name: getattr(options, name) for name in ("beta", "chains", "steps", "seed")}
    settings["rungs"] = 1
    out = str(options.out / f"beta_{options.beta:g}")
    interpret.run(InterpretOptions(model=str(model), sequences=str(anchors), out=out, letters="GCAT", **settings))
    print_anchors(jme.Run.load(f"{out}/run.npz"))


def time_published_job(model: Path, anchors: Path, beta: float) -> None:
    """Time one anchor with 50 chains from x0 and 10,000 steps; every 100th is kept. Print compile time separately."""
    tokens = read_one_hot(anchors, "GCAT").tokens[0]
    network = models.representation(models.load(model))
    ensemble = jme.Ensemble.create(network, tokens, beta=beta)
    settings: dict[str, Any] = {"ladder": None, "chains": 50, "steps": 10_000, "burn_in": 0}
    settings |= {"thin": 100, "store_every": 100, "start": "anchor"}
    run = jme.sample(jax.random.key(0), ensemble, **settings)
    print(f"published job, 50 chains × 10,000 steps: {run.seconds:.2f} s, {run.proposals_per_second:,.0f} proposals/s,")
    print(f"  compiled in {run.compile_seconds:.2f} s, on {run.device}")


def print_anchors(run: jme.Run) -> None:
    """Print every consensus, and the mean information in the core of the first anchor and outside its surroundings."""
    information = analysis.information_bits(run.frequencies[:, -1])
    for a, name in enumerate(run.names):
        start, stop = analysis.informative_window(information[a])
        print(
            f"{name:12s} <E> {run.energy[a, -1]:.4f} ± {run.energy_error[a, -1]:.4f}  "
            f"acceptance {run.acceptance[a, -1]:.3f}  "
            f"bits at {start:3d}-{stop:<3d} {analysis.consensus(run.frequencies[a, -1], run.letters)[start:stop]}"
        )
    outside = np.delete(information[0], np.arange(*SURROUNDINGS.indices(information.shape[1])))
    core = information[0][CORE].mean()
    print(f"first anchor: {core:.3f} bits per position at 41-51, {outside.mean():.4f} outside 34-61", end=", ")
    print(f"ratio {core / outside.mean():.1f}; {run.proposals_per_second:,.0f} proposals/s")


if __name__ == "__main__":
    main()
