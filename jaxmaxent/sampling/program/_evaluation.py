"""The way proposals are evaluated: the one that is asked for, or the faster of the two on the real shapes."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jaxtyping import Array, Int, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate.incremental import Incremental
from jaxmaxent.kernels import build, evaluator_for
from jaxmaxent.kernels._mixture import choice_for
from jaxmaxent.sampling._options import AUTO, FULL, INCREMENTAL, Options
from jaxmaxent.sampling.program._memory import besides_caches, free_bytes

# Below so many FLOPs a network costs no more than the steps around it, and timing both ways costs more than it saves.
_SMALL = 100_000
# Incremental evaluation reads and writes its caches, so it must save more than a little to be worth timing.
_WORTH = 0.8
# With so small a share of the work it is surely faster on a CPU; an accelerator may wait for many small operations.
_PLAIN = 0.25
_SECONDS, _REPEATS = 0.1, 3
# The faster way for a network, a rule and shapes, so that the next call with the same need not time them.
_FOUND: dict[Hashable, str] = {}


def chosen(asked: Any, ensemble: Ensemble, rule: Any, options: Options) -> str:
    """Return the way proposals will be evaluated, "full" or "incremental".

    Args:
        asked: "auto" or one of these.
        ensemble: what is sampled, batched.
        rule: how replicas move, prepared.
        options: numbers of chains, rungs and replicas.

    Raises:
        ValueError: for another word, for incremental evaluation with a rule that needs gradients, and if the caches of
            so many replicas do not fit into memory.
    """
    if asked not in (AUTO, FULL, INCREMENTAL):
        raise ValueError(f'evaluation must be "auto", "full" or "incremental", got {checks.shown(asked)}')
    if asked == FULL or (asked == AUTO and rule.needs_gradient):
        return FULL
    if rule.needs_gradient:
        raise ValueError('evaluation must be "full" for a rule that needs gradients, got "incremental"')
    if asked == AUTO and _most_flops(_traced(ensemble)) < _SMALL:
        return FULL
    network = Incremental(ensemble.features, ensemble.params, ensemble.length, len(ensemble.alphabet))
    cost, each = network.explain(), network.cache_bytes
    replicas = options.all_chains * options.replicas
    drawn = options.all_chains * options.drawn_together * options.ends  # draws have caches like any other sequence
    together = (replicas + drawn) * ensemble.anchors
    needed, free = each * together, free_bytes()
    if free is not None:
        free = max(free - besides_caches(ensemble, options), 0)
    fits = free is None or needed <= free
    if asked == INCREMENTAL:
        if not fits:
            raise ValueError(
                f"chains must fit into memory, but {together:,} sequences of all chains, rungs and anchors remember "
                f"{needed / 2**30:.1f} GiB ({each:,} bytes each) and {(free or 0) / 2**30:.1f} GiB are "
                f'left: take fewer, or evaluation="full"'
            )
        return INCREMENTAL
    if not fits:
        return FULL
    # The FLOPs of a loop without a known number of turns are not known, so such a network is timed.
    known = all(row.operation != "while" for row in cost.rows)
    if known and (cost.full_flops < _SMALL or cost.flops > _WORTH * cost.full_flops):
        return FULL
    if known and jax.default_backend() == "cpu" and cost.flops < _PLAIN * cost.full_flops:
        return INCREMENTAL
    # Shapes of the first anchor, so that the ways are timed once for any number of anchors.
    one, its_rule = ensemble.take(0), rule.at(0, -1)
    shapes = tuple((leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves((one, its_rule)))
    mark = (ensemble.features, ensemble.metric, str(jax.tree.structure(rule)), shapes, replicas, jax.default_backend())
    if mark not in _FOUND:
        took = {way: _seconds_per_step(way, one, its_rule, replicas) for way in (FULL, INCREMENTAL)}
        _FOUND[mark] = min(took, key=lambda way: took[way])
    return _FOUND[mark]


def _traced(ensemble: Ensemble) -> core.Jaxpr:
    """Return the operations of the network, traced as for incremental evaluation, so that it is traced once."""
    one_hot = jax.ShapeDtypeStruct((ensemble.length, len(ensemble.alphabet)), jnp.float32)
    with jax.default_matmul_precision("highest"):
        return jax.make_jaxpr(ensemble.features)(ensemble.params, one_hot).jaxpr


def _most_flops(jaxpr: core.Jaxpr) -> int:
    """Return an upper bound of the FLOPs of a forward pass, by the sizes of its arrays alone.

    It identifies a small network before the windows of its operations are worked out. A loop without a known number of
    turns may be long, so its network is not small.
    """
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "while":
            return _SMALL
        values: list[Any] = [*equation.invars, *equation.outvars]
        sizes = [math.prod(value.aval.shape) for value in values]
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            total += 2 * sizes[-1] * sizes[1]
        else:
            total += sum(sizes) * math.prod(equation.params.get("window_dimensions", ()))
        inner = (getattr(parameter, "jaxpr", parameter) for parameter in equation.params.values())
        turns = equation.params["length"] if equation.primitive.name == "scan" else 1
        total += turns * sum(_most_flops(one) for one in inner if isinstance(one, core.Jaxpr))
    return total


def _seconds_per_step(way: str, ensemble: Ensemble, rule: Any, replicas: int) -> float:
    """Return the least time of a step of all replicas of one anchor, as a block makes them, without compiling."""
    tokens = jnp.broadcast_to(ensemble.anchor, (replicas, ensemble.length))
    key, steps = jax.random.key(0), 4
    walk = functools.partial(_walk, way)
    jax.block_until_ready(walk(ensemble, rule, key, tokens, steps))
    best = np.inf
    for _ in range(_REPEATS):
        began = time.perf_counter()
        jax.block_until_ready(walk(ensemble, rule, key, tokens, steps))
        took = time.perf_counter() - began
        # The first repeats also find out how many steps take long enough to be timed.
        best, steps = min(best, took / steps), max(steps, min(16 * steps, int(steps * _SECONDS / max(took, 1e-6))))
    return best


@functools.partial(jax.jit, static_argnums=0)
def _walk(
    way: str, ensemble: Ensemble, rule: Any, key: Key[Array, ""], tokens: Int[Array, "replicas length"], steps: Any
) -> Array:
    incremental = way == INCREMENTAL
    evaluator, choice = (
        evaluator_for(rule, ensemble, incremental=incremental),
        choice_for(rule, incremental=incremental),
    )
    kernel = build(rule, ensemble, evaluator, choice=choice)
    keys = jax.random.split(key, tokens.shape[0])

    def step(number: Array, states: Any) -> Any:
        where = kernel.where(jax.random.fold_in(key, number))
        return jax.vmap(lambda k, state: kernel.move(jax.random.fold_in(k, number), state, where)[0])(keys, states)

    return jax.lax.fori_loop(0, steps, step, jax.vmap(kernel.init)(tokens)).energy
