"""FASTA files, plain or gzip-compressed."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from typing import NamedTuple

from jaxmaxent import checks
from jaxmaxent.data._gather import Gathered
from jaxmaxent.data._sequences import Sequences, numbered_name
from jaxmaxent.data._text import WHITE, Lines, Memory, is_compressed, one_word, open_lines, parse_label
from jaxmaxent.ensembles import DNA, Alphabet, checked_alphabet
from jaxmaxent.files import new_file


def read_fasta(
    path: str | os.PathLike[str],
    *,
    alphabet: Alphabet = DNA,
    labels_in_header: bool | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
) -> Sequences:
    """Read sequences of equal length from a FASTA file.

    A sequence may span several lines, and blank lines are passed over.

    Args:
        path: the file, or "-" for standard input; read through gzip if its name ends in .gz or .bgz.
        alphabet: the alphabet of the sequences.
        labels_in_header: whether the header is the label, 0 or 1, as in the files of some published data sets; by
            default where there are several records and every header is 0 or 1. The header of a lone record is its
            name, such as that of chromosome 1.
        limit: read only the first so many; what comes later in the file is not looked at, unless all headers up to
            there could be labels.
        skip_invalid: leave out sequences with letters outside the alphabet, such as N, and warn of how many.

    Returns:
        The sequences in the file's order. A name is the header up to its first white space, or
        "sequence_<n>", n the record's number in the file counted from 0, where the header is empty or is the label.
        Names may repeat.

    Raises:
        ValueError: if the file cannot be read or is cut off, is no FASTA file, holds a record without
            sequence, unequal lengths, a letter outside the alphabet (none but such with `skip_invalid`), or a
            header that should be a label, or is larger than the memory.
    """
    checked_alphabet(alphabet)
    with open_lines(path) as lines:
        return fasta_of(
            lines, alphabet=alphabet, labels_in_header=labels_in_header, limit=limit, skip_invalid=skip_invalid
        )


def fasta_of(
    lines: Lines, *, alphabet: Alphabet, labels_in_header: bool | None, limit: int | None, skip_invalid: bool
) -> Sequences:
    """The sequences of an open FASTA file, see `read_fasta`."""
    gathered = Gathered(lines.path, alphabet, Record.told, limit=limit, skip_invalid=skip_invalid)
    could_be_labels, count = labels_in_header is None, 0
    for record in read_records(lines):
        count = record.number + 1
        could_be_labels = could_be_labels and record.header in ("0", "1")
        if not gathered.is_full:
            label = 0
            if labels_in_header or could_be_labels:
                label = parse_label(record.header, lines.path, record.told())
            name = record.header.split(maxsplit=1)[0] if record.header else ""
            gathered.add(record.number, record, record.letters, name=name, label=label)
        if gathered.is_full and not could_be_labels:
            break
    labelled = could_be_labels and count > 1 if labels_in_header is None else labels_in_header
    return gathered.sequences(named=not labelled, labelled=labelled)


class Record(NamedTuple):
    """One record: its number in the file, counted from 0, its header without the ">", and its letters."""

    number: int
    header: str
    letters: str

    def told(self) -> str:
        """Its place, for errors."""
        return f"record {self.number} {self.header[:60]!r} (counted from 0)"


def read_records(lines: Lines) -> Iterator[Record]:
    """Give the records of a FASTA file one by one, letters and lengths unchecked; at least one.

    Raises:
        ValueError: if the file cannot be read, is no FASTA file, holds a record without sequence, or one that the
            memory does not hold.
    """
    header, letters, number = "", io.StringIO(), -1
    memory = Memory(lines.path)
    for line_number, line in lines.numbered:
        line = line.strip(WHITE)
        if line.startswith(">"):
            if number >= 0:
                yield _finished(lines, number, header, letters)
            header, letters, number = line[1:].strip(), io.StringIO(), number + 1
        elif line and number < 0:
            raise ValueError(
                f"{lines.path}, line {line_number}: expected a FASTA header starting with '>', got {line[:40]!r}"
            )
        elif line:
            letters.write(line)
            if letters.tell() > _LONG:
                memory.check(2 * letters.tell(), f"line {line_number}")
    if number < 0:
        raise ValueError(f"{lines.path} is empty, expected a FASTA file with at least one record")
    yield _finished(lines, number, header, letters)


_LONG = 2**24  # letters of a record from which on the memory is watched


def _finished(lines: Lines, number: int, header: str, letters: io.StringIO) -> Record:
    record = Record(number, header, letters.getvalue())
    if not record.letters:
        raise ValueError(f"{lines.path}: {record.told()} has no sequence")
    return record


def record_name(header: str, number: int) -> str:
    """The name of a record: its header up to the first white space, or a number where that is empty."""
    return header.split(maxsplit=1)[0] if header else numbered_name(number)


def write_fasta(path: str | os.PathLike[str], sequences: Sequences, *, force: bool = False) -> None:
    """Write sequences to a FASTA file, one line each, under their names. Labels are not written.

    White space in a name becomes an underscore, since readers end the name there; so does what is not printable.

    Args:
        path: the file to write; compressed with gzip if its name ends in .gz or .bgz.
        sequences: at least one sequence.
        force: overwrite an existing file.

    Raises:
        ValueError: if there is no sequence, or the file exists and `force` is False, or cannot be written.
    """
    checks.like("sequences", sequences, "tokens", "Sequences, as the readers give them")
    if len(sequences) == 0:
        raise ValueError("sequences must hold at least one sequence to write, got none")
    letters = sequences.alphabet.decode(sequences.tokens)
    opener = gzip.open if is_compressed(path) else open
    with new_file(path, force=force) as scratch, opener(scratch, "wt", encoding="utf-8") as stream:
        for name, sequence in zip(sequences.names, letters, strict=True):
            stream.write(f">{one_word(name)}\n{sequence}\n")
