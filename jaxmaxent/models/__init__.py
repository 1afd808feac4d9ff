"""Flax networks that can be trained, saved, loaded and interpreted without code of your own.

The sampler accepts any JAX function. This package contains the networks that the command line trains, and functions
that measure their accuracy. Saved networks are read without pickle.

    network = models.train(jax.random.key(0), models.ConvArchitecture(length=101), tokens, labels).network
    models.save(network, "model")
    ensemble = jme.Ensemble.create(models.representation(models.load("model")), tokens[0], beta=100.0)

Networks of other frameworks come in by one line, such as `models.from_linen(module, variables, length=200)` or
`models.from_keras("network.keras")`: the layer, its weights, inference mode and the layout are found and tested.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jaxmaxent.models._description import architecture_from_dict as architecture_from_dict
from jaxmaxent.models._metrics import auprc as auprc
from jaxmaxent.models._metrics import auroc as auroc
from jaxmaxent.models._metrics import predict as predict
from jaxmaxent.models._networks import Architecture as Architecture
from jaxmaxent.models._networks import ConvArchitecture as ConvArchitecture
from jaxmaxent.models._networks import ConvNetwork as ConvNetwork
from jaxmaxent.models._networks import MLPArchitecture as MLPArchitecture
from jaxmaxent.models._networks import MLPNetwork as MLPNetwork
from jaxmaxent.models._networks import Network as Network
from jaxmaxent.models._parameters import parameters as parameters
from jaxmaxent.models._parameters import with_parameters as with_parameters
from jaxmaxent.models._representation import Features as Features
from jaxmaxent.models._representation import representation as representation
from jaxmaxent.models._saved import load as load
from jaxmaxent.models._saved import read_metadata as read_metadata
from jaxmaxent.models._saved import save as save
from jaxmaxent.models._saved import write as write

if TYPE_CHECKING:
    from jaxmaxent.models._training import Epoch as Epoch
    from jaxmaxent.models._training import TrainResult as TrainResult
    from jaxmaxent.models._training import train as train
    from jaxmaxent.models.adapters import Layer as Layer
    from jaxmaxent.models.adapters import from_equinox as from_equinox
    from jaxmaxent.models.adapters import from_exported as from_exported
    from jaxmaxent.models.adapters import from_function as from_function
    from jaxmaxent.models.adapters import from_haiku as from_haiku
    from jaxmaxent.models.adapters import from_keras as from_keras
    from jaxmaxent.models.adapters import from_linen as from_linen
    from jaxmaxent.models.adapters import from_nnx as from_nnx
    from jaxmaxent.models.adapters import from_onnx as from_onnx
    from jaxmaxent.models.adapters import from_torch as from_torch
    from jaxmaxent.models.adapters import layers as layers

# Training and adapters are imported on first use, because loading a network of this package needs neither.
_TRAINING = ("Epoch", "TrainResult", "train")
_ADAPTERS = (
    "Layer", "from_equinox", "from_exported", "from_function", "from_haiku", "from_keras", "from_linen", "from_nnx",
    "from_onnx", "from_torch", "layers",
)  # fmt: skip

__all__ = [  # noqa: RUF022 (sorted by kind)
    "Architecture", "ConvArchitecture", "MLPArchitecture", "architecture_from_dict",
    "Network", "ConvNetwork", "MLPNetwork", "parameters", "with_parameters", "Features", "representation",
    "train", "TrainResult", "Epoch", "predict", "auroc", "auprc",
    "save", "load", "write", "read_metadata",
    "from_linen", "from_nnx", "from_keras", "from_haiku", "from_equinox", "from_torch", "from_onnx", "from_exported",
    "from_function", "layers", "Layer",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _TRAINING:
        return getattr(importlib.import_module("jaxmaxent.models._training"), name)
    if name in _ADAPTERS:
        return getattr(importlib.import_module("jaxmaxent.models.adapters"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
