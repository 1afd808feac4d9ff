"""Which motifs draws have, and how many copies of each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxmaxent.analysis._grammar.result import Requirement
from jaxmaxent.analysis._grammar.shares import Compared, adjusted, compared, mean_and_error, two_sided
from jaxmaxent.analysis._grammar.sites import arrangements, copies
from jaxmaxent.analysis._occurrences import Occurrences

_MOST_COPIES = 8


class Presence(NamedTuple):
    """The motifs in draws and in the background.

    Attributes:
        present: share of draws with each motif at the target.
        control: the same in the background, shape [motifs].
        copies: number of sites, shape [motifs, chains, draws].
        rows: the tests "needs", "not" and "copies"; `held` is not decided yet for "needs".
        more: True for motifs that are in more draws than by chance, shape [motifs].
        fewer: True for motifs that are in fewer draws than by chance, shape [motifs].
        united: share of draws with one motif or the other, shape [motifs, motifs].
        apart: p that both motifs avoid each other within draws by chance, 1 where they do not, shape [motifs, motifs].
        together: comparison of the draws with both and of what is expected if the second motif is as frequent among
            draws with the first as in the background, value, error and p have shape [motifs, motifs].
    """

    present: Compared
    control: Float[np.ndarray, " motifs"]
    copies: Int[np.ndarray, "motifs chains draws"]
    rows: tuple[Requirement, ...]
    more: Bool[np.ndarray, " motifs"]
    fewer: Bool[np.ndarray, " motifs"]
    united: Float[np.ndarray, "motifs motifs"]
    apart: Float[np.ndarray, "motifs motifs"]
    together: Compared


def presence(
    target: Occurrences, control: Occurrences, names: tuple[str, ...], level: float, false: float, tries: int = 1
) -> Presence:
    """Return which motifs the draws have more or less often than the background, and in how many copies.

    `tries` is the number of scores of which one was chosen; p is multiplied by it.
    """
    own, other = copies(target), copies(control)
    trials = float(arrangements(target))
    draws = np.full(own.shape[1], float(own.shape[2]))
    share, share_error = _share_by_chance(other >= 1)
    found = compared((own >= 1).sum(2).T, draws, share, share_error, trials)
    each = (part.tolist() for part in (found.value, found.error, share, found.p))
    rows = [
        Requirement("needs" if value >= chance else "not", (name,), value, error, chance, p)
        for name, value, error, chance, p in zip(names, *each, strict=True)
    ]
    for k, name in enumerate(names):
        rows += _copies(own[k], other[k], name, trials, level)
    rows = adjusted([row._replace(p=min(row.p * tries, 1.0)) for row in rows])
    single = rows[: len(names)]
    more = np.array([row.q <= false and row.kind == "needs" for row in single], bool)
    fewer = np.array([row.q <= false and row.kind == "not" for row in single], bool)
    rows = [row._replace(held=row.kind == "copies" and row.q <= false) for row in rows]
    united, apart, together = _by_pair(own >= 1, share, share_error, trials)
    return Presence(found, share, own, tuple(rows), more, fewer, united, apart, together)


def _share_by_chance(
    table: Bool[np.ndarray, "*motifs chains draws"],
) -> tuple[Float[np.ndarray, "*motifs"], Float[np.ndarray, "*motifs"]]:
    """Return the share of the background's draws, and its error, which is not 0 where the share is 0 or 1."""
    number = table.shape[-1] * table.shape[-2]
    share = table.mean((-1, -2))
    rounded = (table.sum((-1, -2)) + 0.5) / (number + 1)
    error = table.mean(-1).std(-1, ddof=1) / np.sqrt(table.shape[-2]) if table.shape[-2] > 1 else np.zeros_like(share)
    return share, np.maximum(error, np.sqrt(rounded * (1 - rounded) / number))


def _copies(own: np.ndarray, other: np.ndarray, name: str, trials: float, level: float) -> list[Requirement]:
    """Return a row for the largest number of copies, 2 or more, that enough draws have; none if it is below 2."""
    shares = [(own >= number).mean() for number in range(2, _MOST_COPIES + 1)]
    number = 1 + sum(share >= level for share in shares)  # shares decrease
    if number < 2:
        return []
    chance, chance_error = _share_by_chance(other >= number)
    draws = np.full(len(own), float(own.shape[1]))
    found = compared(
        (own >= number).sum(1)[:, None], draws, np.array([chance]), np.array([chance_error]), trials
    )  # fmt: skip
    value, error, p = (float(part[0]) for part in found)
    return [Requirement("copies", (name,), value, error, float(chance), p, number=number)]


def _by_pair(
    own: np.ndarray, share: np.ndarray, share_error: np.ndarray, trials: float
) -> tuple[np.ndarray, np.ndarray, Compared]:
    motifs, chains, draws = own.shape
    each = own.mean(2)
    both = np.einsum("acd,bcd->abc", own.astype(float), own.astype(float)) / draws
    united = each[:, None] + each[None] - both
    # The covariance of a chain, and its mean over chains: chains are independent, draws are not.
    covariance = both - each[:, None] * each[None]
    weights = np.full(chains, 1.0)
    flat = covariance.reshape(motifs * motifs, chains).T
    mean, error = mean_and_error(flat, weights)
    floor = np.sqrt(np.prod([each.mean(1), 1 - each.mean(1)], axis=0))
    least = (floor[:, None] * floor[None]).reshape(-1) / np.sqrt(max(trials, 1))
    p = two_sided(mean, np.maximum(error, least), chains - 1)
    apart = np.where(mean < 0, p, 1.0).reshape(motifs, motifs)
    # Among draws with the first motif, the second one against its share in the background.
    values, errors, ps = np.zeros((3, motifs, motifs))
    for k in range(motifs):
        sums, weight = both[k].T * draws, each[k] * draws
        one = compared(sums, weight, share, share_error, trials * each[k].mean())
        values[k], errors[k], ps[k] = one
    return united.mean(2), apart, Compared(values, errors, ps)
