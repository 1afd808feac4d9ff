"""Sums over the sequence of values that change everywhere, but in a simple way.

Normalization and gates over the sequence multiply and shift every position by numbers that are the same at every
position: y = a w + b, where only w is windowed. Its sum over the sequence, and that of its square, follow from sums of
w and of w², which are updated. So variances, and means after a gate, need not read the sequence again.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxmaxent.evaluate.incremental._values import Equation, SumOverSequence, Value, plain

# A value is followed as a sum of at most this many windowed values; each is cached as a sum of its own.
_MOST = 4


def follow(tracer: Any, equation: Equation) -> None:
    """Note of the result of an equation which windowed values it is a sum of, if its operation keeps such a sum."""
    (output,) = equation.outputs if len(equation.outputs) == 1 else (None,)
    if output is None or not output.exact or not jnp.issubdtype(output.dtype, jnp.floating):
        return
    axis = next((a for a in map(_axis, equation.changing) if a is not None), None)
    if axis is None or any(value.shape and len(value.shape) != len(output.shape) for value in equation.inputs):
        return
    operands = [_terms(tracer, value, axis) for value in equation.inputs]
    if any(operand is None for operand in operands):
        return
    way = _WAYS.get(equation.name)
    output.terms = None if way is None else way(tracer, equation, *operands)


def summed(tracer: Any, equation: Equation) -> list[Value] | None:
    """Return a sum over the sequence of a value with terms, made of sums of its windowed values; else None."""
    source = equation.inputs[0]
    terms = source.terms
    if equation.name != "reduce_sum" or terms is None or terms.axis not in equation.params["axes"]:
        return None
    axis, axes, shape = terms.axis, equation.params["axes"], source.shape
    narrow = tuple(1 if i == axis else size for i, size in enumerate(shape))
    total: Value | None = None
    for factor, value in terms.parts:
        (part,) = tracer.made(lambda array: jnp.sum(array, axis, keepdims=True), value)
        part = part if factor is None else tracer.made(jnp.multiply, part, factor)[0]
        total = part if total is None else tracer.made(jnp.add, total, part)[0]
    if terms.rest is not None:
        (part,) = tracer.made(lambda array: array * shape[axis], terms.rest)
        total = part if total is None else tracer.made(jnp.add, total, part)[0]
    assert total is not None
    return tracer.made(lambda array: jnp.sum(jnp.broadcast_to(array, narrow), axes), total)


def _axis(value: Value) -> int | None:
    if value.terms is not None:
        return value.terms.axis
    return value.window.axis if value.opened is not None and plain(value) else None


def _terms(tracer: Any, value: Value, axis: int) -> SumOverSequence | None:
    """Return a value as a sum of terms: its own, a windowed value, or one that is the same at every position."""
    if value.terms is not None:
        return value.terms if value.terms.axis == axis else None
    if value.opened is not None:
        return SumOverSequence(axis, [(None, value)]) if _axis(value) == axis and value.exact else None
    if value.shape == () or value.shape[axis] == 1:
        return SumOverSequence(axis, [], value)
    equation = value.equation
    if equation is None or equation.name != "broadcast_in_dim":
        return None
    (source, *_), mapped = equation.inputs, equation.params["broadcast_dimensions"]
    if axis in mapped and source.shape[mapped.index(axis)] != 1:
        return None
    narrow = tuple(1 if i == axis else size for i, size in enumerate(value.shape))
    return SumOverSequence(axis, [], tracer.made(lambda array: lax.broadcast_in_dim(array, narrow, mapped), source)[0])


def _plus(tracer: Any, equation: Equation, one: SumOverSequence, other: SumOverSequence) -> SumOverSequence | None:
    parts = [*one.parts, *other.parts]
    if len(parts) > _MOST:
        return None
    return SumOverSequence(one.axis, parts, _joined(tracer, jnp.add, one.rest, other.rest))


def _minus(tracer: Any, equation: Equation, one: SumOverSequence, other: SumOverSequence) -> SumOverSequence | None:
    return _plus(tracer, equation, one, _negative(tracer, equation, other))


def _negative(tracer: Any, equation: Equation, one: SumOverSequence) -> SumOverSequence:
    parts = [(tracer.made(jnp.negative, factor)[0] if factor else _minus_one(tracer, value), value)
             for factor, value in one.parts]  # fmt: skip
    return SumOverSequence(one.axis, parts, None if one.rest is None else tracer.made(jnp.negative, one.rest)[0])


def _minus_one(tracer: Any, value: Value) -> Value:
    return tracer.made(lambda: jnp.full((1,) * len(value.shape), -1, value.dtype))[0]


def _times(tracer: Any, equation: Equation, one: SumOverSequence, other: SumOverSequence) -> SumOverSequence | None:
    if len(one.parts) * len(other.parts) + len(one.parts) + len(other.parts) > _MOST:
        return None
    parts = [
        (_joined(tracer, jnp.multiply, f, g), tracer.made(jnp.multiply, v, w)[0])
        for f, v in one.parts
        for g, w in other.parts
    ]
    for terms, rest in ((one, other.rest), (other, one.rest)):
        if rest is not None:
            parts += [(_joined(tracer, jnp.multiply, factor, rest), value) for factor, value in terms.parts]
    both = one.rest is not None and other.rest is not None
    return SumOverSequence(one.axis, parts, tracer.made(jnp.multiply, one.rest, other.rest)[0] if both else None)


def _over(tracer: Any, equation: Equation, one: SumOverSequence, other: SumOverSequence) -> SumOverSequence | None:
    if other.parts or other.rest is None:
        return None
    (inverse,) = tracer.made(lambda array: 1 / array, other.rest)
    return _times(tracer, equation, one, SumOverSequence(one.axis, [], inverse))


def _power(tracer: Any, equation: Equation, one: SumOverSequence) -> SumOverSequence | None:
    return _times(tracer, equation, one, one) if equation.params.get("y", 2) == 2 else None


def _joined(tracer: Any, function: Any, one: Value | None, other: Value | None) -> Value | None:
    """Return a function of two factors, of which either may be missing."""
    if one is None or other is None:
        return other if one is None else one
    return tracer.made(function, one, other)[0]


_WAYS: dict[str, Any] = {
    "add": _plus,
    "add_any": _plus,
    "sub": _minus,
    "neg": _negative,
    "mul": _times,
    "div": _over,
    "square": _power,
    "integer_pow": _power,
}
