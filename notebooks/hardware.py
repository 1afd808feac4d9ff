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
# # How many chains does this device want?
#
# A GPU or TPU computes thousands of sequences at once; with eight chains most of it is idle. This page doubles the
# number of chains until the device gets no faster, for both ways to evaluate a proposal, and says what to give to
# `sample`. It takes about five minutes. The numbers hold for one network: put yours in the third cell.

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
from flax import nnx
from matplotlib.figure import Figure

import jaxmaxent as jme
from jaxmaxent import models, plot

FIRST, DOUBLINGS, SECONDS = (8, 6, 5) if on_cpu else (64, 12, 5)

# %% [markdown]
# ## The network
#
# Random weights are enough to measure speed. This is the architecture for CTCF of Finnegan & Song: 64 filters of 24
# letters and a dense layer, 101 letters. β is 0, so that all proposals are accepted: the slowest case, because every
# change must be written back.

# %%
LENGTH = 101
network = models.representation(models.ConvArchitecture(length=LENGTH).build(nnx.Rngs(0)))
tokens = np.random.default_rng(0).integers(0, 4, LENGTH)
ensemble = jme.Ensemble.create(network, tokens, beta=0.0)

# %% [markdown]
# ## The sweep
#
# *Full* evaluation runs the whole network for every proposal; *incremental* evaluation recomputes only what one letter
# can change. The sweep ends when two doublings gain less than 5 %, or when memory is full. Compiling is not counted.


# %%
def proposals_per_second(evaluation, chains):
    """Return the proposals per second of so many chains, None if they do not fit into memory."""
    limit = jme.Precision(rhat=1.0001, ess=1e9, steps=10**8, seconds=SECONDS)
    settings = {"ladder": None, "burn_in": 0, "evaluation": evaluation, "progress": False}
    try:
        return jme.sample(jax.random.key(0), ensemble, chains=chains, until=limit, **settings).proposals_per_second
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        print(f"{evaluation}, {chains:,} chains: {str(error).splitlines()[0]}")
        return None


rates = {"full": {}, "incremental": {}}
for evaluation, measured in rates.items():
    in_vain = 0
    for chains in (FIRST * 2**k for k in range(DOUBLINGS + 1)):
        best = max(measured.values(), default=0)
        rate = proposals_per_second(evaluation, chains)
        if rate is None:
            break
        measured[chains] = rate
        print(f"{evaluation:12s} {chains:8,} chains {rate:14,.0f} proposals/s")
        in_vain = in_vain + 1 if rate < 1.05 * best else 0
        if in_vain == 2:
            break

# %% [markdown]
# ## What to give to `sample`
#
# The fewest chains that reach 90 % of the best speed. With parallel tempering each chain has about 14 rungs and 8
# replicas at the target, which the device computes together, so `chains=` may be 20 times smaller.

# %%
best = {evaluation: max(measured.values()) for evaluation, measured in rates.items() if measured}
faster = max(best, key=best.get)
wanted = min(chains for chains, rate in rates[faster].items() if rate >= 0.9 * best[faster])
print(f"{jax.devices()[0].device_kind}: {faster} evaluation, {best[faster]:,.0f} proposals/s from {wanted:,} chains on")
print(f"with parallel tempering: chains={max(8, wanted // 20)}")

figure = Figure(figsize=(6, 3.2), layout="constrained")
axes = figure.subplots()
for evaluation, measured in rates.items():
    axes.plot(list(measured), [rate / 1000 for rate in measured.values()], "o-", label=evaluation)
axes.set_xscale("log", base=2)
axes.set(xlabel="chains", ylabel="thousands of proposals per second", ylim=(0, None))
axes.set_title(jax.devices()[0].device_kind)
axes.legend()
plot.show(figure, "hardware.png")

# %% [markdown]
# ## Are its numbers exact enough?
#
# Matrix products of accelerators may be rough. `run.energy_noise` is β times the noise of the energy; it is measured at
# the start of each run, which warns above 0.1.

# %%
run = jme.sample(jax.random.key(1), ensemble.with_beta(30.0), ladder=None, chains=8, steps=100, progress=False)
print(f"β × noise of E = {run.energy_noise[0]:.1e} at β = 30, {run.evaluation} evaluation")
