"""Tables of sequences and labels, separated by tabs or commas, plain or gzip-compressed."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from jaxmaxent.alphabet import DNA, Alphabet
from jaxmaxent.data.sequences import Sequences, numbered_names
from jaxmaxent.data.text import encode_records, is_encodable, open_text, parse_label

_SEQUENCE_COLUMNS = ("seq", "sequence")
_LABEL_COLUMNS = ("label",)
_NAME_COLUMNS = ("id", "name", "seqname")


def read_table(
    path: str | os.PathLike,
    *,
    alphabet: Alphabet = DNA,
    sequence_column: str | None = None,
    label_column: str | None = None,
) -> Sequences:
    """Read sequences and labels from a table.

    A name ending in .tsv or .csv (before .gz) decides the delimiter; otherwise it is the tab if the first
    line has one, else the comma. The first row names the columns. A file of two columns whose first row is
    itself a sequence and a label is read as having no header.

    Args:
        path: the file; read through gzip if its name ends in .gz.
        alphabet: the alphabet of the sequences.
        sequence_column: the column of the sequences; by default the one called "seq" or "sequence".
        label_column: the column of the labels; by default the one called "label", if there is one.

    Returns:
        The sequences in the file's order. Names come from a column called "id", "name" or "seqName", else
        they are "sequence_<n>", n counted from 0. Upper and lower case are alike in default column names.

    Raises:
        ValueError: if the file cannot be read or is cut off, has no row, rows of unequal width, no such
            column or several, unequal lengths, a letter outside the alphabet, or a label that is not 0 or 1.
    """
    lines, rows = _read_rows(path)
    if sequence_column is None and label_column is None and _is_headerless(rows[0], alphabet):
        header = [_SEQUENCE_COLUMNS[0], _LABEL_COLUMNS[0]]
    else:
        header, rows, lines = rows[0], rows[1:], lines[1:]
    sequence_at = _find_column(path, header, sequence_column, _SEQUENCE_COLUMNS)
    has_labels = label_column is not None or any(column.lower() in _LABEL_COLUMNS for column in header)
    label_at = _find_column(path, header, label_column, _LABEL_COLUMNS) if has_labels else None
    if not rows:
        raise ValueError(f"{path} has a header but no row")

    def where(i: int) -> str:
        return f"line {lines[i]}"

    tokens = encode_records(path, [row[sequence_at] for row in rows], alphabet, where)
    labels = None
    if label_at is not None:
        labels = np.array([parse_label(row[label_at], path, where(i)) for i, row in enumerate(rows)])
    return Sequences(tokens, _names(header, rows), labels, alphabet)


def _read_rows(path: str | os.PathLike) -> tuple[list[int], list[list[str]]]:
    """Line numbers (from 1) and cells of the rows that are not blank; at least one, all of equal width."""
    lines: list[int] = []
    rows: list[list[str]] = []
    with open_text(path) as stream:
        try:
            for line, cells in _split(stream, Path(path).name.lower()):
                rows.append([cell.strip() for cell in cells])
                lines.append(line)
        except csv.Error as error:
            raise ValueError(f"{path} is not a sound comma-separated table: {error}") from None
    if not rows:
        raise ValueError(f"{path} is empty, expected a table with a header and at least one row")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(rows[0]):
            raise ValueError(
                f"{path}, line {line}: expected {len(rows[0])} columns as in line {lines[0]}, got {len(row)}"
            )
    return lines, rows


def _split(stream: IO[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not blank. Quotes mean something only between commas."""
    first = stream.readline()
    tabs = "\t" in first
    if name.removesuffix(".gz").endswith((".tsv", ".csv")):
        tabs = name.removesuffix(".gz").endswith(".tsv")
    text = itertools.chain([first], stream)
    if tabs:
        yield from ((n, line.split("\t")) for n, line in enumerate(text, 1) if line.strip())
    else:
        reader = csv.reader(text, strict=True)
        yield from ((reader.line_num, cells) for cells in reader if any(cells))


def _is_headerless(row: list[str], alphabet: Alphabet) -> bool:
    return len(row) == 2 and row[1] in ("0", "1") and is_encodable(row[0], alphabet)


def _find_column(path: str | os.PathLike, header: list[str], name: str | None, defaults: tuple[str, ...]) -> int:
    """Index of the column called `name`, or of the one with a default name where `name` is None."""
    if name is None:
        found = [i for i, column in enumerate(header) if column.lower() in defaults]
    else:
        found = [i for i, column in enumerate(header) if column == name]
    if len(found) != 1:
        wanted = repr(name) if name is not None else " or ".join(map(repr, defaults))
        number = "no column" if not found else f"{len(found)} columns"
        raise ValueError(f"{path} has {number} called {wanted}, expected one; its columns are {header}")
    return found[0]


def _names(header: list[str], rows: list[list[str]]) -> tuple[str, ...]:
    columns = [column.lower() for column in header]
    for name in _NAME_COLUMNS:
        if name in columns:
            at = columns.index(name)
            return tuple(row[at] for row in rows)
    return numbered_names(len(rows))
