"""Operations on single elements, with broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxmaxent.models.adapters._onnx._graph import TYPES, Call, aligned, computed, to_jax

Operator = Callable[..., Any]


def unary(name: str) -> Operator:
    """Return the operator that is the function `name` of NumPy, of one array."""
    return lambda call, x: getattr(call.xp, name)(x)


def binary(name: str) -> Operator:
    """Return the operator that is the function `name` of NumPy, of two arrays."""
    return lambda call, a, b: getattr(call.xp, name)(*aligned(call.xp, a, b))


def joined(name: str) -> Operator:
    """Return the operator that joins any number of arrays with the function `name` of NumPy."""

    def operator(call: Call, *arrays: Any) -> Any:
        return reduce(getattr(call.xp, name), aligned(call.xp, *arrays))

    return operator


def activation(function: Operator) -> Operator:
    """Return the operator that is a function of one array of JAX."""
    return lambda call, x: function(x)


def mean(call: Call, *arrays: Any) -> Any:
    """Return the mean of the arrays, element by element."""
    return reduce(call.xp.add, aligned(call.xp, *arrays)) / len(arrays)


def divide(call: Call, a: Any, b: Any) -> Any:
    """Return a / b; integers are rounded towards zero."""
    a, b = aligned(call.xp, a, b)
    if a.dtype.kind not in "iu":
        return call.xp.divide(a, b)
    if call.xp is np:
        quotient = a // b
        return (quotient + ((quotient < 0) & (quotient * b != a))).astype(a.dtype)
    return lax.div(*jnp.broadcast_arrays(a, b))


def modulo(call: Call, a: Any, b: Any) -> Any:
    """Return the remainder, with the sign of b, or with the sign of a if `fmod` is 1."""
    return (call.xp.fmod if call.get("fmod", 0) else call.xp.mod)(*aligned(call.xp, a, b))


def power(call: Call, base: Any, exponent: Any) -> Any:
    """Return base ** exponent in the type of base."""
    dtype = base.dtype
    if isinstance(exponent, np.ndarray) and call.xp is jnp and exponent.size == 1 and dtype.kind not in "iub":
        number, rank = float(exponent.reshape(())), max(base.ndim, exponent.ndim)
        if number == int(number) and abs(number) <= 64:
            # Exact, and its derivative has no logarithm.
            return lax.integer_pow(base.reshape((1,) * (rank - base.ndim) + base.shape), int(number))
    base, exponent = aligned(call.xp, base, exponent)
    return call.xp.power(base, exponent).astype(dtype)


def clip(call: Call, x: Any, low: Any = None, high: Any = None) -> Any:
    """Return x, not below `low` and not above `high`, which are attributes before opset 11."""
    low = call.get("min") if low is None else low
    high = call.get("max") if high is None else high
    if low is not None:
        x = call.xp.maximum(*aligned(call.xp, x, call.xp.asarray(low, x.dtype)))
    if high is not None:
        x = call.xp.minimum(*aligned(call.xp, x, call.xp.asarray(high, x.dtype)))
    return x


def cast(call: Call, x: Any) -> Any:
    """Return x in the type that the attribute `to` names."""
    number = call.get("to")
    if number not in TYPES:
        raise ValueError(f"it converts to the type number {number} of ONNX, which JAX does not compute with here")
    return _to_type(call, x, TYPES[number])


def cast_like(call: Call, x: Any, target: Any) -> Any:
    """Return x in the type of `target`."""
    return _to_type(call, x, target.dtype)


def _to_type(call: Call, x: Any, dtype: Any) -> Any:
    if call.xp is np:
        return x.astype(dtype)
    return to_jax(x).astype(computed(dtype))


def where(call: Call, condition: Any, a: Any, b: Any) -> Any:
    """Return a where the condition holds, and b elsewhere."""
    return call.xp.where(*aligned(call.xp, condition, a, b))


def is_infinite(call: Call, x: Any) -> Any:
    """Return where x is infinite, for the signs that the attributes ask for."""
    positive, negative = call.get("detect_positive", 1), call.get("detect_negative", 1)
    return call.xp.isinf(x) & (((x > 0) & bool(positive)) | ((x < 0) & bool(negative)))


def shift(call: Call, a: Any, b: Any) -> Any:
    """Return the bits of a, moved by b."""
    function = call.xp.left_shift if call.get("direction") == "LEFT" else call.xp.right_shift
    return function(*aligned(call.xp, a, b))


def swish(call: Call, x: Any) -> Any:
    """Return x times the logistic function of alpha x."""
    return x * jax.nn.sigmoid(call.get("alpha", 1.0) * x)


def gelu(call: Call, x: Any) -> Any:
    """Return x times the normal distribution function of x, or its approximation by the hyperbolic tangent."""
    return jax.nn.gelu(x, approximate=call.get("approximate", "none") == "tanh")


def leaky_relu(call: Call, x: Any) -> Any:
    """Return x where it is positive, and alpha x elsewhere."""
    return jnp.where(x > 0, x, call.get("alpha", 0.01) * x)


def prelu(call: Call, x: Any, slope: Any) -> Any:
    """Return x where it is positive, and slope times x elsewhere."""
    x, slope = aligned(call.xp, x, slope)
    return jnp.where(x > 0, x, slope * x)


def elu(call: Call, x: Any) -> Any:
    """Return x where it is positive, and alpha (exp(x) − 1) elsewhere."""
    return jnp.where(x > 0, x, call.get("alpha", 1.0) * jnp.expm1(jnp.minimum(x, 0)))


def selu(call: Call, x: Any) -> Any:
    """Return gamma times the exponential linear unit."""
    alpha, gamma = call.get("alpha", 1.6732632423543772), call.get("gamma", 1.0507009873554805)
    return gamma * jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x, 0)))


def celu(call: Call, x: Any) -> Any:
    """Return x where it is positive, and alpha (exp(x / alpha) − 1) elsewhere."""
    alpha = call.get("alpha", 1.0)
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x, 0) / alpha))


def thresholded_relu(call: Call, x: Any) -> Any:
    """Return x where it is above alpha, and 0 elsewhere."""
    return jnp.where(x > call.get("alpha", 1.0), x, jnp.zeros_like(x))


def shrink(call: Call, x: Any) -> Any:
    """Return x moved towards 0 by the bias, and 0 where its absolute value is at most lambd."""
    bias, limit = call.get("bias", 0.0), call.get("lambd", 0.5)
    zero = jnp.zeros_like(x)
    return jnp.where(x < -limit, x + bias, jnp.where(x > limit, x - bias, zero)).astype(x.dtype)


def hard_sigmoid(call: Call, x: Any) -> Any:
    """Return alpha x + beta, between 0 and 1."""
    return jnp.clip(call.get("alpha", 0.2) * x + call.get("beta", 0.5), 0, 1)


def hard_swish(call: Call, x: Any) -> Any:
    """Return x times x / 6 + 1/2, which is kept between 0 and 1."""
    return x * jnp.clip(x / 6 + 0.5, 0, 1)


def mish(call: Call, x: Any) -> Any:
    """Return x times the hyperbolic tangent of the softplus of x."""
    return x * jnp.tanh(jax.nn.softplus(x))


def softsign(call: Call, x: Any) -> Any:
    """Return x / (1 + |x|)."""
    return x / (1 + jnp.abs(x))


def softmax(function: Operator) -> Operator:
    """Return the operator that is `jax.nn.softmax` or `jax.nn.log_softmax`."""

    def operator(call: Call, x: Any) -> Any:
        if call.version >= 13:
            return function(x, axis=call.get("axis", -1))
        # All axes from the given one on were flattened.
        axis = call.get("axis", 1) % max(x.ndim, 1)
        return function(x, axis=tuple(range(axis, x.ndim)))

    return operator


def hardmax(call: Call, x: Any) -> Any:
    """Return 1 at the first maximum along an axis, and 0 elsewhere."""
    axis = call.get("axis", -1 if call.version >= 13 else 1) % x.ndim
    if call.version < 13 and axis < x.ndim - 1:
        flat = x.reshape(*x.shape[:axis], -1)
        return _first_maximum(flat, axis).reshape(x.shape)
    return _first_maximum(x, axis)


def _first_maximum(x: Any, axis: int) -> Any:
    return jax.nn.one_hot(jnp.argmax(x, axis), x.shape[axis], axis=axis, dtype=x.dtype)
