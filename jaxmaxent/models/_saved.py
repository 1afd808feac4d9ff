"""Trained networks on disk: a folder with the architecture as JSON and the weights as safetensors.

Neither file contains code, so loading a folder from an unknown source runs no code from it.
"""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from safetensors import SafetensorError
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

from jaxmaxent import checks
from jaxmaxent.files import named, new_folder
from jaxmaxent.models._description import architecture_from_dict
from jaxmaxent.models._networks import Architecture, Network
from jaxmaxent.models._parameters import parameters, with_parameters

KIND = "network"  # the kind of output, in the list of files of a folder
FORMAT = "jaxmaxent-model"
# Version 1 had no checksum of the weights.
FORMAT_VERSION = 2
DESCRIPTION = "architecture.json"
WEIGHTS = "weights.safetensors"
_CHECKSUM = "weights_sha256"
_LARGEST_DESCRIPTION = 10 * 2**20  # bytes


def save(
    network: Network, path: str | os.PathLike[str], *, metadata: dict[str, Any] | None = None, force: bool = False
) -> None:
    """Write a network to a new folder, completely or not at all.

        save(network, "model", metadata={"seed": 3})
        network = load("model")

    Args:
        network: a network of this package.
        path: the folder to create.
        metadata: anything that JSON can hold. It is saved with the architecture, and `read_metadata` returns it.
        force: replace a network that this function wrote. Other files are never replaced.

    Raises:
        ValueError: if `path` exists and must not be replaced, or cannot be written; if the weights are not finite, or
            JSON cannot hold the metadata.
    """
    with new_folder(path, kind=KIND, force=force) as folder:
        write(network, folder, metadata=metadata)


def write(network: Network, folder: str | os.PathLike[str], *, metadata: dict[str, Any] | None = None) -> None:
    """Write the two files of a network into an existing folder, to which the caller may add other files.

    Args:
        network: a network of this package.
        folder: the folder, which exists.
        metadata: anything that JSON can hold.

    Raises:
        ValueError: if the weights are not finite, or JSON cannot hold the metadata.

    Example:
        >>> models.write(trained, Path("."))  # into a folder that exists
    """
    params = parameters(network)
    checks.finite_parameters("the network's weights", params)
    # The function `save_file` would make files that only their owner may read.
    weights = to_bytes({name: np.ascontiguousarray(leaf) for name, leaf in _named(params)})
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        _CHECKSUM: hashlib.sha256(weights).hexdigest(),
        "architecture": network.architecture.to_dict(),
        "versions": {package: version(package) for package in ("jax", "flax", "numpy", "safetensors")},
        "metadata": metadata or {},
    }
    try:
        text = json.dumps(description, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"metadata must be what JSON can hold, but {error}") from error
    if len(text) > _LARGEST_DESCRIPTION // 4:  # a character takes up to four bytes
        raise ValueError(f"metadata must be at most {_LARGEST_DESCRIPTION // 4:,} letters as JSON, got {len(text):,}")
    folder = Path(folder)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    (folder / WEIGHTS).write_bytes(weights)


def load(path: str | os.PathLike[str]) -> Network:
    """Read the network in a folder that `save` wrote.

    Args:
        path: the folder.

    Returns:
        the network, in evaluation mode.

    Raises:
        ValueError: if the folder is missing, is not a saved network or has a newer format; if the weights are missing,
            damaged or not finite, or do not fit the architecture.

    Example:
        >>> models.save(trained, "model")
        >>> models.load("model").architecture == trained.architecture
        True
    """
    path = Path(named(path))
    description = _description(path)
    architecture = _architecture(path, description)
    data = _weights(path / WEIGHTS, architecture)
    tensors = _tensors(path / WEIGHTS, data)
    template = nnx.eval_shape(lambda: architecture.build(nnx.Rngs(0)))
    expected = dict(_named(parameters(template)))
    _check_tensors(path / WEIGHTS, tensors, expected)
    if description["format_version"] > 1 and hashlib.sha256(data).hexdigest() != description.get(_CHECKSUM):
        raise ValueError(f"{path / WEIGHTS} is damaged or was changed: it does not have its checksum in {DESCRIPTION}")
    structure = jax.tree.structure(parameters(template))
    params = jax.tree.unflatten(structure, [jax.numpy.asarray(tensors[name]) for name in expected])
    return with_parameters(architecture, params)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the metadata that `save` was given; an empty dictionary if there was none.

    Args:
        path: the folder of a saved network.

    Raises:
        ValueError: if the folder is missing, is not a saved network or has a newer format.

    Example:
        >>> models.save(trained, "model_3", metadata={"seed": 3})
        >>> models.read_metadata("model_3")
        {'seed': 3}
    """
    return _description(Path(named(path))).get("metadata", {})


def _named(params: Any) -> list[tuple[str, Any]]:
    """Return the leaves in the order of `jax.tree.leaves`, with names such as "dense/0/kernel"."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in leaves]


def _description(path: Path) -> dict[str, Any]:
    """Read the JSON file of a saved network."""
    if not os.path.exists(path):
        raise ValueError(f"{path} does not exist, expected a folder with a saved network")
    file = path / DESCRIPTION
    if not file.is_file():
        raise ValueError(f"{path} holds no {DESCRIPTION}, so it is not a folder with a saved network")
    if file.stat().st_size > _LARGEST_DESCRIPTION:
        raise ValueError(f"{file} must be at most {_LARGEST_DESCRIPTION:,} bytes, got {file.stat().st_size:,}")
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read as JSON: {error}") from error
    except RecursionError:
        raise ValueError(f"{file} cannot be read as JSON: it is nested too deeply") from None
    number = checks.format_version(file, description, FORMAT)
    if number > FORMAT_VERSION:
        raise ValueError(
            f"{file} has format_version {checks.shown(number)}, but this version of jaxmaxent reads up to "
            f"{FORMAT_VERSION}"
        )
    return description


def _architecture(path: Path, description: dict[str, Any]) -> Architecture:
    try:
        return architecture_from_dict(description.get("architecture", {}))
    except ValueError as error:
        raise ValueError(f"{path / DESCRIPTION} is not valid: {error}") from error


def _weights(file: Path, architecture: Architecture) -> bytes:
    """Read the file of the weights. Refuse a file that is too small for the architecture before anything is built."""
    if not file.is_file():
        raise ValueError(f"{file} does not exist, so the network's weights are missing")
    size = file.stat().st_size
    if architecture.weights > size:
        raise ValueError(
            f"{file} is damaged or of another network: its architecture has {checks.shown(architecture.weights)} "
            f"weights, but the file only {size:,} bytes"
        )
    try:
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from error


def _tensors(file: Path, data: bytes) -> dict[str, np.ndarray]:
    try:
        return from_bytes(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is damaged or not a safetensors file: {error}") from error


def _check_tensors(file: Path, tensors: dict[str, np.ndarray], expected: dict[str, Any]) -> None:
    missing, foreign = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    if missing:
        raise ValueError(f"{file} must hold the tensor {missing[0]!r} of its architecture, got {sorted(tensors)}")
    if foreign:
        raise ValueError(f"{file} holds the tensor {foreign[0]!r}, which its architecture does not have")
    for name, leaf in expected.items():
        if tensors[name].shape != leaf.shape:
            raise ValueError(f"{file} must hold {name!r} of shape {list(leaf.shape)}, got {list(tensors[name].shape)}")
        if not np.issubdtype(tensors[name].dtype, np.floating):
            raise ValueError(f"{file} must hold {name!r} as floating-point numbers, got {tensors[name].dtype}")
    checks.finite_parameters(f"the weights in {file}", tensors)
