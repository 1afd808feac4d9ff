"""The maximum entropy ensemble of an anchor with one window free at a time.

A network that holds sites equal wherever they stand lets draws have them anywhere, so that no position of the whole
ensemble holds a letter. With all letters outside a window held, the site in it has nowhere else to go.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.results import Run
from jaxmaxent.results._information import information_bias, information_bits, information_errors
from jaxmaxent.sampling import Precision, sample

# Less than a run asks for: each position is in several windows.
_UNTIL = Precision(rhat=1.05, ess=100, steps=20_000)
# A window has few letters, so its ladders are short, and the burn-in is that of a sequence of its width.
_SHORT: dict[str, Any] = {"ladder": 8, "reference_rungs": 3, "target_replicas": 4}
_BURN_IN_PER_POSITION = 40


class PinnedProfile(NamedTuple):
    """Letter frequencies of an anchor with one window free at a time, at the β of the ensemble.

    Attributes:
        starts: the first position of each window, shape [windows].
        width: width of a window.
        frequencies: frequency of the letter, shape [anchors, windows, width, letters]; at held positions, of the
            anchor's letter alone.
        frequency_errors: standard errors, same shape.
        information: bits of the position, mean over the windows in which it is free, less what noise adds on average,
            shape [anchors, length]. NaN if it is free in none.
        information_errors: standard errors, same shape.
        energy: ⟨E⟩ with the window free, shape [anchors, windows], in units of E.
        energy_error: standard error of ⟨E⟩, same shape.
        rhat: largest R-hat of the window at the β of the ensemble, shape [anchors, windows]; NaN if all of it is held.
        converged: whether the window has the precision asked for, shape [anchors, windows].
    """

    starts: Int[np.ndarray, " windows"]
    width: int
    frequencies: Float[np.ndarray, "anchors windows width letters"]
    frequency_errors: Float[np.ndarray, "anchors windows width letters"]
    information: Float[np.ndarray, "anchors length"]
    information_errors: Float[np.ndarray, "anchors length"]
    energy: Float[np.ndarray, "anchors windows"]
    energy_error: Float[np.ndarray, "anchors windows"]
    rhat: Float[np.ndarray, "anchors windows"]
    converged: Bool[np.ndarray, "anchors windows"]


@jax.transfer_guard("allow")
def pinned_profile(
    key: Key[Array, ""],
    ensemble: Ensemble,
    width: int = 16,
    stride: int = 4,
    *,
    until: Precision | None = None,
    steps: int | None = None,
    **settings: Any,
) -> PinnedProfile:
    """Sample each anchor with one window free at a time, and return the letters that each window holds.

    Windows begin at every `stride`-th position; the last one ends where the sequence ends. All anchors share a window
    and one run, so proposals fall where letters move; one compiled program serves all windows.

    Args:
        key: a typed key.
        ensemble: one anchor or several; their β is that of the profile. Positions that they hold stay held.
        width: width of a window, at most the length.
        stride: distance from one window to the next, at most the width.
        until: the precision that ends each run; R-hat ≤ 1.05 and an effective sample size of 100 if None.
        steps: instead of `until`: exactly so many steps of each replica.
        settings: further arguments of `sample`, such as `chains`; 8 rungs, 3 beyond and 4 replicas at the target unless
            a `ladder` is given.

    Returns:
        frequencies and errors of every window, its R-hat, and the information of every position.

    Raises:
        ValueError: for bad input, and as `sample` does.

    Example:
        ```python
        pinned = pinned_profile(jax.random.key(0), ensemble.with_beta(20.0), width=16, stride=4)
        pinned.information[0], pinned.rhat[0].max()
        ```
    """
    key = checks.typed_key(key)
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    batch = ensemble.batched()
    width = checks.integer("width", width, at_least=1)
    if width > batch.length:
        raise ValueError(f"width must be at most the length {batch.length}, got {width}")
    stride = checks.integer("stride", stride, at_least=1)
    if stride > width:
        raise ValueError(f"stride must be at most the width {width}, got {stride}")
    last = batch.length - width
    starts = np.unique(np.append(np.arange(0, last + 1, stride), last))
    if until is None and steps is None:
        until = _UNTIL
    short = {} if "ladder" in settings else _SHORT
    short = short | ({"burn_in": _BURN_IN_PER_POSITION * width} if steps is None else {})
    asked = short | {"until": until, "steps": steps, "progress": False} | settings
    found = [_of_window(jax.random.fold_in(key, s), batch, s, width, asked) for s in starts]
    frequencies, errors, *others = (np.stack(part, axis=1) for part in zip(*found, strict=True))
    information, its_errors = _of_positions(frequencies, errors, starts, _free(batch))
    return PinnedProfile(starts, width, frequencies, errors, information, its_errors, *others)


def _of_window(key: Any, batch: Ensemble, start: int, width: int, asked: dict[str, Any]) -> tuple[np.ndarray, ...]:
    """Return frequencies and their errors, ⟨E⟩ and its error, R-hat, and convergence of every anchor in one window."""
    inside = np.arange(start, start + width)
    movable = np.intersect1d(np.asarray(batch.movable), inside)
    free = np.flatnonzero(_free(batch)[:, inside].any(1))
    own = np.eye(len(batch.alphabet))[np.asarray(batch.anchor)[:, inside]]
    empty = np.zeros(batch.anchors)
    result = [
        own,
        np.zeros_like(own),
        empty,
        empty.copy(),
        np.full(batch.anchors, np.nan),
        np.ones(batch.anchors, bool),
    ]
    if not len(free):
        return tuple(result)
    some = batch if len(free) == batch.anchors else batch.take(free)
    one = some.replace(movable=jnp.asarray(movable, jnp.int32))  # pyright: ignore[reportAttributeAccessIssue]
    run: Run = sample(key, one, **asked)
    parts = (
        run.frequencies[:, -1, inside], run.frequency_errors[:, -1, inside], run.energy[:, -1], run.energy_error[:, -1],
        run.max_rhat[:, -1], run.converged,
    )  # fmt: skip
    for whole, part in zip(result, parts, strict=True):
        whole[free] = part
    return tuple(result)


def _free(batch: Ensemble) -> Bool[np.ndarray, "anchors length"]:
    """Return the positions that each anchor does not hold."""
    free = np.broadcast_to(np.isin(np.arange(batch.length), np.asarray(batch.movable)), batch.anchor.shape)
    return free if batch.held is None else free & ~np.asarray(batch.held)


def _of_positions(
    frequencies: np.ndarray, errors: np.ndarray, starts: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean information of positions over the windows that cover them, and standard errors.

    Windows are independent runs. Positions that are not free, of an array [anchors, length], are not known.
    """
    bits = information_bits(frequencies) - information_bias(frequencies, errors)
    variance = np.square(information_errors(frequencies, errors))
    sums, squares, counts = (np.zeros(free.shape) for _ in range(3))
    for w, start in enumerate(starts):
        here = slice(start, start + frequencies.shape[2])
        sums[:, here] += bits[:, w]
        squares[:, here] += variance[:, w]
        counts[:, here] += 1
    counts = np.where(free, counts, np.nan)
    return sums / counts, np.sqrt(squares) / counts
