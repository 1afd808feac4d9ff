"""DeepLIFT's rescale rule as a transformation of any JAX function.

The computation runs twice side by side, once at the input and once at the reference. Every number keeps its value at
the input, but a rule makes it a linear function of the input, so that the gradient of the result is DeepLIFT's
multiplier. Each rule keeps the sum of the contributions equal to the difference of the outputs:

- Affine operations stay as they are.
- Operations on each number alone have the slope Δy / Δx. Here x is the number at which a series of such operations
  began, so an activation made of several of them, such as GELU, counts as one. If Δx is 0, they have their own slope.
- In a product of two numbers of different origin (also in a matrix product), each change is multiplied by a mean:
  Δ(ab) = Δa (b + b′) / 2 + (a + a′) / 2 Δb.
- The maximum of several numbers is y at the input and y′ at the reference. The part of the change above y′ goes to the
  number that is largest at the input, and the part below it to the number that is largest at the reference, as in the
  published implementations of max pooling. The minimum is treated in the same way.
- All other operations are refused by name. Nested calls are entered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.lax import stop_gradient
from jaxtyping import Array

# Differences below this many rounding errors of the numbers are taken as 0, because their ratio would be noise.
_ROUNDING = 64

_NESTED = {
    "jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint", "custom_jvp_call", "custom_vjp_call",
    "custom_vjp_call_jaxpr",
}  # fmt: skip
# These operations pass the value on. It does not matter here that some of them hide its gradient.
_TRANSPARENT = {"stop_gradient", "optimization_barrier", "copy", "copy_p", "sharding_constraint"}
# Linear in all operands together:
_LINEAR = {
    "add", "add_any", "sub", "neg", "reduce_precision", "reshape", "squeeze", "expand_dims", "transpose", "rev",
    "broadcast_in_dim", "reduce_sum", "reduce_window_sum", "cumsum", "concatenate", "stack", "unstack", "tile", "pad",
    "slice", "split",
}  # fmt: skip
# Linear in the operands at these places if the others do not depend on the input:
_LINEAR_IN = {
    "div": {0}, "dynamic_slice": {0}, "dynamic_update_slice": {0, 1}, "gather": {0},
    "scatter-add": {0, 2}, "scatter": {0, 2},
}  # fmt: skip
_BILINEAR = {"mul", "dot_general", "conv_general_dilated"}
_LARGEST = {"max", "reduce_max", "reduce_window_max", "cummax"}
_SMALLEST = {"min", "reduce_min", "reduce_window_min", "cummin"}
# On each number alone:
_ELEMENTWISE = {
    "add", "add_any", "sub", "neg", "mul", "div", "max", "min", "clamp", "select_n", "convert_element_type", "exp",
    "exp2", "log", "log1p", "expm1", "tanh", "logistic", "erf", "erfc", "erf_inv", "lgamma", "digamma", "sqrt",
    "rsqrt", "cbrt", "square", "integer_pow", "pow", "abs", "sign", "sin", "cos", "tan", "asin", "acos", "atan",
    "atan2", "sinh", "cosh", "asinh", "acosh", "atanh", "floor", "ceil", "round", "rem", "gt", "ge", "lt", "le", "eq",
    "ne", "and", "or", "not", "xor", "is_finite", "nextafter", "reduce_precision",
}  # fmt: skip


@dataclasses.dataclass(eq=False)
class Pair:
    """Numbers that depend on the input.

    Attributes:
        value: the numbers at the input. Their gradient follows the rules.
        reference: the numbers at the reference.
        origin: the numbers from which operations on each number alone made these; None if there were none.
    """

    value: Array
    reference: Array
    origin: Pair | None = None

    @property
    def start(self) -> Pair:
        """The numbers at which the series of operations on each number alone began."""
        return self if self.origin is None else self.origin


def rescaled(function: Callable[[Array], Array], reference: Array) -> Callable[[Array], Array]:
    """Return a function with the values of `function`, whose gradient is the multipliers against `reference`.

    Args:
        function: a function of one array that returns one array. It is traced once.
        reference: the reference input.

    Raises:
        ValueError: when the result is traced, for an operation that has no rule.
    """
    traced = jax.make_jaxpr(function)(reference)

    def rule_by_rule(value: Array) -> Array:
        (result,) = _interpret(traced.jaxpr, traced.consts, [Pair(value, reference)])
        return _value(result)

    return rule_by_rule


def _interpret(jaxpr: core.Jaxpr, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """Evaluate a traced function by the rules."""
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, core.Literal) else known[variable]

    for equation in jaxpr.eqns:
        found = _apply(equation, [read(variable) for variable in equation.invars])
        known.update(zip(equation.outvars, found, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _apply(equation: core.JaxprEqn, operands: list[Any]) -> list[Any]:
    """Apply the rule of one operation."""
    name, pairs = equation.primitive.name, [a for a in operands if isinstance(a, Pair)]
    if name in _NESTED:
        inner = next(equation.params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in equation.params)
        closed = isinstance(inner, core.ClosedJaxpr)
        return _interpret(inner.jaxpr if closed else inner, inner.consts if closed else (), operands)
    if not pairs:
        return _run(equation, operands)
    if name in _TRANSPARENT:
        return operands
    alone = name in _ELEMENTWISE and len({id(pair.start) for pair in pairs}) == 1
    result: Any = equation.outvars[0].aval
    alone = alone and result.shape == pairs[0].start.value.shape
    if _is_linear(equation, operands, pairs):
        return _both(equation, operands, pairs[0].start if alone else None)
    if alone:
        return [_elementwise(equation, operands, pairs[0].start)]
    if name == "div":
        return [_quotient(*operands)]
    if name in _BILINEAR:
        return [_product(equation, *operands)]
    if name in _LARGEST | _SMALLEST:
        return [_extreme(equation, operands)]
    raise ValueError(f"representation must be made of operations that DeepLIFT has a rule for, but it uses {name!r}")


def _is_linear(equation: core.JaxprEqn, operands: list[Any], pairs: list[Pair]) -> bool:
    name = equation.primitive.name
    if name == "convert_element_type":
        return all(jnp.issubdtype(dtype, jnp.inexact) for dtype in (pairs[0].value.dtype, equation.params["new_dtype"]))
    if not all(jnp.issubdtype(pair.value.dtype, jnp.inexact) for pair in pairs):
        return False
    if name in _BILINEAR:
        return len(pairs) == 1
    if name == "select_n":
        return not isinstance(operands[0], Pair)
    if name in _LINEAR_IN:
        return all(place in _LINEAR_IN[name] for place, a in enumerate(operands) if isinstance(a, Pair))
    return name in _LINEAR


def _run(equation: core.JaxprEqn, operands: Sequence[Any]) -> list[Any]:
    found = equation.primitive.bind(*operands, **equation.params)
    return list(found) if equation.primitive.multiple_results else [found]


def _value(a: Any) -> Any:
    return a.value if isinstance(a, Pair) else a


def _at_reference(operands: Sequence[Any]) -> list[Any]:
    return [a.reference if isinstance(a, Pair) else a for a in operands]


def _at_input(operands: Sequence[Any]) -> list[Any]:
    """Return the values without their gradients."""
    return [stop_gradient(a.value) if isinstance(a, Pair) else a for a in operands]


def _both(equation: core.JaxprEqn, operands: list[Any], origin: Pair | None) -> list[Pair]:
    values, references = _run(equation, [_value(a) for a in operands]), _run(equation, _at_reference(operands))
    return [Pair(value, reference, origin) for value, reference in zip(values, references, strict=True)]


def _elementwise(equation: core.JaxprEqn, operands: list[Any], start: Pair) -> Pair:
    """Apply the slope Δy / Δx, where x is the number at the start; if Δx is 0, the slope of the operation itself."""
    (reference,), (value,) = _run(equation, _at_reference(operands)), _run(equation, _at_input(operands))
    if not jnp.issubdtype(value.dtype, jnp.inexact):
        return Pair(value, reference, start)
    x, x_reference = stop_gradient(start.value), start.reference
    rounding = _ROUNDING * jnp.finfo(x.dtype).eps * (jnp.abs(x) + jnp.abs(x_reference))
    same = jnp.abs(x - x_reference) <= rounding
    slope = (value - reference) / jnp.where(same, 1, x - x_reference).astype(value.dtype)
    secant = value + slope * (start.value - x).astype(value.dtype)
    # Where the slope is not used, its gradient may be infinite, and infinity times 0 would be NaN.
    near = [jnp.where(same, a.value, stop_gradient(a.value)) if isinstance(a, Pair) else a for a in operands]
    return Pair(jnp.where(same, _run(equation, near)[0], secant), reference, start)


def _product(equation: core.JaxprEqn, a: Pair, b: Pair) -> Pair:
    """Apply the rule of a product: each factor changes while the other is at its mean."""

    def times(left: Array, right: Array) -> Array:
        return _run(equation, [left, right])[0]

    at_a, at_b = _at_input([a, b])
    change = times(a.value - at_a, (at_b + b.reference) / 2) + times((at_a + a.reference) / 2, b.value - at_b)
    return Pair(times(at_a, at_b) + change, times(a.reference, b.reference))


def _quotient(a: Any, b: Pair) -> Pair:
    """Apply the rules to a times the reciprocal of b."""
    reciprocal = _by_rules(lambda x: 1 / x, b)
    return _by_rules(jnp.multiply, a, reciprocal)


def _by_rules(function: Callable[..., Array], *operands: Any) -> Pair:
    """Evaluate a function of pairs and arrays by the rules of its operations."""
    traced = jax.make_jaxpr(function)(*[_value(a) for a in operands])
    (result,) = _interpret(traced.jaxpr, traced.consts, operands)
    return result


def _extreme(equation: core.JaxprEqn, operands: list[Any]) -> Pair:
    """Apply the rule of a maximum or minimum: the numbers chosen at the input and at the reference share the change."""
    places = [place for place, a in enumerate(operands) if isinstance(a, Pair)]
    pairs = [operands[place] for place in places]

    def choose(*chosen: Array) -> Array:
        filled = list(operands)
        for place, array in zip(places, chosen, strict=True):
            filled[place] = array
        return _run(equation, filled)[0]

    at_input, at_reference = _at_input(pairs), _at_reference(pairs)
    changes = [pair.value - value for pair, value in zip(pairs, at_input, strict=True)]
    differences = [value - other for value, other in zip(at_input, at_reference, strict=True)]
    value, reference = choose(*at_input), choose(*at_reference)
    between = (jnp.maximum if equation.primitive.name in _LARGEST else jnp.minimum)(value, reference)
    result = value
    # If the number chosen at the input does not differ, there is nothing to share, and its own slope applies.
    for at, share, otherwise in ((at_input, between - reference, 1), (at_reference, value - between, 0)):
        difference = _along(choose, at, differences)
        slope = jnp.where(difference == 0, otherwise, share / jnp.where(difference == 0, 1, difference))
        result = result + slope * _along(choose, at, changes)
    return Pair(result, reference)


def _along(choose: Callable[..., Array], at: Sequence[Array], tangents: Sequence[Array]) -> Array:
    """Return the tangent of the number that is chosen at `at`; the mean of the tangents if several tie."""
    return jax.jvp(choose, tuple(at), tuple(tangents))[1]
