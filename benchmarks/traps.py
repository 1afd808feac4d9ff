"""Verdicts on traps: ensembles whose weight lies where chains from the background hardly arrive, known by counting.

    python benchmarks/traps.py --quick                       # twelve traps that cover every family
    python benchmarks/traps.py [--seeds 3] [--chains 1 8] [--steps 20000]
    python benchmarks/traps.py --only 'two-20-*' graded-20-12-1-0.9
    python benchmarks/traps.py --only motif-20-12-1-0.9 --chains 8 --seed 2     # one run again

The families and their exact answers are in `trap_ensembles.py`. Names hold the family, the length, the motif, the limit
of mismatches (or the energy at the second of two motifs) and the share of the motif at the target.

Converged runs are judged at the target. A run is right if all of this holds:

- energy: ⟨E⟩ is at most 5 standard errors from the exact one;
- far: it is also at most 0.05 from it, however large the error is;
- log Z: it is at most 5 standard errors from the exact one;
- letters: so is the frequency of every letter that tells whether the motif was found.

A difference below the rounding of single precision counts as 0, and an unknown error as 0. A converged run that is not
right is a false convergence. Errors are themselves estimated, so a few differences are beyond 5 of them by chance. The
last line says how many to expect, at most, from errors with (chains − 1) degrees of freedom; those of a single
chain are taken to have one.
"""

import argparse
import fnmatch
import sys
import time
from typing import NamedTuple

import jax
import numpy as np
from scipy import stats
from trap_ensembles import QUICK, TRAPS, Exact, Trap

import jaxmaxent as jme

# Differences of up to this many standard errors are right; energies must also be this near.
ERRORS, NEAR = 5.0, 0.05
# Relative rounding of sums in single precision, for numbers of size 1 and more.
ROUNDING = 1e-6


class Verdict(NamedTuple):
    """The judgement of one run at its target.

    Attributes:
        converged: True if the run says so.
        wrong: names of the conditions that do not hold.
        errors: difference from the exact value in standard errors, of the energy, of log Z, and the largest of letters.
        checks: number of differences that were compared with their errors.
    """

    converged: bool
    wrong: tuple[str, ...]
    errors: tuple[float, float, float]
    checks: int

    @property
    def words(self) -> str:
        """Return what the run says of itself, and whether it is right."""
        judgement = f"wrong ({', '.join(self.wrong)})" if self.wrong else "right"
        return f"{'converged' if self.converged else 'not converged'}, {judgement}"

    @property
    def false(self) -> bool:
        """Return True for a false convergence."""
        return self.converged and bool(self.wrong)


def verdict(run: jme.Run, exact: Exact, watched: np.ndarray) -> Verdict:
    """Compare a run of one anchor with the exact answers; `watched` is the mask of letters, shape [length, 4]."""
    energy = in_errors(run.energy[0, -1], exact.energy, run.energy_error[0, -1])
    log_z = in_errors(run.log_z[0, -1], exact.log_z, run.log_z_error[0, -1])
    letters = in_errors(run.frequencies[0, -1], exact.frequencies, run.frequency_errors[0, -1])[watched].max()
    near = abs(run.energy[0, -1] - exact.energy) <= NEAR
    # Written so that an estimate that is NaN is wrong.
    holds = {"energy": energy <= ERRORS, "far": near, "log Z": log_z <= ERRORS, "letters": letters <= ERRORS}
    wrong = tuple(name for name, right in holds.items() if not right)
    return Verdict(bool(run.converged[0]), wrong, (float(energy), float(log_z), float(letters)), 2 + int(watched.sum()))


def in_errors(estimate, exact, error) -> np.ndarray:
    """Return |estimate − exact| in standard errors: 0 within rounding, infinity if the error is unknown or too 0."""
    difference = np.abs(np.asarray(estimate, float) - exact)
    known = np.where(np.isfinite(error), error, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference <= ROUNDING * np.maximum(1, np.abs(exact)), 0.0, difference / known)


def sampled(trap: Trap, chains: int, seed: int, steps: int) -> jme.Run:
    """Sample with the default options."""
    until = jme.Precision(steps=steps)
    return jme.sample(jax.random.key(seed), trap.ensemble(), chains=chains, until=until, progress=False)


def row(trap: Trap, chains: int, seeds: list[int], steps: int) -> list[tuple[Verdict, str]]:
    """Sample with each seed and print the runs in one row; return each verdict, and its run in words."""
    exact, judged = trap.exact(trap.beta), []
    print(f"{trap.name} | {chains} | {exact.energy:.3f}, {exact.log_z:.2f}", end="", flush=True)
    for seed in seeds:
        began = time.perf_counter()
        run = sampled(trap, chains, seed, steps)
        took = time.perf_counter() - began
        found = verdict(run, exact, trap.watched)
        values = (
            f"{run.energy[0, -1]:.3f} ± {run.energy_error[0, -1]:.2g}, "
            f"{run.log_z[0, -1]:.2f} ± {run.log_z_error[0, -1]:.2g}"
        )
        print(f" | {values}, {found.words}, {run.steps[0]:,} steps, {took:.1f} s", end="", flush=True)
        again = f"--only {trap.name} --chains {chains} --seed {seed} --steps {steps}"
        energy, log_z, letters = found.errors
        off = f"in errors: ⟨E⟩ {energy:.3g}, log Z {log_z:.3g}, letters {letters:.3g}"
        exactly = f"exactly {exact.energy:.3f}, {exact.log_z:.2f}"
        judged.append((found, f"{again}: {values} ({exactly}); {off}; wrong: {', '.join(found.wrong)}"))
    print(flush=True)
    return judged


def summary(judged: list[tuple[Verdict, str, int]], seconds: float) -> str:
    """Return the last lines, from verdicts, runs in words and numbers of chains."""
    false = [(found, words) for found, words, _ in judged if found.false]
    right = sum(found.converged and not found.wrong for found, *_ in judged)
    chance = sum(
        found.checks * 2 * stats.t.sf(ERRORS, max(chains - 1, 1)) for found, _, chains in judged if found.converged
    )
    causes = {name: sum(name in found.wrong for found, _ in false) for name in ("energy", "far", "log Z", "letters")}
    only_far = sum(found.wrong == ("far",) for found, _ in false)
    lines = [f"FALSE {words}" for _, words in false]
    lines.append(
        f"{len(judged)} runs: {len(false)} false convergences, {right} converged and right, "
        f"{sum(not found.converged for found, *_ in judged)} not converged; {seconds:.0f} s"
    )
    counts = ", ".join(f"{name} {number}" for name, number in causes.items())
    lines.append(
        f"wrong in false convergences: {counts} (nothing but far in {only_far}); differences beyond {ERRORS:g} errors "
        f"expected by chance: at most {chance:.2g}"
    )
    return "\n".join(lines)


def chosen(patterns: list[str] | None, quick: bool) -> list[Trap]:
    """Return the traps whose names match a pattern; end the program if a pattern matches none."""
    traps = [trap for trap in TRAPS if not quick or trap.name in QUICK]
    for pattern in patterns or []:
        if not fnmatch.filter([trap.name for trap in traps], pattern):
            sys.exit(f"--only must be names of traps or patterns such as 'two-20-*', got {pattern!r}")
    return [trap for trap in traps if not patterns or any(fnmatch.fnmatch(trap.name, p) for p in patterns)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="twelve traps that cover every family")
    parser.add_argument("--only", metavar="NAME", nargs="+", help="only these traps; * stands for anything")
    parser.add_argument("--list", action="store_true", help="print the names of the traps and their β's, and end")
    parser.add_argument("--seeds", type=int, default=3, help="runs with the seeds 0, 1, … (default %(default)s)")
    parser.add_argument("--seed", type=int, help="one run with this seed instead")
    parser.add_argument("--chains", type=int, nargs="+", default=[8], help="(default 8)")
    parser.add_argument("--steps", type=int, default=20_000, help="give up after this many (default %(default)s)")
    options = parser.parse_args()
    traps = chosen(options.only, options.quick)
    if options.list:
        print("\n".join(f"{trap.name} | β {trap.beta:.3f}" for trap in traps))
        return
    seeds = list(range(options.seeds)) if options.seed is None else [options.seed]
    print("name | chains | exact ⟨E⟩, log Z | for each seed: ⟨E⟩, log Z, verdict, steps, seconds")
    began, judged = time.perf_counter(), []
    for trap in traps:
        for chains in options.chains:
            judged += [(*one, chains) for one in row(trap, chains, seeds, options.steps)]
    print(summary(judged, time.perf_counter() - began))


if __name__ == "__main__":
    main()
