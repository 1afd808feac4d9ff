"""A random choice between rules at every step, the same for all chains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Evaluator, FullEvaluator, GradientEvaluator, IncrementalEvaluator
from jaxmaxent.kernels._metropolis import Info, Kernel, Metropolis, Rule, State
from jaxmaxent.kernels._rule_dataclass import rule_dataclass


@rule_dataclass
class Mixture:
    """Rules and how often each is taken. Make one with `Mixture.create`.

    A mixture of kernels that leave the ensemble invariant leaves it invariant, as the choice looks at no chain. One
    rule of it that reaches every sequence is enough for the mixture to do so.

    Attributes:
        rules: the rules.
        probabilities: of each, shape [rules]; they sum to 1.
    """

    rules: tuple[Any, ...]
    probabilities: Float[Array, " rules"]

    @classmethod
    def create(cls, rules: Sequence[Rule], weights: Sequence[float] | None = None) -> Mixture:
        """The mixture of some rules, in proportion to `weights`; each as often as the others if None.

        Raises:
            ValueError: if there are no rules, or not a positive weight for each.
        """
        if not rules:
            raise ValueError("rules must hold at least one rule, got none")
        shares = np.ones(len(rules)) if weights is None else checks.finite_array("weights", weights)
        if shares.shape != (len(rules),) or (shares <= 0).any():
            raise ValueError(
                f"weights must hold {len(rules)} positive numbers, one a rule, got {checks.shown(weights)}"
            )
        return cls(tuple(rules), jnp.asarray(shares / shares.sum(), float))

    @property
    def needs_gradient(self) -> bool:
        """Whether one of the rules needs it; then every step pays for it."""
        return any(rule.needs_gradient for rule in self.rules)

    def prepare(self, ensemble: Ensemble, rungs: int) -> Mixture:
        """The mixture as the warm-up begins."""
        return Mixture(tuple(rule.prepare(ensemble, rungs) for rule in self.rules), self.probabilities)

    def learn(self, frequencies: Float[Array, "anchors rungs length letters"], ensemble: Ensemble) -> Mixture:
        """The mixture after the warm-up."""
        return Mixture(tuple(rule.learn(frequencies, ensemble) for rule in self.rules), self.probabilities)

    def at(self, anchor: Any, rung: Any) -> Mixture:
        """The mixture of the chains of one anchor at one rung."""
        return Mixture(tuple(rule.at(anchor, rung) for rule in self.rules), self.probabilities)


class MixtureKernel(NamedTuple):
    """The kernel of a mixture: a switch between the kernels of its rules, on a number that all chains share."""

    kernels: tuple[Metropolis, ...]
    probabilities: Float[Array, " rules"]

    def init(self, tokens: Int[Array, " length"]) -> State:
        """The state of a chain that starts at `tokens`."""
        return self.kernels[0].init(tokens)

    def step(self, key: Key[Array, ""], state: State) -> tuple[State, Info]:
        """One step with a choice and positions of its own."""
        key_where, key_what = jax.random.split(key)
        return self.move(key_what, state, self.where(key_where))

    def where(self, key: Key[Array, ""]) -> Any:
        """Which rule, and what all chains share under each of them."""
        key_rule, *keys = jax.random.split(key, 1 + len(self.kernels))
        chosen = jax.random.choice(key_rule, len(self.kernels), p=self.probabilities)
        return chosen, tuple(kernel.where(k) for kernel, k in zip(self.kernels, keys, strict=True))

    def move(self, key: Key[Array, ""], state: State, where: Any) -> tuple[State, Info]:
        """One step of one chain under the chosen rule."""
        chosen, wheres = where
        nothing = jnp.zeros((), bool), jnp.zeros_like(state.energy), jnp.zeros_like(state.energy)
        carried = state, Info(*nothing, jnp.zeros_like(state.tokens))
        for number, (kernel, mine) in enumerate(zip(self.kernels, wheres, strict=True)):

            def step(again: Array, before: tuple[State, Info], kernel: Kernel = kernel, mine: Any = mine) -> Any:
                # The barrier keeps the compiler from doing ahead of the loop what does not depend on the state.
                its_key, its_where, _ = jax.lax.optimization_barrier((key, mine, again))
                return kernel.move(its_key, before[0], its_where)

            # A loop of one step or none: unlike a branch, it changes what evaluators remember in place.
            carried = jax.lax.fori_loop(0, (chosen == number).astype(jnp.int32), step, carried)
        return carried


def build(rule: Any, ensemble: Ensemble, evaluator: Evaluator) -> Kernel:
    """The kernel of a rule or a mixture of rules."""
    if isinstance(rule, Mixture):
        kernels = tuple(Metropolis(ensemble, evaluator, one) for one in rule.rules)
        return MixtureKernel(kernels, rule.probabilities)
    return Metropolis(ensemble, evaluator, rule)


def evaluator_for(rule: Any, ensemble: Ensemble, *, incremental: bool = False) -> Evaluator:
    """The plainest evaluator that gives a rule, or a mixture of rules, all it looks at; or the incremental one."""
    if rule.needs_gradient:
        return GradientEvaluator(ensemble)
    return IncrementalEvaluator(ensemble) if incremental else FullEvaluator(ensemble)
