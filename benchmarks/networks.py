"""Published architectures with random weights, as pure functions of their weights and one one-hot sequence.

The savings of incremental evaluation depend on the architecture alone. Each network ends with its last hidden layer,
which is the representation. Batch norm works as in inference; its statistics are part of the weights.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

LETTERS = 4


class Network(NamedTuple):
    """A network with weights.

    Attributes:
        features: `features(weights, one_hot[length, letters]) -> [features]`.
        weights: lists of arrays by layer, float32.
        length: letters of a sequence.
        source: the publication of its architecture.
    """

    features: Callable[[Any, Any], Any]
    weights: Any
    length: int
    source: str


def _normal(rng: np.random.Generator, *shape: int) -> jax.Array:
    """Draw weights of variance 2 / inputs, so that activations keep their size through ReLUs."""
    return jnp.asarray(rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1])), jnp.float32)


def _conv(rng: np.random.Generator, width: int, inputs: int, filters: int, norm: bool = True) -> dict[str, Any]:
    layer = {"kernel": _normal(rng, width, inputs, filters), "bias": jnp.zeros(filters)}
    if norm:
        near_one = jnp.asarray(1 + 0.1 * rng.normal(size=(2, filters)), jnp.float32)
        zero = jnp.zeros(filters)
        layer |= {"scale": near_one[0], "shift": zero, "mean": zero, "variance": jnp.abs(near_one[1])}
    return layer


def _dense(rng: np.random.Generator, inputs: int, units: int) -> dict[str, Any]:
    return {"kernel": _normal(rng, inputs, units), "bias": jnp.zeros(units)}


def _apply_conv(layer: dict[str, Any], x: jax.Array, padding: str = "SAME", dilation: int = 1) -> jax.Array:
    """Apply a convolution, batch norm if the layer has one, and ReLU to [1, length, channels]."""
    kernel = layer["kernel"]
    out = lax.conv_general_dilated(
        x, kernel, (1,), padding, rhs_dilation=(dilation,), dimension_numbers=("NWC", "WIO", "NWC")
    )
    out = out + layer["bias"]
    if "scale" in layer:
        out = (out - layer["mean"]) * (lax.rsqrt(layer["variance"] + 1e-5) * layer["scale"]) + layer["shift"]
    return jax.nn.relu(out)


def _apply_dense(layer: dict[str, Any], x: jax.Array) -> jax.Array:
    return jax.nn.relu(x @ layer["kernel"] + layer["bias"])


def _pool(x: jax.Array, width: int) -> jax.Array:
    return nnx.max_pool(x, (width,), strides=(width,))


def ctcf(seed: int = 0) -> Network:
    """Return one convolution of 64 × 24 without padding, then dense 100."""
    rng = np.random.default_rng(seed)
    weights = {"conv": _conv(rng, 24, LETTERS, 64, norm=False), "dense": _dense(rng, 78 * 64, 100)}
    return Network(_ctcf, weights, 101, "Finnegan & Song 2017, doi:10.1371/journal.pcbi.1005836")


def _ctcf(weights: Any, one_hot: jax.Array) -> jax.Array:
    hidden = _apply_conv(weights["conv"], one_hot[None], "VALID")
    return _apply_dense(weights["dense"], hidden.reshape(-1))


def basset(length: int = 1000, seed: int = 0) -> Network:
    """Return three blocks of convolution (300 × 19, 200 × 11, 200 × 7) and pooling (3, 4, 4), then dense 2 × 1,000."""
    blocks = (((300, 19),), ((200, 11),), ((200, 7),))
    return _blocks(blocks, length, seed, "Kelley, Snoek & Rinn 2016, doi:10.1101/gr.200535.115")


def factorised_basset(length: int = 1000, seed: int = 0) -> Network:
    """Return Basset with each wide convolution replaced by narrow ones, nine in total."""
    blocks = (
        ((48, 3), (64, 3), (100, 3), (150, 7), (300, 7)),
        ((200, 7), (200, 3), (200, 3)),
        ((200, 7),),
    )
    return _blocks(blocks, length, seed, "Wnuk et al. 2017, doi:10.1101/229385")


def _blocks(blocks: Any, length: int, seed: int, source: str) -> Network:
    rng = np.random.default_rng(seed)
    inputs, layers = LETTERS, []
    for block in blocks:
        layers.append([])
        for filters, width in block:
            layers[-1].append(_conv(rng, width, inputs, filters))
            inputs = filters
    positions = length // 3 // 4 // 4
    dense = [_dense(rng, positions * inputs, 1000), _dense(rng, 1000, 1000)]
    return Network(_basset, {"blocks": layers, "dense": dense}, length, source)


def _basset(weights: Any, one_hot: jax.Array) -> jax.Array:
    hidden = one_hot[None]
    for block, width in zip(weights["blocks"], (3, 4, 4), strict=True):
        for layer in block:
            hidden = _apply_conv(layer, hidden)
        hidden = _pool(hidden, width)
    flat = hidden.reshape(-1)
    for layer in weights["dense"]:
        flat = _apply_dense(layer, flat)
    return flat


def bpnet(length: int = 1000, seed: int = 0) -> Network:
    """Return one convolution of 64 × 21, nine dilated residual ones of 64 × 3, and the mean over the sequence."""
    rng = np.random.default_rng(seed)
    weights = {
        "first": _conv(rng, 21, LETTERS, 64, norm=False),
        "residual": [_conv(rng, 3, 64, 64, norm=False) for _ in range(9)],
    }
    return Network(_bpnet, weights, length, "Avsec et al. 2021, doi:10.1038/s41588-021-00782-6")


def _bpnet(weights: Any, one_hot: jax.Array) -> jax.Array:
    hidden = _apply_conv(weights["first"], one_hot[None])
    for i, layer in enumerate(weights["residual"]):
        hidden = hidden + _apply_conv(layer, hidden, dilation=2 ** (i + 1))
    return hidden[0].mean(0)


NETWORKS: dict[str, Callable[[], Network]] = {
    "ctcf": ctcf,
    "basset": basset,
    "factorised basset": factorised_basset,
    "bpnet": bpnet,
}
