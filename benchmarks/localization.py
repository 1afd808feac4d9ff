"""Compare how well MaxEnt profiles and other methods locate known sites, for one network and the same sequences.

    JAXMAXENT_DATA=... python benchmarks/localization.py [--sequences 12] [--beta auto]
    JAXMAXENT_DATA=... python benchmarks/localization.py --ctcf MODEL

Without --ctcf, the sequences are simulated: 200 bp with TAL1 and GATA sites at known positions. A network learns four
classes (no site, GATA, TAL1, both). It is interpreted at test sequences with both sites that it classifies correctly,
by the log-ratio of the classes "both" and "no site". The network has one convolution, max-pooling of 8 positions, and a
dense layer. Without pooling, as published for CTCF, it would have a weight for every position and filter, and would
learn little from 7,200 sequences with sites anywhere. The training also uses --copies rolled copies of each sequence,
with offsets that cut no site; every second copy is the reverse complement.

With --ctcf, a network trained on the CTCF tables is interpreted at bound test sequences that it classifies correctly.
The known site is the best one of JASPAR MA0139 on either strand.

Each anchor is sampled until R-hat ≤ --rhat and the effective sample size is ≥ --ess, for every letter at every position
and for the energy, at every β of its ladder. It is given up after --steps. Anchors that were given up, or for which
--seconds left no time, are left out of the comparison for all methods alike.

Some networks detect a site at any position. They treat sequences with the site elsewhere as equal, so draws have it
elsewhere too. The energy of a shifted anchor shows whether this network is one of them. It is printed beside the energy
of single mutants and of unrelated sequences.

Views with a sign are compared twice: as they are, so that only scores above 0 count as signal, and as absolute values.
"""

import argparse
import csv
import datetime
import gzip
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import jaxmaxent as jme
from jaxmaxent import analysis, attribution, models
from jaxmaxent.analysis import Localization, localization
from jaxmaxent.data import dinucleotide_shuffle, read_motifs, read_table
from jaxmaxent.models._networks import windows_product

Sites = list[list[tuple[int, int]]]
NONE, BOTH = 0, 3
FILTERS, WIDTH, POOL, DENSE, CLASSES = 32, 16, 8, 64, 4


def simulated(folder: Path) -> tuple[np.ndarray, np.ndarray, Sites, np.ndarray]:
    """Return tokens, classes, sites, and True for the sequences of the test set."""
    with gzip.open(folder / "tal_gata.tsv.gz", "rt") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    with gzip.open(folder / "test_names.txt.gz", "rt") as stream:
        names = set(stream.read().split())
    tokens = jme.DNA.encode([row["sequence"] for row in rows])
    found = [re.findall(r"pos-(\d+)_[^-]*-([ACGT]+)", row["embeddings"]) for row in rows]
    sites = [[(int(start), int(start) + len(site)) for start, site in row] for row in found]
    classes = np.array([int(row["task2"]) + 2 * int(row["task3"]) for row in rows])
    return tokens, classes, sites, np.array([row["seqName"] in names for row in rows])


def rolled(rng: np.random.Generator, tokens: np.ndarray, sites: Sites) -> np.ndarray:
    """Return every sequence rolled by an offset that cuts no site; of every second one the reverse complement."""
    length = tokens.shape[1]
    result = np.empty_like(tokens)
    for i, (row, own) in enumerate(zip(tokens, sites, strict=True)):
        uncut = [cut for cut in range(length) if not any(start < cut < stop for start, stop in own)]
        result[i] = np.roll(row, -rng.choice(uncut))
    result[1::2] = jme.DNA.reverse_complement(result[1::2])
    return result


def new_parameters(length: int, seed: int) -> dict[str, Any]:
    """Return random weights. Those of the dense layer are the same at all positions, so that it computes a mean.

    From other weights, the network hardly starts to learn sites that may be anywhere.
    """
    rng = np.random.default_rng(seed)
    shapes = {"conv": (WIDTH, 4, FILTERS), "dense": (FILTERS, DENSE), "head": (DENSE, CLASSES)}
    params = {
        name: {
            "kernel": jnp.asarray(rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1])), jnp.float32),
            "bias": jnp.zeros(shape[-1]),
        }
        for name, shape in shapes.items()
    }
    windows = (length - WIDTH + 1) // POOL
    params["dense"]["kernel"] = jnp.tile(params["dense"]["kernel"] / windows, (windows, 1))
    return params


def features(params: Any, one_hot: jax.Array) -> jax.Array:
    """Return the features of one sequence: convolution, ReLU, max-pooling of POOL positions, dense layer, ReLU."""
    layer = params["conv"]
    found = jax.lax.conv_general_dilated(
        one_hot[None], layer["kernel"], (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
    )
    pooled = nnx.max_pool(jax.nn.relu(found + layer["bias"]), (POOL,), strides=(POOL,))
    return _dense(params, pooled.reshape(-1))


def features_in_training(params: Any, one_hot: jax.Array) -> jax.Array:
    """Return the same features for a batch, by products and maxima that XLA differentiates fast on a CPU."""
    layer = params["conv"]
    windows = windows_product(one_hot, layer["kernel"]) + layer["bias"]
    whole = windows.shape[1] // POOL * POOL
    pooled = jax.nn.relu(windows[:, :whole]).reshape(len(windows), -1, POOL, FILTERS).max(2)
    return _dense(params, pooled.reshape(len(windows), -1))


def _dense(params: Any, pooled: jax.Array) -> jax.Array:
    return jax.nn.relu(pooled @ params["dense"]["kernel"] + params["dense"]["bias"])


def _logits(params: Any, hidden: jax.Array) -> jax.Array:
    return hidden @ params["head"]["kernel"] + params["head"]["bias"]


def _loss(params: Any, tokens: jax.Array, labels: jax.Array) -> jax.Array:
    outputs = _logits(params, features_in_training(params, jax.nn.one_hot(tokens, 4)))
    return optax.softmax_cross_entropy_with_integer_labels(outputs, labels).mean()


def trained(tokens: np.ndarray, classes: np.ndarray, sites: Sites, options: argparse.Namespace) -> dict[str, Any]:
    """Return the weights after --epochs of AdamW with a rate that decays to 0."""
    rng = np.random.default_rng(options.seed)
    data = np.concatenate([tokens, *(rolled(rng, tokens, sites) for _ in range(options.copies))])
    labels, batch = np.tile(classes, options.copies + 1), 32
    steps = options.epochs * (len(data) // batch)
    rate = optax.warmup_cosine_decay_schedule(0.0, options.rate, steps // 20, steps)
    optimizer = optax.adamw(rate, weight_decay=1e-2)

    @jax.jit
    def epoch(params: Any, moments: Any, batches: jax.Array, tokens: jax.Array, labels: jax.Array) -> Any:
        def step(state: Any, rows: jax.Array) -> Any:
            params, moments = state
            loss, gradient = jax.value_and_grad(_loss)(params, tokens[rows], labels[rows])
            updates, moments = optimizer.update(gradient, moments, params)
            return (optax.apply_updates(params, updates), moments), loss

        return jax.lax.scan(step, (params, moments), batches)

    params = new_parameters(tokens.shape[1], options.seed)
    moments, losses = optimizer.init(params), np.full(1, np.nan)
    for _ in range(options.epochs):
        order = rng.permutation(len(data))[: len(data) // batch * batch].reshape(-1, batch)
        (params, moments), losses = epoch(params, moments, order, data, labels)
    print(f"trained on {len(data):,} sequences for {options.epochs} epochs, loss {losses.mean():.3f}")
    return params


def train_on_simulated(folder: Path, options: argparse.Namespace) -> tuple[jme.Representation, np.ndarray, Sites]:
    """Return the network, the test sequences to interpret, and their sites."""
    tokens, classes, sites, testing = simulated(folder)
    training = [own for own, out in zip(sites, testing, strict=True) if not out]
    params = trained(tokens[~testing], classes[~testing], training, options)
    hidden = jax.jit(jax.vmap(features, in_axes=(None, 0)))(params, np.eye(4, dtype=np.float32)[tokens[testing]])
    predicted, truth = np.asarray(jax.nn.softmax(_logits(params, hidden))), classes[testing]
    print(f"test accuracy {(predicted.argmax(1) == truth).mean():.3f} over four classes, AUROC", end=" ")
    for name, bit in (("GATA", 1), ("TAL1", 2)):
        chance = predicted[:, np.arange(4) & bit > 0].sum(1)
        print(f"{name} {models.auroc((truth & bit > 0).astype(int), chance):.3f}", end="  ")
    usable = np.flatnonzero(testing)[(truth == BOTH) & (predicted.argmax(1) == BOTH)]
    print(f"\n{len(usable)} of {(truth == BOTH).sum()} test sequences with both sites are classified correctly")
    chosen = np.sort(np.random.default_rng(options.seed).permutation(usable)[: options.sequences])
    network = jme.Representation(features, params, params["head"]["kernel"], jme.DNA)
    return network, tokens[chosen], [sites[i] for i in chosen]


def ctcf(folder: Path, options: argparse.Namespace) -> tuple[jme.Representation, np.ndarray, Sites]:
    """Return the network, bound test sequences, and the best MA0139 site in each."""
    network, table = models.load(options.ctcf), read_table(folder / "ctcf" / "test.tsv.gz")
    tokens = table.tokens[np.asarray(table.labels) == 1]
    tokens = tokens[np.random.default_rng(options.seed).permutation(len(tokens))]
    tokens = tokens[models.predict(network, tokens).argmax(1) == 1][: options.sequences]
    motifs = read_motifs(folder / "jaspar" / "JASPAR2024_CORE_vertebrates_nonredundant.jaspar")
    motif = next(motif for motif in motifs if motif.identifier.startswith("MA0139."))
    print(f"known sites: the best {motif.identifier} ({len(motif.probabilities)} bp) of each sequence")
    odds = np.log((motif.probabilities + 1e-3) / (1 + 4e-3) / 0.25)
    both = np.stack([_scan(tokens, odds), _scan(tokens, odds[::-1, ::-1])]).max(0)
    sites = [[(start, start + len(odds))] for start in both.argmax(1).tolist()]
    return models.representation(network), tokens, sites


def _scan(tokens: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """Return the log-odds of a motif [width, letters] at every start, shape [sequences, starts]."""
    starts = tokens.shape[1] - len(odds) + 1
    return np.stack([row[tokens[:, i : i + starts]] for i, row in enumerate(odds)]).sum(0)


_energies = jax.jit(jax.vmap(jme.Ensemble.energy, in_axes=(None, 0)))


def sample(ensemble: jme.Ensemble, options: argparse.Namespace) -> list[jme.Run]:
    """Return a run of each anchor."""
    print(
        f"β {ensemble.beta.min():.1f} to {ensemble.beta.max():.1f}, {options.rungs} rungs, {options.chains} chains",
        end="",
    )
    print(f"; until R-hat ≤ {options.rhat:g} and ESS ≥ {options.ess:g}, at most {options.steps:,} steps")
    until = jme.Precision(rhat=options.rhat, ess=options.ess, steps=options.steps)
    settings: dict[str, Any] = {"ladder": options.rungs, "chains": options.chains, "until": until, "progress": False}
    key, runs, began = jax.random.key(options.seed), [], time.perf_counter()
    for anchor in range(ensemble.anchors):
        if time.perf_counter() - began > options.seconds:
            print(f"no time for {ensemble.anchors - anchor} of {ensemble.anchors} anchors")
            break
        run = jme.sample(jax.random.fold_in(key, anchor), ensemble.take(anchor), **settings)
        print(
            f"{anchor:2d}  β {run.beta[0, -1]:5.1f}  {run.steps[0]:6,d} steps  {run.seconds:4.0f} s  {run.outcomes[0]}",
            flush=True,
        )
        runs.append(run)
    return runs


def print_sampling(runs: list[jme.Run]) -> None:
    """Print convergence, steps and times of the runs."""
    seconds, proposals = sum(run.seconds for run in runs), sum(run.seconds * run.proposals_per_second for run in runs)
    good = [run for run in runs if run.converged[0]]
    print(f"{len(good)} of {len(runs)} anchors converged; sampled in {seconds:.0f} s, ", end="")
    print(f"{proposals / seconds:,.0f} proposals/s on {runs[0].device} ({runs[0].evaluation})")
    steps, rhat = [int(run.steps[0]) for run in good], max(np.fmax.reduce(run.max_rhat[0]) for run in good)
    ess = min(run.min_ess[0].min() for run in good)
    trips, energy = min(int(run.round_trips[0]) for run in good), np.mean([run.energy[0, [0, -1]] for run in good], 0)
    print(
        f"converged ones: {min(steps):,} to {max(steps):,} steps, largest R-hat {rhat:.3f}, smallest ESS {ess:.0f}, ",
        end="",
    )
    print(f"{trips} round trips or more, <E> {energy[0]:.3f} at β = 0 and {energy[1]:.3f} at the target")


def print_shifts(ensemble: jme.Ensemble, seed: int) -> None:
    """Print the energies of shifted anchors, as a mean over anchors."""
    shifts, tokens = (1, 4, 16, 64), np.asarray(ensemble.anchor)
    background = np.random.default_rng(seed).integers(0, 4, (100, tokens.shape[1]))
    moved, others = [], []
    for anchor, row in enumerate(tokens):
        one = ensemble.take(anchor)
        moved.append(np.asarray(_energies(one, np.stack([np.roll(row, shift) for shift in shifts]))))
        others.append(np.asarray(_energies(one, background)).mean())
    mutants = np.median(analysis.mutant_energies(ensemble), axis=(1, 2)).mean()
    words = ", ".join(f"{shift}: {energy:.3f}" for shift, energy in zip(shifts, np.mean(moved, 0), strict=True))
    print(
        f"energy of an anchor rolled by {words}; of its median single mutant {mutants:.3f}, of unrelated sequences ",
        end="",
    )
    print(f"{np.mean(others):.3f}\n")


def information(runs: list[jme.Run]) -> dict[str, np.ndarray]:
    """Return the bits of every position, shape [sequences, length]."""
    profiles = [analysis.profile(run) for run in runs]
    return {
        "MaxEnt, bits": np.stack([profile.information for profile in profiles]),
        "MaxEnt, bits less their bias": np.stack([profile.unbiased_information for profile in profiles]),
    }


def rivals(
    network: jme.Representation, tokens: np.ndarray, unit: tuple[int, int], options: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Return the scores of every rival method, and those of methods with a baseline against shuffles as well."""
    given = network, tokens
    found = attribution.every_view(*given, unit=unit)
    rng = np.random.default_rng(options.seed)
    shuffles = dinucleotide_shuffle(rng, np.repeat(tokens, options.shuffles, 0))
    baseline = shuffles.reshape(len(tokens), options.shuffles, -1)
    for name, view in (("integrated gradients", attribution.integrated_gradients), ("DeepLIFT", attribution.deeplift)):
        scores = view(*given, unit=unit, baseline=baseline)
        worst = np.abs(attribution.completeness(*given, scores, unit=unit, baseline=baseline).error).max()
        print(f"{name} against shuffles: sums differ from the outputs by {worst:.2g} at most")
        found[f"{name}, shuffles"] = scores.sum(-1)
    return found


def line(name: str, found: Localization) -> str:
    digits = {"distance": 1}
    cells = [
        f"{estimate.value:7.{digits.get(what, 3)}f} ± {estimate.error:.{digits.get(what, 3)}f}"
        for what, estimate in zip(found._fields[:-1], found[:-1], strict=True)
    ]
    return f"{name:42s}" + "".join(f"{cell:>17s}" for cell in cells)


def compare(views: dict[str, np.ndarray], sites: Sites) -> dict[str, Localization]:
    """Compare every view, and the absolute values of views with a sign; print a table."""
    print(f"\n{len(sites):2d} sequences" + " " * 29 + "".join(f"{name:>17s}" for name in Localization._fields[:-1]))
    found = {}
    for name, scores in views.items():
        found[name] = localization(scores, sites)
        if scores.min() < 0 and not name.startswith("MaxEnt"):
            found[f"{name}, absolute"] = localization(np.abs(scores), sites)
    for name, row in found.items():
        print(line(name, row))
    print(f"share of positions in sites, the chance level of inside and auprc: {next(iter(found.values())).chance:.3f}")
    return found


def write(path: Path, options: argparse.Namespace, runs: list[jme.Run], found: dict[str, Localization]) -> None:
    """Write everything as JSON."""
    rows = {
        name: {what: [estimate.value, estimate.error] for what, estimate in row._asdict().items() if what != "chance"}
        | {"chance": row.chance}
        for name, row in found.items()
    }
    anchors = [
        {"converged": bool(run.converged[0]), "beta": float(run.beta[0, -1]), "steps": int(run.steps[0]),
         "outcome": run.outcomes[0], "seconds": run.seconds}
        for run in runs
    ]  # fmt: skip
    about = {"date": datetime.date.today().isoformat(), "jax": jax.__version__, "device": runs[0].device}
    about |= {"settings": {name: str(value) for name, value in vars(options).items()}}
    path.write_text(
        json.dumps(about | {"anchors": anchors, "views": rows}, indent=1, ensure_ascii=False), encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctcf", metavar="MODEL", help="a trained CTCF network, instead of the simulated sequences")
    parser.add_argument("--sequences", type=int, default=12)
    parser.add_argument("--beta", default="auto", help="a number, or auto: −ln 0.05 / median energy of single mutants")
    parser.add_argument("--scale", type=float, default=1.0, help="factor of β")
    parser.add_argument("--rungs", type=int, default=14)
    parser.add_argument("--chains", type=int, default=8)
    parser.add_argument("--rhat", type=float, default=1.05)
    parser.add_argument("--ess", type=float, default=100)
    parser.add_argument("--steps", type=int, default=30_000, help="steps after which an anchor is given up")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=330, help="seconds after which no further anchor is begun")
    parser.add_argument("--rate", type=float, default=3e-3, help="the peak of the learning rate")
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--shuffles", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write everything here as JSON")
    options = parser.parse_args()
    if "JAXMAXENT_DATA" not in os.environ:
        sys.exit("set JAXMAXENT_DATA to the folder that holds simulated/, ctcf/ and jaspar/")
    data = Path(os.environ["JAXMAXENT_DATA"])
    if options.ctcf:
        (network, tokens, sites), unit = ctcf(data, options), (1, 0)
    else:
        (network, tokens, sites), unit = train_on_simulated(data / "simulated", options), (BOTH, NONE)
    ensemble = jme.Ensemble.create(network, tokens, beta=1.0, unit=unit)
    beta = analysis.auto_beta(ensemble).beta if options.beta == "auto" else float(options.beta)
    ensemble = ensemble.with_beta(options.scale * beta)
    print_shifts(ensemble, options.seed)
    runs = sample(ensemble, options)
    kept = [anchor for anchor, run in enumerate(runs) if run.converged[0]]
    if not kept:
        sys.exit("no anchor converged, so there is nothing to compare")
    print_sampling(runs)
    views = information([runs[anchor] for anchor in kept]) | rivals(network, tokens[kept], unit, options)
    found = compare(views, [sites[anchor] for anchor in kept])
    if options.out is not None:
        write(options.out, options, runs, found)


if __name__ == "__main__":
    main()
