"""Networks in the form that the sampler needs: a pure function of parameters and one sequence."""

from __future__ import annotations

import dataclasses
from typing import Any

from jaxtyping import Array, Float

from jaxmaxent.ensembles import Representation
from jaxmaxent.models._networks import Architecture, Network
from jaxmaxent.models._parameters import parameters, with_parameters


@dataclasses.dataclass(frozen=True)
class Features:
    """The pure function `features(params, one_hot[length, letters]) -> [features]` of an architecture.

    Functions of equal architectures are equal, so all checkpoints of an architecture share one compiled program.

    Attributes:
        architecture: the architecture of the network.
    """

    architecture: Architecture

    def __call__(self, params: dict[str, Any], one_hot: Float[Array, "length letters"]) -> Float[Array, " features"]:
        """Return Φ of one sequence."""
        return with_parameters(self.architecture, params).features(one_hot)


def representation(network: Network) -> Representation:
    """Return a network of this package in the form that `Ensemble.create` takes.

    Networks of other frameworks come in by `from_nnx`, `from_linen`, `from_keras`, `from_torch` and others.

    Args:
        network: the network, in training or evaluation mode. Dropout is always off in the result.

    Returns:
        a `Representation` with the fields

        - features: `Features` of the architecture.
        - params: nested dictionaries of the weights, float32.
        - head: weights from the features to the output units, shape [features, units].
        - alphabet: the alphabet of the architecture.

    Example:
        >>> ensemble = jme.Ensemble.create(models.representation(trained), tokens[0], beta=10.0)
    """
    params = parameters(network)
    architecture = network.architecture
    return Representation(Features(architecture), params, params["head"]["kernel"], architecture.alphabet)
