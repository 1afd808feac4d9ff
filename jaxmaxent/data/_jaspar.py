"""The JASPAR format of motifs.

The format: https://jaspar.elixir.no/docs
"""

from __future__ import annotations

import functools
import itertools
import re

import numpy as np

from jaxmaxent.data._implant import normalized_rows
from jaxmaxent.data._motif import MOST_SITES, Candidates, Motif, alphabetical, names_of, numbers_of, order_of
from jaxmaxent.ensembles import Alphabet

_ROW = re.compile(r"(\S)\s*[:|]?\s*(?:\[([^][]*)\]|(?<=[\s:|])([^][]*))")


def jaspar_motifs(lines: list[str], alphabet: Alphabet) -> Candidates:
    """Yield the motifs of a JASPAR file, each as its description and a function that makes it."""
    starts = [i for i, line in enumerate(lines) if line.startswith(">")]
    blocks = [lines[start:end] for start, end in itertools.pairwise([*starts, len(lines)])]
    bare = [[row for line in block[1:] if (row := numbers_of(line))] for block in blocks]
    letters = len(alphabet)
    # A row without a letter stands for a letter of the alphabet, unless the rows of the whole file are positions.
    turned = any(rows and len(rows) != letters == len(rows[0]) for rows in bare)
    turned = turned and not any(len(rows) == letters != len(rows[0]) for rows in bare)
    for block in blocks:
        yield f"motif {names_of(block[0][1:])[0]!r}", functools.partial(_jaspar_motif, block, alphabet, turned)


def _jaspar_motif(block: list[str], alphabet: Alphabet, turned: bool) -> Motif:
    identifier, name = names_of(block[0][1:])
    letters, rows = "", []
    for line in block[1:]:
        if not line or line.startswith("#"):
            continue
        numbers = numbers_of(line)
        if numbers is None:
            row = _ROW.fullmatch(line)
            numbers = numbers_of(row[2] or row[3] or "") if row else None
            if row is None or numbers is None:
                raise ValueError(f"expected a row like 'A [ 1 2 3 ]', got {line[:40]!r}")
            letters += row[1]
        rows.append(numbers)
    if rows and not letters:
        if turned:
            raise ValueError(f"expected a row for each of the letters {alphabet.letters!r}, got one for each position")
        letters = alphabetical(alphabet)
    order = order_of(letters, alphabet)
    if len(rows) != len(letters):
        raise ValueError(f"expected {len(letters)} rows, got {len(rows)}")
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"the rows differ in length, {[len(row) for row in rows]}")
    counts = np.array(rows)[order].T
    if (counts > MOST_SITES).any():
        raise ValueError(f"counts must be at most {MOST_SITES:g}, got {counts.max():g}")
    return Motif(name, identifier, normalized_rows("counts", counts), round(counts[0].sum()), counts)
