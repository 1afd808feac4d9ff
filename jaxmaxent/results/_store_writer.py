"""The writer of a `RunStore`: finished anchors as files first, then whole blocks of them as chunks of arrays.

Any process may add an anchor. One process moves blocks into the arrays. Both can be killed at any moment: a file of an
anchor appears whole or not at all, and is deleted only when its block is marked complete. The content of the store
depends on the runs alone, not on the order in which they came.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent.files import write_whole
from jaxmaxent.results import _export as export
from jaxmaxent.results import _store as stores
from jaxmaxent.results._join import join
from jaxmaxent.results._parts import kept
from jaxmaxent.results._run import Run
from jaxmaxent.results._schema import VARIABLES, axes
from jaxmaxent.results._store import (
    CHECKSUMS,
    COMPLETE,
    EACH,
    NAMES,
    OUTCOMES,
    REMARKS,
    SHARED,
    WAITING,
    RunStore,
    file_of,
)

# Chunks of the largest array have about so many bytes, before they are compressed.
_CHUNK_BYTES, _MOST_IN_CHUNK = 8 * 2**20, 64
# Traced states of an anchor for which a chunk has room; the number differs from anchor to anchor.
_STATES = 1024
_PER_STATE = ("energies", "counts")


def create(path: Path, names: Sequence[str], keep: str, job: Mapping[str, Any]) -> RunStore:
    """Make the folder of a store without anchors. What is there must be nothing, or an unfinished `create`.

    Args:
        path: the folder to make.
        names: names of all anchors.
        keep: what is kept of a run: "profile", "ladder" or "draws".
        job: further words that the store keeps, anything that JSON can hold.
    """
    (zarr,) = export.needed("a run in .zarr", "xarray", "zarr")
    about = {"format": stores.FORMAT, "format_version": stores.FORMAT_VERSION, "keep": keep, "job": dict(job)}
    with _quiet():
        group = zarr.open_group(path, mode="w", zarr_format=2)
        _array(group, NAMES, np.array(list(names), object), ["anchor"], chunk=len(names))
        (path / WAITING).mkdir(exist_ok=True)
        group.attrs[stores.ABOUT] = json.dumps(about)  # the mark of a store, so it comes last
    return RunStore(path)


def add(path: Path, number: int, run: Run, keep: str, remark: str = "") -> None:
    """Write the run of one anchor as a file of its own. Any process may do so, and again, for the same anchor.

    Args:
        path: the folder; a store, or any folder whose runs are gathered by `waiting_runs`.
        number: index of the anchor.
        run: its run.
        keep: what is kept of it.
        remark: a text that is kept with it.
    """
    place = file_of(path, number)
    place.parent.mkdir(exist_ok=True)
    if remark:
        write_whole(place.with_suffix(".txt"), lambda file: file.write(remark.encode()))
    kept(run, keep).save(place, force=True)


def pack(path: Path, *, last: bool = False) -> None:
    """Move finished anchors into the arrays, block by block; with `last` also of a block that is not full.

    One process at a time may call this. With `last` all anchors must be there, and the folder is complete after it.
    """
    (zarr,) = export.needed("a run in .zarr", "xarray", "zarr")
    waiting, numbers = path / WAITING, stores.waiting(path)
    with _quiet():
        group = zarr.open_group(path, mode="r+", zarr_format=2, use_consolidated=False)
        if numbers and COMPLETE not in group:
            _make_arrays(group, Run.load(file_of(path, min(numbers))))
        if COMPLETE in group:
            count, size = group[NAMES].shape[0], group[COMPLETE].chunks[0]
            for block in sorted({number // size for number in numbers}):
                inside = range(block * size, min((block + 1) * size, count))
                if all(number in numbers for number in inside):
                    _write_block(group, path, inside)
        if last:
            shutil.rmtree(waiting, ignore_errors=True)
            zarr.consolidate_metadata(path, zarr_format=2)


def write_rows(path: Path, name: str, numbers: range, count: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Write further arrays of some anchors into a group of the store; they are made when the first come.

    Args:
        path: the store.
        name: name of the group.
        numbers: indices of the anchors.
        count: number of all anchors.
        arrays: arrays by name, each with a leading axis of anchors, or a single number for all.
    """
    (zarr,) = export.needed("a run in .zarr", "xarray", "zarr")
    with _quiet():
        group = zarr.open_group(path / name, mode="a", zarr_format=2)
        for key, array in arrays.items():
            if array.ndim:
                dims = ["anchor", *(f"{key}_{axis}" for axis in range(1, array.ndim))]
                chunk = [len(numbers), *array.shape[1:]]
                _empty(group, key, [count, *array.shape[1:]], chunk, array.dtype, dims)
                group[key][numbers.start : numbers.stop] = array
            else:
                group.attrs[key] = array.item()


def _make_arrays(group: Any, run: Run) -> None:
    """Make the arrays for all anchors, with the shapes of one run. The mark of complete anchors comes last."""
    count = group[NAMES].shape[0]
    arrays = run._arrays()
    largest = max(array.nbytes for name, array in arrays.items() if name not in _PER_STATE)
    size = max(1, min(_MOST_IN_CHUNK, _CHUNK_BYTES // max(1, largest)))
    about = json.loads(group.attrs[stores.ABOUT])
    shared = {name: getattr(run, name) for name in SHARED}
    group.attrs[stores.ABOUT] = json.dumps(about | {"arrays": sorted(arrays), "shared": shared})
    for name, array in arrays.items():
        dims, shape, chunk = axes(name), [count, *array.shape[1:]], [size, *array.shape[1:]]
        if name in _PER_STATE:
            shape[3], chunk[3] = 1, _STATES
        what = {"long_name": VARIABLES[name].meaning, "units": VARIABLES[name].unit}
        _empty(group, name, shape, chunk, array.dtype, dims, what)
    for name in ("states", *EACH):
        kind = np.int64 if name in ("states", "burn_in") else np.float64
        _empty(group, name, [count], [size], np.dtype(kind), ["anchor"])
    for name in (OUTCOMES, REMARKS):
        _array(group, name, np.full(count, "", object), ["anchor"], chunk=size)
    texts = {OUTCOMES: "", REMARKS: ""}
    _empty(group, CHECKSUMS, [count, len(arrays) + len(texts)], [size, len(arrays) + len(texts)], np.dtype(np.uint32),
           ["anchor", "entry"])  # fmt: skip
    _empty(group, COMPLETE, [count], [size], np.dtype(bool), ["anchor"])


def _write_block(group: Any, path: Path, inside: range) -> None:
    """Write a block of anchors into the arrays, mark it complete, and then delete their files."""
    here = slice(inside.start, inside.stop)
    files = [file_of(path, number) for number in inside]
    if not group[COMPLETE][here].all():
        runs = [Run.load(file) for file in files]
        remarks = [stores.read_remark(file) for file in files]
        together = join(runs)
        for name, array in together._arrays().items():
            target = group[name]
            if name in _PER_STATE and target.shape[3] < array.shape[3]:
                target.resize([*target.shape[:3], array.shape[3], *target.shape[4:]])
            region = (here, *[slice(0, n) for n in array.shape[1:]])
            target[region] = array
        group["states"][here] = [run.energies.shape[3] for run in runs]
        for name in EACH:
            group[name][here] = [getattr(run, name) for run in runs]
        group[OUTCOMES][here] = np.array([run.outcomes[0] for run in runs], object)
        group[REMARKS][here] = np.array(remarks, object)
        texts = [{OUTCOMES: run.outcomes[0], REMARKS: remark} for run, remark in zip(runs, remarks, strict=True)]
        group[CHECKSUMS][here] = np.stack(
            [stores.checksums(run._arrays(), text) for run, text in zip(runs, texts, strict=True)]
        )
        group[COMPLETE][here] = True
    for file in files:
        file.unlink()
        file.with_suffix(".txt").unlink(missing_ok=True)


def _empty(
    group: Any, name: str, shape: list[int], chunk: list[int], kind: np.dtype, dims: list[str], what: Any = None
) -> None:
    """Make an array without chunks; what is not there is NaN, or 0 for what cannot be NaN."""
    from numcodecs import Blosc

    if name in group:
        return  # from a process that was killed
    fill = np.nan if kind.kind == "f" else kind.type(0)
    made = group.create_array(
        name, shape=tuple(shape), chunks=tuple(max(1, n) for n in chunk), dtype=kind, fill_value=fill,
        compressors=Blosc(cname="zstd", clevel=3, shuffle=Blosc.SHUFFLE),
    )  # fmt: skip
    made.attrs.update({"_ARRAY_DIMENSIONS": dims} | (what or {}))


def _array(group: Any, name: str, values: np.ndarray, dims: list[str], *, chunk: int) -> None:
    """Make an array of texts."""
    if name in group:
        return
    made = group.create_array(name, shape=values.shape, chunks=(max(1, chunk),), dtype=str)
    made[:] = values
    made.attrs["_ARRAY_DIMENSIONS"] = dims


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of text in arrays, which other readers of Zarr may not know
        yield
