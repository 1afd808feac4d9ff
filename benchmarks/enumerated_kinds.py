"""Small ensembles of many kinds, with exact answers at every β by enumeration in double precision.

A kind is a table of one number H per sequence, and E = |H(x) − H(x0)|. The representation looks H up, so that kinds of
one length share a compiled program, and what is sampled is what is enumerated, be it a network or a landscape.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import jaxmaxent as jme


class Answers(NamedTuple):
    """Exact answers at one β: ⟨E⟩, log Z, letter frequencies [length, letters]."""

    energy: float
    log_z: float
    frequencies: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Kind:
    """An ensemble that is small enough to enumerate.

    Attributes:
        name: its name.
        anchor: tokens, shape [length].
        table: H of every sequence in lexicographic order, shape [letters ** length].
        beta: β of the target.
        mu: μ of the GC content, or None for an ensemble without fields.
        fixed: positions that are held.
        alphabet: the letters.
    """

    name: str
    anchor: np.ndarray
    table: np.ndarray
    beta: float
    mu: float | None = None
    fixed: tuple[int, ...] = ()
    alphabet: jme.Alphabet = jme.DNA

    @property
    def states(self) -> np.ndarray:
        """Return all sequences in lexicographic order, shape [states, length]."""
        return all_states(len(self.anchor), len(self.alphabet))

    @property
    def energies(self) -> np.ndarray:
        """Return E of every sequence, from the table as the program has it."""
        table = self.table.astype(np.float32).astype(np.float64)
        return np.abs(table - table[(self.states == self.anchor).all(1)])

    @property
    def movable(self) -> list[int]:
        return [i for i in range(len(self.anchor)) if i not in self.fixed]

    def exact(self, beta: float) -> Answers:
        """Return the exact answers at β, with the same fields and held positions."""
        states, energies = self.states, self.energies
        log_weights = -beta * energies
        if self.mu is not None:
            log_weights += self.mu * np.isin(states, (1, 2)).sum(1)
        log_weights[(states[:, self.fixed] != self.anchor[list(self.fixed)]).any(1)] = -np.inf
        log_z = np.logaddexp.reduce(log_weights)
        p = np.exp(log_weights - log_z)
        letters = range(len(self.alphabet))
        frequencies = np.array([[p[row == letter].sum() for letter in letters] for row in states.T])
        return Answers(float(p @ energies), float(log_z), frequencies)

    def ensemble(self) -> jme.Ensemble:
        """Return the ensemble to sample."""
        network = jme.Representation(looked_up, jnp.asarray(self.table, jnp.float32))
        fields = [] if self.mu is None else [jme.composition("GC", self.mu)]
        return jme.Ensemble.create(
            network, self.anchor, beta=self.beta, fields=fields, fixed=list(self.fixed), alphabet=self.alphabet
        )


def looked_up(table, one_hot):
    """Return the entry of a table [letters ** length] for a one-hot [length, letters]."""
    length, letters = one_hot.shape
    # Exact in single precision for tables of up to 2 ** 24 entries.
    weights = np.arange(letters)[None] * float(letters) ** np.arange(length)[::-1, None]
    index = jnp.sum(one_hot * jnp.asarray(weights, jnp.float32))
    return table[jnp.round(index).astype(jnp.int32)][None]


@functools.cache
def all_states(length: int, letters: int) -> np.ndarray:
    return np.indices((letters,) * length).reshape(length, -1).T.copy()


def spelled(length: int, letters: int = 4) -> np.ndarray:
    """Return the anchor of the kinds of this length."""
    return (np.arange(length) * 2 + 1) % letters


def mismatches(length: int, sequence, letters: int = 4) -> np.ndarray:
    return (all_states(length, letters) != sequence).sum(1)


def network(length: int, seed: int, beta: float, name: str, hidden: int = 16, **more) -> Kind:
    """Return a network with random weights: E is the distance of five tanh features of a hidden layer of ReLUs."""
    rng, anchor = np.random.default_rng(seed), spelled(length)
    first, second = rng.normal(size=(length * 4, hidden)), rng.normal(size=(hidden, 5)) / hidden**0.5
    one_hot = np.eye(4)[all_states(length, 4)].reshape(-1, length * 4)
    features = np.tanh(np.maximum(one_hot @ first + rng.normal(size=hidden) / 2, 0) @ second)
    own = features[(all_states(length, 4) == anchor).all(1)]
    return Kind(name, anchor, np.linalg.norm(features - own, axis=1), beta, **more)


def funnels(length: int, floor: float, beta: float) -> Kind:
    """Return two funnels, around the anchor and around a sequence that differs everywhere, where E is `floor`."""
    anchor = spelled(length)
    here, there = mismatches(length, anchor) / length, mismatches(length, (anchor + 2) % 4) / length
    return Kind(f"funnels-{floor:g}", anchor, np.minimum(here, floor + there), beta)


def holes(length: int, share: float, beta: float) -> Kind:
    """Return a plain with E = 1 and, for a share of the sequences at random, holes with E from 0.1 to 0.5."""
    rng, anchor = np.random.default_rng(5), spelled(length)
    size = 4**length
    table = np.where(rng.random(size) < share, rng.uniform(0.1, 0.5, size), 1.0)
    return Kind("holes", anchor, np.where(mismatches(length, anchor) == 0, 0, table), beta)


def needle(length: int, share: float) -> Kind:
    """Return E = 0 at the anchor and 1 elsewhere, at the β at which the anchor has this share."""
    beta = np.log((4**length - 1) * share / (1 - share))
    return Kind(f"needle-{share:g}", spelled(length), np.minimum(mismatches(length, spelled(length)), 1), float(beta))


def xor(length: int, beta: float) -> Kind:
    """Return the XOR of "position 0 is A or T" and "position 1 is G"; the other positions are free."""
    states = all_states(length, 4)
    return Kind("xor", spelled(length), (np.isin(states[:, 0], (0, 3)) ^ (states[:, 1] == 2)).astype(float), beta)


def potts(length: int, beta: float) -> Kind:
    """Return H of random interactions of all pairs of positions."""
    rng, states = np.random.default_rng(6), all_states(length, 4)
    couplings = rng.normal(size=(length, length, 4, 4))
    table = sum(couplings[i, j, states[:, i], states[:, j]] for j in range(length) for i in range(j))
    return Kind("potts", spelled(length), np.asarray(table), beta)


def anywhere(length: int, width: int, beta: float) -> Kind:
    """Return the fewest mismatches, over offsets, with the letters at the start of the anchor, counted up to 2."""
    anchor, states = spelled(length), all_states(length, 4)
    offsets = range(length - width + 1)
    least = np.min([(states[:, o : o + width] != anchor[:width]).sum(1) for o in offsets], axis=0)
    return Kind("anywhere", anchor, np.minimum(least, 2) / 2, beta)


def plateaus(length: int, beta: float) -> Kind:
    """Return half the mismatches with the anchor, rounded down."""
    return Kind("plateaus", spelled(length), mismatches(length, spelled(length)) // 2 / (length // 2), beta)


def nearly_fixed(beta: float) -> Kind:
    """Return independent letters, of which the first other than the anchor's has a frequency of about 1e-4."""
    weights = np.array([3.0, 2.0, 1.0, 0.3, 0.1])
    return Kind("nearly-fixed", spelled(5), (all_states(5, 4) != spelled(5)) @ weights, beta)


def protein(length: int, beta: float) -> Kind:
    """Return 20 letters: a random score of each letter at each position, and of each pair of neighbours."""
    rng, states = np.random.default_rng(7), all_states(length, 20)
    single, pair = rng.normal(size=(length, 20)), rng.normal(size=(20, 20))
    table = single[np.arange(length), states].sum(1) + pair[states[:, :-1], states[:, 1:]].sum(1)
    return Kind("protein", spelled(length, 20), table, beta, alphabet=jme.PROTEIN)


KINDS = [
    *(network(5, seed, beta, f"network-{beta:g}") for seed, beta in ((1, 2.0), (2, 5.0), (3, 12.0))),
    funnels(5, 0.0, 10.0), funnels(5, 0.1, 12.0), holes(5, 0.03, 8.0),
    *(needle(4, share) for share in (0.1, 0.5, 0.9, 0.99)),
    xor(4, 3.0), potts(5, 1.5), anywhere(6, 3, 6.0), plateaus(6, 8.0), nearly_fixed(3.0), protein(3, 3.0),
    network(5, 4, 5.0, "gc", mu=0.8), network(5, 5, 5.0, "held", fixed=(1,)),
]  # fmt: skip
