"""The time of a step of all replicas of a device, measured as a block makes it."""

from __future__ import annotations

import functools
import math
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.kernels import build, evaluator_for
from jaxmaxent.kernels._mixture import choice_for
from jaxmaxent.sampling._options import INCREMENTAL

_SECONDS, _REPEATS = 0.1, 3
# What the devices of JAX and their libraries say when memory is short; it has no type of error of its own.
_SHORT_OF_MEMORY = "resource_exhausted", "out of memory", "failed to allocate"


class Share(NamedTuple):
    """The share of a run that one device walks.

    Attributes:
        lanes: anchors that go side by side; 1 if they take turns.
        replicas: replicas of each.
    """

    lanes: int
    replicas: int


def seconds_per_step(way: str, ensemble: Ensemble, rule: Any, share: Share) -> float:
    """Return the least time of a step of all replicas, without compiling; infinite if they do not fit into memory.

    Args:
        way: how proposals are evaluated.
        ensemble: the anchors that go side by side, batched.
        rule: how their replicas move, prepared.
        share: the number of anchors, and of replicas of each.

    Returns:
        the time in seconds, of as many steps as take long enough to be timed.
    """
    try:
        return _seconds(way, ensemble, rule, share)
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        if not short_of_memory(error):
            raise
    return math.inf  # outside the block, because the error holds on to arrays


def short_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory, of the device or the host, is not enough."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _SHORT_OF_MEMORY)


def _seconds(way: str, ensemble: Ensemble, rule: Any, share: Share) -> float:
    shape = share.lanes, share.replicas, ensemble.length
    tokens = jnp.broadcast_to(ensemble.anchor[:, None], shape)
    if share.lanes == 1:  # the shapes, and so the compiled walk, do not depend on the number of anchors
        rule = rule.at(0, -1)
    key, steps, best = jax.random.key(0), 4, math.inf
    walk = functools.partial(_walk, way)
    jax.block_until_ready(walk(ensemble, rule, key, tokens, steps))
    for _ in range(_REPEATS):
        began = time.perf_counter()
        jax.block_until_ready(walk(ensemble, rule, key, tokens, steps))
        took = time.perf_counter() - began
        # The first repeats also find out how many steps take long enough to be timed.
        best, steps = min(best, took / steps), max(steps, min(16 * steps, int(steps * _SECONDS / max(took, 1e-6))))
    return best


@functools.partial(jax.jit, static_argnums=0)
def _walk(
    way: str,
    ensemble: Ensemble,
    rule: Any,
    key: Key[Array, ""],
    tokens: Int[Array, "lanes replicas length"],
    steps: Any,
) -> Array:
    """Return the energies of replicas after some steps at the target, with positions that all lanes share."""
    incremental = way == INCREMENTAL
    choice, alone = choice_for(rule, incremental=incremental), tokens.shape[0] == 1

    def of_anchor(one: Ensemble, anchor: Any, rows: Any) -> Array:
        evaluator = evaluator_for(rule, one, incremental=incremental)
        own = rule if alone else rule.at(anchor, -1)
        kernel = build(own, one, evaluator, choice=choice)
        keys = jax.random.split(jax.random.fold_in(key, anchor), rows.shape[0])

        def step(number: Array, states: Any) -> Any:
            where = kernel.where(jax.random.fold_in(key, number))
            return jax.vmap(lambda k, state: kernel.move(jax.random.fold_in(k, number), state, where)[0])(keys, states)

        return jax.lax.fori_loop(0, steps, step, jax.vmap(kernel.init)(rows)).energy

    if alone:  # no axis of anchors, as in a block that takes them in turn
        return of_anchor(ensemble.take(0), 0, tokens[0])[None]
    anchors = jnp.arange(tokens.shape[0])
    return jax.vmap(of_anchor, in_axes=(ensemble.anchor_axes(), 0, 0))(ensemble, anchors, tokens)
