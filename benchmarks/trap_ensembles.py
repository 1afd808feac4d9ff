"""Traps: ensembles whose weight lies where chains from the background hardly arrive, with exact answers.

Each family says twice what it is: as a representation to sample, and as levels, groups of sequences of one energy that
are counted. At a β, the levels give log Z, ⟨E⟩, the letter frequencies and the share of the sequences with the motif.
All families are on DNA. Their parameters are leaves, so that traps of one family and length share a compiled program.

- motif: k letters at the start. E is the number of mismatches, cut off at `most`, divided by `most`.
- graded: a motif whose flank counts, too. E = sqrt(motif² + grade²), with the grade in the share of G's in the flank.
- two: a motif A, and a motif B that differs from it at all k positions. Any mismatch with A costs 1. Mismatches with B
  are counted up to 4, so that chains find B, but E at B is `floor` and not 0.
- anywhere: a motif that may stand at any offset. E is that of the offset with the fewest mismatches.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.optimize import root_scalar

import jaxmaxent as jme

# The weight of the share of G's behind the motif in the features of a graded trap.
GRADE = 0.5
# Mismatches with the second of two motifs are counted up to this many.
REACHABLE = 4
# Up to this many sequences are enumerated.
ENUMERABLE = 4**9


class Levels(NamedTuple):
    """Groups of sequences that have the same energy.

    Attributes:
        complete: True if these sequences hold the motif without a mismatch, shape [levels].
        energies: E, shape [levels].
        log_numbers: log of the number of sequences, −inf for none, shape [levels].
        frequencies: mean one-hot of these sequences, shape [levels, length, 4].
    """

    complete: np.ndarray
    energies: np.ndarray
    log_numbers: np.ndarray
    frequencies: np.ndarray


class Exact(NamedTuple):
    """Exact answers at one β: share of the sequences with the motif, ⟨E⟩, log Z, frequencies [length, 4]."""

    share: float
    energy: float
    log_z: float
    frequencies: np.ndarray


@dataclasses.dataclass(frozen=True)
class Trap:
    """A trap of `length` letters, at the β at which the sequences with the motif hold `share` of the weight."""

    length: int
    share: float

    @property
    def name(self) -> str:
        """Return the family and the parameters; no two traps have the same name."""
        raise NotImplementedError

    @property
    def anchor(self) -> np.ndarray:
        """Return the tokens of the anchor, shape [length]."""
        return np.resize([0, 1, 2, 3], self.length)

    @property
    def watched(self) -> np.ndarray:
        """Return the mask of the letters whose frequencies tell whether the motif was found, shape [length, 4]."""
        raise NotImplementedError

    def count(self) -> Levels:
        """Return the levels."""
        raise NotImplementedError

    def representation(self) -> jme.Representation:
        """Return the representation, whose distance from that of the anchor is E."""
        raise NotImplementedError

    @functools.cached_property
    def levels(self) -> Levels:
        """Return the levels, counted once."""
        return self.count()

    def exact(self, beta: float) -> Exact:
        """Return the exact answers at β."""
        complete, energies, log_numbers, frequencies = self.levels
        log_weights = log_numbers - beta * energies
        log_z = float(np.logaddexp.reduce(log_weights))
        p = np.exp(log_weights - log_z)
        mean = np.einsum("n,nia->ia", p, frequencies)
        return Exact(float(p[complete].sum()), float(p @ energies), log_z, mean)

    @functools.cached_property
    def beta(self) -> float:
        """Return the β at which the share is the wanted one."""
        return float(root_scalar(lambda beta: self.exact(beta).share - self.share, bracket=(0.0, 200.0)).root)

    def ensemble(self) -> jme.Ensemble:
        """Return the ensemble at that β."""
        return jme.Ensemble.create(self.representation(), self.anchor, beta=self.beta)


@dataclasses.dataclass(frozen=True)
class Motif(Trap):
    """A motif of `motif` letters at the start, with mismatches counted up to `most`; see "motif" and "graded"."""

    motif: int
    most: int
    graded: bool = False

    @property
    def name(self) -> str:
        return f"{'graded' if self.graded else 'motif'}-{self.length}-{self.motif}-{self.most}-{self.share:g}"

    @property
    def watched(self) -> np.ndarray:
        return letters_at_start(self.anchor[: self.motif], self.length)

    def count(self) -> Levels:
        """Count C(k, j) 3^j sequences with j mismatches, times C(L − k, g) 3^(L − k − g) flanks with g G's."""
        k, rest, anchor = self.motif, self.length - self.motif, self.anchor
        j, g = (grid.ravel() for grid in np.indices((k + 1, rest + 1)))
        scale = GRADE / max(rest, 1) if self.graded else 0.0
        energies = np.hypot(np.minimum(j, self.most) / self.most, scale * (g - (anchor[k:] == 2).sum()))
        log_numbers = log_choices(k, j) + j * math.log(3) + log_choices(rest, g) + (rest - g) * math.log(3)
        frequencies = np.empty((len(j), self.length, 4))
        frequencies[:, :k] = np.where(np.eye(4)[anchor[:k]], 1 - j[:, None, None] / k, j[:, None, None] / (3 * k))
        share = g[:, None, None] / max(rest, 1)
        frequencies[:, k:] = np.where(np.arange(4) == 2, share, (1 - share) / 3)
        return Levels(j == 0, energies, log_numbers, frequencies)

    def representation(self) -> jme.Representation:
        place = np.arange(self.length) < self.motif
        pattern, behind = np.eye(4)[self.anchor] * place[:, None], np.eye(4)[[2]] * ~place[:, None]
        scale = GRADE / max(self.length - self.motif, 1) if self.graded else 0.0
        return jme.Representation(at_start, leaves(pattern, behind * scale, self.most))


@dataclasses.dataclass(frozen=True)
class Two(Trap):
    """Two motifs of `motif` letters at the same positions; see "two"."""

    motif: int
    floor: float

    @property
    def name(self) -> str:
        return f"two-{self.length}-{self.motif}-{self.floor:g}-{self.share:g}"

    @property
    def other(self) -> np.ndarray:
        """Return B, tokens of shape [motif]."""
        return (self.anchor[: self.motif] + 1) % 4

    @property
    def watched(self) -> np.ndarray:
        return letters_at_start(self.anchor[: self.motif], self.length) | letters_at_start(self.other, self.length)

    def count(self) -> Levels:
        """Count k! / (i! j! r!) 2^r sequences with i letters of A, j of B and r of neither, times 4^(L − k)."""
        k, anchor = self.motif, self.anchor
        i, j = (grid.ravel() for grid in np.indices((k + 1, k + 1)))
        i, j = i[i + j <= k], j[i + j <= k]
        neither = k - i - j
        of_a = np.minimum(k - i, 1)
        of_b = self.floor + (1 - self.floor) * np.minimum(k - j, REACHABLE) / REACHABLE
        numbers = log_choices(k, i) + log_choices(k - i, j) + neither * math.log(2)
        frequencies = np.full((len(i), self.length, 4), 0.25)
        frequencies[:, :k] = (neither / (2 * k))[:, None, None]
        frequencies[:, np.arange(k), anchor[:k]] = (i / k)[:, None]
        frequencies[:, np.arange(k), self.other] = (j / k)[:, None]
        numbers += (self.length - k) * math.log(4)
        return Levels(i == k, np.minimum(of_a, of_b), numbers, frequencies)

    def representation(self) -> jme.Representation:
        templates = [letters_at_start(word, self.length) for word in (self.anchor[: self.motif], self.other)]
        most, floor = np.array([1, REACHABLE]), np.array([0, self.floor])
        return jme.Representation(nearest, leaves(templates, np.full(2, self.motif), most, floor))


@dataclasses.dataclass(frozen=True)
class Anywhere(Trap):
    """A motif `word`, tokens, at any offset, with mismatches counted up to `most`; see "anywhere"."""

    word: tuple[int, ...]
    most: int = 1

    @property
    def name(self) -> str:
        return f"anywhere-{self.length}-{''.join('ACGT'[a] for a in self.word)}-{self.most}-{self.share:g}"

    @property
    def anchor(self) -> np.ndarray:
        """Return the word off the middle in a sequence that is otherwise all T."""
        start = (self.length - len(self.word)) // 3
        return np.concatenate([np.full(start, 3), self.word, np.full(self.length - start - len(self.word), 3)])

    @property
    def watched(self) -> np.ndarray:
        """Return, for each position, the letter whose frequency is farthest from 1/4."""
        distance = np.abs(self.exact(self.beta).frequencies - 0.25)
        return distance.argmax(1)[:, None] == np.arange(4)

    def count(self) -> Levels:
        """Enumerate the sequences, or, if they are too many, count those that contain the word by its automaton."""
        if 4**self.length <= ENUMERABLE:
            return enumerated(self.length, self.word, self.most)
        if self.most > 1:
            raise ValueError(f"most must be 1 for more than {ENUMERABLE} sequences, got {self.most}")
        return contained(self.length, self.word)

    def share_at_offset(self, beta: float) -> float:
        """Return the probability of the word at one offset, the same for each: 4^(L − k) sequences with E = 0."""
        return math.exp((self.length - len(self.word)) * math.log(4) - self.exact(beta).log_z)

    def representation(self) -> jme.Representation:
        k, offsets = len(self.word), np.arange(self.length - len(self.word) + 1)
        # As many templates as letters, so that words of all lengths share a program; those without letters are far.
        templates, far = np.zeros((self.length, self.length, 4)), np.full(self.length, self.most)
        for i, letter in enumerate(self.word):
            templates[offsets, offsets + i, letter] = 1
        far[offsets] = k
        same = np.ones(self.length)
        return jme.Representation(nearest, leaves(templates, far, same * self.most, same * 0))


def at_start(params, one_hot):
    """Return the features of a motif at the start: its mismatches and a score of what is behind it."""
    pattern, behind, most = params
    mismatches = jnp.minimum(jnp.sum(pattern) - jnp.sum(pattern * one_hot), most)
    return jnp.stack([mismatches / most, jnp.sum(behind * one_hot)])


def nearest(params, one_hot):
    """Return the feature of the template with the fewest mismatches, each counted up to its limit, above its floor."""
    templates, letters, most, floor = params
    mismatches = letters - jnp.einsum("tia,ia->t", templates, one_hot)
    return jnp.min(floor + (1 - floor) * jnp.minimum(mismatches, most) / most)[None]


def leaves(*params):
    return tuple(jnp.asarray(np.asarray(x), jnp.float32) for x in params)


def letters_at_start(word, length):
    """Return the mask of the letters of a word at the start, shape [length, 4]."""
    mask = np.zeros((length, 4), bool)
    mask[np.arange(len(word)), word] = True
    return mask


def log_choices(n, k):
    """Return log C(n, k) elementwise."""
    n, k = np.broadcast_arrays(n, k)
    return np.array([math.log(math.comb(int(a), int(b))) for a, b in zip(n, k, strict=True)])


def enumerated(length, word, most):
    """Return the levels of a word anywhere by going through all 4^length sequences."""
    states = np.indices((4,) * length).reshape(length, -1).astype(np.int8)
    offsets = range(length - len(word) + 1)
    least = np.min([sum(states[o + i] != a for i, a in enumerate(word)) for o in offsets], axis=0)
    level = np.minimum(least, most)
    numbers = np.bincount(level, minlength=most + 1)
    frequencies = [[np.bincount(level[row == a], minlength=most + 1) for a in range(4)] for row in states]
    frequencies = np.moveaxis(np.array(frequencies), 2, 0) / np.maximum(numbers, 1)[:, None, None]
    with np.errstate(divide="ignore"):
        mismatches = np.arange(most + 1)
        return Levels(mismatches == 0, mismatches / most, np.log(numbers), frequencies)


def contained(length, word):
    """Return the levels of a word anywhere, those that contain it and those that do not, by its automaton.

    The states of the automaton are the letters of the word that were just read, 0 … k, and it stays at k. For uniform
    letters, `before` holds the probability of each state in front of each position, and `after` that of the word being
    complete at the end.
    """
    k, step = len(word), next_states(word)
    before, after = np.zeros((length + 1, k + 1)), np.zeros((length + 1, k + 1))
    before[0, 0] = after[length, k] = 1
    for i in range(length):
        for letter in range(4):
            np.add.at(before[i + 1], step[:, letter], before[i] / 4)
    for i in reversed(range(length)):
        after[i] = after[i + 1][step].mean(1)
    within = np.einsum("is,isa->ia", before[:-1], after[1:][:, step]) / 4
    p = float(after[0, 0])
    log_numbers = length * math.log(4) + np.array([math.log(p), math.log1p(-p)])
    frequencies = np.stack([within / p, (0.25 - within) / (1 - p)])
    return Levels(np.array([True, False]), np.array([0.0, 1.0]), log_numbers, frequencies)


def next_states(word):
    """Return the state of a word's automaton after a letter, shape [k + 1, 4]: the longest start of it just read."""
    k = len(word)
    step = np.full((k + 1, 4), k)
    for state in range(k):
        for letter in range(4):
            read = (*word[:state], letter)
            step[state, letter] = max(n for n in range(state + 2) if read[len(read) - n :] == word[:n])
    return step


SIX, EIGHT, TEN = (0, 2, 0, 1, 1, 0), (0, 1, 0, 2, 3, 1, 0, 2), (0, 1, 2, 0, 1, 2, 0, 1, 2, 0)
TRAPS: list[Trap] = [
    *(
        Motif(length, share, motif, most)
        for length in (20, 40)
        for motif in (8, 10, 12, 16, 20)
        for most in (1, 2, 3)
        for share in (0.1, 0.4, 0.9, 0.999)
    ),
    *(Motif(20, 0.9, 14, most) for most in (1, 2)),
    *(Motif(20, share, 12, 1, graded=True) for share in (0.9, 0.3, 0.05, 0.02, 0.005, 1e-3, 1e-4)),
    *(Two(length, share, k, 0.1) for length, k in ((20, 8), (20, 12), (40, 10)) for share in (0.1, 0.5, 0.9)),
    *(Anywhere(8, share, (0, 2, 1, 1, 0), most) for most in (1, 2) for share in (0.4, 0.9)),
    *(Anywhere(9, share, (0, 0, 1, 0), most) for most in (1, 2) for share in (0.4, 0.9)),
    *(Anywhere(20, share, word) for word in (SIX, EIGHT, TEN) for share in (0.1, 0.4, 0.9)),
    *(Anywhere(40, share, word) for word in (EIGHT, TEN) for share in (0.4, 0.9)),
]  # fmt: skip
# Twelve that cover every family.
QUICK = (
    "motif-20-8-1-0.9", "motif-20-12-1-0.9", "motif-20-12-1-0.999", "motif-20-20-1-0.4", "motif-20-12-2-0.4",
    "motif-20-16-3-0.9", "motif-40-10-1-0.1", "graded-20-12-1-0.9", "graded-20-12-1-0.001", "two-20-8-0.1-0.5",
    "anywhere-8-AGCCA-1-0.9", "anywhere-20-ACAGTCAG-1-0.9",
)  # fmt: skip
