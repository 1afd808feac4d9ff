"""Networks as data: an architecture is a frozen dataclass, and builds a Flax module.

Every network is a trunk, dense layers with ReLU, dropout and one linear head. What the last dense layer gives
is the representation Φ; the head's columns are the weights from it to the output units.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Array, Float, UInt8

from jaxmaxent import checks
from jaxmaxent.ensembles import DNA, Alphabet, Representation


@dataclasses.dataclass(frozen=True)
class MLPArchitecture:
    """Dense layers on the flattened one-hot sequence. The defaults suit the XOR of a dinucleotide.

    Attributes:
        length: letters of an input sequence.
        hidden: units of each dense layer; the last one is the representation.
        dropout: fraction of the representation dropped in training, 0 ≤ dropout < 1.
        units: output units, one a class, at least 2.
        alphabet: the letters and their order.
    """

    length: int = 2
    hidden: tuple[int, ...] = (16, 16)
    dropout: float = 0.0
    units: int = 2
    alphabet: Alphabet = DNA

    name: ClassVar[str] = "mlp"

    def __post_init__(self) -> None:
        _normalise(self, {"length": 1, "units": 2})

    @property
    def trunk_features(self) -> int:
        """Numbers that the first dense layer takes."""
        return self.length * len(self.alphabet)

    @property
    def weights(self) -> int:
        """Numbers that a network of this kind holds."""
        return _dense_weights(self)

    def build(self, rngs: nnx.Rngs) -> MLPNetwork:
        """A network with new weights, in evaluation mode."""
        return MLPNetwork(self, rngs=rngs)

    def to_dict(self) -> dict[str, Any]:
        """The architecture in plain JSON types; `architecture_from_dict` reads it back."""
        return _to_dict(self)


@dataclasses.dataclass(frozen=True)
class ConvArchitecture:
    """One convolution without padding, dense layers behind it.

    The defaults are the network for CTCF binding of Finnegan & Song, PLoS Comput Biol 13(10): e1005836
    (2017).

    Attributes:
        length: letters of an input sequence.
        filters: filters of the convolution.
        kernel_width: letters that a filter sees, at most `length`.
        hidden: units of each dense layer; the last one is the representation. With none it is the flattened
            activation of the convolution.
        dropout: fraction of the representation dropped in training, 0 ≤ dropout < 1.
        units: output units, one a class, at least 2.
        alphabet: the letters and their order.
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
        _normalise(self, {"length": 1, "filters": 1, "kernel_width": 1, "units": 2})
        if self.kernel_width > self.length:
            raise ValueError(f"kernel_width must be at most the length {self.length}, got {self.kernel_width}")

    @property
    def trunk_features(self) -> int:
        """Numbers that the first dense layer takes."""
        return (self.length - self.kernel_width + 1) * self.filters

    @property
    def weights(self) -> int:
        """Numbers that a network of this kind holds."""
        return (self.kernel_width * len(self.alphabet) + 1) * self.filters + _dense_weights(self)

    def build(self, rngs: nnx.Rngs) -> ConvNetwork:
        """A network with new weights, in evaluation mode."""
        return ConvNetwork(self, rngs=rngs)

    def to_dict(self) -> dict[str, Any]:
        """The architecture in plain JSON types; `architecture_from_dict` reads it back."""
        return _to_dict(self)


Architecture = ConvArchitecture | MLPArchitecture
# Each layer of a network takes time to build and to compile.
MOST_LAYERS = 100
ARCHITECTURES: dict[str, type[ConvArchitecture] | type[MLPArchitecture]] = {
    kind.name: kind for kind in (ConvArchitecture, MLPArchitecture)
}


def _normalise(architecture: Any, whole_numbers: dict[str, int]) -> None:
    """Check the fields and bring them to plain hashable types, so that equal architectures compare equal."""
    values: dict[str, Any] = {
        name: checks.integer(name, getattr(architecture, name), at_least=least) for name, least in whole_numbers.items()
    }
    hidden = architecture.hidden
    if not isinstance(hidden, tuple | list):
        raise ValueError(f"hidden must be a list of whole numbers, one a layer, got {checks.shown(hidden)}")
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
    """Numbers in the dense layers and the head, each with its bias."""
    sizes = (architecture.trunk_features, *architecture.hidden, architecture.units)
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


def _to_dict(architecture: Any) -> dict[str, Any]:
    fields = dataclasses.asdict(architecture)
    return {"name": architecture.name, **fields, "hidden": list(architecture.hidden)}


def architecture_from_dict(fields: dict[str, Any]) -> Architecture:
    """The architecture that `to_dict` wrote.

    Raises:
        ValueError: for an unknown name, fields that are missing or too many, or values out of range.
    """
    if not isinstance(fields, dict):
        raise ValueError(f"an architecture must be an object with a name, got {checks.shown(fields)}")
    name = fields.get("name")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ValueError(f"the architecture's name must be one of {sorted(ARCHITECTURES)}, got {checks.shown(name)}")
    kind = ARCHITECTURES[name]
    values = {key: value for key, value in fields.items() if key != "name"}
    _same_fields(f"architecture {name!r}", values, kind)
    if not isinstance(values["alphabet"], dict):
        raise ValueError(
            f"the alphabet of architecture {name!r} must be an object, got {checks.shown(values['alphabet'])}"
        )
    _same_fields("alphabet", values["alphabet"], Alphabet)
    return kind(**{**values, "alphabet": _alphabet(values["alphabet"])})


def _alphabet(fields: dict[str, Any]) -> Alphabet:
    for name, value in fields.items():
        if not (isinstance(value, str) or (name == "complements" and value is None)):
            raise ValueError(f"{name} of the alphabet must be text, got {checks.shown(value)}")
    return Alphabet(**fields)


def _same_fields(what: str, values: dict[str, Any], kind: type) -> None:
    expected = {field.name for field in dataclasses.fields(kind)}
    if set(values) != expected:
        got = checks.shown(sorted(map(str, values)))
        raise ValueError(f"{what} must have the fields {sorted(expected)}, got {got}")


def windows_product(
    inputs: Float[Array, "batch length letters"],
    kernel: Float[Array, "width letters filters"],
    *_: Any,
    **__: Any,
) -> Float[Array, "batch windows filters"]:
    """The convolution of `ConvNetwork` as one matrix product over all windows.

    XLA for CPU runs a convolution inside a compiled loop by a slow routine: a step of training takes 7 times
    as long with it. This is only for training, where the one-hot input needs no gradient.
    """
    width = kernel.shape[0]
    windows = inputs.shape[1] - width + 1
    patches = jnp.concatenate([lax.slice_in_dim(inputs, i, i + windows, axis=1) for i in range(width)], axis=-1)
    return patches @ kernel.reshape(-1, kernel.shape[-1])


class _Network(nnx.Module):
    """Dense layers, dropout and head behind a trunk that the subclass gives."""

    def __init__(self, architecture: Any, *, rngs: nnx.Rngs) -> None:
        self.architecture = architecture
        sizes = (architecture.trunk_features, *architecture.hidden)
        self.dense = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in itertools.pairwise(sizes)])
        # Without a stream of its own a network has no state but its weights.
        self.dropout = nnx.Dropout(architecture.dropout, deterministic=True)
        self.head = nnx.Linear(sizes[-1], architecture.units, rngs=rngs)

    def trunk(self, one_hot: Array) -> Array:
        raise NotImplementedError

    def features(self, one_hot: Float[Array, "*batch length letters"]) -> Float[Array, "*batch features"]:
        """The representation Φ: activations that the head takes, before dropout.

        Raises:
            ValueError: if the last two axes of `one_hot` are not [length, letters] of the architecture.
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
        """Logits of the output units.

        Args:
            one_hot: sequences, shape [..., length, letters].
            rngs: randomness of dropout (a key or nnx.Rngs), needed only in training mode (`network.train()`).

        Raises:
            ValueError: if the shape is not that of the architecture.
        """
        return self.head(self.dropout(self.features(one_hot), rngs=rngs))


class MLPNetwork(_Network):
    """The network of an `MLPArchitecture`: `features(one_hot)`, `head`, and logits by calling it."""

    def trunk(self, one_hot: Float[Array, "*batch length letters"]) -> Float[Array, "*batch inputs"]:
        """The flattened one-hot sequence."""
        return one_hot.reshape(*one_hot.shape[:-2], -1)


class ConvNetwork(_Network):
    """The network of a `ConvArchitecture`: `features(one_hot)`, `head`, and logits by calling it."""

    def __init__(
        self, architecture: ConvArchitecture, *, rngs: nnx.Rngs, convolution: Any = lax.conv_general_dilated
    ) -> None:
        self.conv = nnx.Conv(
            len(architecture.alphabet),
            architecture.filters,
            architecture.kernel_width,
            padding="VALID",
            conv_general_dilated=convolution,
            rngs=rngs,
        )
        super().__init__(architecture, rngs=rngs)

    def trunk(self, one_hot: Float[Array, "*batch length letters"]) -> Float[Array, "*batch inputs"]:
        """ReLU of the convolution, flattened as [windows, filters]."""
        hidden = jax.nn.relu(self.conv(one_hot))
        return hidden.reshape(*hidden.shape[:-2], -1)


Network = ConvNetwork | MLPNetwork


def checked_tokens(name: str, tokens: Any, architecture: Architecture) -> UInt8[np.ndarray, "sequences length"]:
    """`tokens` as uint8, or ValueError if they are no sequences that a network of the architecture takes."""
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
    """What a network is without its weights; the same object for equal architectures."""

    def build() -> Network:
        if training and isinstance(architecture, ConvArchitecture):
            return ConvNetwork(architecture, rngs=nnx.Rngs(0), convolution=windows_product)
        return architecture.build(nnx.Rngs(0))

    network = nnx.eval_shape(build)
    if training:
        network.train()
    return nnx.graphdef(network)


def parameters(network: Network) -> dict[str, Any]:
    """The weights of a network as nested dictionaries of arrays, nothing else."""
    return nnx.to_pure_dict(nnx.state(network, nnx.Param))


def with_parameters(architecture: Architecture, params: dict[str, Any], *, training: bool = False) -> Network:
    """The network of an architecture with given weights; traceable, and draws nothing at random.

    Args:
        architecture: what to build.
        params: what `parameters` gave for an equal architecture.
        training: dropout on, and the convolution as a matrix product.
    """
    return nnx.merge(_structure(architecture, training), params)


@dataclasses.dataclass(frozen=True)
class Features:
    """`features(params, one_hot[length, letters]) -> [features]`, equal for equal architectures.

    As it compares by the architecture, a program compiled for one checkpoint serves every other one.
    """

    architecture: Architecture

    def __call__(self, params: dict[str, Any], one_hot: Float[Array, "length letters"]) -> Float[Array, " features"]:
        """Φ of one sequence."""
        return with_parameters(self.architecture, params).features(one_hot)


def representation(network: Network) -> Representation:
    """A network as the sampler takes it: a pure function, its weights, and the head.

    Networks of other kinds need no adapter, one line is enough. Keep the function and reuse it: a new lambda
    is compiled again.

        Representation(lambda params, x: module.apply(params, x[None])[0], variables)   # a Flax linen module
        Representation(lambda params, x: function(x), None)                             # a plain function

    Returns:
        features: `Features` of the architecture; dropout is off whatever the mode of `network`.
        params: nested dictionaries of the weights, float32.
        head: weights from the features to the output units, shape [features, units].
    """
    params = parameters(network)
    architecture = network.architecture
    return Representation(Features(architecture), params, params["head"]["kernel"], architecture.alphabet)
