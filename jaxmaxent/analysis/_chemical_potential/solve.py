"""The chemical potential μ that gives a wanted composition, by a bracketing search on noisy averages.

At β = 0 letters are independent and μ = logit(GC). At β > 0 the network shifts the composition, so μ is solved for
under the full ensemble. A round is a run at one μ by parallel tempering, whose chains go on from the round before. All
rounds together give the mean at every μ near them (see `reweighting`). A search chooses the μ of the next round, or
ends with the answer (see `search`). One compiled program serves all rounds and the new run that confirms the answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Key

from jaxmaxent import checks, console
from jaxmaxent.analysis._chemical_potential.confirmation import Confirmation, confirm
from jaxmaxent.analysis._chemical_potential.problem import Problem, problem_of
from jaxmaxent.analysis._chemical_potential.reweighting import Round
from jaxmaxent.analysis._chemical_potential.sampler import THIN, Lengths, Sampler, samplers_of
from jaxmaxent.analysis._chemical_potential.search import Search, Trial
from jaxmaxent.analysis._chemical_potential.zero_beta import solve_at_zero_beta
from jaxmaxent.analysis._run_parts import rung_of
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.results import Run

# No run is long enough for a smaller error, whose square must be a number.
_FINEST = 1e-12
# Sweeps over the sequence before the first round: after 10, new runs on the CTCF network still had too little GC.
_BURN_IN_SWEEPS = 20
# Draws of a round are kept THIN steps apart up to so many steps, and further apart beyond.
_LONGEST_ROUND = 5120
# The burn-in of a round that goes on from another μ is its own length over this.
_SETTLES = 10


@dataclasses.dataclass(frozen=True)
class ChemicalPotential:
    """The answer of `solve_chemical_potential`: one entry per anchor, or a single entry for all if μ is shared.

    If several fields were solved for, `mu`, `standard_error`, `fraction` and `fraction_error` have a last axis of
    fields. With one field there is no such axis.

    Attributes:
        mu: μ at which the mean fraction is the target, NaN where none was found; shape [entries].
        standard_error: its standard error (0 at β = 0, where it is exact); shape [entries].
        covariance: covariance of the μ's of the fields, shape [entries, fields, fields].
        fraction: mean of the field per site at `mu` in a new run from the background; shape [entries].
        fraction_error: its standard error; shape [entries].
        reached: True where `mu` is an answer; shape [entries].
        outcomes: a sentence per entry that says how the search ended.
        trials: the rounds of each entry, in order, with the bracket known after each.
        target: the mean per site that was asked for: a number, or one per field if there are several.
        field: name of the field solved for, or names of several.
        proposals: proposals of all replicas together, the new run included.
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
    ladder: int | ArrayLike | None = 6,
    chains: int = 8,
    steps: int = 1000,
    max_steps: int = 64_000,
    burn_in: int | None = None,
    progress: bool = True,
) -> ChemicalPotential:
    """Find the μ of a field at which its mean per site under the ensemble, ⟨N⟩ / length, is `target`.

    All anchors are solved together, or one after the other if `sample` would take them in turns; then each anchor gets
    only as many rounds as it needs. One compiled program serves all rounds. The first round uses the answer for β = 0.
    Each later round uses the answer that the draws so far give by reweighting, or else the middle of a bracket around
    the answer. An estimate moves an end of the bracket only if it is at least 3.5 standard errors away from the target.
    Rounds go on until the error of μ is small enough. Then new chains from the background have to confirm the answer.

    Args:
        key: a typed key, `jax.random.key(seed)`.
        ensemble: one anchor or several. Fields it does not have are added; others stay as they are.
        target: wanted mean per site; between 0 and 1 for a composition or a dinucleotide. One number per field if there
            are several.
        field: the field to solve for: a field of the ensemble by its name, or letters of a composition ("GC", "AG"),
            or a dinucleotide ("CpG"). Several are solved for together.
        shared: find one μ for all anchors, at which the mean over the anchors is `target`, instead of one per anchor.
        tolerance: wanted standard error of μ.
        ladder: as for `sample`: the number of β's to swap between, the β's, or None for single chains at the target.
        chains: chains of each anchor, at least 2.
        steps: steps of each replica that count in the first round; a longer round follows a short one if necessary.
        max_steps: give up after so many steps that count.
        burn_in: steps of each replica before the first round and before the new run, a multiple of 10; None means
            `steps`, or 20 × length if that is more.
        progress: show a progress bar.

    Raises:
        ValueError: for bad input, naming the argument.

    Example:
        >>> found = analysis.solve_chemical_potential(key, ensemble, 0.41, tolerance=0.2, progress=False)
        >>> found.mu.shape  # [anchors]
        (3,)
    """
    key = checks.typed_key(key)
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    batch, problem = problem_of(ensemble.batched(), target, field, shared=shared)
    tolerance = checks.number("tolerance", tolerance, above=_FINEST, below=1 / _FINEST)
    chains = checks.integer("chains", chains, at_least=2)
    lengths = _lengths(steps, max_steps, burn_in, batch.length)
    with console.bar(desc="solving for μ", unit="round", show=progress) as bar:
        samplers = samplers_of(batch, problem, ladder, chains, bar)
        if len(samplers) == 1:
            return _solved(key, samplers[0], tolerance, lengths)
        parts = [_solved(jax.random.fold_in(key, n), one, tolerance, lengths) for n, one in enumerate(samplers)]
    return _joined(parts)


def _lengths(steps: Any, max_steps: Any, burn_in: Any, length: int) -> Lengths:
    steps = checks.integer("steps", steps, at_least=THIN, at_most=checks.MOST_STEPS) // THIN * THIN
    max_steps = checks.integer("max_steps", max_steps, at_least=steps, at_most=checks.MOST_STEPS)
    if burn_in is None:
        burn_in = max(steps, _BURN_IN_SWEEPS * length) // THIN * THIN
    burn_in = checks.integer("burn_in", burn_in, at_least=0, at_most=checks.MOST_STEPS)
    return Lengths(steps, max_steps, checks.multiple("burn_in", burn_in, "thin", THIN))


def _solved(key: Array, sampler: Sampler, tolerance: float, lengths: Lengths) -> ChemicalPotential:
    key_search, key_check = jax.random.split(key)
    searches = _begun(sampler.ensemble, sampler.problem, tolerance)
    counted = _search(key_search, sampler, searches, lengths)
    confirmation = confirm(key_check, sampler, searches, lengths, counted)
    return _answer(sampler, searches, confirmation)


def _joined(parts: Sequence[ChemicalPotential]) -> ChemicalPotential:
    """Join the entries of several answers to one question."""
    arrays = "mu", "standard_error", "covariance", "fraction", "fraction_error", "reached"
    return dataclasses.replace(
        parts[0],
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays},
        outcomes=tuple(outcome for part in parts for outcome in part.outcomes),
        trials=tuple(trials for part in parts for trials in part.trials),
        proposals=sum(part.proposals for part in parts),
    )


def _begun(ensemble: Ensemble, problem: Problem, tolerance: float) -> list[Search]:
    """Begin a search for every group at the answer for β = 0, which ends it if β is 0."""
    first = _first_mu(ensemble, problem)
    beta = np.asarray(ensemble.beta)
    searches = []
    for anchors, mu in zip(problem.groups, first, strict=True):
        search = Search(problem.target, tolerance, mu, ensemble.length)
        if np.isnan(mu).any():
            wanted = " and ".join(f"{t:g}" for t in problem.target)
            search.fail(f"a mean of {wanted} is not attainable with the positions that are fixed")
        elif (beta[anchors] == 0).all():
            search.accept_first()
        searches.append(search)
    return searches


def _first_mu(ensemble: Ensemble, problem: Problem) -> Float[np.ndarray, "groups fields"]:
    """Return the answer for β = 0, NaN if there is none; for growing fields, which β = 0 lacks, their own mean μ."""
    fields = [ensemble.fields[index] for index in problem.indices]
    grows = np.array([field.grows for field in fields])
    first = np.array([[np.asarray(field.mu, float)[anchors].mean() for field in fields] for anchors in problem.groups])
    if not grows.all():
        others = [index for index, growing in zip(problem.indices, grows, strict=True) if not growing]
        first[:, ~grows] = solve_at_zero_beta(ensemble, others, problem.target[~grows], problem.groups)
    return first


def _search(key: Array, sampler: Sampler, searches: list[Search], lengths: Lengths) -> int:
    """Sample in rounds until every search has ended or steps run out; return the number of steps that counted."""
    rounds: list[list[Round]] = [[] for _ in range(sampler.ensemble.anchors)]
    run: Run | str = "background"
    size, burn_in, counted = lengths.first, lengths.burn_in, 0
    while any(search.open for search in searches) and counted + size <= lengths.most:
        mus = [search.mu for search in searches]
        run = sampler.run(jax.random.fold_in(key, counted), mus, size, burn_in, run)
        counted += size
        for search, anchors in zip(searches, sampler.problem.groups, strict=True):
            for a in anchors:
                rounds[a].append(Round(search.mu, _target_counts(run, a, sampler.problem.indices)))
            search.update([rounds[a] for a in anchors])
        sampler.bar.set_postfix(open=sum(search.open for search in searches))
        more = counted * max(search.draws_missing() for search in searches)
        longest = min(counted, max(_LONGEST_ROUND, lengths.first), max(lengths.most - counted, lengths.first))
        size = int(min(max(more, lengths.first), longest)) // THIN * THIN
        burn_in = size // _SETTLES // THIN * THIN
    for search in searches:
        search.give_up(counted)
    return counted


def _target_counts(run: Run, anchor: int, indices: list[int]) -> Float[np.ndarray, "draws chains fields"]:
    """Return the counts of single draws at the target."""
    return np.asarray(run.counts[anchor, rung_of(run, None)][..., indices].swapaxes(0, 1), np.float64)


def _answer(sampler: Sampler, searches: list[Search], confirmation: Confirmation) -> ChemicalPotential:
    """Return the entries of all searches, without those that were not confirmed."""
    problem = sampler.problem
    outcomes = tuple(
        objection or search.outcome for search, objection in zip(searches, confirmation.objections, strict=True)
    )
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
        fraction=shaped(np.where(found, confirmation.fractions, np.nan)),
        fraction_error=shaped(np.where(found, confirmation.errors, np.nan)),
        reached=reached,
        outcomes=outcomes,
        trials=tuple(tuple(search.trials) for search in searches),
        target=float(problem.target[0]) if problem.one else tuple(problem.target.tolist()),
        field=problem.names[0] if problem.one else problem.names,
        proposals=sampler.proposals,
    )
