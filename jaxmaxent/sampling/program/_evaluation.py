"""The way proposals are evaluated: the one that is asked for, or the faster of the two on the real shapes."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import jax
import numpy as np

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate.incremental import Incremental
from jaxmaxent.sampling._options import AUTO, FULL, INCREMENTAL, Options
from jaxmaxent.sampling.program import _flops as flops
from jaxmaxent.sampling.program import _remembered as remembered
from jaxmaxent.sampling.program._memory import besides_caches, free_bytes
from jaxmaxent.sampling.program._sharding import ANCHORS, CHAINS
from jaxmaxent.sampling.program._timing import Share, seconds_per_step

# Incremental evaluation reads and writes its caches, so it must save more than a little to be worth timing.
_WORTH = 0.8
# With so small a share of the work it is surely faster on a CPU; an accelerator may wait for many small operations.
_PLAIN = 0.25
# The faster way for a network, a rule and shapes, so that the next call with the same need not time them.
_FOUND: dict[Hashable, str] = {}


def chosen(asked: Any, ensemble: Ensemble, rule: Any, options: Options, mesh: jax.sharding.Mesh | None = None) -> str:
    """Return the way proposals will be evaluated, "full" or "incremental".

    Args:
        asked: "auto" or one of these.
        ensemble: what is sampled, batched.
        rule: how replicas move, prepared.
        options: numbers of chains, rungs and replicas.
        mesh: devices that share the replicas; None for one.

    Raises:
        ValueError: for another word, for incremental evaluation with a rule that needs gradients, and if the replicas
            do not fit into memory: their caches, or with "auto" those of either way.
    """
    if asked not in (AUTO, FULL, INCREMENTAL):
        raise ValueError(f'evaluation must be "auto", "full" or "incremental", got {checks.shown(asked)}')
    if asked == FULL or (asked == AUTO and rule.needs_gradient):
        return FULL
    if rule.needs_gradient:
        raise ValueError('evaluation must be "full" for a rule that needs gradients, got "incremental"')
    if asked == AUTO and flops.is_small(ensemble):
        return FULL
    network = Incremental(ensemble.features, ensemble.params, ensemble.length, len(ensemble.alphabet))
    cost, each = network.explain(), network.cache_bytes
    drawn = options.drawn_together * options.ends  # draws have caches like any other sequence
    together = options.all_chains * (options.replicas + drawn) * ensemble.anchors
    # The devices of a CPU have one memory.
    devices = 1 if mesh is None or jax.default_backend() == "cpu" else mesh.size
    needed, free = -(-each * together // devices), free_bytes()
    if free is not None:
        free = max(free - besides_caches(ensemble, options, devices=devices), 0)
    fits = free is None or needed <= free
    if asked == INCREMENTAL:
        if not fits:
            raise ValueError(
                f"chains must fit into memory, but {together:,} sequences of all chains, rungs and anchors remember "
                f"{each * together / 2**30:.1f} GiB ({each:,} bytes each) and {(free or 0) / 2**30:.1f} GiB are "
                f'left{f" on each of {devices} devices" * (devices > 1)}: take fewer, or evaluation="full"'
            )
        return INCREMENTAL
    if not fits:
        return FULL
    # The FLOPs of a loop without a known number of turns are not known, so such a network is timed.
    known = all(row.operation != "while" for row in cost.rows)
    if known and (cost.full_flops < flops.SMALL or cost.flops > _WORTH * cost.full_flops):
        return FULL
    if known and jax.default_backend() == "cpu" and cost.flops < _PLAIN * cost.full_flops:
        return INCREMENTAL
    return _faster(ensemble, rule, _share(ensemble, options, mesh))


def _share(ensemble: Ensemble, options: Options, mesh: jax.sharding.Mesh | None) -> Share:
    """Return what one device walks at a time.

    A CPU takes anchors in turn, or gains little by not doing so: it times a single one, once for any number of them.
    """
    along = {} if mesh is None else mesh.shape
    lanes = 1 if jax.default_backend() == "cpu" else ensemble.anchors // along.get(ANCHORS, 1)
    return Share(lanes, options.all_chains // along.get(CHAINS, 1) * options.replicas)


def _faster(ensemble: Ensemble, rule: Any, share: Share) -> str:
    """Return the faster way, timed unless it was timed before for such a network, rule and share."""
    some = ensemble.take(np.arange(share.lanes))
    # Shapes of these anchors, so that the ways are timed once for any number of anchors in turn.
    shapes = tuple((leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves((some, rule.at(0, -1))))
    structure, backend = str(jax.tree.structure(rule)), jax.default_backend()
    mark = (ensemble.features, ensemble.metric, structure, shapes, share, backend)
    if mark in _FOUND:
        return _FOUND[mark]
    path = remembered.file()
    if path is None:
        way = _timed(some, rule, share)
    else:
        parts = (flops.traced(ensemble), ensemble.metric, structure, shapes, backend)
        key = remembered.key_of(parts, *share, ensemble.length)
        way = remembered.found(path, key, (FULL, INCREMENTAL))
        if way is None:
            way = _timed(some, rule, share)
            remembered.keep(path, key, way)
    _FOUND[mark] = way
    return way


def _timed(ensemble: Ensemble, rule: Any, share: Share) -> str:
    """Return the way that takes less time; one that runs out of memory is not chosen."""
    took = {way: seconds_per_step(way, ensemble, rule, share) for way in (FULL, INCREMENTAL)}
    way = min(took, key=lambda way: took[way])
    if math.isinf(took[way]):
        raise ValueError(
            f"chains must fit into memory, but {share.lanes * share.replicas:,} sequences of all chains, rungs and "
            "anchors on a device did not by either way of evaluation: take fewer chains, or fewer anchors together"
        )
    return way
