"""Tables of the sites in draws: copies per draw, pairs of sites, and pairs of sites that were placed independently."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxmaxent.analysis._occurrences import Occurrences

# With fewer sites, independent placement is taken as uniform.
_ENOUGH_SITES = 500
_PAIRS_BY_CHANCE = 20_000


class SitePairs(NamedTuple):
    """Pairs of sites that do not overlap, each with the weight 1 / (pairs of the draw).

    Attributes:
        chain: index of the chain, shape [pairs].
        weight: weight of the pair, shape [pairs].
        gap: number of letters between both sites, shape [pairs].
        before: True if the site of the first motif comes first, shape [pairs].
        same: True if both sites are on the same strand, shape [pairs].
        downstream: True if the second site is downstream of the first, on the strand of the first, shape [pairs].
        trials: number of different arrangements within chains, summed over chains.
        chains: number of chains.
    """

    chain: Int[np.ndarray, " pairs"]
    weight: Float[np.ndarray, " pairs"]
    gap: Int[np.ndarray, " pairs"]
    before: Bool[np.ndarray, " pairs"]
    same: Bool[np.ndarray, " pairs"]
    downstream: Bool[np.ndarray, " pairs"]
    trials: int
    chains: int


def chosen_sites(sites: Occurrences, chosen: Int[np.ndarray, " chosen"]) -> Occurrences:
    """Return some of the sites, by their indices."""
    names = ("motif", "chain", "draw", "start", "strand")
    return sites._replace(**{name: getattr(sites, name)[chosen] for name in names})


def without_overlaps(sites: Occurrences) -> Occurrences:
    """Return the sites of each motif that do not overlap an earlier site of the same motif in the same draw."""
    order = np.lexsort((sites.start, sites.draw, sites.chain, sites.motif))
    columns = [np.asarray(sites[k])[order] for k in range(5)]
    keep = np.ones(len(order), bool)
    last, end = None, -1
    for k, key in enumerate(zip(*(column.tolist() for column in columns[:4]), strict=True)):
        if key[:3] == last and key[3] < end:
            keep[k] = False
        else:
            last, end = key[:3], key[3] + sites.widths[key[0]]
    return chosen_sites(sites, order[keep])


def copies(sites: Occurrences) -> Int[np.ndarray, "motifs chains draws"]:
    """Return the number of sites of each motif in each draw."""
    shape = len(sites.widths), sites.number_of_chains, sites.draws_per_chain
    table = np.zeros(shape, np.int64)
    np.add.at(table, (sites.motif, sites.chain, sites.draw), 1)
    return table


def arrangements(sites: Occurrences) -> int:
    """Return the number of different sets of sites within chains, summed over chains; at least one per chain."""
    span = np.int64(2 * sites.length + 2)
    number = (sites.motif * span + 2 * sites.start + (sites.strand > 0)).astype(np.uint64)
    mixed = (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    label = np.zeros((sites.number_of_chains, sites.draws_per_chain), np.uint64)
    np.add.at(label, (sites.chain, sites.draw), mixed)
    return sum(len(np.unique(row)) for row in label)


def pairs(sites: Occurrences, first: int, second: int) -> SitePairs:
    """Return the pairs of sites of two motifs in the same draw; of a motif with itself, the earlier site is first."""
    one, other = np.flatnonzero(sites.motif == first), np.flatnonzero(sites.motif == second)
    draw = sites.chain * sites.draws_per_chain + sites.draw
    other = other[np.argsort(draw[other], kind="stable")]
    low, high = np.searchsorted(draw[other], draw[one], "left"), np.searchsorted(draw[other], draw[one], "right")
    number = high - low
    left = np.repeat(one, number)
    shift = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    right = other[np.repeat(low, number) + shift]
    starts, strands = (sites.start[left], sites.start[right]), (sites.strand[left], sites.strand[right])
    gap, before, same, downstream = _arranged(starts, strands, sites.widths[first], sites.widths[second])
    keep = (gap >= 0) & before if first == second else gap >= 0
    chain = sites.chain[left][keep]
    seen = np.unique(np.stack([chain, starts[0][keep], starts[1][keep], same[keep], downstream[keep]]), axis=1)
    of_draw = draw[left][keep]
    many = np.bincount(of_draw, minlength=1)[of_draw] if len(of_draw) else np.ones(0)
    return SitePairs(
        chain, 1 / many, gap[keep], before[keep], same[keep], downstream[keep], seen.shape[1], sites.number_of_chains
    )


def placed_by_chance(
    chance: Occurrences, motif: int, stranded: tuple[bool, ...], rng: np.random.Generator
) -> tuple[Int[np.ndarray, " some"], Int[np.ndarray, " some"], float]:
    """Return starts and strands of sites of a motif by chance, and the number of sites from which they were drawn.

    If there are too few sites, starts and strands are uniform, and their number is infinite.
    """
    own = np.flatnonzero(chance.motif == motif)
    if len(own) >= _ENOUGH_SITES:
        chosen = own[rng.integers(0, len(own), _PAIRS_BY_CHANCE)]
        return chance.start[chosen], chance.strand[chosen], float(len(own))
    starts = rng.integers(0, chance.length - chance.widths[motif] + 1, _PAIRS_BY_CHANCE)
    return starts, 1 - 2 * rng.integers(0, 2, _PAIRS_BY_CHANCE) * stranded[motif], np.inf


def pairs_by_chance(
    chance: Occurrences, first: int, second: int, stranded: tuple[bool, ...]
) -> tuple[SitePairs, float]:
    """Return pairs of sites that were placed independently, and the number of sites from which they were made."""
    rng = np.random.default_rng(0)
    one, other = (placed_by_chance(chance, motif, stranded, rng) for motif in (first, second))
    starts, strands, number = (one[0], other[0]), (one[1], other[1]), min(one[2], other[2])
    arranged = _arranged(starts, strands, chance.widths[first], chance.widths[second])
    keep = (arranged[0] >= 0) & arranged[1] if first == second else arranged[0] >= 0
    gap, before, same, downstream = (value[keep] for value in arranged)
    zeros = np.zeros(len(gap), np.int64)
    return SitePairs(zeros, np.ones(len(gap)), gap, before, same, downstream, len(gap), 1), number


def _arranged(starts: tuple, strands: tuple, first: int, second: int) -> tuple[np.ndarray, ...]:
    """Return gap (below 0 for an overlap), order, same strand and downstream of pairs of sites of these widths."""
    left, right = starts
    gap = np.maximum(right - (left + first), left - (right + second))
    before = 2 * left + first < 2 * right + second
    return gap, before, strands[0] == strands[1], before == (strands[0] > 0)
