"""Run the XOR experiment: 30 networks are sampled and enumerated exactly, and compared with attribution methods.

    JAXMAXENT_DATA=... python benchmarks/xor.py [--sets 30] [--out xor.json]

A sequence is of class 1 if exactly one of "position 0 is A or T" and "position 1 is G" holds. For every network and
each of the 16 dinucleotides as anchor, the sampled letter and pair frequencies are compared with those of the 16
sequences enumerated in NumPy; z is the difference in standard errors. Then every method answers the same question:
which of the 15 other dinucleotides does the network treat like the anchor? The answer is a score for each of them:

- MaxEnt: the frequency among the draws. "coupling" is the excess over independent letters, f_ab − f_a f_b. It concerns
  inputs that differ in both letters, and holds no information about the others.
- Saliency, integrated gradients, DeepLIFT: minus the size of the predicted change of the log-ratio of the classes. It
  is the sum over both letters of the change of the multipliers (contribution / difference from the baseline; for
  saliency the gradient itself).
- Input × gradient: it has scores only for letters of the anchor. So the predicted change is the loss of the
  contributions of replaced letters.
- Mutagenesis: the same sum, but each change was computed by replacing one letter.
- "both letters": minus the size of the true change. For 16 inputs this is cheap and the complete answer. For 101
  letters it would take 45,450 evaluations per anchor, and it shows nothing beyond pairs.

Methods that give one number per letter and position can only add these numbers, but an XOR is not a sum. The line
"additive, perfect" is the best possible result of such methods: each score tells if its letter changes the class.

Scores are judged by AUROC against the rule, over the 6 inputs that differ in one letter, the 9 that differ in both, and
all 15; mean over anchors. "rule" counts the networks in which, for each of the 16 anchors, inputs of its class have a
higher mean score than others. "agree" is the correlation of the 15 scores between two networks, mean over anchors and
pairs of networks. "map" is the same correlation for the numbers in the picture of a method, those of the 6 letters that
the anchor does not have. "least" is "agree" for the two networks that differ most.
"""

import argparse
import datetime
import itertools
import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from measure import data_folder

import jaxmaxent as jme
from jaxmaxent import analysis, attribution, models
from jaxmaxent.data import read_table
from jaxmaxent.sampling.device._counters import mean_over_chains

PAIRS = np.array([[a, b] for a in range(4) for b in range(4)])
ONE_HOT = np.eye(4)[PAIRS]
RULE = np.isin(PAIRS[:, 0], (0, 3)) ^ (PAIRS[:, 1] == 2)
DISTANCE = (PAIRS[:, None] != PAIRS[None]).sum(-1)
MATES = RULE[:, None] == RULE[None]
SETTINGS: dict[str, Any] = {
    "ladder": None, "chains": 128, "steps": 2000, "burn_in": 200, "thin": 5, "store_every": 5, "progress": False,
}  # fmt: skip
DEFAULT = models.MLPArchitecture(), 0.0
OTHERS = [
    (models.MLPArchitecture(hidden=(16, 16)), 0.3),
    (models.MLPArchitecture(hidden=(16, 16, 16)), 0.0),
    (models.MLPArchitecture(hidden=(4, 4)), 0.0),
    (models.MLPArchitecture(hidden=(16,)), 0.0),
    (models.MLPArchitecture(hidden=(4,)), 0.0),
]


class View(NamedTuple):
    """The scores of one method for one network.

    Attributes:
        scores: the score of every dinucleotide around every anchor, higher if it is treated as equal; shape [16, 16].
        shown: the numbers in the picture of the method, shape [16, 2, 4]; None if it has no picture.
    """

    scores: np.ndarray
    shown: np.ndarray | None = None


def train(path: Path, seed: int, architecture: Any = DEFAULT[0], decay: float = 0.0) -> tuple[models.Network, float]:
    """Train a network on one published set; return it and its accuracy on the 16 dinucleotides."""
    table = read_table(path)
    settings: Any = {"epochs": 60, "learning_rate": 0.02, "weight_decay": decay, "patience": 60, "progress": False}
    data = table.tokens, np.asarray(table.labels)
    network = models.train(jax.random.key(seed), architecture, *data, **settings).network
    predicted = models.predict(network, PAIRS).argmax(1)
    return network, float((predicted == RULE).mean())


def features(network: models.Network) -> tuple[np.ndarray, np.ndarray]:
    """Compute Φ of the 16 dinucleotides, shape [16, features], and w, in NumPy and float64 from the weights alone."""
    params = models.parameters(network)
    hidden = ONE_HOT.reshape(16, 8)
    for layer in params["dense"].values():
        kernel, bias = np.asarray(layer["kernel"], float), np.asarray(layer["bias"], float)
        hidden = np.maximum(hidden @ kernel + bias, 0)
    head = np.asarray(params["head"]["kernel"], float)
    return hidden, head[:, 1] - head[:, 0]


def distances(network: models.Network) -> np.ndarray:
    """Compute E of every dinucleotide from every anchor by the definition, shape [16 anchors, 16]."""
    phi, w = features(network)
    return np.sqrt((np.square(w * (phi[None] - phi[:, None]))).sum(-1))


def boltzmann(energies: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """Compute p(x | anchor), shape [16 anchors, 16]."""
    weights = np.exp(-betas[:, None] * energies)
    return weights / weights.sum(1, keepdims=True)


def resolution(energies: np.ndarray) -> np.ndarray:
    """Return β of each anchor, −ln(0.05) / median energy of its single mutants, shape [16]."""
    seen = [row[(row > 0) & (letters == 1)] for row, letters in zip(energies, DISTANCE, strict=True)]
    return np.array([-np.log(0.05) / np.median(mutants) for mutants in seen])


def sampled(network: models.Network, betas: np.ndarray, seed: int) -> tuple[jme.Run, np.ndarray, np.ndarray]:
    """Sample around all 16 anchors; return the run, and its pair frequencies with standard errors, shape [16, 16]."""
    ensemble = jme.Ensemble.create(models.representation(network), PAIRS, beta=betas)
    run = jme.sample(jax.random.key(seed), ensemble, **SETTINGS)
    draws = run.draws[:, 0] @ np.array([4, 1])  # pyright: ignore[reportOptionalSubscript]
    by_chain = np.stack([(draws == pair).mean(1) for pair in range(16)], -1)
    return run, *mean_over_chains(by_chain, axis=1)


def z_scores(found: np.ndarray, error: np.ndarray, exact: np.ndarray, draws: int) -> np.ndarray:
    """Return differences in standard errors. An error is at least that of the same number of independent draws."""
    floor = np.sqrt(exact * (1 - exact) / draws)
    return (found - exact) / np.maximum(error, floor)


def single_letter_views(network: models.Network) -> dict[str, np.ndarray]:
    """Return the change of the log-ratio that each method gives a letter, 0 at the anchor's letters; [16, 2, 4]."""
    asked = models.representation(network), PAIRS
    uniform = ONE_HOT - 0.25
    lost = attribution.input_x_gradient(*asked, centered=True).sum(-1, keepdims=True) * (1 - ONE_HOT)
    multipliers = {
        "saliency": attribution.saliency(*asked),
        "integrated gradients": attribution.integrated_gradients(*asked) / uniform,
        "DeepLIFT": attribution.deeplift(*asked) / uniform,
    }
    changes = {name: m - (m * ONE_HOT).sum(-1, keepdims=True) for name, m in multipliers.items()}
    return changes | {"input × gradient": -lost, "mutagenesis": attribution.mutagenesis(*asked)}


def rival_views(network: models.Network) -> dict[str, View]:
    """Return the results of the methods that do not sample."""
    found = {name: View(added(changes), changes) for name, changes in single_letter_views(network).items()}
    phi, w = features(network)
    output = phi @ w
    return found | {"mutagenesis, both letters": View(-np.abs(output[None] - output[:, None]))}


def added(changes: np.ndarray) -> np.ndarray:
    """Return minus the absolute change that a table [16, 2, 4] predicts for each dinucleotide, shape [16, 16]."""
    return -np.abs(np.einsum("xil,ail->ax", ONE_HOT, changes))


def perfect_additive() -> np.ndarray:
    """Return the scores of a table that is right for each single letter: 0 unless it changes the class."""
    flips = np.stack([np.isin(np.arange(4), (0, 3)), np.arange(4) == 2])
    own = flips[[0, 1], PAIRS]
    sign = np.where(RULE, -1.0, 1.0)  # away from the class of the anchor
    return added(sign[:, None, None] * (flips[None] != own[..., None]))


def maxent_views(network: models.Network, seed: int) -> tuple[dict[str, View], dict[str, Any]]:
    """Return the results of sampling, and their comparison with enumeration."""
    energies = distances(network)
    betas = resolution(energies)
    run, pairs, errors = sampled(network, betas, seed)
    exact = boltzmann(energies, betas)
    draws = run.chains * int(run.steps[0]) // run.thin
    letters = np.einsum("ap,pil->ail", exact, ONE_HOT)
    found = [analysis.couplings(run, anchor=anchor) for anchor in range(16)]
    together = pairs.reshape(16, 4, 4)
    excess = together - together.sum(2, keepdims=True) * together.sum(1, keepdims=True)
    checks = {
        "z_letters": z_scores(run.frequencies[:, -1], run.frequency_errors[:, -1], letters, draws).ravel(),
        "z_pairs": z_scores(pairs, errors, exact, draws).ravel(),
        "bits": [float(one.mutual_information[0, 1]) for one in found],
        "coupled": [bool(one.p[0, 1] <= 0.05) for one in found],
    }
    views = {"MaxEnt": View(pairs, run.frequencies[:, -1]), "MaxEnt, coupling": View(excess.reshape(16, 16))}
    return views, checks


def recovery(scores: np.ndarray, differing: tuple[int, ...]) -> float:
    """Return the mean AUROC of scores [16, 16] for the anchor's class, over inputs with these numbers of changes."""
    values = []
    for anchor in range(16):
        asked = np.isin(DISTANCE[anchor], differing)
        labels = MATES[anchor][asked].astype(int)
        values.append(models.auroc(labels, scores[anchor][asked]))
    return float(np.mean(values))


def has_rule(scores: np.ndarray) -> bool:
    """Return True if, around every anchor, inputs of its class have a higher mean score than those of the other."""
    others = DISTANCE > 0
    mates = np.where(MATES & others, scores, 0).sum(1) / (MATES & others).sum(1)
    strangers = np.where(MATES, 0, scores).sum(1) / (~MATES).sum(1)
    return bool((mates > strangers).all())


def judged(scores: np.ndarray) -> dict[str, Any]:
    """Return the AUROC for inputs that differ in one letter, in both and in any, and whether the rule was found."""
    parts = {"one": (1,), "both": (2,), "all": (1, 2)}
    return {name: recovery(scores, differing) for name, differing in parts.items()} | {"rule": has_rule(scores)}


def agreement(views: list[np.ndarray], kept: np.ndarray) -> tuple[float, float]:
    """Correlate the numbers of two networks around the same anchor, mean over anchors; return mean and least of pairs.

    A method that gives all inputs the same number has the correlation 0 with any other.
    """
    found = []
    for one, other in itertools.combinations(views, 2):
        found.append(np.mean([_correlation(a[k], b[k]) for a, b, k in zip(one, other, kept, strict=True)]))
    return (float(np.mean(found)), float(np.min(found))) if found else (np.nan, np.nan)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / size) if size else 0.0


def summary(views: list[View]) -> dict[str, Any]:
    """Summarize one method over all networks."""
    each = [judged(view.scores) for view in views]
    mean, least = agreement([view.scores for view in views], DISTANCE > 0)
    shown = [view.shown for view in views if view.shown is not None]
    maps = agreement(shown, ONE_HOT == 0)[0] if shown else None
    found = {name: float(np.mean([row[name] for row in each])) for name in ("one", "both", "all")}
    return found | {"least_all": min(row["all"] for row in each), "rule": sum(row["rule"] for row in each),
                    "networks": len(views), "agree": mean, "least": least, "map": maps, "each": each}  # fmt: skip


def print_table(rows: dict[str, dict[str, Any]]) -> None:
    print(f"\n{'AUROC of the anchor’s class, differing in:':42s}   one  both   all (least)   rule    agree least   map")
    for name, row in rows.items():
        words = f"{name:42s} {row['one']:5.3f} {row['both']:5.3f} {row['all']:5.3f} ({row['least_all']:.3f})"
        shown = "" if row["map"] is None else f"{row['map']:5.2f}"
        print(f"{words}  {row['rule']:2d}/{row['networks']:2d}    {row['agree']:5.2f} {row['least']:5.2f} {shown}")
    perfect = judged(perfect_additive())
    print(f"{'additive, perfect':42s} {perfect['one']:5.3f} {perfect['both']:5.3f} {perfect['all']:5.3f}")


def default_networks(folder: Path, sets: int) -> dict[str, Any]:
    """Train networks of the default architecture, and sample them."""
    views: dict[str, list[View]] = {}
    checks: dict[str, list[Any]] = {}
    accuracies = []
    print("set  accuracy  largest z: letters, pairs   AUROC of all: MaxEnt  saliency")
    for index in range(sets):
        network, accuracy = train(folder / f"XOR_model_{index}_train.data", index)
        sampled_views, check = maxent_views(network, index)
        found = sampled_views | rival_views(network)
        for name, view in found.items():
            views.setdefault(name, []).append(view)
        for name, value in check.items():
            checks.setdefault(name, []).append(value)
        accuracies.append(accuracy)
        z = [np.abs(check[name]).max() for name in ("z_letters", "z_pairs")]
        both = [recovery(found[name].scores, (1, 2)) for name in ("MaxEnt", "saliency")]
        print(f"{index:3d}  {accuracy:8.3f}  {z[0]:17.2f} {z[1]:7.2f}   {both[0]:20.3f} {both[1]:9.3f}", flush=True)
    return {"accuracies": accuracies, "checks": print_checks(accuracies, checks), "views": print_summaries(views)}


def print_checks(accuracies: list[float], checks: dict[str, list[Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    print(f"all: accuracy ≥ {min(accuracies):.3f}", end="")
    for name in ("z_letters", "z_pairs"):
        z = np.concatenate(checks[name])
        found[name] = {"count": z.size, "largest": float(np.abs(z).max()), "rms": float(np.sqrt(np.mean(z**2)))}
        print("; {}: largest |z| of {count:,} {largest:.2f}, rms {rms:.2f}".format(name[2:], **found[name]), end="")
    coupled, bits = np.array(checks["coupled"]), np.array(checks["bits"])
    found |= {"coupled": int(coupled.sum()), "anchors": coupled.size, "median_bits": float(np.median(bits))}
    print(f"\ncoupled, p ≤ 0.05, around {coupled.sum()} of {coupled.size} anchors; median {np.median(bits):.3f} bits")
    return found


def print_summaries(views: dict[str, list[View]]) -> dict[str, Any]:
    rows = {name: summary(found) for name, found in views.items()}
    print_table(rows)
    return rows


def other_architectures(folder: Path, sets: int) -> list[dict[str, Any]]:
    """Compare enumerated MaxEnt and other methods for networks of other sizes, without networks that make errors."""
    rows = []
    print("\nother networks, MaxEnt by enumeration; AUROC of all 15, of those that differ in both letters")
    for architecture, decay in [DEFAULT, *OTHERS]:
        views: dict[str, list[View]] = {}
        for index in range(sets):
            network, accuracy = train(folder / f"XOR_model_{index}_train.data", index, architecture, decay)
            if accuracy < 1:
                continue
            energies = distances(network)
            found = {"MaxEnt": View(boltzmann(energies, resolution(energies)))} | rival_views(network)
            for name, view in found.items():
                views.setdefault(name, []).append(view)
        row = {name: summary(found) for name, found in views.items()}
        rows.append({"hidden": architecture.hidden, "weight_decay": decay, "views": row})
        print_architecture(rows[-1], sets)
    return rows


def print_architecture(row: dict[str, Any], sets: int) -> None:
    words = f"hidden {list(row['hidden'])!s:12s} weight decay {row['weight_decay']:.1f}"
    views = row["views"]
    if not views:
        print(f"{words}  no network without an error", flush=True)
        return
    print(f"{words}  {views['MaxEnt']['networks']:2d}/{sets} without an error", end="")
    for name in ("MaxEnt", "saliency", "DeepLIFT", "mutagenesis"):
        print(f"; {name} {views[name]['all']:.3f} {views[name]['both']:.3f}, rule {views[name]['rule']}", end="")
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=30)
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    options = parser.parse_args()
    folder = data_folder("xor")
    found = default_networks(folder, options.sets) | {"architectures": other_architectures(folder, options.sets)}
    if options.out is not None:
        about = {"date": datetime.date.today().isoformat(), "jax": jax.__version__, "jaxmaxent": jme.__version__}
        about |= {"device": jax.devices()[0].device_kind, "sets": options.sets, "sampling": SETTINGS}
        options.out.write_text(json.dumps(about | found, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
