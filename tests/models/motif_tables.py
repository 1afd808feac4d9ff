"""A table of sequences with and without a motif, and a short training on it."""

import jax
import numpy as np

from jaxmaxent.models import ConvArchitecture, train

CONV = ConvArchitecture(length=12, filters=4, kernel_width=5, hidden=(8,), dropout=0.1)


def motif_data(count, seed=0):
    """Sequences of 12 letters, the bound ones with ACGT at a random place."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (count, 12), dtype=np.uint8)
    labels = np.arange(count) % 2
    for row, label, start in zip(tokens, labels, rng.integers(0, 9, count), strict=True):
        if label:
            row[start : start + 4] = [0, 1, 2, 3]
    return tokens, labels


MOTIFS = motif_data(1000)


def quick(seed=0, architecture=CONV, data=MOTIFS, **arguments):
    arguments = {"epochs": 2, "batch_size": 32, "progress": False} | arguments
    return train(jax.random.key(seed), architecture, *data, **arguments)
