"""One function for every sequence file: the suffix of the name decides which reader is used."""

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
    length: int | None = None,
    skip_invalid: bool = False,
) -> Sequences:
    """Read sequences from a FASTA file, a table or a one-hot array.

        sequences = read_sequences("peaks.fa.gz")
        sequences = read_sequences("anchors.npy", letters="GCAT", limit=10)

    Args:
        path: a file whose name ends in .fa, .fasta, .fas, .fna or .faa (`read_fasta`), in .tsv, .csv, .txt or .data
            (`read_table`), each also with .gz or .bgz, or in .npy (`read_one_hot`). "-" is standard input: a FASTA
            file if it begins with ">", otherwise a table.
        alphabet: the alphabet of the sequences.
        letters: order of the letters in a one-hot array; needed for .npy, refused for other files.
        sequence_column: the column of the sequences; for tables only.
        label_column: the column of the labels; for tables only.
        labels_in_header: True if the headers are labels; for FASTA files only. None means that they are labels if there
            are several and each is 0 or 1.
        limit: read only this many sequences.
        length: the number of letters that every sequence must have; None for that of the first.
        skip_invalid: leave out sequences with letters outside the alphabet, such as N, or of another length than
            `length`, and warn how many (`LeftOut`).

    Returns:
        the sequences in the order of the file, with names, and with labels if the file has them.

    Raises:
        ValueError: for an unknown suffix, an argument that the format does not use, or a file that its reader refuses.
    """
    checked_alphabet(alphabet)
    columns: dict[str, Any] = {"sequence_column": sequence_column, "label_column": label_column}
    some: dict[str, Any] = {"alphabet": alphabet, "limit": limit, "skip_invalid": skip_invalid}
    length = None if length is None else checks.integer("length", length, at_least=1)
    named(path)
    suffix = Path(plain_name(path)).suffix
    if Path(path).name.lower().endswith(".npy"):
        _refuse(path, "a one-hot array", **columns, labels_in_header=labels_in_header)
        if letters is None:
            raise ValueError(f"{path}: letters must give the letter order of a one-hot array, got None")
        read = read_one_hot(path, letters, **some)
        if length not in (None, read.tokens.shape[1]):
            raise ValueError(f"{path}: expected sequences of {length} letters, got {read.tokens.shape[1]}")
        return read
    some["length"] = length
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
