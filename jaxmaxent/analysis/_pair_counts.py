"""Counts of pairs of letters in draws, and quantities computed from them: the arithmetic of `couplings`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int, Integer

_CHUNK = 2**13  # draws in one matrix product: sums of 0 and 1 are exact in float32 up to 2^24
_LEAST_POSITIONS = 3  # for the average product correction; with 2 positions it would subtract everything


def pair_counts(
    tokens: Integer[np.ndarray, "chains draws window"], letters: int, shift: tuple[int, int] | None = None
) -> Int[np.ndarray, "window letters window letters"]:
    """Return the number of draws with each two letters at each two positions.

    With `shift` = (chains, draws) the second position is taken from the chain and the draw so much further, in a ring.
    """
    window = tokens.shape[2]
    total = np.zeros((window * letters, window * letters), np.int64)
    for first, second in _chunks(tokens, shift):
        hot = _one_hot(first, letters)
        # The product of a matrix with itself takes half the time.
        total += (hot.T @ (hot if shift is None else _one_hot(second, letters))).astype(np.int64)
    return total.reshape(window, letters, window, letters)


def mutual_information(
    counts: Int[np.ndarray, "first letters second letters"],
) -> Float[np.ndarray, "first second"]:
    """Return the mutual information of counts of pairs in bits, without correction for the bias of finite draws."""
    counts = np.asarray(counts)
    draws = counts.sum((1, 3))
    joint = _scaled_entropy(counts, (1, 3))
    first, second = _scaled_entropy(counts.sum(3), (1,)), _scaled_entropy(counts.sum(1), (2,))
    return np.log2(draws) + (joint - first - second) / draws


def average_product_corrected(values: Float[np.ndarray, "window window"]) -> Float[np.ndarray, "window window"]:
    """Return V_ij − V_i V_j / V, with the mean V_i over all other positions and V over all pairs (Dunn et al. 2008).

    The diagonal does not count. NaN for fewer than 3 positions, where the difference would always be 0.
    """
    size = len(values)
    if size < _LEAST_POSITIONS:
        return np.full_like(values, np.nan)
    row = np.where(np.eye(size, dtype=bool), 0, values).sum(1) / (size - 1)
    mean = row.mean()
    return values - (np.outer(row, row) / mean if mean else 0)


def excess(counts: Int[np.ndarray, "... letters letters"]) -> Float[np.ndarray, "... letters letters"]:
    """Return f_ab − f_a f_b of counts of pairs."""
    joint = counts / counts.sum((-2, -1), keepdims=True)
    return joint - joint.sum(-1, keepdims=True) * joint.sum(-2, keepdims=True)


class Unrelated:
    """The mutual information of unrelated positions, from pairs of positions of different chains at different times.

    All draws stay in use, so the letters at each position are as frequent as before and change as slowly. Only the last
    draw of a chain is followed by its first. Such pairs never change at the same moment. Positions of one chain do so
    when rungs swap whole sequences, which makes chance larger. The factor, over all pairs, is taken from the median of
    `bias`, the bias of the information of finite draws by a jackknife over so many `groups`.

    Attributes:
        mean: bits, shape [window, window]; `bias` where that is larger.
        deviation: their standard deviation, the same shape.
        varies: True if both positions ever changed, the same shape.
    """

    def __init__(
        self,
        tokens: Integer[np.ndarray, "chains draws window"],
        shuffles: int,
        letters: int,
        bias: Float[np.ndarray, "window window"],
        groups: int,
    ) -> None:
        chains, draws, window = tokens.shape
        total, squares, number = np.zeros((window, window)), np.zeros((window, window)), 2 * shuffles
        for shift in _shifts(chains, draws, shuffles):
            bits = mutual_information(pair_counts(tokens, letters, shift))
            # Either position may be the one that is taken from another chain.
            total += bits + bits.T
            squares += bits**2 + bits.T**2
        mean = total / number
        seen = np.array([len(np.unique(column)) for column in tokens.reshape(-1, window).T])
        self.varies = np.outer(seen > 1, seen > 1)
        pairs = self.varies & ~np.eye(window, dtype=bool) & (mean > 0)
        together = max(float(np.median(bias[pairs] / mean[pairs])), 1.0) if pairs.any() else 1.0
        variance = np.maximum(squares / number - mean**2, 0) * number / (number - 1)
        self._known = self.varies & (variance > 0)
        most = np.maximum(np.outer(seen - 1, seen - 1) / 2, 0.5)
        self._shape = np.clip(mean**2 / np.where(self._known, variance, 1), 0.5, most)
        self._broken, self._bias, self._groups = together * mean, np.maximum(bias, 0), groups
        self.mean = np.maximum(self._broken, self._bias)
        self.deviation = self.mean / np.sqrt(self._shape)

    def tail(self, bits: Float[np.ndarray, "window window"]) -> Float[np.ndarray, "window window"]:
        """Return the probability of at least so many bits, the larger of two; NaN where a position never changed.

        Times 2 ln2 · draws, bits of unrelated positions are a sum of (letters − 1)² squares of normal numbers, which
        have equal variances for independent draws. Such a sum is close to a gamma distribution of the same mean and
        variance (Satterthwaite 1946). Its shape lies between 1/2, for a single square, and half their number, for equal
        variances. The first p takes its mean from the broken pairs. The second takes the pair's own bias and follows an
        F distribution, because the bias is itself a sum of squares, groups − 1 times as many.
        """
        from scipy.special import betainc, gammaincc  # importing SciPy changes warning filters

        shape, bits = self._shape, np.maximum(bits, 0)
        broken = gammaincc(shape, shape * bits / np.where(self._known, self._broken, 1))
        # P(F ≥ bits / bias) with 2 shape and 2 shape (groups − 1) degrees of freedom.
        share = (self._groups - 1) * self._bias
        own = betainc(shape * (self._groups - 1), shape, share / np.where(share + bits > 0, share + bits, 1))
        return np.where(self._known, np.maximum(broken, own), np.nan)


def _chunks(tokens: np.ndarray, shift: tuple[int, int] | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield draws [draws, window] of all chains, a few at a time, and those so much further."""
    chains, draws, _ = tokens.shape
    across, along = shift or (0, 0)
    for start in range(0, chains * draws, _CHUNK):
        chain, draw = np.divmod(np.arange(start, min(start + _CHUNK, chains * draws)), draws)
        yield tokens[chain, draw], tokens[(chain + across) % chains, (draw + along) % draws]


def _one_hot(tokens: np.ndarray, letters: int) -> np.ndarray:
    return (tokens[..., None] == np.arange(letters, dtype=tokens.dtype)).reshape(len(tokens), -1).astype(np.float32)


def _scaled_entropy(numbers: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Return Σ n log2 n."""
    logs = np.log2(numbers, out=np.zeros(numbers.shape), where=numbers > 0)
    return np.multiply(numbers, logs, out=logs).sum(axes)


def _shifts(chains: int, draws: int, number: int) -> list[tuple[int, int]]:
    """Return shifts as (chains, draws): to the other chains in turn, and over half the ring of draws.

    Shifts by the other half would give the same pairs with the first and the second position interchanged.
    """
    across = [1 + k % (chains - 1) if chains > 1 else 0 for k in range(number)]
    along = [(2 * k + 1) * draws // (4 * number) for k in range(number)]
    return list(zip(across, along, strict=True))
