"""Motif files: reads the JASPAR and minimal MEME formats, writes the latter.

Formats: https://jaspar.elixir.no/docs and https://meme-suite.org/meme/doc/meme-format.html
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.alphabet import DNA, Alphabet
from jaxmaxent.data.implant import letter_frequencies, normalised_rows
from jaxmaxent.data.text import open_lines
from jaxmaxent.files import new_file


@dataclasses.dataclass(frozen=True, eq=False)
class Motif:
    """A motif: the probabilities of the letters at each of its positions.

    Attributes:
        name: its common name, for example "CTCF".
        identifier: its accession, for example "MA0139.2".
        probabilities: float, shape [width, letters], in the alphabet's order; each row sums to 1.
        sites: the number of sites it was made from, where known.
        counts: letters counted at each position, shape [width, letters], where the source gives counts.
    """

    name: str
    identifier: str
    probabilities: Float[np.ndarray, "width letters"]
    sites: int | None = None
    counts: Float[np.ndarray, "width letters"] | None = None

    def __post_init__(self) -> None:
        array = checks.finite_array("probabilities", self.probabilities, at_least=0)
        if array.ndim != 2 or 0 in array.shape or np.abs(array.sum(1) - 1).max() > 1e-5:
            raise ValueError(
                f"probabilities of motif {self.identifier!r} must have shape [width, letters] and rows that "
                f"sum to 1, got shape {list(array.shape)} with sums {array.sum(-1).tolist()}"
            )
        object.__setattr__(self, "probabilities", array)


class WritableMotif(Protocol):
    """What `write_meme` takes: a `Motif`, or what `analysis.find_motifs` finds."""

    @property
    def name(self) -> str:
        """Its common name."""
        ...

    @property
    def identifier(self) -> str:
        """Its accession."""
        ...

    @property
    def probabilities(self) -> Float[np.ndarray, "width letters"]:
        """Letter probabilities at each position."""
        ...

    @property
    def sites(self) -> int | None:
        """How many sites it was made of, where known."""
        ...


def read_motifs(path: str | os.PathLike, alphabet: Alphabet = DNA) -> list[Motif]:
    """Read all motifs of a file in JASPAR or minimal MEME format, told apart by the first line.

    Args:
        path: the file; read through gzip if its name ends in .gz.
        alphabet: the alphabet whose letter order the motifs get; the file may have another order.

    Returns:
        The motifs in the file's order. Rows of a MEME matrix, which are rounded, are divided by their sum.
        For JASPAR files `sites` is the sum of counts at the first position, as in JASPAR's own MEME files.

    Raises:
        ValueError: if the file cannot be read, has another format, has no motif, has other letters than the
            alphabet, or a matrix that is cut off, not of the announced width, or not of probabilities.
    """
    with open_lines(path) as opened:
        lines = [line.strip() for _, line in opened.numbered]
    start = next((line for line in lines if line), "")
    if start.startswith("MEME version"):
        motifs = list(_meme_motifs(path, lines, alphabet))
    elif start.startswith(">"):
        motifs = list(_jaspar_motifs(path, lines, alphabet))
    else:
        raise ValueError(
            f"{path} must start with 'MEME version' (MEME format) or '>' (JASPAR format), got {start[:40]!r}"
        )
    if not motifs:
        raise ValueError(f"{path} holds no motif")
    return motifs


def write_meme(
    path: str | os.PathLike,
    motifs: Sequence[WritableMotif],
    *,
    alphabet: Alphabet = DNA,
    background: Float[np.ndarray, " letters"] | None = None,
    force: bool = False,
) -> None:
    """Write motifs to a file in minimal MEME format, with 9 digits after the point.

    White space in a name or identifier becomes an underscore. Counts are not written.

    Args:
        path: the file to write.
        motifs: at least one motif, with different identifiers: those of a file, or found ones.
        alphabet: the alphabet of the motifs.
        background: frequency of each letter, shape [letters], sum 1; None means all alike.
        force: overwrite an existing file.

    Raises:
        ValueError: if there is no motif, an identifier is empty or repeats, a motif has another number of
            letters, the background is none, or the file exists and `force` is False, or cannot be written.
    """
    frequencies = letter_frequencies("background", background, alphabet)
    _check_writable(motifs, len(alphabet))
    head = ["MEME version 4", "", f"ALPHABET= {alphabet.letters}", ""]
    if alphabet.complements is not None:
        head += ["strands: + -", ""]
    line = " ".join(f"{a} {p:.9f}" for a, p in zip(alphabet.letters, frequencies, strict=True))
    head += ["Background letter frequencies", line, ""]
    with new_file(path, force=force) as scratch, open(scratch, "w", encoding="utf-8") as stream:
        stream.write("\n".join(itertools.chain(head, *map(_meme_lines, motifs))))


def _check_writable(motifs: Sequence[WritableMotif], letters: int) -> None:
    if not motifs:
        raise ValueError("motifs must hold at least one motif to write, got none")
    for motif in motifs:
        if motif.probabilities.shape[1] != letters:
            raise ValueError(
                f"motif {motif.identifier!r} must have {letters} letters as the alphabet, "
                f"got {motif.probabilities.shape[1]}"
            )
    identifier, times = Counter(_one_word(motif.identifier) for motif in motifs).most_common(1)[0]
    if times > 1:
        raise ValueError(f"motifs must have different identifiers, but {times} are called {identifier!r}")
    if any(not motif.identifier.strip() for motif in motifs):
        raise ValueError("motifs must have identifiers, but one is empty")


def _meme_lines(motif: WritableMotif) -> list[str]:
    sites = "" if motif.sites is None else f" nsites= {motif.sites}"
    width, letters = motif.probabilities.shape
    return [
        f"MOTIF {_one_word(motif.identifier)} {_one_word(motif.name)}".rstrip(),
        f"letter-probability matrix: alength= {letters} w= {width}{sites} E= 0",
        *(" ".join(f"{p:.9f}" for p in row) for row in motif.probabilities),
        "",
        "",
    ]


def _one_word(name: str) -> str:
    return "_".join(name.split())


def _blocks(lines: list[str], opening: str) -> Iterator[list[str]]:
    """The lines from each line that begins with `opening` up to the next."""
    starts = [i for i, line in enumerate(lines) if line.startswith(opening)]
    for start, end in itertools.pairwise([*starts, len(lines)]):
        yield lines[start:end]


def _names(header: str) -> tuple[str, str]:
    """Identifier and name from what follows '>' or 'MOTIF'; the identifier again where there is no name."""
    words = header.split(maxsplit=1)
    identifier = words[0] if words else ""
    return identifier, words[1] if len(words) > 1 else identifier


def _numbers(text: str) -> list[float] | None:
    """The numbers of a line, None if it is blank or holds anything else."""
    try:
        return [float(word) for word in text.split()] or None
    except ValueError:
        return None


def _order(path: str | os.PathLike, letters: str, alphabet: Alphabet, what: str) -> list[int]:
    """Where the alphabet's letters stand in `letters`."""
    if sorted(letters) != sorted(alphabet.letters):
        raise ValueError(f"{path}, {what}: expected the letters {alphabet.letters!r} in some order, got {letters!r}")
    return [letters.index(letter) for letter in alphabet.letters]


def _jaspar_motifs(path: str | os.PathLike, lines: list[str], alphabet: Alphabet) -> Iterator[Motif]:
    for block in _blocks(lines, ">"):
        identifier, name = _names(block[0][1:])
        what = f"motif {identifier!r}"
        letters, rows = "", []
        for line in filter(None, block[1:]):
            row = re.fullmatch(r"(\S)\s*\[([^][]*)\]|(\S)\s+([^][]*)", line)
            numbers = _numbers(row[2] or row[4] or "") if row else None
            if row is None or numbers is None:
                raise ValueError(f"{path}, {what}: expected a row like 'A [ 1 2 3 ]', got {line[:40]!r}")
            letters += row[1] or row[3]
            rows.append(numbers)
        order = _order(path, letters, alphabet, what)
        if len({len(row) for row in rows}) != 1:
            raise ValueError(f"{path}, {what}: the rows differ in length, {[len(row) for row in rows]}")
        try:
            counts = np.array(rows)[order].T
            probabilities = normalised_rows("counts", counts)
        except ValueError as error:
            raise ValueError(f"{path}, {what}: {error}") from None
        yield Motif(name, identifier, probabilities, round(counts[0].sum()), counts)


def _meme_motifs(path: str | os.PathLike, lines: list[str], alphabet: Alphabet) -> Iterator[Motif]:
    letters = next((line.split("=", 1)[1].strip() for line in lines if line.startswith("ALPHABET=")), None)
    if letters is None:
        raise ValueError(f"{path} has no line 'ALPHABET= {alphabet.letters}' that tells the letter order")
    order = _order(path, letters, alphabet, "the line ALPHABET=")
    for block in _blocks(lines, "MOTIF "):
        identifier, name = _names(block[0].removeprefix("MOTIF"))
        what = f"motif {identifier!r}"
        at = next((i for i, line in enumerate(block) if line.startswith("letter-probability matrix")), None)
        if at is None:
            raise ValueError(f"{path}, {what}: there is no line 'letter-probability matrix:'")
        announced = dict(re.findall(r"(\w+)=\s*(\S+)", block[at]))
        rows = [*itertools.takewhile(lambda row: row is not None, map(_numbers, block[at + 1 :]))]
        width = announced.get("w", str(len(rows)))
        if not rows or str(len(rows)) != width or any(len(row) != len(letters) for row in rows if row):
            raise ValueError(
                f"{path}, {what}: expected {width} rows of {len(letters)} probabilities, "
                f"got {len(rows)} rows of {sorted({len(row) for row in rows if row})}"
            )
        yield Motif(
            name,
            identifier,
            _probabilities(path, what, np.array(rows))[:, order],
            _sites(path, what, announced.get("nsites")),
        )


def _probabilities(path: str | os.PathLike, what: str, rows: np.ndarray) -> np.ndarray:
    wrong = ~(np.abs(rows.sum(1) - 1) <= 0.01) | (rows < 0).any(1)
    if wrong.any():
        row = wrong.argmax()
        raise ValueError(
            f"{path}, {what}: row {row} (0-based) must be probabilities with sum 1, got {rows[row].tolist()}"
        )
    return normalised_rows("probabilities", rows)


def _sites(path: str | os.PathLike, what: str, text: str | None) -> int | None:
    numbers = _numbers(text or "")
    if text is not None and (numbers is None or not 0 <= numbers[0] < 1e15):
        raise ValueError(f"{path}, {what}: nsites must be a number of sites, got {text!r}")
    return None if numbers is None else round(numbers[0])
