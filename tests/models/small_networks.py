"""Small networks of every kind, for the tests of this folder."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxmaxent.ensembles import PROTEIN
from jaxmaxent.models import (
    ConvArchitecture,
    MLPArchitecture,
    parameters,
    with_parameters,
)

SMALL = [
    ConvArchitecture(length=12, filters=3, kernel_width=5, hidden=(7, 6), units=3),
    ConvArchitecture(length=9, filters=4, kernel_width=9, hidden=()),
    MLPArchitecture(length=5, hidden=(8,), dropout=0.25, alphabet=PROTEIN),
]


def one_hots(architecture, count, seed=0):
    letters = len(architecture.alphabet)
    tokens = jax.random.randint(jax.random.key(seed), (count, architecture.length), 0, letters)
    return architecture.alphabet.one_hot(tokens)


def network_of(architecture, seed=0):
    """A network with weights from NumPy, which has nothing to compile."""
    template = parameters(nnx.eval_shape(lambda: architecture.build(nnx.Rngs(0))))
    rng = np.random.default_rng(seed)
    values = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(scale=0.3, size=leaf.shape), leaf.dtype), template)
    return with_parameters(architecture, values)
