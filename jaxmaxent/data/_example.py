"""A small data set that needs no download: sequences with an implanted CTCF site, and their shuffles."""

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
    """Make random sequences with a CTCF site near the middle (label 1) and one shuffle of each (label 0).

    A site starts up to 10 positions before or after the position at which it would be centered. The shuffles keep the
    dinucleotide counts, so the classes differ only in the arrangement of the letters.

        data = ctcf_example(np.random.default_rng(0))
        network = models.train(key, models.ConvArchitecture(length=101), data.tokens, data.labels).network

    Args:
        rng: the random number generator.
        count: number of sequences of each class.
        length: number of letters of each sequence, at least 35.

    Returns:
        2 × `count` sequences of DNA, those with a site first. Their names tell where the site starts.

    Raises:
        ValueError: for a count below 1, or a length in which a site does not always fit.
    """
    centered = (length - len(CTCF_COUNTS)) // 2
    starts = centered + rng.integers(-10, 11, count)
    bound, starts = implant(rng, random_sequences(rng, count, length), CTCF_COUNTS, positions=starts)
    tokens = np.concatenate([bound, dinucleotide_shuffle(rng, bound)])
    names = [f"site_at_{start}_{i}" for i, start in enumerate(starts)] + [f"shuffled_{i}" for i in range(count)]
    return Sequences(tokens, tuple(names), np.repeat([1, 0], count))
