"""Small problems, each stated twice: to the package, and to the oracle in `exact`."""

import dataclasses
import functools
import itertools

import jax.numpy as jnp
import numpy as np

import exact
import jaxmaxent as jme


@dataclasses.dataclass(frozen=True)
class Problem:
    """A toy network with an anchor, fields and fixed positions, small enough to enumerate."""

    letters: int = 4
    length: int = 3
    beta: float = 2.0
    mus: tuple[float, ...] = ()  # of up to three fields: composition of the letters 1 and 2 (or 1), pair, prior
    fixed: tuple[int, ...] = ()
    seed: int = 0

    @property
    def alphabet(self) -> jme.Alphabet:
        return {2: jme.BINARY, 4: jme.DNA}.get(self.letters) or jme.Alphabet("ABC"[: self.letters])

    @property
    def composed(self) -> tuple[int, ...]:
        return (1, 2) if self.letters == 4 else (1,)

    @property
    def prior(self) -> np.ndarray:
        return np.random.default_rng(self.seed + 7).normal(size=(self.length, self.letters)).round(3)

    @property
    def anchor(self) -> np.ndarray:
        return np.random.default_rng(self.seed + 1).integers(0, self.letters, self.length)

    @property
    def w(self) -> np.ndarray:
        return np.random.default_rng(self.seed + 2).normal(size=5)

    @property
    def movable(self) -> list[int]:
        return [i for i in range(self.length) if i not in self.fixed]

    def ensemble(self, **changes) -> jme.Ensemble:
        weights = exact.toy_weights(self.seed, self.length, self.letters)
        spell = self.alphabet.letters
        named = "".join(spell[i] for i in self.composed)
        fields = [
            jme.composition(named, alphabet=self.alphabet),
            jme.dinucleotide(spell[1] + spell[0], alphabet=self.alphabet),
            jme.position_prior(self.prior),
        ]
        settings = {
            "beta": self.beta,
            "weights": self.w,
            "fields": [f.replace(mu=jnp.asarray(mu)) for f, mu in zip(fields, self.mus, strict=False)],
            "fixed": list(self.fixed),
            "alphabet": self.alphabet,
        } | changes
        anchor = settings.pop("anchor", self.anchor)
        return jme.Ensemble.create(jme.Representation(toy_features, weights), anchor, **settings)

    # --- the same, for the oracle

    @property
    def states(self) -> np.ndarray:
        return exact.states(self.length, self.letters)

    @property
    def allowed(self) -> np.ndarray:
        return exact.allowed_states(self.states, self.anchor, self.movable)

    @property
    def energies(self) -> np.ndarray:
        network = exact.toy_network(self.seed, self.length, self.letters)
        return exact.energy_from(network, self.anchor, self.w, self.letters)(self.states)

    @property
    def counts(self) -> list:
        functions = [
            lambda x: exact.composition_count(x, self.composed),
            lambda x: exact.pair_count(x, 1, 0),
            lambda x: exact.position_score(x, self.prior),
        ]
        return functions[: len(self.mus)]

    def log_weights(self) -> np.ndarray:
        network = exact.toy_network(self.seed, self.length, self.letters)
        energy = exact.energy_from(network, self.anchor, self.w, self.letters)
        return exact.log_weights(self.states, energy, self.beta, list(zip(self.mus, self.counts, strict=True)))

    def log_weights_at(self, beta: float) -> np.ndarray:
        """The log weights at a rung of a ladder, where growing fields have a share of their μ."""
        return self.log_weights() - (beta - self.beta) * self.energies

    def distribution(self) -> np.ndarray:
        return exact.distribution(self.log_weights(), self.allowed)


def toy_features(params, one_hot):
    """The oracle's toy network as a representation."""
    return exact.toy_features(params, one_hot, xp=jnp)


@dataclasses.dataclass(frozen=True)
class GrowingProblem(Problem):
    """A problem with growing fields of every kind behind the three others."""

    length: int = 4
    mus: tuple[float, ...] = (0.7, -0.5, 0.4, 1.0, 0.5, -0.6, 2.0, 0.8)

    @property
    def table(self) -> np.ndarray:
        return np.random.default_rng(self.seed + 9).normal(size=(2, 4)).round(3)

    @property
    def others(self) -> Problem:
        """The problem without growing fields."""
        return Problem(self.letters, self.length, self.beta, self.mus[:3], self.fixed, self.seed)

    @property
    def codons(self) -> dict[tuple[int, ...], float]:
        """Scores of every third codon."""
        codons = itertools.islice(itertools.product(range(4), repeat=3), 0, None, 3)
        return {codon: (-1) ** number * 0.1 * (1 + number % 7) for number, codon in enumerate(codons)}

    def ensemble(self, **changes) -> jme.Ensemble:
        growing = [
            jme.motif_count("CNT"),
            jme.motif_count(self.table, both_strands=False, name="sum"),
            jme.motif_count(self.table, threshold=0.3, softness=0.5, name="soft"),
            jme.codons({"".join("ACGT"[t] for t in codon): s for codon, s in self.codons.items()}, frame=1),
            jme.count(changes_of_letter, name="changes"),
        ]
        own = self.others.ensemble().fields
        grown = (field.replace(mu=jnp.asarray(mu)) for field, mu in zip(growing, self.mus[3:], strict=True))
        return super().ensemble(**{"fields": [*own, *grown]} | changes)

    @property
    def counts(self) -> list:
        match = exact.one_hot([1, 3], 4)
        spaced = np.stack([match[0], np.ones(4), match[1]])
        functions = [
            lambda x: exact.motif_score(x, spaced, complements=(3, 2, 1, 0), threshold=3),
            lambda x: exact.motif_score(x, self.table),
            lambda x: exact.motif_score(x, self.table, complements=(3, 2, 1, 0), threshold=0.3, softness=0.5),
            lambda x: exact.codon_score(x, self.codons, frame=1),
            lambda x: np.sum(x[1:] != x[:-1]),
        ]
        own = self.others.counts
        return [*own, *(functools.partial(np.apply_along_axis, function, -1) for function in functions)]

    def log_weights_at(self, beta: float) -> np.ndarray:
        growing = zip(self.mus[3:], self.counts[3:], strict=True)
        grown = sum(mu * count(self.states) for mu, count in growing)
        return super().log_weights_at(beta) + (beta / self.beta - 1) * grown


def changes_of_letter(tokens):
    """The number of neighbours that differ."""
    return jnp.sum(tokens[1:] != tokens[:-1])


# Alphabets of 2, 3 and 4 letters, without and with every kind of field, and with fixed positions.
PROBLEMS = {
    "dna": Problem(),
    "dna-fields": Problem(length=4, beta=1.5, mus=(0.7, -0.5, 0.4), seed=3),
    "dna-fixed": Problem(length=4, beta=3.0, mus=(-0.6, 0.8), fixed=(1,), seed=4),
    "dna-ends-fixed": Problem(length=4, beta=1.0, mus=(0.3, 0.4, 0.5), fixed=(0, 3), seed=5),
    "three-letters": Problem(letters=3, length=4, beta=2.5, mus=(0.5,), seed=6),
    "binary": Problem(letters=2, length=6, beta=1.2, mus=(0.4, 0.3), seed=7),
    "zero-beta": Problem(length=3, beta=0.0, mus=(0.5, -0.7, 0.3), seed=8),
}
