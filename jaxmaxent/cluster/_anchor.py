"""The unit of work: one anchor, sampled or gone on with."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.results import Run
from jaxmaxent.sampling import resume, sample


@jax.transfer_guard("allow")
def key_of(key: Key[Array, ""], tokens: Any) -> Key[Array, ""]:
    """Return the key of an anchor, or of several that are sampled side by side: from their letters, not their place."""
    words = np.frombuffer(hashlib.sha256(np.ascontiguousarray(tokens, np.uint8).tobytes()).digest()[:8], "<u4")
    return jax.random.fold_in(jax.random.fold_in(key, words[0]), words[1])


def run_of(
    key: Key[Array, ""], ensemble: Ensemble, checkpoint: Path, *, rule: Any = None, progress: bool, **settings: Any
) -> Run:
    """Sample an ensemble, or go on from its checkpoint if there is one; the checkpoint stays.

    Args:
        key: the key of the whole job; the ensemble's anchors make another of it.
        ensemble: what is sampled.
        checkpoint: the folder of the checkpoint.
        rule: how replicas move.
        progress: show a progress bar.
        settings: further arguments of `sample`.
    """
    if any(checkpoint.glob("*-step-*.npz")):
        return resume(checkpoint, ensemble, rule=rule, keep_checkpoint=True, progress=progress)
    shutil.rmtree(checkpoint, ignore_errors=True)  # left by a process that was killed before its first save
    mine = key_of(key, jax.device_get(ensemble.batched().anchor))
    return sample(mine, ensemble, rule=rule, checkpoint=checkpoint, keep_checkpoint=True, progress=progress, **settings)
