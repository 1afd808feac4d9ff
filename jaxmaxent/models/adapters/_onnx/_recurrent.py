"""Recurrent layers, by `lax.scan` along the sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxmaxent.models.adapters._onnx._graph import Call, to_jax

Step = Callable[[Any, Any], Any]

# Functions by their names in lower case; each has two numbers with values of their own.
_ACTIVATIONS: dict[str, tuple[Callable[[Any, float, float], Any], float, float]] = {
    "sigmoid": (lambda x, a, b: jax.nn.sigmoid(x), 0, 0),
    "tanh": (lambda x, a, b: jnp.tanh(x), 0, 0),
    "relu": (lambda x, a, b: jax.nn.relu(x), 0, 0),
    "affine": (lambda x, a, b: a * x + b, 1, 0),
    "leakyrelu": (lambda x, a, b: jnp.where(x > 0, x, a * x), 0.01, 0),
    "thresholdedrelu": (lambda x, a, b: jnp.where(x > a, x, 0 * x), 1, 0),
    "scaledtanh": (lambda x, a, b: a * jnp.tanh(b * x), 1, 1),
    "hardsigmoid": (lambda x, a, b: jnp.clip(a * x + b, 0, 1), 0.2, 0.5),
    "elu": (lambda x, a, b: jnp.where(x > 0, x, a * jnp.expm1(jnp.minimum(x, 0))), 1, 0),
    "softsign": (lambda x, a, b: x / (1 + jnp.abs(x)), 0, 0),
    "softplus": (lambda x, a, b: jax.nn.softplus(x), 0, 0),
}


def _functions(call: Call, direction: int, standard: list[str]) -> list[Callable[[Any], Any]]:
    """Return the functions of one direction, with the clipping of their arguments."""
    names = call.get("activations", [])[direction * len(standard) :][: len(standard)] or standard
    alphas, betas, limit = (
        list(call.get("activation_alpha", [])),
        list(call.get("activation_beta", [])),
        call.get("clip"),
    )
    made = []
    for name in names:
        if name.lower() not in _ACTIVATIONS:
            raise ValueError(f"the activation {name!r} is not known")
        function, alpha, beta = _ACTIVATIONS[name.lower()]
        alpha = alphas.pop(0) if alpha and alphas else alpha
        beta = betas.pop(0) if beta and betas else beta

        def apply(x: Any, function: Any = function, alpha: Any = alpha, beta: Any = beta) -> Any:
            return function(x if limit is None else jnp.clip(x, -limit, limit), alpha, beta)

        made.append(apply)
    return made


def _row(bias: Any) -> Any:
    return bias.reshape(1, -1)


def rnn(call: Call, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None) -> tuple[Any, ...]:
    """Return the states of a simple recurrent layer at all positions, and the last."""

    def step_of(direction: int, w: Any, r: Any, b: Any, _: Any) -> Step:
        (f,) = _functions(call, direction, ["Tanh"])
        size = r.shape[-1]
        return lambda state, x: (f(x @ w.T + state[0] @ r.T + _row(b[:size] + b[size:])),)

    return _layer(call, x, w, r, b, lengths, [h], None, step_of, 1)


def gru(call: Call, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None) -> tuple[Any, ...]:
    """Return the states of a layer of gated recurrent units at all positions, and the last."""
    reset_after = bool(call.get("linear_before_reset", 0))

    def step_of(direction: int, w: Any, r: Any, b: Any, _: Any) -> Step:
        f, g = _functions(call, direction, ["Sigmoid", "Tanh"])
        size = r.shape[-1]
        wz, wr, wh = jnp.split(w, 3)
        rz, rr, rh = jnp.split(r, 3)
        bz, br, bh, sz, sr, sh = (_row(part) for part in jnp.split(b, 6))
        assert size * 6 == b.size

        def step(state: Any, x: Any) -> Any:
            (before,) = state
            update = f(x @ wz.T + before @ rz.T + bz + sz)
            reset = f(x @ wr.T + before @ rr.T + br + sr)
            inner = reset * (before @ rh.T + sh) if reset_after else (reset * before) @ rh.T + sh
            return ((1 - update) * g(x @ wh.T + inner + bh) + update * before,)

        return step

    return _layer(call, x, w, r, b, lengths, [h], None, step_of, 3)


def lstm(
    call: Call,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    lengths: Any = None,
    h: Any = None,
    c: Any = None,
    p: Any = None,
) -> tuple[Any, ...]:
    """Return the states of a long short-term memory at all positions, the last, and the last cells."""
    coupled = bool(call.get("input_forget", 0))

    def step_of(direction: int, w: Any, r: Any, b: Any, p: Any) -> Step:
        f, g, h = _functions(call, direction, ["Sigmoid", "Tanh", "Tanh"])
        size = r.shape[-1]
        bias = _row(b[: 4 * size] + b[4 * size :])
        pi, po, pf = (0, 0, 0) if p is None else (_row(part) for part in jnp.split(p, 3))

        def step(state: Any, x: Any) -> Any:
            before, cell = state
            i, o, forget, new = jnp.split(x @ w.T + before @ r.T + bias, 4, 1)
            i = f(i + pi * cell)
            forget = 1 - i if coupled else f(forget + pf * cell)
            cell = forget * cell + i * g(new)
            return f(o + po * cell) * h(cell), cell

        return step

    return _layer(call, x, w, r, b, lengths, [h, c], p, step_of, 4)


def _layer(
    call: Call, x: Any, w: Any, r: Any, b: Any, lengths: Any, starts: list[Any], p: Any, step_of: Any, gates: int
) -> tuple[Any, ...]:
    """Return the states of both directions at all positions [position, direction, batch, unit], and the last ones."""
    x, w, r = to_jax(x), to_jax(w), to_jax(r)
    if call.get("layout", 0):
        x, starts = x.swapaxes(0, 1), [start if start is None else start.swapaxes(0, 1) for start in starts]
    direction = call.get("direction", "forward")
    backwards = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    batch, size = x.shape[1], r.shape[-1]
    b = jnp.zeros((len(backwards), 2 * gates * size), w.dtype) if b is None else to_jax(b)
    states, last = [], []
    for i, turned in enumerate(backwards):
        step = step_of(i, w[i], r[i], b[i], None if p is None else to_jax(p)[i])
        for start in starts:
            if start is not None and start.shape[1] != batch:
                raise ValueError(
                    f"its first state is for a batch of {start.shape[1]}, and the input is a batch of {batch}; export "
                    "the model with a batch of any size, or give it such batches"
                )
        first = tuple(jnp.zeros((batch, size), x.dtype) if s is None else to_jax(s)[i] for s in starts)
        made, ends = _scan(step, first, x, lengths, turned)
        states.append(made)
        last.append(ends)
    every, ends = jnp.stack(states, 1), [jnp.stack(parts) for parts in zip(*last, strict=True)]
    if call.get("layout", 0):
        return (jnp.transpose(every, (2, 0, 1, 3)), *(end.swapaxes(0, 1) for end in ends))
    return every, *ends


def _scan(step: Step, first: Any, x: Any, lengths: Any, turned: bool) -> tuple[Any, Any]:
    """Return the states at all positions and the last; positions behind the end of a sequence change no state."""
    inside = None
    if lengths is not None:
        inside = np.arange(x.shape[0]).reshape(-1, 1, 1) < to_jax(lengths).reshape(1, -1, 1)

    def body(state: Any, given: Any) -> Any:
        x, keep = given
        made = step(state, x)
        if keep is None:
            return made, made[0]
        kept = tuple(jnp.where(keep, new, old) for new, old in zip(made, state, strict=True))
        return kept, jnp.where(keep, made[0], jnp.zeros_like(made[0]))

    last, states = lax.scan(body, first, (x, inside), reverse=turned)
    return states, last
