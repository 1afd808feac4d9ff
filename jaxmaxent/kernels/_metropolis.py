"""The Metropolis–Hastings kernel: any rule, any evaluator, one accept.

A rule splits a proposal in three. *Where* is drawn once per step for all chains; each chain *draws* its random numbers
without looking at its sequence; *what* it proposes follows from both and the sequence.
Sharing the position is exact: given the sequence of positions, which no chain influences, the chains are
independent, and the kernel of each position leaves the ensemble invariant. It makes thousands of chains cheap,
because all chains then change the same window of the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from jaxmaxent.ensembles import Ensemble, Field
from jaxmaxent.evaluate import Edit, Evaluator, FullEvaluator, read, write
from jaxmaxent.evaluate import _slices as slices


class State(NamedTuple):
    """The state of one chain.

    Attributes:
        tokens: the sequence.
        energy: its E.
        counts: its N_k.
        cache: what the evaluator remembers of the sequence; None if that is the sequence alone.
    """

    tokens: Int[Array, " length"]
    energy: Float[Array, ""]
    counts: Float[Array, " fields"]
    cache: Any


class Drawn(NamedTuple):
    """What a chain draws for a step, whatever its sequence is, so that it can be drawn for many steps at once.

    Attributes:
        own: what the rule draws; for a mixture, what each of its rules draws.
        log_uniform: the log of a uniform number, which the log-ratio must exceed to be accepted.
    """

    own: Any
    log_uniform: Float[Array, ""]


class Proposed(NamedTuple):
    """What a rule proposes to one chain.

    Attributes:
        tokens: the proposed sequence.
        changed: whether it is another one.
        change: the change of every N_k.
        correction: log q(state | proposed) − log q(proposed | state).
    """

    tokens: Int[Array, " length"]
    changed: Bool[Array, ""]
    change: Float[Array, " fields"]
    correction: Float[Array, ""]


class Info(NamedTuple):
    """A record of one step of one chain.

    Attributes:
        accepted: True if the sequence changed.
        log_ratio: the log of the acceptance ratio, before it is cut at 0.
        proposed_energy: E of the proposed sequence.
        proposed: the proposed sequence.
    """

    accepted: Bool[Array, ""]
    log_ratio: Float[Array, ""]
    proposed_energy: Float[Array, ""]
    proposed: Int[Array, " length"]


class Rule(Protocol):
    """The interface of a proposal.

    Rules are pytrees: learned tables are leaves, and values that shape the program are static. Make the class with
    `rule_dataclass`, so that JAX never takes the program of one rule for that of another. Rules that learn define
    `prepare`, `learn`, `settled` and `at`; the others inherit them from `Unlearned`.
    """

    @property
    def needs_gradient(self) -> bool:
        """True if the evaluator's cache and patch must have a `gradient` (see `GradientEvaluator`)."""
        ...

    @property
    def waits(self) -> bool:
        """True if a mixture gives the rule no share until the burn-in has learned its tables."""
        ...

    def where(self, key: Key[Array, ""], ensemble: Ensemble) -> Any:
        """Draw what all chains share in a step, mostly the positions; it never depends on a chain."""
        ...

    def draw(self, key: Key[Array, ""], where: Any, ensemble: Ensemble) -> Any:
        """Draw what one chain needs to propose something there, at any sequence and any rung (see `Unlearned`)."""
        ...

    def what(self, drawn: Any, state: State, where: Any, ensemble: Ensemble) -> Edit:
        """Return the edit that one chain proposes there, given what it has drawn."""
        ...

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """Return log q(state | edited) − log q(edited | state) of an evaluated edit; 0 if q is symmetric."""
        ...

    def prepare(self, ensemble: Ensemble, rungs: int) -> Any:
        """Return the rule as burn-in begins (see `Unlearned`)."""
        ...

    def learn(self, frequencies: Float[Array | np.ndarray, "anchors rungs length letters"], ensemble: Ensemble) -> Any:
        """Return the rule after a round of burn-in (see `Unlearned`)."""
        ...

    def settled(self) -> Any:
        """Return the rule after the last table is learned (see `Unlearned`)."""
        ...

    def at(self, anchor: Any, rung: Any) -> Any:
        """Return the rule of the chains of one anchor at one rung (see `Unlearned`)."""
        ...


class Unlearned:
    """A base class for rules that learn nothing during burn-in; it says that they need no gradient and do not wait."""

    needs_gradient = False
    waits = False

    def draw(self, key: Key[Array, ""], where: Any, ensemble: Ensemble) -> Any:
        """Return the key itself, for rules whose `what` draws from it.

        A rule is faster on accelerators if it draws here all that depends neither on the sequence of a chain nor on
        its rung: they do this for many steps at once.
        """
        del where, ensemble
        return key

    def prepare(self, ensemble: Ensemble, rungs: int) -> Any:
        """Return the rule as burn-in begins; the ensemble is batched, [anchors, …]."""
        del ensemble, rungs
        return self

    def learn(self, frequencies: Float[Array | np.ndarray, "anchors rungs length letters"], ensemble: Ensemble) -> Any:
        """Return the rule after a round of burn-in with these letter frequencies; it is fixed after the last round."""
        del frequencies, ensemble
        return self

    def settled(self) -> Any:
        """Return the rule after the last table is learned; a mixture then gives their shares to rules that wait."""
        return self

    def at(self, anchor: Any, rung: Any) -> Any:
        """Return the rule of the chains of one anchor at one rung."""
        del anchor, rung
        return self


def itself(part: Any) -> Any:
    """Return what is given."""
    return part


class Kernel(Protocol):
    """The interface that moves a chain of an ensemble of one anchor; `init` and `step` follow BlackJAX's convention."""

    def init(self, tokens: Int[Array, " length"]) -> State:
        """Return the state of a chain that starts at `tokens`."""
        ...

    def step(self, key: Key[Array, ""], state: State) -> tuple[State, Info]:
        """Make one step of one chain, with a position of its own."""
        ...

    def where(self, key: Key[Array, ""]) -> Any:
        """Draw what all chains share in a step."""
        ...

    def move(self, key: Key[Array, ""], state: State, where: Any) -> tuple[State, Info]:
        """Make one step of one chain, given what all chains share."""
        ...

    def draw(self, key: Key[Array, ""], where: Any) -> Drawn:
        """Draw what `move` draws from its key."""
        ...

    def moved(self, drawn: Drawn, state: State, where: Any, now: Callable[[Any], Any] = itself) -> tuple[State, Info]:
        """Make one step of one chain, given all random numbers, or those of many steps and what picks this step's."""
        ...


class Metropolis(NamedTuple):
    """The kernel of one rule, for one chain of an ensemble of one anchor.

    Attributes:
        ensemble: the ensemble, of one anchor.
        evaluator: the evaluator of its energies.
        rule: the rule.

    Example:
        ```python
        kernel = Metropolis(ensemble, FullEvaluator(ensemble), Site())
        state = kernel.init(ensemble.anchor)
        state, info = kernel.step(jax.random.key(0), state)
        ```
    """

    ensemble: Ensemble
    evaluator: Evaluator
    rule: Rule

    def init(self, tokens: Int[Array, " length"]) -> State:
        """Return the state of a chain that starts at `tokens`."""
        energy, cache = self.evaluator.init(tokens)
        return State(tokens, energy, self.ensemble.counts(tokens), None if self.has_no_cache else cache)

    def cache_of(self, state: State) -> Any:
        """Return what the evaluator keeps of a state's sequence."""
        return state.tokens if self.has_no_cache else state.cache

    @property
    def has_no_cache(self) -> bool:
        """True if the evaluator keeps the sequence alone, which a state has anyway: twice, it would be copied twice."""
        return type(self.evaluator) is FullEvaluator

    def step(self, key: Key[Array, ""], state: State) -> tuple[State, Info]:
        """Make one step of one chain, with a position of its own."""
        key_where, key_what = jax.random.split(key)
        return self.move(key_what, state, self.where(key_where))

    def where(self, key: Key[Array, ""]) -> Any:
        """Draw what all chains share in a step."""
        return self.rule.where(key, self.ensemble)

    def move(self, key: Key[Array, ""], state: State, where: Any) -> tuple[State, Info]:
        """Make one step of one chain, given what all chains share."""
        return self.moved(self.draw(key, where), state, where)

    def draw(self, key: Key[Array, ""], where: Any) -> Drawn:
        """Draw what `move` draws from its key."""
        key_what, key_accept = jax.random.split(key)
        return Drawn(self.rule.draw(key_what, where, self.ensemble), log_uniform(key_accept, self.ensemble))

    def moved(self, drawn: Drawn, state: State, where: Any, now: Callable[[Any], Any] = itself) -> tuple[State, Info]:
        """Make one step of one chain, given all random numbers, or those of many steps and what picks this step's."""
        drawn, where = now(drawn), now(where)
        edit = self.rule.what(drawn.own, state, where, self.ensemble)
        energy, patch = self.evaluator.propose(self.cache_of(state), edit)
        correction = self.rule.correction(state, edit, patch, self.ensemble)
        return self.decided(drawn.log_uniform, state, self.compared(state, edit, correction), energy, patch)

    def proposed(self, own: Any, state: State, where: Any) -> Proposed:
        """Return what the rule proposes to one chain, if its correction needs no patch."""
        edit = self.rule.what(own, state, where, self.ensemble)
        return self.compared(state, edit, self.rule.correction(state, edit, None, self.ensemble))

    def compared(self, state: State, edit: Edit, correction: Float[Array, ""]) -> Proposed:
        """Return the proposal of an edit with this correction."""
        tokens, before = write(state.tokens, edit), read(state.tokens, edit.starts, edit.letters.shape[1])
        return Proposed(tokens, (edit.letters != before).any(), _change(self.ensemble, state, tokens, edit), correction)

    def decided(
        self, log_uniform: Float[Array, ""], state: State, proposal: Proposed, energy: Float[Array, ""], patch: Any
    ) -> tuple[State, Info]:
        """Accept or reject what was proposed to one chain, given its energy and patch."""
        edited, changed, change, correction = proposal
        if any(field.grows for field in self.ensemble.fields):
            # The count of a growing field may be NaN or infinite, which stops the run as such an energy does.
            energy = jnp.where(jnp.isfinite(change).all(), energy, jnp.nan)
        log_ratio = (
            self.ensemble.beta * (state.energy - energy)
            + jnp.dot(self.ensemble.mu(), change, precision="highest")
            + correction
        )
        if self.ensemble.forbidden() is not None:
            log_ratio = jnp.where(self.ensemble.allows(edited), log_ratio, -jnp.inf)
        accept = log_uniform < log_ratio
        moved = State(
            tokens=jnp.where(accept, edited, state.tokens),
            energy=jnp.where(accept, energy, state.energy),
            counts=jnp.where(accept, state.counts + change, state.counts),
            cache=None if self.has_no_cache else self.evaluator.commit(state.cache, patch, accept),
        )
        return moved, Info(accept & changed, log_ratio, energy, edited)


def log_uniform(key: Key[Array, ""], ensemble: Ensemble) -> Float[Array, ""]:
    """Draw the log of a uniform number.

    It is −Exponential, which has no log 0: a uniform float can be 0, and log 0 would accept anything.
    """
    return -jax.random.exponential(key, dtype=ensemble.beta.dtype)


def _change(ensemble: Ensemble, state: State, edited: Int[Array, " length"], edit: Edit) -> Float[Array, " fields"]:
    """Return the change of every field's count by an edit."""
    changes = [
        _change_of(field, state.tokens, state.counts[k], edited, edit) for k, field in enumerate(ensemble.fields)
    ]
    return jnp.array(changes, ensemble.beta.dtype).reshape(-1)


def _change_of(
    field: Field,
    tokens: Int[Array, " length"],
    count: Float[Array, ""],
    edited: Int[Array, " length"],
    edit: Edit,
) -> Float[Array, ""]:
    if field.terms is not None:
        if field.terms.width is None:  # the count is evaluated anew, so errors do not add up
            return field.count(edited).astype(count.dtype) - count
        return _change_in_windows(field.terms, field.terms.width, tokens, edit)
    if field.pair is not None:  # pairs reach beyond the edit
        return field.change(tokens, edited)
    letters, (parts, width) = field.unary.shape[-1], edit.letters.shape
    if field.unary.ndim == 1:
        scores = jnp.broadcast_to(field.unary, (parts, width, letters))
    else:
        scores = jnp.stack([slices.cut(field.unary, edit.starts[part], width) for part in range(parts)])

    def added(rows: Int[Array, "parts width"]) -> Float[Array, "parts width letters"]:
        return jnp.where(jax.nn.one_hot(rows, letters, dtype=bool), scores, 0)

    return jnp.sum(added(edit.letters) - added(read(tokens, edit.starts, width)))


def _change_in_windows(terms: Any, width: int, tokens: Int[Array, " length"], edit: Edit) -> Float[Array, ""]:
    """Return the change of a sum over windows, by those windows that overlap each part of an edit, part after part."""
    length, size = tokens.shape[0], edit.letters.shape[1]
    around = min(length, size + 2 * (width - 1))
    total = jnp.zeros(())
    for part in range(edit.starts.shape[0]):
        edited = write(tokens, Edit(edit.starts[part : part + 1], edit.letters[part : part + 1]))
        start = jnp.clip(edit.starts[part] - (width - 1), 0, length - around)
        total = total + terms.change(slices.cut(tokens, start, around), slices.cut(edited, start, around), start)
        tokens = edited
    return total
