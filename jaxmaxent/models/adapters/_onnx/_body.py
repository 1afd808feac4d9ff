"""Operators that ONNX itself defines by a graph of simpler ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from jaxmaxent.models.adapters._onnx._graph import TYPES, OnnxGraph, OnnxNode

_TO_DO = (
    "export the model for inference with an opset from 11 to 23 and with operators of the standard domain only, or cut "
    "it off before this node"
)


def has_body(node: OnnxNode) -> bool:
    """Return True if the standard defines the operator by simpler ones."""
    schema = _schema(node)
    return schema is not None and (schema.has_function or _depends_on_types(schema, node))


def fixed_body(node: OnnxNode) -> OnnxGraph | None:
    """Return the graph that defines an operator for inputs of any type, None if it depends on the types."""
    schema = _schema(node)
    return body_of(node, []) if schema is not None and schema.has_function else None


def _depends_on_types(schema: Any, node: OnnxNode) -> bool:
    graphs = any(isinstance(value, OnnxGraph) for value in node.attributes.values())
    return schema.has_context_dependent_function and not graphs


def refuse(node: OnnxNode) -> ValueError:
    """Return the error of an operator that is not known."""
    return ValueError(f"{node} has an operator that cannot be computed in JAX; {_TO_DO}")


def body_of(node: OnnxNode, inputs: list[Any]) -> OnnxGraph:
    """Return the graph that defines an operator for inputs of given types; ValueError if the standard has none."""
    from onnx import FunctionProto, helper

    from jaxmaxent.models.adapters._onnx._read import function_graph

    schema = _schema(node)
    if schema is None:
        raise refuse(node)
    text = b""
    if schema.has_function:
        version = max((v for v in schema.function_opset_versions if v <= node.version), default=None)
        text = b"" if version is None else schema.get_function_with_opset_version(version)
    elif _depends_on_types(schema, node):
        versions = schema.context_dependent_function_opset_versions
        version = max((v for v in versions if v <= node.version), default=None)
        types = [_type(value, helper) for value in inputs if value is not None]
        if version is not None:
            text = schema.get_context_dependent_function_with_opset_version(version, _proto(node), types)
    if not text:
        raise refuse(node)
    if isinstance(text, bytes):
        body = FunctionProto()
        body.ParseFromString(text)
    else:
        body = text
    defaults = {
        name: helper.get_attribute_value(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }
    graph = function_graph(body, node.version, f"{node.name}/")
    return replace(graph, defaults={**graph.defaults, **defaults})


def _schema(node: OnnxNode) -> Any:
    from onnx import defs

    try:
        return defs.get_schema(node.operator, node.version, node.domain)
    except defs.SchemaError:
        return None


def _proto(node: OnnxNode) -> bytes:
    """Return the node in the file format, which the standard needs to write the graph."""
    from onnx import helper

    made = helper.make_node(node.operator, node.inputs, node.outputs, node.name, domain=node.domain, **node.attributes)
    return made.SerializeToString()


def _type(value: Any, helper: Any) -> bytes:
    """Return the type of an input in the file format."""
    number = next(number for number, dtype in TYPES.items() if dtype == np.dtype(value.dtype))
    return helper.make_tensor_type_proto(number, list(value.shape)).SerializeToString()
