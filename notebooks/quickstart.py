# ---
# jupyter:
#   jupytext:
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
# A network is trained to tell sequences with a CTCF site from their shuffles. Then jaxmaxent draws the sequences that
# the network treats as equal to one of them, by parallel tempering. The features that all draws share are those that
# the network has learned. Two cores need about a minute; a GPU or TPU is used if there is one.

# %%
try:
    import jaxmaxent as jme
except ImportError:  # for example on Colab
    import subprocess
    import sys

    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "jaxmaxent[plot]"], check=True)
    import jaxmaxent as jme

# %%
import jax
import numpy as np

from jaxmaxent import models, plot
from jaxmaxent.data import ctcf_example

SEQUENCES, EPOCHS, STEPS = 3000, 8, 20000

# %% [markdown]
# ## Sequences and a network

# %%
example = ctcf_example(np.random.default_rng(0), SEQUENCES)
trained = models.train(
    jax.random.key(0), models.ConvArchitecture(), example.tokens, np.asarray(example.labels), epochs=EPOCHS
)
print(f"validation AUROC {trained.history[trained.best_epoch].validation_auroc:.3f}")

# %% [markdown]
# ## Draws around one sequence, at two resolutions
#
# The larger β is, the closer to the anchor the network must place a draw. Another β does not compile again. A run ends
# when its numbers can be trusted, and says so; here a rough precision is enough.

# %%
ensemble = jme.Ensemble.create(models.representation(trained.network), example.tokens[0], beta=10.0)
anchor = jme.DNA.decode(example.tokens[0])
for beta in (10.0, 40.0):
    enough = jme.Precision(rhat=1.05, ess=100, steps=STEPS)
    run = jme.sample(jax.random.key(1), ensemble.with_beta(beta), until=enough, burn_in=STEPS // 10)
    profile = jme.analysis.profile(run)
    logo = plot.logo(profile.frequencies, standard_error=profile.frequency_errors, anchor=anchor, title=f"β = {beta:g}")
    plot.show(logo, f"quickstart_beta_{beta:g}.png")
    print(f"β = {beta:g}: ⟨E⟩ = {run.energy[0, -1]:.3f} ± {run.energy_error[0, -1]:.3f}, {profile.consensus}")
    print(run.outcomes[0])

# %% [markdown]
# ## The chemical potential of a wanted GC content
#
# At β = 0 it would be log(0.41 / 0.59) = −0.364. The network shifts it.

# %%
solved = jme.analysis.solve_chemical_potential(jax.random.key(2), ensemble, 0.41, steps=500, tolerance=0.05)
print(f"μ = {solved.mu[0]:.3f} ± {solved.standard_error[0]:.3f}: {solved.outcomes[0]}")
