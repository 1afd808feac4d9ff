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
    """Read the motifs of a file in JASPAR or MEME format. The first line decides which format it is.

    MEME files may be minimal or the complete text output of a program. Several may be joined in one file, each with its
    own alphabet. DNA, RNA and protein letters are in alphabetical order if a MEME file has no line ALPHABET or the rows
    of a JASPAR file have no letters. Invalid motifs are left out with a warning (`LeftOut`) if others are valid.

        motifs = {motif.name: motif for motif in read_motifs("JASPAR2024_CORE.meme")}

    Args:
        path: the file, or "-" for standard input. It is read through gzip if its name ends in .gz or .bgz.
        alphabet: the alphabet whose order the letters of the motifs get. The file may have another order, or lower
            case.

    Returns:
        the motifs in the order of the file. Rows of a MEME matrix are rounded, so they are divided by their sum. For
        JASPAR files `sites` is the sum of counts at the first position, as in JASPAR's own MEME files.

    Raises:
        ValueError: if the file cannot be read, has another format or has no valid motif. A motif is valid if it has the
            letters of the alphabet and a matrix of probabilities or counts of the announced width.
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
