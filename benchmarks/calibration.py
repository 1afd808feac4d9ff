"""Are standard errors of the right size? Short runs of small ensembles, against exact answers by enumeration.

    python benchmarks/calibration.py [--runs 20] [--ess 100] [--rhat 1.05] [--steps 20000]
    python benchmarks/calibration.py --only 'needle-*' xor --runs 5
    python benchmarks/calibration.py --degrees 20        # degrees of freedom of the errors, instead of chains − 1

The ensembles are in `enumerated_kinds.py`. Each is sampled with several seeds. For converged runs, the differences from
the exact values are divided by their standard errors: of all letter frequencies at the target, and of ⟨E⟩ and log Z at
the target and at two rungs in the middle. An error that is itself estimated gives a t distribution, so each ratio is
replaced by the quantile z of the normal distribution at the same probability. If the errors are right, then

- the mean square of z is 1,
- its mean (the bias) is 0; of frequencies only the anchor's letters count there, as the letters of a position cancel,
- 95 % of all |z| are at most 1.96.

Fewer degrees of freedom than the errors have make the mean square too small, so the last line takes the ratios as z.

Values of one run hang together, so "±" comes from the spread between runs. Errors that are NaN or infinite give no z;
their share is printed as "NaN". Errors of 0 with a wrong estimate count as not covered; their share is printed as
"zero", and they are left out of mean square and bias. An error of 0 is right if the difference is within the rounding
of single precision; such values are left out.
"""

import argparse
import fnmatch
import sys
import time
from typing import NamedTuple

import jax
import numpy as np
from enumerated_kinds import KINDS, Kind
from numpy.typing import ArrayLike
from scipy import stats

import jaxmaxent as jme

# Differences up to this are rounding, relative to numbers of size 1 and more.
ROUNDING = 1e-6
COVERED = float(stats.norm.isf(0.025))


class Ratios(NamedTuple):
    """Differences from the exact values in standard errors, of one quantity in one run.

    Attributes:
        values: (estimate − exact) / error; NaN if the error is not finite, ±inf if it is 0 and should not be.
        signed: True for the values whose mean is the bias. All arrays have one axis.
    """

    values: np.ndarray
    signed: np.ndarray


class Size(NamedTuple):
    """What is said of the errors of one quantity.

    Attributes:
        square: mean square of z and its standard error.
        bias: mean of z and its standard error.
        covered: share of |z| up to 1.96.
        unknown: share of errors that are NaN.
        zero: share of errors that are 0 although the estimate is wrong.
        values: number of values, those with unknown errors among them.
    """

    square: tuple[float, float]
    bias: tuple[float, float]
    covered: float
    unknown: float
    zero: float
    values: int

    def __str__(self) -> str:
        return (
            f"{self.square[0]:.2f} ± {self.square[1]:.2f}, {self.bias[0]:+.2f} ± {self.bias[1]:.2f}, "
            f"{self.covered:.1%}, {self.unknown:.1%}, {self.zero:.1%}"
        )


def normal_scores(ratios: ArrayLike, degrees: ArrayLike) -> np.ndarray:
    """Return the normal quantiles of ratios that have a t distribution, elementwise; `degrees` may be an array."""
    ratios = np.asarray(ratios, float)
    # NaN and infinity stay what they are.
    return np.sign(ratios) * stats.norm.isf(stats.t.sf(np.abs(ratios), np.asarray(degrees, float)))


def in_errors(estimate: ArrayLike, exact: ArrayLike, error: ArrayLike) -> np.ndarray:
    """Return (estimate − exact) / error, with one axis, without those whose error is 0 and whose estimate is right."""
    estimate, exact, error = (np.atleast_1d(np.asarray(x, float)) for x in (estimate, exact, error))
    difference, error = estimate - exact, np.where(np.isfinite(error), error, np.nan)
    told = (error != 0) | ~(np.abs(difference) <= ROUNDING * np.maximum(1, np.abs(exact)))
    with np.errstate(divide="ignore"):
        return difference[told] / error[told]


def ratios_of(run: jme.Run, kind: Kind) -> dict[str, Ratios]:
    """Return the ratios of a run of one anchor for each quantity."""
    rungs = run.beta.shape[1]
    chosen = sorted({rungs // 3, 2 * rungs // 3, rungs - 1})
    exact = {rung: kind.exact(float(run.beta[0, rung])) for rung in chosen}
    found = {}
    for name, estimates, errors in (
        ("⟨E⟩", run.energy, run.energy_error),
        ("log Z", run.log_z, run.log_z_error),
    ):
        wanted = [exact[rung].energy if name == "⟨E⟩" else exact[rung].log_z for rung in chosen]
        values = in_errors(estimates[0, chosen], wanted, errors[0, chosen])
        found[name] = Ratios(values, np.full(len(values), True))
    values, signed = [], []
    for position in kind.movable:
        for letter in range(len(kind.alphabet)):
            place = 0, -1, position, letter
            wanted = exact[rungs - 1].frequencies[position, letter]
            ratio = in_errors(run.frequencies[place], wanted, run.frequency_errors[place])
            values += [*ratio]
            signed += [letter == kind.anchor[position]] * len(ratio)
    return {"frequencies": Ratios(np.array(values), np.array(signed, bool)), **found}


def size_of(runs: list[Ratios], degrees: ArrayLike) -> Size:
    """Return what the ratios of one quantity in several runs say of its errors."""
    scores = [normal_scores(run.values, degrees) for run in runs]
    everything = np.concatenate([*scores, np.empty(0)])
    known = everything[~np.isnan(everything)]
    return Size(
        mean_over_runs([score[np.isfinite(score)] ** 2 for score in scores]),
        mean_over_runs([z[run.signed & np.isfinite(z)] for z, run in zip(scores, runs, strict=True)]),
        float(np.mean(np.abs(known) <= COVERED)) if len(known) else np.nan,
        float(np.mean(np.isnan(everything))) if len(everything) else np.nan,
        float(np.mean(np.isinf(everything))) if len(everything) else np.nan,
        len(everything),
    )


def mean_over_runs(values: list[np.ndarray]) -> tuple[float, float]:
    """Return the mean of all values and its standard error, from the spread between runs of any sizes."""
    sums, sizes = np.array([x.sum() for x in values]), np.array([len(x) for x in values])
    if not sizes.sum():
        return np.nan, np.nan
    mean, runs = sums.sum() / sizes.sum(), int((sizes > 0).sum())
    # The error of a ratio of sums; one run says nothing of it.
    spread = np.sum((sums - mean * sizes) ** 2) * runs / (runs - 1) if runs > 1 else np.nan
    return float(mean), float(np.sqrt(spread) / sizes.sum())


def sampled(kind: Kind, seed: int, options: argparse.Namespace) -> jme.Run:
    until = jme.Precision(rhat=options.rhat, ess=options.ess, steps=options.steps)
    return jme.sample(jax.random.key(seed), kind.ensemble(), chains=options.chains, until=until, progress=False)


def row(kind: Kind, options: argparse.Namespace) -> list[dict[str, Ratios]]:
    """Sample one kind with every seed, print what its errors are like, and return the ratios of converged runs."""
    began = time.perf_counter()
    runs = [sampled(kind, options.seed + i, options) for i in range(options.runs)]
    found = [ratios_of(run, kind) for run in runs if run.converged[0]]
    took = time.perf_counter() - began
    print(f"{kind.name} | {len(found)} of {len(runs)} | {sizes(found, options.degrees)} | {took:.0f}", flush=True)
    return found


def sizes(found: list[dict[str, Ratios]], degrees: ArrayLike) -> str:
    """Return the cells of a row: what the errors of each quantity are like."""
    quantities = "frequencies", "⟨E⟩", "log Z"
    return " | ".join(str(size_of([run[name] for run in found], degrees)) for name in quantities)


def chosen(patterns: list[str] | None) -> list[Kind]:
    """Return the kinds whose names match a pattern; end the program if a pattern matches none."""
    for pattern in patterns or []:
        if not fnmatch.filter([kind.name for kind in KINDS], pattern):
            sys.exit(f"--only must be names of kinds or patterns such as 'needle-*', got {pattern!r}")
    return [kind for kind in KINDS if not patterns or any(fnmatch.fnmatch(kind.name, p) for p in patterns)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="runs of each kind (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run (default %(default)s)")
    parser.add_argument("--only", metavar="NAME", nargs="+", help="only these kinds; * stands for anything")
    parser.add_argument("--chains", type=int, default=8, help="(default %(default)s)")
    parser.add_argument("--ess", type=float, default=100.0, help="wanted effective sample size (default %(default)s)")
    parser.add_argument("--rhat", type=float, default=1.05, help="wanted R-hat (default %(default)s)")
    parser.add_argument("--steps", type=int, default=20_000, help="give up after this many (default %(default)s)")
    parser.add_argument("--degrees", type=float, help="degrees of freedom of the errors (default: chains − 1)")
    options = parser.parse_args()
    if options.degrees is None:
        if options.chains < 2:
            parser.error("--degrees must be given for a single chain")
        options.degrees = options.chains - 1
    print("kind | converged | frequencies: mean square, bias, covered by 95 %, NaN, zero | ⟨E⟩ | log Z | seconds")
    found, kinds = [], chosen(options.only)
    for kind in kinds:
        found += row(kind, options)
    for degrees in (options.degrees, np.inf):
        print(f"all, {degrees:g} degrees | {len(found)} of {len(kinds) * options.runs} | {sizes(found, degrees)} |")


if __name__ == "__main__":
    main()
