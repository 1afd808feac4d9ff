"""Find the motif that one of two networks has learned and the other has not, by the contrast of both.

    python benchmarks/consensus.py [--pairs 20] [--beta 20] [--out consensus.json]

A pair is two small networks (one convolution, one dense layer). The task of network A needs two motifs, M1 and M2,
that stand at known positions of sequences of 30 letters: class 1 has both, class 0 has one of them or none. The task of
network B is M1 alone: M2 is as frequent in its class 0 as in its class 1. The motifs are random, 6 letters each, a
letter of a site being that of the motif with a chance of 0.9. The anchor has both motifs, and all networks call it
correctly.

`jaxmaxent.contrast` asks for sequences that A treats as the same as the anchor and B does not. Counted is whether the
most informative window of the draws has its middle in the site of M2, and, as a weaker statement, whether the six
letters at M2 hold more bits than the six at M1. Printed beside it:

- A alone: the same for the draws of network A, without the contrast.
- twins: A and another network of A's task, trained on the same data with another seed. Nothing tells them apart, so
  that M2 should not be found.
- both: `jaxmaxent.together` of the twins. Both motifs should be held.

The finished pairs are in the JSON file, and a run goes on with the next one.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxmaxent as jme
from jaxmaxent import analysis, models
from jaxmaxent.data import implant, random_sequences

LENGTH, WIDTH, STARTS, CHANCE = 30, 6, (5, 19), 0.9
ARCHITECTURE = models.ConvArchitecture(length=LENGTH, filters=8, kernel_width=8, hidden=(16,), dropout=0.0)
TRAINING: dict[str, Any] = {
    "epochs": 30, "batch_size": 64, "learning_rate": 0.01, "weight_decay": 0.01, "patience": 30, "progress": False,
}  # fmt: skip
SAMPLING: dict[str, Any] = {
    "chains": 8, "target_replicas": 4, "anchor_chains": 2, "burn_in": 1000, "steps": 2000, "progress": False,
}  # fmt: skip
COUNT = 4000
WAYS = ("contrast", "A alone", "twins", "both")


def motifs(rng: np.random.Generator) -> list[np.ndarray]:
    """Return the probabilities of two random motifs that share at most two letters."""
    while True:
        first, second = (rng.integers(0, 4, WIDTH) for _ in range(2))
        if (first == second).sum() <= 2:
            break
    rest = (1 - CHANCE) / 3
    return [rest + (CHANCE - rest) * np.eye(4)[letters] for letters in (first, second)]


def table(rng: np.random.Generator, both: list[np.ndarray], needs_second: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return tokens and classes of a task: class 1 needs M1, and M2 as well if `needs_second`."""
    tokens, labels = random_sequences(rng, COUNT, LENGTH), np.arange(COUNT) % 2
    if needs_second:
        kind = rng.integers(0, 3, COUNT)  # of class 0: none, M1 or M2
        present = [(labels == 1) | (kind == 1), (labels == 1) | (kind == 2)]
    else:
        present = [labels == 1, rng.random(COUNT) < 0.5]
    for motif, start, rows in zip(both, STARTS, present, strict=True):
        tokens[rows] = implant(rng, tokens[rows], motif, positions=start)[0]
    return tokens, labels


def anchor_of(rng: np.random.Generator, both: list[np.ndarray], networks: list[Any]) -> np.ndarray:
    """Return a random sequence with the most likely site of each motif that all networks call class 1."""
    rows = random_sequences(rng, 100, LENGTH)
    for motif, start in zip(both, STARTS, strict=True):
        rows[:, start : start + WIDTH] = motif.argmax(1)
    right = np.all([models.predict(network, rows).argmax(1) == 1 for network in networks], axis=0)
    return rows[np.argmax(right)]


def asked(run: jme.Run) -> dict[str, Any]:
    """Return the most informative window of the draws, and the bits of both motifs."""
    profile = analysis.profile(run)
    bits = np.nan_to_num(profile.unbiased_information)
    start, stop = analysis.informative_window(bits)
    middle = (start + stop - 1) / 2
    held = [float(bits[s : s + WIDTH].sum()) for s in STARTS]
    inside = bool(stop > start and STARTS[1] <= middle <= STARTS[1] + WIDTH - 1)
    return {
        "window": [int(start), int(stop)], "inside": inside, "bits": held, "rest": float(bits.sum() - sum(held)),
        "converged": bool(run.converged[0]), "energy": float(run.energy[0, -1]),
    }  # fmt: skip


def pair(number: int, beta: float) -> dict[str, Any]:
    """Train the networks of a pair, and sample everything that is compared."""
    rng = np.random.default_rng(number)
    both = motifs(rng)
    first, second = table(rng, both, True), table(rng, both, False)
    keys = jax.random.split(jax.random.key(number), 3)
    trained = [
        models.train(key, ARCHITECTURE, *data, **TRAINING)
        for key, data in zip(keys, (first, second, first), strict=True)
    ]
    anchor = anchor_of(rng, both, [one.network for one in trained])
    one, other, twin = (
        jme.Ensemble.create(models.representation(found.network), anchor, beta=1.0) for found in trained
    )
    mean = jme.together([one, one], beta=1.0).weights.scales[0]
    ensembles = {
        "contrast": jme.contrast(one, other, beta=beta),
        "A alone": one.with_beta(beta / mean),
        "twins": jme.contrast(one, twin, beta=beta),
        "both": jme.together([one, twin], beta=beta),
    }
    key = jax.random.key(1000 + number)
    found = {way: asked(jme.sample(key, ensembles[way], **SAMPLING)) for way in WAYS}
    aurocs = [result.history[result.best_epoch].validation_auroc for result in trained]
    return {"found": found, "auroc": aurocs}


def show(pairs: list[dict[str, Any]]) -> None:
    """Print the counts over all pairs."""
    aurocs = np.array([one["auroc"] for one in pairs])
    print(f"{len(pairs)} pairs; validation AUROC of A {aurocs[:, 0].min():.3f} or more, of B {aurocs[:, 1].min():.3f}")
    print(
        f"{'':12s}{'window at M2':>14s}{'M2 above M1':>13s}{'bits at M1':>12s}{'at M2':>8s}{'elsewhere':>11s}", end=""
    )
    print(f"{'<E>':>8s}{'converged':>11s}")
    for way in WAYS:
        rows = [one["found"][way] for one in pairs]
        bits = np.array([row["bits"] for row in rows])
        print(
            f"{way:12s}{sum(row['inside'] for row in rows):14d}{(bits[:, 1] > bits[:, 0]).sum():13d}"
            f"{bits[:, 0].mean():12.2f}{bits[:, 1].mean():8.2f}{np.mean([row['rest'] for row in rows]):11.2f}"
            f"{np.mean([row['energy'] for row in rows]):8.3f}{sum(row['converged'] for row in rows):11d}"
        )


def main() -> None:
    """Go on with the pairs that the file does not have, then print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--beta", type=float, default=20.0)
    parser.add_argument("--out", type=Path, default=Path("consensus.json"))
    options = parser.parse_args()
    about = {"beta": options.beta, "training": TRAINING, "sampling": SAMPLING, "count": COUNT}
    done = {"about": about, "pairs": []}
    if options.out.exists():
        done = json.loads(options.out.read_text("utf-8"))
        if done["about"] != about:
            raise SystemExit(f"{options.out} holds pairs with other settings: give another --out")
    began = time.perf_counter()
    for number in range(len(done["pairs"]), options.pairs):
        done["pairs"].append(pair(number, options.beta))
        options.out.write_text(json.dumps(done), "utf-8")
        print(f"pair {number}: {done['pairs'][-1]['found']}  {time.perf_counter() - began:.0f} s", flush=True)
    show(done["pairs"][: options.pairs])


if __name__ == "__main__":
    main()
