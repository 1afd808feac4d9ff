"""The conformance checks of an evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, Evaluator, write
from jaxmaxent.testing._enumeration import enumerate_states
from jaxmaxent.testing._programs import tolerance, traced_once


def check_evaluator(evaluator: Callable[[Ensemble], Evaluator], ensemble: Ensemble) -> None:
    """Check that an evaluator gives the energy of every sequence, before and after every edit of one letter.

    After `commit`, accepted or not, the cache must equal the cache that `init` makes from the same sequence: exactly in
    type and shape, and up to rounding in value. Half of the edits are accepted. All chains share the position of an
    edit, as in a run. The evaluator is made inside the compiled program, which is compiled once for all β.

    Args:
        evaluator: a function that makes the evaluator of an ensemble, such as `FullEvaluator`.
        ensemble: a small ensemble of one anchor, such as one of 4 positions and 4 letters.

    Raises:
        AssertionError: if the evaluator fails a check.
        ValueError: if the ensemble is too large to be enumerated.

    Example:
        ```python
        check_evaluator(IncrementalEvaluator, Ensemble.create(network, "ACGT", beta=1.0))
        ```
    """

    @traced_once
    def every(ensemble: Ensemble, site: Array, tokens: Array, letters: Array, accept: Array) -> Any:
        made = evaluator(ensemble)

        def one(tokens: Array, letter: Array, accept: Array) -> Any:
            edit = Edit(site[None], letter[None, None])
            energy, cache = made.init(tokens)
            proposed, patch = made.propose(cache, edit)
            kept = made.commit(cache, patch, accept)
            chex.assert_shape([energy, proposed], ())
            chex.assert_type([energy, proposed], ensemble.reference.dtype)
            chex.assert_trees_all_equal_shapes_and_dtypes(kept, cache)
            edited = write(tokens, edit)
            again = made.init(jnp.where(accept, edited, tokens))[1]
            return (energy, ensemble.energy(tokens)), (proposed, ensemble.energy(edited)), (kept, again)

        return jax.vmap(one)(tokens, letters, accept)

    states = enumerate_states(ensemble).astype(np.int32)
    accept = np.random.default_rng(0).random(len(states)) < 0.5
    close = tolerance(ensemble.reference.dtype)
    what = ("the energy of init", "the energy of propose", "the cache after commit")
    for number, site in enumerate(np.asarray(ensemble.movable)):
        shift = 1 + number % (len(ensemble.alphabet) - 1)
        letters = (states[:, site] + shift) % len(ensemble.alphabet)
        one = ensemble.with_beta(ensemble.beta + number)
        for name, (found, expected) in zip(what, every(one, site, states, letters, accept), strict=True):
            jax.tree.map(
                lambda a, b, name=name: np.testing.assert_allclose(a, b, rtol=close, atol=close, err_msg=name),
                found,
                expected,
            )
