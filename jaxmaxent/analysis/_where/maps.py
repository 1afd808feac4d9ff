"""Necessity and sufficiency of every window of an anchor, as changes of ⟨E⟩ with standard errors.

*Necessity*: how far the anchor moves if the letters of a window are redrawn and all others are held. *Sufficiency*: how
much nearer to the anchor a redrawn sequence comes if it keeps a window. Both redraw from the background, the ensemble
at β = 0, so they need no chains.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from jaxmaxent import checks, console
from jaxmaxent.analysis._where import energies as of
from jaxmaxent.ensembles import Ensemble

# Windows with so many sequences at most are enumerated, unless a number of draws is given.
_ENUMERATED = 4096
_REDRAWN, _KEPT, _MOST_DRAWS = 32, 64, 10_000


class Necessity(NamedTuple):
    """How far an anchor moves from itself if a window of it is redrawn, in units of E.

    Attributes:
        windows: ⟨E⟩ − E(x0) with the letters of the window redrawn, shape [anchors, windows]; entry s is that of the
            positions s to s + width − 1.
        window_errors: standard errors, same shape; 0 if the windows were enumerated.
        positions: mean over the windows that cover the position, shape [anchors, length].
        position_errors: standard errors, same shape.
        width: width of a window.
        draws: draws of each window; None if they were enumerated.
        evaluations: sequences that were evaluated for each anchor.
    """

    windows: Float[np.ndarray, "anchors windows"]
    window_errors: Float[np.ndarray, "anchors windows"]
    positions: Float[np.ndarray, "anchors length"]
    position_errors: Float[np.ndarray, "anchors length"]
    width: int
    draws: int | None
    evaluations: int


class Sufficiency(NamedTuple):
    """How much nearer to the anchor a redrawn sequence comes if it keeps a window of it, in units of E.

    Attributes:
        windows: ⟨E⟩ of the background minus ⟨E⟩ with the letters of the window kept, shape [anchors, windows]; entry s
            is that of the positions s to s + width − 1. It is `background` for a window that is enough by itself, and
            near 0 for one that does nothing.
        window_errors: standard errors, same shape.
        positions: mean over the windows that cover the position, shape [anchors, length].
        position_errors: standard errors, same shape.
        background: ⟨E⟩ − E(x0) of the background, shape [anchors].
        background_error: its standard error, shape [anchors].
        width: width of a window.
        draws: draws of each window.
        evaluations: sequences that were evaluated for each anchor.
    """

    windows: Float[np.ndarray, "anchors windows"]
    window_errors: Float[np.ndarray, "anchors windows"]
    positions: Float[np.ndarray, "anchors length"]
    position_errors: Float[np.ndarray, "anchors length"]
    background: Float[np.ndarray, " anchors"]
    background_error: Float[np.ndarray, " anchors"]
    width: int
    draws: int
    evaluations: int


@jax.transfer_guard("allow")
def necessity(
    ensemble: Ensemble,
    width: int = 6,
    *,
    draws: int | None = None,
    key: Key[Array, ""] | None = None,
    progress: bool = False,
) -> Necessity:
    """Return how far each anchor moves from itself if one window is redrawn and all other letters are held.

    Windows of up to 4,096 sequences, 6 positions of DNA, are enumerated: the mean over all letters of the window,
    weighed as the background weighs them, is exact. A sequence that lies in several windows is evaluated once. Wider
    windows are drawn exactly. β plays no part. Positions that an anchor holds are held in every window.

    Args:
        ensemble: one anchor or several.
        width: width of a window, at most the length.
        draws: draws of each window, at least 2; None enumerates windows of up to 4,096 sequences, and takes 32 draws
            of wider ones.
        key: a typed key for the draws; that of seed 0 if None.
        progress: show a progress bar of the anchors.

    Returns:
        the necessity of windows and of positions, with standard errors, in units of E.

    Raises:
        ValueError: for bad input, or if an energy is not finite.

    Example:
        ```python
        found = necessity(ensemble, width=6)
        found.positions[0].argmax()  # the position that the network can spare least
        ```
    """
    batch, width, key = _checked(ensemble, width, key)
    counted = len(batch.alphabet) ** width if width <= math.log2(_ENUMERATED) else math.inf
    if draws is None and counted <= _ENUMERATED:
        return _enumerated(batch, width, progress)
    draws = _REDRAWN if draws is None else checks.integer("draws", draws, at_least=2, at_most=_MOST_DRAWS)
    starts, incremental = _starts(batch, width), of.is_incremental(batch, width)
    found = []
    for a in _each_anchor(batch, f"necessity of {width} positions", progress):
        one = of.of_one(batch, a)
        energies = of.of_redrawn(incremental, one, starts, jax.random.fold_in(key, a), width, draws)
        found.append(_over_draws(_finite(energies, a) - float(of.anchor_energy(one)), width))
    maps = map(np.stack, zip(*found, strict=True))
    return Necessity(*maps, width=width, draws=draws, evaluations=len(starts) * draws)


@jax.transfer_guard("allow")
def sufficiency(
    ensemble: Ensemble,
    width: int = 12,
    *,
    draws: int = _KEPT,
    key: Key[Array, ""] | None = None,
    progress: bool = False,
) -> Sufficiency:
    """Return how much nearer to each anchor redrawn sequences come if they keep one window of it.

    Sequences are exact draws of the background. Those that keep a window share their other letters with those that keep
    none, so that noise which both have cancels. β plays no part. Positions that an anchor holds are always kept.

    Args:
        ensemble: one anchor or several.
        width: width of a window, at most the length; a site counts as a whole if a window covers it.
        draws: draws of the background, at least 2.
        key: a typed key; that of seed 0 if None.
        progress: show a progress bar of the anchors.

    Returns:
        the sufficiency of windows and of positions, with standard errors, in units of E.

    Raises:
        ValueError: for bad input, or if an energy is not finite.

    Example:
        ```python
        found = sufficiency(ensemble)
        found.windows[0] / found.background[0]  # share of the distance that each window removes by itself
        ```
    """
    batch, width, key = _checked(ensemble, width, key)
    draws = checks.integer("draws", draws, at_least=2, at_most=_MOST_DRAWS)
    starts, incremental = _starts(batch, width), of.is_incremental(batch, width)
    found, backgrounds = [], []
    for a in _each_anchor(batch, f"sufficiency of {width} positions", progress):
        one = of.of_one(batch, a)
        apart, kept = of.of_kept(incremental, one, starts, jax.random.fold_in(key, a), width, draws)
        apart = _finite(apart, a)
        backgrounds.append((apart.mean() - float(of.anchor_energy(one)), apart.std(ddof=1) / math.sqrt(draws)))
        found.append(_over_draws(apart - _finite(kept, a), width))
    maps = [*map(np.stack, zip(*found, strict=True)), *map(np.array, zip(*backgrounds, strict=True))]
    return Sufficiency(*maps, width=width, draws=draws, evaluations=(len(starts) + 1) * draws)


def _enumerated(batch: Ensemble, width: int, progress: bool) -> Necessity:
    letters, windows = len(batch.alphabet), batch.length - width + 1
    codes = np.stack(np.unravel_index(np.arange(letters**width), (letters,) * width), axis=-1).astype(np.int32)
    incremental = of.is_incremental(batch, width)
    found = np.empty((batch.anchors, windows))
    for a in _each_anchor(batch, f"necessity of {width} positions", progress):
        one = of.of_one(batch, a)
        changed, rest = of.energies_of_windows(one, width, codes, incremental)
        for energies in (changed, rest):
            _finite(energies, a)
        anchor, unary, pair = np.asarray(one.anchor), *map(np.asarray, of.log_weights(one))
        for s in range(windows):
            weights = _weights(anchor, unary.astype(float), pair.astype(float), s, codes)
            found[a, s] = weights @ (_of_window(changed, rest, codes, letters, s) - rest[0])
    covered = _cover(windows, width)
    evaluations = windows * (letters - 1) * letters ** (width - 1) + letters ** (width - 1)
    positions = found @ covered
    return Necessity(found, np.zeros_like(found), positions, np.zeros_like(positions), width, None, evaluations)


def _of_window(changed: np.ndarray, rest: np.ndarray, codes: np.ndarray, letters: int, start: int) -> np.ndarray:
    """Return the energies of a window with every code, from the windows that these sequences belong to."""
    width, last = codes.shape[1], len(changed) - 1
    first = np.where(codes.any(1), (codes != 0).argmax(1), width)
    hops = np.minimum(first, last - start)
    moved = np.arange(len(codes)) * letters**hops  # the code as that window has it
    own = moved >= len(rest)
    return np.where(own, changed[start + hops, np.maximum(moved - len(rest), 0)], rest[np.where(own, 0, moved)])


def _weights(anchor: np.ndarray, unary: np.ndarray, pair: np.ndarray, start: int, codes: np.ndarray) -> np.ndarray:
    """Return the probabilities of all codes of a window in the background, given the letters around it."""
    width = codes.shape[1]
    new = (anchor[start : start + width] + codes) % unary.shape[1]
    logs = unary[start + np.arange(width), new].sum(1) + pair[new[:, :-1], new[:, 1:]].sum(1)
    if start > 0:
        logs += pair[anchor[start - 1], new[:, 0]]
    if start + width < len(anchor):
        logs += pair[new[:, -1], anchor[start + width]]
    weights = np.exp(logs - logs.max())
    return weights / weights.sum()


def _over_draws(energies: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return means and standard errors over draws, of windows [windows, draws] and of the positions they cover."""
    root = math.sqrt(energies.shape[1])
    of_positions = _cover(len(energies), width).T @ energies
    both = [(each.mean(1), each.std(1, ddof=1) / root) for each in (energies, of_positions)]
    return *both[0], *both[1]


def _cover(windows: int, width: int) -> Float[np.ndarray, "windows length"]:
    """Return the weights that turn numbers of windows into means over the windows that cover each position."""
    distance = np.arange(windows + width - 1)[None] - np.arange(windows)[:, None]
    covered = ((distance >= 0) & (distance < width)).astype(float)
    return covered / covered.sum(0)


def _each_anchor(batch: Ensemble, what: str, progress: bool) -> Iterable[int]:
    """Return the numbers of all anchors, with a bar of those that are done; none is left below another bar."""
    return console.bar(range(batch.anchors), desc=what, unit="anchor", leave=None, show=progress)


def _starts(batch: Ensemble, width: int) -> np.ndarray:
    return np.arange(batch.length - width + 1, dtype=np.int32)


def _finite(values: Any, anchor: int) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"ensemble must have finite energies, got another for a redrawn window of anchor {anchor}")
    return array


def _checked(ensemble: Any, width: Any, key: Any) -> tuple[Ensemble, int, Key[Array, ""]]:
    """Return the ensemble with an axis of anchors, the width and the key."""
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    width = checks.integer("width", width, at_least=1)
    if width > ensemble.length:
        raise ValueError(f"width must be at most the length {ensemble.length}, got {width}")
    return ensemble.batched(), width, jax.random.key(0) if key is None else checks.typed_key(key)
