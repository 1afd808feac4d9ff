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
    length: int | None = None,
    skip_invalid: bool = False,
) -> Sequences:
    """Read sequences of equal length from a FASTA file.

    A sequence may span several lines. Blank lines are ignored.

        sequences = read_fasta("peaks.fa.gz", skip_invalid=True)
        sequences.tokens.shape, sequences.names[0]

    Args:
        path: the file, or "-" for standard input. It is read through gzip if its name ends in .gz or .bgz.
        alphabet: the alphabet of the sequences.
        labels_in_header: True if each header is a label, 0 or 1, as in some published data sets; False if it is a
            name. None decides by the file: the headers are labels if there are several records and every header is 0
            or 1. The header of a single record is its name, such as that of chromosome 1.
        limit: read only this many sequences. The rest of the file is not checked, unless all headers so far could be
            labels.
        length: the number of letters that every sequence must have; None for that of the first.
        skip_invalid: leave out sequences with letters outside the alphabet, such as N, or of another length than
            `length`, and warn how many (`LeftOut`).

    Returns:
        the sequences in the order of the file. A name is the header up to its first white space. If the header is empty
        or is the label, the name is "sequence_<n>", where n is the number of the record, counted from 0. Names may
        repeat. `region_of` reads those that are coordinates, such as "chr1:100-201(+)".

    Raises:
        ValueError: if the file cannot be read, is cut off, is not a FASTA file or does not fit into memory; for a
            record without a sequence, unequal lengths or a header that should be a label; for a letter outside the
            alphabet, or with `skip_invalid` if no sequence is left.
    """
    checked_alphabet(alphabet)
    with open_lines(path) as lines:
        return fasta_of(
            lines, alphabet=alphabet, labels_in_header=labels_in_header, limit=limit, length=length,
            skip_invalid=skip_invalid,
        )  # fmt: skip


def fasta_of(
    lines: Lines,
    *,
    alphabet: Alphabet,
    labels_in_header: bool | None,
    limit: int | None,
    length: int | None,
    skip_invalid: bool,
) -> Sequences:
    """Return the sequences of an open FASTA file, as `read_fasta` does."""
    gathered = Gathered(lines.path, alphabet, FastaRecord.told, length=length, limit=limit, skip_invalid=skip_invalid)
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
    labeled = could_be_labels and count > 1 if labels_in_header is None else labels_in_header
    return gathered.sequences(named=not labeled, labeled=labeled)


class FastaRecord(NamedTuple):
    """A record: its number in the file, counted from 0, its header without the ">", and its letters."""

    number: int
    header: str
    letters: str

    def told(self) -> str:
        """Describe the place of the record, for errors."""
        return f"record {self.number} {self.header[:60]!r} (counted from 0)"


def read_records(lines: Lines) -> Iterator[FastaRecord]:
    """Yield the records of a FASTA file one by one, at least one. Letters and lengths are not checked.

    Raises:
        ValueError: if the file cannot be read or is not a FASTA file, or if a record has no sequence or does not fit
            into memory.
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


_LONG = 2**24  # letters of a record above which the free memory is checked


def _finished(lines: Lines, number: int, header: str, letters: io.StringIO) -> FastaRecord:
    record = FastaRecord(number, header, letters.getvalue())
    if not record.letters:
        raise ValueError(f"{lines.path}: {record.told()} has no sequence")
    return record


def record_name(header: str, number: int) -> str:
    """Return the name of a record: its header up to the first white space, or its number if the header is empty."""
    return header.split(maxsplit=1)[0] if header else numbered_name(number)


def write_fasta(path: str | os.PathLike[str], sequences: Sequences, *, force: bool = False) -> None:
    """Write sequences to a FASTA file, one line per sequence, under their names. Labels are not written.

    White space in a name becomes an underscore, because a reader would end the name there. Characters that are not
    printable become underscores as well.

    Args:
        path: the file to write. It is compressed with gzip if its name ends in .gz or .bgz.
        sequences: at least one sequence.
        force: overwrite an existing file.

    Raises:
        ValueError: if there is no sequence, if the file exists and `force` is False, or if it cannot be written.

    Example:
        >>> sequences = data.Sequences(jme.DNA.encode(["ACGT", "TTGA"]), ("first", "second"))
        >>> data.write_fasta("two.fa", sequences)
    """
    checks.like("sequences", sequences, "tokens", "Sequences, as the readers give them")
    if len(sequences) == 0:
        raise ValueError("sequences must hold at least one sequence to write, got none")
    letters = sequences.alphabet.decode(sequences.tokens)
    opener = gzip.open if is_compressed(path) else open
    with new_file(path, force=force) as scratch, opener(scratch, "wt", encoding="utf-8") as stream:
        for name, sequence in zip(sequences.names, letters, strict=True):
            stream.write(f">{one_word(name)}\n{sequence}\n")
