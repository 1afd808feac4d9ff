"""Counters: statistics of the draws, in memory that does not grow with their number.

`Moments` works on JAX and on NumPy arrays alike. Inside a block it runs in the float type of the device; between blocks
the host merges the moments of blocks in float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Integer

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.sampling.program._program import Program

# Statistics of a draw that stand before its field counts: its energy, and the number of positions that differ from the
# anchor.
SCALARS = 2


class Moments(NamedTuple):
    """Count of values, their mean and their sum of squared deviations (Welford 1962), element by element."""

    count: Any
    mean: Any
    squares: Any

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: Any = float) -> Moments:
        """Return the moments of no values, as JAX arrays."""
        return cls(jnp.zeros((), jnp.int32), jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def add(self, value: Float[Array, "..."]) -> Moments:
        """Return the moments with one more value."""
        count = self.count + 1
        delta = value - self.mean
        mean = self.mean + delta / count
        return Moments(count, mean, self.squares + delta * (value - mean))

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both sets of values (Chan, Golub & LeVeque 1979), in float64 on the host."""
        n, m = int(self.count), int(other.count)
        share = m / max(n + m, 1)
        mean = np.asarray(self.mean, np.float64)
        delta = np.asarray(other.mean, np.float64) - mean
        squares = np.asarray(self.squares, np.float64) + np.asarray(other.squares, np.float64)
        return Moments(n + m, mean + delta * share, squares + delta**2 * (n * share))

    def variance(self) -> Any:
        """Return the variance of the values (divided by their count)."""
        return self.squares / max(int(self.count), 1)


class Counters(NamedTuple):
    """Counts of one chain between two visits of the host; at the target they cover all its replicas.

    Letters and accepted proposals are counted on the first leg only, the target included.

    Attributes:
        letters: number of draws with each letter at each position of each rung.
        scalars: moments of the scalars of each slot, [slots, 2 + fields].
        accepted: accepted proposals of each rung.
        swaps: sums of the acceptance probabilities of swaps, for each pair of neighbouring rungs of both legs.
        trips: sequences that came to the target, by the lowest rung that they came from; last, those that came from the
            reference for the first time.
        round_trips: sequences that came back to β = 0 after they had been at the target.
        kmers: number of places of draws that have each k-mer, at β = 0 and at the target; nothing unless asked for.
    """

    letters: Int[Array, "rungs length letters"]
    scalars: Moments
    accepted: Int[Array, " rungs"]
    swaps: Float[Array, " pairs"]
    trips: Int[Array, " origins"]
    round_trips: Int[Array, ""]
    kmers: Int[Array, "ends kmers"]


def zero_counters(program: Program, ensemble: Ensemble, dtype: Any) -> Counters:
    """Return counters before the first draw."""
    return Counters(
        letters=jnp.zeros((program.rungs, ensemble.length, len(ensemble.alphabet)), jnp.int32),
        scalars=Moments.zeros((program.slots, SCALARS + len(ensemble.fields)), dtype),
        accepted=jnp.zeros(program.rungs, jnp.int32),
        swaps=jnp.zeros(program.path - 1, dtype),
        trips=jnp.zeros(program.rungs + 1, jnp.int32),
        round_trips=jnp.zeros((), jnp.int32),
        kmers=jnp.zeros((program.kmer_ends, program.kmer_ends and len(ensemble.alphabet) ** program.kmers), jnp.int32),
    )


def add_draws(
    program: Program,
    counters: Counters,
    counted: Bool[Array, " draws"],
    tokens: Integer[Array, "draws chains slots length"],
    scalars: Float[Array, "draws chains slots scalars"],
    accepted: Int[Array, "draws chains slots"],
) -> Counters:
    """Return the counters of all chains with some more draws of every slot: those that are to be counted."""
    moments = counters.scalars
    for turn in range(program.stretch):
        more = jax.vmap(Moments.add)(moments, scalars[turn])
        moments = jax.tree.map(lambda new, old, turn=turn: jnp.where(counted[turn], new, old), more, moments)
    letters = jnp.arange(counters.letters.shape[-1], dtype=tokens.dtype)[None, None, None, None]
    here = (tokens[..., None] == letters) & counted[:, None, None, None, None]
    accepted = jnp.sum(jnp.where(counted[:, None, None], accepted, 0), axis=0, dtype=accepted.dtype)
    return counters._replace(
        letters=_at_rungs(program, counters.letters, here.sum(0, dtype=jnp.int32)),
        scalars=moments,
        accepted=_at_rungs(program, counters.accepted, accepted),
        kmers=_add_kmers(program, counters, counted, tokens),
    )


def _at_rungs(
    program: Program, counts: Int[Array, "chains rungs *rest"], more: Int[Array, "chains slots *rest"]
) -> Int[Array, "chains rungs *rest"]:
    """Return counts at the rungs of the first leg with more in all slots; the target has several."""
    counts = counts + more[:, : program.rungs]
    if program.target_replicas == 1:
        return counts
    at_target = more[:, program.path :].sum(1, keepdims=True, dtype=more.dtype)
    rung = jnp.arange(program.rungs).reshape(1, -1, *[1] * (counts.ndim - 2))
    return counts + jnp.where(rung == program.rungs - 1, at_target, 0)


def _add_kmers(
    program: Program,
    counters: Counters,
    counted: Bool[Array, " draws"],
    tokens: Integer[Array, "draws chains slots length"],
) -> Int[Array, "chains ends kmers"]:
    """Return the counts of k-mers with more draws of the slots at β = 0 and at the target."""
    if not program.kmers:
        return counters.kmers
    at_target = jnp.concatenate([tokens[:, :, program.rungs - 1 : program.rungs], tokens[:, :, program.path :]], axis=2)
    ends = [tokens[:, :, :1], at_target] if program.kmer_ends == 2 else [at_target]
    base, counts = counters.letters.shape[-1], []
    for row, drawn in enumerate(ends):
        windows = drawn.shape[-1] - program.kmers + 1
        number = jnp.zeros((*drawn.shape[:-1], windows), jnp.int32)
        for i in range(program.kmers):
            number = number * base + drawn[..., i : i + windows]
        more = jnp.broadcast_to(counted[:, None, None], (len(counted), *number.shape[2:])).astype(jnp.int32)
        add = jax.vmap(lambda counts, number, more=more: counts.at[number].add(more), in_axes=(0, 1))
        counts.append(add(counters.kmers[:, row], number))
    return jnp.stack(counts, axis=1)


def count_letters(
    counts: Int[Array, "*#chains length letters"], tokens: Int[Array, "*#chains length"]
) -> Int[Array, "*#chains length letters"]:
    """Return the counts with one more sequence of every chain."""
    return counts + jax.nn.one_hot(tokens, counts.shape[-1], dtype=counts.dtype)


def mean_over_chains(values: Float[np.ndarray, "..."], axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of chain averages and its standard error, from the spread between chains.

    Chains are independent given the positions they share, so this error needs no model of autocorrelation. It is NaN
    for a single chain.
    """
    values = np.asarray(values, np.float64)
    chains = values.shape[axis]
    if chains < 2:
        return values.mean(axis), np.full_like(values.mean(axis), np.nan)
    return values.mean(axis), values.std(axis, ddof=1) / np.sqrt(chains)
