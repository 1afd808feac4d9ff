"""Networks that are functions of JAX arrays, and archives of `jax.export`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from jax import export

from jaxmaxent import checks
from jaxmaxent.ensembles import Representation
from jaxmaxent.models.adapters._adapt import PENULTIMATE, Network, adapt
from jaxmaxent.models.adapters._extras import needed
from jaxmaxent.models.adapters._flags import Same
from jaxmaxent.models.adapters._layout import BATCHES, ONE_SEQUENCE


@dataclasses.dataclass(frozen=True)
class _FunctionCall:
    function: Same
    with_params: bool

    def __call__(self, params: Any, *inputs: Any, **named: Any) -> Any:
        before = (params,) if self.with_params else ()
        return self.function.value(*before, *inputs, **named)


def from_function(
    function: Callable[..., Any],
    length: int,
    *,
    params: Any = None,
    layer: str | int = PENULTIMATE,
    output: str | int | None = None,
    letters: str = "ACGT",
    layout: str | None = None,
    fixed_inputs: Sequence[Any] | Mapping[str, Any] = (),
) -> Representation:
    """Return the representation of a function of JAX arrays, `function(x)` or `function(params, x)`.

    The network is tried on random sequences: it must answer the same in every call, whatever the rest of the batch.
    Give `params` where there are any: other parameters of the same form then run the program that is compiled already.

    Args:
        function: the network; keep it, because another function is another program to compile.
        length: length of the sequences.
        params: a pytree of arrays, the first argument of the function; None for a function of sequences only.
        layer: what the features are. "penultimate" takes the input of the last layer with weights, "output" the
            outputs, and a name or number that layer, see `layers`.
        output: key or index of the output, if the network returns several.
        letters: letters in the order of the network's input; the alphabet of the representation.
        layout: layout of the network's input, made of N (batch), L (positions), C (letters) and 1, such as "NLC",
            "NCL" or "NC1L"; without N it takes one sequence. None takes the layout that works, if only one does.
        fixed_inputs: further inputs of one sequence, without a batch axis, the same for all sequences: a list for
            arguments after the sequence, or a dictionary for named ones. For an input per anchor, make a representation
            per anchor.

    Returns:
        a `Representation`. Its `head` has the weights from the features to the outputs, before a last sigmoid or
        softmax, if the outputs depend on the features linearly, otherwise None.

    Raises:
        ValueError: for anything that would give other features than the network's own, in one sentence.

    Example:
        ```python
        network = models.from_function(apply, length=200, params=params, layout="NLC")
        ensemble = jme.Ensemble.create(network, anchor, unit=0, beta=50.0)
        ```
    """
    if not callable(function):
        raise ValueError(f"function must be a function of JAX arrays, got {checks.shown(function)}")
    layouts = (*BATCHES, *ONE_SEQUENCE)
    call = _FunctionCall(Same(function), params is not None)
    network = Network(call, () if params is None else params, layouts, kind="the function")
    return adapt(network, length, layer=layer, output=output, letters=letters, layout=layout, fixed_inputs=fixed_inputs)


def from_exported(
    exported: export.Exported | str | os.PathLike[str],
    length: int,
    *,
    params: Any = None,
    layer: str | int = PENULTIMATE,
    output: str | int | None = None,
    letters: str = "ACGT",
    layout: str | None = None,
    fixed_inputs: Sequence[Any] | Mapping[str, Any] = (),
) -> Representation:
    """Return the representation of a network that `jax.export` saved.

    Its operations cannot be looked into: the features are its outputs, and each proposal evaluates all of it. An
    archive for a batch of any size, `jax.export.symbolic_shape("batch, 200, 4")`, runs many sequences together, and one
    for a batch of 1 runs them one after another.

    Args:
        exported: what `jax.export.export(...)(...)` returned, or a file with its `serialize()`.
        length: length of the sequences.
        params: parameters, if they are its first argument.
        layer: "penultimate" or "output"; both take the outputs.
        output, letters, layout, fixed_inputs: see `from_function`.

    Raises:
        ValueError: for anything that would give other features than the network's own, in one sentence.
        ImportError: for a file, if the package flatbuffers is not installed.

    Example:
        ```python
        network = models.from_exported("network.jax", length=200)
        ```
    """
    if not isinstance(exported, export.Exported):
        exported = _deserialized(exported)
    if layer not in (PENULTIMATE, "output"):
        raise ValueError(f'layer must be "output", since an exported network has no layers, got {checks.shown(layer)}')
    call = _FunctionCall(Same(_batched(exported)), params is not None)
    layouts = (*BATCHES, *ONE_SEQUENCE)
    network = Network(call, () if params is None else params, layouts, kind="the exported network")
    return adapt(
        network, length, layer="output", output=output, letters=letters, layout=layout, fixed_inputs=fixed_inputs
    )


def _deserialized(path: Any) -> export.Exported:
    file = Path(checks.text("exported", os.fspath(path)))
    if not file.is_file():
        raise ValueError(f"exported must be an exported network or a file, but there is no file {file}")
    needed("flatbuffers")
    try:
        return export.deserialize(bytearray(file.read_bytes()))
    except Exception as error:
        raise ValueError(f"exported must be a file of jax.export, but {file} is not") from error


def _batched(exported: export.Exported) -> Callable[..., Any]:
    """Return the call of an exported network with a rule for batches, which JAX does not have."""

    @jax.custom_batching.custom_vmap
    def call(*arguments: Any) -> Any:
        return exported.call(*arguments)

    @call.def_vmap
    def over_batch(size: int, batched: Any, *arguments: Any) -> Any:
        # Sequences that come together: a batch of one each becomes one batch, if the archive takes it and shares
        # everything else; otherwise they run one after another.
        del size
        mapped = [all(jax.tree.leaves(flags)) and bool(jax.tree.leaves(flags)) for flags in batched]
        open_batch = [_any_batch(aval) for aval in _per_argument(exported)]
        together = all(is_mapped == is_open for is_mapped, is_open in zip(mapped, open_batch, strict=True))
        if together:
            flat = [
                jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), argument) if is_mapped else argument
                for argument, is_mapped in zip(arguments, mapped, strict=True)
            ]
            made = call(*flat)
            made = jax.tree.map(lambda a: a[:, None], made)
        else:
            held = [argument for argument, is_mapped in zip(arguments, mapped, strict=True) if is_mapped]

            def one(rows: Any) -> Any:
                rows = iter(rows)
                return call(*[next(rows) if m else argument for argument, m in zip(arguments, mapped, strict=True)])

            made = jax.lax.map(one, held)
        return made, jax.tree.map(lambda _: True, made)

    return call


def _per_argument(exported: export.Exported) -> Sequence[Any]:
    """Return the shapes of each argument as a pytree."""
    positional, _ = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    return positional


def _any_batch(argument: Any) -> bool:
    """Return True if the first axis of an argument may have any size."""
    leaves = jax.tree.leaves(argument)
    return len(leaves) == 1 and bool(leaves[0].shape) and not isinstance(leaves[0].shape[0], int)
