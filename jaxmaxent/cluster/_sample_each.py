"""`sample_each`: many anchors, each sampled by itself, into one store."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from jaxmaxent import checks, console
from jaxmaxent.cluster._anchor import key_of, run_of
from jaxmaxent.cluster._each import each
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.files import named, owned
from jaxmaxent.files._checkpoints import Checkpoints
from jaxmaxent.results import RunStore
from jaxmaxent.results import _store_writer as writer
from jaxmaxent.results._parts import checked_keep
from jaxmaxent.results._store import file_of
from jaxmaxent.sampling import Options, side_by_side
from jaxmaxent.sampling._entrants import Entrant, entrant
from jaxmaxent.sampling._lanes import stream

_TAKEN = ("start", "mesh", "checkpoint", "keep_checkpoint")
# Anchors of each lane that a call to another process has: the last ones of a call leave lanes free.
_UNIT = 8
# Anchors between two moves of finished anchors into the arrays of the store.
_PACK_EVERY = 16


def sample_each(
    key: Key[Array, ""],
    ensemble: Ensemble | Callable[[], Ensemble],
    path: str | os.PathLike[str],
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    lanes: int | None = None,
    keep: str = "ladder",
    names: Sequence[str] | None = None,
    rule: Any = None,
    progress: bool = True,
    **settings: Any,
) -> RunStore:
    """Sample every anchor of an ensemble by itself, into a store on disk, with memory for a few anchors at a time.

    An anchor's run depends on key, ensemble and settings alone: not on the other anchors, their order, the engine or an
    interruption. (The default number of chains does depend on the number of anchors, on accelerators.) If the call is
    made again after an interruption, with the same arguments, finished anchors stay and others go on from their
    checkpoints; another number of workers or another engine may do the rest.

    On accelerators many anchors go side by side, in the lanes of one program: an anchor that knows enough leaves its
    lane, and the next one enters. Each is the run that `sample` makes of it, but for rounding.

    Args:
        key: a typed key, `jax.random.key(seed)`.
        ensemble: what to sample, with all anchors. Or a function without arguments that returns it: with other
            processes every one of them calls it once, so that parameters are not sent again and again.
        path: the folder to write, `.zarr`; readable with `Run.open` while it grows.
        executor: an engine, such as `dask.distributed.Client(…).get_executor(pure=False)`. All workers must see
            `path`.
        workers: instead of it, so many processes of this machine; this process alone if None.
        lanes: anchors side by side in every process. More than one need full evaluation. If None, 1 on a CPU, where
            nothing is gained by more, and on accelerators with full evaluation as many as keep them busy.
        keep: what is kept of each run: "profile" (the first rung and the target), "ladder" (all rungs) or "draws" (all
            rungs and, with `store_every`, stored draws).
        names: names of the anchors; anchor_0, anchor_1, … if None.
        rule: how replicas move, as in `sample`.
        progress: show a progress bar of the anchors, and with lanes a line on those in hand.
        settings: further arguments of `sample`, such as `until`, `chains`, `store_every` or `kmers`.

    Returns:
        the store, with the run of every anchor.

    Raises:
        ValueError: for bad input, if `path` holds the runs of another call, or if another process writes to it.
        ImportError: if a package of the extra `xarray` is not installed.
        NonFiniteEnergyError, Interrupted: as `sample`.

    Example:
        ```
        store = cluster.sample_each(jax.random.key(0), ensemble, "run.zarr", workers=2)
        bits = [run.total_information[0, -1] for run in store]
        ```
    """
    place = _checked_place(path)
    for name in _TAKEN:
        if name in settings:
            raise ValueError(f"{name} must be left out, as every anchor is sampled by itself, got {name}=…")
    key, keep = checks.typed_key(key), checked_keep(keep)
    if workers is not None:
        checks.integer("workers", workers, at_least=1)
    batch = _batched(ensemble)
    names = tuple(f"anchor_{i}" for i in range(batch.anchors)) if names is None else tuple(names)
    options = Options.of(batch, names=names, **settings)
    one = dataclasses.replace(options, names=names[:1])
    alone, lanes_given = executor is None and (workers or 1) == 1, lanes is not None
    evaluation, lanes = side_by_side(batch, one, rule=rule, lanes=lanes)
    job = {"evaluation": evaluation, "lanes": lanes}
    # Defaults that on accelerators depend on the number of anchors.
    settings = settings | {"chains": options.chains, "anchor_chains": options.anchor_chains}
    work = _Work(
        str(place), uuid.uuid4().hex, batch if alone else ensemble, np.asarray(jax.random.key_data(key)),
        str(jax.random.key_impl(key)), names, keep, rule, settings, lanes,
    )  # fmt: skip
    with owned(place, parents=True):
        store = _begun(place, names, keep, _fingerprint(batch, work) | job, lanes_given=lanes_given)
        # The way of evaluation is timed once, by the call that began the store.
        work = dataclasses.replace(
            work, settings=settings | {"evaluation": store.about["evaluation"]}, lanes=store.about["lanes"]
        )
        left = np.flatnonzero(~store.complete).tolist()
        with console.bar(
            total=len(names), initial=len(names) - len(left), desc="anchors", unit="anchor", show=progress
        ) as bar:
            for count, _ in enumerate(_done(work, left, executor, None if alone else workers, progress=progress), 1):
                bar.update()
                if count % _PACK_EVERY == 0:
                    writer.pack(place)
        writer.pack(place, last=True)
    return RunStore(place)


def _done(
    work: _Work, left: list[int], executor: Executor | None, workers: int | None, *, progress: bool
) -> Iterator[int]:
    """Do the work on the anchors that are left, by an engine or in this process, and yield each that is done."""
    if work.lanes == 1:
        for number, _ in each(work, left, executor=executor, workers=workers):
            yield number
    elif executor is None and workers is None:
        yield from work.through_lanes(left, progress=progress)
    else:
        size = _UNIT * work.lanes
        units = sorted({number // size for number in left})
        for _, numbers in each(_Unit(work, size), units, executor=executor, workers=workers):
            yield from numbers


@dataclasses.dataclass(frozen=True)
class _Work:
    """The work on one anchor, as other processes get it."""

    path: str
    token: str
    ensemble: Ensemble | Callable[[], Ensemble]
    key_data: np.ndarray
    key_impl: str
    names: tuple[str, ...]
    keep: str
    rule: Any
    settings: dict[str, Any]
    lanes: int

    def __call__(self, number: int) -> bool:
        """Sample an anchor and write its run; return whether it converged."""
        one, checkpoint, settings = self._anchor(number)
        run = run_of(self._key, one, checkpoint, rule=self.rule, progress=False, **settings)
        writer.add(Path(self.path), number, run, self.keep)
        Checkpoints(checkpoint).remove()
        return bool(run.converged[0])

    def through_lanes(self, numbers: Iterable[int], *, progress: bool = False) -> Iterator[int]:
        """Sample anchors side by side and write their runs; yield each that is done."""
        for one, run in stream(map(self._entrant, numbers), self.lanes, progress=progress):
            writer.add(Path(self.path), one.number, run, self.keep)
            one.saver.remove()
            yield one.number

    def _entrant(self, number: int) -> Entrant:
        one, checkpoint, settings = self._anchor(number)
        key = key_of(self._key, jax.device_get(one.anchor))
        return entrant(number, key, one, checkpoint, rule=self.rule, **settings)

    @property
    def _key(self) -> Key[Array, ""]:
        return jax.random.wrap_key_data(jnp.asarray(self.key_data), impl=self.key_impl)

    def _anchor(self, number: int) -> tuple[Ensemble, Path, dict[str, Any]]:
        """Return the ensemble of an anchor, the folder of its checkpoint and the settings of its run."""
        one = _here(self.token, self.ensemble).take(np.array([number]))
        return one, file_of(Path(self.path), number).with_suffix(""), self.settings | {"names": [self.names[number]]}


@dataclasses.dataclass(frozen=True)
class _Unit:
    """The work on so many anchors, as other processes with several lanes get it."""

    work: _Work
    size: int

    def __call__(self, unit: int) -> list[int]:
        """Sample the anchors of a unit that are not done, and return their numbers."""
        every = range(unit * self.size, min((unit + 1) * self.size, len(self.work.names)))
        complete = RunStore(self.work.path).complete
        return list(self.work.through_lanes(number for number in every if not complete[number]))


# The ensemble of the job that this process works for. Its function is part of the compiled program, so that the same
# one has to be used for all anchors, though every call brings its own.
_HERE: dict[str, Ensemble] = {}


def _here(token: str, ensemble: Ensemble | Callable[[], Ensemble]) -> Ensemble:
    if token not in _HERE:
        _HERE.clear()
        _HERE[token] = _batched(ensemble)
    return _HERE[token]


def _batched(ensemble: Any) -> Ensemble:
    found = ensemble if isinstance(ensemble, Ensemble) or not callable(ensemble) else ensemble()
    if not isinstance(found, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble or a function that returns one, got {type(found).__name__}")
    return found.batched()


def _checked_place(path: Any) -> Path:
    place = Path(named(path))
    if place.suffix != ".zarr":
        raise ValueError(f"path must end in .zarr, got {str(place)!r}")
    return place


def _begun(place: Path, names: tuple[str, ...], keep: str, job: dict[str, Any], *, lanes_given: bool) -> RunStore:
    """Return the store of a job, which may have been begun before."""
    if not place.exists():
        return writer.create(place, names, keep, job)
    store = RunStore(place)
    given = json.loads(json.dumps(job)) | {"evaluation": store.about.get("evaluation")}
    given |= {} if lanes_given else {"lanes": store.about.get("lanes")}
    if store.about != given or store.names != names:
        raise ValueError(
            f"{place} holds the runs of a call with another ensemble, key or settings; name another folder, or go on "
            "with the same arguments"
        )
    return store


@jax.transfer_guard("allow")
def _fingerprint(batch: Ensemble, work: _Work) -> dict[str, Any]:
    """Return what tells a job from others, in words that JSON holds."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves((batch, work.rule)):
        digest.update(np.ascontiguousarray(leaf).tobytes())
    settings = {name: repr(value) for name, value in sorted(work.settings.items())}
    return {
        "ensemble": digest.hexdigest(), "key": [work.key_impl, *map(int, work.key_data.ravel())],
        "keep": work.keep, "rule": str(jax.tree.structure(work.rule)), "settings": settings,
    }  # fmt: skip
