"""Networks of PyTorch: they are exported as ONNX, whose operators run on JAX."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import importlib
import logging
import os
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent import checks
from jaxmaxent.ensembles import Representation
from jaxmaxent.models.adapters import _layout as layouts
from jaxmaxent.models.adapters._adapt import (
    PENULTIMATE,
    Network,
    adapt,
    alphabet_of,
    random_one_hots,
)
from jaxmaxent.models.adapters._extras import needed
from jaxmaxent.models.adapters._from_onnx import OnnxCall
from jaxmaxent.models.adapters._layout import layout_that_works
from jaxmaxent.models.adapters._onnx import read


def from_torch(
    module: Any,
    length: int,
    *,
    layer: str | int = PENULTIMATE,
    output: str | int | None = None,
    letters: str = "ACGT",
    layout: str | None = None,
    fixed_inputs: Sequence[Any] | Mapping[str, Any] = (),
) -> Representation:
    """Return the representation of a PyTorch module.

    A copy of the module is put into inference mode and exported as ONNX, and its operators run on JAX. Its outputs are
    compared with those of PyTorch.

    Args:
        module: the module, in any mode and on any device, or a file of `torch.export.save` (`.pt2`) without pickled
            objects.
        length: length of the sequences.
        layer, output, letters, layout, fixed_inputs: see `from_function`. Names of layers are those of
            `module.named_modules()`.

    Raises:
        ValueError: for anything that would give other features than the network's own, in one sentence.
        ImportError: if PyTorch, onnx or onnxscript is not installed.

    Example:
        ```python
        network = models.from_torch(module, length=200)
        ensemble = jme.Ensemble.create(network, anchor, unit=0, beta=50.0)
        ```
    """
    torch = needed("torch")
    for package in ("onnx", "onnxscript"):
        needed(package)
    length = checks.integer("length", length, at_least=1)
    if isinstance(module, str | os.PathLike):
        module = _read(torch, Path(module))
    elif isinstance(module, torch.nn.Module):
        module = copy.deepcopy(module).to("cpu").float().eval()
    else:
        raise ValueError(f"module must be a PyTorch module or a .pt2 file, got {checks.shown(module)}")
    one_hot = random_one_hots(length, len(alphabet_of(letters)))[0]
    native = _Native(torch, module)

    def run(layout: str) -> Any:
        places, named = _further(fixed_inputs, layout)
        return native(layouts.arranged(one_hot, layout), *places, **named)

    groups = (*layouts.BATCHES, *layouts.ONE_SEQUENCE)
    layout = layout_that_works("PyTorch", groups, layout, run, one_hot)
    keys = _keys_of(run(layout))
    function = _exported(torch, module, layouts.arranged(one_hot, layout), *_further(fixed_inputs, layout))
    network = Network(_TorchCall(OnnxCall(function), keys), function.params, groups, native, kind="PyTorch")
    return adapt(network, length, layer=layer, output=output, letters=letters, layout=layout, fixed_inputs=fixed_inputs)


@dataclasses.dataclass(frozen=True)
class _TorchCall:
    """The exported module, with its outputs in the form in which PyTorch returns them."""

    function: OnnxCall
    keys: tuple[Any, ...] | None

    def __call__(self, params: Any, *inputs: Any, **named: Any) -> Any:
        made = self.function(params, *inputs, **named)
        if self.keys is None:
            return made
        made = list(made.values()) if isinstance(made, dict) else [made]
        return dict(zip(self.keys, made, strict=True)) if isinstance(self.keys[0], str) else tuple(made)


@dataclasses.dataclass(frozen=True)
class _Native:
    """The module as PyTorch runs it, with NumPy arrays."""

    torch: Any
    module: Any

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        with self.torch.no_grad():
            made = self.module(*map(self.tensor, inputs), **{name: self.tensor(a) for name, a in named.items()})
        if isinstance(made, Mapping):
            return {name: one.numpy() for name, one in made.items()}
        return tuple(one.numpy() for one in made) if isinstance(made, tuple | list) else made.numpy()

    def tensor(self, array: Any) -> Any:
        """Return a tensor; numbers with a point are float32."""
        array = np.array(array)
        return self.torch.from_numpy(array.astype(np.float32) if array.dtype.kind == "f" else array)


def _keys_of(outputs: Any) -> tuple[Any, ...] | None:
    """Return the keys or numbers of several outputs in their order, None for a single one."""
    if isinstance(outputs, Mapping):
        return tuple(outputs)
    return tuple(range(len(outputs))) if isinstance(outputs, tuple) else None


def _further(given: Any, layout: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return further inputs by place and by name, with a batch of one if the layout has a batch."""

    def one(array: Any) -> np.ndarray:
        return np.asarray(array)[None] if layouts.has_batch(layout) else np.asarray(array)

    if isinstance(given, Mapping):
        return (), {name: one(array) for name, array in given.items()}
    return tuple(map(one, given)), {}


def _exported(torch: Any, module: Any, sequence: np.ndarray, places: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """Return the module as a function of JAX, for a batch of one."""
    native = _Native(torch, module)
    inputs = tuple(map(native.tensor, (sequence, *places)))
    kwargs = {name: native.tensor(array) for name, array in named.items()}
    with warnings.catch_warnings(), _quiet("torch.onnx", "torch.export", "onnxscript", "onnx_ir"):
        warnings.simplefilter("ignore")
        try:
            program = _as_onnx(torch, module, inputs, kwargs)
        except Exception as error:
            try:  # operators without a counterpart in ONNX are often those of constants, such as of positions
                program = _as_onnx(torch, _without_constants(torch, module, inputs, kwargs), inputs, kwargs)
            except Exception:
                raise ValueError(
                    f"module must be one that torch.onnx exports, but that failed: {_reason(error)}"
                ) from error
    return read(program.model_proto)


def _as_onnx(torch: Any, module: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
    # As it stands: optimizing would join layers, whose names then could not be found.
    return torch.onnx.export(module, inputs, kwargs=named, dynamo=True, optimize=False, verbose=False)


def _without_constants(torch: Any, module: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Return the module with everything computed that does not depend on its inputs."""
    fold = importlib.import_module("torch.fx.experimental.const_fold").split_const_subgraphs
    folded = fold(torch.export.export(module, inputs, kwargs=named).module())
    folded.run_folding()
    return folded


def _reason(error: BaseException) -> str:
    """Return the first line of the innermost error, without colors."""
    while error.__cause__ is not None:
        error = error.__cause__
    line = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
    return checks.shown(re.sub(r"\x1b\[\d*m", "", line))


@contextlib.contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Keep what exporters log about themselves from users."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)


def _read(torch: Any, file: Path) -> Any:
    """Return the module in a file of `torch.export.save`, without running code that the file may hold.

    Raises:
        ValueError: for a missing file, another kind of file, or one with pickled objects.
    """
    if file.suffix != ".pt2" or not file.is_file():
        raise ValueError(f"module must be a PyTorch module or a file that ends in .pt2, got {str(file)!r}")
    try:
        with zipfile.ZipFile(file) as archive:
            members = {name.split("/", 1)[-1]: name for name in archive.namelist()}
            configs = [archive.read(members[name]) for name in members if name.endswith("_config.json")]
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"module must be a file of torch.export.save, but {file.name} is not") from error
    if not configs:
        raise ValueError(f"module must be a file of torch.export.save, but {file.name} is not")
    if any(b'"use_pickle": true' in config for config in configs):
        raise ValueError(
            f"module must be a file without pickled objects, which could run code, but {file.name} has some"
        )
    return torch.export.load(file).module()
