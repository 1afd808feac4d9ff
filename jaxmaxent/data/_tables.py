"""Tables of sequences and labels, with tabs, commas or semicolons between the cells, plain or compressed with gzip."""

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
_LONGEST_CELL = 2**31 - 1  # the largest limit that the csv module accepts on every system
_csv_limit = threading.Lock()


def read_table(
    path: str | os.PathLike[str],
    *,
    alphabet: Alphabet = DNA,
    sequence_column: str | None = None,
    label_column: str | None = None,
    limit: int | None = None,
    length: int | None = None,
    skip_invalid: bool = False,
) -> Sequences:
    """Read sequences and labels from a table.

    Tabs separate the cells if the name ends in .tsv (before .gz). Otherwise the first line decides: tabs if it has one
    and the name does not end in .csv, else commas if it has one, else semicolons. The first row names the columns. If
    there are two columns and the first row is a sequence and a label, the file has no header.

        sequences = read_table("train.tsv.gz", label_column="bound")
        sequences.tokens, sequences.labels

    Args:
        path: the file, or "-" for standard input. It is read through gzip if its name ends in .gz or .bgz.
        alphabet: the alphabet of the sequences.
        sequence_column: the column of the sequences; by default the one called "seq" or "sequence".
        label_column: the column of the labels; by default the one called "label", if there is one. A label is 0 or
            1, also written as 0.0, 1.00, False or True.
        limit: read only this many sequences. The rest of the file is not checked.
        length: the number of letters that every sequence must have; None for that of the first.
        skip_invalid: leave out sequences with letters outside the alphabet, such as N, or of another length than
            `length`, and warn how many (`LeftOut`).

    Returns:
        the sequences in the order of the file. Names come from the column "id", "name" or "seqName". Without such a
        column they are "sequence_<n>", where n is the number of the row, counted from 0. Default column names may be
        in upper or lower case.

    Raises:
        ValueError: if the file cannot be read, is cut off, has no row or does not fit into memory; for rows of unequal
            width, a column that is missing or occurs several times, unequal lengths or a label that is not 0 or 1; for
            a letter outside the alphabet, or with `skip_invalid` if no sequence is left.
    """
    checked_alphabet(alphabet)
    with open_lines(path) as lines:
        return table_of(
            lines, alphabet=alphabet, sequence_column=sequence_column, label_column=label_column, limit=limit,
            length=length, skip_invalid=skip_invalid,
        )  # fmt: skip


def table_of(
    lines: Lines,
    *,
    alphabet: Alphabet,
    sequence_column: str | None,
    label_column: str | None,
    limit: int | None,
    length: int | None,
    skip_invalid: bool,
) -> Sequences:
    """Return the sequences of an open table, as `read_table` does."""
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

    gathered = Gathered(lines.path, alphabet, _told, length=length, limit=limit, skip_invalid=skip_invalid)
    number = -1
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
    return gathered.sequences(named=name_at is not None, labeled=label_at is not None)


def _told(line: int) -> str:
    return f"line {line}"


def _rows(lines: Lines) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each row that is not blank. Between tabs, quotes have no meaning."""
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
    """Return the cells of a row with quotes. It may continue in the next lines, which are consumed."""
    rest = itertools.chain([line], (line for _, line in lines.numbered))
    # The limit on the length of a cell belongs to the whole process, so it is restored at once.
    with _csv_limit:
        limit = csv.field_size_limit(_LONGEST_CELL)
        try:
            return next(csv.reader(rest, delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise ValueError(f"{lines.path}, line {number}: not a valid row of a table with quotes: {error}") from None
        finally:
            csv.field_size_limit(limit)


def _is_headerless(row: list[str], alphabet: Alphabet) -> bool:
    return len(row) == 2 and label_of(row[1]) is not None and is_encodable(row[0], alphabet)


def _find_column(path: str | os.PathLike[str], header: list[str], name: str | None, defaults: tuple[str, ...]) -> int:
    """Return the index of the column called `name`, or of the one with a default name if `name` is None."""
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
