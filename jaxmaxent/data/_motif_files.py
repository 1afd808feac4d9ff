"""Motif files in the JASPAR or the MEME format; the first line decides."""

from __future__ import annotations

import itertools
import os
import warnings

from jaxmaxent.data._jaspar import jaspar_motifs
from jaxmaxent.data._meme import MEME_VERSION, meme_motifs
from jaxmaxent.data._motif import Motif
from jaxmaxent.data._text import LeftOut, open_lines, told_left_out
from jaxmaxent.ensembles import DNA, Alphabet, checked_alphabet


def read_motifs(path: str | os.PathLike[str], alphabet: Alphabet = DNA) -> list[Motif]:
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
    is_meme = any(
        MEME_VERSION.match(line) for line in itertools.takewhile(lambda line: not line.startswith(">"), lines)
    )
    first = next((line for line in lines if line and (is_meme or not line.startswith("#"))), "")
    if not is_meme and not first.startswith(">"):
        raise ValueError(
            f"{told} must start with 'MEME version' (MEME format) or '>' (JASPAR format), got {first[:40]!r}"
        )
    motifs, faults = [], []
    for what, motif in meme_motifs(lines, alphabet) if is_meme else jaspar_motifs(lines, alphabet):
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
