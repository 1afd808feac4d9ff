"""The Metropolis–Hastings kernel: any rule, any evaluator, one accept.

A rule splits a proposal in two. *Where* is drawn once a step for all chains; *what* is drawn by each chain.
Sharing the position is exact: given the sequence of positions, which no chain influences, the chains are
independent, and each position's kernel leaves the ensemble invariant. It is also what makes thousands of chains
cheap, because every chain then touches the same window of the network.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxmaxent.ensemble import Ensemble
from jaxmaxent.evaluate import Evaluator
from jaxmaxent.evaluate.full import read, write


class State(NamedTuple):
    """Where one chain is."""

    tokens: Int[Array, " length"]
    energy: Float[Array, ""]
    counts: Float[Array, " fields"]
    cache: Any


class Info(NamedTuple):
    """What happened in one step of one chain."""

    accepted: Bool[Array, ""]
    log_ratio: Float[Array, ""]
    proposed_energy: Float[Array, ""]


class Rule(Protocol):
    """A proposal of `width` adjacent letters."""

    @property
    def width(self) -> int:
        """How many adjacent letters an edit spans."""
        ...

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Int[Array, ""]:
        """First position of the edit, the same for all chains."""
        ...

    def what(
        self, key: Key[Array, ""], current: Int[Array, " width"], ensemble: Ensemble
    ) -> tuple[Int[Array, " width"], Float[Array, ""]]:
        """New letters, and log q(current | new) − log q(new | current)."""
        ...


@dataclasses.dataclass(frozen=True)
class Metropolis:
    """Kernel for one chain of an ensemble of one anchor; `init` and `step` follow BlackJAX's convention."""

    ensemble: Ensemble
    evaluator: Evaluator
    rule: Rule

    def init(self, tokens: Int[Array, " length"]) -> State:
        """The state of a chain that starts at `tokens`."""
        energy, cache = self.evaluator.init(tokens)
        return State(tokens, energy, self.ensemble.counts(tokens), cache)

    def step(self, key: Key[Array, ""], state: State) -> tuple[State, Info]:
        """One step with a position of its own."""
        key_where, key_what = jax.random.split(key)
        return self.move(key_what, state, self.rule.where(key_where, self.ensemble))

    def move(self, key: Key[Array, ""], state: State, start: Int[Array, ""]) -> tuple[State, Info]:
        """One step at the position `start`."""
        key_what, key_accept = jax.random.split(key)
        letters, correction = self.rule.what(key_what, read(state.tokens, start, self.rule.width), self.ensemble)
        edited = write(state.tokens, start, letters)
        counts = self.ensemble.counts(edited)
        energy, patch = self.evaluator.propose(state.cache, start, letters)
        log_ratio = (
            -self.ensemble.beta * (energy - state.energy) + self.ensemble.mu() @ (counts - state.counts) + correction
        )
        # −Exponential is log U without log 0: a uniform float can be 0, which would accept anything.
        accept = -jax.random.exponential(key_accept, dtype=log_ratio.dtype) < log_ratio
        moved = State(
            tokens=jnp.where(accept, edited, state.tokens),
            energy=jnp.where(accept, energy, state.energy),
            counts=jnp.where(accept, counts, state.counts),
            cache=self.evaluator.commit(state.cache, patch, accept),
        )
        return moved, Info(accept, log_ratio, energy)
