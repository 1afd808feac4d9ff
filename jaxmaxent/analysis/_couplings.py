"""Couplings: which positions of the draws depend on each other, and which letters go together there.

A network that asks for *exactly one of* two things leaves every single position undecided: only pairs show the rule.
Mutual information measures the dependence in bits; the average product correction (Dunn, Wahl & Gloor, Bioinformatics
24(3):333, 2008) takes away what a position shares with all others.

Draws of a chain are not independent, so neither errors nor significance may count them as such. Errors are those of a
jackknife over chains, which removes the bias of finite draws as well. What unrelated positions would show is seen in
the same draws with the pairing broken, and in how much chains differ.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from jaxmaxent import checks
from jaxmaxent.analysis._pair_counts import (
    Unrelated,
    average_product_corrected,
    excess,
    mutual_information,
    pair_counts,
)
from jaxmaxent.analysis._profiles.draws import stored_draws
from jaxmaxent.ensembles import with_letters
from jaxmaxent.results import Run

_ENOUGH_CHAINS = 8  # for a jackknife over whole chains; fewer are cut in pieces
_PIECES = 16  # at least, of all chains together, where they are cut
_FALSE = 0.05  # share of the listed pairs that may be false


class Pair(NamedTuple):
    """Two positions that depend on each other.

    Attributes:
        first, second: the positions, counted from the start of the anchor; first < second.
        mutual_information: bits.
        error: its standard error.
        p: probability that unrelated positions show as much.
        q: p adjusted for the number of pairs.
        excess: f_ab − f_a f_b, how much oftener the letters a at `first` and b at `second` stand together than if the
            positions were unrelated, shape [letters, letters].
        excess_error: its standard error.
    """

    first: int
    second: int
    mutual_information: float
    error: float
    p: float
    q: float
    excess: Float[np.ndarray, "letters letters"]
    excess_error: Float[np.ndarray, "letters letters"]

    def together(self, letters: str) -> list[tuple[str, float, float]]:
        """(both letters, excess, its standard error), from the most favoured to the most avoided."""
        order = np.argsort(-self.excess, axis=None, kind="stable")
        places = [divmod(int(i), len(letters)) for i in order]
        return [(letters[a] + letters[b], float(self.excess[a, b]), float(self.excess_error[a, b])) for a, b in places]


class Couplings(NamedTuple):
    """Couplings between the positions of a window. Matrices are symmetric, with NaN on the diagonal.

    A position that never changed in the draws shares no information; what it would share otherwise is unknown, so that
    its errors, p and q are NaN.

    Attributes:
        start: the first position of the window.
        letters: the alphabet in the order of the letter axes.
        mutual_information: bits, less the bias of finite draws, shape [window, window]; noise may put it below 0.
        errors: its standard errors, at least those of chance. They say how sure a value is; whether it differs from 0
            says p.
        corrected: the same above the average product; NaN in a window of fewer than 3 positions.
        corrected_errors: its standard errors.
        chance: mean bits that unrelated positions show in as many draws, with nothing taken off; the larger of what
            the draws show with the pairing broken, and the bias that the jackknife found.
        p: probability that unrelated positions show as much or more; the larger by these two.
        q: p adjusted for the number of pairs: of all pairs with q ≤ 0.05, about 5 % or fewer are false (Benjamini &
            Hochberg, Journal of the Royal Statistical Society B 57:289, 1995).
        degrees: degrees of freedom of the standard errors, for Student's t.
        pairs: the strongest of the pairs with q ≤ 0.05, strongest first.
    """

    start: int
    letters: str
    mutual_information: Float[np.ndarray, "window window"]
    errors: Float[np.ndarray, "window window"]
    corrected: Float[np.ndarray, "window window"]
    corrected_errors: Float[np.ndarray, "window window"]
    chance: Float[np.ndarray, "window window"]
    p: Float[np.ndarray, "window window"]
    q: Float[np.ndarray, "window window"]
    degrees: int
    pairs: tuple[Pair, ...]


class PairFrequencies(NamedTuple):
    """How often letters stand together.

    Attributes:
        frequencies: f_ab of the letters a at i and b at j, shape [window, window, letters, letters]; for i = j the
            frequencies of that position are on the diagonal.
        errors: their standard errors, from the spread between chains; NaN where a pair was never or always seen.
    """

    frequencies: Float[np.ndarray, "window window letters letters"]
    errors: Float[np.ndarray, "window window letters letters"]


def couplings(
    draws: Run | UInt8[np.ndarray, "chains draws length"],
    *,
    anchor: int = 0,
    rung: int = -1,
    letters: str | None = None,
    window: tuple[int, int] | None = None,
    shuffles: int = 20,
    strongest: int = 20,
) -> Couplings:
    """Mutual information between all pairs of positions of a window, with errors and significance.

    Memory is that of a few arrays [window · letters, window · letters], however many draws there are. With fewer than
    8 chains each is cut in pieces for the jackknife, 16 or more in all, and errors are only right where a piece is much
    longer than the chain's memory.

    Args:
        draws: a run with stored draws (`sample(..., store_every=…)`), or tokens in the order drawn.
        anchor, rung: which draws of a run; by default those of its first anchor at its largest β.
        letters: the alphabet of an array, "ACGT" if None; a run has its own.
        window: positions [start, stop); None means all.
        shuffles: how often the pairing is broken to see what unrelated positions show, at least 5. Each time gives two
            values for every pair.
        strongest: pairs to list with their letters, at most.

    Raises:
        ValueError: if a run has no stored draws, or an argument does not fit.
    """
    shuffles = checks.integer("shuffles", shuffles, at_least=5)
    strongest = checks.integer("strongest", strongest, at_least=0)
    groups, tokens, letters, start = _chosen(draws, anchor, rung, letters, window)
    counts = pair_counts(tokens, len(letters))
    bits = mutual_information(counts)
    (value, error), (corrected, corrected_error) = _jackknifed(groups, counts, bits)
    unrelated = Unrelated(tokens, shuffles, len(letters), bits - value, len(groups))
    # Near 0 information is a square, whose jackknifed error is that of its root: too small where this is 0 by chance.
    error, corrected_error = (np.maximum(e, unrelated.deviation) for e in (error, corrected_error))
    p = _off_diagonal(unrelated.tail(bits))
    q = _adjusted(p)
    known = [_off_diagonal(np.where(unrelated.varies, e, np.nan)) for e in (error, corrected_error)]
    return Couplings(
        start=start,
        letters=letters,
        mutual_information=_off_diagonal(value),
        errors=known[0],
        corrected=_off_diagonal(corrected),
        corrected_errors=known[1],
        chance=_off_diagonal(unrelated.mean),
        p=p,
        q=q,
        degrees=len(groups) - 1,
        pairs=_strongest(groups, len(letters), start, [value, error, p, q], strongest),
    )


def pair_frequencies(
    draws: Run | UInt8[np.ndarray, "chains draws length"],
    *,
    anchor: int = 0,
    rung: int = -1,
    letters: str | None = None,
    window: tuple[int, int] | None = None,
) -> PairFrequencies:
    """How often every two letters stand together at every two positions of a window; arguments as for `couplings`.

    Raises:
        ValueError: if a run has no stored draws, or an argument does not fit.
    """
    groups, tokens, letters, _ = _chosen(draws, anchor, rung, letters, window)
    number, size, _ = groups.shape
    mean = pair_counts(tokens, len(letters)) / (number * size)
    squares = np.zeros_like(mean)
    for group in groups:
        squares += np.square(pair_counts(group[None], len(letters)) / size - mean)
    seen = (mean > 0) & (mean < 1)
    errors = np.where(seen, np.sqrt(squares / (number * (number - 1))), np.nan)
    return PairFrequencies(mean.swapaxes(1, 2), errors.swapaxes(1, 2))


def _chosen(
    draws: Any, anchor: int, rung: int, letters: str | None, window: Any
) -> tuple[np.ndarray, np.ndarray, str, int]:
    """Groups [groups, size, window] that know nothing of each other, the same tokens [chains, draws, window], the
    alphabet and where the window starts."""
    if isinstance(draws, Run):
        if letters not in (None, draws.letters):
            raise ValueError(f"letters must be those of the run, {draws.letters!r}, got {checks.shown(letters)}")
        tokens, letters = stored_draws(draws, anchor, rung), draws.letters
    else:
        tokens, letters = np.asarray(draws), with_letters("ACGT" if letters is None else letters).letters
    if tokens.ndim != 3 or tokens.dtype.kind not in "iu" or tokens.shape[0] * tokens.shape[1] < 2 * _PIECES:
        raise ValueError(
            f"draws must be a run or tokens of shape [chains, draws, length], {2 * _PIECES} draws or more, "
            f"got {tokens.dtype} of shape {list(tokens.shape)}"
        )
    if tokens.size and (tokens.min() < 0 or tokens.max() >= len(letters)):
        raise ValueError(
            f"draws must be tokens from 0 to {len(letters) - 1} of the letters {letters!r}, "
            f"got {tokens.min()} to {tokens.max()}"
        )
    start, stop = _checked_window(window, tokens.shape[2])
    chains, drawn, _ = tokens.shape
    pieces = 1 if chains >= _ENOUGH_CHAINS else -(-_PIECES // chains)
    # Groups are equally long; what is left over is at the front, where a chain knows its start best.
    tokens = tokens[:, drawn % pieces :, start:stop]
    return tokens.reshape(chains * pieces, drawn // pieces, stop - start), tokens, letters, start


def _checked_window(window: Any, length: int) -> tuple[int, int]:
    try:
        start, stop = (0, length) if window is None else (checks.integer("window", end, at_least=0) for end in window)
    except (TypeError, ValueError):
        start, stop = 0, 0
    if not start + 2 <= stop <= length:
        raise ValueError(
            f"window must be (start, stop) with 2 or more of the {length} positions, got {checks.shown(window)}"
        )
    return start, stop


def _jackknifed(groups: np.ndarray, counts: np.ndarray, bits: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Values less their bias, and standard errors, of mutual information and of the corrected one.

    From the pseudo-values n V − (n − 1) V₋g of the n groups, V₋g being without group g (Miller, Biometrika 61:1, 1974).
    """
    number, statistics = len(groups), (np.asarray, average_product_corrected)
    whole = [statistic(bits) for statistic in statistics]
    sums, squares = np.zeros((2, 2, *bits.shape))
    for group in groups:
        rest = mutual_information(counts - pair_counts(group[None], counts.shape[1]))
        for k, statistic in enumerate(statistics):
            step = (number - 1) * (whole[k] - statistic(rest))
            sums[k] += step
            squares[k] += step**2
    mean = sums / number
    errors = np.sqrt(np.maximum(squares / number - mean**2, 0) / (number - 1))
    return [(whole[k] + mean[k], errors[k]) for k in range(2)]


def _off_diagonal(values: np.ndarray) -> np.ndarray:
    return np.where(np.eye(len(values), dtype=bool), np.nan, values)


def _adjusted(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's q of a symmetric matrix of p; NaN where p is not known."""
    from scipy.stats import false_discovery_control  # slow to import, and it changes warning filters

    places = np.nonzero(np.triu(~np.isnan(p), 1))
    result = np.full(p.shape, np.nan)
    if places[0].size:
        result[places] = result[places[::-1]] = false_discovery_control(p[places])
    return result


def _strongest(
    groups: np.ndarray, letters: int, start: int, matrices: list[np.ndarray], number: int
) -> tuple[Pair, ...]:
    """The pairs with the largest value; `matrices` are value, error, p and q, shape [window, window] each."""
    value, _, _, q = matrices
    rows, columns = np.nonzero(np.triu(q <= _FALSE, 1))
    order = np.argsort(-value[rows, columns], kind="stable")[:number]
    result = []
    for i, j in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        counts = np.stack([pair_counts(group[None][..., [i, j]], letters)[0, :, 1] for group in groups])
        pseudo = len(groups) * excess(counts.sum(0)) - (len(groups) - 1) * excess(counts.sum(0) - counts)
        error = pseudo.std(0, ddof=1) / np.sqrt(len(groups))
        of_pair = dict(zip(("mutual_information", "error", "p", "q"), (float(m[i, j]) for m in matrices), strict=True))
        result.append(Pair(start + i, start + j, **of_pair, excess=pseudo.mean(0), excess_error=error))
    return tuple(result)
