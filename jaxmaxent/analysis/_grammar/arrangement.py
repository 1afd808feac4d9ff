"""Strand, order and spacing of the motifs in draws, against sites that were placed independently."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxmaxent.analysis._grammar.found import FoundSites
from jaxmaxent.analysis._grammar.presence import Presence
from jaxmaxent.analysis._grammar.result import Requirement, Spacing
from jaxmaxent.analysis._grammar.shares import Compared, adjusted, compared, mean_and_error
from jaxmaxent.analysis._grammar.sites import SitePairs, pairs, pairs_by_chance, placed_by_chance
from jaxmaxent.analysis._occurrences import Occurrences

_CLASSES = 8  # of spacings, each as frequent as the others by chance
_TAIL = 0.05  # of the pairs, on either side of the usual spacings
_OFTEN = 0.2  # least share of draws with both motifs
_FEWEST_TRIALS = 16
_WIDEST = {"place": 0.3, "spacing": 0.7}  # share of those by chance in the range


class _Classed(NamedTuple):
    """A whole number of each site or pair, with its chain and weight; see `SitePairs`."""

    chain: Int[np.ndarray, " some"]
    weight: Float[np.ndarray, " some"]
    values: Int[np.ndarray, " some"]
    trials: int
    chains: int


def arranged(
    sites: FoundSites, names: tuple[str, ...], stranded: tuple[bool, ...], found: Presence, level: float, false: float
) -> tuple[list[Requirement], list[Spacing]]:
    """Return the tests of strand, order and spacing of motifs that are in more draws than by chance.

    Of each motif the best site of a draw counts, and all sites for the copies of one motif.
    """
    rows, spacings, chance = [], [], sites.chance
    wanted = [int(k) for k in np.flatnonzero(found.more)]
    for place, i in enumerate(wanted):
        rows += _single(sites.best, chance, i, names[i], stranded)
        for j in wanted[place:]:
            together = (found.copies[i] >= 2 if i == j else (found.copies[i] > 0) & (found.copies[j] > 0)).mean()
            own = pairs(sites.target if i == j else sites.best, i, j)
            if together < _OFTEN or own.trials < _FEWEST_TRIALS or len(np.unique(own.chain)) < 2:
                continue
            apart, number = pairs_by_chance(chance, i, j, stranded)
            both = (names[i], names[j])
            rows += _orders(own, apart, number, both, stranded[i] and stranded[j], stranded[i], i == j)
            row, spacing = _spacing(own, apart, number, both)
            rows.append(row)
            spacings.append(spacing)
    return [_decided(row, level, false) for row in adjusted(rows)], spacings


def _decided(row: Requirement, level: float, false: float) -> Requirement:
    """Return a row with the decision whether it is held."""
    # Half of the exceptions that chance would give are too many.
    large = row.value >= level and 1 - row.value <= (1 - row.control) / 2
    # Sites in order prefer one half of the draw, and close sites are a little stronger in many networks. Only a range
    # that leaves out much of what chance gives is a requirement of its own.
    large &= row.control <= _WIDEST.get(row.kind, 1.0)
    return row._replace(held=bool(row.q <= false and large))


def _single(
    target: Occurrences, chance: Occurrences, motif: int, name: str, stranded: tuple[bool, ...]
) -> list[Requirement]:
    """Return the tests of the places of one motif, and of its strand if it has one."""
    own = target.motif == motif
    chain, start, strand = target.chain[own], target.start[own], target.strand[own]
    starts, strands, number = placed_by_chance(chance, motif, stranded, np.random.default_rng(0))
    trials = np.unique(np.stack([chain, start, strand]), axis=1).shape[1]
    draw = chain * target.draws_per_chain + target.draw[own]
    weight = 1 / np.bincount(draw)[draw]
    whole = _Classed(chain, weight, start, trials, target.number_of_chains)
    rows = [_classed(whole, starts, number, ("place", (name,)))[0]]
    if not stranded[motif]:
        return rows
    sums, weights = _per_chain(whole, (strand > 0).astype(float)[:, None])
    share = float((strands > 0).mean()) if np.isfinite(number) else 0.5
    error = np.sqrt(share * (1 - share) / number)
    test = compared(sums, weights, np.array([share]), np.array([error]), trials)
    value, error, p = (float(part[0]) for part in test)
    if value < share:  # one row for both strands, in the direction found
        value, share, name = 1 - value, 1 - share, f"{name} reversed"
    return [*rows, Requirement("strand", (name,), value, error, share, p)]


def _orders(
    own: SitePairs, chance: SitePairs, number: float, names: tuple[str, str], stranded: bool, first: bool, same: bool
) -> list[Requirement]:
    """Return the tests of order, order along the strand of the first motif, and same strand."""
    kinds = [] if same else [("order", "before")]
    kinds += [("downstream", "downstream")] if first and not same else []
    kinds += [("same strand", "same")] if stranded else []
    rows = []
    for kind, field in kinds:
        here, there = getattr(own, field).astype(float), getattr(chance, field).mean()
        sums, weights = _per_chain(own, here[:, None])
        error = np.sqrt(there * (1 - there) / number)
        test = compared(sums, weights, np.array([there]), np.array([error]), own.trials)
        value, error, p = (float(part[0]) for part in test)
        both, word = names, kind
        if value < there:
            value, there = 1 - value, 1 - there
            both = names[::-1] if kind == "order" else names
            word = {"downstream": "upstream", "same strand": "other strand"}.get(kind, kind)
        rows.append(Requirement(word, both, value, error, float(there), p))
    return rows


def _spacing(own: SitePairs, chance: SitePairs, number: float, names: tuple[str, str]) -> tuple[Requirement, Spacing]:
    """Return the test of the spacing, and its distribution."""
    whole = _Classed(own.chain, own.weight, own.gap, own.trials, own.chains)
    row, edges, test, there = _classed(whole, chance.gap, number, ("spacing", names))
    return row, Spacing(names, edges, test.value, test.error, there)


def _classed(
    own: _Classed, chance: np.ndarray, number: float, kind: tuple[str, tuple[str, ...]]
) -> tuple[Requirement, np.ndarray, Compared, np.ndarray]:
    """Return the test of a whole number, such as a spacing, in classes that have equal shares by chance.

    The most extreme class decides, with p times the number of classes.
    """
    inner = np.quantile(chance, np.arange(1, _CLASSES) / _CLASSES, method="closest_observation") + 1
    edges = np.unique([0, *inner, max(chance.max(), own.values.max()) + 1])
    which = np.searchsorted(edges, own.values, "right") - 1
    classes = np.arange(len(edges) - 1)
    sums, weights = _per_chain(own, (which[:, None] == classes).astype(float))
    there = np.histogram(chance, edges)[0] / len(chance)
    errors = np.sqrt(there * (1 - there) / min(number, len(chance)))
    test = compared(sums, weights, there, errors, own.trials)
    p = min(1.0, float(np.min(test.p)) * len(classes)) if np.isfinite(test.p).all() else np.nan
    ends = np.stack([_quantiles(own, share) for share in (_TAIL, 1 - _TAIL)])
    (low, low_error), (high, high_error) = (_over_chains(end, weights) for end in ends)
    # Whole numbers: the mean over chains must not cut off the class in which a chain has its end.
    inside = ((own.values >= np.floor(low)) & (own.values <= np.ceil(high))).astype(float)
    value, error = mean_and_error(*_per_chain(own, inside[:, None]))
    control = float(((chance >= np.floor(low)) & (chance <= np.ceil(high))).mean())
    row = Requirement(
        *kind, float(value[0]), float(error[0]), control, p,
        low=low, low_error=low_error, high=high, high_error=high_error,
    )  # fmt: skip
    return row, edges - 0.5, test, there


def _per_chain(own: SitePairs | _Classed, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weighted sums per chain and class, and the sum of the weights per chain."""
    sums = np.zeros((own.chains, values.shape[1]))
    np.add.at(sums, own.chain, own.weight[:, None] * values)
    return sums, np.bincount(own.chain, own.weight, minlength=own.chains)


def _quantiles(own: _Classed, share: float) -> np.ndarray:
    """Return the spacing below which this share of the pairs of each chain lies, shape [chains]; NaN without pairs."""
    result = np.full(own.chains, np.nan)
    for chain in range(own.chains):
        mine = own.chain == chain
        if mine.any():
            values, weight = own.values[mine], own.weight[mine]
            order = np.argsort(values, kind="stable")
            below = np.cumsum(weight[order]) / weight.sum()
            result[chain] = values[order][min(np.searchsorted(below, share), len(order) - 1)]
    return result


def _over_chains(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    used = ~np.isnan(values)
    own = np.where(used, values, 0.0) * weights
    mean, error = mean_and_error(own[:, None], weights)
    return float(mean[0]), float(error[0])
