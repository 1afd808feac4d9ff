"""Values that decide shapes: they must be known while the function is traced, so they are no weights."""

from __future__ import annotations

from jaxmaxent.models.adapters._onnx._graph import Functions, OnnxGraph, OnnxNode

# The inputs of an operator, by number, that decide the shape of its result or the code that computes it.
_DECIDING: dict[str, tuple[int, ...]] = {
    "Reshape": (1,),
    "Expand": (1,),
    "Tile": (1, 2),
    "Slice": (1, 2, 3, 4),
    "Pad": (1, 3),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
    "ConstantOfShape": (0,),
    "Range": (0, 1, 2),
    "Squeeze": (1,),
    "Unsqueeze": (1,),
    "Split": (1,),
    "SplitToSequence": (1,),
    "SequenceAt": (1,),
    "SequenceInsert": (2,),
    "SequenceErase": (1,),
    "OneHot": (1,),
    "TopK": (1,),
    "Trilu": (1,),
    "CumSum": (1,),
    "Dropout": (2,),
    "If": (0,),
    "Loop": (0, 1),
    "NonZero": (0,),
    "Compress": (1,),
    "CenterCropPad": (1,),
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
}
# The shape of a value is known even if its numbers are not.
_OF_SHAPES = ("Shape", "Size")


def shaping(graph: OnnxGraph, functions: Functions) -> frozenset[str]:
    """Return the names of values that decide shapes in a graph, directly or through other nodes."""
    found = set[str]()
    _collect(graph, functions, found)
    return frozenset(found)


def _collect(graph: OnnxGraph, functions: Functions, found: set[str]) -> None:
    for node in reversed(graph.nodes):
        for value in node.attributes.values():
            if isinstance(value, OnnxGraph):
                # The first output of a loop's graph is whether it goes on.
                own = value.outputs[1:] if node.operator == "Loop" else value.outputs
                found.update(inner for outer, inner in zip(node.outputs, own, strict=False) if outer in found)
                _collect(value, functions, found)
        if found.intersection(node.outputs) and node.operator not in _OF_SHAPES:
            found.update(node.inputs)
        found.update(node.inputs[i] for i in _deciding(node, functions) if i < len(node.inputs))
    found.discard("")


def _deciding(node: OnnxNode, functions: Functions) -> tuple[int, ...]:
    inner = functions.get((node.domain, node.operator, node.overload))
    if inner is not None:
        names = shaping(inner, functions)
        return tuple(i for i, name in enumerate(inner.inputs) if name in names)
    if node.domain:
        return ()
    return (1,) if node.operator.startswith("Reduce") else _DECIDING.get(node.operator, ())
