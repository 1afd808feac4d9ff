"""The first sequences of the chains, and the key of a run that goes on from another."""

from __future__ import annotations

import functools
import zlib

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles import _background as background
from jaxmaxent.results import Run
from jaxmaxent.sampling.device._hash import written_out
from jaxmaxent.sampling.program._program import Program


@jax.transfer_guard("allow")
def first_tokens(
    key: Key[Array, ""], ensemble: Ensemble, program: Program, start: str | Run
) -> Int[Array, "anchors all_chains replicas length"]:
    """Return the first sequences of the replicas; the last `anchor_chains` chains of each anchor start at it."""
    chains = program.all_chains - program.anchor_chains
    shape = (ensemble.anchors, chains, program.replicas, ensemble.length)
    if isinstance(start, Run):
        tokens = _last_of(start, ensemble, shape, program)
    elif isinstance(start, str) and start == "background":
        tokens = _background(ensemble, key, chains * program.replicas).reshape(shape)
    elif isinstance(start, str) and start == "anchor":
        tokens = _anchor(ensemble, shape)
    else:
        raise ValueError(f'start must be "background", "anchor" or a run, got {checks.shown(start)}')
    return jnp.concatenate([tokens, _anchor(ensemble, (shape[0], program.anchor_chains, *shape[2:]))], axis=1)


@jax.transfer_guard("allow")
def key_after(key: Key[Array, ""], start: str | Run) -> Key[Array, ""]:
    """Return the key of a run; if it goes on from a run, another one, so that the same steps are not made again."""
    if not isinstance(start, Run):
        return key
    return jax.random.fold_in(key, zlib.crc32(np.ascontiguousarray(start.last).tobytes()))


def _anchor(ensemble: Ensemble, shape: tuple[int, ...]) -> Array:
    return jnp.broadcast_to(ensemble.anchor[:, None, None], shape)


@functools.partial(jax.jit, static_argnames=("count",))
def _background(ensemble: Ensemble, key: Key[Array, ""], count: int) -> Int[Array, "anchors count length"]:
    key = written_out(key)

    def one(single: Ensemble, index: Array) -> Array:
        return background.draw(jax.random.fold_in(key, index), single, count)

    return jax.vmap(one, in_axes=(ensemble.anchor_axes(), 0))(ensemble, jnp.arange(ensemble.anchors))


def _last_of(run: Run, ensemble: Ensemble, shape: tuple[int, ...], program: Program) -> Array:
    ends = [0] * program.has_background + [program.path - 1] * program.has_reference
    last = np.delete(run.last, ends, axis=1).swapaxes(1, 2)
    if last.shape != shape:
        raise ValueError(
            f"start must be a run with [anchors, chains, replicas, length] = {list(shape)}, got {list(last.shape)}"
        )
    held = np.delete(np.arange(ensemble.length), np.asarray(ensemble.movable))
    anchors = np.asarray(ensemble.anchor)[:, None, None]
    if last.max() >= len(ensemble.alphabet) or (last != anchors)[..., held].any():
        raise ValueError("start must be a run of this alphabet whose chains keep the positions fixed here")
    for number, rows in enumerate(last):
        forbidden = ensemble.take(number).forbidden()
        if forbidden is not None and np.asarray(forbidden)[np.arange(ensemble.length), rows].any():
            raise ValueError("start must be a run whose chains have no letter that is forbidden or not held here")
    return jnp.asarray(last, jnp.int32)
