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
# # Networks that take a site anywhere
#
# Many networks take a maximum or a mean over the sequence. Such a network treats a sequence as the same wherever its
# sites stand. Draws are full of sites, but each has them at other places, so no *position* is held and the logo is
# flat. A flat logo does not mean that the network has learned nothing. This page shows the two questions that work
# here: **where** are the sites of this sequence, and **which motifs** do the draws have?
#
# The network is made by hand, so that the correct answers are known. Two cores need about two minutes.

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

import jaxmaxent as jme
from jaxmaxent import analysis, plot

STEPS, CHAINS = 20000, 8 if on_cpu else 64

# %% [markdown]
# ## A network that pools
#
# It knows two sites, AGATAA and CAGCTG. For each it slides along the sequence, counts the letters that match, and keeps
# the largest number. The anchor has AGATAA **twice**, at positions 8 and 46, and CAGCTG once, at position 28.

# %%
SITES = ("AGATAA", "CAGCTG")
FILTERS = jnp.stack([jnp.eye(4)[jme.DNA.encode(site)].T for site in SITES])


def features(one_hot):
    """Return how well the best window matches each site: about 0 for up to 4 of 6 letters, 2 for 5 and 6 for 6."""
    matches = jax.lax.conv(one_hot.T[None], FILTERS, (1,), "VALID")[0]
    return jax.nn.softplus(4 * (matches - 4.5)).max(1)


anchor = "CCTCGTCCAGATAACTGTCCGCCTGGTCCAGCTGGCCTTCGTGCCTAGATAAGCCGTCCT"
ensemble = jme.Ensemble.create(features, anchor, beta=2.0)

# %% [markdown]
# ## The logo is flat, and the run says why
#
# `run.mobility` compares the energy of the shifted anchor with that of other sequences. It is near 0 here: shifting the
# sequence changes nothing.

# %%
enough = jme.Precision(rhat=1.05, ess=100, steps=STEPS)
run = jme.sample(jax.random.key(0), ensemble, until=enough, chains=CHAINS, burn_in=STEPS // 10, kmers=6, store_every=50)
print(run.outcomes[0])
print(run.mobility_outcomes[0])
profile = analysis.profile(run)
logo = plot.logo(
    profile.frequencies, standard_error=profile.frequency_errors, anchor=anchor, title="no position is held"
)
plot.show(logo, "pooled_logo.png")

# %% [markdown]
# ## Where are the sites of this sequence?
#
# **Necessity**: redraw one window, hold all others: how far does the sequence move? **Sufficiency**: keep one window,
# redraw all others: how near does it come? Neither needs chains. CAGCTG is needed. Each AGATAA alone can be spared,
# because the other one stands in for it: little necessity, but much sufficiency. Such a site is *redundant*.

# %%
needed = analysis.necessity(ensemble, width=8, draws=64)
enough_alone = analysis.sufficiency(ensemble, width=8, draws=64)
found = analysis.find_sites(needed, enough_alone)
for site in found:
    kind = "redundant" if site.redundant else "needed"
    print(f"{site.start} to {site.stop}: {anchor[site.start : site.stop]}, {kind}")
picture = plot.where(
    needed.positions[0],
    anchor,
    necessity_error=needed.position_errors[0],
    sufficiency=enough_alone.positions[0],
    sufficiency_error=enough_alone.position_errors[0],
    needed=[(site.start, site.stop) for site in found if not site.redundant],
    redundant=[(site.start, site.stop) for site in found if site.redundant],
)
plot.show(picture, "pooled_where.png")

# %% [markdown]
# ## Which motifs do the draws have?
#
# Words of six letters are counted in the draws and, for comparison, at β = 0, where the network has no influence. Words
# that are more frequent than chance allows grow to motifs. `copies` says how many a draw has: the network asks for one
# AGATAA, not for two, though the anchor has two. Both strands are counted together; CAGCTG reads the same on both.

# %%
motifs = analysis.draw_motifs(run)
print(motifs.outcome)
for motif in motifs.motifs:
    copies = f"{motif.copies:.2f} ± {motif.copies_error:.2f} copies per draw, {motif.background_copies:.2f} at β = 0"
    print(f"{motif.consensus}: {copies}; in the anchor at {[site.start for site in motif.anchor_sites]}")
plot.show(plot.draw_motifs(motifs), "pooled_motifs.png")

# %% [markdown]
# `known=read_motifs("jaspar.meme")` names motifs by a database. `analysis.insertion_effects` writes a motif into random
# sequences and measures what the network makes of it.
