"""The conformance checks of a rule."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, Evaluator, FullEvaluator, GradientEvaluator
from jaxmaxent.kernels import Metropolis, Rule, build
from jaxmaxent.testing._enumeration import distribution, enumerate_states, numbers_of
from jaxmaxent.testing._programs import check_counts, tolerance, traced_once
from jaxmaxent.testing._proposals import ProposalTable, log_ratios


def check_rule(
    rule: Rule,
    ensemble: Ensemble,
    tables: Sequence[ProposalTable] | None = None,
    *,
    evaluator: Callable[[Ensemble], Evaluator] | None = None,
    draws: int = 20_000,
    seed: int = 0,
) -> None:
    """Check that a rule has the right form, is compiled once, and leaves an ensemble invariant.

    Exact draws from the ensemble must still follow it after a step. This is checked at the β of the ensemble and at
    half of it. If tables of the rule's proposals are given, its draws must follow the tables, and the transition matrix
    P of its kernel must satisfy πP = π and detailed balance: to 1e-10 in double precision (`jax.enable_x64`).

    Args:
        rule: the rule. For a rule that learns, give the result of its `at`.
        ensemble: a small ensemble of one anchor, such as one of 4 positions and 4 letters.
        tables: the rule's proposals, one table for each value of the choice that all chains share; None for a mixture.
        evaluator: a function that makes the evaluator of an ensemble; None means `GradientEvaluator` for a rule that
            needs the gradient, else `FullEvaluator`.
        draws: the number of draws for each comparison of counts.
        seed: the seed of the draws.

    Raises:
        AssertionError: if the rule fails a check.
        ValueError: if the ensemble is too large to be enumerated.

    Example:
        ```python
        check_rule(MyRule(), Ensemble.create(network, "ACGT", beta=1.0))
        ```
    """
    make = evaluator or (GradientEvaluator if rule.needs_gradient else FullEvaluator)
    jax.eval_shape(lambda: check_form(rule, ensemble, make))
    _check_steps(rule, ensemble, make, draws, seed)
    if tables is None:
        return
    shares = sum(table.probability for table in tables)
    assert abs(shares - 1) < 1e-9, f"the probabilities of tables must sum to 1, got {shares}"
    _check_draws(rule, ensemble, tables, make, draws, seed)
    matrix, target = transition_matrix(rule, ensemble, tables, evaluator=make), distribution(ensemble)
    close = tolerance(ensemble.beta.dtype)
    np.testing.assert_allclose(target @ matrix, target, rtol=0, atol=close, err_msg="πP is not π")
    flow = target[:, None] * matrix
    np.testing.assert_allclose(flow, flow.T, rtol=0, atol=close, err_msg="no detailed balance")


def transition_matrix(
    rule: Rule,
    ensemble: Ensemble,
    tables: Sequence[ProposalTable],
    *,
    evaluator: Callable[[Ensemble], Evaluator] | None = None,
) -> Float[np.ndarray, "states states"]:
    """Return the transition matrix of a rule's kernel over `enumerate_states`.

    Entry [x, y] is the probability of a step from state x to state y. The tables give the probabilities of proposals,
    the kernel those of acceptance.

    Args:
        rule: the rule. For a rule that learns, give the result of its `at`.
        ensemble: a small ensemble of one anchor.
        tables: the rule's proposals, one table for each value of the choice that all chains share.
        evaluator: a function that makes the evaluator of an ensemble; None means `GradientEvaluator` for a rule that
            needs the gradient, else `FullEvaluator`.

    Example:
        ```python
        matrix = transition_matrix(rule, ensemble, tables)
        np.testing.assert_allclose(distribution(ensemble) @ matrix, distribution(ensemble), atol=1e-10)
        ```
    """
    make = evaluator or (GradientEvaluator if rule.needs_gradient else FullEvaluator)
    (ratios,) = log_ratios(ensemble, make, [rule], [tables])
    matrix = np.zeros(ratios.shape[1:])
    for table, ratio in zip(tables, ratios, strict=True):
        matrix += table.probability * table.matrix * np.exp(np.minimum(ratio, 0))
    matrix[np.diag_indices_from(matrix)] += 1 - matrix.sum(1)
    return matrix


def check_form(rule: Rule, ensemble: Ensemble, make: Callable[[Ensemble], Evaluator]) -> Array:
    """Check shapes and types of a step; nothing is computed under `jax.eval_shape`."""
    kernel = build(rule, ensemble, make(ensemble))
    key, state = jax.random.key(0), kernel.init(ensemble.anchor)
    if isinstance(kernel, Metropolis):
        where = kernel.where(key)
        edit = rule.what(rule.draw(key, where, ensemble), state, where, ensemble)
        chex.assert_rank([edit.starts, edit.letters], [1, 2])
        chex.assert_equal_shape_prefix([edit.starts, edit.letters], 1)
        chex.assert_type(edit.starts, int)
        chex.assert_type(edit.letters, state.tokens.dtype)
        _, patch = kernel.evaluator.propose(kernel.cache_of(state), edit)
        correction = rule.correction(state, edit, patch, ensemble)
        chex.assert_shape(correction, ())
        chex.assert_type(correction, ensemble.beta.dtype)
    moved, info = kernel.step(key, state)
    chex.assert_trees_all_equal_shapes_and_dtypes(moved, state)
    chex.assert_shape([info.accepted, info.log_ratio, info.proposed_energy], ())
    chex.assert_equal_shape([info.proposed, state.tokens])
    return moved.energy


def _check_steps(rule: Rule, ensemble: Ensemble, make: Callable[[Ensemble], Evaluator], draws: int, seed: int) -> None:
    """Check that draws from the ensemble still follow it after a step, and that all β use one program."""

    @traced_once
    def step(ensemble: Ensemble, rule: Any, tokens: Array, keys: Array) -> Array:
        kernel = build(rule, ensemble, make(ensemble))
        return jax.vmap(lambda tokens, key: kernel.step(key, kernel.init(tokens))[0].tokens)(tokens, keys)

    states, rng = enumerate_states(ensemble).astype(np.int32), np.random.default_rng(seed)
    for number, beta in enumerate((ensemble.beta, ensemble.beta / 2)):
        one = ensemble.with_beta(beta)
        target = distribution(one)
        tokens = jnp.asarray(states[rng.choice(len(states), draws, p=target)])
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), number), draws)
        moved = numbers_of(np.asarray(step(one, rule, tokens, keys)), len(ensemble.alphabet))
        seen = np.bincount(moved, minlength=len(states)).astype(float)
        check_counts(f"draws after a step at β = {float(beta):g} must follow the ensemble", seen, draws * target)


def _check_draws(
    rule: Rule,
    ensemble: Ensemble,
    tables: Sequence[ProposalTable],
    make: Callable[[Ensemble], Evaluator],
    draws: int,
    seed: int,
) -> None:
    """Check that the draws of a rule follow its tables, at the anchor and at the last possible sequence."""

    @traced_once
    def draw(rule: Any, tokens: Array, keys: Array) -> Edit:
        return proposed(rule, ensemble, make, tokens, keys)

    states, letters = enumerate_states(ensemble), len(ensemble.alphabet)
    # The anchor is one of the two, because there the gradient is defined as 0.
    for number, tokens in enumerate([np.asarray(ensemble.anchor), states[distribution(ensemble) > 0][-1]]):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), number), draws)
        edit = jax.tree.map(np.asarray, draw(rule, jnp.asarray(tokens, jnp.int32), keys))
        edited = edited_by(tokens, edit)
        shared = tables[0].starts is not None
        value = [[table.starts for table in tables].index(tuple(row)) for row in edit.starts.tolist()] if shared else 0
        x = int(numbers_of(tokens, letters))
        expected = draws * np.array([table.probability * table.matrix[x] for table in tables])
        seen = np.zeros_like(expected)
        np.add.at(seen, (value, numbers_of(edited, letters)), 1)  # pyright: ignore[reportArgumentType]
        check_counts(f"proposals at {tokens.tolist()} must follow the tables", seen.ravel(), expected.ravel())


def proposed(rule: Any, ensemble: Ensemble, make: Callable[[Ensemble], Evaluator], tokens: Array, keys: Array) -> Edit:
    """Return one proposal of a rule per key, from one state."""
    kernel = Metropolis(ensemble, make(ensemble), rule)
    state = kernel.init(tokens)

    def one(key: Array) -> Edit:
        key_where, key_what = jax.random.split(key)
        where = kernel.where(key_where)
        return rule.what(rule.draw(key_what, where, ensemble), state, where, ensemble)

    return jax.vmap(one)(keys)


def edited_by(tokens: np.ndarray, edits: Edit) -> np.ndarray:
    """Return a sequence after each of several edits, shape [edits, length]."""
    starts, letters = np.asarray(edits.starts), np.asarray(edits.letters)
    edited = np.tile(tokens, (len(starts), 1))
    for part, i in itertools.product(range(starts.shape[1]), range(letters.shape[2])):
        edited[np.arange(len(starts)), starts[:, part] + i] = letters[:, part, i]
    return edited
