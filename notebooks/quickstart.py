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
# # Which inputs does a network treat as the same as this one?
#
# A trained network turns a sequence x into numbers, its representation Φ(x): the values of its last hidden layer. Two
# sequences with the same numbers are the same for the network, however different their letters are. jaxmaxent takes one
# sequence, the **anchor** x0, and draws at random from those that the network treats as equal. The letters that all
# draws share are those that the network requires; it does not look at the others.
#
# This page explains the method on a small example. Two cores need about two minutes.

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
import jax.numpy as jnp
import numpy as np

import jaxmaxent as jme
from jaxmaxent import analysis, attribution, models, plot
from jaxmaxent.data import ctcf_example

SEQUENCES, EPOCHS, STEPS, CHAINS = 3000, 8, 20000, 8 if on_cpu else 64

# %% [markdown]
# ## A network
#
# It learns to tell sequences with a CTCF site near the middle from their shuffles. Any other network will do as well:
# the notebook `your_network` has one of PyTorch and one of Keras.

# %%
example = ctcf_example(np.random.default_rng(0), SEQUENCES)
trained = models.train(jax.random.key(0), models.ConvArchitecture(), example.tokens, example.labels, epochs=EPOCHS)
print(f"validation AUROC {trained.history[trained.best_epoch].validation_auroc:.3f}")
network = models.representation(trained.network)

# %% [markdown]
# ## The formula
#
# How far is a sequence x from the anchor, for the network? Its **energy** is the distance of the representations, each
# number weighted by its weight w in the output:
#
#     E(x) = sqrt( Σ_i [ w_i (Φ_i(x) − Φ_i(x0)) ]² )
#
# Sequences are drawn with the probability
#
#     p(x) ∝ exp( −β E(x) )
#
# Of all distributions with the same mean energy this one has the largest entropy: it assumes nothing else about the
# sequence. That is why it is called the maximum entropy method. **β** says how small an energy has to be to count as
# equal. At β = 0 all sequences are equally likely, and as β grows, draws come closer to the anchor.

# %%
ensemble = jme.Ensemble.create(network, example.tokens[0], beta=40.0)
anchor = jme.DNA.decode(example.tokens[0])
energies = jax.vmap(ensemble.energy)(jnp.asarray(example.tokens[[0, SEQUENCES]], int))
print(f"E of the anchor {energies[0]:.2f}, of its shuffle {energies[1]:.2f}")

# %% [markdown]
# ## Draws
#
# There are far too many sequences to list, so chains walk through them: a letter is changed, and the change is kept or
# refused according to p(x). Chains at a large β would stay where they start. Therefore each chain has copies at many
# β's, from β = 0 upwards, and neighbors exchange their sequences. This is *parallel tempering*. A run ends when its
# numbers can be trusted, and says so in a sentence; here a rough precision is enough.

# %%
enough = jme.Precision(rhat=1.05, ess=100, steps=STEPS)
run = jme.sample(jax.random.key(1), ensemble, until=enough, chains=CHAINS, burn_in=STEPS // 10)
print(run.outcomes[0])
profile = analysis.profile(run)
logo = plot.logo(profile.frequencies, standard_error=profile.frequency_errors, anchor=anchor, title="β = 40")
plot.show(logo, "quickstart_logo.png")
print(f"⟨E⟩ = {run.energy[0, -1]:.3f} ± {run.energy_error[0, -1]:.3f}, {profile.consensus}")

# %% [markdown]
# Tall letters are those that nearly all draws have. The small letters under the axis are the anchor, and pale letters
# are not known well enough.
#
# ## What goes wrong at a β that is too small or too large
#
# One run has all smaller β's too, because its chains walk along them.
#
# - **β is too small**: almost any sequence counts as equal, and the logo is blank. The numbers are right, but nobody
#   asked for them.
# - **β is too large**: differences count that mean nothing to the network, such as 0.01 of its output. The draws become
#   copies of the anchor: letters appear that no decision depends on. Changes are refused nearly always, so chains mix
#   slowly. The run says that it has not converged, and then its numbers must not be used.
#
# In between, the same letters are tall at every β. `analysis.auto_beta` finds such a β by a short run.

# %%
small = int(np.searchsorted(run.beta[0], 4.0))
hasty = jme.Precision(rhat=1.05, ess=100, steps=STEPS // 10)
large = jme.sample(jax.random.key(1), ensemble.with_beta(1000.0), until=hasty, chains=CHAINS, burn_in=STEPS // 10)
chosen = analysis.auto_beta(ensemble, key=jax.random.key(2), chains=CHAINS).beta[0]
shown = [(run, small), (run, -1), (large, -1)]
for one, rung in shown:
    bits, accepted = one.total_information[0, rung], one.acceptance[0, rung]
    print(f"β = {one.beta[0, rung]:.3g}: ⟨E⟩ = {one.energy[0, rung]:.3f}, {bits:.1f} bits, {accepted:.0%} accepted")
print(f"at the largest β: {large.outcomes[0]}")
print(f"auto_beta chooses β = {chosen:.3g}")
logos = plot.logo_grid(
    np.stack([one.frequencies[0, rung] for one, rung in shown]),
    [f"β = {one.beta[0, rung]:.3g}" for one, rung in shown],
    anchors=[anchor] * 3,
)
plot.show(logos, "quickstart_betas.png")

# %% [markdown]
# ## An exercise
#
# Change one letter of the anchor at the tallest position of the logo, and one at a position where the logo is flat.
# Which of the two sequences has the larger energy? By how much is the less likely one less likely? Write down a guess,
# then run the next cell.

# %%
information = profile.information
for name, position in (("tallest", int(information.argmax())), ("flattest", int(information.argmin()))):
    mutants = np.tile(example.tokens[0], (3, 1))
    mutants[:, position] = [letter for letter in range(4) if letter != example.tokens[0, position]]
    energy = jax.vmap(ensemble.energy)(jnp.asarray(mutants, int)).mean()
    print(f"{name} position {position}: mean E of its three mutants {energy:.3f}, β E = {40 * energy:.1f}")
print(f"draws: ⟨E⟩ {run.energy[0, -1]:.3f}, β ⟨E⟩ = {40 * run.energy[0, -1]:.1f}")

# %% [markdown]
# A mutant is exp(β E) times less likely than the anchor. So the anchor is the most likely sequence of all, and yet
# hardly ever drawn: far more sequences have the energy of the draws. A letter at a flat position may be replaced within
# that energy, one at a tall position may not.
#
# Now change *two* tall letters at once: is E the sum of both changes? Where it is not, the network treats letters
# jointly, which no number per letter can show.
#
# ## Beside DeepLIFT
#
# DeepLIFT divides the output among the letters *of this sequence*: how much each contributes, and with which sign. The
# draws answer another question: which letters may *not* be replaced, whatever all others are. Where letters stand in
# for each other, DeepLIFT credits each of them, and the draws show that none of them is required. For the sign or the
# size of an effect take DeepLIFT; for what the network requires, with an error on each number, take the draws.

# %%
scores = {"DeepLIFT": attribution.deeplift(network, example.tokens[:1])[0].sum(-1)}
picture = plot.views(profile.frequencies, scores, anchor, standard_error=profile.frequency_errors)
plot.show(picture, "quickstart_deeplift.png")
agreement = np.corrcoef(information, np.abs(scores["DeepLIFT"]))[0, 1]
print(f"correlation of information and |DeepLIFT| over positions: {agreement:.2f}")

# %% [markdown]
# ## The chemical potential of a wanted GC content
#
# A field adds a term to the exponent: with μ times the number of G and C, draws have another GC content. Which μ gives
# the human genome's 0.41? At β = 0 it would be log(0.41 / 0.59) = −0.364. The network shifts it.

# %%
solved = analysis.solve_chemical_potential(
    jax.random.key(3), ensemble.with_beta(10.0), 0.41, steps=max(STEPS // 40, 10), tolerance=0.05
)
print(f"μ = {solved.mu[0]:.3f} ± {solved.standard_error[0]:.3f}: {solved.outcomes[0]}")
