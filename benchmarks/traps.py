"""Test the verdicts on traps: ensembles with most of their weight where chains from the background never arrive.

    python benchmarks/traps.py [--seeds 10] [--chains 1 2 8] [--steps 20000]

A motif of k letters stands at the start of the anchor, and the other positions are free. E is the number of mismatches
with the motif, at most `most`, divided by `most`. In the graded traps the number of G's behind the motif also has a
small weight. There are C(k, j) 3^j 4^(L − k) sequences with j mismatches, so ⟨E⟩ and log Z are known. A run is wrong
if it is reported as converged and its mean energy is more than 5 standard errors from the exact one.
"""

import argparse
import math
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import root_scalar

import jaxmaxent as jme

LENGTH = 20
# The weight of the share of G's behind the motif in the features of a graded trap.
GRADE = 0.5


class Trap(NamedTuple):
    """A motif of `motif` letters, with mismatches counted up to `most`, that holds this share of the weight."""

    motif: int
    most: int
    share: float
    graded: bool = False

    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the energies and the log numbers of sequences that have them, [mismatches, G's behind the motif]."""
        rest = LENGTH - self.motif
        j, g = np.arange(self.motif + 1), np.arange(rest + 1)
        own = int((anchor()[self.motif :] == 2).sum())
        grade = GRADE * (g - own) / max(rest, 1) if self.graded else np.zeros(len(g))
        energies = np.hypot(np.minimum(j, self.most)[:, None] / self.most, grade[None])
        mismatches = [math.log(math.comb(self.motif, i)) + i * math.log(3) for i in j]
        behind = [math.log(math.comb(rest, i)) + (rest - i) * math.log(3) for i in g]
        return energies, np.add.outer(mismatches, behind)

    def exact(self, beta: float) -> tuple[float, float, float]:
        """Return the share of the motif, ⟨E⟩ and log Z at β."""
        energies, numbers = self.levels()
        log_weights = numbers - beta * energies
        log_z = float(np.logaddexp.reduce(log_weights.ravel()))
        p = np.exp(log_weights - log_z)
        return float(p[0].sum()), float((p * energies).sum()), log_z

    def beta(self) -> float:
        """Return the β at which the motif holds its share."""
        return float(root_scalar(lambda beta: self.exact(beta)[0] - self.share, bracket=(0.1, 100)).root)

    def ensemble(self) -> jme.Ensemble:
        """Return the ensemble at that β."""
        place = np.arange(LENGTH) < self.motif
        pattern, behind = np.eye(4)[anchor()] * place[:, None], np.eye(4)[[2]] * ~place[:, None]
        scale = GRADE / max(LENGTH - self.motif, 1) if self.graded else 0.0
        params = tuple(jnp.asarray(x, jnp.float32) for x in (pattern, behind * scale, self.most))
        return jme.Ensemble.create(jme.Representation(features, params), anchor(), beta=self.beta())


def anchor() -> np.ndarray:
    return np.resize([0, 1, 2, 3], LENGTH)


def features(params, one_hot):
    pattern, behind, most = params
    mismatches = jnp.minimum(jnp.sum(pattern) - jnp.sum(pattern * one_hot), most)
    return jnp.stack([mismatches / most, jnp.sum(behind * one_hot)])


TRAPS = [
    *(Trap(motif, 1, 0.9) for motif in (8, 10, 12, 14, 16)),
    Trap(12, 1, 0.999), Trap(20, 1, 0.4), Trap(12, 2, 0.9), Trap(14, 2, 0.9), Trap(12, 3, 0.9), Trap(16, 3, 0.9),
    *(Trap(12, 1, share, graded=True) for share in (0.9, 0.3, 0.05, 0.02, 0.005, 1e-3, 1e-4)),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--chains", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--steps", type=int, default=20_000, help="give up after this many (default %(default)s)")
    options = parser.parse_args()
    print("motif, at most, share | chains | exact ⟨E⟩, log Z | first seed: ⟨E⟩, log Z | converged | wrong | s per run")
    for trap in TRAPS:
        _, energy, log_z = trap.exact(trap.beta())
        what = f"{trap.motif}, {trap.most}, {trap.share:g}{' graded' if trap.graded else ''}"
        for chains in options.chains:
            began = time.perf_counter()
            runs = [sampled(trap, chains, seed, options.steps) for seed in range(options.seeds)]
            took = (time.perf_counter() - began) / len(runs)
            converged = [run.converged[0] for run in runs]
            off = [abs(run.energy[0, -1] - energy) > 5 * run.energy_error[0, -1] for run in runs]
            first = f"{runs[0].energy[0, -1]:.3f}, {runs[0].log_z[0, -1]:.2f} ± {runs[0].log_z_error[0, -1]:.1g}"
            print(
                f"{what} | {chains} | {energy:.3f}, {log_z:.2f} | {first} | {sum(converged)} of {len(runs)} | "
                f"{sum(np.logical_and(converged, off))} | {took:.1f}",
                flush=True,
            )


def sampled(trap: Trap, chains: int, seed: int, steps: int) -> jme.Run:
    """Sample with the default options."""
    until = jme.Precision(steps=steps)
    return jme.sample(jax.random.key(seed), trap.ensemble(), chains=chains, until=until, progress=False)


if __name__ == "__main__":
    main()
