"""Exact answers of the traps, by counting: against all 4^L sequences, whose energies come from the ensemble."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import exact

# Behind all others: some files there have the names of files of tests.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import trap_ensembles
from trap_ensembles import QUICK, TRAPS, Anywhere, Motif, Two

TINY = [
    Motif(6, 0.9, 4, 1),
    Motif(6, 0.4, 4, 2),
    Motif(7, 0.1, 5, 3),
    Motif(5, 0.9, 5, 2),
    Motif(7, 0.6, 4, 1, graded=True),
    Motif(6, 0.05, 3, 2, graded=True),
    Two(6, 0.5, 4, 0.1),
    Two(7, 0.9, 6, 0.3),
    Two(5, 0.1, 5, 0.05),
    Anywhere(6, 0.9, (0, 2, 1)),
    Anywhere(7, 0.5, (0, 0, 1, 0), 2),
    Anywhere(5, 0.7, (2, 2, 2), 3),
]


def holds(trap, states):
    """Return the mask of the sequences [states] with the motif."""
    if isinstance(trap, Anywhere):
        k = len(trap.word)
        return np.any([(states[:, o : o + k] == trap.word).all(1) for o in range(trap.length - k + 1)], axis=0)
    return (states[:, : trap.motif] == trap.anchor[: trap.motif]).all(1)


@pytest.mark.parametrize("trap", TINY, ids=lambda trap: trap.name)
def test_counting_agrees_with_enumeration(trap):
    states = exact.states(trap.length, 4)
    with jax.enable_x64(True):
        energies = np.asarray(jax.jit(jax.vmap(trap.ensemble().energy))(states), np.float64)
    for beta in (0.0, 1.3, trap.beta):
        p = exact.distribution(-beta * energies)
        found = trap.exact(beta)
        # The parameters are in single precision, and so is a floor of 0.1.
        np.testing.assert_allclose(found.log_z, exact.log_partition(-beta * energies), rtol=0, atol=1e-5)
        np.testing.assert_allclose(found.energy, p @ energies, rtol=0, atol=1e-6)
        np.testing.assert_allclose(found.frequencies, exact.letter_frequencies(p, states, 4), rtol=0, atol=1e-6)
        np.testing.assert_allclose(found.share, p[holds(trap, states)].sum(), rtol=0, atol=1e-6)
    assert abs(trap.exact(trap.beta).share - trap.share) < 1e-9


@pytest.mark.parametrize("word", [(0, 2, 1), (0, 0, 1, 0), (2, 2, 2), (0, 1, 0, 1)], ids=str)
@pytest.mark.parametrize("length", [4, 7])
def test_a_words_automaton_agrees_with_enumeration(word, length):
    for counted, listed in zip(
        trap_ensembles.contained(length, word), trap_ensembles.enumerated(length, word, 1), strict=True
    ):
        np.testing.assert_allclose(counted, listed, rtol=1e-12)


def test_the_share_of_an_offset_is_that_of_its_sequences():
    trap = Anywhere(6, 0.9, (0, 2, 0))
    states = exact.states(6, 4)
    least = np.min([(states[:, o : o + 3] != trap.word).sum(1) for o in range(4)], axis=0)
    p = exact.distribution(-trap.beta * np.minimum(least, 1))
    for offset in range(4):
        there = (states[:, offset : offset + 3] == trap.word).all(1)
        assert p[there].sum() == pytest.approx(trap.share_at_offset(trap.beta), abs=1e-12)


def test_a_long_trap_that_needs_more_than_the_automaton_is_refused():
    with pytest.raises(ValueError, match="most must be 1 for more than"):
        Anywhere(12, 0.9, (0, 2, 1), 2).count()


def test_every_trap_has_a_name_of_its_own_and_the_share_that_it_says():
    names = [trap.name for trap in TRAPS]
    assert len(set(names)) == len(names)
    assert len(QUICK) == len(set(QUICK)) == 12
    assert set(QUICK) < set(names)
    for trap in TRAPS:
        found = trap.exact(trap.beta)
        assert abs(found.share - trap.share) < 1e-6
        np.testing.assert_allclose(found.frequencies.sum(1), 1, rtol=1e-9)
        assert trap.watched.shape == (trap.length, 4)
        assert trap.watched.any()
        np.testing.assert_allclose(np.logaddexp.reduce(trap.levels.log_numbers), trap.length * np.log(4), rtol=1e-12)
