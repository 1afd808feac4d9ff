"""Small networks with the layers of modern architectures, and random weights.

Each has one way of writing a layer that ends the windows of a simple incremental evaluation: pooling by a reshape, both
strands as a batch, loops over layers, look-ups, normalization over the sequence. They have the form of
`networks.NETWORKS`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from networks import LETTERS, Network

LENGTH, CHANNELS = 768, 64


class Weights:
    """Draws weights on the first call of a layer; all later calls get the same ones, in the same order."""

    def __init__(self, drawn: list[Any] | None = None) -> None:
        self._rng = np.random.default_rng(0)
        self.arrays: list[Any] = [] if drawn is None else drawn
        self._drawn, self._next = drawn is not None, 0

    def __call__(self, *shape: int) -> Any:
        if not self._drawn:
            self.arrays.append(np.float32(self._rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))))
        self._next += 1
        return self.arrays[self._next - 1]


def conv(w: Weights, x: Any, width: int, filters: int, groups: int = 1, dilation: int = 1) -> jax.Array:
    kernel = w(width, x.shape[-1] // groups, filters)
    how = {"feature_group_count": groups, "rhs_dilation": (dilation,), "dimension_numbers": ("NWC", "WIO", "NWC")}
    return lax.conv_general_dilated(x[None], kernel, (1,), "SAME", **how)[0]


def dense(w: Weights, x: Any, units: int) -> jax.Array:
    return x @ w(x.shape[-1], units)


def softmax_pool(w: Weights, x: Any) -> jax.Array:
    pieces = x.reshape(-1, 2, x.shape[-1])
    return jnp.sum(pieces * jax.nn.softmax(dense(w, pieces, x.shape[-1]), axis=1), axis=1)


def attention(w: Weights, x: Any, heads: int = 4) -> jax.Array:
    """Return a transformer block: attention and two dense layers, each with its residual."""
    length, units = x.shape
    q, k, v = (dense(w, x, units).reshape(length, heads, -1) for _ in range(3))
    scores = jax.nn.softmax(jnp.einsum("lhd,mhd->hlm", q, k) / np.sqrt(units / heads), axis=-1)
    x = x + dense(w, jnp.einsum("hlm,mhd->lhd", scores, v).reshape(length, units), units)
    return x + dense(w, jax.nn.relu(dense(w, x, 2 * units)), units)


def enformer_tower(w: Weights, x: Any, pools: int = 6) -> jax.Array:
    x = conv(w, x, 15, CHANNELS)
    for block in range(pools):
        x = x if block == 0 else conv(w, jax.nn.gelu(x), 5, CHANNELS)
        x = softmax_pool(w, x + conv(w, jax.nn.gelu(x), 1, CHANNELS))
    return x.reshape(-1)


def enformer(w: Weights, x: Any) -> jax.Array:
    return attention(w, enformer_tower(w, x, 5).reshape(-1, CHANNELS)).mean(0)


def patches(w: Weights, x: Any) -> jax.Array:
    """Return a patch embedding of 6 letters, two convolutions and a dense layer."""
    x = dense(w, x.reshape(-1, 6 * LETTERS), 2 * CHANNELS)
    for _ in range(2):
        x = jax.nn.gelu(conv(w, x, 5, 2 * CHANNELS))
    return dense(w, x.reshape(-1), 100)


def kmers(w: Weights, x: Any) -> jax.Array:
    """Return k-mers unfolded as shifted copies, then two convolutions and a dense layer."""
    unfolded = jnp.stack([x[i : len(x) - 5 + i] for i in range(6)], axis=1).reshape(-1, 6 * LETTERS)
    x = jax.nn.relu(dense(w, unfolded, CHANNELS))
    for _ in range(2):
        x = jax.nn.relu(conv(w, x, 5, CHANNELS))
    return dense(w, x.reshape(-1), 16)


def u_net(w: Weights, x: Any) -> jax.Array:
    """Return three levels down and up again, by `repeat`, joined with what was on the way down."""
    down = []
    for _ in range(3):
        x = jax.nn.relu(conv(w, x, 5, CHANNELS))
        down.append(x)
        x = x.reshape(-1, 2, CHANNELS).max(1)
    x = jax.nn.relu(conv(w, x, 5, CHANNELS))
    for before in reversed(down):
        x = jnp.concatenate([jnp.repeat(x, 2, axis=0), before], axis=1)
        x = jax.nn.relu(conv(w, x, 5, CHANNELS))
    return x.mean(0)


def shared_scan(w: Weights, x: Any) -> jax.Array:
    """Return one convolution that is applied six times by a loop."""
    x, kernel = conv(w, x, 9, CHANNELS), w(5, CHANNELS, CHANNELS)
    how: dict[str, Any] = {"padding": "SAME", "dimension_numbers": ("NWC", "WIO", "NWC")}

    def turn(_: Any, x: jax.Array) -> jax.Array:
        return x + jax.nn.relu(lax.conv_general_dilated(x[None], kernel, (1,), **how)[0])

    return lax.fori_loop(0, 6, turn, x).mean(0)


def squeeze_excite(w: Weights, x: Any) -> jax.Array:
    """Return an inverted bottleneck with squeeze and excite, and pooling."""
    x = jax.nn.silu(conv(w, x, 15, CHANNELS))
    wide = jax.nn.silu(conv(w, x, 1, 2 * CHANNELS))
    wide = jax.nn.silu(conv(w, wide, 9, 2 * CHANNELS, groups=2 * CHANNELS))
    gate = jax.nn.sigmoid(dense(w, jax.nn.silu(dense(w, wide.mean(0), 16)), 2 * CHANNELS))
    return (x + conv(w, wide * gate, 1, CHANNELS)).mean(0)


def strands(w: Weights, x: Any) -> jax.Array:
    """Return both strands as a batch through two convolutions, pooling and a dense layer."""
    x = jnp.stack([x, x[::-1, ::-1]])
    for width in (15, 7):
        kernel = w(width, x.shape[-1], CHANNELS)
        x = jax.nn.relu(lax.conv_general_dilated(x, kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")))
    x = x.reshape(2, -1, 8, CHANNELS).max(2)
    return dense(w, x.reshape(2, -1), 100).mean(0)


def global_max(w: Weights, x: Any) -> jax.Array:
    x = jax.nn.relu(conv(w, x, 15, CHANNELS))
    return jax.nn.relu(conv(w, x, 7, CHANNELS)).max(0)


def group_norm(w: Weights, x: Any) -> jax.Array:
    """Return two convolutions, groups of channels normalized over the sequence, and their mean."""
    x = conv(w, jax.nn.relu(conv(w, x, 15, CHANNELS)), 7, CHANNELS).reshape(-1, 8, CHANNELS // 8)
    x = (x - x.mean((0, 2), keepdims=True)) * lax.rsqrt(x.var((0, 2), keepdims=True) + 1e-3)
    return jax.nn.relu(x).reshape(-1, CHANNELS).mean(0)


def recurrent(w: Weights, x: Any) -> jax.Array:
    """Return two convolutions, pooling by 8 and a recurrent layer."""
    x = jax.nn.relu(conv(w, jax.nn.relu(conv(w, x, 15, CHANNELS)), 7, CHANNELS)).reshape(-1, 8, CHANNELS).max(1)
    kernel = 0.3 * w(CHANNELS, CHANNELS)
    return lax.scan(lambda carry, row: (jnp.tanh(carry @ kernel + row), None), jnp.zeros(CHANNELS), x)[0]


def made(layers: Callable[[Weights, Any], jax.Array], length: int = LENGTH) -> Network:
    """Return a network of layers with weights."""
    weights = Weights()
    jax.eval_shape(lambda x: layers(weights, x), jax.ShapeDtypeStruct((length, LETTERS), jnp.float32))
    return Network(lambda w, x: layers(Weights(w), x), weights.arrays, length, (layers.__doc__ or "").strip())


MODERN = {
    layers.__name__: layers
    for layers in (
        enformer_tower, enformer, patches, kmers, u_net, shared_scan, squeeze_excite, strands, global_max, group_norm,
        recurrent,
    )
}  # fmt: skip
