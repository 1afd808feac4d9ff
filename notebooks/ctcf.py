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
# # What has a network learned about CTCF?
#
# The network of Finnegan & Song (*PLoS Comput Biol* 13:e1005836, 2017) tells sequences that CTCF binds from their
# shuffles. Which sequences does it treat as equal to one that is bound? The draws answer this at every resolution, with
# an error bar on every letter. Further questions follow. What would the published protocol have shown? What do all
# anchors have in common? Which positions depend on each other? And what do other methods show of the same network?
#
# **Data.** In `$JAXMAXENT_DATA`: `ctcf/train.tsv.gz`, `valid.tsv.gz` and `test.tsv.gz`, ENCODE ChIP-seq of 101 bp
# around the peaks with their dinucleotide shuffles (Zeng et al., Bioinformatics 32:i121, 2016, as in
# [gifford-lab/Keras-genomics](https://github.com/gifford-lab/Keras-genomics)); `ctcf/published_anchors_gcat.npy`, the
# ten sequences of the published example ([jssong-lab/maxEnt](https://github.com/jssong-lab/maxEnt)); and in `jaspar/`
# the motifs of [JASPAR 2024](https://jaspar.elixir.no/downloads/), vertebrates, non-redundant, in MEME format.
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
import numpy as np

import jaxmaxent as jme
from jaxmaxent import analysis, attribution, models, plot
from jaxmaxent.data import read_motifs, read_one_hot, read_sequences

TRAIN, EPOCHS, ANCHORS, STEPS, CHAINS = 77174, 6, 10, 40000, 8 if on_cpu else 64

# %% [markdown]
# ## The network
#
# It has 64 filters of 24 letters, and 100 units on top of them. The values of these 100 units are the representation.

# %%
data = Path(os.environ["JAXMAXENT_DATA"])
train, valid, test = (read_sequences(data / "ctcf" / f"{name}.tsv.gz") for name in ("train", "valid", "test"))
some = np.random.default_rng(0).permutation(len(train))[:TRAIN]
trained = models.train(
    jax.random.key(0),
    models.ConvArchitecture(),
    train.tokens[some],
    train.labels[some],
    validation=(valid.tokens, valid.labels),
    epochs=EPOCHS,
)
scores = models.predict(trained.network, test.tokens)[:, 1]
print(f"test AUROC {models.auroc(test.labels, scores):.4f}, published 0.978 on another cell line")

# %% [markdown]
# ## Draws around the published anchors
#
# Their file has the letters in the order G, C, A, T; from here on the order is A, C, G, T. The sampler goes on until
# every letter at every position is known well enough, and says so for each anchor; here a rough precision is enough.

# %%
network = models.representation(trained.network)
anchors = read_one_hot(data / "ctcf" / "published_anchors_gcat.npy", "GCAT").take(np.arange(ANCHORS))
ensemble = jme.Ensemble.create(network, anchors.tokens, beta=100.0)
enough = jme.Precision(rhat=1.05, ess=100, steps=STEPS)
burn_in = min(STEPS // 5, 4040)
run = jme.sample(jax.random.key(1), ensemble, names=anchors.names, until=enough, chains=CHAINS, burn_in=burn_in)
for name, outcome in zip(run.names, run.outcomes, strict=True):
    print(f"{name}: {outcome}")

# %% [markdown]
# One run has every coarser resolution too. At β = 0 any sequence will do. As β grows, the letters that the network
# insists on appear, the most important ones first.

# %%
rungs = [int(np.searchsorted(run.beta[0], beta)) for beta in (12, 20, 40)] + [run.beta.shape[1] - 1]
picture = plot.resolutions(
    run.beta[0, rungs],
    run.frequencies[0, rungs],
    standard_error=run.frequency_errors[0, rungs],
    titles=[f"β = {run.beta[0, k]:.3g}, ⟨E⟩ = {run.energy[0, k]:.2f}" for k in rungs],
)
plot.show(picture, "ctcf_resolutions.png")

heat = analysis.thermodynamics(run)
number, all_of_them = heat.log10_number[-1], anchors.tokens.shape[1] * np.log10(4)
print(
    f"of 10^{all_of_them:.1f} sequences of this length about 10^{number:.1f} are as close to the anchor for the network"
)

# %% [markdown]
# ## The published protocol
#
# It has one β and 50 chains that all start at the anchor, with 10,000 steps, all of them counted. Its own output gives
# no warning: R-hat of its energy is close to 1. Yet at many positions its frequencies are far from those of converged
# draws.

# %%
one = ensemble.take(np.arange(1))
published = jme.sample(
    jax.random.key(2), one, ladder=None, chains=50, steps=min(STEPS, 10_000), burn_in=0, start="anchor"
)
converged, claimed = analysis.profile(run), analysis.profile(published)
gap = np.abs(claimed.frequencies - converged.frequencies).max(-1)
print(f"published protocol: R-hat of its energy {published.energy_rhat[0, -1]:.3f}, {(gap > 0.1).sum()} positions "
      f"off by more than 0.1, the furthest, {gap.argmax()}, by {gap.max():.2f}")  # fmt: skip
both = plot.logo_grid(
    np.stack([converged.frequencies, claimed.frequencies]),
    ["parallel tempering, converged", "published protocol, same network, anchor and β"],
)
plot.show(both, "ctcf_published.png")

# %% [markdown]
# ## Motifs that the anchors share
#
# The informative windows of the anchors are aligned, on whichever strand fits, and compared with the 879 motifs of
# JASPAR.

# %%
known = read_motifs(next((data / "jaspar").glob("*.meme")))
found = analysis.find_motifs(run)
print(found.outcome)
hits = analysis.match_motifs(found.motifs, known)
for motif, near in zip(found.motifs[:3], hits, strict=False):
    print(f"{motif.name}: {motif.sites} anchors, {motif.consensus}, most like {near[0].name} "
          f"({near[0].identifier}), q = {near[0].q:.1g}")  # fmt: skip
if found.motifs:
    plot.show(plot.motif(found.motifs[0], hit=hits[0][0]), "ctcf_motif.png")

# %% [markdown]
# ## Positions that depend on each other
#
# A logo treats positions as independent. Stored draws show which pairs of positions are not: above the diagonal are the
# pairs whose letters depend on each other significantly.

# %%
start, stop = analysis.informative_window(converged.information)
window = (max(start - 3, 0), min(max(stop, start + 8) + 3, 101))
stored = jme.sample(
    jax.random.key(3), one, ladder=run.beta[:1], store_every=40, chains=CHAINS, burn_in=burn_in, until=enough
)
pairs = analysis.couplings(stored, window=window)
plot.show(plot.coupling_map(pairs, frequencies=stored.frequencies[0, -1]), "ctcf_couplings.png")
for pair in pairs.pairs[:3]:
    one_letter, other_letter = np.unravel_index(pair.excess.argmax(), pair.excess.shape)
    print(f"{pair.first} and {pair.second}: {pair.mutual_information:.3f} ± {pair.error:.3f} bits, "
          f"{jme.DNA.letters[one_letter]} goes with {jme.DNA.letters[other_letter]}")  # fmt: skip

# %% [markdown]
# ## Other views of the same network
#
# Gradients, contributions and single mutations describe this one sequence and its nearest neighbors. The draws
# describe all sequences that the network does not distinguish from it.

# %%
views = attribution.every_view(network, anchors.tokens[:1])
picture = plot.views(
    converged.frequencies,
    {name: scores[0] for name, scores in views.items()},
    jme.DNA.decode(anchors.tokens[0]),
    standard_error=converged.frequency_errors,
)
plot.show(picture, "ctcf_views.png")
