"""Sampling: the one loop.

The host calls a compiled block again and again; a block moves all chains of all anchors by some steps and adds to
the accumulators. Between blocks the host shows progress, checks for non-finite energies and collects stored draws.
Every chain's random numbers depend on its anchor's and its own index and on the number of the step, never on how
the steps are cut into blocks.
"""

from __future__ import annotations

import dataclasses
import functools
import time
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt8

from jaxmaxent import background, checks
from jaxmaxent.ensemble import Ensemble
from jaxmaxent.evaluate import FullEvaluator
from jaxmaxent.kernels import Info, Metropolis, Rule, Site, State
from jaxmaxent.progress import Progress
from jaxmaxent.statistics import Moments, count_letters, mean_over_chains
from jaxmaxent.store import Run

# Long enough that a call costs nothing beside the work, short enough that the bar moves and Ctrl-C is heard.
_SECONDS_A_BLOCK = 0.5
# Letters of all chains of an anchor from which a CPU takes anchors in turn, so that activations stay in its cache;
# below, anchors go side by side, as on accelerators, to share the cost of starting each operation.
_ENOUGH_FOR_A_CPU = 8192
# Draws wait on the device for the end of a block, at most so many and in at most so many bytes.
_BUFFER_DRAWS, _BUFFER_BYTES = 64, 64 * 2**20


class NonFiniteEnergyError(ArithmeticError):
    """The network returned NaN or infinity for a sequence that a chain came to."""


def sample(
    key: Key[Array, ""],
    ensemble: Ensemble,
    *,
    chains: int = 256,
    steps: int = 10_000,
    burn_in: int | None = None,
    thin: int = 10,
    store_every: int | None = None,
    start: str | Run = "background",
    names: Sequence[str] | None = None,
    progress: bool = True,
) -> Run:
    """Sample an ensemble with many Metropolis chains at each anchor's β.

    All anchors and chains advance in one compiled program, which serves every later call with the same network,
    shapes and `chains`, whatever β, μ, anchors or parameters.

    Args:
        key: a typed key, `jax.random.key(seed)`.
        ensemble: what to sample, for one anchor or several.
        chains: chains of each anchor.
        steps: proposals of each chain that count, a multiple of `thin`.
        burn_in: proposals of each chain before that, a multiple of `thin`; a quarter of `steps`, rounded up, if None.
        thin: proposals between two states that enter the statistics.
        store_every: keep every chain's sequence each time after so many proposals, a multiple of `thin`; None keeps
            none. Stored draws take steps / store_every × chains × length bytes for an anchor.
        start: "background" (exact draws at β = 0), "anchor" (every chain at x0), or a run whose chains go on.
        names: what the anchors are called; anchor_0, anchor_1, … if None.
        progress: show a progress bar.

    Returns:
        the run; its arrays have the shapes [anchors, rungs, …] with one rung.

    Raises:
        ValueError: for bad input, naming the argument.
        NonFiniteEnergyError: if the network returns NaN or infinity, naming anchor and chain.
    """
    plan, burn_in, steps = _plan(ensemble, chains, steps, burn_in, thin, store_every)
    names = _names(names, ensemble.anchors)
    key = checks.typed_key(key)
    batch = ensemble.batched()
    if isinstance(start, Run):
        # The key that led there must not be used for the same steps again.
        key = jax.random.fold_in(key, zlib.crc32(start.last.tobytes()))
    key_start, key_steps = jax.random.split(key)
    tokens = _first_tokens(key_start, batch, chains, start)
    total = burn_in + steps
    with Progress(total, show=progress) as bar:
        began = time.perf_counter()
        carry = _begin(plan, batch, tokens)
        # A block of no steps compiles the program if it is not compiled yet, and otherwise takes no time.
        carry, _ = jax.block_until_ready(_block(plan, batch, key_steps, carry, 0, 0))
        compile_seconds = time.perf_counter() - began
        bar.compiled(compile_seconds)
        _check_first_energies(jax.device_get(carry.states.energy))
        loop = _Loop(plan, batch, key_steps, carry, bar)
        loop.advance("burn-in", burn_in)
        loop.forget()
        loop.advance("sampling", steps)
    return _result(batch, loop, names, steps, burn_in, compile_seconds)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What shapes the compiled program besides the ensemble."""

    rule: Rule
    chains: int
    thin: int
    one_by_one: bool  # anchors in turn, each for a whole block, instead of side by side
    store_every: int  # counted states between two stored draws; 0 stores none
    buffer: int  # stored draws a block has room for


class _Carry(NamedTuple):
    """What a block hands to the next; leading axes [anchors, chains]."""

    states: State
    letters: Int[Array, "anchors chains length letters"]


class _Block(NamedTuple):
    """What one block adds; small enough to be fetched every time."""

    scalars: Moments  # of energy and counts, [anchors, chains, 1 + fields]
    accepted: Int[Array, "anchors chains"]
    non_finite: Int[Array, "anchors chains"]
    draws: UInt8[Array, "anchors draws chains length"]


def _kernel(plan: _Plan, ensemble: Ensemble) -> Metropolis:
    return Metropolis(ensemble, FullEvaluator(ensemble), plan.rule)


def _over_anchors(plan: _Plan, function: Any, ensemble: Ensemble, *arrays: Any) -> Any:
    """Map a function of (ensemble of one anchor, arrays of one anchor …) over the anchors."""
    if not plan.one_by_one:
        return jax.vmap(function, in_axes=(ensemble.anchor_axes(), *[0] * len(arrays)))(ensemble, *arrays)

    def one(anchor: Array) -> Any:
        return function(ensemble.take(anchor), *jax.tree.map(lambda leaf: leaf[anchor], arrays))

    return jax.lax.map(one, jnp.arange(ensemble.anchors))


@functools.partial(jax.jit, static_argnames=("plan",))
def _begin(plan: _Plan, ensemble: Ensemble, tokens: Int[Array, "anchors chains length"]) -> _Carry:
    def chains(one: Ensemble, rows: Array) -> State:
        return jax.vmap(_kernel(plan, one).init)(rows)

    states = _over_anchors(plan, chains, ensemble, tokens)
    return _Carry(states, jnp.zeros((*tokens.shape, len(ensemble.alphabet)), jnp.int32))


@functools.partial(jax.jit, static_argnames=("plan",), donate_argnames=("carry",))
def _block(
    plan: _Plan, ensemble: Ensemble, key: Key[Array, ""], carry: _Carry, first: Any, counted: Any
) -> tuple[_Carry, _Block]:
    """Advance by `counted` × `plan.thin` steps, the first of which has the number `first`."""
    key_where, key_what = jax.random.split(key)

    def one_anchor(one: Ensemble, anchor: Array, mine: _Carry) -> tuple[_Carry, _Block]:
        chains = jnp.arange(plan.chains)
        keys = jax.vmap(lambda chain: jax.random.fold_in(jax.random.fold_in(key_what, anchor), chain))(chains)
        return _advance(plan, one, key_where, keys, mine, first, counted)

    return _over_anchors(plan, one_anchor, ensemble, jnp.arange(ensemble.anchors), carry)


def _advance(
    plan: _Plan,
    ensemble: Ensemble,
    key_where: Key[Array, ""],
    keys: Key[Array, " chains"],
    carry: _Carry,
    first: Any,
    counted: Any,
) -> tuple[_Carry, _Block]:
    """`_block` for the chains of one anchor, each with its own key."""
    kernel = _kernel(plan, ensemble)

    def step(number: Array, inner: tuple[State, Array, Array]) -> tuple[State, Array, Array]:
        states, accepted, non_finite = inner
        start = plan.rule.where(jax.random.fold_in(key_where, number), ensemble)

        def chain(key: Array, state: State) -> tuple[State, Info]:
            return kernel.move(jax.random.fold_in(key, number), state, start)

        states, info = jax.vmap(chain)(keys, states)
        return states, accepted + info.accepted, non_finite + ~jnp.isfinite(info.proposed_energy)

    def count(index: Array, outer: tuple[_Carry, _Block]) -> tuple[_Carry, _Block]:
        (states, letters), block = outer
        begin = first + index * plan.thin
        states, accepted, non_finite = jax.lax.fori_loop(
            begin, begin + plan.thin, step, (states, block.accepted, block.non_finite)
        )
        scalars = jnp.concatenate([states.energy[:, None], states.counts], axis=-1)
        draws = block.draws
        if plan.store_every:
            slot = jnp.minimum(index // plan.store_every, plan.buffer - 1)
            draws = draws.at[slot].set(states.tokens.astype(jnp.uint8))
        carry = _Carry(states, count_letters(letters, states.tokens))
        return carry, _Block(block.scalars.add(scalars), accepted, non_finite, draws)

    zeros = jnp.zeros(plan.chains, jnp.int32)
    moments = Moments.zeros((plan.chains, 1 + len(ensemble.fields)), carry.states.energy.dtype)
    buffer = jnp.zeros((plan.buffer, plan.chains, ensemble.length), jnp.uint8)
    return jax.lax.fori_loop(0, counted, count, (carry, _Block(moments, zeros, zeros, buffer)))


class _Loop:
    """Runs blocks and gathers what they return."""

    def __init__(self, plan: _Plan, ensemble: Ensemble, key: Array, carry: _Carry, bar: Progress) -> None:
        self.plan, self.ensemble, self.key, self.carry, self.bar = plan, ensemble, key, carry, bar
        self.steps_done = 0
        self.seconds = 0.0
        self._size = 1
        self.forget()

    def forget(self) -> None:
        """Empty the accumulators; the chains stay where they are."""
        shape = (*self.carry.states.energy.shape, 1 + len(self.ensemble.fields))
        self.scalars = Moments(0, np.zeros(shape), np.zeros(shape))
        self.accepted = np.zeros(shape[:-1], np.int64)
        self.draws: list[np.ndarray] = []
        self.carry = self.carry._replace(letters=jnp.zeros_like(self.carry.letters))

    def advance(self, what: str, steps: int) -> None:
        """Run blocks for `steps` more steps."""
        left = steps // self.plan.thin
        while left:
            size = self._block_size(left)
            began = time.perf_counter()
            self.carry, block = _block(self.plan, self.ensemble, self.key, self.carry, self.steps_done, size)
            block = jax.device_get(block)
            took = time.perf_counter() - began
            self.seconds += took
            self.steps_done += size * self.plan.thin
            left -= size
            self._gather(block, size, what)
            self._size = max(1, min(4 * size, int(size * _SECONDS_A_BLOCK / max(took, 1e-6))))
            self.bar.advance(
                what,
                size * self.plan.thin,
                energy=float(block.scalars.mean[..., 0].mean()),
                acceptance=float(block.accepted.mean() / (size * self.plan.thin)),
            )

    def _block_size(self, left: int) -> int:
        """Counted states of the next block: as fits the time, whole intervals and the buffer of stored draws."""
        size = self._size
        if self.plan.store_every:
            every = self.plan.store_every
            size = every * max(1, min(size // every, self.plan.buffer))
        return min(size, left)

    def _gather(self, block: _Block, size: int, what: str) -> None:
        if block.non_finite.any():
            anchor, chain = (int(i) for i in np.argwhere(block.non_finite)[0])
            raise NonFiniteEnergyError(
                f"the network returned a NaN or infinite energy for {int(block.non_finite.sum())} proposals before "
                f"step {self.steps_done}, the first in chain {chain} of anchor {anchor}; check its parameters"
            )
        self.scalars = self.scalars.merge(block.scalars._replace(count=block.scalars.count[0]))
        self.accepted += block.accepted
        if self.plan.store_every and what != "burn-in":
            self.draws.append(np.asarray(block.draws)[:, : size // self.plan.store_every])


def _plan(
    ensemble: Ensemble, chains: int, steps: int, burn_in: int | None, thin: int, store_every: int | None
) -> tuple[_Plan, int, int]:
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    chains = checks.integer("chains", chains, at_least=1)
    thin = checks.integer("thin", thin, at_least=1)
    steps = checks.multiple("steps", checks.integer("steps", steps, at_least=1), "thin", thin)
    if burn_in is None:
        burn_in = -(-steps // (4 * thin)) * thin
    burn_in = checks.multiple("burn_in", checks.integer("burn_in", burn_in, at_least=0), "thin", thin)
    every = buffer = 0
    if store_every is not None:
        store_every = checks.integer("store_every", store_every, at_least=1)
        every = checks.multiple("store_every", store_every, "thin", thin) // thin
        if store_every > steps:
            raise ValueError(f"store_every must be at most steps = {steps}, got {store_every}")
        one_draw = ensemble.anchors * chains * ensemble.length
        buffer = max(1, min(_BUFFER_DRAWS, _BUFFER_BYTES // one_draw))
    one_by_one = jax.default_backend() == "cpu" and chains * ensemble.length >= _ENOUGH_FOR_A_CPU
    return _Plan(Site(), chains, thin, one_by_one, every, buffer), burn_in, steps


def _names(names: Sequence[str] | None, anchors: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"anchor_{i}" for i in range(anchors))
    if len(names) != anchors:
        raise ValueError(f"names must name each of {anchors} anchors, got {len(names)} names")
    return tuple(str(name) for name in names)


def _check_first_energies(energies: np.ndarray) -> None:
    wrong = np.argwhere(~np.isfinite(energies))
    if wrong.size:
        anchor, chain = (int(i) for i in wrong[0])
        raise NonFiniteEnergyError(
            f"the network returned a NaN or infinite energy for {len(wrong)} of {energies.size} first sequences, "
            f"where chain {chain} of anchor {anchor} starts; check its parameters"
        )


def _first_tokens(
    key: Key[Array, ""], ensemble: Ensemble, chains: int, start: str | Run
) -> Int[Array, "anchors chains length"]:
    shape = (ensemble.anchors, chains, ensemble.length)
    if isinstance(start, Run):
        last = start.last[:, -1]
        if last.shape != shape:
            raise ValueError(
                f"start must be a run with [anchors, chains, length] = {list(shape)}, got {list(last.shape)}"
            )
        held = np.delete(np.arange(ensemble.length), np.asarray(ensemble.movable))
        if last.max() >= len(ensemble.alphabet) or (last != np.asarray(ensemble.anchor)[:, None])[..., held].any():
            raise ValueError("start must be a run of this alphabet whose chains keep the positions fixed here")
        return jnp.asarray(last, jnp.int32)
    if isinstance(start, str) and start == "anchor":
        return jnp.broadcast_to(ensemble.anchor[:, None], shape)
    if isinstance(start, str) and start == "background":
        return _background(ensemble, key, chains)
    raise ValueError(f'start must be "background", "anchor" or a run, got {start!r}')


@functools.partial(jax.jit, static_argnames=("chains",))
def _background(ensemble: Ensemble, key: Key[Array, ""], chains: int) -> Int[Array, "anchors chains length"]:
    def one(single: Ensemble, index: Array) -> Array:
        return background.draw(jax.random.fold_in(key, index), single, chains)

    return jax.vmap(one, in_axes=(ensemble.anchor_axes(), 0))(ensemble, jnp.arange(ensemble.anchors))


def device_name() -> str:
    """What JAX computes on, for example "NVIDIA H200 (gpu)" or "cpu"."""
    kind, backend = jax.devices()[0].device_kind, jax.default_backend()
    return backend if kind == backend else f"{kind} ({backend})"


def _result(
    ensemble: Ensemble, loop: _Loop, names: tuple[str, ...], steps: int, burn_in: int, compile_seconds: float
) -> Run:
    letters = jax.device_get(loop.carry.letters)
    frequencies, frequency_errors = mean_over_chains(letters / loop.scalars.count, axis=1)
    means, errors = mean_over_chains(loop.scalars.mean, axis=1)
    # Chains that never moved agree perfectly and know nothing: their errors are unknown.
    stuck = ~loop.accepted.any(1)
    frequency_errors[stuck] = errors[stuck] = np.nan
    # Total variance: within chains plus between their means.
    variances = loop.scalars.variance().mean(1) + loop.scalars.mean.var(1)
    mu = np.stack([np.asarray(field.mu, float) for field in ensemble.fields], -1) if ensemble.fields else None
    return Run(
        names=names,
        letters=ensemble.alphabet.letters,
        field_names=tuple(field.name for field in ensemble.fields),
        anchors=np.asarray(ensemble.anchor, np.uint8),
        beta=np.asarray(ensemble.beta, float)[:, None],
        mu=np.zeros((ensemble.anchors, 0)) if mu is None else mu,
        frequencies=frequencies[:, None],
        frequency_errors=frequency_errors[:, None],
        energy=means[:, None, 0],
        energy_error=errors[:, None, 0],
        field_mean=means[:, None, 1:],
        field_error=errors[:, None, 1:],
        field_variance=variances[:, None, 1:],
        acceptance=loop.accepted.mean(1)[:, None] / steps,
        last=np.asarray(loop.carry.states.tokens, np.uint8)[:, None],
        draws=np.concatenate(loop.draws, axis=1)[:, None] if loop.draws else None,
        steps=steps,
        burn_in=burn_in,
        thin=loop.plan.thin,
        seconds=loop.seconds,
        compile_seconds=compile_seconds,
        device=device_name(),
    )
