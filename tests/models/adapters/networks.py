"""The same small network in several frameworks: convolution, batch norm, dropout, pooling, and two outputs."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

LENGTH, LETTERS, CHANNELS, HIDDEN, UNITS = 12, 4, 6, 5, 3


def one_hots(sequences: int = 4, *, length: int = LENGTH, seed: int = 3) -> np.ndarray:
    """Return random one-hot sequences, float32, shape [sequences, length, 4]."""
    tokens = np.random.default_rng(seed).integers(LETTERS, size=(sequences, length))
    return np.eye(LETTERS, dtype=np.float32)[tokens]


class Linen(nn.Module):
    """Two outputs: classes by softmax, and a number by a sigmoid."""

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.Conv(CHANNELS, (5,), name="conv")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, name="norm")(x))
        x = nn.max_pool(x, (2,), (2,)).reshape(x.shape[0], -1)
        x = nn.Dropout(0.5, deterministic=not train)(nn.relu(nn.Dense(HIDDEN, name="hidden")(x)))
        return {"classes": nn.softmax(nn.Dense(UNITS, name="classes")(x)), "number": nn.sigmoid(nn.Dense(1)(x))}


@functools.cache
def linen() -> tuple[nn.Module, dict]:
    """Return the module and its variables, with running averages of their own."""
    module = Linen()
    variables = jax.jit(module.init, static_argnames="train")(jax.random.key(0), one_hots(), train=False)
    statistics = jax.tree.map(lambda a: a + jnp.linspace(0.1, 0.5, a.size), variables["batch_stats"])
    return module, {**variables, "batch_stats": statistics}


class NNX(nnx.Module):
    """One block inside another module."""

    def __init__(self, rngs: nnx.Rngs):
        self.conv = nnx.Conv(LETTERS, CHANNELS, (5,), rngs=rngs)
        self.norm = nnx.BatchNorm(CHANNELS, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.hidden = nnx.Linear(CHANNELS * LENGTH // 2, HIDDEN, rngs=rngs)
        self.classes = nnx.Linear(HIDDEN, UNITS, rngs=rngs)
        self.number = nnx.Linear(HIDDEN, 1, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.conv(x)))
        x = nnx.max_pool(x, (2,), (2,)).reshape(x.shape[0], -1)
        x = self.dropout(nnx.relu(self.hidden(x)))
        return nnx.softmax(self.classes(x)), nnx.sigmoid(self.number(x))


def in_nnx() -> nnx.Module:
    """Return the module in training mode, after a batch has moved its running averages."""
    module = NNX(nnx.Rngs(0))
    module(jnp.asarray(one_hots(8)))
    return module
