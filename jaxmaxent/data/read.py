"""One function for every sequence file: the name's suffix decides the reader."""

from __future__ import annotations

import os
from pathlib import Path

from jaxmaxent.alphabet import DNA, Alphabet
from jaxmaxent.data.fasta import read_fasta
from jaxmaxent.data.onehot import read_one_hot
from jaxmaxent.data.sequences import Sequences
from jaxmaxent.data.tables import read_table

_FASTA = (".fa", ".fasta", ".fna")
_TABLES = (".tsv", ".csv", ".txt", ".data")


def read_sequences(
    path: str | os.PathLike,
    *,
    alphabet: Alphabet = DNA,
    letters: str | None = None,
    sequence_column: str | None = None,
    label_column: str | None = None,
    labels_in_header: bool | None = None,
) -> Sequences:
    """Read sequences from a FASTA file, a table or a one-hot array.

    Args:
        path: a name ending in .fa, .fasta, .fna (`read_fasta`), .tsv, .csv, .txt, .data (`read_table`), each
            also with .gz, or .npy (`read_one_hot`).
        alphabet: the alphabet of the sequences.
        letters: letter order of a one-hot array; needed for .npy, and for nothing else.
        sequence_column: the column of the sequences; for tables only.
        label_column: the column of the labels; for tables only.
        labels_in_header: whether the headers are the labels; for FASTA files only, by default where each is 0 or 1.

    Raises:
        ValueError: for an unknown suffix, an argument that the format has no use for, or a file that its
            reader refuses.
    """
    name = Path(path).name.lower()
    columns = {"sequence_column": sequence_column, "label_column": label_column}
    if name.endswith(".npy"):
        _refuse(path, "a one-hot array", **columns, labels_in_header=labels_in_header)
        if letters is None:
            raise ValueError(f"{path}: letters must give the letter order of a one-hot array, got None")
        return read_one_hot(path, letters, alphabet=alphabet)
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix in _FASTA:
        _refuse(path, "a FASTA file", letters=letters, **columns)
        return read_fasta(path, alphabet=alphabet, labels_in_header=labels_in_header)
    if suffix in _TABLES:
        _refuse(path, "a table", letters=letters, labels_in_header=labels_in_header)
        return read_table(path, alphabet=alphabet, sequence_column=sequence_column, label_column=label_column)
    raise ValueError(
        f"{path}: the name must end in {', '.join(_FASTA + _TABLES)} (each also with .gz) or .npy, "
        f"got {Path(path).name!r}"
    )


def _refuse(path: str | os.PathLike, kind: str, **options: object) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"{path} is read as {kind}, which has no use for {name}, got {name}={value!r}")
