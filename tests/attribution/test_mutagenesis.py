import importlib

import numpy as np

import exact
import jaxmaxent as jme
from jaxmaxent.attribution import loss_of_letters, mutagenesis
from problems import Problem, toy_features

WEIGHTS = exact.toy_weights(4, 4, 4)
HEAD = np.random.default_rng(5).normal(size=(5, 2))
NETWORK = jme.Representation(toy_features, WEIGHTS, HEAD)
TOKENS = Problem(length=4).states[[1, 60, 200]].astype(np.uint8)


def by_brute_force():
    def output(tokens):
        return exact.toy_features(WEIGHTS, exact.one_hot(tokens, 4)) @ (HEAD[:, 1] - HEAD[:, 0])

    changes = np.empty((3, 4, 4))
    for s, position, letter in np.ndindex(3, 4, 4):
        mutant = TOKENS[s].copy()
        mutant[position] = letter
        changes[s, position, letter] = output(mutant) - output(TOKENS[s])
    return changes


def test_every_mutant_by_brute_force(x64):
    wanted = by_brute_force()
    for chunk in (1, 7, 128):
        found = mutagenesis(NETWORK, TOKENS, chunk=chunk)
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        assert not found[np.eye(4, dtype=bool)[TOKENS]].any()


def test_the_network_is_evaluated_3L_plus_1_times_a_sequence(monkeypatch):
    module = importlib.import_module("jaxmaxent.attribution._mutagenesis")
    evaluated, original = [], module._outputs

    def counted(*arguments):
        evaluated.append(len(arguments[-1]))
        return original(*arguments)

    monkeypatch.setattr(module, "_outputs", counted)
    mutagenesis(NETWORK, TOKENS, chunk=12)
    assert sum(evaluated) == 3 * (3 * 4 + 1)
    assert max(evaluated) <= 12


def test_loss_of_letters_is_the_output_above_its_mean_over_the_letters():
    np.testing.assert_allclose(loss_of_letters(by_brute_force()), -by_brute_force().sum(-1) / 4, atol=1e-15)
