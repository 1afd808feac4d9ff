"""Small networks that together use every rule, each a pure function of its weights and one one-hot sequence."""

import dataclasses
import functools
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
        slow: whether its test runs with the slow ones, because it takes long or tests little that others do not.
    """

    features: Callable[[Any, Any], Any]
    length: int = 24
    tight: bool = False
    slow: bool = False


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


def softmax_pool(x, width=2, seed=0):
    """Pooling by learned weights that sum to 1 over each piece of a reshape."""
    pieces = x.reshape(-1, width, x.shape[-1])
    weights = jax.nn.softmax(dense(pieces, x.shape[-1], seed=seed), axis=1)
    return jnp.sum(pieces * weights, axis=1)


def tower(w, x):
    """Convolutions, each with a residual pointwise layer and softmax pooling by reshape."""
    h = conv(x, 15, 16, padding="SAME")
    for seed in range(5):
        h = h + conv(jax.nn.gelu(norm(h, seed)), 1, 16, seed=seed)
        h = softmax_pool(h, seed=seed)
        h = conv(jax.nn.gelu(norm(h, seed)), 5, 16, padding="SAME", seed=10 + seed)
    return flat(h)


def heads(x, units, number, seed=0):
    """Attention with several heads, and its residual."""
    q, k, v = (dense(x, units, seed=seed + i).reshape(x.shape[0], number, -1) for i in range(3))
    scores = jax.nn.softmax(jnp.einsum("lhd,mhd->hlm", q, k) / np.sqrt(q.shape[-1]), axis=-1)
    return x + dense(jnp.einsum("hlm,mhd->lhd", scores, v).reshape(x.shape[0], -1), x.shape[-1], seed=seed + 3)


def transformer(w, x):
    """The tower with attention behind it."""
    h = conv(x, 15, 16, padding="SAME")
    for seed in range(3):
        h = softmax_pool(h, seed=seed)
        h = conv(jax.nn.gelu(norm(h, seed)), 5, 16, padding="SAME", seed=10 + seed)
    return heads(h, 16, 2).mean(0)


def patches(w, x, size=4):
    """Patch embedding: the letters of a piece become the channels of one position."""
    h = jax.nn.gelu(dense(x.reshape(x.shape[0] // size, -1), 16))
    return flat(jnp.tanh(conv(h, 3, 8)))


def kmers(w, x, k=5):
    """Shifted copies side by side, as k-mers."""
    stacked = jnp.stack([x[i : len(x) - k + 1 + i] for i in range(k)], axis=1)
    h = jnp.tanh(dense(stacked.reshape(len(stacked), -1), 8))
    return flat(jnp.tanh(conv(h, 3, 4)))


def kmers_looked_up(w, x, k=5):
    at = jnp.arange(len(x) - k + 1)[:, None] + jnp.arange(k)[None]
    return flat(jnp.tanh(conv(jnp.tanh(jnp.einsum("lkc,kcf->lf", x[at], weight(k, LETTERS, 8))), 3, 4)))


def kmers_sliced(w, x, k=5):
    rows = jax.vmap(lambda i: lax.dynamic_slice(x, (i, 0), (k, LETTERS)))(jnp.arange(len(x) - k + 1))
    return flat(jnp.tanh(dense(rows.reshape(len(rows), -1), 8)))


def of_batch(x, seed=0):
    """A small network of a batch of sequences [batch, length, channels]."""
    kernels = weight(7, LETTERS, 8, seed=seed), weight(5, 8, 8, seed=seed)
    for kernel in kernels:
        x = jnp.tanh(
            lax.conv_general_dilated(
                x.astype(kernel.dtype), kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
            )
        )
    return x


def strands_stacked(w, x):
    """Both strands as a batch."""
    h = of_batch(jnp.stack([x, x[::-1, ::-1]]))
    return flat(h[0] + h[1, ::-1])


def strands_unstacked(w, x):
    first, second = jnp.unstack(of_batch(jnp.stack([x, x[::-1, ::-1]])))
    return flat(first + second[::-1])


def strands_mapped(w, x):
    h = lax.map(lambda one: of_batch(one[None])[0], jnp.stack([x, x[::-1, ::-1]]))
    return flat(jnp.max(h * jnp.array([1.0, 0.5])[:, None, None], axis=0))


def strands_vmapped(w, x):
    return flat(jax.vmap(lambda one: jnp.tanh(conv(one, 5, 4)))(jnp.stack([x, x[::-1, ::-1]])).mean(0))


def tiled(w, x):
    """The sequence twice, one behind the other."""
    return flat(jnp.tanh(conv(jnp.tile(x, (2, 1)), 4, 3)))


def ring(w, x):
    """A circular sequence, by roll and by wrapped padding."""
    h = jnp.tanh(conv(jnp.pad(x, ((2, 2), (0, 0)), mode="wrap"), 5, 4))
    return flat(h * 0.5 + jnp.roll(h, 3, axis=0))


def padded(w, x, mode="edge"):
    h = jnp.tanh(conv(jnp.pad(x, ((2, 2), (0, 0)), mode=mode), 5, 4))
    return flat(jnp.tanh(conv(jnp.pad(h, ((1, 1), (0, 0)), mode=mode), 3, 4)))


def u_net(w, x, up="repeat"):
    """Two levels down and up again, joined with what was on the way down."""
    first = jax.nn.relu(conv(x, 5, 8, padding="SAME"))
    second = jax.nn.relu(conv(pool(first, "max", 2, 2), 5, 8, padding="SAME", seed=1))
    third = jax.nn.relu(conv(pool(second, "max", 2, 2), 5, 8, padding="SAME", seed=2))

    def doubled(h):
        if up == "repeat":
            return jnp.repeat(h, 2, axis=0)
        if up == "take":
            return jnp.take(h, jnp.arange(2 * len(h)) // 2, axis=0)
        return jax.image.resize(h, (2 * len(h), h.shape[1]), up)

    second = jax.nn.relu(conv(jnp.concatenate([doubled(third), second], axis=1), 3, 8, padding="SAME", seed=3))
    first = jax.nn.relu(conv(jnp.concatenate([doubled(second), first], axis=1), 3, 8, padding="SAME", seed=4))
    return flat(first)


def edited_inside(w, x):
    """Slices and writes at fixed places."""
    h = jnp.tanh(conv(x, 3, 4))
    h = h.at[3:5].set(0.5).at[jnp.array([7, 2])].add(1.0).at[6:8].add(2.0)
    h = lax.dynamic_update_slice(h, h[:3] * 2, (9, 0))
    return flat(jnp.tanh(conv(lax.dynamic_slice(h, (2, 0), (len(h) - 4, 4)), 3, 3)))


def segments(w, x):
    """Sums over pieces of different lengths."""
    h = jnp.tanh(conv(x, 3, 4, padding="SAME"))
    pieces = np.sort(np.random.default_rng(0).integers(0, len(x) // 4, len(x)))
    return flat(jnp.tanh(jax.ops.segment_sum(h, jnp.asarray(pieces), num_segments=len(x) // 4)))


def one_position(w, x):
    """The middle of the sequence alone, and its ends."""
    h = jnp.tanh(conv(x, 5, 6, padding="SAME"))
    return jnp.concatenate([h[len(x) // 2], h[0] + h[-1], jnp.concatenate([h[0:1], h[: len(x) - 1]]).sum(0)])


def scan_shared(w, x):
    """The same convolution again and again, as a loop."""
    h = conv(x, 5, 8, padding="SAME")
    return flat(lax.fori_loop(0, 3, lambda i, h: h + jnp.tanh(conv(h, 3, 8, padding="SAME")), h))


def scan_layers(w, x):
    """Layers with weights of their own, as a scan over the weights, with what each layer gives beside it."""
    kernels = weight(3, 3, 6, 6)

    def layer(h, kernel):
        out = lax.conv_general_dilated(
            h[None].astype(kernel.dtype), kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
        )[0]
        return jnp.tanh(out), out.sum(0)

    h, sums = lax.scan(layer, conv(x, 5, 6, padding="SAME"), kernels, reverse=True)
    return flat(h) + sums.sum()


def while_layers(w, x):
    h = conv(x, 5, 6, padding="SAME")
    turns = lambda c: c[0] < 2  # noqa: E731
    return flat(lax.while_loop(turns, lambda c: (c[0] + 1, jnp.tanh(conv(c[1], 3, 6, padding="SAME"))), (0, h))[1])


def chosen(w, x):
    """A branch that is known, and a function with a rule of its own for batches."""
    own = jax.custom_batching.custom_vmap(jnp.tanh)
    own.def_vmap(lambda size, batched, h: (jnp.tanh(h), batched[0]))
    h = lax.cond(len(x) > 3, lambda h: own(conv(h, 5, 4)), lambda h: conv(h, 5, 4), x)
    return flat(h)


def by_position(w, x):
    """A function of each position, mapped over the sequence by a loop."""
    return flat(lax.map(lambda row: jnp.tanh(row @ weight(4, 3)), jnp.tanh(conv(x, 5, 4))))


def best_hits(w, x):
    """The largest values along the sequence, with their places."""
    h = jnp.tanh(conv(x, 5, 4))
    values, at = lax.top_k((h + 1e-3 * jnp.arange(len(h))[:, None]).T, 3)  # no two values are equal
    return flat(values) + 0.1 * (at % 7).sum()


def sorted_channels(w, x):
    h = jnp.tanh(conv(x, 3, 5))
    return flat(jnp.sort(h, axis=1)) + flat(lax.top_k(h, 2)[0])


def max_of_all(w, x):
    """The largest value of all positions and channels, by pooling and by reduction."""
    h = jnp.tanh(conv(x, 5, 4))
    return jnp.concatenate([pool(h, "max", h.shape[0], 1)[0], jnp.max(h)[None], -jnp.min(h, axis=0)])


def logsumexp_pool(w, x):
    """A pooling that is no maximum, minimum or sum."""
    h = jnp.exp(conv(x, 3, 4))
    h = lax.reduce_window(h, jnp.ones((), h.dtype), lambda a, b: a * b, (3, 1), (2, 1), "SAME")
    return flat(jnp.log(h))


def excited(h, units, seed=0):
    """Squeeze and excite: channels are scaled by what their means over the sequence say."""
    gate = jax.nn.sigmoid(dense(jax.nn.relu(dense(h.mean(0), units, seed=seed)), h.shape[-1], seed=seed))
    return h * gate[None]


def squeeze_excite(w, x):
    """An inverted bottleneck with squeeze and excite, and a mean over the sequence."""
    h = jax.nn.silu(norm(conv(x, 15, 16, padding="SAME")))
    wide = jax.nn.silu(norm(conv(h, 1, 32), 3))
    wide = jax.nn.silu(norm(conv(wide, 7, 32, padding="SAME", groups=32), 5))
    return dense((h + conv(excited(wide, 4), 1, 16)).mean(0), 3)


def excited_mean(w, x):
    return dense(excited(jax.nn.relu(conv(x, 9, 12)), 4).mean(0), 3)


def group_norm(w, x):
    """Normalization of groups of channels over the sequence."""
    h = conv(x, 7, 8)
    grouped = h.reshape(len(h), 2, 4)
    mean, variance = grouped.mean((0, 2), keepdims=True), grouped.var((0, 2), keepdims=True)
    h = ((grouped - mean) * lax.rsqrt(variance + 1e-3)).reshape(h.shape)
    return dense(jnp.concatenate([jax.nn.relu(h).mean(0), h.mean(0), jnp.square(h).mean(0)]), 3)


def layer_norm_of_all(w, x):
    h = conv(x, 7, 8)
    h = (h - h.mean()) / jnp.sqrt(jnp.square(h).mean() - h.mean() ** 2 + 1e-3) * weight(1, 8) + weight(1, 8, seed=1)
    return dense(h.sum(0), 3)


def mixer(w, x):
    """Layers along the channels and along the sequence in turn."""
    h = dense(patches_of(x), 8)
    h = h + jnp.tanh(dense(h.T, h.shape[0]).T)
    return flat(h + jnp.tanh(dense(h, 8, seed=1)))


def patches_of(x, size=4):
    return x.reshape(x.shape[0] // size, -1)


def chunks(w, x):
    """Attention within pieces of the sequence."""
    h = dense(x, 8).reshape(len(x) // 8, 8, 8)
    scores = jax.nn.softmax(jnp.einsum("nld,nmd->nlm", h, h), axis=-1)
    return flat(jnp.einsum("nlm,nmd->nld", scores, h).reshape(len(x), 8))


def flat_and_cut(w, x):
    """Flattened and cut again, across strands."""
    h = jnp.tanh(of_batch(jnp.stack([x, x[::-1]])))
    return flat(jnp.tanh(conv(h.reshape(-1, 8), 3, 4)))


def recurrent_behind(w, x):
    """A recurrent layer behind convolutions and pooling."""
    h = pool(jax.nn.relu(conv(jax.nn.relu(conv(x, 9, 16, padding="SAME")), 7, 16, padding="SAME")), "max", 4, 4)
    kernel = weight(16, 16)
    return lax.scan(lambda carry, row: (jnp.tanh(carry @ kernel + row), None), jnp.zeros(16, h.dtype), h)[0]


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
    "global max": Case(globally_max),
    "attention": Case(attention),
    "sequence norm": Case(sequence_norm),
    "channel norm": Case(channel_norm),
    "recurrent": Case(recurrent),
    "wrapped": Case(wrapped),
    "separable": Case(separable),
    "gated": Case(gated),
    "stacked": Case(stacked),
    "early flat": Case(early_flat),
    "weights left": Case(weights_left),
    "running": Case(running),
    "running sequence": Case(running_sequence),
    "all flat": Case(all_flat),
    "dense only": Case(lambda w, x: flat(x)),
    "tower": Case(tower, 64, slow=True),
    "transformer": Case(transformer, 32, slow=True),
    "patches": Case(patches),
    "k-mers": Case(kmers),
    "k-mers looked up": Case(kmers_looked_up),
    "k-mers sliced": Case(kmers_sliced, slow=True),
    "strands stacked": Case(strands_stacked),
    "strands unstacked": Case(strands_unstacked, slow=True),
    "strands mapped": Case(strands_mapped),
    "strands vmapped": Case(strands_vmapped, slow=True),
    "tiled": Case(tiled),
    "ring": Case(ring),
    "edge padding": Case(padded),
    "reflect padding": Case(functools.partial(padded, mode="reflect"), slow=True),
    "u-net": Case(u_net),
    "u-net take": Case(functools.partial(u_net, up="take"), slow=True),
    "u-net nearest": Case(functools.partial(u_net, up="nearest"), slow=True),
    "u-net linear": Case(functools.partial(u_net, up="linear"), slow=True),
    "edited inside": Case(edited_inside),
    "segments": Case(segments),
    "one position": Case(one_position),
    "scan shared": Case(scan_shared),
    "scan layers": Case(scan_layers),
    "while layers": Case(while_layers, slow=True),
    "chosen": Case(chosen),
    "by position": Case(by_position),
    "best hits": Case(best_hits, 60),
    "sorted channels": Case(sorted_channels),
    "max of all": Case(max_of_all, 40),
    "product pool": Case(logsumexp_pool),
    "squeeze excite": Case(squeeze_excite, slow=True),
    "excited mean": Case(excited_mean),
    "group norm": Case(group_norm),
    "layer norm of all": Case(layer_norm_of_all),
    "mixer": Case(mixer),
    "chunks": Case(chunks),
    "flat and cut": Case(flat_and_cut),
    "recurrent behind": Case(recurrent_behind),
}

# What an edit of a letter saves of a sequence of `LONG` letters: the least ratio of the FLOPs of a full evaluation to
# those of a proposal, and the operations at which windows end.
LONG = 192
SAVINGS = {
    "published": (109.0, ()),
    "deep": (40.7, ()),
    "channels first": (117.0, ()),
    "letters axis": (37.1, ()),
    "conv same": (50.0, ()),
    "conv wide padding": (51.1, ()),
    "conv dilated": (26.3, ()),
    "conv strided": (75.0, ()),
    "conv strided same": (86.2, ()),
    "conv transposed": (59.9, ()),
    "conv cropped": (49.1, ()),
    "first conv strided": (115.0, ()),
    "first conv dilated": (57.9, ()),
    "max pool": (68.1, ()),
    "max pool overlapping same": (61.3, ()),
    "average pool same": (59.8, ()),
    "min pool": (66.9, ()),
    "causal": (47.8, ()),
    "residual": (27.8, ()),
    "dilated": (13.5, ()),
    "concatenated": (82.3, ()),
    "strands": (69.7, ()),
    "mirrored": (39.5, ()),
    "joined": (78.6, ()),
    "embedded": (125.0, ()),
    "averaged": (95.3, ()),
    "global average": (143.0, ()),
    "global max": (81.3, ("reduce_max",)),
    "attention": (1.02, ("dot_general",)),
    "sequence norm": (4.65, ("sub",)),
    "channel norm": (96.8, ()),
    "recurrent": (4.01, ("scan",)),
    "wrapped": (105.0, ()),
    "separable": (40.4, ()),
    "gated": (101.0, ()),
    "stacked": (11.1, ()),
    "early flat": (125.0, ()),
    "weights left": (101.0, ()),
    "running": (119.0, ()),
    "running sequence": (4.01, ("cumsum",)),
    "all flat": (159.0, ()),
    "dense only": (169.0, ()),
    "tower": (6.29, ()),
    "transformer": (5.94, ("add", "dot_general")),
    "patches": (42.7, ()),
    "k-mers": (31.9, ()),
    "k-mers looked up": (31.9, ()),
    "k-mers sliced": (37.2, ()),
    "strands stacked": (12.8, ()),
    "strands unstacked": (12.8, ()),
    "strands mapped": (12.8, ()),
    "strands vmapped": (38.4, ()),
    "tiled": (78.2, ()),
    "ring": (39.8, ()),
    "edge padding": (39.6, ()),
    "reflect padding": (44.7, ()),
    "u-net": (7.0, ()),
    "u-net take": (7.0, ()),
    "u-net nearest": (7.0, ()),
    "u-net linear": (9.43, ()),
    "edited inside": (8.91, ()),
    "segments": (79.7, ()),
    "one position": (143.0, ("concatenate",)),
    "scan shared": (25.5, ()),
    "scan layers": (26.8, ()),
    "while layers": (33.0, ()),
    "chosen": (111.0, ()),
    "by position": (92.6, ()),
    "best hits": (56.6, ("gather", "top_k")),
    "sorted channels": (110.0, ()),
    "max of all": (56.3, ("reduce_max", "reduce_min")),
    "product pool": (96.0, ()),
    "squeeze excite": (3.83, ("add", "mul")),
    "excited mean": (101.0, ()),
    "group norm": (8.99, ("sub",)),
    "layer norm of all": (101.0, ()),
    "mixer": (5.07, ("add",)),
    "chunks": (28.0, ()),
    "flat and cut": (11.4, ()),
    "recurrent behind": (11.5, ("scan",)),
}
