"""A small data set made on the spot: sequences with an implanted CTCF site against their shuffles."""

from __future__ import annotations

import numpy as np

from jaxmaxent.data._implant import implant, random_sequences
from jaxmaxent.data._sequences import Sequences
from jaxmaxent.data._shuffle import dinucleotide_shuffle

# Letters (A, C, G, T) counted at each position of 913 CTCF sites: JASPAR 2024 CORE, matrix MA0139.2,
# https://jaspar.elixir.no, CC BY 4.0.
CTCF_COUNTS = np.array(
    [
        [281, 49, 449, 134],
        [56, 800, 21, 36],
        [8, 903, 0, 2],
        [744, 13, 65, 91],
        [40, 528, 334, 11],
        [107, 433, 48, 324],
        [851, 11, 32, 18],
        [5, 0, 903, 3],
        [333, 3, 566, 9],
        [54, 12, 504, 341],
        [12, 0, 890, 8],
        [56, 8, 775, 71],
        [104, 733, 5, 67],
        [372, 13, 507, 17],
        [82, 482, 307, 37],
    ]
)


def ctcf_example(rng: np.random.Generator, count: int = 3000, length: int = 101) -> Sequences:
    """`count` random sequences with a CTCF site near the middle (label 1) and as many shuffles of them (label 0).

    A site starts up to 10 positions before or after the place where it is centred. The shuffles keep the
    dinucleotide counts, so only the arrangement tells the classes apart.
    """
    centred = (length - len(CTCF_COUNTS)) // 2
    starts = centred + rng.integers(-10, 11, count)
    bound, starts = implant(rng, random_sequences(rng, count, length), CTCF_COUNTS, positions=starts)
    tokens = np.concatenate([bound, dinucleotide_shuffle(rng, bound)])
    names = [f"site_at_{start}_{i}" for i, start in enumerate(starts)] + [f"shuffled_{i}" for i in range(count)]
    return Sequences(tokens, tuple(names), np.repeat([1, 0], count))
