"""The XOR experiment: 30 networks, sampled against exact enumeration, beside saliency.

    JAXMAXENT_DATA=... python benchmarks/xor.py [--sets 30]

Class 1 is where exactly one of "position 0 is A or T" and "position 1 is G" holds. For every network and each of
the 16 dinucleotides as anchor, the sampled letter and pair frequencies are compared with those of the 16 sequences
enumerated in NumPy; z is the difference in standard errors. Then both views are asked the same question: of the 15
other dinucleotides, which does the network treat as the anchor? MaxEnt answers with the pair frequencies, saliency
with the change of the log-ratio of the classes that its gradient predicts; AUROC is against the rule.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxmaxent as jme
from jaxmaxent import attribution, models
from jaxmaxent.data import read_table
from jaxmaxent.statistics import mean_over_chains

PAIRS = np.array([[a, b] for a in range(4) for b in range(4)])
RULE = np.isin(PAIRS[:, 0], (0, 3)) ^ (PAIRS[:, 1] == 2)


def train(path: Path, seed: int) -> tuple[models.Network, float]:
    """A network trained on one published set, and its accuracy on the 16 dinucleotides."""
    table = read_table(path)
    settings: Any = {"epochs": 60, "learning_rate": 0.02, "weight_decay": 0.0, "patience": 60, "progress": False}
    data = table.tokens, np.asarray(table.labels)
    network = models.train(jax.random.key(seed), models.MLPArchitecture(), *data, **settings).network
    predicted = models.predict(network, PAIRS).argmax(1)
    return network, float((predicted == RULE).mean())


def features(network: models.Network) -> np.ndarray:
    """Φ of the 16 dinucleotides, in NumPy and float64 from the weights alone; shape [16, features]."""
    params = models.parameters(network)
    hidden = np.eye(4)[PAIRS].reshape(16, 8)
    for layer in params["dense"].values():
        kernel, bias = np.asarray(layer["kernel"], float), np.asarray(layer["bias"], float)
        hidden = np.maximum(hidden @ kernel + bias, 0)
    return hidden


def enumerate_exactly(network: models.Network, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """p(x | anchor) over the 16 dinucleotides, shape [16 anchors, 16], from the definition."""
    phi = features(network)
    head = np.asarray(models.parameters(network)["head"]["kernel"], float)
    w = head[:, 1] - head[:, 0]
    energies = np.sqrt((np.square(w * (phi[None] - phi[:, None]))).sum(-1))
    weights = np.exp(-betas[:, None] * energies)
    return weights / weights.sum(1, keepdims=True), energies


def resolution(energies: np.ndarray) -> np.ndarray:
    """β of each anchor by −ln(0.05) / median energy of its single mutants, shape [16]."""
    mutants = (PAIRS[:, None] != PAIRS[None]).sum(-1) == 1
    return np.array(
        [-np.log(0.05) / np.median(row[near & (row > 0)]) for row, near in zip(energies, mutants, strict=True)]
    )


def sample_pairs(network: models.Network, betas: np.ndarray, seed: int) -> tuple[jme.Run, np.ndarray, np.ndarray]:
    """A run of all 16 anchors, and its pair frequencies with standard errors, shape [16, 16]."""
    ensemble = jme.Ensemble.create(models.representation(network), PAIRS, beta=betas)
    settings: dict[str, Any] = {"ladder": None, "chains": 256, "steps": 2000, "burn_in": 200, "thin": 5}
    settings |= {"store_every": 5, "progress": False}
    run = jme.sample(jax.random.key(seed), ensemble, **settings)
    draws = run.draws[:, 0] @ np.array([4, 1])  # pyright: ignore[reportOptionalSubscript]
    by_chain = np.stack([(draws == pair).mean(1) for pair in range(16)], -1)
    return run, *mean_over_chains(by_chain, axis=1)


def largest_z(found: np.ndarray, error: np.ndarray, exact: np.ndarray, draws: int) -> float:
    """Largest difference in standard errors; an error is never below that of as many independent draws."""
    floor = np.sqrt(exact * (1 - exact) / draws)
    return float((np.abs(found - exact) / np.maximum(error, floor)).max())


def recovery(scores: np.ndarray) -> float:
    """Mean over anchors of the AUROC with which scores [16, 16] find the other inputs of the anchor's class."""
    values = []
    for anchor in range(16):
        others = np.arange(16) != anchor
        values.append(models.auroc((RULE[anchor] == RULE)[others].astype(int), scores[anchor][others]))
    return float(np.mean(values))


def agreement(views: list[np.ndarray]) -> float:
    """Mean correlation of two networks' views of the same anchor."""
    stacked = np.stack([view.reshape(16, -1) for view in views], 1)
    correlations = [np.corrcoef(anchor)[np.triu_indices(len(views), 1)].mean() for anchor in stacked]
    return float(np.mean(correlations))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=30)
    options = parser.parse_args()
    if "JAXMAXENT_DATA" not in os.environ:
        sys.exit("set JAXMAXENT_DATA to the folder that holds xor/")
    folder = Path(os.environ["JAXMAXENT_DATA"]) / "xor"
    print("set  accuracy  max z letters  max z pairs   rule recovered (AUROC)\n" + " " * 42 + "MaxEnt  saliency")
    rows, maxent, salient = [], [], []
    for index in range(options.sets):
        network, accuracy = train(folder / f"XOR_model_{index}_train.data", index)
        betas = resolution(enumerate_exactly(network, np.ones(16))[1])
        exact, _ = enumerate_exactly(network, betas)
        run, pairs, errors = sample_pairs(network, betas, index)
        letters = np.einsum("ap,pil->ail", exact, np.eye(4)[PAIRS])
        draws = run.chains * int(run.steps[0]) // run.thin
        gradient = attribution.saliency(models.representation(network), PAIRS)
        steps = np.eye(4)[PAIRS][None] - np.eye(4)[PAIRS][:, None]
        row = (
            accuracy,
            largest_z(run.frequencies[:, 0], run.frequency_errors[:, 0], letters, draws),
            largest_z(pairs, errors, exact, draws),
            recovery(pairs),
            recovery(-np.abs(np.einsum("axil,ail->ax", steps, gradient))),
        )
        rows.append(row)
        maxent.append(pairs)
        salient.append(gradient - gradient.mean(-1, keepdims=True))
        print("{:3d}  {:8.3f}  {:13.2f}  {:11.2f}  {:7.3f}  {:8.3f}".format(index, *row), flush=True)
    table = np.array(rows)
    print(
        f"all: accuracy ≥ {table[:, 0].min():.3f}, max z {table[:, 1].max():.2f} and {table[:, 2].max():.2f}, ", end=""
    )
    print(f"mean AUROC MaxEnt {table[:, 3].mean():.3f} (least {table[:, 3].min():.3f}), ", end="")
    print(f"saliency {table[:, 4].mean():.3f} (least {table[:, 4].min():.3f})")
    print(f"correlation between two networks' views: MaxEnt {agreement(maxent):.3f}, saliency {agreement(salient):.3f}")


if __name__ == "__main__":
    main()
