"""Energies along a walk: what evaluators make of edits, beside whole forward passes of the same sequences."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.kernels import build, evaluator_for
from jaxmaxent.testing._report import CheckPart
from jaxmaxent.testing._space import Space

_CHAINS, _STEPS = 16, 64


def walk_parts(space: Space, rule: Any, close: float) -> list[CheckPart]:
    """Return whether a walk stays in the space, and the comparison of its energies with those of whole forward passes.

    Evaluation is incremental, or with gradients if the rule needs them.
    """
    p = space.distribution(0.0)
    start = jnp.asarray(space.states[np.random.default_rng(0).choice(len(p), _CHAINS, p=p)])
    tokens, energies = jax.device_get(_walk(space.ensemble, rule, start, jax.random.key(0)))
    held = np.delete(tokens != space.states[0], space.positions, axis=-1).any(-1)
    inside = ~held & ((tokens >= 0) & (tokens < len(space.ensemble.alphabet))).all(-1)
    right = space.energies[space.numbers(np.where(inside[..., None], tokens, 0))]
    off = np.where(inside, np.abs(energies.astype(np.float64) - right), 0)
    name = "gradient" if rule.needs_gradient else "incremental"
    outside = "proposals that leave the alphabet or change held positions"
    what = f"energies along a walk, {name} evaluation against whole forward passes"
    return [
        CheckPart(outside, float((~inside).sum()), 0, "sequences", off.size),
        CheckPart(what, float(off.max()), close * space.size, "of E", int(inside.sum())),
    ]


@jax.jit
def _walk(ensemble: Ensemble, rule: Any, start: Array, key: Key[Array, ""]) -> tuple[Array, Array]:
    """Return the proposed and the kept sequences of chains, and their energies; positions are shared as in a run."""
    kernel = build(rule, ensemble, evaluator_for(rule, ensemble, incremental=True))

    def step(states: Any, key: Array) -> Any:
        key_where, key_what = jax.random.split(key)
        where = kernel.where(key_where)
        moved, info = jax.vmap(lambda key, state: kernel.move(key, state, where))(
            jax.random.split(key_what, start.shape[0]), states
        )
        both = jnp.stack([info.proposed, moved.tokens]), jnp.stack([info.proposed_energy, moved.energy])
        return moved, both

    return jax.lax.scan(step, jax.vmap(kernel.init)(start), jax.random.split(key, _STEPS))[1]
