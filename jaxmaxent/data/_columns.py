"""Writing columns as a table, part by part: tab-separated text, or Parquet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent.console import printable
from jaxmaxent.data._ours import first_line

_MARK = b"jaxmaxent"  # in the metadata of a Parquet file
_ROWS = 10_000  # that are formatted at a time
_GROUP = 2**20  # rows of a group in a Parquet file, as pyarrow has them by itself
Columns = Mapping[str, np.ndarray]


def write_tsv(path: Path, parts: Iterable[Columns]) -> int:
    """Write columns as tab-separated text with a line of names; numbers that are NaN are empty.

    The columns come part by part, with the same names; within a part all have the same length.

    Returns:
        the number of rows.
    """
    rows = 0
    with open(path, "w", encoding="utf-8") as stream:
        for number, columns in enumerate(parts):
            arrays = list(columns.values())
            if not number:
                stream.write("\t".join(columns) + "\n")
            for first in range(0, len(arrays[0]), _ROWS):
                cells = [_texts(array[first : first + _ROWS]) for array in arrays]
                stream.writelines("\t".join(row) + "\n" for row in zip(*cells, strict=True))
            rows += len(arrays[0])
    return rows


def _texts(array: np.ndarray) -> list[str]:
    if array.dtype.kind == "f":
        return ["" if np.isnan(value) else f"{value:.7g}" for value in array.tolist()]
    if array.dtype == bool:
        return [str(value).lower() for value in array.tolist()]
    if array.dtype.kind in "iu":
        return list(map(str, array.tolist()))
    # Most texts of a long table repeat.
    cells = {text: printable(text).replace("\t", " ").replace("\n", " ") for text in set(array.tolist())}
    return [cells[text] for text in array.tolist()]


def write_parquet(path: Path, parts: Iterable[Columns]) -> int:
    """Write columns as a Parquet file, group by group of rows; they come as `write_tsv` takes them.

    Returns:
        the number of rows.

    Raises:
        ImportError: if pyarrow is not installed.
    """
    pyarrow, parquet = _pyarrow()
    rows = 0
    with contextlib.ExitStack() as stack:
        writer = None
        for group in _groups(pyarrow, parts):
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(str(path), group.schema))
            writer.write_table(group, row_group_size=_GROUP)
            rows += len(group)
    return rows


def _groups(pyarrow: Any, parts: Iterable[Columns]) -> Iterator[Any]:
    """Yield all rows as tables of as many rows as a group has, the last with the rest; at least one."""
    waiting: list[Any] = []
    for columns in parts:
        table = pyarrow.table(
            {name: array.tolist() if array.dtype == object else array for name, array in columns.items()}
        )
        # The types of texts are not known from an empty column.
        waiting = [*(one for one in waiting if len(one)), table] if len(table) or not waiting else waiting
        while sum(map(len, waiting)) > _GROUP:
            whole = pyarrow.concat_tables(waiting)
            yield _marked(whole.slice(0, _GROUP))
            waiting = [whole.slice(_GROUP)]
    yield _marked(pyarrow.concat_tables(waiting))


def _marked(table: Any) -> Any:
    """Return a table with the mark of jaxmaxent, and each column in one piece, which pages do not cut then."""
    return table.combine_chunks().replace_schema_metadata({_MARK: b"table"})


def is_our_tsv(path: Path, known: tuple[frozenset[str], ...]) -> bool:
    """Return True if the names of the columns of a table hold one of these sets."""
    names = set(first_line(path).split("\t"))
    return any(some <= names for some in known)


def is_our_parquet(path: Path) -> bool:
    """Return True if `write_parquet` wrote a file."""
    _, parquet = _pyarrow()
    try:
        return _MARK in (parquet.read_schema(str(path)).metadata or {})
    except Exception:  # other files raise errors of any type
        return False


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(f'Parquet needs pyarrow: pip install "jaxmaxent[parquet]" ({error})') from error
    return pyarrow, parquet
