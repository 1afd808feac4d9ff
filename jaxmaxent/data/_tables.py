"""Tables of sequences and labels, separated by tabs, commas or semicolons, plain or gzip-compressed."""

from __future__ import annotations

import csv
import itertools
import os
import threading
from collections.abc import Iterator

from jaxmaxent.data._gather import Gathered
from jaxmaxent.data._sequences import Sequences
from jaxmaxent.data._text import Lines, is_encodable, label_of, open_lines, parse_label, plain_name
from jaxmaxent.ensembles import DNA, Alphabet, checked_alphabet

_SEQUENCE_COLUMNS = ("seq", "sequence")
_LABEL_COLUMNS = ("label",)
_NAME_COLUMNS = ("id", "name", "seqname")
_LONGEST_CELL = 2**31 - 1  # what the csv module takes on every system
_csv_limit = threading.Lock()


def read_table(
    path: str | os.PathLike[str],
    *,
    alphabet: Alphabet = DNA,
    sequence_column: str | None = None,
    label_column: str | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
) -> Sequences:
    """Read sequences and labels from a table.

    Cells are separated by tabs if the name ends in .tsv (before .gz). Otherwise the first line decides: by tabs if it
    has one and the name does not end in .csv, else by commas if it has one, else by semicolons. The first row names
    the columns. A file of two columns whose first row is itself a sequence and a label is read as having no header.

    Args:
        path: the file, or "-" for standard input; read through gzip if its name ends in .gz or .bgz.
        alphabet: the alphabet of the sequences.
        sequence_column: the column of the sequences; by default the one called "seq" or "sequence".
        label_column: the column of the labels; by default the one called "label", if there is one. A label is 0 or
            1, also written as 0.0, 1.00, False or True.
        limit: read only the first so many; what comes later in the file is not looked at.
        skip_invalid: leave out sequences with letters outside the alphabet, such as N, and warn of how many.

    Returns:
        The sequences in the file's order. Names come from a column called "id", "name" or "seqName", else
        they are "sequence_<n>", n the row's number counted from 0. Upper and lower case are alike in default column
        names.

    Raises:
        ValueError: if the file cannot be read or is cut off, has no row, rows of unequal width, no such
            column or several, unequal lengths, a letter outside the alphabet (none but such with `skip_invalid`),
            or a label that is not 0 or 1, or is larger than the memory.
    """
    checked_alphabet(alphabet)
    with open_lines(path) as lines:
        return table_of(
            lines, alphabet=alphabet, sequence_column=sequence_column, label_column=label_column, limit=limit,
            skip_invalid=skip_invalid,
        )  # fmt: skip


def table_of(
    lines: Lines,
    *,
    alphabet: Alphabet,
    sequence_column: str | None,
    label_column: str | None,
    limit: int | None,
    skip_invalid: bool,
) -> Sequences:
    """The sequences of an open table, see `read_table`."""
    rows = _rows(lines)
    header_line, header = next(rows, (0, []))
    if not header:
        raise ValueError(f"{lines.path} is empty, expected a table with a header and at least one row")
    width = len(header)
    if sequence_column is None and label_column is None and _is_headerless(header, alphabet):
        rows = itertools.chain([(header_line, header)], rows)
        header = [_SEQUENCE_COLUMNS[0], _LABEL_COLUMNS[0]]
    sequence_at = _find_column(lines.path, header, sequence_column, _SEQUENCE_COLUMNS)
    has_labels = label_column is not None or any(column.lower() in _LABEL_COLUMNS for column in header)
    label_at = _find_column(lines.path, header, label_column, _LABEL_COLUMNS) if has_labels else None
    name_at = _name_column(header)

    gathered, number = Gathered(lines.path, alphabet, _told, limit=limit, skip_invalid=skip_invalid), -1
    for number, (line, cells) in enumerate(rows):
        if len(cells) != width:
            raise ValueError(
                f"{lines.path}, line {line}: expected {width} columns as in line {header_line}, got {len(cells)}"
            )
        label = 0 if label_at is None else parse_label(cells[label_at], lines.path, _told(line))
        name = "" if name_at is None else cells[name_at]
        gathered.add(number, line, cells[sequence_at], name=name, label=label)
        if gathered.is_full:
            break
    if number < 0:
        raise ValueError(f"{lines.path} has a header but no row")
    return gathered.sequences(named=name_at is not None, labelled=label_at is not None)


def _told(line: int) -> str:
    return f"line {line}"


def _rows(lines: Lines) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not blank. Quotes mean nothing between tabs."""
    delimiter = _delimiter(lines.first(), plain_name(lines.path))
    for number, line in lines.numbered:
        has_quotes = delimiter != "\t" and '"' in line
        cells = _quoted(lines, number, line, delimiter) if has_quotes else line.split(delimiter)
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield number, cells


def _delimiter(first: str, name: str) -> str:
    if name.endswith(".tsv") or ("\t" in first and not name.endswith(".csv")):
        return "\t"
    return ";" if ";" in first and "," not in first else ","


def _quoted(lines: Lines, number: int, line: str, delimiter: str) -> list[str]:
    """The cells of a row that has quotes, and may go on in the next lines, which are consumed."""
    rest = itertools.chain([line], (line for _, line in lines.numbered))
    # The length of a cell is limited for the whole process, so the limit is put back at once.
    with _csv_limit:
        limit = csv.field_size_limit(_LONGEST_CELL)
        try:
            return next(csv.reader(rest, delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise ValueError(f"{lines.path}, line {number}: not a sound row of a table with quotes: {error}") from None
        finally:
            csv.field_size_limit(limit)


def _is_headerless(row: list[str], alphabet: Alphabet) -> bool:
    return len(row) == 2 and label_of(row[1]) is not None and is_encodable(row[0], alphabet)


def _find_column(path: str | os.PathLike[str], header: list[str], name: str | None, defaults: tuple[str, ...]) -> int:
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


def _name_column(header: list[str]) -> int | None:
    columns = [column.lower() for column in header]
    return next((columns.index(name) for name in _NAME_COLUMNS if name in columns), None)
