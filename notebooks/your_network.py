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
# # Your own network
#
# `models.from_torch`, `from_keras` and others turn a trained network into a representation, in one line. Here a network
# of PyTorch and one of Keras learn the same small task, and jaxmaxent asks both what they require. Replace them by your
# own: the three lines under *Three lines* are all that is needed.
#
# Two cores need about two minutes.

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

EXTRAS = "plot,torch,keras"
NEEDED = ("jaxmaxent", "arviz_stats", "logomaker", "onnxscript", "keras", "h5py")


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
os.environ["KERAS_BACKEND"] = "jax"  # before Keras is imported; jaxmaxent needs Keras on JAX

import keras
import numpy as np
import torch

import jaxmaxent as jme
from jaxmaxent import analysis, models, plot
from jaxmaxent.data import ctcf_example

SEQUENCES, EPOCHS, STEPS, CHAINS = 2000, 4, 20000, 8 if on_cpu else 64

# %% [markdown]
# ## Two trained networks
#
# Stand-ins for yours. Networks of PyTorch take [batch, letters, length], those of Keras [batch, length, letters];
# jaxmaxent finds out which.

# %%
LENGTH = 41
example = ctcf_example(np.random.default_rng(0), SEQUENCES, LENGTH)
order = np.random.default_rng(1).permutation(2 * SEQUENCES)
one_hot, labels = np.eye(4, dtype=np.float32)[example.tokens[order]], example.labels[order]

torch.manual_seed(0)
torch_network = torch.nn.Sequential(
    torch.nn.Conv1d(4, 16, 15),
    torch.nn.ReLU(),
    torch.nn.Flatten(),
    torch.nn.Linear(16 * (LENGTH - 14), 32),
    torch.nn.ReLU(),
    torch.nn.Linear(32, 1),
)
optimizer = torch.optim.AdamW(torch_network.parameters(), lr=3e-3)
inputs, wanted = torch.tensor(one_hot).transpose(1, 2), torch.tensor(labels, dtype=torch.float32)
for _ in range(EPOCHS):
    for batch in torch.arange(len(wanted)).split(64):
        optimizer.zero_grad()
        outputs = torch_network(inputs[batch])[:, 0]
        torch.nn.functional.binary_cross_entropy_with_logits(outputs, wanted[batch]).backward()
        optimizer.step()

keras.utils.set_random_seed(0)
keras_network = keras.Sequential(
    [
        keras.Input((LENGTH, 4)),
        keras.layers.Conv1D(16, 15, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
keras_network.compile("adam", "binary_crossentropy")
_ = keras_network.fit(one_hot, labels, batch_size=64, epochs=EPOCHS, verbose=0)

# %% [markdown]
# ## Three lines
#
# A representation, an ensemble around one sequence, a run. The adapter compares the outputs with those of the
# framework, and refuses a network that it would get wrong.

# %%
site = example.tokens[0]
runs = {}
for name, network in {
    "PyTorch": models.from_torch(torch_network, length=LENGTH),
    "Keras": models.from_keras(keras_network),
}.items():
    print(network.features)
    ensemble = jme.Ensemble.create(network, site, unit=0, beta=1.0)
    ensemble = ensemble.with_beta(analysis.auto_beta(ensemble).beta)
    enough = jme.Precision(rhat=1.05, ess=100, steps=STEPS)
    runs[name] = jme.sample(jax.random.key(0), ensemble, until=enough, chains=CHAINS, burn_in=STEPS // 10)
    print(f"{name}, β = {runs[name].beta[0, -1]:.3g}: {runs[name].outcomes[0]}")

# %%
logos = plot.logo_grid(
    np.stack([run.frequencies[0, -1] for run in runs.values()]), list(runs), anchors=[jme.DNA.decode(site)] * 2
)
plot.show(logos, "your_network.png")

# %% [markdown]
# ## What to look at first
#
# - `print(network.features)` says which layer and which layout were found. `layer="…"` takes another layer;
#   `models.layers(network)` lists them.
# - `unit=0` is the output unit whose weights count. A network with several outputs needs the one of interest.
# - β was chosen by single-letter mutants here. `analysis.auto_beta(ensemble, key=…)` chooses it by a short run, which
#   is slower and better.
# - `run.mobility_outcomes` says whether the network holds its sites equal wherever they stand. Then the logo is flat,
#   and the notebook `pooled_networks` goes on.

# %%
for name, run in runs.items():
    print(f"{name}: {run.mobility_outcomes[0]}")
