"""Sequences with a known grammar of two motifs, and small networks that learn it, for `grammar.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import jaxmaxent as jme
from jaxmaxent.data import Motif

LENGTH, WIDTH, SHARP = 60, 7, 0.97
KERNEL, FILTERS, POOL, SPAN, HIDDEN = 9, 24, 3, 10, 32
NEAR, FAR = (2, 12), (22, LENGTH)

Site = tuple[int, int, int]  # motif, start, strand


class Task(NamedTuple):
    """A grammar: the kinds of sequences that satisfy it, and the kinds that break it, as names of `SITES`."""

    right: tuple[str, ...]
    wrong: tuple[str, ...]


TASKS = {
    "and": Task(("AB",), ("A", "B", "AA", "BB", "none")),
    "or": Task(("A", "B", "AB"), ("none",)),
    # Without more of "none", A and B would be as frequent in both classes, and training would find neither.
    "xor": Task(("A", "B"), ("AB", "none", "none")),
    "not": Task(("A",), ("AB", "B", "none")),
    "order": Task(("A before B",), ("B before A", "A", "B", "AA", "BB")),
    "spacing": Task(("near",), ("far", "A", "B", "AA", "BB")),
    "strand": Task(("A forward",), ("A reverse", "none")),
    "copies": Task(("AA",), ("A", "none")),
}


def sites(rng: np.random.Generator, kind: str) -> list[Site]:
    """Return the sites of A (0) and B (1) of one sequence of a kind, on the forward strand but for "A reverse"."""
    while True:
        first, second = (int(s) for s in rng.integers(0, LENGTH - WIDTH + 1, 2))
        gap = abs(first - second) - WIDTH
        if (
            gap < 0
            or (kind == "near" and not NEAR[0] <= gap <= NEAR[1])
            or (kind in ("far", "A before B, far") and gap < FAR[0])
        ):
            continue
        break
    low, high = sorted((first, second))
    a, b = (0, first, 1), (1, second, 1)
    return {
        "A before B, far": [(0, low, 1), (1, high, 1)],
        "none": [], "A": [a], "B": [b], "AB": [a, b], "near": [a, b], "far": [a, b], "A forward": [a],
        "A reverse": [(0, first, -1)], "AA": [a, (0, second, 1)], "BB": [(1, first, 1), b],
        "A before B": [(0, low, 1), (1, high, 1)], "B before A": [(1, low, 1), (0, high, 1)],
    }[kind]  # fmt: skip


def motifs(rng: np.random.Generator) -> list[Motif]:
    """Return the motifs A, B and a decoy, none of which is like another on either strand."""
    while True:
        words = rng.integers(0, 4, (3, WIDTH))
        both = np.concatenate([words, 3 - words[:, ::-1]])
        alike = [
            (both[i][max(s, 0) : WIDTH + min(s, 0)] == both[j][max(-s, 0) : WIDTH - max(s, 0)]).sum()
            for i in range(6)
            for j in range(6)
            for s in range(-3, 4)
            if i != j and (i != j - 3 or s)
        ]
        own = max((word == 3 - word[::-1]).sum() for word in words)
        if max(alike) <= 4 and own <= 3:
            break
    rest = (1 - SHARP) / 3
    names = ("A", "B", "decoy")
    return [Motif(n, n, rest + (SHARP - rest) * np.eye(4)[word]) for n, word in zip(names, words, strict=True)]


def sequences(
    rng: np.random.Generator, kinds: list[str], count: int, own: list[Motif]
) -> tuple[np.ndarray, list[list[Site]], np.ndarray]:
    """Return tokens, sites, and the index of the kind of each; half of them have a decoy that means nothing."""
    tokens = rng.integers(0, 4, (count, LENGTH)).astype(np.uint8)
    which = rng.integers(0, len(kinds), count)
    placed = []
    for k in range(count):
        mine = sites(rng, kinds[which[k]])
        if rng.random() < 0.5:
            starts = [s for s in range(LENGTH - WIDTH + 1) if all(abs(s - site[1]) >= WIDTH for site in mine)]
            if starts:
                write(rng, tokens[k], [(2, int(rng.choice(starts)), int(1 - 2 * rng.integers(0, 2)))], own)
        write(rng, tokens[k], mine, own)
        placed.append(mine)
    return tokens, placed, which


def write(rng: np.random.Generator, row: np.ndarray, mine: list[Site], own: list[Motif]) -> None:
    """Write sites into a sequence."""
    for motif, start, strand in mine:
        cumulative = own[motif].probabilities.cumsum(1)
        word = (rng.random((WIDTH, 1)) > cumulative[:, :-1]).sum(1)
        row[start : start + WIDTH] = word if strand > 0 else 3 - word[::-1]


def parameters(rng: np.random.Generator, pooled: bool) -> dict[str, Any]:
    """Return random weights of a network."""
    windows = (LENGTH - KERNEL + 1) // POOL
    shapes = {"conv": (KERNEL, 4, FILTERS)}
    shapes |= {"span": (SPAN, FILTERS, HIDDEN)} if pooled else {"dense": (windows * FILTERS, HIDDEN)}
    shapes |= {"last": (HIDDEN, HIDDEN), "head": (HIDDEN, 1)}
    return {
        name: {
            "kernel": jnp.asarray(rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1])), jnp.float32),
            "bias": jnp.zeros(shape[-1]),
        }
        for name, shape in shapes.items()
    }


def features(params: Any, one_hot: jax.Array) -> jax.Array:
    """Return the features of one sequence: convolution, max-pooling of 3, then a second convolution and its maxima over
    all positions ("pooled"), or a dense layer with weights of every position, then a dense layer."""
    short = _pool(_convolution(params["conv"], one_hot), POOL)
    if "span" in params:
        wide = _convolution(params["span"], short)
        hidden = _pool(wide, wide.shape[0]).reshape(-1)
    else:
        hidden = jax.nn.relu(_dense(params["dense"], short.reshape(-1)))
    return jax.nn.relu(_dense(params["last"], hidden))


def _convolution(layer: Any, rows: jax.Array) -> jax.Array:
    found = jax.lax.conv_general_dilated(
        rows[None], layer["kernel"], (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
    )
    return jax.nn.relu(found + layer["bias"])[0]


def _pool(rows: jax.Array, width: int) -> jax.Array:
    return nnx.max_pool(rows[None], (width,), strides=(width,))[0]


def _dense(layer: Any, values: jax.Array) -> jax.Array:
    return values @ layer["kernel"] + layer["bias"]


def features_in_training(params: Any, one_hot: jax.Array) -> jax.Array:
    """Return the same features of one sequence, by products and maxima that XLA differentiates fast on a CPU."""
    layer = params["conv"]
    found = jax.nn.relu(_convolved(one_hot, layer["kernel"]) + layer["bias"])
    windows = found.shape[0] // POOL
    short = found[: windows * POOL].reshape(windows, POOL, -1).max(1)
    if "span" in params:
        hidden = jax.nn.relu(_convolved(short, params["span"]["kernel"]) + params["span"]["bias"]).max(0)
    else:
        hidden = jax.nn.relu(_dense(params["dense"], short.reshape(-1)))
    return jax.nn.relu(_dense(params["last"], hidden))


def _convolved(rows: jax.Array, kernel: jax.Array) -> jax.Array:
    width, channels, filters = kernel.shape
    starts = rows.shape[0] - width + 1
    windows = jnp.stack([rows[k : k + starts] for k in range(width)], 1).reshape(starts, width * channels)
    return windows @ kernel.reshape(width * channels, filters)


def outputs(params: Any, tokens: np.ndarray) -> np.ndarray:
    """Return the log-ratio of the classes."""
    return np.asarray(_outputs(params, jnp.asarray(tokens, jnp.int32)))


@jax.jit
def _outputs(params: Any, tokens: jax.Array) -> jax.Array:
    hidden = jax.vmap(features_in_training, in_axes=(None, 0))(params, jax.nn.one_hot(tokens, 4))
    return (hidden @ params["head"]["kernel"] + params["head"]["bias"])[:, 0]


@functools.cache
def _epoch(steps: int, rate: float) -> tuple[Any, Callable[..., Any]]:
    schedule = optax.warmup_cosine_decay_schedule(0.0, rate, steps // 20, steps)
    optimizer = optax.adamw(schedule, weight_decay=1e-3)

    def loss(params: Any, tokens: jax.Array, labels: jax.Array) -> jax.Array:
        return optax.sigmoid_binary_cross_entropy(_outputs(params, tokens), labels).mean()

    @jax.jit
    def epoch(params: Any, moments: Any, tokens: jax.Array, labels: jax.Array) -> Any:
        def step(state: Any, batch: Any) -> Any:
            params, moments = state
            value, gradient = jax.value_and_grad(loss)(params, *batch)
            updates, moments = optimizer.update(gradient, moments, params)
            return (optax.apply_updates(params, updates), moments), value

        return jax.lax.scan(step, (params, moments), (tokens, labels))

    return optimizer, epoch


def train(
    rng: np.random.Generator, tokens: np.ndarray, labels: np.ndarray, *, pooled: bool, epochs: int, batch: int = 64
) -> Any:
    """Return the weights after some epochs of AdamW."""
    steps = epochs * (len(tokens) // batch)
    optimizer, epoch = _epoch(steps, 3e-3)
    params = parameters(rng, pooled)
    moments = optimizer.init(params)
    for _ in range(epochs):
        order = rng.permutation(len(tokens))[: len(tokens) // batch * batch].reshape(-1, batch)
        given = jnp.asarray(tokens[order], jnp.int32), jnp.asarray(labels[order], jnp.float32)
        (params, moments), _ = epoch(params, moments, *given)
    return params


def network(params: Any) -> jme.Representation:
    """Return a network for the sampler and for attributions; its output is the log-ratio of the classes."""
    return jme.Representation(features, params, params["head"]["kernel"], jme.DNA)
