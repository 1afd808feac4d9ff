"""Reading the file format of ONNX."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxmaxent import checks
from jaxmaxent.models.adapters._onnx._body import fixed_body, has_body, refuse
from jaxmaxent.models.adapters._onnx._function import OnnxFunction, Port
from jaxmaxent.models.adapters._onnx._graph import TYPES, Functions, OnnxGraph, OnnxNode, Reference
from jaxmaxent.models.adapters._onnx._shaping import shaping
from jaxmaxent.models.adapters._onnx._table import OPERATORS

if TYPE_CHECKING:
    from onnx import ModelProto

_STANDARD = ("", "ai.onnx")
# An array in a node of its own is a weight if it has more elements than this, and otherwise a number of a formula.
_FEW = 8


def read(model: str | os.PathLike[str] | bytes | ModelProto) -> OnnxFunction:
    """Read an ONNX model.

        function = read("model.onnx")
        (scores,) = function(function.params, x)

    Args:
        model: a file, its contents, or a model of the package onnx. Weights in files of their own are read from the
            folder of the file.

    Raises:
        ImportError: if the package onnx is missing.
        ValueError: if `model` is no ONNX model, or if it has an operator or a type that
            is not known. The message names the node.
    """
    proto = _load(model)
    versions = {entry.domain: entry.version for entry in proto.opset_import}
    functions = {}
    for function in proto.functions:
        own = {**versions, **{entry.domain: entry.version for entry in function.opset_import}}
        functions[_domain(function.domain), function.name, function.overload] = _function(function, own, "")
    graph = _graph(proto.graph, versions, "")
    for inner in (graph, *functions.values()):
        _check_operators(inner, functions)
    for info in proto.graph.output:
        if info.type.WhichOneof("value") not in (None, "tensor_type"):
            raise ValueError(
                f"the output {info.name!r} of the ONNX model must be an array; export it with such outputs"
            )
    inputs = tuple(_port(info) for info in proto.graph.input if info.name not in graph.constants)
    decides = shaping(graph, functions)
    graph = _constants_first(graph)
    params = {
        name: value
        for name, value in graph.constants.items()
        if value.dtype.kind in "fV" and value.ndim and name not in decides
    }
    held = {name: value for name, value in graph.constants.items() if name not in params}
    return OnnxFunction(
        inputs=inputs,
        outputs=graph.outputs,
        output_shapes=tuple(_shape(info) for info in proto.graph.output),
        params=params,
        shaping=decides,
        graph=OnnxGraph(tuple(name for name, _, _ in inputs), graph.outputs, graph.nodes, held),
        functions=functions,
    )


def function_graph(body: Any, version: int, prefix: str) -> OnnxGraph:
    """Return the graph of a function of the standard, as defined for an opset."""
    versions = {entry.domain: entry.version for entry in body.opset_import}
    return _function(body, {"": version, **versions}, prefix)


def _load(model: Any) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ImportError(f"an ONNX model needs onnx: pip install 'jaxmaxent[onnx]' ({error})") from error
    from google.protobuf.message import DecodeError

    if isinstance(model, onnx.ModelProto):
        proto = model
    else:
        if not isinstance(model, str | bytes | os.PathLike):
            raise ValueError(f"model must be a file, its contents or an onnx.ModelProto, got {checks.shown(model)}")
        try:
            proto = onnx.load_model_from_string(model) if isinstance(model, bytes) else onnx.load(os.fspath(model))
        except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"model must be an ONNX model, got {checks.shown(model)}: {reason}") from error
    if not proto.graph.node and not proto.graph.output:
        raise ValueError(f"model must be an ONNX model with a graph, got {checks.shown(model)}")
    return proto


def _domain(name: str) -> str:
    return "" if name in _STANDARD else name


def _port(info: Any) -> Port:
    kind = info.type.tensor_type
    if not info.type.HasField("tensor_type") or kind.elem_type not in TYPES:
        raise ValueError(
            f"the input {info.name!r} of the ONNX model must be an array of numbers; export it with such inputs"
        )
    return info.name, TYPES[kind.elem_type], _shape(info)


def _shape(info: Any) -> tuple[int | None, ...] | None:
    kind = info.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in kind.shape.dim)


def _graph(graph: Any, versions: dict[str, int], prefix: str) -> OnnxGraph:
    if graph.sparse_initializer:
        raise ValueError("the ONNX model has sparse weights; export it with dense ones")
    return OnnxGraph(
        inputs=tuple(info.name for info in graph.input),
        outputs=tuple(info.name for info in graph.output),
        nodes=_nodes(graph.node, versions, prefix),
        constants={tensor.name: _array(tensor) for tensor in graph.initializer},
    )


def _function(function: Any, versions: dict[str, int], prefix: str) -> OnnxGraph:
    defaults = {proto.name: _attribute(proto, versions, prefix) for proto in function.attribute_proto}
    nodes = _nodes(function.node, versions, prefix)
    return OnnxGraph(tuple(function.input), tuple(function.output), nodes, defaults=defaults)


def _nodes(nodes: Any, versions: dict[str, int], prefix: str) -> tuple[OnnxNode, ...]:
    made = []
    for node in nodes:
        domain = _domain(node.domain)
        name = prefix + (node.name or f"{node.op_type}:{next(filter(None, node.output), '')}")
        attributes = {proto.name: _attribute(proto, versions, f"{name}/") for proto in node.attribute}
        version = versions.get(domain, versions.get("ai.onnx", 1) if not domain else 1)
        made.append(
            OnnxNode(
                node.op_type,
                domain,
                version,
                name,
                tuple(node.input),
                tuple(node.output),
                attributes,
                node.overload,
                _scope(node, name),
            )
        )
    return tuple(made)


def _scope(node: Any, name: str) -> str:
    """Return the names of the modules around a node, as PyTorch writes them, or else its own name."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            _, *modules, _ = ["", *ast.literal_eval(entry.value)] if entry.value.startswith("[") else ["", ""]
            return modules[-1].replace(".", "/") if modules else ""
    return name.strip("/")


def _attribute(proto: Any, versions: dict[str, int], prefix: str) -> Any:
    from onnx import AttributeProto, helper

    if proto.ref_attr_name:
        return Reference(proto.ref_attr_name)
    if proto.type == AttributeProto.GRAPH:
        return _graph(proto.g, versions, prefix)
    if proto.type == AttributeProto.TENSOR:
        return _array(proto.t)
    value = helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if proto.type == AttributeProto.STRINGS:
        return [entry.decode("utf-8", "replace") for entry in value]
    return list(value) if proto.type in (AttributeProto.FLOATS, AttributeProto.INTS) else value


def _array(tensor: Any) -> np.ndarray:
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL:
        raise ValueError(
            f"the constant {tensor.name!r} of the ONNX model lies in a file of its own; give the path of the model"
        )
    if tensor.data_type not in TYPES:
        kind = TensorProto.DataType.Name(tensor.data_type)
        raise ValueError(
            f"the constant {tensor.name!r} of the ONNX model has the type {kind}, which is not known here; "
            "export the model in 32-bit floating point, not quantized"
        )
    return np.asarray(numpy_helper.to_array(tensor)).astype(TYPES[tensor.data_type], copy=False)


def _check_operators(graph: OnnxGraph, functions: Functions) -> None:
    """Check that every node can be computed, also those in the graphs of attributes."""
    for node in graph.nodes:
        own = (node.domain, node.operator, node.overload) in functions
        if not own and (node.domain or node.operator not in OPERATORS):
            if not has_body(node):
                raise refuse(node)
            inner = fixed_body(node)
            if inner is not None:
                _check_operators(inner, functions)
        for value in node.attributes.values():
            if isinstance(value, OnnxGraph):
                _check_operators(value, functions)


def _constants_first(graph: OnnxGraph) -> OnnxGraph:
    """Return the graph with large arrays of Constant nodes among the constants: some exporters keep weights there."""
    found, nodes = dict(graph.constants), []
    for node in graph.nodes:
        value = node.attributes.get("value")
        if node.operator == "Constant" and not node.domain and isinstance(value, np.ndarray) and value.size > _FEW:
            found[node.outputs[0]] = value
        else:
            nodes.append(node)
    return OnnxGraph(graph.inputs, graph.outputs, tuple(nodes), found)
