"""Tracing: a function of one sequence becomes a graph of values, without nested calls, with a rule per equation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer as Tracing
from jax.extend import core
from jaxtyping import Array

from jaxmaxent.evaluate.incremental import _loops as loops
from jaxmaxent.evaluate.incremental import _terms as terms
from jaxmaxent.evaluate.incremental._values import Change, Equation, Graph, Value, Window, plain, sequence_window
from jaxmaxent.evaluate.incremental.rules import FLATTENED_TOO, REWRITES, RULES
from jaxmaxent.evaluate.incremental.rules._flattened import unflattened

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
    "custom_vmap_call": "call",
}


def trace(features: Callable[[Any, Array], Array], params: Any, length: int, letters: int) -> Graph:
    """Return the graph of `features(params, one_hot[length, letters]) -> [features]`."""
    # By default GPUs and TPUs round factors to 10 or 8 bits. That makes an error in E, which β multiplies.
    with jax.default_matmul_precision("highest"):
        closed = jax.make_jaxpr(features)(params, jax.ShapeDtypeStruct((length, letters), jnp.float32))
        return Tracer().graph(closed)


class Tracer:
    """Turns the equations of a jaxpr into values of a graph."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._views: dict[int, Value | str] = {}

    def graph(self, closed: Any) -> Graph:
        """Return the graph of a function of parameters and the sequence."""
        *params, one_hot = closed.jaxpr.invars
        if len(closed.jaxpr.outvars) != 1:
            raise ValueError(f"features must return one array [features], got {len(closed.jaxpr.outvars)} arrays")
        leaves = {var: self.value(var.aval, leaf=i) for i, var in enumerate([*params, *closed.jaxpr.constvars])}
        for var, const in zip(closed.jaxpr.constvars, closed.consts, strict=True):
            leaves[var].number_known = None if isinstance(const, Tracing) else const
        sequence = self.value(one_hot.aval, depends=True)
        sequence.opened = sequence_window(one_hot.aval.shape)
        (result,) = self.walk(closed.jaxpr, {**leaves, one_hot: sequence})
        return Graph(self.values, sequence, result, list(closed.consts))

    def value(self, aval: Any, **given: Any) -> Value:
        """Return a new value."""
        made = Value(len(self.values), tuple(aval.shape), aval.dtype, **given)
        self.values.append(made)
        return made

    def forget(self, number: int) -> None:
        """Drop all values from a number on, because the loop that they were made for is left as it is."""
        del self.values[number:]
        self._views = {
            source: view for source, view in self._views.items() if isinstance(view, str) or view.number < number
        }

    def made(self, function: Callable[..., Any], *inputs: Value) -> list[Value]:
        """Return the values of a function of arrays that is applied to values."""
        avals = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in inputs]
        return self.called(jax.make_jaxpr(function)(*avals), list(inputs))

    def called(self, closed: Any, inputs: Sequence[Value], scope: str = "") -> list[Value]:
        """Return the results of a jaxpr that is applied to values."""
        body, consts = (closed.jaxpr, closed.consts) if isinstance(closed, core.ClosedJaxpr) else (closed, ())
        held = [self.value(var.aval, constant=const) for var, const in zip(body.constvars, consts, strict=True)]
        return self.walk(body, dict(zip([*body.constvars, *body.invars], [*held, *inputs], strict=True)), scope)

    def walk(self, jaxpr: Any, found: dict[Any, Value], scope: str = "") -> list[Value]:
        """Return the results of a jaxpr, of whose variables `found` holds the inputs and constants."""

        def look_up(atom: Any) -> Value:
            if isinstance(atom, core.Literal):
                return self.value(atom.aval, constant=atom.val)
            return found[atom]

        for eqn in jaxpr.eqns:
            inputs = [look_up(atom) for atom in eqn.invars]
            here = "/".join(filter(None, (scope, str(eqn.source_info.name_stack))))
            body = eqn.params.get(_CALLS.get(eqn.primitive.name, ""))
            if body is not None and len(getattr(body, "jaxpr", body).invars) == len(inputs):
                outputs = self.called(body, inputs, here)
            else:
                equation = Equation(eqn.primitive.name, eqn.primitive, dict(eqn.params), inputs, here)
                outputs = self.apply(equation, [var.aval for var in eqn.outvars])
            found.update(zip(eqn.outvars, outputs, strict=True))
        return [look_up(atom) for atom in jaxpr.outvars]

    def apply(self, equation: Equation, avals: Sequence[Any]) -> list[Value]:
        """Return the results of an equation, with their windows or changes."""
        depends = bool(equation.changing)
        if depends and any(value.opened or value.change or value.terms for value in equation.changing):
            entered = loops.entered(self, equation)
            if entered is not None:
                return entered
            replaced = self._replaced(equation)
            if replaced is not None:
                return replaced
        equation.outputs = [
            self.value(aval, equation=equation, output=i, depends=depends) for i, aval in enumerate(avals)
        ]
        if not depends:
            return equation.outputs
        if all(value.opened for value in equation.changing):
            self._put_to_rule(equation)
        else:
            terms.follow(self, equation)
            for value in equation.outputs:
                value.reason = value.reason or _why_full(equation)
        return equation.outputs

    def _replaced(self, equation: Equation) -> list[Value] | None:
        """Return the results of an equation by other operations, if it is one of those that are replaced."""
        summed = terms.summed(self, equation)
        if summed is not None:
            return summed
        rewrite = REWRITES.get(equation.name)
        if rewrite is None or not all(value.opened for value in equation.changing):
            return None
        function = rewrite(equation)
        return None if function is None else self.made(function, *equation.inputs)

    def _put_to_rule(self, equation: Equation) -> None:
        found = self._of_rule(equation) if equation.name in FLATTENED_TOO or _all_plain(equation) else ""
        if isinstance(found, str) and not _all_plain(equation):
            del self.values[-len(equation.outputs) :]  # views come before what is computed from them
            inputs = [value if plain(value) else self._view(value) for value in equation.inputs]
            for value in equation.outputs:
                value.number = len(self.values)
                self.values.append(value)
            words = [value for value in inputs if isinstance(value, str)]
            if words:
                found = found or words[0]
            else:
                equation.inputs = inputs  # pyright: ignore[reportAttributeAccessIssue]
                found = self._of_rule(equation)
        for i, value in enumerate(equation.outputs):
            its = found[i] if isinstance(found, list) else found
            if isinstance(its, Window):
                value.opened = its
            elif isinstance(its, Change):
                value.change = its
            else:
                value.reason = its

    def _of_rule(self, equation: Equation) -> Any:
        rule = RULES.get(equation.name)
        if rule is None and equation.name in loops.LOOPS:
            return loops.LOOPS[equation.name]
        return f"has no rule ({equation.name})" if rule is None else rule(equation)

    def _view(self, value: Value) -> Value | str:
        """Return a flattened value as one with a single sequence axis."""
        if value.number not in self._views:
            window = unflattened(value)
            view = Equation("view", _Same, {}, [value], value.equation.scope if value.equation else "")
            if isinstance(window, str):
                self._views[value.number] = window
            else:
                made = self.value(value, equation=view, depends=True, opened=window)
                view.outputs = [made]
                self._views[value.number] = made
        return self._views[value.number]


class _Same:
    """Passes an array on, in place of a primitive."""

    multiple_results = False

    @staticmethod
    def bind(array: Array) -> Array:
        """Return the array."""
        return array


def _all_plain(equation: Equation) -> bool:
    return all(plain(value) for value in equation.inputs)


def _why_full(equation: Equation) -> str:
    """Return why nothing of an equation is windowed although some of its inputs are; empty if none is."""
    if not any(value.opened for value in equation.changing):
        return ""
    others = [value for value in equation.changing if not value.opened]
    names = {value.equation.name for value in others if value.equation}
    return f"takes a value that changes everywhere, of {', '.join(sorted(names))}" if names else "takes such a value"
