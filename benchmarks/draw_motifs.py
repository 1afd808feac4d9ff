"""Count how often `analysis.draw_motifs` finds the two motifs that simulated sequences were made with.

    JAXMAXENT_DATA=... python benchmarks/draw_motifs.py [--seeds 3] [--anchors 5] [--out draw_motifs.json]
    JAXMAXENT_DATA=... python benchmarks/draw_motifs.py --shuffled [--seeds 5] [--anchors 3]

The sequences (200 bp) have TAL1 and GATA sites at random places. The network of `localization.py` pools over the
sequence, so it treats a site as equal wherever it stands, and logos of the draws are flat. Each seed trains a network.
Its anchors are test sequences with both sites that it classifies correctly. Each is sampled for a fixed number of steps
at the β of `analysis.auto_beta`, converged or not. With --shuffled, networks learn from shuffled labels, and anchors
are test sequences with both sites; networks that tell no sequence from another are left out.

The motifs of the draws are compared with JASPAR and the two implanted matrices, which are the letters of all implanted
sites. Printed is, for each implanted matrix,

- named: the share of anchors in which some motif has it with q < --q, by Tomtom;
- first: the share in which it, or a JASPAR matrix that is as similar to it (q < --q), is the best hit of such a motif;
- together: the same as named for one search over all anchors of a network.

Copies per draw of every motif are counted once more in draws of another run, with another seed, by other code. The
difference is given in standard errors. Finished anchors are in the JSON file, and a run goes on with the next.
"""

import argparse
import csv
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
import localization
import numpy as np
from localization import BOTH, NONE

import jaxmaxent as jme
from jaxmaxent import analysis
from jaxmaxent.data import Motif, read_motifs
from jaxmaxent.results import join

NAMES = {"GATA": "GATA_disc1", "TAL1": "TAL1_known1"}


def implanted(path: Path) -> list[Motif]:
    """Return the two matrices, the shares of letters over all implanted sites."""
    sites: dict[str, list[str]] = {name: [] for name in NAMES.values()}
    with gzip.open(path, "rt") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            for name, site in re.findall(r"pos-\d+_([^-]*)-([ACGT]+)", row["embeddings"]):
                sites[name].append(site)
    result = []
    for name, words in sites.items():
        counts = np.eye(4)[jme.DNA.encode(words)].sum(0) + 1
        result.append(Motif(name, name, counts / counts.sum(1, keepdims=True)))
    return result


def trained(folder: Path, seed: int, options: argparse.Namespace) -> tuple[jme.Ensemble, np.ndarray]:
    """Return the ensemble of the anchors of one network, and the predicted classes of the test sequences' share."""
    tokens, classes, sites, testing = localization.simulated(folder)
    settings = argparse.Namespace(seed=seed, epochs=options.epochs, copies=options.copies, rate=3e-3)
    learned = classes[~testing]
    if options.shuffled:
        learned = np.random.default_rng(seed).permutation(learned)
    training = [own for own, out in zip(sites, testing, strict=True) if not out]
    params = localization.trained(tokens[~testing], learned, training, settings)
    hidden = jax.jit(jax.vmap(localization.features, in_axes=(None, 0)))(params, jax.nn.one_hot(tokens[testing], 4))
    predicted = np.asarray(localization._logits(params, hidden)).argmax(1)
    truth = classes[testing]
    print(f"seed {seed}: test accuracy {(predicted == truth).mean():.3f}", flush=True)
    usable = (truth == BOTH) & (options.shuffled | (predicted == BOTH))
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(testing)[usable])[: options.anchors]
    network = jme.Representation(localization.features, params, params["head"]["kernel"], jme.DNA)
    ensemble = jme.Ensemble.create(network, tokens[np.sort(chosen)], beta=1.0, unit=(BOTH, NONE))
    return ensemble.with_beta(analysis.auto_beta(ensemble).beta), predicted == truth


def sampled(ensemble: jme.Ensemble, seed: int, options: argparse.Namespace) -> jme.Run:
    every = options.steps // options.draws
    return jme.sample(jax.random.key(seed), ensemble, steps=options.steps, store_every=every, progress=False)


def recounted(run: jme.Run, motif: analysis.DrawMotif) -> tuple[float, float]:
    """Return copies per draw and their error, by a search of one window after the other."""
    width, counts = len(motif.log_odds), []
    for draws in analysis.stored_draws(run):
        windows = np.lib.stride_tricks.sliding_window_view(draws, width, axis=1).astype(int)
        along = motif.log_odds[np.arange(width), windows].sum(-1)
        against = motif.log_odds[np.arange(width), 3 - windows[..., ::-1]].sum(-1)
        best, number = np.maximum(along, against), 0
        for row in best:
            for start in np.flatnonzero(row >= motif.threshold):
                near = [i for i in range(len(row)) if 0 < abs(i - start) < width / 2]
                number += not any(row[i] > row[start] or (row[i] == row[start] and i < start) for i in near)
        counts.append(number / len(draws))
    return float(np.mean(counts)), float(np.std(counts, ddof=1) / np.sqrt(len(counts)))


def alike(known: list[Motif], q: float) -> dict[str, set[str]]:
    """Return the identifiers of the known matrices that are as similar to each implanted one as is asked of a hit."""
    targets = [motif for motif in known if motif.identifier in NAMES.values()]
    hits = analysis.match_motifs(targets, known, best=len(known))
    return {
        motif.identifier: {hit.identifier for hit in own if hit.q < q} for motif, own in zip(targets, hits, strict=True)
    }


def found(motifs: analysis.DrawMotifs, known: list[Motif], near: dict[str, set[str]], q: float) -> dict[str, Any]:
    """Return for each implanted matrix its smallest q, and whether it or one like it is the best hit there."""
    result: dict[str, Any] = {"outcome": motifs.outcome, "motifs": [motif.consensus for motif in motifs.motifs]}
    hits = analysis.match_motifs(motifs.motifs, known, best=len(known)) if motifs.motifs else []
    for name in NAMES.values():
        rows = [(hit.q, own[0].identifier) for own in hits for hit in own if hit.identifier == name]
        best, first = min(rows, default=(1.0, ""))
        result[name] = {"q": best, "named": best < q, "first": best < q and first in near[name], "hit": first}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--anchors", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--copies", type=int, default=1, help="rolled copies of each sequence, to train on")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--draws", type=int, default=150, help="stored draws of each chain")
    parser.add_argument("--recount", type=int, default=1, help="anchors of each network that are sampled once more")
    parser.add_argument("--q", type=float, default=1e-3)
    parser.add_argument("--shuffled", action="store_true")
    parser.add_argument("--seconds", type=float, default=600, help="seconds after which no further anchor is begun")
    parser.add_argument("--out", type=Path, default=Path("draw_motifs.json"))
    options = parser.parse_args()
    if "JAXMAXENT_DATA" not in os.environ:
        sys.exit("set JAXMAXENT_DATA to the folder that holds simulated/ and jaspar/")
    data, began = Path(os.environ["JAXMAXENT_DATA"]), time.perf_counter()
    known = read_motifs(data / "jaspar" / "JASPAR2024_CORE_vertebrates_nonredundant.meme")
    known = [*known, *implanted(data / "simulated" / "tal_gata.tsv.gz")]
    near = alike(known, options.q)
    print({name: len(own) for name, own in near.items()}, "known matrices like the implanted ones")
    rows = json.loads(options.out.read_text()) if options.out.exists() else []
    for seed in range(options.first, options.first + options.seeds):
        done = {row["anchor"] for row in rows if row["seed"] == seed}
        if {*range(options.anchors), "together"} <= done or time.perf_counter() - began > options.seconds:
            continue
        try:
            ensemble, right = trained(data / "simulated", seed, options)
        except ValueError as error:  # a network that learned nothing may have the same features for every sequence
            print(f"seed {seed} is left out: {error}", flush=True)
            continue
        runs = []
        for anchor in range(options.anchors):
            if time.perf_counter() - began > options.seconds:
                break
            one, start = ensemble.take(jnp.array([anchor])), time.perf_counter()
            run = sampled(one, 100 * seed + anchor, options)
            runs.append(run)
            middle = time.perf_counter()
            motifs = analysis.draw_motifs(run)
            row = {"seed": seed, "anchor": anchor, "accuracy": float(right.mean()), "sampling": middle - start}
            row |= {"search": time.perf_counter() - middle} | found(motifs, known, near, options.q)
            if anchor < options.recount and not options.shuffled:
                again = sampled(one, 100 * seed + anchor + 50, options)
                counts = [recounted(again, motif) for motif in motifs.motifs]
                row["copies"] = [
                    [m.copies, m.copies_error, *count] for m, count in zip(motifs.motifs, counts, strict=True)
                ]
            rows.append(row)
            options.out.write_text(json.dumps(rows, indent=1))
            told = {name: f"{row[name]['q']:.0e} ({row[name]['hit']})" for name in NAMES.values()}
            print(
                f"{seed} {anchor}  {row['sampling']:4.0f} s + {row['search']:3.0f} s  {told}  {row['motifs']}",
                flush=True,
            )
        if len(runs) > 1:
            motifs = analysis.draw_motifs(join(runs), anchor=None)
            rows.append({"seed": seed, "anchor": "together"} | found(motifs, known, near, options.q))
            options.out.write_text(json.dumps(rows, indent=1))
    report(rows)


def report(rows: list[dict[str, Any]]) -> None:
    """Print shares of anchors and differences of the two counts."""
    single = [row for row in rows if row["anchor"] != "together"]
    together = [row for row in rows if row["anchor"] == "together"]
    for name in NAMES.values():
        named, first = (np.mean([row[name][what] for row in single]) for what in ("named", "first"))
        print(f"{name}: named {named:.3f}, first {first:.3f} of {len(single)} anchors", end="; ")
        print(f"together {sum(row[name]['named'] for row in together)} of {len(together)} networks")
    neither = np.mean([not any(row[name]["named"] for name in NAMES.values()) for row in single])
    print(f"both named {np.mean([all(row[n]['named'] for n in NAMES.values()) for row in single]):.3f}, ", end="")
    print(f"neither named {neither:.3f}")
    counts = np.array([count for row in single for count in row.get("copies", [])])
    if counts.size:
        z = (counts[:, 0] - counts[:, 2]) / np.hypot(counts[:, 1], counts[:, 3])
        print(f"copies against another run: {len(z)} motifs, z {np.round(z, 2).tolist()}")


if __name__ == "__main__":
    main()
