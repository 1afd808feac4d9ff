"""FASTA files, plain or gzip-compressed."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np

from jaxmaxent.alphabet import DNA, Alphabet
from jaxmaxent.data.sequences import Sequences, numbered_names
from jaxmaxent.data.text import encode_records, one_word, open_text, parse_label
from jaxmaxent.files import new_file


def read_fasta(path: str | os.PathLike, *, alphabet: Alphabet = DNA, labels_in_header: bool | None = None) -> Sequences:
    """Read sequences of equal length from a FASTA file.

    A sequence may span several lines, and blank lines are passed over.

    Args:
        path: the file; read through gzip if its name ends in .gz.
        alphabet: the alphabet of the sequences.
        labels_in_header: whether the header is the label, 0 or 1, as in the files of some published data sets; by
            default where every header is 0 or 1.

    Returns:
        The sequences in the file's order. A name is the header up to its first white space, or
        "sequence_<n>", n counted from 0, where the header is empty or is the label. Names may repeat.

    Raises:
        ValueError: if the file cannot be read or is cut off, is no FASTA file, holds a record without
            sequence, unequal lengths, a letter outside the alphabet, or a header that should be a label.
    """
    headers, sequences = zip(*read_records(path), strict=True)

    def where(i: int) -> str:
        return f"record {i} {headers[i][:60]!r} (counted from 0)"

    tokens = encode_records(path, sequences, alphabet, where)
    if labels_in_header is None:
        labels_in_header = set(headers) <= {"0", "1"}
    if labels_in_header:
        labels = np.array([parse_label(header, path, where(i)) for i, header in enumerate(headers)])
        return Sequences(tokens, numbered_names(len(tokens)), labels, alphabet)
    return Sequences(tokens, tuple(record_name(h, i) for i, h in enumerate(headers)), None, alphabet)


def read_records(path: str | os.PathLike) -> list[tuple[str, str]]:
    """The (header, sequence) records of a FASTA file, letters and lengths unchecked; at least one.

    Raises:
        ValueError: if the file cannot be read, is no FASTA file, or holds a record without sequence.
    """
    records: list[tuple[str, list[str]]] = []
    with open_text(path) as stream:
        for number, line in enumerate(stream, 1):
            line = line.strip()
            if line.startswith(">"):
                records.append((line[1:].strip(), []))
            elif line and not records:
                raise ValueError(f"{path}, line {number}: expected a FASTA header starting with '>', got {line[:40]!r}")
            elif line:
                records[-1][1].append(line)
    if not records:
        raise ValueError(f"{path} is empty, expected a FASTA file with at least one record")
    for i, (header, lines) in enumerate(records):
        if not lines:
            raise ValueError(f"{path}: record {i} {header[:60]!r} (counted from 0) has no sequence")
    return [(header, "".join(lines)) for header, lines in records]


def record_name(header: str, index: int) -> str:
    """The name of a record: its header up to the first white space, or a number where that is empty."""
    return header.split(maxsplit=1)[0] if header else f"sequence_{index}"


def write_fasta(path: str | os.PathLike, sequences: Sequences, *, force: bool = False) -> None:
    """Write sequences to a FASTA file, one line each, under their names. Labels are not written.

    White space in a name becomes an underscore, since readers end the name there; so does what is not printable.

    Args:
        path: the file to write; compressed with gzip if its name ends in .gz.
        sequences: at least one sequence.
        force: overwrite an existing file.

    Raises:
        ValueError: if there is no sequence, or the file exists and `force` is False, or cannot be written.
    """
    if len(sequences) == 0:
        raise ValueError("sequences must hold at least one sequence to write, got none")
    letters = sequences.alphabet.decode(sequences.tokens)
    opener = gzip.open if Path(path).name.lower().endswith(".gz") else open
    with new_file(path, force=force) as scratch, opener(scratch, "wt", encoding="utf-8") as stream:
        for name, sequence in zip(sequences.names, letters, strict=True):
            stream.write(f">{one_word(name)}\n{sequence}\n")
