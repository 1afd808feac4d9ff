"""The chemical potential μ that gives a wanted composition, by bisection on noisy averages.

At β = 0 letters are independent and μ = logit(GC). At β > 0 the network shifts the composition, so μ is solved for
under the full ensemble. ⟨N⟩ grows with μ, d⟨N⟩/dμ = Var N ≥ 0, so the sign of target − ⟨N⟩/L at one μ says on which
side the answer lies. Averages are noisy: a side is only chosen when the estimate is further from the target than
its own noise, and otherwise the chains run on for twice as long.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from tqdm.auto import tqdm

from jaxmaxent import background, checks
from jaxmaxent.ensemble import Ensemble
from jaxmaxent.fields import composition
from jaxmaxent.run import sample
from jaxmaxent.store import Run

# A side is chosen at this many standard errors: with some ten decisions a solve, a wrong one in a few hundred solves.
_DECISIVE = 3.5
# Bisection from a bracket of 2 to a fortieth of the usual tolerance takes a dozen looks.
_MOST_LOOKS = 60
# μ further than this from its value at β = 0 (a factor of e^15 for every letter) is no attainable answer.
_FURTHEST = 15.0
# The fresh run must agree with the target within this many of its own and the solution's standard errors.
_AGREES = 4.0
# And its own error, in terms of μ, be no more than so many times that of the solution or the tolerance.
_AS_SURE = 3.0


class Trial(NamedTuple):
    """One look at one μ: the mean fraction seen there, its standard error, and what was concluded."""

    mu: float
    fraction: float
    standard_error: float
    verdict: str  # "below" or "above" the target, or "undecided"


@dataclasses.dataclass(frozen=True)
class ChemicalPotential:
    """The answer of `solve_chemical_potential`, an entry an anchor.

    Attributes:
        mu: μ at which the mean fraction is the target, NaN where none was found; shape [anchors].
        standard_error: its standard error (0 at β = 0, where it is exact); shape [anchors].
        fraction: mean fraction at `mu` in a fresh run from the background; shape [anchors].
        fraction_error: its standard error; shape [anchors].
        reached: whether `mu` is an answer; shape [anchors].
        outcomes: what happened, a sentence an anchor.
        trials: every μ looked at, in order, a tuple an anchor.
        target: the fraction asked for.
        field: name of the field solved for.
    """

    mu: Float[np.ndarray, " anchors"]
    standard_error: Float[np.ndarray, " anchors"]
    fraction: Float[np.ndarray, " anchors"]
    fraction_error: Float[np.ndarray, " anchors"]
    reached: np.ndarray
    outcomes: tuple[str, ...]
    trials: tuple[tuple[Trial, ...], ...]
    target: float
    field: str


def solve_chemical_potential(
    key: Key[Array, ""],
    ensemble: Ensemble,
    target: float,
    *,
    field: str = "GC",
    tolerance: float = 0.02,
    chains: int = 256,
    steps: int = 1000,
    max_steps: int = 64_000,
    burn_in: int | None = None,
    progress: bool = True,
) -> ChemicalPotential:
    """Find the μ of a composition field at which its mean fraction ⟨N⟩ / length under the ensemble is `target`.

    All anchors are solved side by side, each for its own μ, in one compiled program. Chains go on from one μ to
    the next. The last step is the linear one, μ + (target − ⟨N⟩/L) / (Var N / L), whose error is that of ⟨N⟩; a
    fresh run from the background then has to agree.

    Args:
        key: a typed key, `jax.random.key(seed)`.
        ensemble: one anchor or several. If it has no field called `field`, one is added; other fields stay.
        target: wanted mean fraction, between 0 and 1.
        field: letters of the composition, for example "GC".
        tolerance: wanted standard error of μ.
        chains: chains of each anchor, at least 2.
        steps: proposals of each chain that count for a first look at a μ.
        max_steps: no look takes more steps than this.
        burn_in: proposals of each chain before those that count, a multiple of 10; as many as count if None.
        progress: show a progress bar.

    Raises:
        ValueError: for bad input, naming the argument.
    """
    key = checks.typed_key(key)
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    target = checks.number("target", target, above=0, below=1)
    tolerance = checks.number("tolerance", tolerance, above=0)
    chains = checks.integer("chains", chains, at_least=2)
    steps = checks.integer("steps", steps, at_least=10) // 10 * 10
    max_steps = checks.integer("max_steps", max_steps, at_least=steps)
    batch, index = _with_field(ensemble.batched(), field)
    exact = _exact_at_zero_beta(batch, index, target)
    searches = [
        _Search(target, tolerance, float(mu), steps, max_steps, chains, exact=float(beta) == 0)
        for mu, beta in zip(exact, np.asarray(batch.beta), strict=True)
    ]
    key_search, key_check = jax.random.split(key)
    with tqdm(desc="solving for μ", unit="look", disable=not progress) as bar:
        run: Run | str = "background"
        look, longest = 0, steps
        while not all(search.done for search in searches):
            size = max(search.steps for search in searches if not search.done)
            # A search that has failed has no μ; its anchor runs along at 0 until the others are done.
            at = batch.with_mu(np.nan_to_num([search.mu for search in searches]), index)
            before = size if burn_in is None else burn_in
            key_look = jax.random.fold_in(key_search, look)
            run = sample(
                key_look, at, ladder=None, chains=chains, steps=size, burn_in=before, start=run, progress=False
            )
            for search, (fraction, error, slope) in zip(searches, _estimates(run, index), strict=True):
                search.look(fraction, error, slope, size)
            look, longest = look + 1, max(longest, size)
            bar.update()
            bar.set_postfix(open=sum(not search.done for search in searches))
    return _verified(key_check, batch, index, searches, chains, 2 * longest, max(2 * longest, burn_in or 0), field)


class _Search:
    """Bisection for one anchor."""

    def __init__(
        self, target: float, tolerance: float, mu: float, steps: int, max_steps: int, chains: int, *, exact: bool
    ) -> None:
        self.target, self.tolerance, self.exact = target, tolerance, exact
        self._decisive = _students(_DECISIVE, chains)
        self.slope = 0.0
        self.first_mu = self.mu = mu
        self.steps = self._first_steps = steps
        self._max_steps = max_steps
        self._below, self._above = -math.inf, math.inf
        self._stride = 0.0
        self.trials: list[Trial] = []
        self.standard_error = 0.0
        self.outcome = ""
        if math.isnan(mu):
            self._fail(f"a mean of {target:g} is not attainable with the positions that are fixed")
        elif exact:
            self.outcome = "exact, as letters do not depend on the network at β = 0"

    @property
    def done(self) -> bool:
        """Whether there is nothing more to look at."""
        return bool(self.outcome)

    def look(self, fraction: float, error: float, slope: float, steps: int) -> None:
        """Take in the mean fraction seen at `self.mu`, its standard error and its slope in μ."""
        if self.done:
            return
        gap = self.target - fraction
        # Not `<=`: an unknown error (NaN, of chains that never moved) decides nothing.
        verdict = "undecided" if not abs(gap) > self._decisive * error else "below" if gap > 0 else "above"
        self.trials.append(Trial(self.mu, fraction, error, verdict))
        if verdict != "undecided":
            self._narrow(verdict, abs(gap) / slope if slope > 0 else 1.0)
        elif slope > 0 and error / slope <= self.tolerance:
            self.mu += gap / slope
            self.standard_error, self.slope = error / slope, slope
            self.outcome = f"solved to a standard error of {self.standard_error:.2g}"
        elif 2 * steps <= self._max_steps:
            self.steps = 2 * steps
        else:
            known = f"{error / slope:.2g}" if slope > 0 else "unknown"
            self._fail(
                f"the standard error of μ is still {known} after {steps} steps, above the wanted {self.tolerance:g}"
            )

    def _narrow(self, verdict: str, distance: float) -> None:
        """Go to the middle of the bracket, or further out where it has no other end yet."""
        if verdict == "below":
            self._below = max(self._below, self.mu)
        else:
            self._above = min(self._above, self.mu)
        self.steps = self._first_steps
        if len(self.trials) >= _MOST_LOOKS:
            self._fail(f"no answer after {_MOST_LOOKS} looks, so the chains do not mix at this β")
            return
        width = self._above - self._below
        if math.isfinite(width):
            if width > self.tolerance / 4:
                self.mu = (self._below + self._above) / 2
                return
            # Too narrow to be right while the gap is still decisive: the other end was chosen wrongly. Give it up.
            self._below, self._above = (self.mu, math.inf) if verdict == "below" else (-math.inf, self.mu)
            self._stride = width
        # Half as far again as the slope suggests, so that the answer is probably passed; never less than twice before.
        self._stride = max(2 * self._stride, min(1.5 * distance, 2.0), 0.05)
        self.mu += self._stride if verdict == "below" else -self._stride
        if abs(self.mu - self.first_mu) > _FURTHEST:
            side = "below" if verdict == "below" else "above"
            self._fail(f"the mean stays {side} {self.target:g} as far as μ = {self.trials[-1].mu:.1f}")

    def _fail(self, why: str) -> None:
        self.outcome = f"not reached: {why}"
        self.mu = self.standard_error = math.nan


def _students(deviations: float, chains: int) -> float:
    """As unlikely under Student's t for the spread of so many chains as `deviations` under the normal."""
    from scipy import stats  # slow to import, and it changes warning filters

    return float(stats.t.isf(stats.norm.sf(deviations), chains - 1))


def _with_field(ensemble: Ensemble, name: str) -> tuple[Ensemble, int]:
    """The ensemble with a field of this name, and its index."""
    names = [field.name for field in ensemble.fields]
    if name in names and ensemble.fields[names.index(name)].pair is not None:
        raise ValueError(f"field must be a composition, but the ensemble's field {name!r} counts pairs")
    if name not in names:
        added = composition(name, alphabet=ensemble.alphabet)
        added = added.replace(mu=jnp.zeros_like(ensemble.beta))  # pyright: ignore[reportAttributeAccessIssue]
        ensemble = ensemble.replace(fields=(*ensemble.fields, added))  # pyright: ignore[reportAttributeAccessIssue]
        names.append(name)
    return ensemble, names.index(name)


def _exact_at_zero_beta(ensemble: Ensemble, index: int, target: float) -> np.ndarray:
    """The μ of every anchor at β = 0, NaN where the fixed positions leave none; shape [anchors]."""

    def fractions(mu: np.ndarray) -> np.ndarray:
        return np.asarray(_background_fractions(ensemble.with_mu(mu, index), index))

    low = np.full(ensemble.anchors, -40.0)
    high = -low
    attainable = (fractions(low) < target) & (fractions(high) > target)
    for _ in range(60):
        middle = (low + high) / 2
        below = fractions(middle) < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(attainable, (low + high) / 2, np.nan)


@functools.partial(jax.jit, static_argnames=("index",))
def _background_fractions(ensemble: Ensemble, index: int) -> Float[Array, " anchors"]:
    means = jax.vmap(background.mean_counts, in_axes=(ensemble.anchor_axes(),))(ensemble)
    return means[:, index] / ensemble.length


def _estimates(run: Run, index: int) -> np.ndarray:
    """Mean fraction, its standard error and its slope in μ, shape [anchors, 3]."""
    length = run.anchors.shape[1]
    per_site = [run.field_mean, run.field_error, run.field_variance]
    return np.stack([values[:, 0, index] / length for values in per_site], axis=-1)


def _verified(
    key: Array,
    ensemble: Ensemble,
    index: int,
    searches: list[_Search],
    chains: int,
    steps: int,
    burn_in: int,
    field: str,
) -> ChemicalPotential:
    """Look at every answer once more, with chains that know nothing of the search."""
    mu = np.array([search.mu for search in searches])
    at = ensemble.with_mu(np.nan_to_num(mu), index)
    run = sample(key, at, ladder=None, chains=chains, steps=steps, burn_in=burn_in, progress=False)
    fraction, error, _ = _estimates(run, index).T
    outcomes = [
        _objection(search, seen, noise, _students(_AGREES, chains)) or search.outcome
        for search, seen, noise in zip(searches, fraction, error, strict=True)
    ]
    found = np.isfinite(mu)
    reached = np.array([not outcome.startswith("not reached") for outcome in outcomes])
    return ChemicalPotential(
        mu=np.where(reached, mu, np.nan),
        standard_error=np.where(reached, [search.standard_error for search in searches], np.nan),
        fraction=np.where(found, fraction, np.nan),
        fraction_error=np.where(found, error, np.nan),
        reached=reached,
        outcomes=tuple(outcomes),
        trials=tuple(tuple(search.trials) for search in searches),
        target=searches[0].target,
        field=field,
    )


def _objection(search: _Search, seen: float, noise: float, agrees: float) -> str:
    """What a fresh run with the mean `seen` ± `noise` says against the answer of a search; empty if nothing."""
    if search.exact or not math.isfinite(search.mu):
        return ""
    fresh = f"chains started afresh at μ = {search.mu:.4g} have a mean of {seen:.4g} ± {noise:.2g}"
    if not noise <= _AS_SURE * max(search.standard_error, search.tolerance) * search.slope:
        return f"not reached: {fresh}, too unsure to confirm it, so the chains do not mix at this β"
    if abs(seen - search.target) > agrees * math.hypot(noise, search.standard_error * search.slope):
        return f"not reached: {fresh}, not {search.target:g}, so the chains do not mix at this β"
    return ""
