"""The draws that motifs are sought in: those of the target, and those of the background to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Integer

from jaxmaxent import checks
from jaxmaxent.analysis._run_parts import anchor_of, checked_run, rung_of, stored_draws
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as exact
from jaxmaxent.results import Run

STORED, DRAWN = "draws of the run at β = 0", "exact draws of the ensemble at β = 0"


class Draws(NamedTuple):
    """Draws of the chosen anchors, of the target and of the background.

    Attributes:
        anchors: indices of the anchors.
        target: tokens, shape [anchors, chains, draws, length].
        background: tokens at β = 0, shape [anchors, chains, draws, length], with its own number of draws.
        source: a phrase that says where the background comes from.
    """

    anchors: tuple[int, ...]
    target: Integer[np.ndarray, "anchors chains draws length"]
    background: Integer[np.ndarray, "anchors chains background_draws length"]
    source: str


def chosen_anchors(run: Run, anchor: int | Sequence[int] | None) -> tuple[int, ...]:
    """Return the indices of one anchor, of several, or of all for None."""
    if anchor is None:
        return tuple(range(len(run.beta)))
    if not hasattr(anchor, "__iter__") or isinstance(anchor, str | bytes | dict):
        return (anchor_of(run, anchor),)
    found = tuple(anchor_of(run, one) for one in checks.several("anchor", anchor, "indices"))
    if not found or len(set(found)) < len(found):
        raise ValueError(f"anchor must be an index, different indices, or None for all, got {checks.shown(anchor)}")
    return found


def draws_of(
    run: Any, anchor: int | Sequence[int] | None, rung: int | None, ensemble: Ensemble | None, key: Any
) -> Draws:
    """Return the draws of the chosen anchors; arguments are those of `draw_motifs`.

    Raises:
        ValueError: if the run has no stored draws, fewer than two chains, or neither a rung at β = 0 nor an ensemble.
    """
    checked_run(run, "draws")
    anchors = chosen_anchors(run, anchor)
    target = np.stack([stored_draws(run, anchor=one, rung=rung) for one in anchors])
    if target.shape[1] < 2:
        raise ValueError("run must have at least 2 chains, whose spread gives the errors, got 1")
    if rung_of(run, rung) == 0 and run.beta[0, 0] == 0:
        raise ValueError("rung must be one above β = 0, which draws are compared with, got the rung at β = 0")
    if ensemble is None:
        if (run.beta[list(anchors), 0] > 0).any():
            raise ValueError(
                "run must have a rung at β = 0 to compare with, got one without: give its ensemble= as well, which is "
                "drawn exactly there"
            )
        background = np.stack([stored_draws(run, anchor=one, rung=0) for one in anchors])
        return Draws(anchors, target, background, STORED)
    batch = _checked_ensemble(ensemble, run)
    key = jax.random.key(0) if key is None else checks.typed_key(key)
    _, chains, draws, length = target.shape
    drawn = [exact.draw(jax.random.fold_in(key, one), batch.take(one), chains * draws) for one in anchors]
    background = np.asarray(drawn, np.uint8).reshape(len(anchors), chains, draws, length)
    return Draws(anchors, target, background, DRAWN)


def _checked_ensemble(ensemble: Any, run: Run) -> Ensemble:
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {checks.shown(ensemble)}")
    batch = ensemble.batched()
    if batch.anchor.shape != run.anchors.shape or (np.asarray(batch.anchor) != run.anchors).any():
        raise ValueError(
            f"ensemble must be that of the run, of the same {len(run.anchors)} anchors in the same order, got another "
            f"with anchors of shape {list(batch.anchor.shape)}"
        )
    return batch
