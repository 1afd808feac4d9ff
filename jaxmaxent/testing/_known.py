"""The proposals of rules of this package on an enumerated space, and the whole transition matrix that they make."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.kernels import Mixture, ReverseComplement, Rotation, SegmentAdaptive, Site, SiteAdaptive, build
from jaxmaxent.kernels._site import BINARY_LAZINESS
from jaxmaxent.testing._moves import Lookup
from jaxmaxent.testing._proposals import Forced, ProposalTable, edits_of
from jaxmaxent.testing._space import Space


def tables_of(rule: Any, space: Space) -> list[ProposalTable] | None:
    """Return what a rule proposes on a space, given each value that chains share; None if that is not known here."""
    known = {
        Site: _site_tables,
        SiteAdaptive: _site_adaptive_tables,
        SegmentAdaptive: _segment_tables,
        Rotation: functools.partial(_window_tables, _rotated),
        ReverseComplement: functools.partial(_window_tables, _turned),
    }
    return list(known[type(rule)](rule, space)) if type(rule) in known else None


def whole_matrix(rule: Any, space: Space, beta: float) -> Float[np.ndarray, "states states"] | None:
    """Return P(next is y | now at x) of the kernel of a rule or mixture; None if its proposals are not known here.

    Proposals are those of the tables, and the kernel says how often it accepts each.
    """
    mixed = isinstance(rule, Mixture)
    rules, shares = (rule.rules, np.asarray(rule.probabilities, float)) if mixed else ([rule], [1.0])
    tables = [tables_of(one, space) for one in rules]
    ensemble, size = space.ensemble.with_beta(beta), len(space.states)
    energies, matrix = jnp.asarray(space.energies), np.zeros((size, size))
    for one, share, those in zip(rules, shares, tables, strict=True):
        if those is None:
            return None
        tokens, edits, (value, x, y) = edits_of(those, ensemble, space.states)
        ratios = np.asarray(_ratios(ensemble, Forced(one), jnp.asarray(tokens, jnp.int32), edits, energies), float)
        proposed = np.array([table.probability * table.matrix for table in those])[value, x, y]
        np.add.at(matrix, (x, y), share / np.sum(shares) * proposed * np.exp(np.minimum(ratios, 0)))
    matrix[np.diag_indices(size)] += 1 - matrix.sum(1)
    return matrix


@jax.jit
def _ratios(ensemble: Ensemble, rule: Any, tokens: Array, edits: Any, energies: Array) -> Float[Array, " edits"]:
    kernel = build(rule, ensemble, Lookup(ensemble.movable, len(ensemble.alphabet), energies, None))

    def one(tokens: Array, edit: Any) -> Array:
        return kernel.move(jax.random.key(0), kernel.init(tokens), edit)[1].log_ratio

    return jax.vmap(one)(tokens, edits)


def _outside(space: Space, positions: Any) -> np.ndarray:
    """Return whether states x and y agree at all positions but these, shape [states, states]."""
    elsewhere = np.delete(space.states[:, space.positions], np.searchsorted(space.positions, positions), axis=1)
    return (elsewhere[:, None] == elsewhere[None]).all(-1)


def _site_by(space: Space, position: int, chances: Float[np.ndarray, " letters"]) -> Float[np.ndarray, "states states"]:
    """Return the proposal of another letter at a position, in proportion to chances; of two letters that, or none."""
    stay = np.eye(len(space.states))
    row = chances[space.states[:, position]]
    others = (_outside(space, [position]) - stay) * row[None]
    lazy = BINARY_LAZINESS if len(chances) == 2 else 0.0
    return lazy * stay + (1 - lazy) * others / others.sum(1, keepdims=True)


def _site_tables(rule: Site, space: Space) -> Iterator[ProposalTable]:
    del rule
    for position in space.positions:
        alike = np.ones(len(space.ensemble.alphabet))
        yield ProposalTable(1 / len(space.positions), (int(position),), 1, _site_by(space, position, alike))


def _site_adaptive_tables(rule: SiteAdaptive, space: Space) -> Iterator[ProposalTable]:
    letters, positions = np.exp(np.asarray(rule.log_letters, float)), np.exp(np.asarray(rule.log_positions, float))
    positions = positions / positions.sum()
    for position in space.positions:
        table = _site_by(space, position, letters[int(rule.rung or 0), position])
        yield ProposalTable(positions[position], (int(position),), 1, table)


def _segment_tables(rule: SegmentAdaptive, space: Space) -> Iterator[ProposalTable]:
    """Yield one table for all windows that hold the same positions that move: held letters are written as they are."""
    letters, starts = np.exp(np.asarray(rule.log_letters, float)), np.exp(np.asarray(rule.log_starts, float))
    letters = letters / letters.sum(-1, keepdims=True)
    alike = defaultdict(list)
    for start in np.flatnonzero(starts):
        alike[tuple(space.positions[(space.positions >= start) & (space.positions < start + rule.width)])].append(start)
    for free, those in alike.items():
        drawn = np.mean([np.prod([rung[i][space.states[:, i]] for i in free], axis=0) for rung in letters], axis=0)
        matrix = _outside(space, list(free)) * drawn[None]
        yield ProposalTable(starts[those].sum() / starts.sum(), (int(those[0]),), rule.width, matrix)


def _window_tables(
    moved: Callable[[Space, list[int]], np.ndarray], rule: Rotation | ReverseComplement, space: Space
) -> Iterator[ProposalTable]:
    """Yield one table for all windows that hold the same positions that move."""
    length, positions = space.ensemble.length, space.positions
    most, least = min(rule.width, length), min(rule.width, length, 2)
    shares, starts = defaultdict(float), {}
    for width in range(least, most + 1):
        for first in range(length - width + 1):
            free = tuple(positions[(positions >= first) & (positions < first + width)])
            shares[free] += 1 / (most - least + 1) / (length - width + 1)
            starts.setdefault(free, min(first, length - most))
    for free, share in shares.items():
        yield ProposalTable(share, (starts[free],), most, moved(space, list(free)))


def _rotated(space: Space, free: list[int]) -> Float[np.ndarray, "states states"]:
    """Return the proposal of each rotation of some positions but that by 0, all alike; none of fewer than two."""
    amounts = range(1, len(free)) if len(free) > 1 else [0]
    rotated = (np.roll(space.states[:, free], amount, axis=1) for amount in amounts)
    return np.mean([_certain(space, free, letters) for letters in rotated], axis=0)


def _turned(space: Space, free: list[int]) -> Float[np.ndarray, "states states"]:
    """Return the proposal of the letters of some positions in reverse order and complemented."""
    letters = space.states[:, free]
    turned = space.ensemble.alphabet.reverse_complement(letters) if free else letters
    return _certain(space, free, np.asarray(turned))


def _certain(space: Space, free: list[int], letters: np.ndarray) -> Float[np.ndarray, "states states"]:
    """Return the proposal of these letters at some positions, one row for each state."""
    moved = space.states.copy()
    moved[:, free] = letters
    return np.eye(len(moved))[space.numbers(moved)]
