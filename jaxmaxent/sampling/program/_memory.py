"""What a run will take of memory, added up before any of it is taken, and what would fit instead.

Only what is sure to be needed is counted, once: the compiler and the network's own temporaries come on top. A run that
is refused here could not have been done; one that is not may still be too large, and then ends with an error.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxmaxent import memory
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.sampling._options import (
    ANCHOR_CHAINS,
    CHAINS,
    CHAINS_AT_ONE_BETA,
    DEFAULT_RUNGS,
    LAST_REPLICAS,
    Settings,
)
from jaxmaxent.sampling.device._block import SCALARS, TRACE_SLOTS
from jaxmaxent.sampling.host._totals import BATCHES, first_size

_TOKEN = _COUNT = _NUMBER = 4  # bytes on the device
_DOUBLE = 8  # bytes of a number of the host
# Arrays of a run with an entry for every letter: frequencies and what is known of them.
_PER_LETTER = 4
# Bytes of the temporaries of diagnostics for each of the counts they look at.
_DIAGNOSED = 2 * _DOUBLE
# And of what a CPU compares for each pair of the replicas of a chain, to find who stands where.
_PAIR = 16
# What of the settings can be smaller, by what it is called, and how small it can be.
_NAMES = {
    "chains": ("chains", 1),
    "extra": ("anchor_chains", 0),
    "rungs": ("rungs of the ladder", 2),
    "target_replicas": ("target_replicas", 1),
}
# What is advised takes at most one part in so many of what is free, as a run takes more than is counted here.
_MARGIN = 2
_MATERIALIZED = "dot_general", "conv_general_dilated"


class Needs(NamedTuple):
    """Bytes that a run takes, at least.

    Attributes:
        device: on each device.
        host: of the host, where counts are gathered.
    """

    device: int
    host: int


def free_bytes() -> int | None:
    """Bytes of the device's memory that are free, None where it does not say."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return memory.free_bytes() if _on_host() else None


def check(ensemble: Ensemble, settings: Settings, *, devices: int = 1, kept: int | None = None) -> None:
    """ValueError that says what would fit if a run does not.

    Args:
        ensemble: what is sampled, batched.
        settings: how.
        devices: how many devices share the chains.
        kept: of how many anchors results are kept in the end, if not only of these.
    """
    device, host = free_bytes(), memory.free_bytes()
    activation = _activation_bytes(ensemble)
    letters = len(ensemble.alphabet), ensemble.length
    fields = len(ensemble.fields)

    def missing(asked: Settings, anchors: int, margin: int = _MARGIN) -> tuple[int, int] | None:
        """Bytes needed and free where these are fewer than `margin` times as many."""
        results = max(anchors, kept or 0)
        found = _needs(asked, anchors, letters, fields, activation, devices, results)
        if _on_host():
            found, places = Needs(0, sum(found)), (None, host)
        else:
            places = (device, host)
        lacking = [(n, f) for n, f in zip(found, places, strict=True) if f is not None and margin * n > f]
        return lacking[0] if lacking else None

    lacking = missing(settings, ensemble.anchors, margin=1)
    if lacking is None:
        return
    name, given, bound = _blamed(settings, ensemble.anchors, missing)
    count = f"{ensemble.anchors} sequence{'s' * (ensemble.anchors > 1)} of {ensemble.length:,} letters"
    raise ValueError(
        f"{name} must be {bound} to fit into memory, got {given:,}: {count} would take at least "
        f"{_told(lacking[0])}, and {_told(lacking[1])} are free"
    )


def besides_caches(ensemble: Ensemble, settings: Settings) -> int:
    """Bytes of the device's memory that a run takes besides what incremental evaluation remembers."""
    shape = len(ensemble.alphabet), ensemble.length
    anchors = ensemble.anchors
    found = _needs(settings, anchors, shape, len(ensemble.fields), _activation_bytes(ensemble), 1, anchors)
    return sum(found) if _on_host() else found.device


def _needs(
    settings: Settings, anchors: int, shape: tuple[int, int], fields: int, activation: int, devices: int, results: int
) -> Needs:
    letters, length = shape
    chains, rungs, scalars = settings.chains + settings.extra, settings.rungs, SCALARS + fields
    replicas = settings.places - settings.has_source
    table = rungs * length * letters  # an entry for every letter at every position
    draw = rungs * length
    # Replicas with their first sequences and the last that went wrong, draws at β = 0, counts, traces, stored draws.
    tokens = _TOKEN * length * (3 * replicas + settings.drawn_together)
    traced = _NUMBER * scalars * (TRACE_SLOTS * rungs + 2 * settings.places)
    of_chain = tokens + _COUNT * table + traced + draw * (settings.store_every is not None)
    walked = chains * replicas * activation  # of one anchor
    if _on_host():
        walked += chains * replicas**2 * _PAIR
    device = -(-anchors * chains * of_chain // devices) + -(-walked // devices)
    batches = min(BATCHES - 1, settings.counted // first_size(settings.counted))
    batch = np.min_scalar_type(settings.counted // BATCHES * settings.target_replicas).itemsize
    # Counts of batches and of all states, and energies of single states.
    record = table * (batches * batch + _DOUBLE)
    record += rungs * scalars * (batches * _DOUBLE + min(BATCHES * TRACE_SLOTS // 2, settings.counted) * _NUMBER)
    stored = 0 if settings.store_every is None else settings.counted * settings.thin // settings.store_every
    diagnosed = settings.chains * table * batches * _DIAGNOSED  # anchor by anchor
    host = anchors * chains * (record + 2 * stored * draw) + diagnosed + results * _PER_LETTER * _DOUBLE * table
    return Needs(device, host)


def _blamed(settings: Settings, anchors: int, missing: Callable[[Settings, int], Any]) -> tuple[str, int, str]:
    """What of the settings is to be smaller: its name, what was given, and its bound in words."""

    def fits(**changes: Any) -> bool:
        return missing(dataclasses.replace(settings, **changes), anchors) is None

    every = settings.store_every
    if every is not None and fits(store_every=None):
        rarer = [every * 2**n for n in range(1, 32) if every * 2**n <= settings.counted * settings.thin]
        enough = next((steps for steps in rarer if fits(store_every=steps)), None)
        if enough is not None:
            return "store_every", every, f"at least about {enough:,}"
    # What is furthest above its default first.
    usual = {"chains": CHAINS if settings.has_source else CHAINS_AT_ONE_BETA, "extra": ANCHOR_CHAINS}
    usual |= {"rungs": DEFAULT_RUNGS, "target_replicas": LAST_REPLICAS}
    for field in sorted(usual, key=lambda field: -getattr(settings, field) / usual[field]):
        given, (name, least) = getattr(settings, field), _NAMES[field]
        if given > least and fits(**{field: least}):
            largest = _largest(lambda number, field=field: fits(**{field: number}), least, given)
            return name, given, f"at most about {_about(largest):,}"
    if anchors > 1 and missing(settings, 1) is None:
        largest = _largest(lambda number: missing(settings, number) is None, 1, anchors)
        return "sequences sampled together", anchors, f"at most about {_about(largest):,}"
    return "chains", settings.chains, "fewer, and rungs fewer, or sequences shorter,"


def _largest(fits: Callable[..., bool], least: int, given: int) -> int:
    """The largest number from `least`, which fits, to `given`, which does not."""
    while given - least > 1:
        middle = (least + given) // 2
        least, given = (middle, given) if fits(middle) else (least, middle)
    return least


def _about(number: int) -> int:
    """The number with two digits, rounded down."""
    unit = 10 ** max(len(str(number)) - 2, 0)
    return number // unit * unit


def _told(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 / 10 else f"{math.ceil(size / 2**20):,} MiB"


def _on_host() -> bool:
    """Whether the device's memory is that of the host."""
    return jax.default_backend() == "cpu"


def _activation_bytes(ensemble: Ensemble) -> int:
    """Bytes of the largest product or convolution that the network makes of one sequence."""
    leaves, structure = jax.tree.flatten(ensemble.params)
    shapes = tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
    return _activation_bytes_of(ensemble.features, structure, shapes, (ensemble.length, len(ensemble.alphabet)))


@functools.lru_cache(maxsize=64)
def _activation_bytes_of(features: Any, structure: Any, shapes: tuple[Any, ...], sequence: tuple[int, int]) -> int:
    """Traced once for a network, whatever its parameters."""
    leaves = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes]
    one_hot = jax.ShapeDtypeStruct(sequence, np.float32)
    traced = jax.make_jaxpr(features)(jax.tree.unflatten(structure, leaves), one_hot).jaxpr
    changes = [False] * len(leaves) + [True]
    return _largest_product(traced, changes)[0]


def _largest_product(jaxpr: core.Jaxpr, changes: list[bool]) -> tuple[int, list[bool]]:
    """The bytes, and which outputs change with the sequence, given which inputs do.

    What does not change is made once for all sequences, and what is no product may never be made as a whole.
    """
    changing = {id(value) for value, own in zip(jaxpr.invars, changes, strict=True) if own}
    largest = 0
    for equation in jaxpr.eqns:
        given = [id(value) in changing for value in equation.invars]
        found = [any(given)] * len(equation.outvars)
        if any(given) and equation.primitive.name in _MATERIALIZED:
            value: Any = equation.outvars[0].aval
            largest = max(largest, math.prod(value.shape) * value.dtype.itemsize)
        for parameter in equation.params.values():
            inner = getattr(parameter, "jaxpr", parameter)
            if isinstance(inner, core.Jaxpr) and len(inner.invars) == len(given):
                inside, found = _largest_product(inner, given)
                largest = max(largest, inside)
        if len(found) == len(equation.outvars):
            changing |= {id(value) for value, own in zip(equation.outvars, found, strict=True) if own}
        elif any(given):
            changing |= {id(value) for value in equation.outvars}
    return largest, [id(value) in changing for value in jaxpr.outvars]
