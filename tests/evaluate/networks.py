"""Small networks that together use every rule, each a pure function of its weights and one one-hot sequence."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

LETTERS = 4


@dataclasses.dataclass(frozen=True)
class Case:
    """A network and what is expected of its windows.

    Attributes:
        features: `features(weights, one_hot[length, letters]) -> [features]`.
        length: letters of a sequence.
        tight: whether every position within a reach is seen to change, so that no window is wider than it must be.
        stops: the operations that are to stop the windows.
    """

    features: Callable[[Any, Any], Any]
    length: int = 24
    tight: bool = False
    stops: tuple[str, ...] = ()


def weight(*shape, seed=0):
    """Weights that depend on nothing but their shape and a seed; about 1 / √inputs."""
    rng = np.random.default_rng([seed, *shape])
    scale = np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 1
    return (rng.normal(size=shape) / scale).astype(np.float64 if jax.config.jax_enable_x64 else np.float32)


def conv(x, width, filters, *, stride=1, padding="VALID", dilation=1, base=1, groups=1, seed=0):
    """A convolution of [length, channels], batch first and channels last inside."""
    kernel = weight(width, x.shape[-1] // groups, filters, seed=seed)
    out = lax.conv_general_dilated(
        x[None].astype(kernel.dtype),
        kernel,
        (stride,),
        padding,
        lhs_dilation=(base,),
        rhs_dilation=(dilation,),
        feature_group_count=groups,
        dimension_numbers=("NWC", "WIO", "NWC"),
    )
    return out[0] + weight(1, filters)


def dense(x, units, seed=0):
    """A dense layer on the last axis."""
    kernel = weight(x.shape[-1], units, seed=seed)
    return x.astype(kernel.dtype) @ kernel + weight(*[1] * (x.ndim - 1), units)


def flat(x, units=3):
    """Flatten and a dense layer."""
    return dense(x.reshape(-1), units)


def pool(x, kind, width, stride, padding="VALID"):
    """Pooling of [length, channels]."""
    if kind == "min":
        return lax.reduce_window(x, jnp.inf, lax.min, (width, 1), (stride, 1), padding)
    how = {"max": nnx.max_pool, "avg": nnx.avg_pool}[kind]
    return how(x[None], (width,), strides=(stride,), padding=padding)[0]


def norm(x, seed=0):
    """Batch norm as it is in inference."""
    scale, bias, mean = (weight(1, x.shape[-1], seed=seed + i) for i in range(3))
    variance = jnp.exp(weight(1, x.shape[-1], seed=seed + 3))
    return (x - mean) * (scale * lax.rsqrt(variance + 1e-3)) + bias


def published(w, x):
    return jax.nn.relu(flat(jax.nn.relu(conv(x, 5, 3))))


def channels_first(w, x):
    kernel = weight(4, LETTERS, 5)
    out = lax.conv_general_dilated(
        x.T[None].astype(kernel.dtype), kernel, (1,), [(2, 1)], dimension_numbers=("NCW", "WIO", "NCW")
    )
    out = lax.reduce_window(jnp.tanh(out), -jnp.inf, lax.max, (1, 1, 2), (1, 1, 2), "VALID")
    return out.reshape(-1) @ weight(out.size, 3)


def letters_axis(w, x):
    """The letters as a spatial axis that the kernel covers."""
    kernel = weight(5, LETTERS, 1, 3)
    out = lax.conv_general_dilated(
        x[None, :, :, None].astype(kernel.dtype), kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return flat(jnp.tanh(out[0, :, 0]))


def causal(w, x):
    h = jnp.tanh(conv(jnp.pad(x, ((2, 0), (0, 0))), 3, 4))
    return flat(jnp.tanh(conv(jnp.pad(h, ((4, 0), (0, 0))), 3, 3, dilation=2)))


def residual(w, x):
    h = jnp.tanh(conv(x, 3, 4, padding="SAME"))
    h = h + jnp.tanh(conv(h, 3, 4, padding="SAME", dilation=2))
    cropped = h[2:-2]
    return flat(cropped + jnp.tanh(conv(h, 3, 4, dilation=2)))


def dilated(w, x):
    """Residual layers whose windows grow until they fill the sequence."""
    h = conv(x, 3, 6, padding="SAME")
    for exponent in range(4):
        h = h + jnp.maximum(conv(h, 3, 6, padding="SAME", dilation=2**exponent), 0)
    return h.mean(0)


def concatenated(w, x):
    a, b = conv(x, 3, 2, padding="SAME"), conv(x, 5, 3, padding="SAME", seed=1)
    return flat(jnp.tanh(conv(jnp.concatenate([a, b], axis=1), 2, 2)))


def strands(w, x):
    """Both strands through the same layers, summed."""

    def branch(x):
        return jnp.tanh(conv(jnp.tanh(conv(x, 4, 3)), 3, 2))

    return flat(branch(x) + branch(x[::-1, ::-1])[::-1]) + jnp.sum(branch(x[::-1][:, jnp.array([3, 2, 1, 0])]), 0)[:1]


def mirrored(w, x):
    """A union of two windows far apart."""
    h = jnp.tanh(conv(x, 3, 3))
    return flat(jnp.tanh(conv(h + h[::-1], 3, 2)))


def joined(w, x):
    """Two strands one behind the other along the sequence, with something constant between them."""
    h = jnp.concatenate([x, jnp.full((3, LETTERS), 0.25, x.dtype), x[::-1, ::-1]], axis=0)
    return flat(jnp.tanh(conv(h, 4, 2)))


def embedded(w, x):
    h = jnp.take(weight(LETTERS, 5), jnp.argmax(x, -1), axis=0)
    return flat(jnp.tanh(conv(h, 4, 3)))


def averaged(w, x):
    return dense(jnp.mean(jax.nn.gelu(conv(x, 5, 4)), axis=0), 3)


def globally_pooled(w, x):
    h = jnp.tanh(conv(x, 5, 4))
    return pool(h, "avg", h.shape[0], 1)[0]


def globally_max(w, x):
    return dense(jnp.max(jnp.tanh(conv(x, 5, 4)), axis=0), 3)


def attention(w, x):
    h = jnp.tanh(conv(x, 3, 4))
    scores = jax.nn.softmax(h @ h.T, axis=-1)
    return jnp.mean(scores @ h, axis=0)


def sequence_norm(w, x):
    h = conv(x, 3, 4)
    return flat((h - h.mean(0, keepdims=True)) / jnp.sqrt(h.var(0, keepdims=True) + 1e-3))


def channel_norm(w, x):
    h = conv(x, 3, 4)
    h = (h - h.mean(-1, keepdims=True)) * lax.rsqrt(h.var(-1, keepdims=True) + 1e-3)
    return flat(jax.nn.softmax(h, axis=-1))


def recurrent(w, x):
    h = conv(x, 3, 3)
    kernel = weight(3, 3)
    last, _ = lax.scan(lambda carry, row: (jnp.tanh(carry @ kernel + row), None), jnp.zeros(3, h.dtype), h)
    return last


def wrapped(w, x):
    @jax.custom_vjp
    def inner(h):
        return jnp.tanh(h)

    inner.defvjp(lambda h: (inner(h), h), lambda h, g: (g,))
    h = jax.checkpoint(lambda x: jax.jit(jax.nn.silu)(conv(x, 4, 3)))(x)
    return flat(inner(jax.nn.relu(h)))


def separable(w, x):
    h = conv(conv(x, 3, 8, padding="SAME", groups=2), 5, 8, groups=8, padding="SAME")
    return flat(jnp.tanh(dense(h, 3)))


def gated(w, x):
    a, b = jnp.split(conv(x, 3, 6), 2, axis=1)
    first, second = jnp.split(a * jax.nn.sigmoid(b), 2, axis=0)
    return flat(first - second)


def stacked(w, x):
    """The sequence as a batch axis, and tensor products over two axes at once."""
    h = jnp.tanh(conv(x, 3, 6)).reshape(22, 2, 3)
    h = jnp.einsum("lij,lik->ljk", h, h * 0.5) + jnp.einsum("lij,ijk->lk", h, weight(2, 3, 3))[:, None]
    return jnp.tensordot(h, weight(22, 3, 3, 2), axes=3)


def early_flat(w, x):
    """Operations on the flattened value before the dense layer."""
    h = conv(x, 3, 2).reshape(-1)
    return jnp.tanh(h * weight(h.size) + 1).reshape(1, -1)[0] @ weight(h.size, 2)


def weights_left(w, x):
    h = jnp.tanh(conv(x, 3, 2))
    return weight(3, h.shape[0]) @ jnp.tanh(weight(2, 2) @ h.T).T @ weight(2)


def running(w, x):
    return flat(jnp.tanh(jnp.cumsum(conv(x, 3, 3), axis=-1)))


def running_sequence(w, x):
    return flat(jnp.tanh(jnp.cumsum(conv(x, 3, 3), axis=0)))


def all_flat(w, x):
    """The representation is the flattened convolution itself."""
    return jnp.tanh(conv(x, 4, 2)).reshape(-1)


def deep(w, x):
    """Two blocks of convolution, norm and pooling with a remainder, and two dense layers."""
    h = pool(jax.nn.relu(norm(conv(x, 5, 4, padding="SAME"))), "max", 3, 3)
    h = pool(jax.nn.relu(norm(conv(h, 3, 4, padding="SAME", seed=1), 9)), "max", 2, 2)
    return jax.nn.relu(dense(jax.nn.relu(flat(h, 5)), 4, seed=3))


def of_weights(w, x):
    """The weights are arguments, as for another checkpoint of the same network."""
    h = lax.conv_general_dilated(x[None], w["kernel"], (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))[0]
    return jnp.tanh(h).reshape(-1) @ w["dense"]


def conv_case(length=24, **how):
    return Case(lambda w, x: flat(jnp.tanh(conv(jnp.tanh(conv(x, 3, 4)), 4, 3, **how))), length, tight=True)


def first_conv_case(length=24, **how):
    return Case(lambda w, x: flat(jnp.tanh(conv(x, 4, 3, **how))), length, tight=True)


def pool_case(kind, *how, length=26):
    return Case(lambda w, x: flat(jnp.tanh(conv(pool(jnp.tanh(conv(x, 3, 4)), kind, *how), 2, 3))), length)


CASES = {
    "published": Case(published),
    "deep": Case(deep, 40),
    "channels first": Case(channels_first),
    "letters axis": Case(letters_axis),
    "conv same": conv_case(padding="SAME"),
    "conv wide padding": conv_case(padding=[(6, 5)]),
    "conv dilated": conv_case(dilation=3),
    "conv strided": conv_case(stride=2, length=41),
    "conv strided same": conv_case(stride=3, padding="SAME", length=60),
    "conv transposed": conv_case(base=2, padding=[(3, 2)]),
    "conv cropped": conv_case(padding=[(-2, -1)]),
    "first conv strided": first_conv_case(stride=2, padding="SAME"),
    "first conv dilated": first_conv_case(dilation=2, stride=2, padding=[(3, 1)]),
    "max pool": pool_case("max", 3, 3),
    "max pool overlapping same": pool_case("max", 3, 2, "SAME"),
    "average pool same": pool_case("avg", 4, 2, "SAME"),
    "min pool": pool_case("min", 2, 1),
    "causal": Case(causal, tight=True),
    "residual": Case(residual, 30),
    "dilated": Case(dilated, 30),
    "concatenated": Case(concatenated),
    "strands": Case(strands),
    "mirrored": Case(mirrored, 40),
    "joined": Case(joined),
    "embedded": Case(embedded),
    "averaged": Case(averaged),
    "global average": Case(globally_pooled),
    "global max": Case(globally_max, stops=("reduce_max",)),
    "attention": Case(attention, stops=("dot_general",)),
    "sequence norm": Case(sequence_norm),
    "channel norm": Case(channel_norm),
    "recurrent": Case(recurrent, stops=("scan",)),
    "wrapped": Case(wrapped),
    "separable": Case(separable),
    "gated": Case(gated),
    "stacked": Case(stacked),
    "early flat": Case(early_flat),
    "weights left": Case(weights_left),
    "running": Case(running),
    "running sequence": Case(running_sequence, stops=("cumsum",)),
    "all flat": Case(all_flat),
    "dense only": Case(lambda w, x: flat(x)),
}
