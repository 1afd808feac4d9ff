"""One function for every sequence file: the name's suffix decides the reader."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jaxmaxent import checks
from jaxmaxent.data._fasta import fasta_of
from jaxmaxent.data._onehot import read_one_hot
from jaxmaxent.data._sequences import Sequences
from jaxmaxent.data._tables import table_of
from jaxmaxent.data._text import is_standard_input, open_lines, plain_name
from jaxmaxent.ensembles import DNA, Alphabet, checked_alphabet
from jaxmaxent.files import named

_FASTA = (".fa", ".fasta", ".fas", ".fna", ".faa")
_TABLES = (".tsv", ".csv", ".txt", ".data")


def read_sequences(
    path: str | os.PathLike[str],
    *,
    alphabet: Alphabet = DNA,
    letters: str | None = None,
    sequence_column: str | None = None,
    label_column: str | None = None,
    labels_in_header: bool | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
) -> Sequences:
    """Read sequences from a FASTA file, a table or a one-hot array.

    Args:
        path: a name ending in .fa, .fasta, .fas, .fna, .faa (`read_fasta`), .tsv, .csv, .txt, .data (`read_table`),
            each also with .gz or .bgz, or .npy (`read_one_hot`); or "-" for standard input, which is a FASTA file if
            it begins with ">", and otherwise a table.
        alphabet: the alphabet of the sequences.
        letters: letter order of a one-hot array; needed for .npy, and for nothing else.
        sequence_column: the column of the sequences; for tables only.
        label_column: the column of the labels; for tables only.
        labels_in_header: whether the headers are the labels; for FASTA files only, by default where there are
            several and each is 0 or 1.
        limit: read only the first so many.
        skip_invalid: leave out sequences with letters outside the alphabet, such as N, and warn of how many
            (`LeftOut`).

    Raises:
        ValueError: for an unknown suffix, an argument that the format has no use for, or a file that its
            reader refuses.
    """
    checked_alphabet(alphabet)
    columns: dict[str, Any] = {"sequence_column": sequence_column, "label_column": label_column}
    some: dict[str, Any] = {"alphabet": alphabet, "limit": limit, "skip_invalid": skip_invalid}
    named(path)
    suffix = Path(plain_name(path)).suffix
    if Path(path).name.lower().endswith(".npy"):
        _refuse(path, "a one-hot array", **columns, labels_in_header=labels_in_header)
        if letters is None:
            raise ValueError(f"{path}: letters must give the letter order of a one-hot array, got None")
        return read_one_hot(path, letters, **some)
    if suffix not in _FASTA + _TABLES and not is_standard_input(path):
        raise ValueError(
            f"{path}: the name must end in {', '.join(_FASTA + _TABLES)} (each also with .gz or .bgz) or .npy, "
            f"got {Path(path).name!r}"
        )
    is_fasta = suffix in _FASTA
    if not is_standard_input(path):
        _check_options(path, is_fasta, letters, labels_in_header, columns)
    with open_lines(path) as lines:
        if is_standard_input(path):
            is_fasta = lines.first().lstrip().startswith(">")
            _check_options(lines.path, is_fasta, letters, labels_in_header, columns)
        if is_fasta:
            return fasta_of(lines, labels_in_header=labels_in_header, **some)
        return table_of(lines, **columns, **some)


def _check_options(
    path: str | os.PathLike[str],
    is_fasta: bool,
    letters: str | None,
    labels_in_header: bool | None,
    columns: dict[str, Any],
) -> None:
    if is_fasta:
        _refuse(path, "a FASTA file", letters=letters, **columns)
    else:
        _refuse(path, "a table", letters=letters, labels_in_header=labels_in_header)


def _refuse(path: str | os.PathLike[str], kind: str, **options: object) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"{path} is read as {kind}, which has no use for {name}, got {name}={checks.shown(value)}")
