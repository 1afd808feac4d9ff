"""The toy of the concept pages: sequences of eight letters, so few that all 65,536 can be listed, and NumPy alone.

Everything is computed by enumeration, except `walk`, a plain sampler for the pages about chains and errors.
"""

import itertools

import numpy as np

ANCHOR = "CAGATAAC"  # AGATAA, a GATA site, between two letters
LENGTH = len(ANCHOR)
SEQUENCES = np.array(list(itertools.product(range(4), repeat=LENGTH)), np.int8)  # [65536, 8]; A C G T are 0 to 3
LETTERS = np.eye(4)[SEQUENCES]  # one-hot, [65536, 8, 4]
BACKGROUND = np.full(len(SEQUENCES), 1 / len(SEQUENCES))
_ANCHOR = np.array(["ACGT".index(letter) for letter in ANCHOR])
KEPT = (SEQUENCES[:, 1:7] == _ANCHOR[1:7]).sum(1)  # letters of the site that a sequence has, [65536]


def features(one_hot):
    """Return Φ of a sequence, shape [2]: a sharp detector of the site, and a weak one of C at the beginning."""
    site = np.eye(4)[_ANCHOR[1:7]]
    found = (one_hot[..., 1:7, :] * site).sum((-1, -2))
    return np.stack([1 / (1 + np.exp(-5 * (found - 4.8))), 0.2 * one_hot[..., 0, 1]], -1)


ENERGIES = np.linalg.norm(features(LETTERS) - features(np.eye(4)[_ANCHOR]), axis=-1)  # E(x), [65536]


def normalized(log_weights):
    """Return probabilities from their logarithms, up to a constant."""
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def probabilities(beta):
    """Return p(x) of all sequences at a β."""
    return normalized(-beta * ENERGIES)


def frequencies(p):
    """Return the frequency of each letter at each position, shape [8, 4]."""
    return np.tensordot(p, LETTERS, 1)


def bits(p):
    """Return the bits that letters hold, in total over the positions."""
    f = frequencies(p)
    return float(np.sum(f * np.log2(np.maximum(f, 1e-300) * 4)))


def swap_acceptance(one, other, log_one, log_other):
    """Return the mean acceptance of a swap of two rungs, from 200,000 pairs of exact draws.

    `one` and `other` are the probabilities, `log_one` and `log_other` their logarithms up to a constant.
    """
    random = np.random.default_rng(0)
    x, y = (random.choice(len(p), 200_000, p=p) for p in (one, other))
    ratio = log_one[y] + log_other[x] - log_one[x] - log_other[y]
    return float(np.exp(np.minimum(ratio, 0)).mean())


def walk(betas, chains, steps, seed):
    """Return the energies that chains visit, shape [steps, rungs, chains].

    Each step proposes one letter for every replica. If the first β is 0, its sequences are drawn anew at each step,
    and neighboring rungs offer each other their sequences at every second step.
    """
    random = np.random.default_rng(seed)
    betas = np.asarray(betas, float)
    size = (len(betas), chains)
    states = random.integers(len(SEQUENCES), size=size)
    visited = np.empty((steps, *size))
    for step in range(steps):
        place = 4 ** random.integers(LENGTH, size=size)
        proposed = states + (random.integers(4, size=size) - states // place % 4) * place
        worse = betas[:, None] * (ENERGIES[proposed] - ENERGIES[states])
        states = np.where(random.random(size) < np.exp(-np.maximum(worse, 0)), proposed, states)
        if betas[0] == 0:
            states[0] = random.integers(len(SEQUENCES), size=chains)
        for lower in range(step // 2 % 2, len(betas) - 1, 2) if step % 2 and len(betas) > 1 else ():
            worse = (betas[lower] - betas[lower + 1]) * (ENERGIES[states[lower + 1]] - ENERGIES[states[lower]])
            swap = random.random(chains) < np.exp(np.minimum(-worse, 0))
            states[lower : lower + 2] = np.where(swap, states[lower : lower + 2][::-1], states[lower : lower + 2])
        visited[step] = ENERGIES[states]
    return visited
