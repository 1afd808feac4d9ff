"""Writing columns as a table: tab-separated text, or Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent.console import printable
from jaxmaxent.data._ours import first_line

_MARK = b"jaxmaxent"  # in the metadata of a Parquet file
_ROWS = 10_000  # that are formatted at a time


def write_tsv(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write columns of the same length as tab-separated text with a line of names; numbers that are NaN are empty."""
    arrays = list(columns.values())
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("\t".join(columns) + "\n")
        for first in range(0, len(arrays[0]), _ROWS):
            cells = [_texts(array[first : first + _ROWS]) for array in arrays]
            stream.writelines("\t".join(row) + "\n" for row in zip(*cells, strict=True))


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


def write_parquet(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write columns of the same length as a Parquet file.

    Raises:
        ImportError: if pyarrow is not installed.
    """
    pyarrow, parquet = _pyarrow()
    table = pyarrow.table({name: array.tolist() if array.dtype == object else array for name, array in columns.items()})
    marked = table.replace_schema_metadata({_MARK: b"table"})
    parquet.write_table(marked, str(path))


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
