"""The Metropolis–Hastings kernel: any rule, any evaluator, one accept.

A rule splits a proposal in two. *Where* is drawn once a step for all chains; *what* is drawn by each chain.
Sharing the position is exact: given the sequence of positions, which no chain influences, the chains are
independent, and each position's kernel leaves the ensemble invariant. It is also what makes thousands of chains
cheap, because every chain then touches the same window of the network.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxmaxent.ensembles import Ensemble, Field
from jaxmaxent.evaluate import Edit, Evaluator, read, write
from jaxmaxent.evaluate import _slices as slices


class State(NamedTuple):
    """Where one chain is."""

    tokens: Int[Array, " length"]
    energy: Float[Array, ""]
    counts: Float[Array, " fields"]
    cache: Any


class Info(NamedTuple):
    """What happened in one step of one chain; `accepted` means that the sequence changed."""

    accepted: Bool[Array, ""]
    log_ratio: Float[Array, ""]
    proposed_energy: Float[Array, ""]
    proposed: Int[Array, " length"]


class Rule(Protocol):
    """A proposal. Rules are pytrees: what they have learned are leaves, what shapes the program is static.

    Make them with `rule_dataclass`, so that no program of one rule is taken for another's. Those that learn have
    `prepare`, `learn` and `at` of their own, others those of `Unlearned`.
    """

    @property
    def needs_gradient(self) -> bool:
        """Whether the evaluator's cache and patch must have a `gradient` (see `GradientEvaluator`)."""
        ...

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Any:
        """What all chains share in a step, mostly the positions; never looks at a chain."""
        ...

    def what(self, key: Key[Array, ""], state: State, where: Any, ensemble: Ensemble) -> Edit:
        """The edit one chain proposes there."""
        ...

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """log q(state | edited) − log q(edited | state), once the edit is evaluated; 0 where q is symmetric."""
        ...

    def prepare(self, ensemble: Ensemble, rungs: int) -> Any:
        """See `Unlearned`."""
        ...

    def learn(self, frequencies: Float[Array, "anchors rungs length letters"], ensemble: Ensemble) -> Any:
        """See `Unlearned`."""
        ...

    def at(self, anchor: Any, rung: Any) -> Any:
        """See `Unlearned`."""
        ...


class Unlearned:
    """The part of a rule that learns from the warm-up, for rules that learn nothing; most need no gradient."""

    needs_gradient = False

    def prepare(self, ensemble: Ensemble, rungs: int) -> Any:
        """The rule as the warm-up begins; the ensemble is batched, [anchors, …]."""
        del ensemble, rungs
        return self

    def learn(self, frequencies: Float[Array, "anchors rungs length letters"], ensemble: Ensemble) -> Any:
        """The rule after a round of the warm-up in which letters had these frequencies; it is fixed after the last."""
        del frequencies, ensemble
        return self

    def at(self, anchor: Any, rung: Any) -> Any:
        """The rule of the chains of one anchor at one rung."""
        del anchor, rung
        return self


class Kernel(Protocol):
    """What moves a chain of an ensemble of one anchor; `init` and `step` follow BlackJAX's convention."""

    def init(self, tokens: Int[Array, " length"]) -> State:
        """The state of a chain that starts at `tokens`."""
        ...

    def step(self, key: Key[Array, ""], state: State) -> tuple[State, Info]:
        """One step with positions of its own."""
        ...

    def where(self, key: Key[Array, ""]) -> Any:
        """What all chains share in a step."""
        ...

    def move(self, key: Key[Array, ""], state: State, where: Any) -> tuple[State, Info]:
        """One step of one chain, given what all share."""
        ...


class Metropolis(NamedTuple):
    """The kernel of one rule, for one chain of an ensemble of one anchor."""

    ensemble: Ensemble
    evaluator: Evaluator
    rule: Rule

    def init(self, tokens: Int[Array, " length"]) -> State:
        """The state of a chain that starts at `tokens`."""
        energy, cache = self.evaluator.init(tokens)
        return State(tokens, energy, self.ensemble.counts(tokens), cache)

    def step(self, key: Key[Array, ""], state: State) -> tuple[State, Info]:
        """One step with positions of its own."""
        key_where, key_what = jax.random.split(key)
        return self.move(key_what, state, self.where(key_where))

    def where(self, key: Key[Array, ""]) -> Any:
        """What all chains share in a step."""
        return self.rule.where(key, self.ensemble)

    def move(self, key: Key[Array, ""], state: State, where: Any) -> tuple[State, Info]:
        """One step of one chain, given what all share."""
        key_what, key_accept = jax.random.split(key)
        edit = self.rule.what(key_what, state, where, self.ensemble)
        edited = write(state.tokens, edit)
        change = _change(self.ensemble, state.tokens, edited, edit)
        energy, patch = self.evaluator.propose(state.cache, edit)
        log_ratio = (
            -self.ensemble.beta * (energy - state.energy)
            + jnp.dot(self.ensemble.mu(), change, precision="highest")
            + self.rule.correction(state, edit, patch, self.ensemble)
        )
        if self.ensemble.forbidden() is not None:
            log_ratio = jnp.where(self.ensemble.allows(edited), log_ratio, -jnp.inf)
        # −Exponential is log U without log 0: a uniform float can be 0, which would accept anything.
        accept = -jax.random.exponential(key_accept, dtype=log_ratio.dtype) < log_ratio
        moved = State(
            tokens=jnp.where(accept, edited, state.tokens),
            energy=jnp.where(accept, energy, state.energy),
            counts=jnp.where(accept, state.counts + change, state.counts),
            cache=self.evaluator.commit(state.cache, patch, accept),
        )
        changed = (edit.letters != read(state.tokens, edit.starts, edit.letters.shape[1])).any()
        return moved, Info(accept & changed, log_ratio, energy, edited)


def _change(
    ensemble: Ensemble, tokens: Int[Array, " length"], edited: Int[Array, " length"], edit: Edit
) -> Float[Array, " fields"]:
    """Return by how much an edit changes the count of every field."""
    changes = [_change_of(field, tokens, edited, edit) for field in ensemble.fields]
    return jnp.array(changes, ensemble.beta.dtype).reshape(-1)


def _change_of(
    field: Field, tokens: Int[Array, " length"], edited: Int[Array, " length"], edit: Edit
) -> Float[Array, ""]:
    if field.pair is not None:  # letters beside the edit count, too
        return field.change(tokens, edited)
    letters, (parts, width) = field.unary.shape[-1], edit.letters.shape
    if field.unary.ndim == 1:
        scores = jnp.broadcast_to(field.unary, (parts, width, letters))
    else:
        scores = jnp.stack([slices.cut(field.unary, edit.starts[part], width) for part in range(parts)])

    def added(rows: Int[Array, "parts width"]) -> Float[Array, "parts width letters"]:
        return jnp.where(jax.nn.one_hot(rows, letters, dtype=bool), scores, 0)

    return jnp.sum(added(edit.letters) - added(read(tokens, edit.starts, width)))
