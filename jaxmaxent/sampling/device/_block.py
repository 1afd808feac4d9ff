"""The compiled block: all replicas of all ladders of all anchors, for some steps, exchanges and counts.

Between two counted states every replica makes `thin` steps, then neighbouring rungs exchange, then the sequences at
every rung are counted. β moves between replicas, sequences stay where they are; a fresh draw at β = 0 that is taken
in is the only sequence that is ever copied. What is carried has the leading axes [anchors, ladders], so that both
can be spread over devices: ladders never speak to each other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, UInt8

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background
from jaxmaxent.kernels import Info, State, build, evaluator_for
from jaxmaxent.sampling.device import _swaps as exchanges
from jaxmaxent.sampling.device._background_draws import installed, standing
from jaxmaxent.sampling.device._moments import Moments, count_letters
from jaxmaxent.sampling.program._program import Plan
from jaxmaxent.sampling.program._sharding import over_devices

# Counted states whose energies and counts a block has room to return one by one.
TRACE_SLOTS = 16
# Counted states between two recomputations of everything that is cached, always at the same numbers of a run.
REFRESH_EVERY = 100
# What is traced and averaged of a state before the fields: its energy, and at how many positions it left the anchor.
SCALARS = 2


class Tally(NamedTuple):
    """What is counted between two visits of the host, for each ladder; at the last rung of all its replicas."""

    letters: Int[Array, "rungs length letters"]
    scalars: Moments  # [places, 2 + fields]
    accepted: Int[Array, " rungs"]
    exchange: Float[Array, " pairs"]  # sum of the acceptance probabilities
    trips: Int[Array, " rungs"]  # sequences that came to the top, by the lowest rung they came from
    round_trips: Int[Array, ""]  # sequences that came down to the bottom and had been at the top


class Carry(NamedTuple):
    """What a block hands to the next; leading axes [anchors, ladders]."""

    states: State  # [replicas, …]
    at: Int[Array, " replicas"]  # which replica is at each place that is walked on
    lowest: Int[Array, " replicas"]  # the lowest rung that the sequence at each place was at since it was at the top
    been_up: Bool[Array, " replicas"]  # whether it has been there since it was drawn
    source: State | None  # the draws at β = 0 that were made together; None without a ladder
    likely: Float[Array, ""]  # how likely the last of them that could be taken in was to be
    tally: Tally
    non_finite: Int[Array, " replicas"]
    offender: Int[Array, "replicas length"]  # the last sequence without a finite energy
    drift: Float[Array, ""]  # the largest change of an energy when it was recomputed


class Trace(NamedTuple):
    """What a block returns state by state; leading axes [anchors, ladders]."""

    scalars: Float[Array, "slots rungs scalars"]
    draws: UInt8[Array, "draws rungs length"]


class Clock(NamedTuple):
    """Where in a run a block is; all are numbers, none shapes the program."""

    first: Any  # number of the first step
    counted: Any  # counted states of this block
    done: Any  # counted states since the host last emptied the tally
    drawn: Any  # counted states since draws began to be stored
    stride: Any  # counted states between two that are traced


class Keys(NamedTuple):
    """Keys by purpose; each is folded with the numbers of whatever draws from it."""

    where: Key[Array, ""]
    what: Key[Array, ""]
    exchange: Key[Array, ""]
    source: Key[Array, ""]

    @classmethod
    @jax.transfer_guard("allow")
    def of(cls, key: Key[Array, ""]) -> Keys:
        """The keys of a run."""
        return cls(*jax.random.split(key, len(cls._fields)))


@functools.partial(jax.jit, static_argnames=("plan",))
def begin(plan: Plan, ensemble: Ensemble, rule: Any, tokens: Int[Array, "anchors ladders replicas length"]) -> Carry:
    """The carry of replicas that stand at `tokens`, the first replica at the lowest rung that is walked on."""

    def one_anchor(one: Ensemble, rows: Array) -> Carry:
        evaluator = evaluator_for(rule, one, incremental=plan.incremental)
        states = jax.vmap(jax.vmap(build(rule.at(0, 0), one, evaluator).init))(rows)
        return jax.vmap(functools.partial(_first_carry, plan, one))(states)

    return _over_anchors(plan, one_anchor, ensemble, tokens)


def _first_carry(plan: Plan, ensemble: Ensemble, states: State) -> Carry:
    replicas = jnp.arange(plan.replicas, dtype=jnp.int32)
    lowest, been_up = jnp.full_like(replicas, plan.rungs - 1), jnp.zeros_like(replicas, bool)
    no_offence, none = jnp.zeros_like(replicas), jnp.zeros_like(states.tokens)
    drift = jnp.zeros((), states.energy.dtype)
    # Drawn before they are looked at; until then any states will do.
    source = None
    if plan.has_source:
        shape = (plan.drawn_together,)
        source = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[0], shape + leaf.shape[1:]), states)
    tally = _no_tally(plan, ensemble, drift.dtype)
    return Carry(states, replicas, lowest, been_up, source, drift, tally, no_offence, none, drift)


def _no_tally(plan: Plan, ensemble: Ensemble, dtype: Any) -> Tally:
    return Tally(
        letters=jnp.zeros((plan.rungs, ensemble.length, len(ensemble.alphabet)), jnp.int32),
        scalars=Moments.zeros((plan.places, SCALARS + len(ensemble.fields)), dtype),
        accepted=jnp.zeros(plan.rungs, jnp.int32),
        exchange=jnp.zeros(plan.rungs - 1, dtype),
        trips=jnp.zeros(plan.rungs, jnp.int32),
        round_trips=jnp.zeros((), jnp.int32),
    )


@functools.partial(jax.jit, static_argnames=("plan",), donate_argnames=("carry",))
def emptied(plan: Plan, ensemble: Ensemble, carry: Carry) -> Carry:
    """The carry with nothing counted."""
    del plan, ensemble
    return carry._replace(tally=jax.tree.map(jnp.zeros_like, carry.tally))


@functools.partial(jax.jit, static_argnames=("plan",), donate_argnames=("carry",))
def block(
    plan: Plan,
    ensemble: Ensemble,
    rule: Any,
    betas: Float[Array, "anchors rungs"],
    keys: Keys,
    carry: Carry,
    clock: Clock | Int[Array, " numbers"],
) -> tuple[Carry, Trace]:
    """Advance all replicas by `clock.counted` × `plan.thin` steps; the clock may be an array of its numbers."""

    def on_a_device(
        mine: Ensemble, rule: Any, betas: Array, anchors: Array, ladders: Array, keys: Keys, carry: Carry, clock: Clock
    ) -> tuple[Carry, Trace]:
        def one_anchor(one: Ensemble, its_betas: Array, anchor: Array, its_carry: Carry) -> tuple[Carry, Trace]:
            return _Anchor(plan, one, rule, its_betas, keys, anchor, ladders).advance(its_carry, clock)

        return _over_anchors(plan, one_anchor, mine, betas, anchors, carry)

    shared = over_devices(plan.mesh, on_a_device, ensemble)
    numbers = jnp.arange(ensemble.anchors), jnp.arange(plan.chains)
    return shared(ensemble, rule, betas, *numbers, keys, carry, Clock(*clock))


def _over_anchors(plan: Plan, function: Callable[..., Any], ensemble: Ensemble, *arrays: Any) -> Any:
    """Map a function of (ensemble of one anchor, arrays of one anchor …) over the anchors."""
    if not plan.one_by_one:
        return jax.vmap(function, in_axes=(ensemble.anchor_axes(), *[0] * len(arrays)))(ensemble, *arrays)

    def one(anchor: Array) -> Any:
        return function(ensemble.take(anchor), *jax.tree.map(lambda leaf: leaf[anchor], arrays))

    return jax.lax.map(one, jnp.arange(ensemble.anchors))


class _Anchor:
    """The ladders of one anchor."""

    def __init__(
        self, plan: Plan, ensemble: Ensemble, rule: Any, betas: Array, keys: Keys, anchor: Array, ladders: Array
    ) -> None:
        self.plan, self.ensemble, self.rule, self.anchor = plan, ensemble, rule, anchor
        self.betas = jnp.concatenate([betas, jnp.repeat(betas[-1:], plan.target_replicas - 1)])  # of every place
        # Energies do not depend on β, so all rungs share the evaluator.
        self.evaluator = evaluator_for(rule, ensemble, incremental=plan.incremental)
        self.kernel = build(rule.at(0, 0), ensemble, self.evaluator)
        self.source = background.background_of(ensemble)
        self.key_where = keys.where

        def of_ladder(key: Array) -> Array:
            return jax.vmap(lambda number: jax.random.fold_in(jax.random.fold_in(key, anchor), number))(ladders)

        replicas = jnp.arange(plan.replicas)
        self.key_what = jax.vmap(lambda key: jax.vmap(lambda r: jax.random.fold_in(key, r))(replicas))(
            of_ladder(keys.what)
        )
        self.key_exchange, self.key_source = of_ladder(keys.exchange), of_ladder(keys.source)

    def advance(self, carry: Carry, clock: Clock) -> tuple[Carry, Trace]:
        """`block` for this anchor."""
        plan, ensemble = self.plan, self.ensemble
        ladders = carry.at.shape[0]
        scalars = jnp.zeros(
            (ladders, TRACE_SLOTS, plan.rungs, SCALARS + len(ensemble.fields)), carry.states.energy.dtype
        )
        draws = jnp.zeros((ladders, plan.buffer, plan.rungs, ensemble.length), jnp.uint8)

        def count(index: Array, outer: tuple[Carry, Trace]) -> tuple[Carry, Trace]:
            carry, trace = outer
            number = clock.first // plan.thin + index
            carry = self._refresh(number, carry)
            carry, accepted = self._walk(clock.first + index * plan.thin, carry)
            # At every place that is walked on its replica's steps count, though it may move on now.
            accepted = jnp.take_along_axis(accepted, carry.at, axis=1)
            if carry.source is not None:
                carry = self._exchange(number, carry, carry.source)
            return jax.vmap(functools.partial(self._count, clock, index, number))(carry, accepted, trace)

        return jax.lax.fori_loop(0, clock.counted, count, (carry, Trace(scalars, draws)))

    def _refresh(self, number: Array, carry: Carry) -> Carry:
        """Recompute what is cached, at fixed numbers, so that a run does not depend on where it was interrupted."""

        def recompute(again: Array, old: Carry) -> Carry:
            # The barrier keeps the compiler from doing it ahead of the loop, every time.
            tokens, _ = jax.lax.optimization_barrier((old.states.tokens, again))
            states = jax.vmap(jax.vmap(self.kernel.init))(tokens)
            drift = jnp.max(jnp.abs(states.energy - old.states.energy), axis=1)
            return old._replace(states=states, drift=jnp.maximum(old.drift, drift))

        # A loop of one step or none, which unlike a branch copies nothing where there is nothing to do.
        due = (number % REFRESH_EVERY == 0).astype(jnp.int32)
        return jax.lax.fori_loop(0, due, recompute, carry)

    def _walk(self, first: Array, carry: Carry) -> tuple[Carry, Int[Array, "ladders replicas"]]:
        """`thin` steps of every replica, and how many of each were accepted."""
        shape = carry.at.shape
        # The inverse of the permutation `at`, by comparison: a sort takes seconds to compile.
        here = carry.at[:, :, None] == jnp.arange(shape[1], dtype=carry.at.dtype)[None, None]
        place = (jnp.argmax(here, axis=1) + self.plan.has_source).reshape(-1)
        keys = self.key_what.reshape(-1)

        def step(number: Array, inner: tuple[State, Array, Array, Array]) -> tuple[State, Array, Array, Array]:
            states, accepted, non_finite, offender = inner
            where = self.kernel.where(jax.random.fold_in(self.key_where, number))

            def move(key: Array, state: State, place: Array) -> tuple[State, Info]:
                ensemble = self.ensemble.replace(beta=self.betas[place])  # pyright: ignore[reportAttributeAccessIssue]
                rung = jnp.minimum(place, self.plan.rungs - 1)
                kernel = build(self.rule.at(self.anchor, rung), ensemble, self.evaluator)
                return kernel.move(jax.random.fold_in(key, number), state, where)

            states, info = jax.vmap(move)(keys, states, place)
            bad = ~jnp.isfinite(info.proposed_energy)
            offender = jnp.where(bad[:, None], info.proposed, offender)
            return states, accepted + info.accepted, non_finite + bad, offender

        def flat(leaf: Array) -> Array:
            return leaf.reshape(shape[0] * shape[1], *leaf.shape[2:])

        mine = (carry.states, jnp.zeros(shape, jnp.int32), carry.non_finite, carry.offender)
        after = jax.lax.fori_loop(first, first + self.plan.thin, step, jax.tree.map(flat, mine))
        states, accepted, non_finite, offender = jax.tree.map(lambda leaf: leaf.reshape(*shape, *leaf.shape[1:]), after)
        return carry._replace(states=states, non_finite=non_finite, offender=offender), accepted

    def _exchange(self, number: Array, carry: Carry, source: State) -> Carry:
        """Exchange all pairs of one parity in every ladder; the lowest with a fresh draw at β = 0."""
        source, now = self._drawn(number, source), standing(number, self.plan.drawn_together)
        lowest = carry.at[:, 0]
        keys = jax.vmap(lambda key: jax.random.fold_in(key, number))(self.key_exchange)
        moved, taken = jax.vmap(functools.partial(self._swap, number % 2 == 0))(
            keys, source.energy[:, now], carry._replace(states=carry.states._replace(cache=None), source=None)
        )
        # A fresh sequence takes the place of the one it is exchanged for, which is forgotten.
        states = installed(carry.states, lowest, taken, source, now)
        return moved._replace(states=states, source=source)

    def _drawn(self, number: Array, source: State) -> State:
        """Draws at β = 0 of every ladder, new ones once all that were made together have stood there."""
        together = self.plan.drawn_together
        # Drawn by the exchange they first stand in, so that a run does not depend on how many are made together.
        first_in = number + 2 * jnp.arange(together)

        def one(ladder: Array, exchange: Array) -> State:
            return self.kernel.init(self.source.draw(jax.random.fold_in(ladder, exchange)))

        def draw(again: Array, source: State) -> State:
            # The barrier keeps the compiler from doing it ahead of the loop, every time.
            ladders, _ = jax.lax.optimization_barrier((self.key_source, (source.tokens, again)))
            return jax.vmap(lambda ladder: jax.vmap(functools.partial(one, ladder))(first_in))(ladders)

        # A loop of one step or none, which unlike a branch copies nothing where there is nothing to do.
        due = (number % (2 * together) == 0).astype(jnp.int32)
        return jax.lax.fori_loop(0, due, draw, source)

    def _swap(self, even: Array, key: Array, energy: Array, carry: Carry) -> tuple[Carry, Array]:
        """Who stands where after the exchanges of one ladder, and whether the draw of this energy was taken in."""
        rungs = self.plan.rungs
        numbers = jax.random.uniform(key, (rungs,), energy.dtype)  # one for each pair, and one more to turn by
        energies = jnp.concatenate([energy[None], carry.states.energy[carry.at[: rungs - 1]]])
        order, probability = exchanges.exchange(numbers[:-1], even, self.betas[:rungs], energies)
        # Once a draw was taken in, the rung above holds what became of it: only before it did the two know nothing of
        # each other, which is what an exchange is judged by.
        likely = jnp.where(even, probability[0], carry.likely)
        probability = probability.at[0].set(likely)
        taken = order[1] == 0
        order = jnp.concatenate([order, jnp.arange(rungs, self.plan.places, dtype=order.dtype)])
        rows, came_from = self._followed(order[1:], carry)
        at, lowest, been_up = self._turned(numbers[-1], rows)
        tally = carry.tally._replace(
            exchange=carry.tally.exchange + probability,
            trips=carry.tally.trips + (jnp.arange(rungs) == came_from),
            round_trips=carry.tally.round_trips + (taken & carry.been_up[0]),
        )
        return carry._replace(at=at, lowest=lowest, been_up=been_up == 1, likely=likely, tally=tally), taken

    def _followed(
        self, order: Int[Array, " replicas"], carry: Carry
    ) -> tuple[Int[Array, "3 replicas"], Int[Array, ""]]:
        """`at`, `lowest` and `been_up` after an exchange, and the former `lowest` of who now can leave the last rung.

        What comes from β = 0 is new, and written over the replica that it is exchanged for.
        """
        top = self.plan.rungs - 1
        rung = jnp.minimum(1 + jnp.arange(self.plan.replicas, dtype=carry.at.dtype), top)
        at_top = jnp.arange(self.plan.replicas) == top - 1
        before = jnp.stack([carry.at, carry.lowest, carry.been_up.astype(carry.at.dtype)])
        new = jnp.stack([carry.at[0], *jnp.zeros(2, carry.at.dtype)])
        at, lowest, been_up = jnp.concatenate([new[:, None], before], axis=1)[:, order]
        came_from = lowest[top - 1]
        return jnp.stack([at, jnp.where(at_top, top, jnp.minimum(lowest, rung)), been_up | at_top]), came_from

    def _turned(self, number: Float[Array, ""], rows: Int[Array, "3 replicas"]) -> Int[Array, "3 replicas"]:
        """What belongs to places, with those at the last rung turned as far as a number in [0, 1) says.

        The first of them is where sequences come and go, and the one that is traced. Turned at random it is each time
        any of its sequences, so a trace is as much correlated as all of them together, and shows it. In a fixed order
        each sequence would return after as many exchanges as there are replicas, and what lies between would make the
        trace look uncorrelated.
        """
        replicas = self.plan.target_replicas
        if replicas == 1:
            return rows
        first = self.plan.replicas - replicas
        turned = first + (jnp.arange(replicas) + jnp.floor(number * replicas).astype(int)) % replicas
        return jnp.concatenate([rows[:, :first], rows[:, turned]], axis=1)

    def _count(
        self, clock: Clock, index: Array, number: Array, carry: Carry, accepted: Array, trace: Trace
    ) -> tuple[Carry, Trace]:
        """Count the sequences at all rungs of one ladder; at β = 0 what was drawn there, whoever took it."""
        rows = carry.states.tokens, carry.states.energy, carry.states.counts
        rows = jax.tree.map(lambda leaf: leaf[carry.at], rows)
        if carry.source is not None:
            accepted = jnp.concatenate([jnp.zeros(1, accepted.dtype), accepted])
            drawn = carry.source.tokens, carry.source.energy, carry.source.counts
            now = standing(number, self.plan.drawn_together)
            rows = jax.tree.map(lambda leaf, new: jnp.concatenate([new[now][None], leaf]), rows, drawn)
        tokens, energy, counts = rows
        changed = jnp.sum(tokens != self.ensemble.anchor[None], axis=1).astype(energy.dtype)
        scalars = jnp.concatenate([energy[:, None], changed[:, None], counts], axis=1)
        tally = carry.tally._replace(
            letters=self._letters(carry.tally.letters, tokens),
            scalars=carry.tally.scalars.add(scalars),
            accepted=self._at_rungs(carry.tally.accepted, accepted),
        )
        rungs = slice(self.plan.rungs)
        return carry._replace(tally=tally), self._traced(clock, index, trace, scalars[rungs], tokens[rungs])

    def _letters(
        self, counts: Int[Array, "rungs length letters"], tokens: Int[Array, "places length"]
    ) -> Int[Array, "rungs length letters"]:
        """Counts with the sequences at all places; those of all its replicas at the last rung."""
        counts = count_letters(counts, tokens[: self.plan.rungs])
        if self.plan.target_replicas == 1:
            return counts
        others = count_letters(jnp.zeros_like(counts, shape=(1, *counts.shape[1:])), tokens[self.plan.rungs :])
        return counts.at[-1].add(others.sum(0, dtype=counts.dtype))

    def _at_rungs(self, counts: Int[Array, " rungs"], more: Int[Array, " places"]) -> Int[Array, " rungs"]:
        """Counts with those of all places; of all its replicas at the last rung."""
        counts = counts + more[: self.plan.rungs]
        return counts.at[-1].add(more[self.plan.rungs :].sum(dtype=counts.dtype))

    def _traced(self, clock: Clock, index: Array, trace: Trace, scalars: Array, tokens: Array) -> Trace:
        """The trace with this state, where it is one of those to keep; what comes between is written over."""
        slot = (clock.done + index) // clock.stride - clock.done // clock.stride
        rows = trace.scalars.at[slot].set(scalars)
        draws = trace.draws
        if self.plan.store_every:
            every = self.plan.store_every
            slot = (clock.drawn + index) // every - clock.drawn // every
            draws = draws.at[slot].set(tokens.astype(jnp.uint8))
        return Trace(rows, draws)
