"""The weights of a network, separate from its structure, so that all checkpoints share one compiled program."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from flax import nnx
from jaxtyping import UInt8

from jaxmaxent.models._networks import Architecture, ConvArchitecture, ConvNetwork, Network, windows_product


def checked_tokens(name: str, tokens: Any, architecture: Architecture) -> UInt8[np.ndarray, "sequences length"]:
    """Return `tokens` as uint8; raise ValueError if they are not sequences that the architecture accepts."""
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or tokens.shape[1] != architecture.length or len(tokens) == 0:
        raise ValueError(
            f"{name} must have shape [sequences, {architecture.length}] for this network and not be empty, "
            f"got {list(tokens.shape)}"
        )
    if not np.issubdtype(tokens.dtype, np.integer):
        raise ValueError(f"{name} must be whole numbers, got dtype {tokens.dtype}")
    letters = len(architecture.alphabet)
    if tokens.min() < 0 or tokens.max() >= letters:
        raise ValueError(f"{name} must be 0 to {letters - 1}, got values {tokens.min()} to {tokens.max()}")
    return tokens.astype(np.uint8)


@functools.lru_cache(maxsize=64)
def _structure(architecture: Architecture, training: bool) -> nnx.GraphDef:
    """Return the structure of a network without its weights; equal architectures give the same object."""

    def build() -> Network:
        if training and isinstance(architecture, ConvArchitecture):
            return ConvNetwork(architecture, rngs=nnx.Rngs(0), convolution=windows_product)
        return architecture.build(nnx.Rngs(0))

    network = nnx.eval_shape(build)
    if training:
        network.train()
    return nnx.graphdef(network)


def parameters(network: Network) -> dict[str, Any]:
    """Return the weights of a network as nested dictionaries of arrays, such as `params["head"]["kernel"]`.

    Example:
        >>> sorted(models.parameters(trained))
        ['dense', 'head']
    """
    return nnx.to_pure_dict(nnx.state(network, nnx.Param))


def with_parameters(architecture: Architecture, params: dict[str, Any], *, training: bool = False) -> Network:
    """Return the network of an architecture with the given weights.

    The function can be traced by JAX and draws no random numbers.

    Args:
        architecture: the architecture to build.
        params: the result of `parameters` for a network of an equal architecture.
        training: turn dropout on and compute the convolution as a matrix product, which trains faster on CPUs.

    Example:
        >>> same = models.with_parameters(trained.architecture, models.parameters(trained))
    """
    return nnx.merge(_structure(architecture, training), params)
