"""Compare two estimates of frequencies: every draw counts at every rung, or each draw counts at its own rung.

    JAXMAXENT_DATA=... python benchmarks/all_rungs.py --model MODEL [--anchor 0] [--beta 100]

A draw x of any rung counts at rung k with the weight exp(−β_k E(x)) / Z_k, divided by the mean of this number over all
rungs (Shirts & Chodera, J. Chem. Phys. 129, 2008; a first run fixes log Z, so that counts could be streamed). Both
estimates are made from each chain of one run, and their variances between the chains are compared.
"""

import argparse
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measure import data_folder

import jaxmaxent as jme
from jaxmaxent import models
from jaxmaxent.data import read_one_hot


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--anchor", type=int, default=0)
    parser.add_argument("--beta", type=float, default=100.0)
    parser.add_argument("--chains", type=int, default=16)
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    anchors = data_folder("ctcf") / "published_anchors_gcat.npy"
    tokens = read_one_hot(anchors, "GCAT").tokens[options.anchor]
    ensemble = jme.Ensemble.create(models.representation(models.load(options.model)), tokens, beta=options.beta)
    settings: dict[str, Any] = {"chains": options.chains, "anchor_chains": 0, "progress": False}
    first = jme.sample(jax.random.key(options.seed + 1), ensemble, steps=options.steps // 3, **settings)
    run = jme.sample(
        jax.random.key(options.seed), ensemble, ladder=first.beta, steps=options.steps, store_every=20, **settings
    )
    assert run.draws is not None
    draws = np.moveaxis(run.draws[0], 2, 0)  # [chains, rungs, draws, length]
    energies = energies_of(ensemble, draws)
    own = np.stack([(draws == a).mean(2) for a in range(4)], axis=-1)
    every = counted_at_all(draws, energies, run.beta[0], first.log_z[0])
    report(own, every, run.beta[0])


def energies_of(ensemble: jme.Ensemble, draws: np.ndarray) -> np.ndarray:
    """Return the energies [chains, rungs, draws] of draws [chains, rungs, draws, length]."""
    flat = jnp.asarray(draws.reshape(-1, draws.shape[-1]), jnp.int32)
    found = jax.jit(lambda rows: jax.lax.map(ensemble.energy, rows, batch_size=512))(flat)
    return np.asarray(found, np.float64).reshape(draws.shape[:-1])


def counted_at_all(draws: np.ndarray, energies: np.ndarray, betas: np.ndarray, log_z: np.ndarray) -> np.ndarray:
    """Estimate each chain's frequencies at every rung from its draws at all rungs, [chains, rungs, length, letters]."""
    log_p = -betas * energies[..., None] - log_z  # of every draw at every rung
    log_p -= log_p.max(-1, keepdims=True)
    weights = np.exp(log_p)
    weights /= weights.sum(-1, keepdims=True)
    total = weights.sum((1, 2))
    counts = [np.einsum("crdk,crdl->ckl", weights, draws == a, optimize=True) for a in range(4)]
    return np.stack(counts, axis=-1) / total[:, :, None, None]


def report(own: np.ndarray, every: np.ndarray, betas: np.ndarray) -> None:
    """Print the variances between chains side by side."""
    print("β       letters  variance of the mean, all rungs / own rung: median, slowest tenth   furthest apart (s.e.)")
    variances = own.var(0, ddof=1), every.var(0, ddof=1)
    bound = own.mean(0) * (1 - own.mean(0))
    apart = (every.mean(0) - own.mean(0)) / np.sqrt((variances[0] + variances[1]) / len(own))
    for k, beta in enumerate(betas):
        common = bound[k] > 0.02
        mine, theirs = variances[0][k][common], variances[1][k][common]
        slow = mine / bound[k][common]
        slow = slow >= np.quantile(slow, 0.9)
        print(
            f"{beta:7.2f} {common.sum():7d} {np.median(theirs / mine):12.2f} "
            f"{theirs[slow].sum() / mine[slow].sum():12.2f} {np.abs(apart[k][common]).max():45.1f}"
        )


if __name__ == "__main__":
    main()
