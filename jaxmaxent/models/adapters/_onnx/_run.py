"""Computing a graph: node after node, in NumPy as long as everything is known, in JAX from there on."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmaxent.models.adapters._onnx._body import body_of
from jaxmaxent.models.adapters._onnx._graph import Call, Functions, OnnxGraph, OnnxNode, Reference
from jaxmaxent.models.adapters._onnx._table import EITHER, ON_LISTS, OPERATORS


def run_graph(
    graph: OnnxGraph,
    known: dict[str, Any],
    functions: Functions,
    attributes: dict[str, Any] | None = None,
    wanted: tuple[str, ...] | None = None,
) -> tuple[Any, ...]:
    """Return the outputs of a graph.

    Args:
        graph: its nodes.
        known: the values by name that are there before the first node: inputs, weights, those of a graph around it.
        functions: the functions that the model defines.
        attributes: of a function, the attributes of the node that calls it.
        wanted: the names that a node gives to the outputs of a function; one without a name may be missing.

    Raises:
        ValueError: if a node cannot be computed. The message names the node.
    """
    values = {**known, **graph.constants}
    for node in graph.nodes:
        inputs = [values[name] if name else None for name in node.inputs]
        results = _apply(_resolved(node, attributes or {}), inputs, values, functions, attributes)
        values.update((name, result) for name, result in zip(node.outputs, results, strict=False) if name)
    names = graph.outputs if wanted is None else wanted
    return tuple(values[inner] if name else None for inner, name in zip(graph.outputs, names, strict=False))


def _resolved(node: OnnxNode, outer: dict[str, Any]) -> OnnxNode:
    """Return the node with the values of its attributes that a function passes on."""
    if not any(isinstance(value, Reference) for value in node.attributes.values()):
        return node
    found = {
        name: outer.get(value.name) if isinstance(value, Reference) else value
        for name, value in node.attributes.items()
    }
    return replace(node, attributes={name: value for name, value in found.items() if value is not None})


def _apply(
    node: OnnxNode, inputs: list[Any], values: dict[str, Any], functions: Functions, outer: Any
) -> tuple[Any, ...]:
    inner = functions.get((node.domain, node.operator, node.overload))
    if inner is None and (node.domain or node.operator not in OPERATORS):
        inner = body_of(node, inputs)
    if inner is not None:
        given = dict(zip(inner.inputs, [*inputs, *[None] * (len(inner.inputs) - len(inputs))], strict=True))
        with jax.named_scope(node.scope) if node.scope else contextlib.nullcontext():
            return run_graph(inner, given, functions, {**inner.defaults, **node.attributes}, node.outputs)

    def run(graph: OnnxGraph, arguments: list[Any]) -> tuple[Any, ...]:
        return run_graph(graph, {**values, **dict(zip(graph.inputs, arguments, strict=True))}, functions, outer)

    call = Call(node, node.attributes, jnp, run)
    try:
        if _folds(node, inputs):
            return _fold(call, inputs)
        with jax.named_scope(node.scope) if node.scope else contextlib.nullcontext():
            return _several(OPERATORS[node.operator](call, *inputs))
    except (ValueError, TypeError, NotImplementedError, IndexError, KeyError) as error:
        if isinstance(error, NodeError):
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        raise NodeError(f"{node} cannot be computed: {reason}") from error


class NodeError(ValueError):
    """Says which node of a graph cannot be computed, and why."""


def _folds(node: OnnxNode, inputs: list[Any]) -> bool:
    """Return True if the result of a node is one array or more that are all known."""
    plain = node.operator not in ON_LISTS and not any(
        isinstance(value, OnnxGraph) for value in node.attributes.values()
    )
    return plain and all(value is None or isinstance(value, np.ndarray) for value in inputs)


def _fold(call: Call, inputs: list[Any]) -> tuple[Any, ...]:
    """Return the results of a node whose inputs are all known, as NumPy arrays."""
    operator = OPERATORS[call.node.operator]
    if call.node.operator in EITHER:
        with np.errstate(all="ignore"):  # as in JAX, a division by zero is no warning
            results = _several(operator(replace(call, xp=np), *inputs))
        return tuple(None if result is None else np.asarray(result) for result in results)
    # In the types of the file, whatever JAX computes in otherwise.
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        results = _several(operator(call, *[None if value is None else jnp.asarray(value) for value in inputs]))
        return tuple(None if result is None else np.asarray(result) for result in results)


def _several(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)
