"""The layers of a network: values of its graph that are worth a name, and how to find one of them again."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxmaxent import checks
from jaxmaxent.models.adapters._graph import PRODUCTS, SAME_NUMBERS, GraphValue, NetworkGraph, Node

# Names that primitives have in tables of layers.
_OPERATIONS = {
    "conv_general_dilated": "convolution",
    "dot_general": "matrix product",
    "reduce_window_max": "max pooling",
    "reduce_window_sum": "sum pooling",
    "reduce_max": "maximum",
    "reduce_sum": "sum",
    "custom_jvp_call": "function",
    "custom_vjp_call": "function",
}
_SHOWN = 12


class Layer(NamedTuple):
    """One layer of a network.

    Attributes:
        index: its number, for the argument `layer` of `from_*`.
        name: names of the modules around it, such as "Net/conv_1"; empty without.
        operation: what it does, in a word or two.
        shape: shape of its output for one sequence, as the framework has it.
    """

    index: int
    name: str
    operation: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.index}: {self.name or self.operation} {list(self.shape)}"


class Place(NamedTuple):
    """Where the features are in the graph of a network.

    Attributes:
        number: number of the operation among those that depend on the sequence; -1 for the sequence itself.
        output: which of its outputs.
        operation: name of its primitive.
        operations: how many operations depend on the sequence; with the name, to see that the graph is still the same.
    """

    number: int
    output: int
    operation: str
    operations: int


def place_of(graph: NetworkGraph, value: GraphValue) -> Place:
    """Return the place of a value that depends on the sequence."""
    operations = len(graph.changing)
    while value.node is not None and value.node.number < 0:  # a change of type
        value = value.node.inputs[0]
    if value.node is None:
        return Place(-1, 0, "", operations)
    return Place(value.node.number, value.output, value.node.name, operations)


def value_at(graph: NetworkGraph, place: Place) -> GraphValue:
    """Return the value at a place of a graph.

    Raises:
        ValueError: if the graph has another operation there.
    """
    nodes = graph.changing
    same = len(nodes) == place.operations and (place.number < 0 or nodes[place.number].name == place.operation)
    if not same:
        raise ValueError(
            "the network must run the same operations as when it was adapted, but runs others; adapt it again where it "
            "is used, with the same settings of JAX"
        )
    return graph.sequence if place.number < 0 else nodes[place.number].outputs[place.output]


def listed(graph: NetworkGraph) -> list[tuple[Layer, Node]]:
    """Return the layers of a graph in order, with the operation whose output each one is.

    Operations of one module that has no modules in it are one layer. So are an operation and those that only add or
    multiply constants to its output, such as a bias.
    """
    nodes = graph.changing
    scopes = {node.scope for node in nodes}
    parents = {scope.rsplit("/", i)[0] for scope in scopes for i in range(1, scope.count("/") + 1)} | {""}
    users: dict[GraphValue, list[Node]] = {}
    for node in nodes:
        for value in node.inputs:
            users.setdefault(value, []).append(node)

    def goes_on(i: int, begins: int) -> bool:
        """Return True if the layer that began at one operation has not come to its end at another."""
        node, following = nodes[i], nodes[i + 1] if i + 1 < len(nodes) else None
        if node.scope not in parents and following is not None and following.scope == node.scope:
            return True
        if any(
            _is_softmax([one.name for one in nodes[begins : end + 1]]) for end in range(i + 1, min(i + 9, len(nodes)))
        ):
            return True
        using = [one for value in node.outputs for one in users.get(value, [])]
        same = len(using) == 1 and using[0].affine and using[0].name not in SAME_NUMBERS
        return same and using[0].scope == node.scope

    found, begins = [], 0
    for i, node in enumerate(nodes):
        if goes_on(i, begins):
            continue
        members, begins = nodes[begins : i + 1], i + 1
        if node.scope in parents and all(one.name in SAME_NUMBERS for one in members):
            continue
        layer = Layer(len(found), node.scope, _operation(members), node.outputs[0].shape)
        found.append((layer, node))
    return found


def _operation(members: list[Node]) -> str:
    names = [node.name for node in members]
    product = next((name for name in names if name in PRODUCTS), None)
    if _is_softmax(names):
        return "softmax"
    word = _OPERATIONS.get(product or names[-1], product or names[-1])
    return function_of(members[-1]) if word == "function" else word


def _is_softmax(names: list[str]) -> bool:
    return names[:1] == ["reduce_max"] and names[-1:] == ["div"] and "exp" in names


def function_of(node: Node) -> str:
    """Return the name of the function around an operation, or in one with a derivative of its own, such as "relu"."""
    body = node.params.get("call_jaxpr")
    inner = [eqn.params.get("name") for eqn in body.jaxpr.eqns] if body is not None else []
    return node.function or next(filter(None, inner), node.name)


def find_layer(graph: NetworkGraph, layer: Any) -> GraphValue:
    """Return the value of a layer that is given by its index or its name.

    Raises:
        ValueError: if there is no such layer, or several modules have the name.
    """
    layers = listed(graph)
    if isinstance(layer, int) and not isinstance(layer, bool):
        if not -len(layers) <= layer < len(layers):
            raise ValueError(f"layer must be one of 0 to {len(layers) - 1}, got {layer}; {told(layers)}")
        return layers[layer][1].outputs[0]
    name = checks.text("layer", layer).strip("/")
    name = name if "/" in name else name.replace(".", "/")  # PyTorch separates modules by dots
    of_scope: dict[str, Node] = {}
    for node in graph.changing:
        parts = node.scope.split("/")
        for depth in range(1, len(parts) + 1):  # the last operation in a module gives its output
            of_scope["/".join(parts[:depth])] = node
    matching = [scope for scope in of_scope if scope == name] or [s for s in of_scope if s.endswith(f"/{name}")]
    if len(matching) != 1:
        problem = "there is no such layer" if not matching else f"{len(matching)} modules have this name"
        raise ValueError(
            f"layer must be the name or number of a layer, got {checks.shown(layer)}: {problem}; {told(layers)}"
        )
    return of_scope[matching[0]].outputs[0]


def told(layers: list[tuple[Layer, Node]]) -> str:
    """Return the last layers in words."""
    last = [str(layer) for layer, _ in layers[-_SHOWN:]]
    return f"the {'last ' if len(layers) > _SHOWN else ''}layers are {'; '.join(last)}"
