"""Networks in ONNX files."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxmaxent import checks
from jaxmaxent.ensembles import Representation
from jaxmaxent.models.adapters._adapt import PENULTIMATE, Network, adapt, check_further_inputs
from jaxmaxent.models.adapters._extras import needed
from jaxmaxent.models.adapters._layout import BATCHES
from jaxmaxent.models.adapters._onnx import OnnxFunction, read


@dataclasses.dataclass(frozen=True)
class OnnxCall:
    """An ONNX model that takes inputs by place and by name, and returns one array or several by name."""

    function: OnnxFunction

    def __call__(self, params: Any, *inputs: Any, **named: Any) -> Any:
        made = self.function(params, *self.in_order(inputs, named))
        return made[0] if len(made) == 1 else dict(zip(self.function.outputs, made, strict=True))

    def in_order(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        """Return all inputs in the order of the file."""
        places = iter(inputs)
        return [named[name] if name in named else next(places) for name, _, _ in self.function.inputs]


def from_onnx(
    model: Any,
    length: int | None = None,
    *,
    layer: str | int = PENULTIMATE,
    output: str | int | None = None,
    letters: str = "ACGT",
    layout: str | None = None,
    fixed_inputs: Sequence[Any] | Mapping[str, Any] = (),
) -> Representation:
    """Return the representation of an ONNX model.

    Its operators run on JAX. Outputs are compared with those of onnxruntime if that is installed, otherwise with those
    of the reference implementation in the package onnx.

    Args:
        model: an `.onnx` file, its contents, or a model of the package onnx.
        length: length of the sequences; None means the one in the file.
        layer, output, letters, layout, fixed_inputs: see `from_function`. Names of layers are those of
            the nodes or their modules.

    Raises:
        ValueError: for anything that would give other features than the network's own, in one sentence; also for an
            operator that is not known.
        ImportError: if the package onnx is not installed.

    Example:
        ```python
        network = models.from_onnx("network.onnx")
        ensemble = jme.Ensemble.create(network, anchor, unit=0, beta=50.0)
        ```
    """
    needed("onnx")
    function = read(model)
    if length is None:
        length = _length_of(function, len(checks.text("letters", letters)))
    check_further_inputs([name for name, _, _ in function.inputs], fixed_inputs)
    call = OnnxCall(function)
    network = Network(call, function.params, BATCHES, _native(model, call), kind="the ONNX model")
    return adapt(network, length, layer=layer, output=output, letters=letters, layout=layout, fixed_inputs=fixed_inputs)


def _length_of(function: OnnxFunction, letters: int) -> int:
    """Return the length of the sequences that a file was made for."""
    shape = function.inputs[0][2] or ()
    sizes = [size for size in shape[1:] if size not in (1, letters)]
    if len(sizes) != 1 or sizes[0] is None:
        raise ValueError(f"length must be given for an ONNX model with an input of shape {list(shape)}")
    return sizes[0]


def _native(model: Any, call: OnnxCall) -> Callable[..., Any]:
    """Return the model as another implementation runs it, with NumPy arrays."""
    onnx = needed("onnx")
    loaded = onnx.load_model_from_string(model) if isinstance(model, bytes) else model
    if importlib.util.find_spec("onnxruntime"):
        onnxruntime = importlib.import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        source = os.fspath(loaded) if isinstance(loaded, str | os.PathLike) else loaded.SerializeToString()
        run = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"]).run
    else:
        run = (
            importlib.import_module("onnx.reference")
            .ReferenceEvaluator(os.fspath(loaded) if isinstance(loaded, str | os.PathLike) else loaded)
            .run
        )

    def native(*inputs: Any, **named: Any) -> Any:
        arrays = call.in_order(inputs, named)
        feed = {name: np.asarray(a, kind) for (name, kind, _), a in zip(call.function.inputs, arrays, strict=True)}
        made = run(None, feed)
        return made[0] if len(made) == 1 else dict(zip(call.function.outputs, made, strict=True))

    return native
