"""The motifs of a grammar: those that are given, or those that were found in the draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.analysis._draw_motifs.found import DrawMotif, DrawMotifs
from jaxmaxent.ensembles import Alphabet

# A motif of the draws has the name of a known one if so few of such hits are false.
_SURE = 0.01


def checked_motifs(
    motifs: Any, alphabet: Alphabet, length: int
) -> tuple[tuple[str, ...], list[Float[np.ndarray, "width letters"]]]:
    """Return names, made different from each other, and probabilities of motifs; ValueError if they do not fit.

    A result of `draw_motifs` may have no motif; there has to be one in a list that is given.
    """
    may_be_none = isinstance(motifs, DrawMotifs)
    motifs = motifs.motifs if isinstance(motifs, DrawMotifs) else motifs
    names, matrices = [], []
    for motif in checks.several("motifs", motifs, "motifs with name and probabilities"):
        checks.like("motifs", motif, "probabilities", "motifs with name and probabilities, such as read_motifs gives")
        checks.like("motifs", motif, "name", "motifs with name and probabilities, such as read_motifs gives")
        matrix = checks.finite_array("motifs", motif.probabilities, at_least=0)
        if matrix.ndim != 2 or matrix.shape[1] != len(alphabet) or not 1 <= len(matrix) <= length:
            raise ValueError(
                f"motifs must have probabilities of shape [width, {len(alphabet)}], width 1 to {length}, got "
                f"{list(matrix.shape)}"
            )
        if np.abs(matrix.sum(1) - 1).max() > 1e-3:
            raise ValueError(f"motifs must have rows with sum 1, got a sum of {matrix.sum(1).flat[0]:g}")
        own = _name(motif)
        name, number = own, 2
        while name in names:
            name, number = f"{own} ({number})", number + 1
        names.append(name)
        matrices.append(matrix)
    if not names and not may_be_none:
        raise ValueError("motifs must have one motif or more, got none")
    return tuple(names), matrices


def _name(motif: Any) -> str:
    """Return the name of a motif; that of a motif of the draws is its best hit or its consensus."""
    if not isinstance(motif, DrawMotif):
        return str(motif.name)
    if motif.hits and motif.hits[0].q <= _SURE:
        return motif.hits[0].name
    return motif.consensus
