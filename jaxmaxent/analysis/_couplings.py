"""Couplings: the positions of the draws that depend on each other, and the letters that go together there.

If a network requires exactly one of two features, no single position prefers a letter. Only pairs of positions show
such a rule. Mutual information measures their dependence in bits. The average product correction (Dunn, Wahl & Gloor,
Bioinformatics 24(3):333, 2008) subtracts the dependence that a position has with all others.

The draws of a chain are not independent of each other, and errors and p-values take this into account. Errors are those
of a jackknife over chains, which also removes the bias of finite draws. The mutual information of unrelated positions
is estimated in two ways: from the differences between chains, and from the same draws with the pairing broken, so that
the letters at the two positions come from different chains or times.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from jaxmaxent import checks
from jaxmaxent.analysis._pair_counts import (
    Unrelated,
    average_product_corrected,
    excess,
    mutual_information,
    pair_counts,
)
from jaxmaxent.analysis._run_parts import stored_draws
from jaxmaxent.ensembles import with_letters
from jaxmaxent.results import Run

_ENOUGH_CHAINS = 8  # for a jackknife over whole chains; fewer are cut into pieces
_PIECES = 16  # fewest pieces of all chains together, if they are cut
_FALSE = 0.05  # share of the listed pairs that may be false


class CoupledPair(NamedTuple):
    """Two positions that depend on each other.

    Attributes:
        first: one position, counted from the start of the anchor.
        second: the other position, after the first.
        mutual_information: bits.
        error: its standard error.
        p: probability that unrelated positions have as much mutual information.
        q: p adjusted for the number of pairs.
        excess: f_ab − f_a f_b, the frequency of the letters a at `first` and b at `second` together, less that of
            unrelated positions, shape [letters, letters].
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
        """Return (both letters, excess, its standard error), from the most favored to the most avoided."""
        order = np.argsort(-self.excess, axis=None, kind="stable")
        entries = [divmod(int(i), len(letters)) for i in order]
        return [(letters[a] + letters[b], float(self.excess[a, b]), float(self.excess_error[a, b])) for a, b in entries]


class Couplings(NamedTuple):
    """Couplings between the positions of a window. Matrices are symmetric, with NaN on the diagonal.

    The mutual information of a position that never changed in the draws is 0. In longer runs it might not be 0, so its
    errors, p and q are unknown (NaN).

    Attributes:
        start: the first position of the window.
        letters: the alphabet in the order of the letter axes.
        mutual_information: bits, less the bias of finite draws, shape [window, window]; noise may put it below 0.
        errors: its standard errors, at least those of chance. Use p, not these, to test if a value differs from 0.
        corrected: mutual information less the average product; NaN in a window of fewer than 3 positions.
        corrected_errors: its standard errors.
        chance: mean bits of unrelated positions in as many draws, without correction for bias. It is the larger of two
            estimates: from the draws with the pairing broken, and the bias found by the jackknife.
        p: probability that unrelated positions have as much or more; the larger of the two that follow from these
            estimates.
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
    pairs: tuple[CoupledPair, ...]


class PairFrequencies(NamedTuple):
    """Joint letter frequencies of all pairs of positions of a window.

    Attributes:
        frequencies: f_ab of the letters a at i and b at j, shape [window, window, letters, letters]; for i = j the
            frequencies of that position are on the diagonal.
        errors: their standard errors, from the spread between chains; NaN where a pair was never or always seen.
    """

    frequencies: Float[np.ndarray, "window window letters letters"]
    errors: Float[np.ndarray, "window window letters letters"]


def couplings(
    draws: Run | Integer[np.ndarray, "chains draws length"],
    *,
    anchor: int = 0,
    rung: int | None = None,
    letters: str | None = None,
    window: tuple[int, int] | None = None,
    shuffles: int = 20,
    strongest: int = 20,
) -> Couplings:
    """Return the mutual information between all pairs of positions of a window, with errors and significance.

    The memory needed is that of a few arrays [window · letters, window · letters], for any number of draws. If there
    are fewer than 8 chains, each is cut into pieces for the jackknife, 16 or more in all. Errors are then correct only
    if a piece is much longer than the autocorrelation time of the chain.

    Args:
        draws: a run with stored draws (`sample(..., store_every=…)`), or tokens in the order drawn.
        anchor: index of the anchor, for a run.
        rung: index of the rung, for a run; None means the target.
        letters: the alphabet of an array, "ACGT" if None; a run has its own.
        window: positions [start, stop); None means all.
        shuffles: number of times that the pairing is broken to estimate the information between unrelated positions, at
            least 5. Each time gives two values for every pair.
        strongest: largest number of pairs to list with their letters.

    Raises:
        ValueError: if a run has no stored draws, or an argument does not fit.

    Example:
        >>> found = analysis.couplings(run, window=(4, 12))
        >>> pairs = [(pair.first, pair.second, pair.mutual_information, pair.q) for pair in found.pairs]
    """
    shuffles = checks.integer("shuffles", shuffles, at_least=5)
    strongest = checks.integer("strongest", strongest, at_least=0)
    groups, tokens, letters, start = _chosen(draws, anchor, rung, letters, window)
    counts = pair_counts(tokens, len(letters))
    bits = mutual_information(counts)
    (value, error), (corrected, corrected_error) = _jackknifed(groups, counts, bits)
    unrelated = Unrelated(tokens, shuffles, len(letters), bits - value, len(groups))
    # Near 0 information is a square. Its jackknifed error is proportional to the root and too small where the root is 0
    # by chance.
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
    draws: Run | Integer[np.ndarray, "chains draws length"],
    *,
    anchor: int = 0,
    rung: int | None = None,
    letters: str | None = None,
    window: tuple[int, int] | None = None,
) -> PairFrequencies:
    """Return the joint frequencies of every two letters at every two positions of a window.

    The arguments are those of `couplings`.

    Raises:
        ValueError: if a run has no stored draws, or an argument does not fit.

    Example:
        >>> found = analysis.pair_frequencies(run, window=(4, 12))
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
    draws: Any, anchor: int, rung: int | None, letters: str | None, window: Any
) -> tuple[np.ndarray, np.ndarray, str, int]:
    """Return independent groups [groups, size, window], the same tokens [chains, draws, window], the alphabet, and the
    start of the window."""
    if isinstance(draws, Run):
        if letters not in (None, draws.letters):
            raise ValueError(f"letters must be those of the run, {draws.letters!r}, got {checks.shown(letters)}")
        tokens, letters = stored_draws(draws, anchor=anchor, rung=rung), draws.letters
    else:
        tokens, letters = np.asarray(draws), with_letters("ACGT" if letters is None else letters).letters
    if tokens.ndim != 3 or tokens.dtype.kind not in "iu" or tokens.shape[0] * tokens.shape[1] < 2 * _PIECES:
        raise ValueError(
            f"draws must be a run or tokens of shape [chains, draws, length] with {2 * _PIECES} draws or more, "
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
    # Groups are equally long. The remainder is dropped at the front, where a chain depends most on its start.
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
    """Return values less their bias, and standard errors, of mutual information and of the corrected one.

    They come from the pseudo-values n V − (n − 1) V₋g of the n groups, V₋g being without group g (Miller, Biometrika
    61:1, 1974).
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
    """Return Benjamini and Hochberg's q of a symmetric matrix of p; NaN where p is not known."""
    from scipy.stats import false_discovery_control  # slow to import, and it changes warning filters

    known = np.nonzero(np.triu(~np.isnan(p), 1))
    result = np.full(p.shape, np.nan)
    if known[0].size:
        result[known] = result[known[::-1]] = false_discovery_control(p[known])
    return result


def _strongest(
    groups: np.ndarray, letters: int, start: int, matrices: list[np.ndarray], number: int
) -> tuple[CoupledPair, ...]:
    """Return the pairs with the largest value; `matrices` are value, error, p and q, shape [window, window] each."""
    value, _, _, q = matrices
    rows, columns = np.nonzero(np.triu(q <= _FALSE, 1))
    order = np.argsort(-value[rows, columns], kind="stable")[:number]
    result = []
    for i, j in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        counts = np.stack([pair_counts(group[None][..., [i, j]], letters)[0, :, 1] for group in groups])
        pseudo = len(groups) * excess(counts.sum(0)) - (len(groups) - 1) * excess(counts.sum(0) - counts)
        error = pseudo.std(0, ddof=1) / np.sqrt(len(groups))
        of_pair = dict(zip(("mutual_information", "error", "p", "q"), (float(m[i, j]) for m in matrices), strict=True))
        result.append(CoupledPair(start + i, start + j, **of_pair, excess=pseudo.mean(0), excess_error=error))
    return tuple(result)
