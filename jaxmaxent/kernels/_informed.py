"""Single-site proposals informed by the gradient of the energy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jaxmaxent.ensembles import Ensemble, Field
from jaxmaxent.evaluate import Edit, read, write
from jaxmaxent.kernels._metropolis import State, Unlearned
from jaxmaxent.kernels._rule_dataclass import rule_dataclass
from jaxmaxent.kernels._site import BINARY_LAZINESS


@rule_dataclass
class Informed(Unlearned):
    """A position and a letter by the gradient of log p(x), both drawn for each chain.

    Another letter a at a position i is proposed in proportion to exp(½ d[i, a]), where d is the change of
    log p(x) to first order in the one-hot. The half is the locally balanced choice g(t) = √t (Zanella, J Am Stat
    Assoc 115: 852–865, 2020); the gradient stands for all differences as in Gibbs-with-gradients (Grathwohl, Swersky,
    Hashemi, Duvenaud & Maddison, ICML 2021). The fields' part of d is not approximate.

    The rule needs an evaluator whose cache and patch have a `gradient`, such as `GradientEvaluator`. Chains do not
    share their positions, so a step costs a forward and a backward pass of the whole network.

    Example:
        ```python
        run = sample(key, ensemble, rule=Informed())
        ```
    """

    needs_gradient = True

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> tuple[()]:
        """Return nothing: the position depends on the chain."""
        del key, ensemble
        return ()

    def what(self, drawn: Key[Array, ""], state: State, where: tuple[()], ensemble: Ensemble) -> Edit:
        """Draw a movable position and another letter there, in proportion to exp(½ d)."""
        del where
        letters = len(ensemble.alphabet)
        key_choice, key_stay = jax.random.split(drawn)
        half = _half_changes(state.tokens, _gradient_of(state.cache), ensemble)
        choice = jax.random.categorical(key_choice, _to_others(half, state.tokens, ensemble).ravel(), shape=(1,))
        start, letter = choice // letters, (choice % letters)[:, None].astype(state.tokens.dtype)
        if letters == 2:
            stay = jax.random.bernoulli(key_stay, BINARY_LAZINESS, (1, 1))
            letter = jnp.where(stay, read(state.tokens, start, 1), letter)
        return Edit(start.astype(ensemble.movable.dtype), letter)

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """Return log q(current | edited) − log q(edited | current), each by the gradient at its own start."""

        def log_q(tokens: Array, gradient: Array, letter: Array) -> Array:
            half = _half_changes(tokens, gradient, ensemble)
            return half[edit.starts[0], letter[0, 0]] - jax.nn.logsumexp(_to_others(half, tokens, ensemble))

        back = log_q(write(state.tokens, edit), _gradient_of(patch), read(state.tokens, edit.starts, 1))
        return back - log_q(state.tokens, _gradient_of(state.cache), edit.letters)


def _gradient_of(evaluated: Any) -> Float[Array, "length letters"]:
    if not hasattr(evaluated, "gradient"):
        raise ValueError(
            "evaluator must be an evaluator that gives gradients, such as GradientEvaluator, for the rule Informed, "
            "got another"
        )
    return evaluated.gradient


def _half_changes(
    tokens: Int[Array, " length"], gradient: Float[Array, "length letters"], ensemble: Ensemble
) -> Float[Array, "length letters"]:
    """Return ½ d[i, a]: half the first-order change of log p(x) when a is written at i; 0 at the current letters."""
    slope = -ensemble.beta * gradient
    for field, mu in zip(ensemble.fields, ensemble.mu(), strict=True):
        slope = slope + mu * _counts_with(field, tokens)
    return (slope - jnp.take_along_axis(slope, tokens[:, None], axis=1)) / 2


def _counts_with(field: Field, tokens: Int[Array, " length"]) -> Float[Array, "length letters"]:
    """Return the contribution of each letter at each position to N(x), with the other letters as they are.

    N is linear in the letter of any one position, so the differences are exact.
    """
    added = jnp.broadcast_to(field.unary, (tokens.shape[0], field.unary.shape[-1]))
    if field.pair is not None:
        after, before = field.pair[tokens[:-1]], field.pair.T[tokens[1:]]
        added = added + jnp.pad(after, ((1, 0), (0, 0))) + jnp.pad(before, ((0, 1), (0, 0)))
    return added


def _to_others(
    half: Float[Array, "length letters"], tokens: Int[Array, " length"], ensemble: Ensemble
) -> Float[Array, "length letters"]:
    """Return the logits of all changes: −inf for current letters and fixed positions."""
    movable = ensemble.moves(jnp.arange(half.shape[0]))
    current = jax.nn.one_hot(tokens, half.shape[1], dtype=bool)
    return jnp.where(movable[:, None] & ~current, half, -jnp.inf)
