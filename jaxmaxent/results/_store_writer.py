"""The writer of a `RunStore`: finished anchors as files first, then whole blocks of them as chunks of arrays.

Any process may add an anchor. One process moves blocks into the arrays. Both can be killed at any moment: a file of an
anchor appears whole or not at all, and is deleted only when its block is marked complete. The content of the store
depends on the runs alone, not on the order in which they came.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent.files import HIDDEN, write_whole
from jaxmaxent.results import _export as export
from jaxmaxent.results import _store as stores
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
# Arrays whose length differs from anchor to anchor: the axis, and the entries for which a chunk has room.
_LONG = {"energies": (3, 1024), "counts": (3, 1024), "draws": (2, 64)}


def create(path: Path, names: Sequence[str], keep: str, job: Mapping[str, Any]) -> RunStore:
    """Make the folder of a store without anchors, whole or not at all; nothing may be in its place.

    Args:
        path: the folder to make.
        names: names of all anchors.
        keep: what is kept of a run: "profile", "ladder" or "draws".
        job: further words that the store keeps, anything that JSON can hold.
    """
    (zarr,) = export.needed("a run in .zarr", "xarray", "zarr")
    about = {"format": stores.FORMAT, "format_version": stores.FORMAT_VERSION, "keep": keep, "job": dict(job)}
    scratch = path.with_name(f"{HIDDEN}store-{path.name}")
    shutil.rmtree(scratch, ignore_errors=True)  # of a process that was killed
    with _quiet():
        group = zarr.open_group(scratch, mode="w", zarr_format=2)
        _array(group, NAMES, np.array(list(names), object), ["anchor"], chunk=len(names))
        (scratch / WAITING).mkdir()
        group.attrs[stores.ABOUT] = json.dumps(about)
    scratch.rename(path)
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
    file = file_of(path, number)
    file.parent.mkdir(exist_ok=True)
    if remark:
        write_whole(file.with_suffix(".txt"), lambda stream: stream.write(remark.encode()))
    kept(run, keep).save(file, force=True)


def pack(path: Path, *, last: bool = False) -> None:
    """Move finished anchors into the arrays, block by block; with `last` also of a block that is not full.

    One process at a time may call this. With `last` all anchors must be there, and the folder is complete after it.
    """
    (zarr,) = export.needed("a run in .zarr", "xarray", "zarr")
    waiting, numbers = path / WAITING, stores.waiting(path)
    with _quiet():
        group = zarr.open_group(path, mode="r+", zarr_format=2, use_consolidated=False)
        if numbers and COMPLETE not in group:
            _make_arrays(group, _with_draws(Run.load(file_of(path, min(numbers))), group))
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
    largest = max(_bytes_in_chunk(name, array) for name, array in arrays.items() if name not in stores.PER_STATE)
    size = max(1, min(_MOST_IN_CHUNK, _CHUNK_BYTES // max(1, largest)))
    about = json.loads(group.attrs[stores.ABOUT])
    shared = {name: getattr(run, name) for name in SHARED}
    group.attrs[stores.ABOUT] = json.dumps(about | {"arrays": sorted(arrays), "shared": shared})
    for name, array in arrays.items():
        dims, shape, chunk = axes(name), [count, *array.shape[1:]], [size, *array.shape[1:]]
        if name in _LONG:
            axis, room = _LONG[name]
            shape[axis], chunk[axis] = 1, room
        what = {"long_name": VARIABLES[name].meaning, "units": VARIABLES[name].unit}
        _empty(group, name, shape, chunk, array.dtype, dims, what)
    for name in (*stores.LENGTHS, *EACH):
        kind = np.float64 if name in EACH and name != "burn_in" else np.int64
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
        runs = [_with_draws(Run.load(file), group) for file in files]
        remarks = [stores.read_remark(file) for file in files]
        for name in runs[0]._arrays():
            _write_array(group[name], [getattr(run, name) for run in runs], inside.start, _LONG.get(name))
        for name, (of_array, axis) in stores.LENGTHS.items():
            arrays = [getattr(run, of_array) for run in runs]
            group[name][here] = [0 if array is None else array.shape[axis] for array in arrays]
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


def _write_array(target: Any, arrays: list[np.ndarray], first: int, long: tuple[int, int] | None) -> None:
    """Write an array of the anchors of a block; a long one may make the stored one longer, and ends in NaN or 0."""
    if long is not None:
        axis, longest = long[0], max(array.shape[long[0]] for array in arrays)
        if target.shape[axis] < longest:
            target.resize([*target.shape[:axis], longest, *target.shape[axis + 1 :]])
        fill = np.nan if target.dtype.kind == "f" else 0
        arrays = [_filled(array, axis, longest, fill) for array in arrays]
    together = np.concatenate(arrays)
    target[(slice(first, first + len(arrays)), *(slice(0, n) for n in together.shape[1:]))] = together


def _filled(array: np.ndarray, axis: int, length: int, fill: float) -> np.ndarray:
    filling = [(0, length - array.shape[axis] if axis == i else 0) for i in range(array.ndim)]
    return np.pad(array, filling, constant_values=fill)


def _bytes_in_chunk(name: str, array: np.ndarray) -> int:
    """Return the bytes of an anchor in a chunk; of draws they are those for which there is room."""
    if name not in _LONG:
        return array.nbytes
    axis, room = _LONG[name]
    others = np.prod([size for i, size in enumerate(array.shape) if i != axis])
    return int(room * others) * array.itemsize


def _with_draws(run: Run, group: Any) -> Run:
    """Return a run with an array of draws, without any if none were stored, if the store keeps draws."""
    if run.draws is not None or json.loads(group.attrs[stores.ABOUT])["keep"] != "draws":
        return run
    shape = (1, run.beta.shape[1], 0, run.chains, run.anchors.shape[1])
    return dataclasses.replace(run, draws=np.zeros(shape, np.uint8))


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
