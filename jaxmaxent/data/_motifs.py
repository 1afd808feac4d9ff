"""Motif files: reads the JASPAR and MEME formats, writes minimal MEME format.

Formats: https://jaspar.elixir.no/docs and https://meme-suite.org/meme/doc/meme-format.html
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.data._implant import letter_frequencies, normalised_rows
from jaxmaxent.data._text import LeftOut, is_encodable, one_word, open_lines, told_left_out
from jaxmaxent.ensembles import DNA, PROTEIN, RNA, Alphabet, checked_alphabet
from jaxmaxent.files import new_file

_MEME = re.compile(r"MEME\s+version\b")
_MATRIX = re.compile(r"letter-probability\s+matrix\b")
_JASPAR_ROW = re.compile(r"(\S)\s*[:|]?\s*(?:\[([^][]*)\]|(?<=[\s:|])([^][]*))")
_MOST_SITES = 1e15


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
    """Read the motifs of a file in JASPAR or MEME format, told apart by the first line of either.

    MEME files may be minimal or the whole text output of a program, and several in one, each with its own alphabet.
    Without a line ALPHABET, and in JASPAR files without letters, DNA, RNA and protein letters are taken in
    alphabetical order. Motifs that are not sound are left out with a warning (`LeftOut`) where others are.

    Args:
        path: the file, or "-" for standard input; read through gzip if its name ends in .gz or .bgz.
        alphabet: the alphabet whose letter order the motifs get; the file may have another order, or lower case.

    Returns:
        The motifs in the file's order. Rows of a MEME matrix, which are rounded, are divided by their sum.
        For JASPAR files `sites` is the sum of counts at the first position, as in JASPAR's own MEME files.

    Raises:
        ValueError: if the file cannot be read, has another format, or has no motif with the letters of the
            alphabet and a matrix of the announced width and of probabilities or counts.
    """
    checked_alphabet(alphabet)
    with open_lines(path) as opened:
        lines = [line.strip() for _, line in opened.numbered]
    told = opened.path
    is_meme = any(_MEME.match(line) for line in itertools.takewhile(lambda line: not line.startswith(">"), lines))
    first = next((line for line in lines if line and (is_meme or not line.startswith("#"))), "")
    if not is_meme and not first.startswith(">"):
        raise ValueError(
            f"{told} must start with 'MEME version' (MEME format) or '>' (JASPAR format), got {first[:40]!r}"
        )
    motifs, faults = [], []
    for what, motif in _meme_motifs(lines, alphabet) if is_meme else _jaspar_motifs(lines, alphabet):
        try:
            motifs.append(motif())
        except ValueError as error:
            faults.append(f"{what}: {error}")
    if not motifs and not faults:
        raise ValueError(f"{told} holds no motif")
    if not motifs:
        raise ValueError(f"{told}, {faults[0]}")
    if faults:
        sentence = told_left_out(told, len(faults), len(motifs) + len(faults), "motifs", faults[0])
        warnings.warn(sentence, LeftOut, stacklevel=2)
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

    White space and what is not printable in a name or identifier become underscores. Counts are not written.

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
    checked_alphabet(alphabet)
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
    identifier, times = Counter(one_word(motif.identifier) for motif in motifs).most_common(1)[0]
    if times > 1:
        raise ValueError(f"motifs must have different identifiers, but {times} are called {identifier!r}")
    if any(not motif.identifier.strip() for motif in motifs):
        raise ValueError("motifs must have identifiers, but one is empty")


def _meme_lines(motif: WritableMotif) -> list[str]:
    sites = "" if motif.sites is None else f" nsites= {motif.sites}"
    width, letters = motif.probabilities.shape
    return [
        f"MOTIF {one_word(motif.identifier)} {one_word(motif.name)}".rstrip(),
        f"letter-probability matrix: alength= {letters} w= {width}{sites} E= 0",
        *(" ".join(f"{p:.9f}" for p in row) for row in motif.probabilities),
        "",
        "",
    ]


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


def _order(letters: str, alphabet: Alphabet) -> list[int]:
    """Where the alphabet's letters stand in `letters`, which may be in lower case."""
    tokens = alphabet.encode(letters).tolist() if letters and is_encodable(letters, alphabet) else []
    if sorted(tokens) != list(range(len(alphabet))):
        raise ValueError(f"expected the letters {alphabet.letters!r} in some order, got {checks.shown(letters)}")
    return [tokens.index(token) for token in range(len(alphabet))]


def _alphabetical(alphabet: Alphabet) -> str:
    """The letters in the order that is meant where a file tells none."""
    letters = "".join(sorted(alphabet.letters))
    if letters not in {"".join(sorted(known.letters)) for known in (DNA, RNA, PROTEIN)}:
        raise ValueError(f"nothing tells the order of the letters {alphabet.letters!r}")
    return letters


# The motifs of a file, each with the words for it and a function that makes it or tells what is wrong with it.
_Candidates: TypeAlias = Iterator[tuple[str, Callable[[], Motif]]]


def _jaspar_motifs(lines: list[str], alphabet: Alphabet) -> _Candidates:
    starts = [i for i, line in enumerate(lines) if line.startswith(">")]
    blocks = [lines[start:end] for start, end in itertools.pairwise([*starts, len(lines)])]
    bare = [[row for line in block[1:] if (row := _numbers(line))] for block in blocks]
    letters = len(alphabet)
    # Rows without letters are those of the alphabet, unless the whole file has them for positions.
    turned = any(rows and len(rows) != letters == len(rows[0]) for rows in bare)
    turned = turned and not any(len(rows) == letters != len(rows[0]) for rows in bare)
    for block in blocks:
        yield f"motif {_names(block[0][1:])[0]!r}", functools.partial(_jaspar_motif, block, alphabet, turned)


def _jaspar_motif(block: list[str], alphabet: Alphabet, turned: bool) -> Motif:
    identifier, name = _names(block[0][1:])
    letters, rows = "", []
    for line in block[1:]:
        if not line or line.startswith("#"):
            continue
        numbers = _numbers(line)
        if numbers is None:
            row = _JASPAR_ROW.fullmatch(line)
            numbers = _numbers(row[2] or row[3] or "") if row else None
            if row is None or numbers is None:
                raise ValueError(f"expected a row like 'A [ 1 2 3 ]', got {line[:40]!r}")
            letters += row[1]
        rows.append(numbers)
    if rows and not letters:
        if turned:
            raise ValueError(f"expected a row for each of the letters {alphabet.letters!r}, got one for each position")
        letters = _alphabetical(alphabet)
    order = _order(letters, alphabet)
    if len(rows) != len(letters):
        raise ValueError(f"expected {len(letters)} rows, got {len(rows)}")
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"the rows differ in length, {[len(row) for row in rows]}")
    counts = np.array(rows)[order].T
    if (counts > _MOST_SITES).any():
        raise ValueError(f"counts must be at most {_MOST_SITES:g}, got {counts.max():g}")
    return Motif(name, identifier, normalised_rows("counts", counts), round(counts[0].sum()), counts)


@dataclasses.dataclass(frozen=True)
class _Letters:
    """What the lines before a motif tell of its letters: the line ALPHABET, or else the background's letters."""

    given: str | None = None
    background: str = ""
    fault: str = ""

    def of(self, alphabet: Alphabet) -> str:
        if self.fault:
            raise ValueError(self.fault)
        if self.given is not None:
            return self.given
        letters = _alphabetical(alphabet)
        if self.background.upper() not in ("", letters):
            raise ValueError(
                f"there is no line 'ALPHABET= {letters}', and the background frequencies have the letters "
                f"{self.background!r}"
            )
        return letters


def _meme_motifs(lines: list[str], alphabet: Alphabet) -> _Candidates:
    for block, letters in _meme_blocks(lines):
        yield f"motif {_meme_names(block[0])[0]!r}", functools.partial(_meme_motif, block, letters, alphabet)


def _meme_blocks(lines: list[str]) -> list[tuple[list[str], _Letters]]:
    """The lines of each motif, with what those before it tell; each file that is part of one tells anew."""
    letters, block, i = _Letters(), [], 0
    blocks: list[tuple[list[str], _Letters]] = []
    while i < len(lines):
        line, i = lines[i], i + 1
        if _MEME.match(line):
            letters, block = _Letters(), []
        elif found := re.match(r"ALPHABET\s*=\s*(.*)", line):
            letters = dataclasses.replace(letters, given=found[1], fault="")
        elif re.match(r"ALPHABET\s", line):
            end = next((k for k in range(i, len(lines)) if re.match(r"END\s+ALPHABET\b|MOTIF\s", lines[k])), len(lines))
            if end == len(lines) or lines[end].startswith("MOTIF"):
                letters = _Letters(fault="the line ALPHABET has no line END ALPHABET")
            else:
                letters, i = dataclasses.replace(letters, given=_symbols(lines[i:end]), fault=""), end + 1
        elif line.startswith("Background letter frequencies"):
            letters, i = _with_background(letters, lines, i)
        elif re.match(r"MOTIF(\s|$)", line) or (_MATRIX.match(line) and not block):
            block = [line]
            blocks.append((block, letters))
        elif block:
            block.append(line)
    return blocks


def _with_background(letters: _Letters, lines: list[str], i: int) -> tuple[_Letters, int]:
    """What the lines from i on add: letters, each with a frequency; and where these lines end."""
    found = ""
    while i < len(lines) and (pairs := re.fullmatch(r"(\S\s+[-+.\deE]+\s*)+", lines[i])):
        found += "".join(pairs[0].split()[::2])
        i += 1
    return dataclasses.replace(letters, background=found), i


def _symbols(lines: list[str]) -> str:
    """The letters of an alphabet that is spelled out, in MEME's order; those defined by others are not of them."""
    found = set()
    for line in lines:
        bare = re.sub(r'"[^"]*"', " ", line)
        if not line.startswith("#") and "=" not in bare:
            found.update(part.split()[0] for part in bare.split("~") if part.split())
    return "".join(sorted(found, key=lambda c: (not c.isupper(), not c.islower(), not c.isdigit(), c)))


def _meme_names(line: str) -> tuple[str, str]:
    """Identifier and name of a line 'MOTIF', behind which the text output of programs has figures."""
    return _names(re.split(r"\s+width\s*=", line.removeprefix("MOTIF"))[0])


def _meme_motif(block: list[str], letters: _Letters, alphabet: Alphabet) -> Motif:
    identifier, name = _meme_names(block[0])
    matrices = [i for i, line in enumerate(block) if _MATRIX.match(line)]
    if matrices == [0]:
        raise ValueError("there is a line 'letter-probability matrix:' without a line MOTIF before it")
    if len(matrices) != 1:
        raise ValueError(f"there is {'no line' if not matrices else 'more than one line'} 'letter-probability matrix:'")
    announced = dict(re.findall(r"(\w+)\s*=\s*(\S+)", block[matrices[0]]))
    below = itertools.dropwhile(lambda line: not line, block[matrices[0] + 1 :])
    rows = [*itertools.takewhile(lambda row: row is not None, map(_numbers, below))]
    order = _order(letters.of(alphabet), alphabet)
    width, length = announced.get("w", str(len(rows))), announced.get("alength", str(len(order)))
    if not rows or str(len(rows)) != width or any(str(len(row)) != length for row in rows if row):
        raise ValueError(
            f"expected {width} rows of {length} probabilities, "
            f"got {len(rows)} rows of {sorted({len(row) for row in rows if row})}"
        )
    if length != str(len(order)):
        raise ValueError(f"expected {len(order)} letters, {alphabet.letters!r}, got {length}")
    return Motif(name, identifier, _probabilities(np.array(rows))[:, order], _sites(announced.get("nsites")))


def _probabilities(rows: np.ndarray) -> np.ndarray:
    # Clipped so that no sum overflows; NaN becomes 2, which no probability is.
    bounded = np.clip(np.nan_to_num(rows, nan=2.0), -2, 2)
    wrong = (np.abs(bounded.sum(1) - 1) > 0.01) | (bounded < 0).any(1)
    if wrong.any():
        row = wrong.argmax()
        raise ValueError(f"row {row} (0-based) must be probabilities with sum 1, got {rows[row].tolist()}")
    return normalised_rows("probabilities", rows)


def _sites(text: str | None) -> int | None:
    numbers = _numbers(text or "")
    if text is not None and (numbers is None or not 0 <= numbers[0] < _MOST_SITES):
        raise ValueError(f"nsites must be a number of sites, got {checks.shown(text)}")
    return None if numbers is None else round(numbers[0])
