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
# # A rule that no single letter shows
#
# Networks learn to tell dinucleotides apart by an exclusive or: in class 1, exactly one of "the first letter is A or T"
# and "the second letter is G" holds. Every network gets all 16 right. Do methods that explain networks agree about
# these, and do they find the rule? There are only 16 inputs, so the maximum entropy distribution is known exactly, and
# the draws can be checked against it. Two cores need about a minute.

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
import itertools
import textwrap

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import jaxmaxent as jme
from jaxmaxent import attribution, models, plot

NETWORKS, SEQUENCES, EPOCHS, CHAINS, STEPS = 8, 2000, 60, 128, 2000

# %% [markdown]
# ## Networks without an error
#
# Each network is trained on its own sequences of independent letters: A and T with a probability of 0.3, C and G with
# 0.2. Only networks with the fewest errors on the 16 dinucleotides are kept; with these settings none makes an error.

# %%
PAIRS = np.array([[first, second] for first in range(4) for second in range(4)])
NAMES = [jme.DNA.decode(pair) for pair in PAIRS]
ONE_HOT = np.eye(4)[PAIRS]
ARCHITECTURE = models.MLPArchitecture(length=2, hidden=(16, 16))


def rule(tokens):
    return np.isin(tokens[:, 0], (0, 3)) ^ (tokens[:, 1] == 2)


def trained(seed):
    tokens = np.random.default_rng(seed).choice(4, (SEQUENCES, 2), p=(0.3, 0.2, 0.2, 0.3))
    settings = {"epochs": EPOCHS, "learning_rate": 0.02, "weight_decay": 0.0, "patience": EPOCHS, "progress": False}
    return models.train(jax.random.key(seed), ARCHITECTURE, tokens, rule(tokens).astype(int), **settings).network


networks = [trained(seed) for seed in range(NETWORKS)]
accuracies = [(models.predict(network, PAIRS).argmax(1) == rule(PAIRS)).mean() for network in networks]
networks = [network for network, accuracy in zip(networks, accuracies, strict=True) if accuracy == max(accuracies)]
print(f"{len(networks)} networks with an accuracy of {max(accuracies):.3f} on the 16 dinucleotides")

# %% [markdown]
# ## Draws, and their exact distribution
#
# All 16 dinucleotides are anchors. p(x) is exp(−β E(x)) over its sum, where E is the distance from the anchor in the
# network's last hidden layer, each unit scaled by its weight for the log-ratio of the classes. β is chosen for each
# anchor by its single mutants. For 16 sequences a few lines of NumPy compute this, independently of the sampler.


# %%
def enumerated(network, beta):
    representation = models.representation(network)
    phi = np.array([representation.features(representation.params, one_hot) for one_hot in ONE_HOT], float)
    w = np.asarray(representation.head[:, 1] - representation.head[:, 0], float)
    energies = np.sqrt(np.square(w * (phi[None] - phi[:, None])).sum(-1))
    weights = np.exp(-np.asarray(beta, float)[:, None] * energies)
    return weights / weights.sum(1, keepdims=True)


def sampled(network, seed):
    ensemble = jme.Ensemble.create(models.representation(network), PAIRS, beta=1.0)
    ensemble = ensemble.with_beta(jme.analysis.auto_beta(ensemble).beta)
    settings = {"ladder": None, "chains": CHAINS, "steps": STEPS, "store_every": 5, "progress": False}
    run = jme.sample(jax.random.key(seed), ensemble, **settings)
    pairs = [jme.analysis.pair_frequencies(run, anchor=anchor) for anchor in range(16)]
    frequencies, errors = (np.stack([found[k][0, 1].ravel() for found in pairs]) for k in range(2))
    return frequencies, errors, enumerated(network, ensemble.beta)


draws, errors, exact = (np.stack(rows) for rows in zip(*map(sampled, networks, itertools.count()), strict=True))
z = (draws - exact) / errors
z = z[errors > 0]  # a pair that was never drawn has no error
print(f"{z.size} pair frequencies: {np.mean(np.abs(z) <= 2):.1%} within 2 standard errors of the exact ones")


# %%
def panels(width, height, **grid):
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(squeeze=False, **grid)


figure, axes = panels(4.2, 3.8)
axes[0, 0].plot([1e-4, 1], [1e-4, 1], color="0.7", linewidth=1)
axes[0, 0].loglog(exact.ravel(), draws.ravel(), ".", markersize=3, alpha=0.5)
axes[0, 0].set(xlabel="p by enumeration", ylabel="frequency among the draws", xlim=(1e-4, 1), ylim=(1e-4, 1))
axes[0, 0].set_title(f"16 sequences around 16 anchors, {len(networks)} networks", loc="left", fontsize=9)
plot.show(figure, "xor_exact.png")

# %% [markdown]
# ## Maps of the methods
#
# Saliency, integrated gradients, DeepLIFT and mutagenesis give a number to a letter at a position: here, the change of
# the log-ratio of the classes if this letter replaced the anchor's. MaxEnt gives a number to a pair of letters. Columns
# are networks, all for the same anchor. The correct answer is on the left: for MaxEnt the inputs of the anchor's class,
# for the others the letters that change the class.


# %%
def changes(network):
    """Return the change of the log-ratio by each letter in place of the anchor's, shape [16, 2, 4]."""
    asked = models.representation(network), PAIRS
    multipliers = {
        "saliency": attribution.saliency(*asked),
        "integrated\ngradients": attribution.integrated_gradients(*asked) / (ONE_HOT - 0.25),
        "DeepLIFT": attribution.deeplift(*asked) / (ONE_HOT - 0.25),
    }
    found = {name: m - (m * ONE_HOT).sum(-1, keepdims=True) for name, m in multipliers.items()}
    return found | {"mutagenesis": attribution.mutagenesis(*asked)}


rivals = [changes(network) for network in networks]
NAMES_OF_RIVALS = list(rivals[0])
MATES = rule(PAIRS)[:, None] == rule(PAIRS)


def shade(ax, table, rows, largest=None):
    """Draw a table in colors; zero is white, and without `largest` a table has only positive numbers."""
    scale = {"cmap": "Blues", "vmin": 0} if largest is None else {"cmap": "RdBu", "vmin": -largest, "vmax": largest}
    ax.imshow(table, aspect="equal", **scale)
    ax.set_xticks(range(4), "ACGT", fontsize=6)
    ax.set_yticks(range(len(rows)), rows, fontsize=6)
    ax.tick_params(length=0, pad=1)
    for side in ax.spines.values():
        side.set_color("0.8")


def mark(ax, *cells):
    for row, column in cells:
        ax.text(column, row, "×", ha="center", va="center", fontsize=8, color="0.4")


def draw_maps(anchor, shown):
    first, second = PAIRS[anchor]
    figure, axes = panels(1.1 + 0.95 * (shown + 1), 4.1, nrows=5, ncols=shown + 1, height_ratios=(4, 2, 2, 2, 2))
    figure.get_layout_engine().set(h_pad=0.01, w_pad=0.01, hspace=0, wspace=0.02)
    own, sign = ONE_HOT[anchor], 1 if rule(PAIRS[[anchor]])[0] else -1
    flips = np.stack([np.isin(range(4), (0, 3)) != np.isin(first, (0, 3)), (np.arange(4) == 2) != (second == 2)])
    for column in range(shown + 1):
        network = column - 1
        others = np.arange(16) != anchor
        pairs = MATES[anchor] & others if column == 0 else np.where(others, draws[network, anchor], 0)
        shade(axes[0, column], pairs.reshape(4, 4), "ACGT")
        mark(axes[0, column], (first, second))
        axes[0, column].set_title("the rule" if column == 0 else f"network {column}", fontsize=8)
        for ax, name in zip(axes[1:, column], NAMES_OF_RIVALS, strict=True):
            table = -sign * flips if column == 0 else rivals[network][name][anchor]
            shade(ax, table, ("1st", "2nd"), max(np.abs(table).max(), 1e-9))
            mark(ax, *np.argwhere(own))
    for ax, name in zip(axes[:, 0], ["MaxEnt:\npairs drawn", *NAMES_OF_RIVALS], strict=True):
        ax.set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
    words = f"Around {NAMES[anchor]}, class {int(sign > 0)}. Letters in red: towards class 0, blue: towards class 1"
    words = textwrap.fill(f"{words}; ×: the anchor’s own", int(13 * figure.get_figwidth()))
    figure.suptitle(words, x=0.01, ha="left", fontsize=9)
    return figure


for name in ("AC", "CG"):
    plot.show(draw_maps(NAMES.index(name), min(6, len(networks))), f"xor_maps_{name}.png")

# %% [markdown]
# ## Do networks agree, and do the methods find the rule?
#
# Every method gives a score to each of the 15 other inputs. For MaxEnt it is the frequency among the draws; for the
# others it is minus the size of the predicted change, which adds the changes of both letters. Left: the correlation of
# these scores between two networks, mean over anchors, one dot per pair of networks. Right: how well the scores
# separate the inputs of the anchor's class, among those that differ from it in both letters, where the exclusive or
# matters; one dot per network. A sum over letters cannot separate them: perfect knowledge of each single letter gives
# 0.375, the dashed line.


# %%
def added(table):
    return -np.abs(np.einsum("xil,ail->ax", ONE_HOT, table))


def correlation(one, other):
    rows = [(a[np.arange(16) != k], b[np.arange(16) != k]) for k, (a, b) in enumerate(zip(one, other, strict=True))]
    return np.mean([np.corrcoef(a, b)[0, 1] for a, b in rows])


def recovery(scores):
    far = (PAIRS[:, None] != PAIRS[None]).all(-1)
    return np.mean([models.auroc(MATES[a, far[a]].astype(int), scores[a, far[a]]) for a in range(16)])


scores = {"MaxEnt": list(draws)}
scores |= {name: [added(views[name]) for views in rivals] for name in NAMES_OF_RIVALS}
figure, axes = panels(8.6, 2.6, ncols=2, sharey=True)
for row, (name, values) in enumerate(scores.items()):
    agreement = [correlation(*pair) for pair in itertools.combinations(values, 2)]
    found = [recovery(value) for value in values]
    for ax, dots in zip(axes[0], (agreement, found), strict=True):
        ax.plot(dots, np.full(len(dots), row), "o", color="C0" if row == 0 else "0.5", alpha=0.4, markersize=5)
        if dots:
            ax.plot(np.mean(dots), row, "|", color="black", markersize=14)
    words = f"agreement {np.mean(agreement):.2f}, " if agreement else ""
    print(f"{name.replace(chr(10), ' '):22s} {words}rule {np.mean(found):.3f} (least {min(found):.3f})")
axes[0, 0].set_yticks(range(len(scores)), [name.replace("\n", " ") for name in scores])
axes[0, 0].set_ylim(len(scores) - 0.5, -0.5)
axes[0, 0].set(xlabel="correlation between two networks")
axes[0, 1].set(xlabel="AUROC of the anchor’s class, both changed", xlim=(-0.03, 1.03))
axes[0, 1].axvline(0.375, color="0.6", linestyle="--", linewidth=1)
plot.show(figure, "xor_agreement.png")

# %% [markdown]
# The result is the same with 30 networks and the published training sets (`benchmarks/xor.py`): in 27 of them, around
# every one of the 16 anchors, inputs of its class are drawn more often on average than those of the other. Inputs that
# differ in one letter are drawn much more often than those that differ in both. Inputs of the same class are not always
# close in the last hidden layer; the distance depends on the network's architecture and training. Methods that give a
# number to a letter can only say which letters change the class. Those that use gradients differ more from network to
# network than the draws do, mutagenesis hardly at all. With so few inputs, replacing both letters at once answers
# everything. At 101 letters that takes 45,450 evaluations per sequence, and covers pairs only.
