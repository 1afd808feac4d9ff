"""A network as a graph of operations, so that any value in it can be its features, whatever framework made it.

The network is traced by JAX. Calls that only wrap a function are opened, except those with a derivative of their own,
which keep it. Frameworks put the names of their layers into the names of scopes, which the graph keeps.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core
from jaxtyping import Array

# Primitives that only wrap a function, and the parameter that holds the function.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}
# Operations that change the form of an array or the type of its numbers, but no number.
SAME_NUMBERS = frozenset(
    ("reshape", "broadcast_in_dim", "squeeze", "expand_dims", "transpose", "convert_element_type", "copy",
     "optimization_barrier")
)  # fmt: skip
# Operations of two operands that are affine in one of them if the other is constant.
_AFFINE = frozenset(("add", "sub", "mul", "div", "add_any"))
# Products of values with weights.
PRODUCTS = frozenset(("dot_general", "conv_general_dilated"))
_TRANSFORMED = re.compile(r"^(jit|vmap|jvp|transpose|remat|checkpoint|rematted_computation)(\(|$)")


@dataclasses.dataclass(eq=False)
class GraphValue:
    """A value of the graph.

    Attributes:
        aval: its shape and type.
        depends: whether it depends on the sequence.
        node: the operation that made it; None for parameters, constants and the sequence.
        output: which output of that operation it is.
        leaf: its number among the leaves of the parameters; None for other values.
        constant: its value if it is known while tracing.
    """

    aval: Any
    depends: bool = False
    node: Node | None = None
    output: int = 0
    leaf: int | None = None
    constant: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return tuple(self.aval.shape)


@dataclasses.dataclass(eq=False)
class Node:
    """One operation.

    Attributes:
        primitive: the operation's primitive.
        params: its static parameters.
        inputs: the values that it takes.
        outputs: the values that it makes.
        scope: names of the modules around it, such as "Net/conv_1"; empty without.
        function: name of the innermost compiled function around it, such as "relu"; empty without.
        number: its place among the operations that depend on the sequence, or -1.
    """

    primitive: Any
    params: dict[str, Any]
    inputs: list[GraphValue]
    outputs: list[GraphValue]
    scope: str
    function: str
    number: int = -1

    @property
    def name(self) -> str:
        """The name of the primitive."""
        return self.primitive.name

    @property
    def depends(self) -> bool:
        """Whether it depends on the sequence."""
        return any(value.depends for value in self.inputs)

    @property
    def affine(self) -> bool:
        """Whether it is affine in the only input that depends on the sequence, and cheap."""
        changing = [value for value in self.inputs if value.depends]
        if len(changing) != 1:
            return False
        divides = self.name == "div" and not self.inputs[0].depends
        return self.name in SAME_NUMBERS or (self.name in _AFFINE and not divides)

    def run(self, arrays: Sequence[Any]) -> Sequence[Any]:
        """Return the outputs for these inputs."""
        params, functions = self.primitive.get_bind_params(self.params), ()
        if isinstance(params, tuple):  # some versions of JAX return the functions by themselves
            functions, params = params
        made = self.primitive.bind(*functions, *arrays, **params)
        return made if self.primitive.multiple_results else [made]


@dataclasses.dataclass(eq=False)
class NetworkGraph:
    """All operations of a network, in the order in which they run.

    Attributes:
        nodes: the operations.
        sequence: the one-hot sequence.
        results: the outputs, in the order of the leaves of `tree`.
        tree: the outputs' shapes, as the network returns them.
    """

    nodes: list[Node]
    sequence: GraphValue
    results: list[GraphValue]
    tree: Any

    @property
    def changing(self) -> list[Node]:
        """The operations that depend on the sequence, in order; changes of number type do not count."""
        return [node for node in self.nodes if node.number >= 0]

    def values(self, wanted: Sequence[GraphValue], known: dict[GraphValue, Any], leaves: Sequence[Any]) -> list[Any]:
        """Return values of the graph, computed from values that are known.

        Args:
            wanted: the values to return.
            known: arrays of values that need not be computed, among them the sequence where it is needed.
            leaves: the leaves of the parameters.

        Raises:
            KeyError: if the sequence is needed and not known.
        """
        needed, run = set(wanted), []
        for node in reversed(self.nodes):
            if any(value in needed and value not in known for value in node.outputs):
                run.append(node)
                needed.update(node.inputs)
        made: dict[GraphValue, Any] = dict(known)

        def of(value: GraphValue) -> Any:
            if value in made:
                return made[value]
            if value.leaf is not None:
                return leaves[value.leaf]
            if value.node is None and not value.depends:
                return value.constant
            raise KeyError(value)

        for node in reversed(run):
            arrays = node.run([of(value) for value in node.inputs])
            for value, array in zip(node.outputs, arrays, strict=True):
                made.setdefault(value, array)
        return [of(value) for value in wanted]


def trace(function: Callable[[Any, Array], Any], params: Any, one_hot: Any) -> NetworkGraph:
    """Return the graph of `function(params, one_hot)`; arguments may be arrays or their shapes."""
    closed, tree = jax.make_jaxpr(function, return_shape=True)(params, one_hot)
    return _NetworkTracer().graph(closed, tree)


class _NetworkTracer:
    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.changing = 0

    def graph(self, closed: Any, tree: Any) -> NetworkGraph:
        *leaves, one_hot = closed.jaxpr.invars
        known: dict[Any, GraphValue] = {var: GraphValue(var.aval, leaf=i) for i, var in enumerate(leaves)}
        for var, constant in zip(closed.jaxpr.constvars, closed.consts, strict=True):
            known[var] = GraphValue(var.aval, constant=constant)
        sequence = known[one_hot] = GraphValue(one_hot.aval, depends=True)
        results = self.walk(closed.jaxpr, known, "", "")
        return NetworkGraph(self.nodes, sequence, results, tree)

    def walk(self, jaxpr: Any, known: dict[Any, GraphValue], scope: str, function: str) -> list[GraphValue]:
        def look_up(atom: Any) -> GraphValue:
            if isinstance(atom, core.Literal):
                return GraphValue(atom.aval, constant=atom.val)
            return known[atom]

        for eqn in jaxpr.eqns:
            inputs = [look_up(atom) for atom in eqn.invars]
            here = _joined(scope, str(eqn.source_info.name_stack))
            body = eqn.params.get(_CALLS.get(eqn.primitive.name, ""))
            if body is None:
                outputs = self.apply(eqn, inputs, here, function)
            else:
                body, constants = (body.jaxpr, body.consts) if isinstance(body, core.ClosedJaxpr) else (body, [])
                inner = dict(zip(body.invars, inputs, strict=True))
                for var, constant in zip(body.constvars, constants, strict=True):
                    inner[var] = GraphValue(var.aval, constant=constant)
                outputs = self.walk(body, inner, here, str(eqn.params.get("name", function)))
            known.update(zip(eqn.outvars, outputs, strict=True))
        return [look_up(atom) for atom in jaxpr.outvars]

    def apply(self, eqn: Any, inputs: list[GraphValue], scope: str, function: str) -> list[GraphValue]:
        node = Node(eqn.primitive, dict(eqn.params), inputs, [], scope, function)
        # JAX adds changes of type where the types of numbers differ, so they must not shift the numbers of others.
        if node.depends and node.name not in ("convert_element_type", "copy"):
            node.number, self.changing = self.changing, self.changing + 1
        node.outputs = [
            GraphValue(var.aval, depends=node.depends, node=node, output=i) for i, var in enumerate(eqn.outvars)
        ]
        self.nodes.append(node)
        return node.outputs


def _joined(outer: str, inner: str) -> str:
    """Return the names of nested scopes, without those that JAX's own transformations add."""
    names = [name for name in f"{outer}/{inner}".split("/") if name and not _TRANSFORMED.match(name)]
    return "/".join(names)
