"""Architectures and their networks: an architecture is a frozen dataclass that builds a Flax module.

Every network has first layers of its own (the trunk), then dense layers with ReLU, dropout and one linear head. The
output of the last dense layer is the representation Φ. The columns of the head are the weights from Φ to the output
units.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from jaxmaxent import checks
from jaxmaxent.ensembles import DNA, Alphabet


@dataclasses.dataclass(frozen=True)
class MLPArchitecture:
    """The architecture of dense layers on the flattened one-hot sequence. The defaults suit the XOR of a dinucleotide.

    Attributes:
        length: number of letters of an input sequence.
        hidden: number of units of each dense layer; the last layer is the representation.
        dropout: fraction of the representation that training drops, 0 ≤ dropout < 1.
        units: number of output units, one per class, at least 2.
        alphabet: the letters and their order.

    Raises:
        ValueError: for a value of another type or out of its range.
    """

    length: int = 2
    hidden: tuple[int, ...] = (16, 16)
    dropout: float = 0.0
    units: int = 2
    alphabet: Alphabet = DNA

    name: ClassVar[str] = "mlp"

    def __post_init__(self) -> None:
        _normalize(self, {"length": 1, "units": 2})

    @property
    def trunk_features(self) -> int:
        """The number of inputs of the first dense layer."""
        return self.length * len(self.alphabet)

    @property
    def weights(self) -> int:
        """The number of weights and biases of the whole network."""
        return _dense_weights(self)

    def build(self, rngs: nnx.Rngs) -> MLPNetwork:
        """Build a network with new random weights, in evaluation mode.

        Args:
            rngs: the source of the weights, such as `nnx.Rngs(0)`.
        """
        return MLPNetwork(self, rngs=rngs)

    def to_dict(self) -> dict[str, Any]:
        """Return the architecture in plain JSON types; `architecture_from_dict` reads it back."""
        return _to_dict(self)


@dataclasses.dataclass(frozen=True)
class ConvArchitecture:
    """The architecture of one convolution without padding, followed by dense layers.

    The defaults are those of the network for CTCF binding of Finnegan & Song, PLoS Comput Biol 13(10): e1005836
    (2017).

    Attributes:
        length: number of letters of an input sequence.
        filters: number of filters of the convolution.
        kernel_width: number of letters that a filter sees, at most `length`.
        hidden: number of units of each dense layer; the last layer is the representation. If there is none, the
            representation is the flattened activation of the convolution.
        dropout: fraction of the representation that training drops, 0 ≤ dropout < 1.
        units: number of output units, one per class, at least 2.
        alphabet: the letters and their order.

    Raises:
        ValueError: for a value of another type or out of its range.
    """

    length: int = 101
    filters: int = 64
    kernel_width: int = 24
    hidden: tuple[int, ...] = (100,)
    dropout: float = 0.5
    units: int = 2
    alphabet: Alphabet = DNA

    name: ClassVar[str] = "conv"

    def __post_init__(self) -> None:
        _normalize(self, {"length": 1, "filters": 1, "kernel_width": 1, "units": 2})
        if self.kernel_width > self.length:
            raise ValueError(f"kernel_width must be at most the length {self.length}, got {self.kernel_width}")

    @property
    def trunk_features(self) -> int:
        """The number of inputs of the first dense layer."""
        return (self.length - self.kernel_width + 1) * self.filters

    @property
    def weights(self) -> int:
        """The number of weights and biases of the whole network."""
        return (self.kernel_width * len(self.alphabet) + 1) * self.filters + _dense_weights(self)

    def build(self, rngs: nnx.Rngs) -> ConvNetwork:
        """Build a network with new random weights, in evaluation mode.

        Args:
            rngs: the source of the weights, such as `nnx.Rngs(0)`.
        """
        return ConvNetwork(self, rngs=rngs)

    def to_dict(self) -> dict[str, Any]:
        """Return the architecture in plain JSON types; `architecture_from_dict` reads it back."""
        return _to_dict(self)


Architecture = ConvArchitecture | MLPArchitecture
# There is a limit, because each layer takes time to build and to compile.
MOST_LAYERS = 100


def _normalize(architecture: Any, whole_numbers: dict[str, int]) -> None:
    """Check the fields and convert them to plain hashable types, so that architectures of the same values are equal."""
    values: dict[str, Any] = {
        name: checks.integer(name, getattr(architecture, name), at_least=least) for name, least in whole_numbers.items()
    }
    hidden = architecture.hidden
    if not isinstance(hidden, tuple | list):
        raise ValueError(f"hidden must be a list of whole numbers, one per layer, got {checks.shown(hidden)}")
    if len(hidden) > MOST_LAYERS:
        raise ValueError(f"hidden must have at most {MOST_LAYERS} layers, got {len(hidden):,}")
    values["hidden"] = tuple(checks.integer(f"hidden[{i}]", h, at_least=1) for i, h in enumerate(hidden))
    values["dropout"] = checks.number("dropout", architecture.dropout, below=1)
    if values["dropout"] < 0:
        raise ValueError(f"dropout must be at least 0 and below 1, got {architecture.dropout!r}")
    if not isinstance(architecture.alphabet, Alphabet):
        raise ValueError(f"alphabet must be an Alphabet, got {architecture.alphabet!r}")
    for name, value in values.items():
        object.__setattr__(architecture, name, value)


def _dense_weights(architecture: Any) -> int:
    """Return the number of weights and biases in the dense layers and the head."""
    sizes = (architecture.trunk_features, *architecture.hidden, architecture.units)
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


def _to_dict(architecture: Any) -> dict[str, Any]:
    """Return the fields and the name of an architecture."""
    fields = dataclasses.asdict(architecture)
    return {"name": architecture.name, **fields, "hidden": list(architecture.hidden)}


def windows_product(
    inputs: Float[Array, "batch length letters"],
    kernel: Float[Array, "width letters filters"],
    *_: Any,
    **__: Any,
) -> Float[Array, "batch windows filters"]:
    """Return the convolution of `ConvNetwork`, computed as one matrix product over all windows.

    XLA for CPU uses a slow routine for a convolution inside a compiled loop, which makes a step of training take 7
    times as long. Use this function for training only, where the one-hot input needs no gradient.

    Args:
        inputs: one-hot sequences, shape [batch, length, letters].
        kernel: filters, shape [width, letters, filters].

    Returns:
        activations before the bias, shape [batch, length − width + 1, filters].
    """
    width = kernel.shape[0]
    windows = inputs.shape[1] - width + 1
    patches = jnp.concatenate([lax.slice_in_dim(inputs, i, i + windows, axis=1) for i in range(width)], axis=-1)
    return patches @ kernel.reshape(-1, kernel.shape[-1])


class _Network(nnx.Module):
    """The dense layers, dropout and head of all networks; each subclass defines its trunk."""

    def __init__(self, architecture: Architecture, *, rngs: nnx.Rngs) -> None:
        self.architecture: Architecture = architecture
        sizes = (architecture.trunk_features, *architecture.hidden)
        self.dense: nnx.List[nnx.Linear] = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in itertools.pairwise(sizes)])
        # Dropout keeps no random stream, so a network has no state except its weights.
        self.dropout: nnx.Dropout = nnx.Dropout(architecture.dropout, deterministic=True)
        self.head: nnx.Linear = nnx.Linear(sizes[-1], architecture.units, rngs=rngs)

    def trunk(self, one_hot: Float[Array, "*batch length letters"]) -> Float[Array, "*batch inputs"]:
        """Return the inputs of the first dense layer."""
        raise NotImplementedError

    def features(self, one_hot: Float[Array, "*batch length letters"]) -> Float[Array, "*batch features"]:
        """Return the representation Φ: the inputs of the head, before dropout.

        Args:
            one_hot: sequences, shape [..., length, letters].

        Returns:
            activations, shape [..., features].

        Raises:
            ValueError: if the last two axes of `one_hot` are not the [length, letters] of the architecture.
        """
        expected = (self.architecture.length, len(self.architecture.alphabet))
        if jnp.shape(one_hot)[-2:] != expected:
            raise ValueError(
                f"one_hot must have shape [..., {expected[0]}, {expected[1]}] (length, letters) "
                f"for this network, got {list(jnp.shape(one_hot))}"
            )
        hidden = self.trunk(one_hot)
        for layer in self.dense:
            hidden = jax.nn.relu(layer(hidden))
        return hidden

    def __call__(
        self, one_hot: Float[Array, "*batch length letters"], *, rngs: nnx.Rngs | Array | None = None
    ) -> Float[Array, "*batch units"]:
        """Return the logits of the output units.

        Args:
            one_hot: sequences, shape [..., length, letters].
            rngs: random numbers for dropout, a key or nnx.Rngs; needed only in training mode (`network.train()`).

        Returns:
            logits, shape [..., units].

        Raises:
            ValueError: if the shape is not that of the architecture.
        """
        return self.head(self.dropout(self.features(one_hot), rngs=rngs))


class MLPNetwork(_Network):
    """The network of an `MLPArchitecture`. A call returns logits, `features(one_hot)` Φ; `head` maps Φ to logits."""

    def trunk(self, one_hot: Float[Array, "*batch length letters"]) -> Float[Array, "*batch inputs"]:
        """Return the flattened one-hot sequences."""
        return one_hot.reshape(*one_hot.shape[:-2], -1)


class ConvNetwork(_Network):
    """The network of a `ConvArchitecture`. A call returns logits, `features(one_hot)` Φ; `head` maps Φ to logits."""

    def __init__(
        self, architecture: ConvArchitecture, *, rngs: nnx.Rngs, convolution: Any = lax.conv_general_dilated
    ) -> None:
        self.conv: nnx.Conv = nnx.Conv(
            len(architecture.alphabet),
            architecture.filters,
            architecture.kernel_width,
            padding="VALID",
            conv_general_dilated=convolution,
            rngs=rngs,
        )
        super().__init__(architecture, rngs=rngs)

    def trunk(self, one_hot: Float[Array, "*batch length letters"]) -> Float[Array, "*batch inputs"]:
        """Return the ReLU of the convolution, flattened from [windows, filters]."""
        hidden = jax.nn.relu(self.conv(one_hot))
        return hidden.reshape(*hidden.shape[:-2], -1)


Network = ConvNetwork | MLPNetwork
