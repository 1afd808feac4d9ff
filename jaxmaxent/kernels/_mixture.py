"""A random choice between rules at every step, the same for all chains."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, Evaluator, FullEvaluator, GradientEvaluator, IncrementalEvaluator
from jaxmaxent.kernels._few import chains_last
from jaxmaxent.kernels._metropolis import (
    Drawn,
    Info,
    Kernel,
    Metropolis,
    Proposed,
    Rule,
    State,
    itself,
    log_uniform,
)
from jaxmaxent.kernels._rule_dataclass import rule_dataclass

# How a compiled step chooses the rule of a mixture (see `MixtureKernel`).
LOOP, SWITCH, TOGETHER = "loop", "switch", "together"


@rule_dataclass
class Mixture:
    """Several rules, one of which is drawn at every step. Make one with `Mixture.create`.

    A mixture of kernels that leave the ensemble invariant leaves it invariant too, because the choice depends on no
    chain (Tierney, Ann Stat 22: 1701–1728, 1994). The mixture reaches every sequence if one of its rules does.

    Rules that wait have no share from `prepare` until `settled`, unless all of them wait.

    Attributes:
        rules: the rules.
        probabilities: the probability of each rule now, shape [rules]; they sum to 1.
        shares: the probability of each rule after the burn-in has learned, shape [rules]; they sum to 1.

    Example:
        ```python
        rule = Mixture.create([Site(), Transposition()], [4, 1])
        ```
    """

    rules: tuple[Any, ...]
    probabilities: Float[Array, " rules"]
    shares: Float[Array, " rules"]

    @classmethod
    def create(cls, rules: Sequence[Rule], weights: Sequence[float] | None = None) -> Mixture:
        """Return the mixture of some rules, in proportion to `weights`; all alike if None.

        Raises:
            ValueError: if there are no rules, or not a positive weight for each.
        """
        if not rules:
            raise ValueError("rules must hold at least one rule, got none")
        shares = np.ones(len(rules)) if weights is None else checks.finite_array("weights", weights)
        if shares.shape != (len(rules),) or (shares <= 0).any():
            raise ValueError(
                f"weights must hold {len(rules)} positive numbers, one per rule, got {checks.shown(weights)}"
            )
        probabilities = jnp.asarray(shares / shares.sum(), float)
        return cls(tuple(rules), probabilities, probabilities)

    @property
    def needs_gradient(self) -> bool:
        """True if one of the rules needs a gradient; then every step computes it."""
        return any(rule.needs_gradient for rule in self.rules)

    def prepare(self, ensemble: Ensemble, rungs: int) -> Mixture:
        """Return the mixture as burn-in begins; rules that wait have no share."""
        shares = np.asarray(self.shares)
        moving = np.where([rule.waits for rule in self.rules], 0, shares)
        total = moving.sum()
        probabilities = jnp.asarray(moving / total if total > 0 else shares)
        return Mixture(tuple(rule.prepare(ensemble, rungs) for rule in self.rules), probabilities, self.shares)

    def learn(
        self, frequencies: Float[Array | np.ndarray, "anchors rungs length letters"], ensemble: Ensemble
    ) -> Mixture:
        """Return the mixture after a round of burn-in with these letter frequencies."""
        rules = tuple(rule.learn(frequencies, ensemble) for rule in self.rules)
        return Mixture(rules, self.probabilities, self.shares)

    def settled(self) -> Mixture:
        """Return the mixture after the last table is learned, with the shares that `create` was given."""
        return Mixture(tuple(rule.settled() for rule in self.rules), self.shares, self.shares)

    def at(self, anchor: Any, rung: Any) -> Mixture:
        """Return the mixture of the chains of one anchor at one rung."""
        return Mixture(tuple(rule.at(anchor, rung) for rule in self.rules), self.probabilities, self.shares)


class MixtureKernel(NamedTuple):
    """The kernel of a mixture: the kernel of one of its rules, chosen at each step for all chains.

    Attributes:
        kernels: the kernels of the rules.
        probabilities: the probability of each, shape [rules].
        choice: how a compiled step chooses; the numbers are the same. "loop": one loop of one step or none per rule,
            best on a CPU. "switch": one branch. "together": every rule proposes, and one proposal is evaluated, so
            that nothing waits for the host of a GPU; for full evaluation only.
    """

    kernels: tuple[Metropolis, ...]
    probabilities: Float[Array, " rules"]
    choice: str = LOOP

    def init(self, tokens: Int[Array, " length"]) -> State:
        """Return the state of a chain that starts at `tokens`."""
        return self.kernels[0].init(tokens)

    def step(self, key: Key[Array, ""], state: State) -> tuple[State, Info]:
        """Make one step of one chain, with a rule and a position of its own."""
        key_where, key_what = jax.random.split(key)
        return self.move(key_what, state, self.where(key_where))

    def where(self, key: Key[Array, ""]) -> Any:
        """Draw the number of a rule, and what all chains share under each of the rules."""
        key_rule, *keys = jax.random.split(key, 1 + len(self.kernels))
        # As `jax.random.choice` does, whose binary search is a loop.
        sums = jnp.cumsum(self.probabilities)
        chosen = jnp.sum(sums < sums[-1] * (1 - jax.random.uniform(key_rule, (), sums.dtype)), dtype=jnp.int32)
        # A device may add up the probabilities in an order whose rounding leaves something to a rule without a share.
        chosen = jnp.where(self.probabilities[chosen] > 0, chosen, jnp.argmax(self.probabilities))
        return chosen, tuple(kernel.where(k) for kernel, k in zip(self.kernels, keys, strict=True))

    def move(self, key: Key[Array, ""], state: State, where: Any) -> tuple[State, Info]:
        """Make one step of one chain under the chosen rule."""
        if self.choice != LOOP:
            return self.moved(self.draw(key, where), state, where)
        chosen, wheres = where
        nothing = jnp.zeros((), bool), jnp.zeros_like(state.energy), jnp.zeros_like(state.energy)
        carried = state, Info(*nothing, jnp.zeros_like(state.tokens))
        for number, (kernel, mine) in enumerate(zip(self.kernels, wheres, strict=True)):

            def step(again: Array, before: tuple[State, Info], kernel: Kernel = kernel, mine: Any = mine) -> Any:
                # The barrier keeps the compiler from moving work that does not depend on the state ahead of the loop.
                its_key, its_where, _ = jax.lax.optimization_barrier((key, mine, again))
                return kernel.move(its_key, before[0], its_where)

            # A loop of one step or none: unlike a branch, it changes the caches of evaluators in place.
            with jax.named_scope("rule"):
                carried = jax.lax.fori_loop(0, (chosen == number).astype(jnp.int32), step, carried)
        return carried

    def draw(self, key: Key[Array, ""], where: Any) -> Drawn:
        """Draw for every rule what `move` draws from its key."""
        key_what, key_accept = jax.random.split(key)
        first, pairs = self.kernels[0], zip(self.kernels, where[1], strict=True)
        own = tuple(kernel.rule.draw(key_what, mine, kernel.ensemble) for kernel, mine in pairs)
        return Drawn(own, log_uniform(key_accept, first.ensemble))

    def moved(self, drawn: Drawn, state: State, where: Any, now: Callable[[Any], Any] = itself) -> tuple[State, Info]:
        """Make one step of one chain under the chosen rule, given all random numbers (see `Kernel.moved`)."""
        first, (chosen, wheres), log_number = self.kernels[0], where, now(drawn.log_uniform)
        chosen = now(chosen)
        # Only the chosen branch picks its numbers, because each pick may be an operation of its own.
        given = list(zip(drawn.own, wheres, strict=True))
        if not first.has_no_cache:
            every = [functools.partial(_moved, kernel, k, now) for k, kernel in enumerate(self.kernels)]
            return jax.lax.switch(chosen, every, given, log_number, state)
        # One network for all rules: the proposal is evaluated as an edit of the whole sequence.
        every = [functools.partial(_proposed, kernel, k, now) for k, kernel in enumerate(self.kernels)]
        if self.choice == SWITCH:
            proposal = jax.lax.switch(chosen, every, given, state)
            edit = Edit(jnp.zeros(1, chosen.dtype), proposal.tokens[None])
        else:
            proposals = [propose(given, state) for propose in every]
            tokens, correction = (
                jax.lax.select_n(chosen, *(getattr(one, name) for one in proposals))
                for name in ("tokens", "correction")
            )
            edit = Edit(jnp.zeros(1, chosen.dtype), tokens[None])
            # Sums over an edit of one rule are operations of their own, so they are made of the chosen one.
            proposal = first.compared(state, edit, correction)
        energy, patch = first.evaluator.propose(first.cache_of(state), edit)
        return first.decided(log_number, state, proposal, energy, patch)


_Given = list[tuple[Any, Any]]  # what each rule of a mixture draws, and what its chains share


def _moved(
    kernel: Metropolis, number: int, now: Callable[[Any], Any], given: _Given, log_number: Array, state: State
) -> tuple[State, Info]:
    own, where = now(given[number])
    return kernel.moved(Drawn(own, log_number), state, where)


def _proposed(kernel: Metropolis, number: int, now: Callable[[Any], Any], given: _Given, state: State) -> Proposed:
    own, where = now(given[number])
    proposal = kernel.proposed(own, state._replace(tokens=chains_last(state.tokens)), where)
    return proposal._replace(tokens=chains_last(proposal.tokens))


def build(rule: Rule | Mixture, ensemble: Ensemble, evaluator: Evaluator, *, choice: str = LOOP) -> Kernel:
    """Return the kernel of a rule or a mixture of rules.

    Args:
        rule: the rule or `Mixture`.
        ensemble: the ensemble, of one anchor.
        evaluator: the evaluator of its energies.
        choice: how a compiled step of a mixture chooses its rule (see `MixtureKernel`).

    Example:
        ```python
        kernel = build(rule, ensemble, evaluator_for(rule, ensemble))
        ```
    """
    if isinstance(rule, Mixture):
        kernels = tuple(Metropolis(ensemble, evaluator, one) for one in rule.rules)
        return MixtureKernel(kernels, rule.probabilities, choice)
    return Metropolis(ensemble, evaluator, rule)


def evaluator_for(rule: Rule | Mixture, ensemble: Ensemble, *, incremental: bool = False) -> Evaluator:
    """Return the simplest evaluator that serves a rule or a mixture of rules.

    Args:
        rule: the rule or `Mixture`.
        ensemble: the ensemble, of one anchor.
        incremental: True to evaluate incrementally, unless the rule needs gradients.

    Example:
        >>> evaluator = kernels.evaluator_for(kernels.Site(), ensemble.take(0))
    """
    if rule.needs_gradient:
        return GradientEvaluator(ensemble)
    return IncrementalEvaluator(ensemble) if incremental else FullEvaluator(ensemble)


def choice_for(rule: Rule | Mixture, *, incremental: bool) -> str:
    """Return how a step of a mixture chooses its rule on this kind of device (see `MixtureKernel`).

    A CPU changes caches in place in loops. A TPU decides branches by itself, but a GPU asks its host, and waits for it.
    """
    backend = jax.default_backend()
    if backend == "cpu":
        return LOOP
    return SWITCH if backend == "tpu" or incremental or rule.needs_gradient else TOGETHER
