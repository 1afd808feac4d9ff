"""The head: weights from the features of a network to its outputs, where these depend on the features linearly.

The weights are found in the graph, whatever framework made it, and tested on random sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxmaxent.models.adapters._graph import PRODUCTS, GraphValue, NetworkGraph, Node
from jaxmaxent.models.adapters._layers import function_of, listed, told

# Products that are tried as the last layer, from the output backwards.
_PRODUCTS_TRIED = 8
# A larger head would need more memory than a network.
_LARGEST = 50_000_000
# The outputs follow the features linearly if they differ from the prediction by less than this share of their spread.
_LINEAR = 1e-3


class Head(NamedTuple):
    """The features of a network and what leads from them to its outputs.

    Attributes:
        features: the value that is the features.
        weights: weights from the features to the output units, shape [features, units]; None if they are not linear.
        before: name of the function between the linear outputs and those of the network, such as "logistic"; empty
            without.
    """

    features: GraphValue
    weights: Float[np.ndarray, "features units"] | None
    before: str


def penultimate(
    graph: NetworkGraph, output: GraphValue, leaves: Sequence[Any], one_hots: Float[np.ndarray, "n length letters"]
) -> Head:
    """Return the head of the last layer with weights: its input is the features.

    Args:
        graph: the graph of the network.
        output: the output of the network.
        leaves: the leaves of its parameters.
        one_hots: random sequences to test on.

    Raises:
        ValueError: if the output does not depend linearly on the input of one of the last layers with weights.
    """
    tried = 0
    for node in reversed(_needed(graph, output)):
        changing = [value for value in node.inputs if value.depends]
        if node.name not in PRODUCTS or len(changing) != 1:
            continue
        size, units = (int(np.prod(value.shape)) for value in (changing[0], output))
        if size * units > _LARGEST:
            raise ValueError(
                f"layer must be given, by name or number, since weights from {size:,} features to {units:,} outputs "
                f"are too many; or let the network return fewer outputs, such as a sum of those of interest; "
                f"{told(listed(graph))}"
            )
        found = head_of(graph, changing[0], output, leaves, one_hots, after=node)
        if found.weights is not None:
            return found
        tried += 1
        if tried == _PRODUCTS_TRIED:
            break
    raise ValueError(
        "layer must be given, by name or number, since the output does not depend linearly on the input of a last "
        f'layer with weights ("output" takes the outputs themselves); {told(listed(graph))}'
    )


def head_of(
    graph: NetworkGraph,
    features: GraphValue,
    output: GraphValue,
    leaves: Sequence[Any],
    one_hots: Float[np.ndarray, "n length letters"],
    *,
    after: Node | None = None,
) -> Head:
    """Return the head for given features, without weights if the output does not depend on them linearly.

    A last function, such as a sigmoid or softmax, is left out: the units are then what it is applied to.

    Args:
        graph: the graph of the network.
        features: the value that is the features.
        output: the output of the network.
        leaves: the leaves of its parameters.
        one_hots: random sequences to test on.
        after: look for linear outputs after this operation only.
    """
    size, units = int(np.prod(features.shape)), int(np.prod(output.shape))
    if size * units > _LARGEST:
        return Head(features, None, "")
    candidates = list(_linear_candidates(graph, features, output, after))
    seen = _values(graph, [features, *candidates], leaves, one_hots)
    for candidate, reached in zip(candidates, seen[1:], strict=True):
        weights = _weights(graph, features, candidate, leaves, one_hots[0])
        if _is_linear(np.asarray(seen[0]), np.asarray(reached), weights):
            return Head(features, weights, "" if candidate is output else _name_of_rest(graph, candidate, output))
    return Head(features, None, "")


def _linear_candidates(
    graph: NetworkGraph, features: GraphValue, output: GraphValue, after: Node | None
) -> Iterator[GraphValue]:
    """Yield the output, then values before it through which alone it depends on the features, of the same size."""
    size = np.prod(output.shape)
    if not _depends_without(graph, output, features):
        yield output
    for node in reversed(_needed(graph, output)):
        for value in node.outputs:
            if value is features or value is output or not value.depends or np.prod(value.shape) != size:
                continue
            if not _depends_without(graph, output, value) and not _depends_without(graph, value, features):
                yield value
        if node is after:
            return


def _needed(graph: NetworkGraph, wanted: GraphValue, known: GraphValue | None = None) -> list[Node]:
    """Return the operations that depend on the sequence and that a value needs, in order."""
    needed, run = {wanted}, []
    for node in reversed(graph.nodes):
        if node.depends and any(value in needed and value is not known for value in node.outputs):
            run.append(node)
            needed.update(node.inputs)
    return run[::-1]


def _depends_without(graph: NetworkGraph, value: GraphValue, cut: GraphValue) -> bool:
    """Return True if a value depends on the sequence by other ways than through another value."""
    if value is cut:
        return False
    needed = {value}
    for node in reversed(graph.nodes):
        if node.depends and any(one in needed and one is not cut for one in node.outputs):
            needed.update(node.inputs)
    return graph.sequence in needed and graph.sequence is not cut


def _values(graph: NetworkGraph, wanted: list[GraphValue], leaves: Sequence[Any], one_hots: Any) -> list[Any]:
    @jax.jit
    def run(leaves: Sequence[Any], rows: Any) -> Any:
        return jax.lax.map(lambda row: graph.values(wanted, {graph.sequence: row}, leaves), rows)

    with jax.default_matmul_precision("highest"):
        return run(leaves, jnp.asarray(one_hots, graph.sequence.aval.dtype))


def _weights(
    graph: NetworkGraph, features: GraphValue, reached: GraphValue, leaves: Sequence[Any], one_hot: Any
) -> Float[np.ndarray, "features units"]:
    """Return the derivative of one value with respect to another, which is constant if they are linear."""

    @jax.jit
    def derivative(leaves: Sequence[Any], one_hot: Any) -> Any:
        (at,) = graph.values([features], {graph.sequence: one_hot}, leaves)

        def end(flat: Any) -> Any:
            (made,) = graph.values([reached], {features: flat.reshape(at.shape).astype(at.dtype)}, leaves)
            return made.reshape(-1)

        # At the values of a sequence, since the derivative at 0 of some functions is that of neither side.
        return jax.jacrev(end)(at.reshape(-1))

    with jax.default_matmul_precision("highest"):
        return np.asarray(derivative(leaves, jnp.asarray(one_hot, graph.sequence.aval.dtype)), float).T


def _is_linear(features: np.ndarray, reached: np.ndarray, weights: np.ndarray) -> bool:
    inputs = features.reshape(len(features), -1).astype(float)
    outputs = reached.reshape(len(reached), -1).astype(float)
    predicted = outputs[0] + (inputs - inputs[0]) @ weights
    spread = np.abs(outputs - outputs[0]).max()
    rounding = 1e-5 * np.abs(outputs).max()
    return bool(np.isfinite(weights).all() and np.abs(outputs - predicted).max() <= _LINEAR * spread + rounding)


def _name_of_rest(graph: NetworkGraph, candidate: GraphValue, output: GraphValue) -> str:
    """Return the name of the first function after the linear outputs that is more than a change of form."""
    rest = [node for node in _needed(graph, output, candidate) if not node.affine]
    if not rest:
        return ""
    softmax = any(node.name == "exp" for node in rest) and any(node.name == "reduce_sum" for node in rest)
    return "softmax" if softmax else function_of(rest[0])
