"""β chosen for every anchor: by single-letter mutants, or by what a short run holds at the β's of its ladder."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from jaxmaxent import checks
from jaxmaxent.analysis._resolution.mutants import ACCEPTANCE, SURVIVAL, by_acceptance, medians, mutant_energies
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.results import Run
from jaxmaxent.results._blank import WANTED_BITS, beta_at_value
from jaxmaxent.sampling import sample
from jaxmaxent.sampling._options import THIN
from jaxmaxent.sampling.program._stretches import steps_of_whole_stretches

AUTO, MEDIAN, BY_ACCEPTANCE, INFORMATION, ENERGY = "auto", "median", "acceptance", "information", "energy"
SHARE = 0.2
# What each rule wants if nothing is said; the rule "auto" wants bits.
WANTED = {AUTO: WANTED_BITS, MEDIAN: SURVIVAL, BY_ACCEPTANCE: ACCEPTANCE, INFORMATION: WANTED_BITS, ENERGY: SHARE}
SAMPLED = (AUTO, INFORMATION, ENERGY)
# The short run goes up to so many times the β by the median of mutants, and the rule "auto" no further: at 15 times, an
# anchor of a GATA1 network did not converge in 200,000 steps. For the other rules, where that is not enough, a second
# run goes beyond the β that the first one leads to by a quarter, to interpolate there.
_GENEROUS, _BEYOND = 6.0, 1.25
# Sweeps of single-site proposals over the sequence, as many before draws count as while they do, and the fewest steps.
_SWEEPS, _FEWEST = 10, 1000
# By bits, β is no larger than where ⟨E⟩ is this share of ⟨E⟩ at β = 0: beyond, draws are little more than the anchor.
_LEAST_SHARE = 0.15


class AutoBeta(NamedTuple):
    """A β for every anchor.

    Attributes:
        beta: β, shape [anchors].
        reasons: a sentence per anchor that says why.
    """

    beta: Float[np.ndarray, " anchors"]
    reasons: tuple[str, ...]


class _Found(NamedTuple):
    """What the ladder of an anchor says of the wanted value.

    Attributes:
        beta: the β at which it is reached, possibly beyond the ladder.
        reached: whether that is within the ladder.
        told: a phrase that says what is reached there.
    """

    beta: float
    reached: bool
    told: str


def auto_beta(
    ensemble: Ensemble, rule: str | None = None, wanted: float | None = None, *, key: Key[Array, ""] | None = None,
    **shape: Any,
) -> AutoBeta:  # fmt: skip
    """Choose a β for every anchor, by single-letter mutants or by a short run.

    | rule | β | wanted |
    |---|---|---|
    | "median" | half of the mutants that the network sees are accepted with at most this chance | 0.05 |
    | "acceptance" | the mean acceptance of all mutants is this | 0.1 |
    | "information" | the letters of all positions hold so many bits in total | 8 |
    | "energy" | ⟨E⟩ is this share of ⟨E⟩ at β = 0 | 0.2 |
    | "auto" | as "information", but from 1 to 6 times the β by "median" | 8 |

    The first two are published, and need no sampling. They say at which β single changes are refused. They do not say
    whether a site shows: several changes together may still be accepted. The others ask this of a run of 20 sweeps,
    whose ladder goes up to 6 times the β by the median, and of a second one where that is not enough. By bits, β is no
    larger than where ⟨E⟩ is 0.15 of ⟨E⟩ at β = 0: a network that takes its sites anywhere holds few letters in
    place at any β. The distances of mutants differ between anchors, so each anchor has its own β.

    Args:
        ensemble: one anchor or several; its own β is ignored.
        rule: one of those names; "auto" if None and a key is given, otherwise "median".
        wanted: the value that the rule wants, in the unit of the table.
        key: a typed key; for the rules that sample.
        shape: arguments of `sample` that shape its program: ladder (a number of rungs), chains, target_replicas,
            anchor_chains, thin, evaluation, kmers, mesh. A later call of `sample` with the same ones is not
            compiled again (on a GPU if its numbers of draws, before and while they count, are multiples of 8, as by
            default).

    Raises:
        ValueError: for bad input, for a rule that samples with fields that grow along a ladder, or if an anchor has no
            single-letter mutant that the network sees.

    Example:
        `ensemble.with_beta(auto_beta(ensemble, "information", 12.0, key=jax.random.key(1)).beta)`
    """
    rule, wanted = checked_rule((MEDIAN if key is None else AUTO) if rule is None else rule, wanted)
    energies = mutant_energies(ensemble)
    if rule in (MEDIAN, BY_ACCEPTANCE):
        return _by_mutants(energies, rule, wanted)
    if key is None:
        raise ValueError(f'key must be given for the rule "{rule}", which samples, such as jax.random.key(0), got None')
    growing = [field.name for field in ensemble.fields if field.grows]
    if growing:
        raise ValueError(
            f'rule must be "median" or "acceptance" with fields that grow along a ladder, such as {growing[0]!r}, got '
            f"{checks.shown(rule)}: at a smaller β of a ladder they have less than their μ"
        )
    floor = medians(energies, SURVIVAL)[1]
    found = _by_runs(checks.typed_key(key), ensemble.batched(), floor, rule, wanted, shape)
    return _settled(found, floor if rule == AUTO else np.zeros(len(floor)))


def checked_rule(rule: Any, wanted: Any) -> tuple[str, float]:
    """Return the name of a rule and what it wants, its default for None; ValueError if it is none or out of range."""
    if not isinstance(rule, str) or rule not in WANTED:
        names = ", ".join(f'"{name}"' for name in WANTED)
        raise ValueError(f"rule must be one of {names}, got {checks.shown(rule)}")
    if wanted is None:
        return rule, WANTED[rule]
    if rule in (AUTO, INFORMATION):
        return rule, checks.number("wanted", wanted, above=0)
    return rule, checks.number("wanted", wanted, above=0, below=1)


def _by_mutants(energies: np.ndarray, rule: str, wanted: float) -> AutoBeta:
    """Return β by one of the published rules; the reasons give the other one, too."""
    survival, acceptance = (wanted, ACCEPTANCE) if rule == MEDIAN else (SURVIVAL, wanted)
    median, by_median = medians(energies, survival)
    by_mean, unseen = by_acceptance(energies, acceptance)
    if rule == MEDIAN:
        rows = zip(by_median, median, by_mean, unseen, strict=True)
        return AutoBeta(by_median, tuple(_median_reason(*row, survival) for row in rows))
    without = np.flatnonzero(np.isnan(by_mean))
    if without.size:
        raise ValueError(
            f"wanted must be above the share of mutants at distance 0, {unseen[without[0]]:.3g} at anchor "
            f"{without[0]}, got {acceptance:g}"
        )
    return AutoBeta(
        by_mean, tuple(_acceptance_reason(b, m, acceptance) for b, m in zip(by_mean, by_median, strict=True))
    )


def _by_runs(
    key: Key[Array, ""], ensemble: Ensemble, floor: np.ndarray, rule: str, wanted: float, shape: dict[str, Any]
) -> list[_Found]:
    """Return what the short runs say of every anchor: one for all, and a second one for those it does not answer."""
    tops = _GENEROUS * floor
    first, second = _keys(key)
    found = _read(_short_run(first, ensemble, tops, shape), rule, wanted)
    if all(one.reached for one in found):
        return found
    if rule == AUTO:
        return [one._replace(beta=min(one.beta, float(top))) for one, top in zip(found, tops, strict=True)]
    # All anchors run again, those that are answered as before, so that the program is the same.
    further = np.array([top if one.reached else _BEYOND * one.beta for top, one in zip(tops, found, strict=True)])
    again = _read(_short_run(second, ensemble, further, shape), rule, wanted)
    return [
        one if one.reached else other._replace(beta=min(other.beta, float(top)))
        for one, other, top in zip(found, again, further, strict=True)
    ]


def _short_run(key: Key[Array, ""], ensemble: Ensemble, tops: np.ndarray, shape: dict[str, Any]) -> Run:
    thin = shape.get("thin", THIN)
    steps = steps_of_whole_stretches(max(_SWEEPS * ensemble.length, _FEWEST), thin)
    return sample(key, ensemble.with_beta(tops), burn_in=steps, steps=steps, progress=False, **shape)


@jax.transfer_guard("allow")
def _keys(key: Key[Array, ""]) -> tuple[Any, Any]:
    first, second = jax.random.split(key)
    return first, second


def _read(run: Run, rule: str, wanted: float) -> list[_Found]:
    read: Callable[..., _Found] = _read_energy if rule == ENERGY else _read_bits
    bits = run.total_information
    return [read(run.beta[a], run.energy[a], bits[a], wanted) for a in range(len(run.names))]


def _read_energy(beta: np.ndarray, energy: np.ndarray, bits: np.ndarray, wanted: float) -> _Found:
    fallen = 1 - energy / energy[0]
    found = beta_at_value(beta, fallen, 1 - wanted)
    reached = bool(found <= beta[-1])
    share, held = _there(found, reached, beta, 1 - fallen, bits)
    return _Found(found, reached, f"the mean energy is {share:.2g} of that at β = 0, and letters hold {held:.2g} bits")


def _read_bits(beta: np.ndarray, energy: np.ndarray, bits: np.ndarray, wanted: float) -> _Found:
    by_bits, fallen = beta_at_value(beta, bits, wanted), 1 - energy / energy[0]
    most = beta_at_value(beta, fallen, 1 - _LEAST_SHARE)
    found = min(by_bits, most)
    reached = bool(found <= beta[-1])
    share, held = _there(found, reached, beta, 1 - fallen, bits)
    told = f"letters hold {held:.2g} bits in total, and the mean energy is {share:.2g} of that at β = 0"
    if reached and found < by_bits:
        told += f"; {wanted:g} bits were wanted, but a larger β would leave little more than the anchor itself"
    elif not reached:
        told += f"; {wanted:g} bits were wanted, and not reached at any β that was tried"
    return _Found(found, reached, told)


def _there(found: float, reached: bool, beta: np.ndarray, share: np.ndarray, bits: np.ndarray) -> tuple[float, float]:
    """Return the share of the energy and the bits at a β, or at the end of the ladder if it lies beyond."""
    at = found if reached else beta[-1]
    return float(np.interp(at, beta, share)), float(np.interp(at, beta, bits))


def _settled(found: list[_Found], floor: np.ndarray) -> AutoBeta:
    """Return the β's, none of them below its floor, and the reasons."""
    beta = np.maximum([one.beta for one in found], floor)
    reasons = [
        f"β = {b:.4g}: by a short run, {one.told}"
        if b == one.beta
        else f"β = {b:.4g}: by the median of single-letter changes; at β = {one.beta:.4g}, by a short run, {one.told}"
        for b, one in zip(beta, found, strict=True)
    ]
    return AutoBeta(beta, tuple(reasons))


def _median_reason(beta: float, median: float, by_mean: float, unseen: float, survival: float) -> str:
    other = (
        f"a mean acceptance of {ACCEPTANCE:g} over all changes would take β = {by_mean:.4g}"
        if math.isfinite(by_mean)
        else f"no β has a mean acceptance of {ACCEPTANCE:g}, because the network does not see {unseen:.0%} of changes"
    )
    return (
        f"β = {beta:.4g}: from the anchor, half of the single-letter changes that the network sees are then accepted "
        f"with a chance of at most {survival:g}, because their median distance is {median:.3g}; {other}"
    )


def _acceptance_reason(beta: float, by_median: float, acceptance: float) -> str:
    return (
        f"β = {beta:.4g}: from the anchor, single-letter changes then have a mean acceptance of {acceptance:g}; the "
        f"median of their distances would take β = {by_median:.4g}"
    )
