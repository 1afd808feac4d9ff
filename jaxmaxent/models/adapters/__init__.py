"""Adapters: networks of any framework in the form that the sampler takes, one file a framework."""

from jaxmaxent.models.adapters._adapt import Adapted as Adapted
from jaxmaxent.models.adapters._adapt import alphabet_of as alphabet_of
from jaxmaxent.models.adapters._adapt import layers as layers
from jaxmaxent.models.adapters._equinox import from_equinox as from_equinox
from jaxmaxent.models.adapters._from_onnx import from_onnx as from_onnx
from jaxmaxent.models.adapters._function import from_exported as from_exported
from jaxmaxent.models.adapters._function import from_function as from_function
from jaxmaxent.models.adapters._haiku import from_haiku as from_haiku
from jaxmaxent.models.adapters._keras import from_keras as from_keras
from jaxmaxent.models.adapters._layers import Layer as Layer
from jaxmaxent.models.adapters._linen import from_linen as from_linen
from jaxmaxent.models.adapters._nnx import from_nnx as from_nnx
from jaxmaxent.models.adapters._torch import from_torch as from_torch

__all__ = [
    "Adapted",
    "Layer",
    "alphabet_of",
    "from_equinox",
    "from_exported",
    "from_function",
    "from_haiku",
    "from_keras",
    "from_linen",
    "from_nnx",
    "from_onnx",
    "from_torch",
    "layers",
]
