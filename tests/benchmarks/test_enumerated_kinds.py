"""Exact answers of the kinds of ensembles, against the oracle of the tests and the weights of the ensemble itself."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import exact

# Behind all others: some files there have the names of files of tests.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from enumerated_kinds import KINDS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_answers_agree_with_the_weights_of_the_ensemble(kind):
    length, letters = len(kind.anchor), len(kind.alphabet)
    assert 4**4 <= letters**length <= 20**3
    states = exact.states(length, letters)
    with jax.enable_x64(True):
        ensemble = kind.ensemble()
        energies = np.asarray(jax.jit(jax.vmap(ensemble.energy))(states), np.float64)
        counted = [np.asarray(jax.vmap(field_counts(ensemble))(states), np.float64)] if kind.mu is not None else []
    allowed = exact.allowed_states(states, kind.anchor, kind.movable)
    assert energies[exact.index_of(kind.anchor, letters)] == 0
    assert np.unique(energies).size > 1
    for beta in (0.0, kind.beta / 3, kind.beta):
        log_weights = -beta * energies + sum(kind.mu * count for count in counted)
        p, found = exact.distribution(log_weights, allowed), kind.exact(beta)
        np.testing.assert_allclose(found.energy, p @ energies, rtol=1e-6)
        np.testing.assert_allclose(found.log_z, exact.log_partition(log_weights, allowed), rtol=1e-6)
        np.testing.assert_allclose(found.frequencies, exact.letter_frequencies(p, states, letters), rtol=0, atol=1e-6)


def field_counts(ensemble):
    return lambda tokens: ensemble.counts(tokens)[0]


def test_kinds_have_names_of_their_own():
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 12
    shares = {kind.name: kind.exact(kind.beta).energy for kind in KINDS if kind.name.startswith("needle")}
    assert shares == pytest.approx({"needle-0.1": 0.9, "needle-0.5": 0.5, "needle-0.9": 0.1, "needle-0.99": 0.01})
