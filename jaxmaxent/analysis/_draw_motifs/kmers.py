"""k-mers of draws: their counts, and the test of chains at the target against chains at β = 0."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from jaxmaxent.ensembles import Alphabet

# Share of the k-mers, the less frequent ones, whose mean variance counts: the others may be those of sites.
_USUAL = 0.9
# Fewer k-mers do not tell how variances differ.
_ENOUGH_KMERS = 50


class Strands(NamedTuple):
    """The k-mers that are told apart: on two strands, a k-mer and its reverse complement are one.

    Attributes:
        first: index of each k-mer that is told apart, the smaller index of the two strands, shape [kmers].
        other: index of its reverse complement, shape [kmers]; the same as `first` for a palindrome or on one strand.
        size: letters of a k-mer.
        letters: the letters.
    """

    first: Int[np.ndarray, " kmers"]
    other: Int[np.ndarray, " kmers"]
    size: int
    letters: str

    def fold(self, counts: Integer[np.ndarray, "... all_kmers"]) -> Int[np.ndarray, "... kmers"]:
        """Return counts of k-mers on either strand from those on the forward strand."""
        twice = self.first != self.other
        return counts[..., self.first].astype(np.int64) + np.where(twice, counts[..., self.other], 0)

    def text(self, kmer: int) -> str:
        """Return the letters of the k-mer at an index of `first`."""
        return "".join(self.letters[token] for token in tokens_of(int(self.first[kmer]), self.size, len(self.letters)))


class KmerTest(NamedTuple):
    """The comparison of copies per draw, element by element.

    Attributes:
        target: mean copies per draw at the target, over chains and anchors.
        background: the same at β = 0.
        error: standard error of their difference, from the spread of chains.
        p: one-sided probability that the target has so many more by chance; 1 where chains do not differ.
        ratio_error: standard error of log2 of target over background, NaN where either is 0.
    """

    target: Float[np.ndarray, "..."]
    background: Float[np.ndarray, "..."]
    error: Float[np.ndarray, "..."]
    p: Float[np.ndarray, "..."]
    ratio_error: Float[np.ndarray, "..."]


def strands(size: int, alphabet: Alphabet, *, both: bool) -> Strands:
    """Return the k-mers of a size that are told apart."""
    base = len(alphabet)
    every = np.arange(base**size)
    if not both or alphabet.complements is None:
        return Strands(every, every, size, alphabet.letters)
    complement = alphabet.complement(np.arange(base)).astype(np.int64)
    turned, rest = np.zeros_like(every), every.copy()
    for _ in range(size):
        turned = turned * base + complement[rest % base]
        rest //= base
    first = np.flatnonzero(every <= turned)
    return Strands(first, turned[first], size, alphabet.letters)


def tokens_of(kmer: int, size: int, base: int) -> list[int]:
    """Return the tokens of a k-mer that is given by its index."""
    return [kmer // base ** (size - 1 - i) % base for i in range(size)]


def kmer_indices(tokens: Integer[np.ndarray, "... length"], size: int, base: int) -> Int[np.ndarray, "... windows"]:
    """Return the index of the k-mer at each start: its tokens as the digits of a number, the first the largest."""
    windows = tokens.shape[-1] - size + 1
    number = np.zeros((*tokens.shape[:-1], windows), np.int64)
    for i in range(size):
        number = number * base + tokens[..., i : i + windows]
    return number


def kmer_counts(
    tokens: Integer[np.ndarray, "chains draws length"],
    size: int,
    base: int,
    free: Bool[np.ndarray, "chains draws length"] | None = None,
) -> Int[np.ndarray, "chains all_kmers"]:
    """Return how often each chain has each k-mer, read along the draws; only windows that are free all over count."""
    found = []
    for chain, draws in enumerate(tokens):
        number = kmer_indices(draws, size, base)
        kept = number.ravel() if free is None else number[free_windows(free[chain], size)]
        found.append(np.bincount(kept, minlength=base**size))
    return np.stack(found)


def free_windows(free: Bool[np.ndarray, "draws length"], size: int) -> Bool[np.ndarray, "draws windows"]:
    """Return True for windows of a size all of whose positions are free."""
    taken = np.zeros((len(free), free.shape[1] + 1), np.int64)
    np.cumsum(~free, axis=1, out=taken[:, 1:])
    return taken[:, size:] == taken[:, :-size]


def compare(
    target: Float[np.ndarray, "anchors chains kmers"], background: Float[np.ndarray, "anchors chains kmers"]
) -> KmerTest:
    """Test which k-mers have more copies per draw at the target than at β = 0.

    The differences of the chains of an anchor are independent. Their mean is averaged over anchors, with the error from
    the spread within each anchor, so anchors may differ as they like, and the degrees of freedom of Welch (1947) and
    Satterthwaite (1946). A few chains know their spread badly. So the variance of each k-mer is moderated by those of
    all others (Smyth, Stat. Appl. Genet. Mol. Biol. 3:3, 2004), which are expected in proportion to the copies, as for
    counts. The p-values are those of Student's t with the degrees of freedom of both.
    """
    from scipy.stats import t  # slow to import, and it changes warning filters

    differences = target - background
    anchors, chains = differences.shape[:2]
    variances = differences.var(1, ddof=1) / chains
    variance, squares = variances.sum(0) / anchors**2, (variances**2).sum(0) / anchors**4
    known = variance > 0
    freedom = (chains - 1) * variance**2 / np.where(known, squares, 1)
    expected = (target + background).mean((0, 1))
    prior, prior_freedom = _expected_variance(variance, expected, anchors * (chains - 1), known)
    total = np.where(known, freedom + prior_freedom, 1)
    # An infinite number means that the expected variance is the true one.
    own = np.where(np.isinf(total), 0, freedom / np.where(np.isinf(total), 1, total))
    moderated = np.where(known, own * variance + (1 - own) * prior, 1)
    error = np.where(known, np.sqrt(moderated), 0)
    p = np.where(known, t.sf(differences.mean((0, 1)) / np.sqrt(moderated), total), 1.0)
    return KmerTest(target.mean((0, 1)), background.mean((0, 1)), error, p, _ratio_error(target, background))


def _ratio_error(
    target: Float[np.ndarray, "anchors chains kmers"], background: Float[np.ndarray, "anchors chains kmers"]
) -> Float[np.ndarray, " kmers"]:
    """Return the standard error of log2 of the ratio of the means, to first order, from the spread of chains."""
    anchors, chains = target.shape[:2]
    more, less = target.mean((0, 1)), background.mean((0, 1))
    known = (more > 0) & (less > 0)
    relative = target / np.where(known, more, 1) - background / np.where(known, less, 1)
    error = np.sqrt(relative.var(1, ddof=1).sum(0) / chains) / anchors / math.log(2)
    return np.where(known, error, np.nan)


def _expected_variance(
    variance: np.ndarray, expected: np.ndarray, freedom: int, known: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the variance in proportion to the expected copies, and the degrees of freedom that it is worth.

    With d degrees of freedom, log(variance / expected) varies by trigamma(d/2); what it varies more is trigamma(d₀/2)
    of the true variances, which gives d₀. Logarithms of the variances of rare k-mers, whose counts are 0 and 1, are too
    small on average. So the factor is at least the mean variance over the mean copies of the less frequent k-mers.
    """
    from scipy.special import digamma, polygamma  # slow to import

    if known.sum() < _ENOUGH_KMERS:
        return np.zeros_like(variance), 0.0
    logs = np.log(variance[known] / expected[known]) - digamma(freedom / 2) + math.log(freedom / 2)
    more = logs.var(ddof=1) - polygamma(1, freedom / 2)
    half = _inverse_trigamma(float(more)) if more > 0 else math.inf
    shift = digamma(half) - math.log(half) if math.isfinite(half) else 0.0
    usual = known & (expected <= np.quantile(expected[known], _USUAL))
    return expected * max(math.exp(logs.mean() + shift), variance[usual].sum() / expected[usual].sum()), 2 * half


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value > 0, by Newton's steps from below (Smyth 2004, appendix)."""
    from scipy.special import polygamma  # slow to import

    x = 0.5 + 1 / value
    for _ in range(50):
        first = float(polygamma(1, x))
        x += first * (1 - first / value) / float(polygamma(2, x))
    return x


def false_discovery(p: Float[np.ndarray, " tests"], tested: Bool[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """Return the q-values of Benjamini & Hochberg (1995) among the tests that were made, and 1 for the others."""
    from scipy.stats import false_discovery_control  # slow to import, and it changes warning filters

    q = np.ones(len(p))
    if tested.any():
        q[tested] = false_discovery_control(p[tested])
    return q
