"""The MEME format of motifs: reading all its variants, writing the minimal one.

The format: https://meme-suite.org/meme/doc/meme-format.html
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.data._implant import letter_frequencies, normalized_rows
from jaxmaxent.data._motif import (
    MOST_SITES,
    Candidates,
    Motif,
    WritableMotif,
    alphabetical,
    names_of,
    numbers_of,
    order_of,
)
from jaxmaxent.data._text import one_word
from jaxmaxent.ensembles import DNA, Alphabet, checked_alphabet
from jaxmaxent.files import new_file

MEME_VERSION = re.compile(r"MEME\s+version\b")
_MATRIX = re.compile(r"letter-probability\s+matrix\b")


def write_meme(
    path: str | os.PathLike[str],
    motifs: Sequence[WritableMotif],
    *,
    alphabet: Alphabet = DNA,
    background: Float[np.ndarray, " letters"] | None = None,
    force: bool = False,
) -> None:
    """Write motifs to a file in minimal MEME format, with 9 digits after the decimal point.

    White space and characters that are not printable become underscores in names and identifiers. Counts are not
    written.

        write_meme("found.meme", analysis.find_motifs(run))

    Args:
        path: the file to write.
        motifs: at least one motif, read from a file or found by `analysis.find_motifs`. All identifiers must differ.
        alphabet: the alphabet of the motifs.
        background: frequency of each letter, shape [letters], sum 1. None means equal frequencies.
        force: overwrite an existing file.

    Raises:
        ValueError: if there is no motif, an identifier is empty or repeats, or a motif has another number of letters;
            if the background is not such frequencies; if the file exists and `force` is False, or cannot be written.
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
                f"motif {motif.identifier!r} must have {letters} letters like the alphabet, "
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


@dataclasses.dataclass(frozen=True)
class _Letters:
    """The letters that the lines before a motif declare, by the line ALPHABET or else by the background frequencies."""

    given: str | None = None
    background: str = ""
    fault: str = ""

    def of(self, alphabet: Alphabet) -> str:
        """Return the letters in the order of the file."""
        if self.fault:
            raise ValueError(self.fault)
        if self.given is not None:
            return self.given
        letters = alphabetical(alphabet)
        if self.background.upper() not in ("", letters):
            raise ValueError(
                f"there is no line 'ALPHABET= {letters}', and the background frequencies have the letters "
                f"{self.background!r}"
            )
        return letters


def meme_motifs(lines: list[str], alphabet: Alphabet) -> Candidates:
    """Yield the motifs of a MEME file, each as its description and a function that makes it."""
    for block, letters in _meme_blocks(lines):
        yield f"motif {_meme_names(block[0])[0]!r}", functools.partial(_meme_motif, block, letters, alphabet)


def _meme_blocks(lines: list[str]) -> list[tuple[list[str], _Letters]]:
    """Return the lines of each motif, with the letters declared before it. Joined files each declare their own."""
    letters, block, i = _Letters(), [], 0
    blocks: list[tuple[list[str], _Letters]] = []
    while i < len(lines):
        line, i = lines[i], i + 1
        if MEME_VERSION.match(line):
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
    """Add the letters of the background frequencies from line i on; return also the number of the line after them."""
    found = ""
    while i < len(lines) and (pairs := re.fullmatch(r"(\S\s+[-+.\deE]+\s*)+", lines[i])):
        found += "".join(pairs[0].split()[::2])
        i += 1
    return dataclasses.replace(letters, background=found), i


def _symbols(lines: list[str]) -> str:
    """Return the letters of a written-out alphabet in the order of MEME, without those defined by other letters."""
    found = set()
    for line in lines:
        bare = re.sub(r'"[^"]*"', " ", line)
        if not line.startswith("#") and "=" not in bare:
            found.update(part.split()[0] for part in bare.split("~") if part.split())
    return "".join(sorted(found, key=lambda c: (not c.isupper(), not c.islower(), not c.isdigit(), c)))


def _meme_names(line: str) -> tuple[str, str]:
    """Return identifier and name of a line MOTIF. The text output of programs has figures behind them."""
    return names_of(re.split(r"\s+width\s*=", line.removeprefix("MOTIF"))[0])


def _meme_motif(block: list[str], letters: _Letters, alphabet: Alphabet) -> Motif:
    identifier, name = _meme_names(block[0])
    matrices = [i for i, line in enumerate(block) if _MATRIX.match(line)]
    if matrices == [0]:
        raise ValueError("there is a line 'letter-probability matrix:' without a line MOTIF before it")
    if len(matrices) != 1:
        raise ValueError(f"there is {'no line' if not matrices else 'more than one line'} 'letter-probability matrix:'")
    announced = dict(re.findall(r"(\w+)\s*=\s*(\S+)", block[matrices[0]]))
    below = itertools.dropwhile(lambda line: not line, block[matrices[0] + 1 :])
    rows = [*itertools.takewhile(lambda row: row is not None, map(numbers_of, below))]
    order = order_of(letters.of(alphabet), alphabet)
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
    # Clipped so that no sum overflows. NaN becomes 2, which is not a probability.
    bounded = np.clip(np.nan_to_num(rows, nan=2.0), -2, 2)
    wrong = (np.abs(bounded.sum(1) - 1) > 0.01) | (bounded < 0).any(1)
    if wrong.any():
        row = wrong.argmax()
        raise ValueError(f"row {row} (0-based) must be probabilities with sum 1, got {rows[row].tolist()}")
    return normalized_rows("probabilities", rows)


def _sites(text: str | None) -> int | None:
    numbers = numbers_of(text or "")
    if text is not None and (numbers is None or not 0 <= numbers[0] < MOST_SITES):
        raise ValueError(f"nsites must be a number of sites, got {checks.shown(text)}")
    return None if numbers is None else round(numbers[0])
