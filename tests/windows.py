"""What the rules that move a window propose, from their definition, and problems whose alphabets have complements."""

import dataclasses
import itertools

import numpy as np

import exact
import jaxmaxent as jme
from jaxmaxent.testing import ProposalTable
from problems import Problem

# Each letter with its complement; of three letters one is its own.
ALPHABETS = {
    2: jme.Alphabet("01", complements="10"),
    3: jme.Alphabet("ABC", complements="BAC"),
    4: jme.DNA,
    20: jme.Alphabet("ACDEFGHIKLMNPQRSTVWY", complements="CAEDGFIHLKNMQPSRVTYW"),
}


@dataclasses.dataclass(frozen=True)
class Complemented(Problem):
    """A problem whose alphabet has complements."""

    @property
    def alphabet(self):
        return ALPHABETS[self.letters]


def windows_of(most, problem):
    """The probability of every window, the start of the edit that holds it, and its movable positions."""
    most = min(most, problem.length)
    for width in range(2, most + 1):
        for first in range(problem.length - width + 1):
            free = [i for i in problem.movable if first <= i < first + width]
            yield 1 / (most - 1) / (problem.length - width + 1), min(first, problem.length - most), free


def to(moved, problem):
    """The matrix of a proposal that is certain, [S, S]."""
    return exact.one_hot(exact.index_of(moved, problem.letters), len(problem.states))


def rotated(problem, free):
    """The movable positions as a ring, by each of its rotations but that of 0 alike; as they are if there is none."""
    matrix = np.zeros((len(problem.states),) * 2)
    amounts = range(1, len(free)) if len(free) > 1 else [0]
    for amount in amounts:
        moved = problem.states.copy()
        moved[:, free] = np.roll(problem.states[:, free], amount, axis=1)
        matrix += to(moved, problem) / len(amounts)
    return matrix


def turned(problem, free):
    """The movable positions, in order, reversed and complemented."""
    moved = problem.states.copy()
    moved[:, free] = problem.alphabet.complement(problem.states[:, free])[:, ::-1]
    return to(moved, problem)


def rotation(most, problem):
    return _tables(rotated, most, problem)


def reverse_complement(most, problem):
    return _tables(turned, most, problem)


def _tables(moved, most, problem):
    """One table per start of the edit, the average over the windows that it holds."""
    every = sorted(windows_of(most, problem), key=lambda window: window[1])
    for start, some in itertools.groupby(every, key=lambda window: window[1]):
        held = [(share, moved(problem, free)) for share, _, free in some]
        total = sum(share for share, _ in held)
        matrix = sum(share * matrix for share, matrix in held) / total
        yield ProposalTable(total, (start,), min(most, problem.length), matrix)
