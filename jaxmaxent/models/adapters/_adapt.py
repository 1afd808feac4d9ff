"""From a network of any framework to a representation: its layout, features and head, tested against the framework."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent import checks
from jaxmaxent.ensembles import DNA, PROTEIN, RNA, Alphabet, Representation
from jaxmaxent.models.adapters import _layout as layouts
from jaxmaxent.models.adapters._graph import GraphValue, NetworkGraph, trace
from jaxmaxent.models.adapters._head import Head, head_of, penultimate
from jaxmaxent.models.adapters._layers import Layer, Place, find_layer, listed, place_of, value_at
from jaxmaxent.models.adapters._layout import in_words, layout_that_works

PENULTIMATE, OUTPUT = "penultimate", "output"
# Random sequences on which a network is tried.
_SEQUENCES = 12
# Agreement with the framework, as a share of the largest output: deep networks round by 1e-5 in float32.
_AGREES = 1e-4


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of some framework as a pure function.

    Attributes:
        call: pure function `call(params, *inputs, **named_inputs)` of JAX arrays in the framework's layout; hashable.
        params: its parameters, a pytree.
        layouts: groups of layouts to try, in order.
        native: the framework's own answer for NumPy arrays, if it is not `call` itself.
        kind: name of the framework, for messages.
    """

    call: Callable[..., Any]
    params: Any
    layouts: Sequence[Sequence[str]]
    native: Callable[..., Any] | None = None
    kind: str = "the framework"


@dataclasses.dataclass(frozen=True)
class Adapted:
    """The function `features(params, one_hot[length, letters]) -> [features]` of a network of some framework.

    Attributes:
        call: the network's pure function.
        layout: layout of its input.
        output: number of the output among the leaves of what it returns.
        place: where the features are.
        length: length of the sequences that it was tried on.
        letters: number of letters.
        told: what was found, in words.
    """

    call: Callable[..., Any]
    layout: str
    output: int
    place: Place
    length: int
    letters: int
    told: str = dataclasses.field(default="", compare=False)

    def __call__(self, params: dict[str, Any], one_hot: Float[Array, "length letters"]) -> Float[Array, " features"]:
        """Return Φ of one sequence; ValueError for a sequence of another length."""
        graph = self._graph(params, one_hot)
        (features,) = graph.values([value_at(graph, self.place)], {graph.sequence: one_hot}, jax.tree.leaves(params))
        return features.reshape(-1)

    def outputs(self, params: dict[str, Any], one_hot: Float[Array, "length letters"]) -> Float[Array, " units"]:
        """Return the chosen output of the network for one sequence."""
        graph = self._graph(params, one_hot)
        (made,) = graph.values([graph.results[self.output]], {graph.sequence: one_hot}, jax.tree.leaves(params))
        return made.reshape(-1)

    def _graph(self, params: dict[str, Any], one_hot: Any) -> NetworkGraph:
        # At another length the operations may be others, so that the features would be those of another layer.
        if one_hot.shape != (self.length, self.letters):
            raise ValueError(
                f"the network was adapted for sequences of shape [{self.length}, {self.letters}], got "
                f"{list(one_hot.shape)}; adapt it again with that length and those letters"
            )
        return graph_of(self.call, self.layout, params, one_hot)

    def __repr__(self) -> str:
        return f"<{self.told}>"


def graph_of(call: Callable[..., Any], layout: str, params: dict[str, Any], one_hot: Any) -> NetworkGraph:
    """Return the graph of a network for one sequence of the form `one_hot`."""

    def one(params: dict[str, Any], one_hot: Array) -> Any:
        inputs, named = _further(params["inputs"], batch=layouts.has_batch(layout))
        return call(params["network"], layouts.arranged(one_hot, layout), *inputs, **named)

    return trace(one, params, one_hot)


def adapt(
    network: Network,
    length: int,
    *,
    layer: str | int = PENULTIMATE,
    output: str | int | None = None,
    letters: str = "ACGT",
    layout: str | None = None,
    fixed_inputs: Sequence[Any] | Mapping[str, Any] = (),
) -> Representation:
    """Return the representation of a network; the arguments are those of every `from_*`."""
    length = checks.integer("length", length, at_least=1)
    alphabet = alphabet_of(letters)
    params = {"network": network.params, "inputs": _checked_inputs(fixed_inputs)}
    checks.finite_parameters("params", params)
    one_hots = random_one_hots(length, len(alphabet))
    kind, first = network.kind, one_hots[0]
    layout = layout_that_works(
        kind, network.layouts, layout, lambda one: graph_of(network.call, one, params, first), first
    )
    graph = in_words(lambda: graph_of(network.call, layout, params, first), kind, layout, first)
    chosen, result = _chosen_output(graph, output)
    outputs = _check_against_framework(network, layout, params, graph, result, chosen, one_hots)
    leaves = jax.tree.leaves(params)
    if layer == PENULTIMATE:
        found = penultimate(graph, result, leaves, one_hots)
    elif layer == OUTPUT:
        found = Head(result, None, "")
    else:
        found = head_of(graph, find_layer(graph, layer), result, leaves, one_hots)
    told = _in_one_line(network, layout, found, outputs)
    features = Adapted(network.call, layout, chosen, place_of(graph, found.features), length, len(alphabet), told)
    head = None if found.weights is None else jnp.asarray(found.weights, jnp.result_type(float))
    return Representation(features, params, head, alphabet)


def layers(representation: Representation) -> list[Layer]:
    """Return the layers of a network, for the argument `layer` of `from_*`.

    Args:
        representation: what a `from_*` returned, with any layer.

    Raises:
        ValueError: for another representation.

    Example:
        ```python
        for layer in models.layers(models.from_nnx(network, length=200, layer="output")):
            print(layer)
        ```
    """
    features = representation.features if isinstance(representation, Representation) else representation
    if not isinstance(features, Adapted):
        raise ValueError(
            f"representation must be one that a from_* function made, got {checks.shown(type(features).__name__)}"
        )
    shape = jax.ShapeDtypeStruct((features.length, features.letters), jnp.result_type(float))
    graph = graph_of(features.call, features.layout, representation.params, shape)
    return [layer for layer, _ in listed(graph)]


def alphabet_of(letters: Any) -> Alphabet:
    """Return the alphabet with these letters in this order, with the complements of DNA or RNA where they are."""
    text = checks.text("letters", letters)
    for known in (DNA, RNA, PROTEIN):
        if sorted(known.letters) == sorted(text):
            if known.letters == text:
                return known
            pairs = dict(zip(known.letters, known.complements or known.letters, strict=True))
            own = None if known.complements is None else "".join(pairs[letter] for letter in text)
            return Alphabet(text, any_letter=known.any_letter, complements=own)
    return Alphabet(text)


def random_one_hots(length: int, letters: int) -> Float[np.ndarray, "sequences length letters"]:
    """Return the sequences that networks are tried on."""
    tokens = np.random.default_rng(0).integers(letters, size=(_SEQUENCES, length))
    return np.eye(letters, dtype=jnp.result_type(float))[tokens]


def _checked_inputs(given: Any) -> Any:
    """Return further inputs as arrays, in a tuple or by their names."""
    if isinstance(given, Mapping):
        return {checks.text("fixed_inputs", name): jnp.asarray(value) for name, value in given.items()}
    return tuple(jnp.asarray(value) for value in checks.several("fixed_inputs", given, "arrays"))


def check_further_inputs(names: Sequence[str], given: Any) -> None:
    """Raise ValueError unless all inputs of a network but one are given; `names` are those of all."""
    if isinstance(given, Mapping) and (unknown := [name for name in given if name not in names]):
        raise ValueError(f"fixed_inputs must be inputs of the model, {list(names)}, got {unknown}")
    if len(given) != len(names) - 1:
        raise ValueError(
            f"fixed_inputs must give all inputs but that of the sequence, {len(names) - 1} of {list(names)}, "
            f"got {len(given)}"
        )


def _further(inputs: Any, *, batch: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return further inputs by place and by name, with a batch axis if wanted."""
    inputs = jax.tree.map(lambda array: array[None], inputs) if batch else inputs
    return ((), inputs) if isinstance(inputs, dict) else (inputs, {})


def _chosen_output(graph: NetworkGraph, output: Any) -> tuple[int, GraphValue]:
    """Return the number of the output among the leaves, and the output.

    Raises:
        ValueError: for no choice among several, another name or number, or an output that does not depend on the input.
    """
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(graph.tree)]
    names = [path.strip("[].'\"") for path in paths]
    described = ", ".join(f"{name or 0} {list(v.shape)}" for name, v in zip(names, graph.results, strict=True))
    if output is None:
        if len(names) != 1:
            raise ValueError(f"output must be given, since the network returns {len(names)}: {described}")
        chosen = 0
    else:
        matching = [i for i, name in enumerate(names) if str(output) == name or (output == i and name == "")]
        if len(matching) != 1:
            raise ValueError(f"output must be one of {described}, got {checks.shown(output)}")
        (chosen,) = matching
    if not graph.results[chosen].depends:
        raise ValueError(
            f"output must depend on the sequence, but {names[chosen] or 'the output'} is constant; choose another"
        )
    return chosen, graph.results[chosen]


def _check_against_framework(
    network: Network,
    layout: str,
    params: dict[str, Any],
    graph: NetworkGraph,
    result: GraphValue,
    chosen: int,
    one_hots: np.ndarray,
) -> Float[np.ndarray, "sequences units"]:
    """Return the outputs for random sequences, after comparing them with the framework's own.

    Raises:
        ValueError: if they differ, are not finite, depend on the rest of the batch or change from call to call.
    """
    leaves = jax.tree.leaves(params)
    run = jax.jit(lambda leaves, row: graph.values([result], {graph.sequence: row}, leaves)[0].reshape(-1))
    native = network.native or jax.jit(lambda *arrays, **named: network.call(network.params, *arrays, **named))
    inputs = params["inputs"]

    def theirs(rows: np.ndarray) -> np.ndarray:
        if layouts.has_batch(layout):
            with contextlib.suppress(Exception):  # some networks take a batch of one only
                return call(rows, len(rows)).reshape(len(rows), -1)
        return np.stack([call(row, 1).reshape(-1) for row in rows])

    def call(rows: np.ndarray, batch: int) -> np.ndarray:
        further = inputs
        if layouts.has_batch(layout):
            further = jax.tree.map(lambda array: np.repeat(np.asarray(array)[None], batch, axis=0), inputs)
        places, named = ((), further) if isinstance(further, dict) else (further, {})
        return np.asarray(jax.tree.leaves(native(layouts.arranged(rows, layout), *places, **named))[chosen], float)

    with jax.default_matmul_precision("highest"):
        mine = np.stack([np.asarray(run(leaves, row), float) for row in one_hots])
        together = in_words(lambda: theirs(one_hots), network.kind, layout, one_hots[0])
        pair, again = theirs(one_hots[:2]), theirs(one_hots[:2])
    if not np.isfinite(mine).all() or not np.isfinite(together).all():
        raise ValueError(
            "the network must return finite numbers, but returns NaN or infinity for random sequences; "
            "check its parameters"
        )
    scale = max(float(np.abs(together).max()), 1e-30)
    if (off := np.abs(again - pair).max() / scale) > _AGREES:
        raise ValueError(
            f"the network must give the same output in every call, but outputs differ by {off:.1g} of the largest; put "
            "it into inference mode, without dropout"
        )
    if (off := np.abs(pair - together[:2]).max() / scale) > _AGREES:
        raise ValueError(
            f"the network must treat each sequence by itself, but its output changes by {off:.1g} of the largest with "
            "the rest of the batch; put it into inference mode, without batch statistics"
        )
    if mine.shape != together.shape or (off := np.abs(mine - together).max() / scale) > _AGREES:
        raise ValueError(
            f"the adapted network must agree with {network.kind}, but its outputs differ"
            + (f" by {off:.1g} of the largest" if mine.shape == together.shape else " in shape")
            + "; write it as a function of JAX arrays and use from_function"
        )
    return mine


def _in_one_line(network: Network, layout: str, found: Head, outputs: np.ndarray) -> str:
    """Return what was found: layout, features, head and units."""
    node = found.features.node
    scope = "the sequence" if node is None else node.scope or node.name
    size, units = int(np.prod(found.features.shape)), outputs.shape[1]
    head = f"linear to {units} units" if found.weights is not None else "no head"
    left_out = f" before the last {found.before}" if found.before else ""
    return f"{network.kind}, layout {layout}, {size} features after {scope}, {head}{left_out}"
