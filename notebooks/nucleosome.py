# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # What has a network learned about nucleosomes?
#
# DNA that bends easily wraps around a nucleosome: every turn of the helix, some ten letters, the pairs AA, AT, TA and
# TT (WW) lie where the minor groove faces the histones, and half a turn further CC, CG, GC and GG (SS). A network is
# trained to tell nucleosomes of yeast from windows upstream of genes, which are mostly free of them. Then jaxmaxent
# draws the sequences that the network treats as equal to some nucleosomes. The draws answer two questions: does the
# network know the period, and has it learned GC content as such, a feature that no single position shows?
#
# **Data.** Three files in `$JAXMAXENT_DATA/yeast/`, all public: `sacCer3.fa.gz`, the genome, from
# [UCSC](https://hgdownload.soe.ucsc.edu/goldenPath/sacCer3/bigZips/) (chromosomes called chrI, chrII, …);
# `brogaard_dyads_nonoverlapping.bed.gz`, 35,665 nucleosome dyads of Brogaard et al. (Nature 486:496, 2012) lifted to
# sacCer3, with columns chromosome, dyad, end, NCP score; and `tss.txt.gz`, start sites and strands of transcripts from
# Ensembl BioMart. The last two are as in [pepebonet/nano_damage](https://github.com/pepebonet/nano_damage).
#
# Two cores need about five minutes.

# %%
# Where jaxmaxent is missing, as on Colab, it is installed: from a checkout or a wheel beside this notebook, or else
# from JAXMAXENT_SOURCE, which is a folder, a wheel, or the address of a repository.
import importlib
import importlib.util
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

EXTRAS = "plot"
NEEDED = ("jaxmaxent", "arviz_stats", "logomaker")


def is_installed(name):
    found = importlib.util.find_spec(name)
    return found is not None and found.origin is not None  # a mere folder of this name has no origin


def source_of_package():
    here = Path.cwd()
    checkouts = [folder for folder in (here, here.parent, here / "jaxmaxent") if (folder / "hatch_build.py").is_file()]
    wheels = sorted(here.glob("jaxmaxent-*.whl"))
    return str([*checkouts, *reversed(wheels), os.environ.get("JAXMAXENT_SOURCE", "jaxmaxent")][0])


def requirement(source):
    if Path(source).exists():
        return f"{source}[{EXTRAS}]"
    if "://" in source:
        is_repository = not source.startswith("git+") and not source.endswith((".whl", ".zip", ".gz"))
        return f"jaxmaxent[{EXTRAS}] @ {'git+' * is_repository}{source}"
    return source.replace("jaxmaxent", f"jaxmaxent[{EXTRAS}]", 1)  # the name, perhaps with a version


if not all(map(is_installed, NEEDED)):
    # JAX and its support of an accelerator must have the same version, so both are installed together.
    support = {"cuda12": "jax_cuda12_plugin", "cuda13": "jax_cuda13_plugin", "tpu": "libtpu"}
    accelerators = [f"jax[{extra}]" for extra, package in support.items() if is_installed(package)]
    # Other packages stay with the NumPy that they were built for, which may be loaded already.
    numpy = [f"numpy=={version('numpy')}"] if is_installed("numpy") and version("numpy") >= "2" else []
    source = source_of_package()
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    if subprocess.run([*pip, requirement(source), *accelerators, *numpy]).returncode:
        raise RuntimeError(
            f"jaxmaxent could not be installed from {source!r}: upload its wheel beside this notebook, or write "
            "os.environ['JAXMAXENT_SOURCE'] = '…' with a folder, a wheel or the address of its repository into a cell "
            "above, and run this cell again"
        )
    importlib.invalidate_caches()

# %% [markdown]
# **The device.** JAX takes a GPU or TPU if it finds one, and the sizes below follow. On Colab, *Runtime → Change
# runtime type* chooses it; then run all cells again from the first.

# %%
import jax

print(f"{jax.device_count()} × {jax.devices()[0].device_kind}")
on_cpu = jax.default_backend() == "cpu"

# %%
import csv
import gzip
import warnings

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import t as student

import jaxmaxent as jme
from jaxmaxent import analysis, attribution, models, plot
from jaxmaxent.analysis import KmerProfile
from jaxmaxent.data import LeftOut, Sequences, dinucleotide_shuffle, read_windows, split_by_chromosome

TRAIN, EPOCHS, ANCHORS, STEPS, CHAINS = 14000, 3, 6, 6000, 8 if on_cpu else 64

# %% [markdown]
# ## Windows of 201 bp
#
# There are three kinds: the highest-scored dyads; windows 100 bp upstream of transcription start sites, on the strand
# of the gene; and windows anywhere, for a control. Chromosomes IV and XI are kept for testing and for the anchors.

# %%
yeast, length = Path(os.environ["JAXMAXENT_DATA"]) / "yeast", 201
rng = np.random.default_rng(0)

with gzip.open(yeast / "brogaard_dyads_nonoverlapping.bed.gz", "rt") as stream:
    rows = [line.split() for line in stream]
rows.sort(key=lambda row: -float(row[3]))
dyads = [(chromosome, int(start), int(end)) for chromosome, start, end, *_ in rows]
with gzip.open(yeast / "tss.txt.gz", "rt") as stream:
    genes = [row for row in csv.DictReader(stream, delimiter="\t") if row["Gene type"] == "protein_coding"]
starts = []
for gene in genes:
    chromosome, site = "chr" + gene["Chromosome/scaffold name"], int(gene["Transcription start site (TSS)"])
    if chromosome != "chrMito":
        starts.append((chromosome, site - 1, site, "+" if gene["Strand"] == "1" else "-"))
places = [
    max(start + int(shift), 0)
    for (_, start, _), shift in zip(dyads, rng.integers(-5000, 5000, len(dyads)), strict=True)
]
anywhere = [(chromosome, place, place) for (chromosome, *_), place in zip(dyads, places, strict=True)]

genome = yeast / "sacCer3.fa.gz"
warnings.simplefilter("ignore", LeftOut)  # a few windows leave their chromosome
nucleosomes = read_windows(genome, dyads[:TRAIN], length=length, skip_invalid=True)
upstream = read_windows(genome, starts[:TRAIN], length=length, offset=-100, skip_invalid=True)
windows = read_windows(genome, anywhere[: 2 * TRAIN], length=length, skip_invalid=True)


def gc_content(tokens):
    return np.isin(tokens, jme.DNA.encode("GC")).mean(-1)


for name, some in (("nucleosomes", nucleosomes), ("upstream", upstream), ("anywhere", windows)):
    print(f"{len(some)} {name}: GC content {gc_content(some.tokens).mean():.3f}")

# %% [markdown]
# ## Three networks
#
# The published architecture for CTCF is used, on 201 bp: its filters of 24 bp see two turns of the helix, and without
# pooling the dense layer behind them knows the position of each match. Besides the nucleosomes it learns two controls,
# for which the answer about GC content is known: windows labeled by their GC content alone, and nucleosomes against
# their own dinucleotide shuffles, which have the same GC content. Networks see both strands: upstream windows have a
# direction, and a network that saw one strand would learn the direction too.

# %%
above = gc_content(windows.tokens) > np.median(gc_content(windows.tokens))
shuffles = Sequences(dinucleotide_shuffle(rng, nucleosomes.tokens), nucleosomes.names)
classes = {
    "label is GC": (windows.take(above), windows.take(~above)),
    "shuffled": (nucleosomes, shuffles),
    "nucleosomes": (nucleosomes, upstream),
}
held_out = ("chrIV", "chrXI")
networks, anchors = {}, {}
for name, (ones, zeros) in classes.items():
    (ones, ones_test), (zeros, zeros_test) = split_by_chromosome(ones, held_out), split_by_chromosome(zeros, held_out)
    tokens, labels = np.concatenate([ones.tokens, zeros.tokens]), np.repeat([1, 0], [len(ones), len(zeros)])
    networks[name] = models.train(
        jax.random.key(0),
        models.ConvArchitecture(length=length),
        tokens,
        labels,
        epochs=EPOCHS,
        class_weights="balanced",
        both_strands=True,
    ).network
    scores = models.predict(networks[name], np.concatenate([ones_test.tokens, zeros_test.tokens]))[:, 1]
    auroc = models.auroc(np.repeat([1, 0], [len(ones_test), len(zeros_test)]), scores)
    print(f"{name}: AUROC {auroc:.3f} on chromosomes IV and XI")
    # Anchors come from the half that the network is surer of.
    surest = np.argsort(-scores[: len(ones_test)])[: len(ones_test) // 2]
    anchors[name] = ones_test.tokens[np.sort(rng.choice(surest, ANCHORS, replace=False))]

# %% [markdown]
# ## Draws with the genome's GC content
#
# Without a field the background of an ensemble has a GC content of 0.5; yeast has 0.381. The chemical potential μ adds
# μ times the GC count to the exponent, and is solved for so that the *anchored* ensemble has the genome's content.
# Without a network it would be log(0.381 / 0.619) = −0.485. The difference is the network's effect on GC content. The
# network that was trained on GC content itself cannot be held at a content other than that of the anchor's class. If no
# μ is found, that of the background is taken.

# %%
gc, runs = 0.381, {}
for name, network in networks.items():
    ensemble = jme.Ensemble.create(
        models.representation(network), anchors[name], beta=64.0, fields=[jme.composition("GC")]
    )
    sizes = {"steps": max(STEPS // 10, 10), "max_steps": STEPS, "burn_in": STEPS // 30 * 10, "tolerance": 0.1}
    solved = analysis.solve_chemical_potential(jax.random.key(1), ensemble, gc, **sizes)
    mu = np.where(solved.reached, solved.mu, np.log(gc / (1 - gc)))
    enough = jme.Precision(rhat=1.05, ess=100, steps=STEPS)
    runs[name] = jme.sample(
        jax.random.key(2),
        ensemble.with_mu(mu),
        until=enough,
        ladder=8,
        chains=CHAINS,
        burn_in=STEPS // 30 * 10,
        store_every=max(STEPS // 500 * 5, 5),
    )
    print(f"{name}: μ = {mu.mean():.3f} (from {mu.min():.3f} to {mu.max():.3f})")
    print(f"  {runs[name].converged.sum()} of {ANCHORS} converged; the first: {runs[name].outcomes[0]}")

# %% [markdown]
# ## The period of WW
#
# The left panel shows how often a WW stands at each position of the draws around the nucleosomes, beside the
# nucleosomes of the test chromosomes and the background (β = 0, same μ). The right panel shows the spectrum: the power
# of a wave of each period, in units of the power that 5 % of shuffled profiles reach at any period. The same spectrum
# is taken of two alternatives: WW in the anchors themselves, and the network's gradient at their letters, averaged as
# the draws are.

# %%
network, run = networks["nucleosomes"], runs["nucleosomes"]
test = split_by_chromosome(nucleosomes, held_out)[1]
representation = models.representation(network)
scores = np.abs(attribution.saliency(representation, run.anchors)).max(-1)


def as_profile(row):
    none = np.full(length, np.nan)
    return KmerProfile(("score",), np.arange(length) - length // 2.0, row, none, row[None])


profiles = {
    "draws": [analysis.kmer_profile(run, "WW", anchor=a) for a in range(ANCHORS)],
    "nucleosomes": analysis.kmer_profile(test.tokens, "WW"),
    "background": [analysis.kmer_profile(run, "WW", anchor=a, rung=0) for a in range(ANCHORS)],
    "the anchors alone": analysis.kmer_profile(run.anchors, "WW"),
    "saliency": [as_profile(row) for row in scores.astype(float)],
}
waves = {name: analysis.periodicity(some, shuffles=1999) for name, some in profiles.items()}
for name, wave in waves.items():
    print(f"{name}: period {wave.period:.2f} ± {wave.period_error:.2f} bp, p = {wave.p:.2g}")

# %%
figure = Figure(figsize=(11, 3.4), layout="constrained")
left, right = figure.subplots(1, 2, width_ratios=(3, 2))
colors = {"draws": "#0058A8", "nucleosomes": "#222222", "background": "#7F7F7F"}
for name, color in colors.items():
    wave = waves[name]
    left.plot(wave.offsets, wave.profile, color=color, linewidth=1.2, label=name)
    low, high = wave.profile - 2 * wave.profile_error, wave.profile + 2 * wave.profile_error
    left.fill_between(wave.offsets, low, high, color=color, alpha=0.2, linewidth=0)
for name, color in (colors | {"the anchors alone": "#009E73", "saliency": "#B3261E"}).items():
    right.plot(waves[name].periods, waves[name].power / waves[name].threshold, color=color, linewidth=1.2, label=name)
right.axhline(1, color="#7F7F7F", linewidth=0.8, linestyle="--")
left.set(xlabel="distance from the dyad, bp", ylabel="frequency of WW", xlim=(-100, 100))
right.set(xlabel="period, bp", ylabel="power over 5 % of shuffles", ylim=(0, None), xlim=(5, 20))
left.set_title(f"Draws: a WW every {waves['draws'].period:.2f} ± {waves['draws'].period_error:.2f} bp", loc="left")
left.legend(frameon=False, ncols=3, fontsize=8)
right.legend(frameon=False, fontsize=8)
plot.show(figure, "nucleosome_ww.png")

# %% [markdown]
# ## One nucleosome
#
# This is the logo of the middle of the first anchor, and below it the gradient times the input. There is no motif: no
# letter has more than a fraction of a bit of information, so the scale ends far below the two bits of a letter that is
# certain. The network recognizes a nucleosome by weak signals in all turns of the helix.

# %%
profile, middle = analysis.profile(run, anchor=0), slice(60, 141)
rival = attribution.input_x_gradient(representation, run.anchors[:1], centered=True).sum(-1)[0]
figure = plot.views(
    profile.frequencies[middle],
    {"input × gradient": rival[middle]},
    str(jme.DNA.decode(run.anchors[0, middle])),
    standard_error=profile.frequency_errors[middle],
    start=-40,
    title="draws at β = 64 around the first anchor",
)
top = max(1.2 * profile.information[middle].max(), 0.1)
figure.axes[0].set(ylim=(0, top), yticks=np.round([0, top / 2, top], 2))
plot.show(figure, "nucleosome_anchor.png")

# %% [markdown]
# ## Is GC content a learned, global feature?
#
# For each anchor, the GC content of the anchored ensemble is compared with that of the background at the same μ without
# a network. The difference is the network's effect. GC content can be learned in two ways: all ensembles are moved
# alike (mean shift, in standard deviations of the background's count), or each is held at its anchor's own content
# (slope of the shifts on it, 1 if it is held fully). With many anchors even a negligible shift has a small p, so the
# verdict depends on the size: yes if a 95 % interval of either lies wholly beyond 0.2, no if both lie within 0.2. The
# controls come first; their known answers are yes and no.

# %%
shifts = {name: analysis.composition_shift(run) for name, run in runs.items()}
figure = Figure(figsize=(9, 2.6), layout="constrained")
ax = figure.subplots()
ax.axvspan(-0.2, 0.2, color="#7F7F7F", alpha=0.2, linewidth=0)
for y, (name, shift) in enumerate(shifts.items()):
    reach = student.ppf(0.975, ANCHORS - 1) * shift.effect_error
    low, high = shift.effect - reach, shift.effect + reach
    slope, slope_reach = shift.follows.slope, student.ppf(0.975, max(ANCHORS - 2, 1)) * shift.follows.slope_error
    moved = low > 0.2 or high < -0.2 or abs(slope) - slope_reach > 0.2
    still = low > -0.2 and high < 0.2 and abs(slope) + slope_reach < 0.2
    answer = "yes" if moved else "no" if still else "undecided"
    said = f"{answer}: {shift.effect:+.2f} ± {shift.effect_error:.2f} SD, slope {slope:.2f}, p = {shift.p:.2g}"
    print(f"{name}: is GC content a learned feature? {said}")
    deviation = np.sqrt(length * shift.background * (1 - shift.background))
    ax.plot(
        shift.shift * length / deviation, y + np.linspace(-0.2, 0.2, ANCHORS), "o", color="#0058A8", alpha=0.4, ms=4
    )
    ax.errorbar(shift.effect, y, xerr=reach, fmt="D", color="#E69F00", capsize=3)
    ax.text(1.01, y, said, transform=ax.get_yaxis_transform(), va="center", fontsize=8)
ax.set_yticks(range(len(shifts)), list(shifts))
ax.invert_yaxis()
ax.set_xlabel("shift of the GC count, standard deviations of the background")
plot.show(figure, "nucleosome_gc.png")
