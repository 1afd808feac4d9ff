"""Normalizations, as in inference."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxmaxent.models.adapters._onnx._graph import Call, aligned


def _channels(vector: Any, rank: int) -> Any:
    """Return a vector of one number per channel in a form that broadcasts with [batch, channels, …]."""
    return vector.reshape((1, -1) + (1,) * (rank - 2))


def batch_normalization(call: Call, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    """Return x less the mean over the standard deviation, both as learned in training."""
    if call.get("training_mode", 0) or len([name for name in call.node.outputs if name]) > 1:
        raise ValueError("it is in training mode; export the network for inference, such as model.eval() in torch")
    factor = scale * lax.rsqrt(jnp.asarray(variance) + jnp.asarray(call.get("epsilon", 1e-5), variance.dtype))
    mean, factor, bias = (_channels(vector, x.ndim) for vector in (mean, factor, bias))
    return ((x - mean) * factor + bias).astype(x.dtype)


def _standardized(x: Any, axes: tuple[int, ...], epsilon: float) -> tuple[Any, Any, Any]:
    """Return x with mean 0 and variance 1 along the axes, the mean, and one over the standard deviation."""
    mean = jnp.mean(x, axes, keepdims=True)
    centered = x - mean
    inverse = lax.rsqrt(jnp.mean(jnp.square(centered), axes, keepdims=True) + epsilon)
    return centered * inverse, mean, inverse


def instance_normalization(call: Call, x: Any, scale: Any, bias: Any) -> Any:
    """Return every channel of every sequence with mean 0 and variance 1, then scaled and moved."""
    made, _, _ = _standardized(x, tuple(range(2, x.ndim)), call.get("epsilon", 1e-5))
    return made * _channels(scale, x.ndim) + _channels(bias, x.ndim)


def layer_normalization(call: Call, x: Any, scale: Any, bias: Any = None) -> tuple[Any, Any, Any]:
    """Return x with mean 0 and variance 1 from an axis on, the mean, and one over the standard deviation."""
    axes = tuple(range(call.get("axis", -1) % x.ndim, x.ndim))
    made, mean, inverse = _standardized(_stashed(call, x), axes, call.get("epsilon", 1e-5))
    made, scale = aligned(jnp, made.astype(x.dtype), scale)
    made = made * scale
    return made if bias is None else jnp.add(*aligned(jnp, made, bias)), mean, inverse


def rms_normalization(call: Call, x: Any, scale: Any) -> Any:
    """Return x over the root of its mean square from an axis on, then scaled."""
    axes = tuple(range(call.get("axis", -1) % x.ndim, x.ndim))
    wide = _stashed(call, x)
    inverse = lax.rsqrt(jnp.mean(jnp.square(wide), axes, keepdims=True) + call.get("epsilon", 1e-5))
    return jnp.multiply(*aligned(jnp, (wide * inverse).astype(x.dtype), scale))


def _stashed(call: Call, x: Any) -> Any:
    """Return x in at least 32 bits, in which the mean and the variance are computed."""
    small = x.dtype.itemsize < 4 and call.get("stash_type", 1) == 1
    return x.astype(jnp.float32) if small else x


def group_normalization(call: Call, x: Any, scale: Any, bias: Any) -> Any:
    """Return every group of channels with mean 0 and variance 1, then scaled and moved."""
    groups = call.get("num_groups")
    grouped = _stashed(call, x).reshape(x.shape[0], groups, -1)
    made = _standardized(grouped, (2,), call.get("epsilon", 1e-5))[0].astype(x.dtype)
    if call.version < 21:  # one scale per group
        made = (made * scale.reshape(1, -1, 1) + bias.reshape(1, -1, 1)).reshape(x.shape)
        return made
    return made.reshape(x.shape) * _channels(scale, x.ndim) + _channels(bias, x.ndim)


def lp_normalization(call: Call, x: Any) -> Any:
    """Return x over its p-norm along an axis."""
    axis, p = call.get("axis", -1), call.get("p", 2)
    total = jnp.sum(jnp.abs(x), axis, keepdims=True) if p == 1 else jnp.sqrt(jnp.sum(x * x, axis, keepdims=True))
    return jnp.where(total == 0, jnp.zeros_like(x), x / jnp.where(total == 0, jnp.ones_like(total), total))


def local_response_normalization(call: Call, x: Any) -> Any:
    """Return x over a power of the sum of squares of neighboring channels."""
    size, n = call.get("size"), x.ndim
    before = (size - 1) // 2
    total = lax.reduce_window(
        jnp.square(x),
        np.zeros((), x.dtype),
        lax.add,
        (1, size) + (1,) * (n - 2),
        (1,) * n,
        ((0, 0), (before, size - 1 - before)) + ((0, 0),) * (n - 2),
    )
    alpha, beta = call.get("alpha", 1e-4), call.get("beta", 0.75)
    return x / (call.get("bias", 1.0) + (alpha / size) * total) ** beta


def mean_variance_normalization(call: Call, x: Any) -> Any:
    """Return x less its mean over its standard deviation along the axes."""
    axes = tuple(call.get("axes", [0, 2, 3]))
    mean = jnp.mean(x, axes, keepdims=True)
    square = jnp.mean(x * x, axes, keepdims=True)
    return (x - mean) / (jnp.sqrt(square - mean * mean) + 1e-9)


def dropout(call: Call, x: Any, ratio: Any = None, training: Any = None) -> tuple[Any, Any]:
    """Return x itself, and that every element is kept."""
    if training is not None and bool(call.known("training_mode", training)):
        raise ValueError("it is in training mode; export the network for inference, such as model.eval() in torch")
    return x, call.xp.ones(x.shape, bool)
