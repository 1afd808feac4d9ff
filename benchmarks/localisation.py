"""How well MaxEnt profiles and the rival views find sites that are known: same network, same sequences.

    JAXMAXENT_DATA=... python benchmarks/localisation.py [--sequences 40] [--beta auto]
    JAXMAXENT_DATA=... python benchmarks/localisation.py --ctcf MODEL

Without --ctcf: the simulated sequences of 200 bp with TAL1 and GATA sites at known positions. One network of the
published architecture learns four classes (no site, GATA, TAL1, both), and is asked about test sequences with both
that it classifies correctly, by the log-ratio of the classes "both" and "no site". With --ctcf: a network trained on
the CTCF tables, asked about bound test sequences that it classifies correctly; the known site is the best one of JASPAR
MA0139 on either strand.

The published architecture has a weight for every position and filter, and sites stand anywhere: from the 7,200 training
sequences alone it learns little. Each is therefore also given rolled around and as the other strand, --copies times, by
offsets that cut no site.

Views with a sign enter twice: as they are, where only what is above 0 counts as signal, and as absolute values.
"""

import argparse
import csv
import gzip
import os
import re
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxmaxent as jme
from jaxmaxent import analysis, attribution, models
from jaxmaxent.analysis.localisation import Localisation, localisation
from jaxmaxent.data import dinucleotide_shuffle, read_motifs, read_table

Sites = list[list[tuple[int, int]]]
NONE, BOTH = 0, 3


def simulated(folder: Path) -> tuple[np.ndarray, np.ndarray, Sites, np.ndarray]:
    """Tokens, classes, sites, and which sequences are for testing."""
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
    """Every sequence rolled around by an offset that cuts no site, every second one as the other strand."""
    length = tokens.shape[1]
    result = np.empty_like(tokens)
    for i, (row, own) in enumerate(zip(tokens, sites, strict=True)):
        uncut = [cut for cut in range(length) if not any(start < cut < stop for start, stop in own)]
        result[i] = np.roll(row, -rng.choice(uncut))
    result[1::2] = jme.DNA.reverse_complement(result[1::2])
    return result


def trained(options: argparse.Namespace, tokens: np.ndarray, classes: np.ndarray, sites: Sites) -> Any:
    """The network in --model, or a new one, saved there if that is given."""
    if options.model and Path(options.model).exists():
        return models.load(options.model)
    rng = np.random.default_rng(options.seed)
    held_out = rng.random(len(tokens)) < 0.1
    kept = [own for own, out in zip(sites, held_out, strict=True) if not out]
    copies = [tokens[~held_out], *(rolled(rng, tokens[~held_out], kept) for _ in range(options.copies))]
    labels = np.tile(classes[~held_out], len(copies))
    settings: dict[str, Any] = {"epochs": options.epochs, "validation": (tokens[held_out], classes[held_out])}
    architecture = models.ConvArchitecture(length=tokens.shape[1], units=4)
    found = models.train(jax.random.key(options.seed), architecture, np.concatenate(copies), labels, **settings)
    if options.model:
        models.save(found.network, options.model)
    return found.network


def train_on_simulated(folder: Path, options: argparse.Namespace) -> tuple[Any, np.ndarray, Sites]:
    """The network, the test sequences it is asked about, and their sites."""
    tokens, classes, sites, testing = simulated(folder)
    training = [own for own, out in zip(sites, testing, strict=True) if not out]
    network = trained(options, tokens[~testing], classes[~testing], training)
    predicted = models.predict(network, tokens)
    called, truth = predicted.argmax(1), classes[testing]
    print(f"test accuracy {(called[testing] == truth).mean():.3f} over four classes, AUROC", end=" ")
    for name, bit in (("GATA", 1), ("TAL1", 2)):
        chance = predicted[:, np.arange(4) & bit > 0].sum(1)[testing]
        print(f"{name} {models.auroc((truth & bit > 0).astype(int), chance):.3f}", end="  ")
    usable = np.flatnonzero(testing & (classes == BOTH) & (called == BOTH))
    print(f"\n{len(usable)} of {(truth == BOTH).sum()} test sequences with both sites are classified correctly")
    chosen = np.sort(np.random.default_rng(options.seed).permutation(usable)[: options.sequences])
    return network, tokens[chosen], [sites[i] for i in chosen]


def ctcf(folder: Path, options: argparse.Namespace) -> tuple[Any, np.ndarray, Sites]:
    """The network, bound test sequences, and the best MA0139 site in each."""
    network, table = models.load(options.ctcf), read_table(folder / "ctcf" / "test.tsv.gz")
    tokens = table.tokens[np.asarray(table.labels) == 1]
    tokens = tokens[np.random.default_rng(options.seed).permutation(len(tokens))]
    tokens = tokens[models.predict(network, tokens).argmax(1) == 1][: options.sequences]
    motifs = read_motifs(folder / "jaspar" / "JASPAR2024_CORE_vertebrates_nonredundant.jaspar")
    motif = next(motif for motif in motifs if motif.identifier.startswith("MA0139."))
    print(f"known sites: the best {motif.identifier} ({len(motif.probabilities)} bp) of each sequence")
    odds = np.log((motif.probabilities + 1e-3) / (1 + 4e-3) / 0.25)
    both = np.stack([_scan(tokens, odds), _scan(tokens, odds[::-1, ::-1])]).max(0)
    return network, tokens, [[(start, start + len(odds))] for start in both.argmax(1).tolist()]


def _scan(tokens: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """Log-odds of a motif [width, letters] at every start, shape [sequences, starts]."""
    starts = tokens.shape[1] - len(odds) + 1
    return np.stack([row[tokens[:, i : i + starts]] for i, row in enumerate(odds)]).sum(0)


def resolution(ensemble: jme.Ensemble) -> np.ndarray:
    """β of each anchor by −ln(0.05) / median energy of its single mutants, shape [anchors]."""
    betas = []
    for anchor in range(ensemble.anchors):
        one = ensemble.take(anchor)
        tokens = np.asarray(one.anchor)
        mutants = np.repeat(tokens[None], 3 * len(tokens), 0)
        site, shift = np.divmod(np.arange(len(mutants)), 3)
        mutants[np.arange(len(mutants)), site] = (tokens[site] + 1 + shift) % 4
        energies = np.asarray(_energies(one, mutants))
        betas.append(-np.log(0.05) / np.median(energies[energies > 0]))
    return np.array(betas)


_energies = jax.jit(jax.vmap(jme.Ensemble.energy, in_axes=(None, 0)))


def sample(
    network: Any, tokens: np.ndarray, unit: tuple[int, int], options: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Bits of every position, shape [sequences, length], with a word about how far they can be trusted."""
    ensemble = jme.Ensemble.create(models.representation(network), tokens, beta=1.0, unit=unit)
    beta = resolution(ensemble) if options.beta == "auto" else float(options.beta)
    ensemble = ensemble.with_beta(beta)
    print(
        f"β {np.min(beta):.1f} to {np.max(beta):.1f}",
        "by the mutants" if options.beta == "auto" else "as given",
        end="; ",
    )
    print(f"{options.rungs} rungs, {options.chains} chains, {options.steps} steps of each replica after the warm-up")
    settings: dict[str, Any] = {"ladder": options.rungs, "chains": options.chains, "steps": options.steps}
    run = jme.sample(jax.random.key(options.seed), ensemble, **settings, burn_in=options.steps // 2, progress=False)
    rhat, ess = run.max_rhat[:, -1], run.min_ess[:, -1]
    print(f"sampled in {run.seconds:.0f} s, {run.proposals_per_second:,.0f} proposals/s on {run.device};", end=" ")
    print(f"{run.converged.sum()} of {len(tokens)} converged")
    print(f"largest R-hat: median {np.median(rhat):.2f}, worst {rhat.max():.2f}; smallest ESS: median", end=" ")
    print(
        f"{np.median(ess):.0f}, worst {ess.min():.0f}; round trips: median {np.median(run.round_trips):.0f}", end="; "
    )
    print(f"acceptance {run.acceptance[:, -1].mean():.3f}, <E> {run.energy[:, -1].mean():.3f}")
    errors = run.frequency_errors[:, -1].max(-1)
    print(f"positions with a frequency known no better than 0.05: {(~(errors <= 0.05)).mean():.3f}\n")
    profiles = [analysis.profile(run, anchor) for anchor in range(len(tokens))]
    return {
        "MaxEnt, bits": np.stack([profile.information for profile in profiles]),
        "MaxEnt, bits less their bias": np.stack([profile.unbiased_information for profile in profiles]),
    }


def rivals(
    network: Any, tokens: np.ndarray, unit: tuple[int, int], options: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Every rival view, and those with a baseline against shuffles as well."""
    asked = models.representation(network), tokens
    found = attribution.every_view(*asked, unit=unit)
    rng = np.random.default_rng(options.seed)
    shuffles = dinucleotide_shuffle(rng, np.repeat(tokens, options.shuffles, 0))
    baseline = shuffles.reshape(len(tokens), options.shuffles, -1)
    for name, view in (("integrated gradients", attribution.integrated_gradients), ("DeepLIFT", attribution.deeplift)):
        scores = view(*asked, unit=unit, baseline=baseline)
        worst = np.abs(attribution.completeness(*asked, scores, unit=unit, baseline=baseline).error).max()
        print(f"{name} against shuffles: sums differ from the outputs by {worst:.2g} at most")
        found[f"{name}, shuffles"] = scores.sum(-1)
    return found


def line(name: str, found: Localisation) -> str:
    digits = {"distance": 1}
    cells = [
        f"{estimate.value:7.{digits.get(what, 3)}f} ± {estimate.error:.{digits.get(what, 3)}f}"
        for what, estimate in zip(found._fields[:-1], found[:-1], strict=True)
    ]
    return f"{name:42s}" + "".join(f"{cell:>17s}" for cell in cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctcf", metavar="MODEL", help="a trained CTCF network, instead of the simulated sequences")
    parser.add_argument("--sequences", type=int, default=40)
    parser.add_argument("--beta", default="auto", help="a number, or auto: −ln 0.05 / median energy of single mutants")
    parser.add_argument("--rungs", type=int, default=10)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--model", help="folder of the network for the simulated sequences: made, or used again")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--copies", type=int, default=15)
    parser.add_argument("--shuffles", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if "JAXMAXENT_DATA" not in os.environ:
        sys.exit("set JAXMAXENT_DATA to the folder that holds simulated/, ctcf/ and jaspar/")
    data = Path(os.environ["JAXMAXENT_DATA"])
    if options.ctcf:
        (network, tokens, sites), unit = ctcf(data, options), (1, 0)
    else:
        (network, tokens, sites), unit = train_on_simulated(data / "simulated", options), (BOTH, NONE)
    views = sample(network, tokens, unit, options) | rivals(network, tokens, unit, options)
    print(f"\n{len(tokens):2d} sequences" + " " * 33 + "".join(f"{name:>17s}" for name in Localisation._fields[:-1]))
    for name, scores in views.items():
        found = localisation(scores, sites)
        print(line(name, found))
        if scores.min() < 0 and not name.startswith("MaxEnt"):
            print(line(f"{name}, absolute", localisation(np.abs(scores), sites)))
    print(f"share of positions in sites, the chance level of inside and auprc: {found.chance:.3f}")


if __name__ == "__main__":
    main()
