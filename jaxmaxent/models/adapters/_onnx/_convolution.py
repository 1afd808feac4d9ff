"""Convolutions and matrix products."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxmaxent.models.adapters._onnx._graph import Call, aligned, of_one_type


def edges(call: Call, sizes: Any, kernel: Any, strides: Any, dilations: Any) -> list[tuple[int, int]]:
    """Return the padding before and behind every spatial axis, from `pads` or `auto_pad`.

    Args:
        call: the node.
        sizes: the lengths of the axes.
        kernel: the widths of the kernel.
        strides: the steps between neighboring positions of the result.
        dilations: the steps between neighboring elements of the kernel.
    """
    mode, n = call.get("auto_pad", "NOTSET"), len(sizes)
    if mode == "NOTSET":
        pads = call.get("pads", [0] * (2 * n))
        return list(zip(pads[:n], pads[n:], strict=True))
    if mode == "VALID":
        return [(0, 0)] * n
    found = []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size, 0)
        small, large = total // 2, total - total // 2
        found.append((small, large) if mode == "SAME_UPPER" else (large, small))
    return found


def _with_bias(x: Any, bias: Any) -> Any:
    if bias is None:
        return x
    return x + bias.reshape((1, -1) + (1,) * (x.ndim - 2))


def convolution(call: Call, x: Any, kernel: Any, bias: Any = None) -> Any:
    """Return the convolution of [batch, channels, …] with a kernel [filters, channels of a group, …]."""
    x, kernel = of_one_type(x, kernel)
    n = x.ndim - 2
    strides, dilations = call.get("strides", [1] * n), call.get("dilations", [1] * n)
    padding = edges(call, x.shape[2:], kernel.shape[2:], strides, dilations)
    made = lax.conv_general_dilated(
        x, kernel, strides, padding, rhs_dilation=dilations, feature_group_count=call.get("group", 1)
    )
    return _with_bias(made, bias)


def transposed_convolution(call: Call, x: Any, kernel: Any, bias: Any = None) -> Any:
    """Return the transpose of a convolution; the kernel is [channels, filters of a group, …]."""
    x, kernel = of_one_type(x, kernel)
    n, groups = x.ndim - 2, call.get("group", 1)
    strides, dilations = call.get("strides", [1] * n), call.get("dilations", [1] * n)
    extra = call.get("output_padding", [0] * n)
    spans = [(width - 1) * dilation + 1 for width, dilation in zip(kernel.shape[2:], dilations, strict=True)]
    cut = _cut(call, x.shape[2:], spans, strides, extra)
    padding = [
        (span - 1 - low, span - 1 - high + more) for span, (low, high), more in zip(spans, cut, extra, strict=True)
    ]
    grouped = kernel.reshape(groups, -1, *kernel.shape[1:]).swapaxes(1, 2)
    kernel = jnp.flip(grouped.reshape(-1, *grouped.shape[2:]), range(2, 2 + n))
    made = lax.conv_general_dilated(
        x, kernel, [1] * n, padding, lhs_dilation=strides, rhs_dilation=dilations, feature_group_count=groups
    )
    return _with_bias(made, bias)


def _cut(call: Call, sizes: Any, spans: Any, strides: Any, extra: Any) -> list[tuple[int, int]]:
    """Return how many positions are cut off before and behind every axis of the full result."""
    mode, n = call.get("auto_pad", "NOTSET"), len(sizes)
    wanted = call.get("output_shape")
    if wanted is None and mode in ("NOTSET", "VALID"):
        pads = call.get("pads", [0] * (2 * n)) if mode == "NOTSET" else [0] * (2 * n)
        return list(zip(pads[:n], pads[n:], strict=True))
    wanted = [size * stride for size, stride in zip(sizes, strides, strict=True)] if wanted is None else wanted[-n:]
    found = []
    for size, span, stride, more, length in zip(sizes, spans, strides, extra, wanted, strict=True):
        total = stride * (size - 1) + more + span - length
        small, large = total // 2, total - total // 2
        found.append((small, large) if mode == "SAME_UPPER" else (large, small))
    return found


def matrix_product(call: Call, a: Any, b: Any) -> Any:
    """Return the matrix product of the last two axes, with broadcasting of the others."""
    a, b = of_one_type(a, b)
    if b.ndim <= 2:
        return lax.dot_general(a, b, (((a.ndim - 1,), (0,)), ((), ())))
    if a.ndim == 1:
        return jnp.matmul(a.reshape((1,) * (b.ndim - 1) + a.shape), b).squeeze(-2)
    return jnp.matmul(*aligned(jnp, a, b))


def dense(call: Call, a: Any, b: Any, c: Any = None) -> Any:
    """Return alpha A B + beta C, where A and B may be transposed."""
    a, b = of_one_type(a, b)
    left, right = (0 if call.get("transA", 0) else 1), (1 if call.get("transB", 0) else 0)
    made = lax.dot_general(a, b, (((left,), (right,)), ((), ())))
    if call.get("alpha", 1.0) != 1:
        made = (call.get("alpha") * made).astype(made.dtype)
    if c is None:
        return made
    made, c = aligned(jnp, made, c)
    return made + (c if call.get("beta", 1.0) == 1 else (call.get("beta") * c).astype(made.dtype))


def einsum(call: Call, *arrays: Any) -> Any:
    """Return the sum of products that the equation names."""
    return jnp.einsum(call.get("equation").replace(" ", ""), *of_one_type(*arrays))
