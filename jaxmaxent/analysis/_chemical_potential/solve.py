"""The chemical potential μ that gives a wanted composition, by bisection on noisy averages.

At β = 0 letters are independent and μ = logit(GC). At β > 0 the network shifts the composition, so μ is solved for
under the full ensemble. A look is a run at one μ by replica exchange, whose chains go on from the look before. All
looks together say what the mean is at every μ near them (see `dual`), and a search decides where to look next, or that
it has the answer (see `bracket`). One compiled program serves all of it, and the fresh run that has the last word.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from jaxmaxent import checks, console
from jaxmaxent.analysis._chemical_potential import exact as exact_potential
from jaxmaxent.analysis._chemical_potential.bracket import Search, Trial, unlikely
from jaxmaxent.analysis._chemical_potential.dual import Look
from jaxmaxent.analysis._chemical_potential.wanted import Problem, problem_of
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.results import Run
from jaxmaxent.sampling import Options, prepare, sample

_THIN = 10
# No run is long enough for a smaller error, whose square must be a number.
_FINEST = 1e-12
# Sweeps over the sequence before the first look: after 10, fresh runs on the CTCF network still had too little GC.
_WARM_UP_SWEEPS = 20
# Counts of single states are kept of all states up to so many steps, and thinned beyond.
_LONGEST_LOOK = 5120
# As long as the warm-up of a look that goes on from another μ is, beside its own length.
_SETTLES = 10
# The fresh run must agree with the target within this many of its own and the solution's standard errors.
_AGREES = 4.0
# And its own error, in terms of μ, be no more than so many times that of the solution or the tolerance.
_AS_SURE = 3.0
# So it is first tried with this share of the steps of the search.
_FRESH_SHARE = 4


@dataclasses.dataclass(frozen=True)
class ChemicalPotential:
    """The answer of `solve_chemical_potential`, an entry an anchor, or a single entry for all where μ is shared.

    Where several fields were solved for, `mu`, `standard_error`, `fraction` and `fraction_error` have a last axis of
    fields; with one field it is left out.

    Attributes:
        mu: μ at which the mean fraction is the target, NaN where none was found; shape [entries].
        standard_error: its standard error (0 at β = 0, where it is exact); shape [entries].
        covariance: of the μ's of several fields, shape [entries, fields, fields].
        fraction: mean of the field per site at `mu` in a fresh run from the background; shape [entries].
        fraction_error: its standard error; shape [entries].
        reached: whether `mu` is an answer; shape [entries].
        outcomes: what happened, a sentence an entry.
        trials: every μ looked at, in order, with the bracket known afterwards; a tuple an entry.
        target: the mean per site asked for, a number, or one for each of several fields.
        field: name of the field solved for, or names of several.
        proposals: proposals of all replicas together, the fresh run included.
    """

    mu: Float[np.ndarray, "entries ..."]
    standard_error: Float[np.ndarray, "entries ..."]
    covariance: Float[np.ndarray, "entries fields fields"]
    fraction: Float[np.ndarray, "entries ..."]
    fraction_error: Float[np.ndarray, "entries ..."]
    reached: Bool[np.ndarray, " entries"]
    outcomes: tuple[str, ...]
    trials: tuple[tuple[Trial, ...], ...]
    target: float | tuple[float, ...]
    field: str | tuple[str, ...]
    proposals: int


@jax.transfer_guard("allow")
def solve_chemical_potential(
    key: Key[Array, ""],
    ensemble: Ensemble,
    target: float | Sequence[float],
    *,
    field: str | Sequence[str] = "GC",
    shared: bool = False,
    tolerance: float = 0.02,
    ladder: Any = 6,
    chains: int = 8,
    steps: int = 1000,
    max_steps: int = 64_000,
    burn_in: int | None = None,
    progress: bool = True,
) -> ChemicalPotential:
    """Find the μ of a field at which its mean per site under the ensemble, ⟨N⟩ / length, is `target`.

    Anchors are looked at side by side, or, where `sample` would have them take turns, one after the other, each for no
    longer than it needs; one compiled program serves all looks. The first look is where the answer is at β = 0;
    the next ones are where all draws so far, reweighted, put it, or at the middle of a bracket that is closed only by
    estimates at least 3.5 standard errors away from the target. Looks go on until the error of μ is small enough.
    Then chains started afresh have to agree.

    Args:
        key: a typed key, `jax.random.key(seed)`.
        ensemble: one anchor or several. Fields it does not have are added; others stay as they are.
        target: wanted mean per site; between 0 and 1 for a composition or a dinucleotide. Several for several fields.
        field: what is solved for: a field of the ensemble by its name; or letters of a composition ("GC", "AG"); or a
            dinucleotide ("CpG"). Several are solved for together.
        shared: find one μ for all anchors, at which the mean over the anchors is `target`, instead of one for each.
        tolerance: wanted standard error of μ.
        ladder: as for `sample`: how many β's to exchange between, the β's, or None for single chains at the wanted β.
        chains: chains of each anchor, at least 2.
        steps: proposals of each replica that count in a look; a longer look follows a short one where need be.
        max_steps: give up when so many have counted.
        burn_in: proposals of each replica before the first look and before the fresh run, a multiple of 10; `steps`,
            or 20 × length if that is more, if None.
        progress: show a progress bar.

    Raises:
        ValueError: for bad input, naming the argument.
    """
    key = checks.typed_key(key)
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    batch, problem = problem_of(ensemble.batched(), target, field, shared=shared)
    tolerance = checks.number("tolerance", tolerance, above=_FINEST, below=1 / _FINEST)
    chains = checks.integer("chains", chains, at_least=2)
    steps = checks.integer("steps", steps, at_least=_THIN, at_most=checks.MOST_STEPS) // _THIN * _THIN
    max_steps = checks.integer("max_steps", max_steps, at_least=steps, at_most=checks.MOST_STEPS)
    if burn_in is None:
        burn_in = max(steps, _WARM_UP_SWEEPS * batch.length) // _THIN * _THIN
    burn_in = checks.multiple(
        "burn_in", checks.integer("burn_in", burn_in, at_least=0, at_most=checks.MOST_STEPS), "thin", _THIN
    )
    lengths = _Lengths(steps, max_steps, burn_in)
    with console.bar(desc="solving for μ", unit="look", show=progress) as bar:
        samplers = _samplers(batch, problem, ladder, chains, bar)
        if len(samplers) == 1:
            return _solved(key, samplers[0], tolerance, lengths)
        parts = [_solved(jax.random.fold_in(key, n), one, tolerance, lengths) for n, one in enumerate(samplers)]
    return _joined(parts)


class _Lengths(NamedTuple):
    """Steps of each replica."""

    look: int
    most: int
    burn_in: int


class _Sampler:
    """Runs at any μ of the groups, and what they cost."""

    def __init__(self, ensemble: Ensemble, problem: Problem, ladder: Any, chains: int, bar: Any) -> None:
        self.ensemble, self.problem, self.chains, self.bar = ensemble, problem, chains, bar
        # At β = 0 there is nothing to exchange.
        self.ladder = ladder if np.asarray(ensemble.beta).any() else None
        self.proposals = 0

    def run(
        self, key: Array, mus: Sequence[np.ndarray], steps: int, burn_in: int, start: str | Run = "background"
    ) -> Run:
        """Sample with the μ of every group; at 0 for a group that has none."""
        at = self.ensemble
        for k, index in enumerate(self.problem.indices):
            mu = np.zeros(at.anchors)
            for anchors, of_group in zip(self.problem.groups, mus, strict=True):
                mu[anchors] = np.nan_to_num(of_group[k])
            at = at.with_mu(mu, index)
        run = sample(
            key, at, ladder=self.ladder, chains=self.chains, target_replicas=1, anchor_chains=0, steps=steps,
            burn_in=burn_in, thin=_THIN, start=start, progress=False,
        )  # fmt: skip
        walked = run.beta.shape[1] - (self.ladder is not None)
        self.proposals += at.anchors * self.chains * walked * (steps + burn_in)
        self.bar.update()
        return run


def _samplers(ensemble: Ensemble, problem: Problem, ladder: Any, chains: int, bar: Any) -> list[_Sampler]:
    """One for all groups side by side, or one for each, which then looks no longer than it needs."""
    if len(problem.groups) == 1 or not _takes_turns(ensemble, ladder, chains):
        return [_Sampler(ensemble, problem, ladder, chains, bar)]
    own = np.ndim(ladder) == 2
    alone = problem._replace(groups=[[0]])
    return [
        _Sampler(ensemble.take([anchor]), alone, np.asarray(ladder)[[anchor]] if own else ladder, chains, bar)
        for (anchor,) in problem.groups
    ]


def _takes_turns(ensemble: Ensemble, ladder: Any, chains: int) -> bool:
    """Return whether `sample` would have these anchors take turns, so that one call per anchor costs no more."""
    options = Options.of(
        ensemble, ladder=ladder, chains=chains, target_replicas=1, anchor_chains=0, steps=_THIN, burn_in=0, thin=_THIN
    )
    return prepare(ensemble, options).program.one_by_one


def _solved(key: Array, sampler: _Sampler, tolerance: float, lengths: _Lengths) -> ChemicalPotential:
    key_search, key_check = jax.random.split(key)
    searches = _begun(sampler.ensemble, sampler.problem, tolerance)
    counted = _search(key_search, sampler, searches, lengths)
    return _verified(key_check, sampler, searches, lengths, counted)


def _joined(parts: Sequence[ChemicalPotential]) -> ChemicalPotential:
    """The entries of several answers to one question."""
    arrays = "mu", "standard_error", "covariance", "fraction", "fraction_error", "reached"
    return dataclasses.replace(
        parts[0],
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays},
        outcomes=tuple(outcome for part in parts for outcome in part.outcomes),
        trials=tuple(trials for part in parts for trials in part.trials),
        proposals=sum(part.proposals for part in parts),
    )


def _begun(ensemble: Ensemble, problem: Problem, tolerance: float) -> list[Search]:
    """A search for every group, from where the answer is at β = 0; done where that is all."""
    first = exact_potential.solve(ensemble, problem.indices, problem.target, problem.groups)
    beta = np.asarray(ensemble.beta)
    searches = []
    for anchors, mu in zip(problem.groups, first, strict=True):
        search = Search(problem.target, tolerance, mu, ensemble.length)
        if np.isnan(mu).any():
            wanted = " and ".join(f"{t:g}" for t in problem.target)
            search.fail(f"a mean of {wanted} is not attainable with the positions that are fixed")
        elif (beta[anchors] == 0).all():
            search.exactly()
        searches.append(search)
    return searches


def _search(key: Array, sampler: _Sampler, searches: list[Search], lengths: _Lengths) -> int:
    """Look until every search has ended or steps run out; how many steps have counted."""
    looks: list[list[Look]] = [[] for _ in range(sampler.ensemble.anchors)]
    run: Run | str = "background"
    size, burn_in, counted = lengths.look, lengths.burn_in, 0
    while any(search.open for search in searches) and counted + size <= lengths.most:
        mus = [search.mu for search in searches]
        run = sampler.run(jax.random.fold_in(key, counted), mus, size, burn_in, run)
        counted += size
        for search, anchors in zip(searches, sampler.problem.groups, strict=True):
            for a in anchors:
                looks[a].append(Look(search.mu, _top_counts(run, a, sampler.problem.indices)))
            search.look([looks[a] for a in anchors])
        sampler.bar.set_postfix(open=sum(search.open for search in searches))
        more = counted * max(search.still_wanted() for search in searches)
        longest = min(counted, max(_LONGEST_LOOK, lengths.look), max(lengths.most - counted, lengths.look))
        size = int(min(max(more, lengths.look), longest)) // _THIN * _THIN
        burn_in = size // _SETTLES // _THIN * _THIN
    for search in searches:
        search.give_up(counted)
    return counted


def _top_counts(run: Run, anchor: int, indices: list[int]) -> Float[np.ndarray, "states chains fields"]:
    """Counts of single states at the wanted β."""
    return np.asarray(run.counts[anchor, -1][..., indices].swapaxes(0, 1), np.float64)


def _verified(
    key: Array, sampler: _Sampler, searches: list[Search], lengths: _Lengths, counted: int
) -> ChemicalPotential:
    """Look at every answer once more, with chains that know nothing of the search.

    They count right after the warm-up of the first look, the search went on for longer: what has not settled by then
    shows as a disagreement.
    """
    problem = sampler.problem
    fractions = errors = np.full((len(searches), len(problem.indices)), np.nan)
    if not all(search.failed for search in searches):
        mus = [search.mu for search in searches]
        steps = max(lengths.look, counted // _FRESH_SHARE // _THIN * _THIN)
        run = sampler.run(key, mus, steps, lengths.burn_in)
        fractions, errors = _fractions(run, problem)
        while steps < counted and any(map(_unsure, searches, errors)):
            steps = min(2 * steps, counted)
            run = sampler.run(key, mus, steps, 0, run)
            fractions, errors = _fractions(run, problem)
    outcomes = [
        _objection(search, seen, noise, 2 * sampler.chains - 2) or search.outcome
        for search, seen, noise in zip(searches, fractions, errors, strict=True)
    ]
    found = np.array([[not search.failed] for search in searches])
    reached = np.array([not outcome.startswith("not reached") for outcome in outcomes])
    covariance = np.stack([search.covariance() for search in searches])
    covariance[~reached] = np.nan

    def shaped(rows: Any) -> np.ndarray:
        return np.stack(rows)[:, 0] if problem.one else np.stack(rows)

    return ChemicalPotential(
        mu=shaped([np.where(good, search.mu, np.nan) for search, good in zip(searches, reached, strict=True)]),
        standard_error=shaped([np.sqrt(np.diag(entry)) for entry in covariance]),
        covariance=covariance,
        fraction=shaped(np.where(found, fractions, np.nan)),
        fraction_error=shaped(np.where(found, errors, np.nan)),
        reached=reached,
        outcomes=tuple(outcomes),
        trials=tuple(tuple(search.trials) for search in searches),
        target=float(problem.target[0]) if problem.one else tuple(problem.target.tolist()),
        field=problem.names[0] if problem.one else problem.names,
        proposals=sampler.proposals,
    )


def _fractions(run: Run, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Means per site of every group at the wanted β, and their standard errors, shape [groups, fields]."""
    length = run.anchors.shape[1]
    means, errors = (values[:, -1][:, problem.indices] / length for values in (run.field_mean, run.field_error))
    mean = np.stack([means[anchors].mean(0) for anchors in problem.groups])
    # Anchors are independent, given the positions that all chains share.
    return mean, np.stack([np.sqrt(np.square(errors[anchors]).sum(0)) / len(anchors) for anchors in problem.groups])


def _unsure(search: Search, noise: np.ndarray) -> bool:
    """Whether the mean of a fresh run is too noisy to say anything about the answer of a search."""
    if search.root is None:
        return False
    slope = np.sqrt(np.square(search.root.means.slope).sum(1)) / search.length
    allowed = np.maximum(search.root.means.error().error / search.length, slope * search.tolerance)
    return not (noise <= _AS_SURE * allowed).all()


def _objection(search: Search, seen: np.ndarray, noise: np.ndarray, degrees: float) -> str:
    """What a fresh run with the means `seen` ± `noise` says against the answer of a search; empty if nothing."""
    if search.root is None:
        return ""

    def spelled(values: np.ndarray, digits: int) -> str:
        return ", ".join(f"{value:.{digits}g}" for value in values)

    fresh = f"chains started afresh at μ = {spelled(search.mu, 4)} have a mean of {spelled(seen, 4)}"
    fresh = f"not reached: {fresh} ± {spelled(noise, 2)}"
    if _unsure(search, noise):
        return f"{fresh}, too unsure to confirm it, so the chains do not mix at this β"
    own = search.root.means.error().error / search.length
    if not (np.abs(seen - search.target) <= unlikely(_AGREES, degrees) * np.hypot(noise, own)).all():
        return f"{fresh}, not {spelled(search.target, 6)}, so the chains do not mix at this β"
    return ""
