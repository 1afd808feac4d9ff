"""Tracing: a function of one sequence becomes a graph of values, without nested calls, with a rule per equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array

from jaxmaxent.evaluate.incremental._values import Change, Equation, Graph, Value, Window, sequence_window
from jaxmaxent.evaluate.incremental.rules import RULES

# Primitives that only wrap a function, and the parameter that holds the function.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


def trace(features: Callable[[Any, Array], Array], params: Any, length: int, letters: int) -> Graph:
    """Return the graph of `features(params, one_hot[length, letters]) -> [features]`."""
    # By default GPUs and TPUs round factors to 10 or 8 bits. That makes an error in E, which β multiplies.
    with jax.default_matmul_precision("highest"):
        closed = jax.make_jaxpr(features)(params, jax.ShapeDtypeStruct((length, letters), jnp.float32))
    return _Tracer().graph(closed)


class _Tracer:
    def __init__(self) -> None:
        self.values: list[Value] = []

    def graph(self, closed: Any) -> Graph:
        *params, one_hot = closed.jaxpr.invars
        if len(closed.jaxpr.outvars) != 1:
            raise ValueError(f"features must return one array [features], got {len(closed.jaxpr.outvars)} arrays")
        leaves = {var: self.value(var.aval, leaf=i) for i, var in enumerate([*params, *closed.jaxpr.constvars])}
        sequence = self.value(one_hot.aval, depends=True)
        sequence.opened = sequence_window(one_hot.aval.shape)
        (result,) = self.walk(closed.jaxpr, {**leaves, one_hot: sequence})
        return Graph(self.values, sequence, result, list(closed.consts))

    def value(self, aval: Any, **known: Any) -> Value:
        made = Value(len(self.values), tuple(aval.shape), aval.dtype, **known)
        self.values.append(made)
        return made

    def walk(self, jaxpr: Any, known: dict[Any, Value]) -> list[Value]:
        def look_up(atom: Any) -> Value:
            if isinstance(atom, core.Literal):
                return self.value(atom.aval, constant=atom.val)
            return known[atom]

        for eqn in jaxpr.eqns:
            inputs = [look_up(atom) for atom in eqn.invars]
            inner = _inner(eqn)
            if inner is None:
                outputs = self.apply(eqn, inputs)
            else:
                body, constants = inner
                held = [
                    self.value(var.aval, constant=const) for var, const in zip(body.constvars, constants, strict=True)
                ]
                names = [*body.constvars, *body.invars]
                outputs = self.walk(body, dict(zip(names, [*held, *inputs], strict=True)))
            known.update(zip(eqn.outvars, outputs, strict=True))
        return [look_up(atom) for atom in jaxpr.outvars]

    def apply(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        equation = Equation(eqn.primitive.name, eqn.primitive, dict(eqn.params), inputs)
        depends = bool(equation.changing)
        equation.outputs = [
            self.value(var.aval, equation=equation, output=i, depends=depends) for i, var in enumerate(eqn.outvars)
        ]
        if depends and all(value.opened for value in equation.changing):
            _put_to_rule(equation)
        return equation.outputs


def _put_to_rule(equation: Equation) -> None:
    rule = RULES.get(equation.name)
    found = f"there is no rule for {equation.name}" if rule is None else rule(equation)
    for i, value in enumerate(equation.outputs):
        its = found[i] if isinstance(found, list) else found
        if isinstance(its, Window):
            value.opened = its
        elif isinstance(its, Change):
            value.change = its
        else:
            value.reason = its


def _inner(eqn: Any) -> tuple[Any, list[Any]] | None:
    """Return the body of a call that only wraps a function, and its constants; None for other equations."""
    body = eqn.params.get(_CALLS.get(eqn.primitive.name, ""))
    if body is None:
        return None
    body, constants = (body.jaxpr, list(body.consts)) if isinstance(body, core.ClosedJaxpr) else (body, [])
    return (body, constants) if len(body.invars) == len(eqn.invars) else None
