"""Nucleosomes of yeast: find the period of WW and SS in draws, and test if GC content is a learned global feature.

    JAXMAXENT_DATA=... python benchmarks/nucleosome.py [--out FOLDER] [--anchors 8] [--only NAME ...]

There is one network per question, all of the published CTCF architecture on 201 bp, with chromosomes IV and XI held
out. Its filters of 24 bp span two turns of the helix. No pooling follows them, so the dense layer sees the position of
each match in the window, and with it the phase of the turns. The networks separate the 14,000 highest-scored dyads from

    upstream    windows 100 bp upstream of transcription start sites, which are depleted of nucleosomes
    linker      midpoints between neighboring dyads 147 to 200 bp apart
    low score   the 14,000 lowest-scored dyads
    GC-matched  random windows at least 40 bp from any dyad, each with the GC count of one of the dyads

and in two controls the answer to the question of GC content is known:

    GC label    random windows, in class 1 if their GC content is above the median: there is nothing else to learn
    shuffled    the dyads and their dinucleotide shuffles, which have the same GC content one by one

For each network: anchors are chosen among the correctly called held-out sequences of class 1. μ is solved so that the
constrained ensemble has the mean GC content of the genome (if no such μ is found, the background has it). One run at
that μ goes on until --rhat and --ess are reached at every β. The same run gives the periods and the shift of GC: the
anchored ensemble against the background of the same μ without a network.

A network can have learned GC content in two ways. It may shift all ensembles in one direction, which the mean shift
shows. Or it may keep each ensemble near the content of its anchor. Then shifts have both signs, and a regression on the
content of the anchor has a slope of up to 1. The verdict uses the sizes of the mean shift and of the slope, not only p,
because with many anchors a negligible shift also has a small p. The mean shift is measured in standard deviations of
the background's count. The verdict is "yes" if one of the two 95 % intervals lies completely beyond ±0.2, "no" if both
lie completely within, and "undecided" otherwise. The sizes are always printed beside the verdict.
"""

import argparse
import csv
import gzip
import itertools
import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from measure import data_folder
from tqdm.auto import tqdm

import jaxmaxent as jme
from jaxmaxent import analysis, attribution, models, plot
from jaxmaxent.analysis import CompositionShift, KmerProfile
from jaxmaxent.data import LeftOut, Sequences, dinucleotide_shuffle, read_windows, split_by_chromosome

LENGTH, HELD_OUT = 201, ("chrIV", "chrXI")
HIGHEST, UPSTREAM, FAR = 14_000, -100, 40
SHUFFLES = 9_999  # shuffles for the null hypothesis of a period, so that p can be 0.0001
COUNTS = 0.2  # a mean shift, in standard deviations ("small" by Cohen, 1988), or a slope must exceed this to count
CONTROLS = ("GC label", "shuffled")


class Genome(NamedTuple):
    """The contents of the files: intervals (chromosome, start, end, strand), and GC content."""

    path: Path
    dyads: list[tuple]  # sorted from the highest score to the lowest
    starts: list[tuple]  # transcription start sites
    linkers: list[tuple]
    sizes: dict[str, int]
    gc: float

    def windows(self, intervals: Sequence[tuple], offset: int = 0) -> Sequences:
        """Read the windows that lie inside their chromosomes."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeftOut)
            return read_windows(self.path, intervals, length=LENGTH, offset=offset, skip_invalid=True)


class Task(NamedTuple):
    """Two classes of windows, to train on and held out."""

    tokens: np.ndarray
    labels: np.ndarray
    test_tokens: np.ndarray
    test_labels: np.ndarray


def read_genome(folder: Path) -> Genome:
    """Read the genome, the dyads and the transcription start sites."""
    path = folder / "sacCer3.fa.gz"
    with gzip.open(path, "rt") as stream:
        records = {part.split(None, 1)[0]: part.split("\n", 1)[1] for part in stream.read().split(">")[1:]}
    chromosomes = {name: text.replace("\n", "").upper() for name, text in records.items()}
    with gzip.open(folder / "brogaard_dyads_nonoverlapping.bed.gz", "rt") as stream:
        rows = [line.split() for line in stream]
    dyads = [(row[0], int(row[1]), int(row[2]), ".") for row in rows]
    order = np.argsort([-float(row[3]) for row in rows], kind="stable")
    with gzip.open(folder / "tss.txt.gz", "rt") as stream:
        genes = [row for row in csv.DictReader(stream, delimiter="\t") if row["Gene type"] == "protein_coding"]
    letters = "".join(chromosomes.values())
    return Genome(
        path,
        [dyads[i] for i in order],
        [start for row in genes if (start := transcription_start(row))[0] in chromosomes],
        linkers_between(dyads),
        {name: len(text) for name, text in chromosomes.items()},
        (letters.count("G") + letters.count("C")) / len(letters),
    )


def transcription_start(row: dict[str, str]) -> tuple:
    """Return the interval of a transcription start site."""
    site = int(row["Transcription start site (TSS)"]) - 1
    return "chr" + row["Chromosome/scaffold name"], site, site + 1, "+" if row["Strand"] == "1" else "-"


def linkers_between(dyads: list[tuple]) -> list[tuple]:
    """Return the midpoints between neighboring dyads that leave no room for another nucleosome.

    About half of all nucleosomes are not in the list, so other pairs may have one between them.
    """
    near = [(a, b) for a, b in itertools.pairwise(dyads) if a[0] == b[0] and 147 <= b[1] - a[1] <= 200]
    return [(a[0], middle := (a[1] + b[1]) // 2, middle + 1, ".") for a, b in near]


def random_windows(rng: np.random.Generator, genome: Genome, count: int, away: int = 0) -> Sequences:
    """Draw windows anywhere on the nuclear chromosomes, at least `away` from every dyad."""
    names = [name for name in genome.sizes if name != "chrM"]
    sizes = np.array([genome.sizes[name] for name in names])
    chromosomes = rng.choice(len(names), count, p=sizes / sizes.sum())
    places = rng.integers(0, sizes[chromosomes])
    kept = np.ones(count, bool)
    for i, name in enumerate(names):
        dyads = np.sort([dyad[1] for dyad in genome.dyads if dyad[0] == name])
        here = chromosomes == i
        after = np.searchsorted(dyads, places[here]).clip(1, len(dyads) - 1)
        kept[here] = np.abs(dyads[np.stack([after - 1, after])] - places[here]).min(0) >= away
    return genome.windows(
        [(names[c], int(p), int(p) + 1, ".") for c, p in zip(chromosomes[kept], places[kept], strict=True)]
    )


def gc_counts(tokens: np.ndarray) -> np.ndarray:
    """Count G and C in each sequence."""
    return np.isin(tokens, jme.DNA.encode("GC")).sum(-1)


def matched(rng: np.random.Generator, wanted: np.ndarray, offered: Sequences) -> Sequences:
    """Choose for each wanted GC count a window with that count. No window is chosen twice; missing ones are skipped."""
    have = gc_counts(offered.tokens)
    chosen = []
    for count in np.unique(wanted):
        those = rng.permutation(np.flatnonzero(have == count))
        chosen.append(those[: int((wanted == count).sum())])
    return offered.take(np.concatenate(chosen))


def make_task(name: str, genome: Genome, rng: np.random.Generator) -> Task:
    """Return the two classes of a question."""
    if name == "GC label":
        windows = random_windows(rng, genome, 2 * HIGHEST)
        counts = gc_counts(windows.tokens)
        above = counts > np.median(counts)
        return task(windows.take(above), windows.take(~above))
    dyads = genome.windows(genome.dyads[:HIGHEST])
    if name == "upstream":
        return task(dyads, genome.windows(genome.starts, UPSTREAM))
    if name == "linker":
        return task(dyads, genome.windows(genome.linkers))
    if name == "low score":
        return task(dyads, genome.windows(genome.dyads[-HIGHEST:]))
    if name == "GC-matched":
        # The training part and the held-out part are matched separately.
        offered = split_by_chromosome(random_windows(rng, genome, 10 * HIGHEST, FAR), HELD_OUT)
        parts = split_by_chromosome(dyads, HELD_OUT)
        train, test = (matched(rng, gc_counts(a.tokens), b) for a, b in zip(parts, offered, strict=True))
        return of_parts(parts, (train, test))
    shuffles = Sequences(dinucleotide_shuffle(rng, dyads.tokens), dyads.names)
    return task(dyads, shuffles)


def task(ones: Sequences, zeros: Sequences) -> Task:
    """Split both classes by chromosome."""
    return of_parts(split_by_chromosome(ones, HELD_OUT), split_by_chromosome(zeros, HELD_OUT))


def of_parts(ones: tuple[Sequences, Sequences], zeros: tuple[Sequences, Sequences]) -> Task:
    both = list(zip(ones, zeros, strict=True))
    tokens = [np.concatenate([one.tokens, zero.tokens]) for one, zero in both]
    labels = [np.repeat([1, 0], [len(one), len(zero)]) for one, zero in both]
    return Task(tokens[0], labels[0], tokens[1], labels[1])


def trained(name: str, given: Task, options: argparse.Namespace) -> models.Network:
    """Return the network saved in --out, or train a new one on the windows and their other strands."""
    folder = options.out / f"model_{name.replace(' ', '_')}"
    if folder.exists():
        return models.load(folder)
    order = np.random.default_rng(options.seed).permutation(len(given.labels))
    kept, rest = order[len(order) // 20 :], order[: len(order) // 20]
    network = models.train(
        jax.random.key(options.seed), models.ConvArchitecture(length=LENGTH), given.tokens[kept], given.labels[kept],
        validation=(given.tokens[rest], given.labels[rest]), epochs=options.epochs, class_weights="balanced",
        both_strands=True,
    ).network  # fmt: skip
    models.save(network, folder)
    return network


def chosen_anchors(network: models.Network, given: Task, options: argparse.Namespace) -> np.ndarray:
    """Choose held-out sequences of class 1 that the network calls correctly, shape [anchors, length]."""
    called = models.predict(network, given.test_tokens).argmax(1) == 1
    usable = np.flatnonzero(called & (given.test_labels == 1))
    chosen = np.random.default_rng(options.seed).permutation(usable)[: options.anchors]
    return given.test_tokens[np.sort(chosen)]


def sampled(name: str, network: models.Network, given: Task, gc: float, options: argparse.Namespace) -> jme.Run:
    """Return the run saved in --out, or a new one, in which one μ per anchor holds the GC content of the genome."""
    file = options.out / f"run_{name.replace(' ', '_')}.npz"
    if file.exists():
        run = jme.Run.load(file)
        if (*run.beta.shape, run.beta[0, -1]) != (options.anchors, options.rungs, options.beta):
            sys.exit(f"{file} is of other anchors, rungs or β: remove it, or choose another --out")
        return run
    field = jme.composition("GC", float(np.log(gc / (1 - gc))))
    anchors = chosen_anchors(network, given, options)
    ensemble = jme.Ensemble.create(models.representation(network), anchors, beta=options.beta, fields=[field])
    key_mu, key_run = jax.random.split(jax.random.key(options.seed))
    solved = analysis.solve_chemical_potential(
        key_mu, ensemble, gc, tolerance=options.tolerance, steps=1000, max_steps=options.steps, burn_in=2000
    )
    for a in np.flatnonzero(~solved.reached):
        print(f"{name}, anchor {a}: sampled at the μ of β = 0 instead, {solved.outcomes[a]}")
    ensemble = ensemble.with_mu(np.where(solved.reached, solved.mu, ensemble.fields[0].mu))
    until = jme.Precision(rhat=options.rhat, ess=options.ess, steps=options.steps)
    # Eight β's have a swap acceptance of 0.6 to 0.7, and the chains settle long before the default burn-in ends.
    settings: dict[str, Any] = {"ladder": options.rungs, "burn_in": 2000, "store_every": 50}
    run = jme.sample(key_run, ensemble, until=until, **settings)
    run.save(file)
    return run


def intervals(found: CompositionShift) -> tuple[np.ndarray, np.ndarray]:
    """Return 95 % intervals of the mean shift, in standard deviations, and of the slope on the anchors' own content."""
    from scipy.stats import t

    anchors, slope = len(found.shift), found.follows
    shift_reach = t.ppf(0.975, anchors - 1) * found.effect_error
    slope_reach = t.ppf(0.975, anchors - 2) * slope.slope_error if anchors > 2 else np.nan
    ends = np.array([-1, 1])
    return found.effect + ends * shift_reach, slope.slope + ends * slope_reach


def verdict(found: CompositionShift) -> str:
    """Judge by the sizes of the mean shift and of the slope whether GC content is learned as a global feature."""
    both = np.array(intervals(found))
    if ((both > COUNTS).all(1) | (both < -COUNTS).all(1)).any():
        return "yes"
    return "no" if (np.abs(both) < COUNTS).all() else "undecided"


def rival_profiles(network: models.Network, anchors: np.ndarray) -> dict[str, list[KmerProfile]]:
    """Return the scores along the positions as profiles, one per anchor.

    "here" is the size of the score at the letter of the sequence, the usual way to look at an attribution. "W − S" is
    the score of A and T minus that of G and C, which corresponds to WW.
    """
    asked = models.representation(network), anchors
    at_letter = attribution.every_view(*asked)
    weak, strong = jme.DNA.encode("AT"), jme.DNA.encode("GC")
    by_letter = {"saliency": attribution.saliency(*asked), "mutagenesis": attribution.mutagenesis(*asked)}
    rows = {f"{name}, here": np.abs(at_letter[name]) for name in ("saliency", "DeepLIFT", "mutagenesis")}
    for name, scores in by_letter.items():
        rows[f"{name}, W − S"] = scores[..., weak].mean(-1) - scores[..., strong].mean(-1)
    return {name: [as_profile(row) for row in of_anchors] for name, of_anchors in rows.items()}


def as_profile(row: np.ndarray) -> KmerProfile:
    row = np.asarray(row, float)
    return KmerProfile(("score",), np.arange(len(row)) - len(row) // 2.0, row, np.full(len(row), np.nan), row[None])


def spectra(run: jme.Run, network: models.Network, given: Task, kmers: str) -> dict[str, analysis.Periodicity]:
    """Compute the spectra of draws at the target and at β = 0, anchors, held-out sequences and attribution scores."""
    anchors = range(len(run.names))
    profiles: dict[str, Any] = {
        "draws": [analysis.kmer_profile(run, kmers, anchor=a) for a in anchors],
        "β = 0": [analysis.kmer_profile(run, kmers, anchor=a, rung=0) for a in anchors],
        "the anchors themselves": analysis.kmer_profile(run.anchors, kmers),
        "all held-out of class 1": analysis.kmer_profile(given.test_tokens[given.test_labels == 1], kmers),
    }
    if kmers == "WW":
        profiles |= rival_profiles(network, run.anchors)
    found = {name: analysis.periodicity(some, shuffles=SHUFFLES) for name, some in profiles.items()}
    each = [analysis.periodicity(profile) for profile in profiles["draws"]]
    return found | {f"anchor {a}": one for a, one in enumerate(each)}


def figures(
    name: str, given: Task, network: models.Network, run: jme.Run, found: dict[str, Any], genome_gc: float
) -> dict[str, Any]:
    """Return all figures of one network as plain numbers."""
    shift, of_test = found["shift"], models.predict(network, given.test_tokens)[:, 1]
    other_strand = models.predict(network, jme.DNA.reverse_complement(given.test_tokens))[:, 1]
    return {
        "name": name,
        "train": np.bincount(given.labels)[::-1].tolist(),
        "test": np.bincount(given.test_labels)[::-1].tolist(),
        "auroc": models.auroc(given.test_labels, of_test),
        "auroc_other_strand": models.auroc(given.test_labels, other_strand),
        "auroc_of_gc_alone": models.auroc(given.test_labels, gc_counts(given.test_tokens)),
        "gc_of_classes": [float(gc_counts(given.tokens[given.labels == c]).mean() / LENGTH) for c in (1, 0)],
        "anchors": len(run.names),
        "anchors_gc": float(shift.own.mean()),
        "converged": int(run.converged.sum()),
        "largest_rhat": float(np.nanmax(run.max_rhat)),
        "least_ess": float(run.min_ess.min()),
        "steps": int(run.steps[0]),
        "seconds": run.seconds,
        "proposals_per_second": run.proposals_per_second,
        "energy": float(run.energy[:, -1].mean()),
        "mu": run.mu[:, 0].tolist(),
        "mu_found": int((np.abs(run.mu[:, 0] - np.log(genome_gc / (1 - genome_gc))) > 1e-6).sum()),
        "gc": {
            "verdict": verdict(shift),
            "fraction": float(shift.fraction.mean()),
            "background": float(shift.background.mean()),
            **{what: getattr(shift, what) for what in ("mean", "mean_error", "effect", "effect_error", "p")},
            "p_any_moves": shift.moves.p,
            **at_background_mu(run, genome_gc),
            "slope_on_own": shift.follows.slope,
            "slope_error": shift.follows.slope_error,
            "intervals": [interval.tolist() for interval in intervals(shift)],
            "effects": (shift.shift * LENGTH / deviation(shift)).tolist(),
        },
        "periods": {kmers: {key: wave(one) for key, one in found[kmers].items()} for kmers in ("WW", "SS")},
    }


def at_background_mu(run: jme.Run, gc: float) -> dict[str, float]:
    """Return the shift of GC from the background at the μ for which the background has the GC content of the genome.

    This is the published question. Also return the variance of the count relative to that of the background.
    """
    mu = np.log(gc / (1 - gc))
    answers = [
        analysis.composition_response(run, mu=np.array([mu, run.mu[a, 0]]), anchor=a, min_ess=30)
        for a in range(len(run.names))
    ]
    shifts = np.array([one.mean[0] / LENGTH - gc for one in answers])
    known = np.isfinite(shifts)
    held = [one.susceptibility[1] / one.background_susceptibility[1] for one in answers]
    return {
        "mean_at_background_mu": float(shifts[known].mean()) if known.any() else np.nan,
        "error_at_background_mu": float(shifts[known].std(ddof=1) / known.sum() ** 0.5) if known.sum() > 1 else np.nan,
        "anchors_at_background_mu": int(known.sum()),
        "relative_variance": float(np.mean(held)),
    }


def wave(found: analysis.Periodicity) -> dict[str, float]:
    """Return the figures of a period as plain numbers."""
    return {name: getattr(found, name) for name in ("period", "period_error", "amplitude", "phase", "p")}


def deviation(shift: CompositionShift) -> np.ndarray:
    """Return the standard deviation of the GC count in the background, where letters are independent."""
    return np.sqrt(LENGTH * shift.background * (1 - shift.background))


def draw_periods(found: dict[str, dict[str, analysis.Periodicity]], path: Path) -> None:
    """Draw one row per network: WW along the window, and the spectrum of each method relative to its shuffles."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.3 * len(found) + 0.6), layout="constrained")
    axes = figure.subplots(len(found), 2, squeeze=False, width_ratios=(3, 2))
    for (name, waves), (left, right) in zip(found.items(), axes, strict=True):
        colors = {"draws": "#0058A8", "all held-out of class 1": "#222222", "β = 0": "#7F7F7F"}
        for which, color in colors.items():
            one = waves[which]
            left.plot(one.offsets, one.profile, color=color, linewidth=1, label=which)
            left.fill_between(
                one.offsets, one.profile - 2 * one.profile_error, one.profile + 2 * one.profile_error,
                color=color, alpha=0.25, linewidth=0,
            )  # fmt: skip
        colors |= {"the anchors themselves": "#009E73", "saliency, here": "#B3261E", "saliency, W − S": "#E69F00"}
        for which, color in colors.items():
            one = waves[which]
            right.plot(one.periods, one.power / one.threshold, color=color, linewidth=1, label=which)
        right.axhline(1, color="#7F7F7F", linewidth=0.8, linestyle="--")
        right.set(ylim=(0, None), xlim=(5, 20), ylabel="power / 5 % of shuffles")
        left.set_title(
            f"{name}: draws {waves['draws'].period:.2f} bp, p = {waves['draws'].p:.1g}", fontsize=9, loc="left"
        )
        left.set(ylabel="WW frequency", xlim=(-LENGTH // 2, LENGTH // 2))
    axes[-1, 0].set_xlabel("distance from the dyad, bp")
    axes[-1, 1].set_xlabel("period, bp")
    axes[0, 0].legend(fontsize=7, frameon=False, ncols=3, loc="upper right")
    axes[0, 1].legend(fontsize=7, frameon=False)
    plot.save(figure, path)


def draw_shifts(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw one line per network: the shift of every anchor, the mean with its 95 % interval, the band of no shift."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 0.5 * len(rows) + 1.2), layout="constrained")
    ax = figure.subplots()
    ax.axvspan(-COUNTS, COUNTS, color="#7F7F7F", alpha=0.2, linewidth=0)
    for y, row in enumerate(rows):
        gc = row["gc"]
        jitter = np.linspace(-0.2, 0.2, len(gc["effects"]))
        ax.plot(gc["effects"], y + jitter, "o", color="#0058A8", alpha=0.4, markersize=3)
        reach = gc["intervals"][0][1] - gc["effect"]
        ax.errorbar(gc["effect"], y, xerr=reach, fmt="D", color="#E69F00", markersize=5, capsize=3)
        text = f"{gc['verdict']}: {gc['effect']:+.2f} SD, {gc['mean']:+.4f} of GC, slope {gc['slope_on_own']:.2f}"
        ax.text(1.01, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.set_yticks(range(len(rows)), [row["name"] for row in rows])
    ax.invert_yaxis()
    ax.set_xlabel("shift of the GC count by the network, standard deviations of the background")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    plot.save(figure, path)


def print_table(rows: list[dict[str, Any]]) -> None:
    print("\nnetwork      train (1, 0)     test (1, 0)   AUROC  other strand  GC alone  converged  μ found  steps    s")
    for row in rows:
        cells = [
            f"{row['name']:11s}  {row['train']!s:15s}  {row['test']!s:12s}  {row['auroc']:.3f}",
            f"{row['auroc_other_strand']:12.3f}  {row['auroc_of_gc_alone']:8.3f}",
            f"{row['converged']:6d}/{row['anchors']:2d}  {row['mu_found']:4d}/{row['anchors']:2d}",
            f"{row['steps']:5d}  {row['seconds']:3.0f}",
        ]
        print("  ".join(cells))
    for kmers in ("WW", "SS"):
        print(f"\nperiod of {kmers}, bp (p against shuffles, amplitude)")
        for row in rows:
            each = [one for key, one in row["periods"][kmers].items() if key.startswith("anchor ")]
            good = sum(abs(one["period"] - 10.2) <= 0.3 and one["p"] < 0.01 for one in each)
            print(f"{row['name']}: {good} of {len(each)} anchors alone have 10.2 ± 0.3 with p < 0.01")
            for key, one in row["periods"][kmers].items():
                if not key.startswith("anchor "):
                    spelled = f"{one['period']:6.2f} ± {one['period_error']:.2f}"
                    print(f"    {key:26s} {spelled}   p = {one['p']:.4f}   {one['amplitude']:.4f}")
    print("\nGC, with ⟨GC⟩ held at that of the genome: is it a learned, global feature?")
    for row in rows:
        gc = row["gc"]
        print(
            f"{row['name']:11s}  {gc['verdict']:9s}  {gc['effect']:+.2f} ± {gc['effect_error']:.2f} SD,"
            f"  {gc['mean']:+.4f} ± {gc['mean_error']:.4f} of GC, p = {gc['p']:.4f}; classes {gc_text(row)};"
            f"  slope on the anchor's own {gc['slope_on_own']:.2f} ± {gc['slope_error']:.2f};"
            f" at the background's μ {gc['mean_at_background_mu']:+.4f} ± {gc['error_at_background_mu']:.4f}"
            f" ({gc['anchors_at_background_mu']} anchors); variance {gc['relative_variance']:.2f} of the background's"
        )


def gc_text(row: dict[str, Any]) -> str:
    one, zero = row["gc_of_classes"]
    return f"{one:.3f} and {zero:.3f}, anchors {row['anchors_gc']:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = (*CONTROLS, "upstream", "linker", "low score", "GC-matched")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--anchors", type=int, default=8)
    parser.add_argument("--beta", type=float, default=64.0)
    parser.add_argument("--rungs", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rhat", type=float, default=1.05)
    parser.add_argument("--ess", type=float, default=100.0)
    parser.add_argument("--steps", type=int, default=8_000, help="give up after this many (default %(default)s)")
    parser.add_argument("--tolerance", type=float, default=0.05, help="standard error of μ (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("nucleosome"), help="networks, runs, figures, pictures")
    options = parser.parse_args()
    folder = data_folder("yeast")
    options.out.mkdir(parents=True, exist_ok=True)
    began, rows, waves = time.perf_counter(), [], {}
    genome = read_genome(folder)
    print(f"genome's GC content {genome.gc:.4f}, {len(genome.linkers)} linkers")
    for name in tqdm(options.only, desc="networks"):
        given = make_task(name, genome, np.random.default_rng(options.seed))
        network = trained(name, given, options)
        run = sampled(name, network, given, genome.gc, options)
        found: dict[str, Any] = {kmers: spectra(run, network, given, kmers) for kmers in ("WW", "SS")}
        found["shift"] = analysis.composition_shift(run)
        rows.append(figures(name, given, network, run, found, genome.gc))
        waves[name] = found["WW"]
    about = {"device": run.device, "jax": jax.__version__, "date": time.strftime("%Y-%m-%d"), "genome_gc": genome.gc}
    about |= {key: getattr(options, key) for key in ("beta", "rhat", "ess", "steps", "epochs", "seed")}
    (options.out / "nucleosome.json").write_text(json.dumps({"about": about, "networks": rows}, indent=1))
    draw_periods(waves, options.out / "nucleosome_ww.png")
    draw_shifts(rows, options.out / "nucleosome_gc.png")
    print_table(rows)
    print(
        f"\nin {time.perf_counter() - began:.0f} s, without the results that were in {options.out} already", flush=True
    )


if __name__ == "__main__":
    main()
