"""Tables of a rule's proposals over all sequences, and a kernel's acceptance of each proposal."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import Edit, Evaluator
from jaxmaxent.kernels import Mixture, Rule, State, build
from jaxmaxent.testing._enumeration import enumerate_states


@dataclasses.dataclass(frozen=True)
class ProposalTable:
    """The proposals of a rule for one value of the random choice that all chains share in a step, its `where`.

    Attributes:
        probability: the probability of this value.
        starts: the starts of the edit's parts; None if each chain draws its own position, and changes only that one.
        width: the number of letters of each part.
        matrix: entry [x, y] is the probability of proposing y in state x. States are those of `enumerate_states`, and
            rows sum to 1; shape [states, states].

    Example:
        A rule that redraws the first letter uniformly among `letters` letters:

        ```python
        states = enumerate_states(ensemble)
        elsewhere = (states[:, None, 1:] == states[None, :, 1:]).all(-1)
        table = ProposalTable(probability=1.0, starts=(0,), width=1, matrix=elsewhere / letters)
        ```
    """

    probability: float
    starts: tuple[int, ...] | None
    width: int
    matrix: Float[np.ndarray, "states states"]


@struct.dataclass
class Forced:
    """A rule that proposes a given edit, which it gets as `where`. It shows how a kernel accepts that edit."""

    rule: Any

    def draw(self, key: Key[Array, ""], where: Edit, ensemble: Ensemble) -> tuple[()]:
        """Return nothing: the edit is given."""
        del key, where, ensemble
        return ()

    def what(self, drawn: tuple[()], state: State, where: Edit, ensemble: Ensemble) -> Edit:
        """Return the edit."""
        del drawn, state, ensemble
        return where

    def correction(self, state: State, edit: Edit, patch: Any, ensemble: Ensemble) -> Float[Array, ""]:
        """Return the correction of the wrapped rule for this edit."""
        return self.rule.correction(state, edit, patch, ensemble)


@functools.partial(jax.jit, static_argnames="evaluator")
def forced_ratios(
    ensemble: Ensemble, evaluator: Callable[[Ensemble], Evaluator], mixture: Any, chosen: Any, tokens: Any, edits: Any
) -> Array:
    """Return the kernel's log acceptance ratio of each edit of one rule in a mixture."""
    kernel = build(mixture, ensemble, evaluator(ensemble))

    def one(tokens: Array, edits: Any) -> Array:
        return kernel.move(jax.random.key(0), kernel.init(tokens), (chosen, edits))[1].log_ratio

    return jax.vmap(one)(tokens, edits)


@functools.partial(jax.jit, static_argnames="evaluator")
def forced_moves(
    ensemble: Ensemble, evaluator: Callable[[Ensemble], Evaluator], mixture: Any, chosen: Any, tokens: Any, edits: Any
) -> Any:
    """Return the states after each edit, the infos, and the states that `init` makes from the same sequences."""
    kernel = build(mixture, ensemble, evaluator(ensemble))

    def one(key: Array, tokens: Array, edits: Any) -> Any:
        moved, info = kernel.move(key, kernel.init(tokens), (chosen, edits))
        return moved, info, kernel.init(moved.tokens)

    return jax.vmap(one)(jax.random.split(jax.random.key(0), len(tokens)), tokens, edits)


Places = tuple[Int[np.ndarray, " edits"], Int[np.ndarray, " edits"], Int[np.ndarray, " edits"]]


def edits_of(
    tables: Sequence[ProposalTable], ensemble: Ensemble, states: Int[np.ndarray, "states length"] | None = None
) -> tuple[Int[np.ndarray, "edits length"], Edit, Places]:
    """Return the sequence and the edit of everything that tables allow, and the places (table, x, y) of each.

    The tables are over `states`, or over `enumerate_states` if None.
    """
    states, movable = enumerate_states(ensemble) if states is None else states, np.asarray(ensemble.movable)
    value, x, y = np.nonzero(np.array([table.matrix for table in tables]))
    changed = (states[x] != states[y]).argmax(1)
    own = np.where((x == y), movable[0], changed)[:, None]
    shared = tables[0].starts is not None
    starts = np.array([table.starts for table in tables])[value] if shared else own
    window = starts[:, :, None] + np.arange(tables[0].width)
    letters = np.take_along_axis(states[y], window.reshape(len(y), -1), 1).reshape(window.shape)
    return states[x], Edit(jnp.asarray(starts, jnp.int32), jnp.asarray(letters, jnp.int32)), (value, x, y)


def ask(
    program: Callable[..., Any],
    ensemble: Ensemble,
    evaluator: Callable[[Ensemble], Evaluator],
    rules: Sequence[Rule],
    tables: Sequence[Sequence[ProposalTable]],
) -> Iterator[tuple[Places, Any]]:
    """Yield for each rule the indices of its edits, and the results of `program` for them.

    The rules are parts of one mixture, so that only one program is compiled instead of one per rule.
    """
    edits = [edits_of(those, ensemble) for those in tables]
    rows = max(len(tokens) for tokens, _, _ in edits)

    def padded(array: Any) -> Any:
        array = np.asarray(array)
        return np.concatenate([array, np.repeat(array[:1], rows - len(array), 0)])

    every = tuple(jax.tree.map(padded, edit) for _, edit, _ in edits)
    mixture = Mixture.create([Forced(rule) for rule in rules])  # pyright: ignore[reportArgumentType]
    for chosen, (tokens, _, places) in enumerate(edits):
        given = padded(tokens).astype(np.int32)
        answer = program(ensemble, evaluator, mixture, jnp.int32(chosen), given, every)
        yield places, jax.tree.map(functools.partial(_first, len(tokens)), answer)


def _first(rows: int, array: Any) -> np.ndarray:
    return np.asarray(array)[:rows]


def log_ratios(
    ensemble: Ensemble,
    evaluator: Callable[[Ensemble], Evaluator],
    rules: Sequence[Rule],
    tables: Sequence[Sequence[ProposalTable]],
) -> list[Float[np.ndarray, "tables states states"]]:
    """Return for each rule the kernel's log acceptance ratio of every proposal; −∞ where nothing is proposed."""
    found = []
    states = len(enumerate_states(ensemble))
    for those, (places, ratios) in zip(tables, ask(forced_ratios, ensemble, evaluator, rules, tables), strict=True):
        found.append(np.full((len(those), states, states), -np.inf))
        found[-1][places] = ratios
    return found
