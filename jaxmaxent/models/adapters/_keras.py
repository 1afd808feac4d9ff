"""Networks of Keras 3, with its JAX backend, and files of Keras, older ones among them."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxmaxent import checks
from jaxmaxent.ensembles import Representation
from jaxmaxent.models.adapters._adapt import PENULTIMATE, Network, adapt, check_further_inputs
from jaxmaxent.models.adapters._extras import needed
from jaxmaxent.models.adapters._flags import Same
from jaxmaxent.models.adapters._layout import BATCHES

_FILES = (".keras", ".h5", ".hdf5")


@dataclasses.dataclass(frozen=True)
class _KerasCall:
    model: Same

    def __call__(self, params: Any, *inputs: Any, **named: Any) -> Any:
        model, (trained, other) = self.model.value, params
        made, _ = model.stateless_call(trained, other, _arguments(model, inputs, named), training=False)
        return _by_name(model, made)

    def native(self, *inputs: Any, **named: Any) -> Any:
        """Return what Keras returns itself."""
        model = self.model.value
        return _by_name(model, model(_arguments(model, inputs, named), training=False))


def _arguments(model: Any, inputs: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """Return inputs as Keras takes them, the sequence in the place that no other input has."""
    if named:
        names = _input_names(model)
        (own,) = [name for name in names if name not in named]
        return [{own: inputs[0], **named}[name] for name in names]
    return inputs[0] if len(inputs) == 1 else list(inputs)


def _input_names(model: Any) -> list[str]:
    return [one.name for one in model.inputs] if getattr(model, "inputs", None) else ["the sequence"]


def _by_name(model: Any, made: Any) -> Any:
    """Return several outputs by their names."""
    return dict(zip(model.output_names, made, strict=True)) if isinstance(made, list | tuple) else made


def from_keras(
    model: Any,
    length: int | None = None,
    *,
    layer: str | int = PENULTIMATE,
    output: str | int | None = None,
    letters: str = "ACGT",
    layout: str | None = None,
    fixed_inputs: Sequence[Any] | Mapping[str, Any] = (),
) -> Representation:
    """Return the representation of a Keras model, or of a file of one.

    Keras must run on JAX: set the environment variable `KERAS_BACKEND=jax` before Keras is imported. Files are read in
    Keras' safe mode, which runs no code in them.

    Args:
        model: a model, a `.keras` file or an `.h5` file, of Keras 2 as well.
        length: length of the sequences; None means the one the model was built for.
        layer, output, letters, layout, fixed_inputs: see `from_function`. Names of layers are those of
            `model.summary()`.

    Raises:
        ValueError: for anything that would give other features than the network's own, in one sentence.
        ImportError: if Keras is not installed.

    Example:
        ```python
        network = models.from_keras("network.keras")
        ensemble = jme.Ensemble.create(network, anchor, unit=0, beta=50.0)
        ```
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = needed("keras")
    if keras.backend.backend() != "jax":
        raise ValueError(
            f"Keras must run on JAX, got the backend {keras.backend.backend()!r}: set KERAS_BACKEND=jax before Keras "
            "is imported"
        )
    if isinstance(model, str | os.PathLike):
        model = _read(keras, Path(model))
    if not isinstance(model, keras.Model):
        raise ValueError(f"model must be a Keras model or a file of one, got {checks.shown(type(model).__name__)}")
    if not model.built:
        raise ValueError("model must be built, so call it once on an input or give it an Input layer")
    check_further_inputs(_input_names(model), fixed_inputs)
    length = _length_of(model, len(letters)) if length is None else length
    params = ([v.value for v in model.trainable_variables], [_as_array(v.value) for v in model.non_trainable_variables])
    call = _KerasCall(Same(model))
    network = Network(call, params, BATCHES, call.native, kind="Keras")
    return adapt(network, length, layer=layer, output=output, letters=letters, layout=layout, fixed_inputs=fixed_inputs)


def _as_array(value: Any) -> Any:
    """Return a variable; seeds of random numbers, which inference does not use, are arrays as well."""
    return value if isinstance(value, jax.Array) else np.asarray(value)


def _length_of(model: Any, letters: int) -> int:
    """Return the length of the sequences that a model was built for."""
    shape = model.inputs[0].shape if getattr(model, "inputs", None) else model.input_shape
    sizes = [size for size in shape[1:] if size not in (1, letters)]
    if len(sizes) != 1 or sizes[0] is None:
        raise ValueError(f"length must be given for a model with inputs of shape {checks.shown(shape)}")
    return sizes[0]


def _read(keras: Any, file: Path) -> Any:
    """Return the model in a file, without running code that the file may hold.

    Raises:
        ValueError: for a missing file, another kind of file, or one that could run code.
    """
    if file.suffix not in _FILES or not file.is_file():
        raise ValueError(f"model must be a Keras model or a file that ends in {' or '.join(_FILES)}, got {str(file)!r}")
    try:
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:
        if file.suffix == ".keras":
            line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ValueError(
                f"model must be a file that Keras reads in its safe mode, but {file.name} failed: {checks.shown(line)}"
            ) from error
        return _rebuilt(keras, file)


def _rebuilt(keras: Any, file: Path) -> Any:
    """Return the model of a file of Keras 2 that Keras 3 refuses, built layer by layer."""
    h5py = needed("h5py")
    try:
        with h5py.File(file) as archive:
            config = json.loads(archive.attrs["model_config"])
            weights = archive.get("model_weights", archive)
            stored = {name: _arrays_of(weights[name]) for name in weights if isinstance(weights[name], h5py.Group)}
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"model must be a file of Keras with its architecture, but {file.name} is not") from error
    model = _built(keras, config)
    for layer in model.layers:
        arrays = stored.get(layer.name, [])
        if len(arrays) != len(layer.weights):
            raise ValueError(
                f"the layer {layer.name!r} must have {len(layer.weights)} arrays of weights, "
                f"but {file.name} has {len(arrays)}"
            )
        layer.set_weights(arrays)
    return model


def _arrays_of(group: Any) -> list[np.ndarray]:
    """Return the weights of a layer in their order."""
    names = [name.decode() if isinstance(name, bytes) else name for name in group.attrs.get("weight_names", [])]
    return [np.asarray(group[name]) for name in names]


def _built(keras: Any, config: dict[str, Any]) -> Any:
    """Return a Sequential or functional model from its description by Keras 2."""
    described = config["config"]
    if config["class_name"] == "Sequential":
        return _sequential(keras, described if isinstance(described, list) else described["layers"])
    return _functional(keras, described)


def _sequential(keras: Any, layers: list[Any]) -> Any:
    first = layers[0]["config"]
    shape = first.get("batch_input_shape") or first.get("batch_shape")
    if shape is None:
        raise ValueError("model must have the shape of its input in its first layer, but has none")
    made = [_layer(keras, one) for one in layers if one["class_name"] != "InputLayer"]
    return keras.Sequential([keras.Input(shape[1:]), *made])


def _functional(keras: Any, described: dict[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for one in described["layers"]:
        name = one["config"].get("name", one.get("name"))
        if one["class_name"] == "InputLayer":
            values[name] = keras.Input(one["config"]["batch_input_shape"][1:], name=name)
            continue
        if len(one["inbound_nodes"]) != 1:
            raise ValueError(f"model must use every layer once, but {name!r} is used {len(one['inbound_nodes'])} times")
        inputs = [values[node[0]] for node in one["inbound_nodes"][0]]
        values[name] = _layer(keras, one)(inputs[0] if len(inputs) == 1 else inputs)
    inputs = [values[node[0]] for node in described["input_layers"]]
    outputs = [values[node[0]] for node in described["output_layers"]]
    return keras.Model(inputs, outputs[0] if len(outputs) == 1 else outputs)


def _layer(keras: Any, described: Mapping[str, Any]) -> Any:
    """Return a layer from its description, without options that Keras 3 does not have."""
    kind = getattr(keras.layers, described["class_name"], None)
    if kind is None or described["class_name"] == "Lambda":
        raise ValueError(
            f"model must consist of layers that Keras has and that run no code of the file, got "
            f"{checks.shown(described['class_name'])}"
        )
    known = inspect.signature(kind.__init__).parameters
    kept = {name: value for name, value in described["config"].items() if name in known or name == "name"}
    return kind.from_config(_plain(kept))


def _plain(value: Any) -> Any:
    """Return a configuration without what initializers and regularizers say, which trained weights do not need."""
    return {name: None if name.endswith(("_regularizer", "_constraint")) else v for name, v in value.items()
            if not name.endswith("_initializer")}  # fmt: skip
