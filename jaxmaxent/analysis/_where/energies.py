"""Energies of an anchor with redrawn windows, and of background draws with windows of the anchor in them.

All windows of an anchor are one compiled program, which serves all anchors. A window is an edit of adjacent letters,
so incremental evaluation saves most of the work of a network that sees a window at a few of its positions only.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background
from jaxmaxent.evaluate import Edit, FullEvaluator, IncrementalEvaluator
from jaxmaxent.evaluate.incremental import Incremental

# Sequences that are evaluated together.
_TOGETHER = 256
# Caches are read for every edit, so incremental evaluation must save at least half of the work of a network that is not
# tiny.
_SMALL, _WORTH = 100_000, 0.5


def is_incremental(ensemble: Ensemble, width: int) -> bool:
    """Return whether edits of windows are evaluated incrementally, by the work that this saves."""
    network = Incremental(ensemble.features, ensemble.params, ensemble.length, len(ensemble.alphabet))
    cost = network.explain(1, width)
    return cost.full_flops > _SMALL and cost.flops < _WORTH * cost.full_flops


@functools.partial(jax.jit, static_argnums=0)
def of_codes(
    incremental: bool, one: Ensemble, starts: Int[Array, " windows"], codes: Int[Array, "codes width"]
) -> Float[Array, "windows codes"]:
    """Return the energies of an anchor whose windows have other letters, one energy for each window and code.

    A code holds the steps from the anchor's letters to the new ones, in the order of the alphabet and round its end.
    """
    width = codes.shape[1]
    evaluator = _evaluator(incremental, one)
    _, cache = evaluator.init(one.anchor)

    def at(start: Int[Array, ""]) -> Float[Array, " codes"]:
        own = jax.lax.dynamic_slice_in_dim(one.anchor, start, width)

        def of_one(code: Int[Array, " width"]) -> Float[Array, ""]:
            return evaluator.propose(cache, Edit(start[None], ((own + code) % len(one.alphabet))[None]))[0]

        return jax.lax.map(of_one, codes, batch_size=min(_TOGETHER, len(codes)))

    return jax.lax.map(at, starts)


@functools.partial(jax.jit, static_argnums=(0, 4, 5))
def of_redrawn(
    incremental: bool,
    one: Ensemble,
    starts: Int[Array, " windows"],
    key: Key[Array, ""],
    width: int,
    draws: int,
) -> Float[Array, "windows draws"]:
    """Return the energies of an anchor with each window redrawn from the background given all other letters.

    All windows share the random numbers of a draw, so energies of different windows go up and down together.
    """
    evaluator = _evaluator(incremental, one)
    _, cache = evaluator.init(one.anchor)

    def at(start: Int[Array, ""]) -> Float[Array, " draws"]:
        rows = _draws(one, ~_inside(one, start, width), key, draws)

        def of_one(row: Int[Array, " length"]) -> Float[Array, ""]:
            letters = jax.lax.dynamic_slice_in_dim(row, start, width)
            return evaluator.propose(cache, Edit(start[None], letters[None]))[0]

        return jax.lax.map(of_one, rows, batch_size=min(_TOGETHER, draws))

    return jax.lax.map(at, starts)


@functools.partial(jax.jit, static_argnums=(0, 4, 5))
def of_kept(
    incremental: bool,
    one: Ensemble,
    starts: Int[Array, " windows"],
    key: Key[Array, ""],
    width: int,
    draws: int,
) -> tuple[Float[Array, " draws"], Float[Array, "windows draws"]]:
    """Return the energies of background draws, and of draws that keep a window of the anchor.

    With neighbours in the fields the letters around a window depend on it, so each window has its own draws, of the
    same random numbers. Otherwise a draw that keeps a window differs from the draw itself only there.
    """
    rows = _draws(one, jnp.zeros(one.length, bool), key, draws)
    if any(field.pair is not None for field in one.fields):

        def at(start: Int[Array, ""]) -> Float[Array, " draws"]:
            kept = _draws(one, _inside(one, start, width), key, draws)
            return jax.lax.map(one.energy, kept, batch_size=min(_TOGETHER, draws))

        return jax.lax.map(one.energy, rows, batch_size=min(_TOGETHER, draws)), jax.lax.map(at, starts)
    evaluator = _evaluator(incremental, one)
    energies, caches = jax.vmap(evaluator.init)(rows)

    def with_window(start: Int[Array, ""]) -> Float[Array, " draws"]:
        own = jax.lax.dynamic_slice_in_dim(one.anchor, start, width)
        edit = Edit(start[None], own[None])
        return jax.vmap(lambda cache: evaluator.propose(cache, edit)[0])(caches)

    return energies, jax.lax.map(with_window, starts)


@jax.jit  # outside a program each slice would be compiled by itself
def of_one(ensemble: Ensemble, number: Any) -> Ensemble:
    """Return the ensemble of one anchor, so that its programs serve any number of anchors."""
    return ensemble.take(number)


@jax.jit
def anchor_energy(one: Ensemble) -> Float[Array, ""]:
    """Return E of an anchor itself, 0 but for a contrast."""
    return one.anchor_energy()


@jax.jit
def log_weights(one: Ensemble) -> tuple[Float[Array, "length letters"], Float[Array, "letters letters"]]:
    """Return the log-weights of letters and of neighbours in the background of an anchor, −∞ for impossible letters."""
    unary, pair, _ = background.potentials(one, one.mu())
    return unary, pair


def energies_of_windows(
    one: Ensemble, width: int, codes: np.ndarray, incremental: bool
) -> tuple[Float[np.ndarray, "windows changed"], Float[np.ndarray, " rest"]]:
    """Return the energies of all sequences that differ from an anchor within one window, each evaluated once.

    Such a sequence belongs to the window that begins with its first other letter. Sequences whose first other letter
    lies behind the start of the last window belong to that one.

    Args:
        one: the ensemble of one anchor.
        width: width of a window.
        codes: all codes of a window in lexicographic order, shape [letters^width, width].
        incremental: whether edits are evaluated incrementally.

    Returns:
        energies of each window with the codes that change its first letter, and energies of the last window with the
        other codes.
    """
    starts = np.arange(one.length - width + 1, dtype=np.int32)
    unchanged = len(codes) // len(one.alphabet)
    changed = of_codes(incremental, one, starts, codes[unchanged:])
    rest = of_codes(incremental, one, starts[-1:], codes[:unchanged])
    return np.asarray(changed, np.float64), np.asarray(rest, np.float64)[0]


def _evaluator(incremental: bool, one: Ensemble) -> Any:
    return IncrementalEvaluator(one) if incremental else FullEvaluator(one)


def _inside(one: Ensemble, start: Int[Array, ""], width: int) -> Bool[Array, " length"]:
    positions = jnp.arange(one.length)
    return (positions >= start) & (positions < start + width)


def _draws(one: Ensemble, held: Bool[Array, " length"], key: Key[Array, ""], draws: int) -> Int[Array, "draws length"]:
    """Return exact draws of the background that keep the anchor's letters at further held positions."""
    own = held if one.held is None else held | one.held
    return background.draw(key, one.replace(held=own), draws)  # pyright: ignore[reportAttributeAccessIssue]
