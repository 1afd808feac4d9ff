"""The memory that a run will take, added up before any of it is taken, and what would fit instead.

Only what is sure to be needed is counted, once: the compiler and the network's own temporaries come on top. A run that
is refused here could not have been done. One that is not refused may still be too large, and then ends with an error.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmaxent import memory
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.sampling._chains import ANCHOR_CHAINS, CHAINS, CHAINS_AT_ONE_BETA
from jaxmaxent.sampling._options import DEFAULT_RUNGS, TARGET_REPLICAS, Options
from jaxmaxent.sampling.device._counters import SCALARS
from jaxmaxent.sampling.device._state import TRACE_SLOTS
from jaxmaxent.sampling.host._totals import BATCHES, first_size
from jaxmaxent.sampling.program._activations import activation_bytes
from jaxmaxent.sampling.program._program import most_together, stretch_of

_TOKEN = _COUNT = _NUMBER = 4  # bytes on the device
_DOUBLE = 8  # bytes of a number of the host
# Arrays of a run with an entry for every letter: frequencies, their errors and diagnostics.
_PER_LETTER = 4
# Parts of a run whose k-mers are counted by themselves.
_PARTS = 4
# Bytes of temporaries of the diagnostics for each of the counts that they read.
_DIAGNOSED = 2 * _DOUBLE
# Bytes that a CPU compares for each pair of replicas of a chain, to find the slot of each.
_PAIR = 16
# Options that can be smaller: the name that a user knows, and the smallest value.
_NAMES = {
    "chains": ("chains", 1),
    "anchor_chains": ("anchor_chains", 0),
    "rungs": ("rungs of the ladder", 2),
    "target_replicas": ("target_replicas", 1),
}
# An advice takes at most one part in so many of the free memory, because a run takes more than is counted here.
_MARGIN = 2


class Needs(NamedTuple):
    """Bytes that a run takes, at least.

    Attributes:
        device: on each device.
        host: of the host, where counts are gathered.
    """

    device: int
    host: int


def free_bytes() -> int | None:
    """Return the free bytes of the device's memory, None if it does not say."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return memory.free_bytes() if _on_host() else None


def check(ensemble: Ensemble, options: Options, *, devices: int = 1, kept: int | None = None) -> None:
    """Check that a run fits into memory.

    Args:
        ensemble: what is sampled, batched.
        options: the options.
        devices: number of devices that share the chains.
        kept: number of anchors whose results are kept in the end, if there are more than these.

    Raises:
        ValueError: if it does not, saying what would fit.
    """
    device, host = free_bytes(), memory.free_bytes()
    activation = activation_bytes(ensemble)
    letters = len(ensemble.alphabet), ensemble.length
    fields = len(ensemble.fields)

    def missing(asked: Options, anchors: int, margin: int = _MARGIN) -> tuple[int, int] | None:
        """Return bytes needed and bytes free where fewer are free than `margin` times those needed."""
        results = max(anchors, kept or 0)
        found = _needs(asked, anchors, letters, fields, activation, devices, results)
        if _on_host():
            found, free = Needs(0, sum(found)), (None, host)
        else:
            free = (device, host)
        lacking = [(n, f) for n, f in zip(found, free, strict=True) if f is not None and margin * n > f]
        return lacking[0] if lacking else None

    lacking = missing(options, ensemble.anchors, margin=1)
    if lacking is None:
        return
    name, given, bound = _blamed(options, ensemble.anchors, missing)
    count = f"{ensemble.anchors} sequence{'s' * (ensemble.anchors > 1)} of {ensemble.length:,} letters"
    raise ValueError(
        f"{name} must be {bound} to fit into memory, got {given:,}: {count} would take at least "
        f"{_told(lacking[0])}, and {_told(lacking[1])} are free"
    )


def besides_caches(ensemble: Ensemble, options: Options, devices: int = 1) -> int:
    """Return the bytes of each device's memory that a run takes besides the caches of incremental evaluation."""
    shape = len(ensemble.alphabet), ensemble.length
    anchors = ensemble.anchors
    found = _needs(options, anchors, shape, len(ensemble.fields), activation_bytes(ensemble), devices, anchors)
    return sum(found) if _on_host() else found.device


def _needs(
    options: Options, anchors: int, shape: tuple[int, int], fields: int, activation: int, devices: int, results: int
) -> Needs:
    letters, length = shape
    chains, rungs, replicas = options.all_chains, options.rungs, options.replicas
    scalars = SCALARS + fields + (options.reference_rungs > 0)
    table = rungs * length * letters  # an entry for every letter at every position
    draw = rungs * length
    # Sequences of replicas, the last without a finite energy, those of a stretch; draws at ends, counts, traces, draws.
    tokens = _TOKEN * length * (2 * replicas + options.drawn_together * options.ends)
    tokens += length * replicas * stretch_of(options.drawn_together, has_background=options.has_background)
    traced = _NUMBER * scalars * (TRACE_SLOTS * options.path + 2 * options.slots)
    kmers = (1 + options.has_background) * letters**options.kmers if options.kmers else 0
    of_chain = tokens + _COUNT * kmers + _COUNT * table + traced + draw * (options.store_every is not None)
    walked = chains * replicas * activation  # of one anchor
    if _on_host():
        walked += chains * replicas**2 * _PAIR
    walked = -(-walked // devices)
    if most := most_together(activation):  # groups of chains take turns on each device
        walked = min(walked, most * activation)
    device = -(-anchors * chains * of_chain // devices) + walked
    batches = min(BATCHES - 1, options.draws // first_size(options.draws))
    batch = np.min_scalar_type(options.draws // BATCHES * options.target_replicas).itemsize
    # Counts of batches and of all draws, and energies of single draws.
    totals = table * (batches * batch + _DOUBLE)
    totals += (
        options.path * scalars * (2 * batches * _DOUBLE + min(BATCHES * TRACE_SLOTS // 2, options.draws) * _NUMBER)
    )
    totals += _DOUBLE * _PARTS * kmers
    stored = 0 if options.store_every is None else options.draws * options.thin // options.store_every
    diagnosed = options.chains * table * batches * _DIAGNOSED  # anchor by anchor
    host = anchors * chains * (totals + 2 * stored * draw) + diagnosed + results * _PER_LETTER * _DOUBLE * table
    return Needs(device, host)


def _blamed(options: Options, anchors: int, missing: Callable[[Options, int], Any]) -> tuple[str, int, str]:
    """Return the option to make smaller: its name, the value given, and its bound in words."""

    def fits(**changes: Any) -> bool:
        return missing(dataclasses.replace(options, **changes), anchors) is None

    every = options.store_every
    if every is not None and fits(store_every=None):
        rarer = [every * 2**n for n in range(1, 32) if every * 2**n <= options.draws * options.thin]
        enough = next((steps for steps in rarer if fits(store_every=steps)), None)
        if enough is not None:
            return "store_every", every, f"at least about {enough:,}"
    # The option that is furthest above its default comes first.
    usual = {"chains": CHAINS if options.has_background else CHAINS_AT_ONE_BETA, "anchor_chains": ANCHOR_CHAINS}
    usual |= {"rungs": DEFAULT_RUNGS, "target_replicas": TARGET_REPLICAS}
    for field in sorted(usual, key=lambda field: -getattr(options, field) / usual[field]):
        given, (name, least) = getattr(options, field), _NAMES[field]
        if given > least and fits(**{field: least}):
            largest = _largest(lambda number, field=field: fits(**{field: number}), least, given)
            return name, given, f"at most about {_about(largest):,}"
    if anchors > 1 and missing(options, 1) is None:
        largest = _largest(lambda number: missing(options, number) is None, 1, anchors)
        return "sequences sampled together", anchors, f"at most about {_about(largest):,}"
    return "chains", options.chains, "fewer, and rungs fewer, or sequences shorter,"


def _largest(fits: Callable[..., bool], least: int, given: int) -> int:
    """Return the largest number that fits, from `least`, which does, to `given`, which does not."""
    while given - least > 1:
        middle = (least + given) // 2
        least, given = (middle, given) if fits(middle) else (least, middle)
    return least


def _about(number: int) -> int:
    """Return the number rounded down to two digits."""
    unit = 10 ** max(len(str(number)) - 2, 0)
    return number // unit * unit


def _told(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 / 10 else f"{math.ceil(size / 2**20):,} MiB"


def _on_host() -> bool:
    """Return whether the device's memory is that of the host."""
    return jax.default_backend() == "cpu"
