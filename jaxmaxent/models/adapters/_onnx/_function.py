"""A model that was read, as a function of its weights and inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array

from jaxmaxent import checks
from jaxmaxent.models.adapters._onnx._graph import Functions, OnnxGraph, to_jax
from jaxmaxent.models.adapters._onnx._run import run_graph

Port = tuple[str, np.dtype, tuple[int | None, ...] | None]


@dataclass(frozen=True, eq=False)
class OnnxFunction:
    """A pure function of weights and inputs that computes what an ONNX model computes.

        function = read("model.onnx")
        (scores,) = jax.jit(function)(function.params, x)

    It can be compiled, mapped over and differentiated. Two functions are equal only if they are the same object.

    Attributes:
        inputs: for every input its name, type and shape, where an axis of any length is None. The shape is None if the
            model does not say it.
        outputs: the names of the outputs.
        output_shapes: their shapes, in the form of those of the inputs.
        params: the weights by their names: all constants of floating point with at least one axis, except those that
            decide a shape.
        shaping: the names of values that decide shapes. An input among them must be given as a NumPy array.
        graph: the nodes.
        functions: the functions that the model defines.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]
    output_shapes: tuple[tuple[int | None, ...] | None, ...]
    params: dict[str, np.ndarray]
    shaping: frozenset[str]
    graph: OnnxGraph
    functions: Functions

    def __call__(self, params: dict[str, Any], *inputs: Any) -> tuple[Array, ...]:
        """Return the outputs of the model.

        Args:
            params: the weights, with the names of `self.params`.
            inputs: arrays with the shapes that the model expects. The first axis may have another length than in the
                file, if the graph permits it.

        Raises:
            ValueError: if a weight is missing, if there are too many or too few inputs, if the number of axes of an
                input differs, or if a node cannot be computed. The message names the node.
        """
        missing = [name for name in self.params if name not in params]
        if missing:
            raise ValueError(f"params must have the weights of the ONNX model, but {missing[0]!r} is missing")
        if len(inputs) != len(self.inputs):
            names = ", ".join(name for name, _, _ in self.inputs)
            raise ValueError(f"inputs must be {len(self.inputs)} arrays ({names}), got {len(inputs)}")
        known: dict[str, Any] = {name: to_jax(params[name]) for name in self.params}
        for (name, _, shape), value in zip(self.inputs, inputs, strict=True):
            checks.like(f"the input {name!r}", value, "shape", "an array")
            if shape is not None and len(value.shape) != len(shape):
                raise ValueError(f"the input {name!r} must have {len(shape)} axes, got the shape {tuple(value.shape)}")
            held = name in self.shaping and isinstance(value, np.ndarray | np.generic)
            known[name] = np.asarray(value) if held else to_jax(value)
        results = tuple(map(to_jax, run_graph(self.graph, known, self.functions)))
        self._check_batch(inputs, results)
        return results

    def _check_batch(self, inputs: tuple[Any, ...], results: tuple[Any, ...]) -> None:
        """Check that a batch of another size than that of the file has passed through the whole graph."""
        if not self.inputs or not self.inputs[0][2]:
            return
        batch, given = self.inputs[0][2][0], inputs[0].shape[0]
        if batch is None or batch == given:
            return
        for name, shape, result in zip(self.outputs, self.output_shapes, results, strict=True):
            if shape and shape[0] == batch and (result.ndim != len(shape) or result.shape[0] != given):
                raise ValueError(
                    f"the ONNX model is for a batch of {batch}, and the output {name!r} of a batch of {given} "
                    f"has the shape {result.shape}; give it batches of {batch}, or export it for any"
                )
