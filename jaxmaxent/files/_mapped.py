"""Arrays that are made part by part and may be larger than the memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np


def mapped(folder: Path, parts: Iterable[Sequence[np.ndarray]], count: int) -> list[np.ndarray]:
    """Return arrays whose rows come part by part, each in its order. The system reads them from disk as they are used.

    They are files in a new folder in `folder`, which belongs to the output that is being written and is deleted when
    that is done. Arrays that come as one part are returned as they are.

    Args:
        folder: an existing folder.
        parts: some rows of every array at a time, with as many in each of them.
        count: number of rows of all parts together; more than 0.

    Raises:
        OSError: if the disk is full. Writing into a mapped file would end the process then.
    """
    parts = iter(parts)
    first = next(parts)
    if len(first[0]) == count:
        return list(first)
    place = Path(tempfile.mkdtemp(dir=folder))  # apart from the output, whatever its name is
    paths = [place / f"rows-{k}" for k in range(len(first))]
    kinds = [(array.dtype, (count, *array.shape[1:])) for array in first]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(path, "wb")) for path in paths]
        for some in _chained(first, parts):
            for file, array in zip(files, some, strict=True):
                file.write(np.ascontiguousarray(array).data)
        del first
    return [
        np.memmap(path, kind, "r", shape=shape).view(np.ndarray)
        for path, (kind, shape) in zip(paths, kinds, strict=True)
    ]


def _chained(first: Sequence[np.ndarray], rest: Iterator[Sequence[np.ndarray]]) -> Iterator[Sequence[np.ndarray]]:
    yield first
    yield from rest
