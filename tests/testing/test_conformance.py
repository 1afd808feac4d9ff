"""The public checks: what is right passes, and each kind of mistake is found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.evaluate import Edit, FullEvaluator, GradientEvaluator, IncrementalEvaluator
from jaxmaxent.kernels import Site, rule_dataclass
from jaxmaxent.testing import (
    ProposalTable,
    check_evaluator,
    check_rule,
    distribution,
    enumerate_states,
    transition_matrix,
)
from jaxmaxent.testing._programs import chi_square, traced_once
from problems import PROBLEMS, Problem

EVALUATORS = {"full": FullEvaluator, "gradient": GradientEvaluator, "incremental": IncrementalEvaluator}


@pytest.mark.parametrize("name", PROBLEMS)
def test_ensembles_are_enumerated_as_the_oracle_does(name, x64):
    problem = PROBLEMS[name]
    ensemble = problem.ensemble()
    np.testing.assert_array_equal(enumerate_states(ensemble), problem.states)
    np.testing.assert_allclose(distribution(ensemble), problem.distribution(), rtol=0, atol=1e-12)


def test_large_ensembles_are_not_enumerated():
    ensemble = jme.Ensemble.create(lambda x: x.sum(0), "ACGTACG", beta=1.0)
    with pytest.raises(ValueError, match=r"at most 8,192 sequences to be enumerated, got 4\^7"):
        enumerate_states(ensemble)


@pytest.mark.parametrize("name", ["dna-fields", "dna-fixed", "binary"])
@pytest.mark.parametrize("way", EVALUATORS)
def test_evaluators_pass(way, name, x64):
    check_evaluator(EVALUATORS[way], PROBLEMS[name].ensemble())


class Slanted(FullEvaluator):
    """Energies of proposals that are off."""

    def propose(self, cache, edit):
        energy, patch = super().propose(cache, edit)
        return energy + 1e-6, patch


class Eager(FullEvaluator):
    """Commits what was refused."""

    def commit(self, cache, patch, accept):
        return super().commit(cache, patch, jnp.array(True))


class Narrow(FullEvaluator):
    """A cache whose type changes."""

    def commit(self, cache, patch, accept):
        return super().commit(cache, patch, accept).astype(jnp.int16)


class Vectorial(FullEvaluator):
    """An energy with an axis."""

    def init(self, tokens):
        energy, cache = super().init(tokens)
        return energy[None], cache


@pytest.mark.parametrize(
    ("evaluator", "said"),
    [
        (Slanted, "the energy of propose"),
        (Eager, "the cache after commit"),
        (Narrow, "dtype"),
        (Vectorial, "shape"),
    ],
)
def test_wrong_evaluators_are_found(evaluator, said, x64):
    with pytest.raises(AssertionError, match=said):
        check_evaluator(evaluator, Problem().ensemble())


def tables_of_site(problem, ensemble):
    """The tables of `Site` for an alphabet of more than two letters."""
    states, movable = enumerate_states(ensemble), np.asarray(ensemble.movable)
    for i in movable:
        elsewhere = np.delete(states, i, axis=1)
        same = (elsewhere[:, None] == elsewhere[None]).all(-1) & (states[:, None, i] != states[None, :, i])
        yield ProposalTable(1 / len(movable), (int(i),), 1, same / (problem.letters - 1))


def test_a_rule_passes_in_single_precision_too():
    problem = Problem(mus=(0.4,))
    ensemble = problem.ensemble()
    tables = list(tables_of_site(problem, ensemble))
    check_rule(Site(), ensemble, tables, draws=5000)
    matrix = transition_matrix(Site(), ensemble, tables)
    expected = exact.metropolis_matrix(problem.log_weights(), problem.states, 4, problem.movable)
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-5)


@rule_dataclass
class Uncorrected(Site):
    """Proposes the letter 0 half of the time, and takes that for symmetric."""

    def draw(self, key, where, ensemble):
        return super().draw(key, where, ensemble), jax.random.bernoulli(key, 0.5)

    def what(self, drawn, state, where, ensemble):
        own, leaning = drawn
        edit = super().what(own, state, where, ensemble)
        return Edit(where, jnp.where(leaning, 0, edit.letters))


@rule_dataclass
class Overcorrected(Site):
    def correction(self, state, edit, patch, ensemble):
        return jnp.full((), 0.3, ensemble.beta.dtype)


@rule_dataclass
class Flat(Site):
    def what(self, drawn, state, where, ensemble):
        edit = super().what(drawn, state, where, ensemble)
        return Edit(edit.starts, edit.letters.astype(jnp.int16))


@rule_dataclass
class Scalar(Site):
    def correction(self, state, edit, patch, ensemble):
        return jnp.zeros((1,), ensemble.beta.dtype)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Uncorrected(), "must follow the ensemble"),
        (Overcorrected(), "must follow the ensemble"),
        (Flat(), "int16"),
        (Scalar(), "shape"),
    ],
)
def test_wrong_rules_are_found(rule, said, x64):
    with pytest.raises(AssertionError, match=said):
        check_rule(rule, Problem(beta=1.0).ensemble())


def test_tables_that_are_not_those_of_the_rule_are_found(x64):
    problem = Problem()
    ensemble = problem.ensemble()
    tables = list(tables_of_site(problem, ensemble))
    with pytest.raises(AssertionError, match="probabilities of tables must sum to 1"):
        check_rule(Site(), ensemble, tables[:2])
    first, second, third = tables
    uneven = [
        ProposalTable(0.3, first.starts, 1, first.matrix),
        ProposalTable(0.4, second.starts, 1, second.matrix),
        ProposalTable(0.3, third.starts, 1, third.matrix),
    ]
    with pytest.raises(AssertionError, match="must follow the tables"):
        check_rule(Site(), ensemble, uneven)


def test_programs_are_traced_once():
    @traced_once
    def double(x):
        return x * 2

    assert double(jnp.ones(2))[0] == double(jnp.zeros(2))[0] + 2
    with pytest.raises(AssertionError, match="is traced > 1 times"):
        double(jnp.ones(3))


def test_counts_where_nothing_is_expected_are_impossible():
    assert chi_square(np.array([50.0, 1.0]), np.array([51.0, 0.0])) == 0
    assert chi_square(np.array([50.0, 50.0]), np.array([50.0, 50.0])) == 1
    assert chi_square(np.array([51.0, 0.0]), np.array([51.0, 0.0])) == 1
