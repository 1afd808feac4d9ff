import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from small_networks import SMALL, network_of, one_hots

from jaxmaxent.models import (
    MLPArchitecture,
    parameters,
    with_parameters,
)
from jaxmaxent.models._networks import windows_product


def test_matrix_product_over_windows_is_the_convolution():
    architecture = SMALL[0]
    network, x = network_of(architecture), one_hots(architecture, 6)
    params = parameters(network)

    def loss(params, training):
        return jnp.sum(jnp.square(with_parameters(architecture, params, training=training).features(x)))

    compiled = jax.jit(jax.value_and_grad(loss), static_argnums=1)
    slow, fast = (compiled(params, training) for training in (False, True))
    chex.assert_trees_all_close(slow, fast, rtol=2e-5, atol=1e-5)
    kernel = params["conv"]["kernel"]
    reference = lax.conv_general_dilated(x, kernel, (1,), "VALID", dimension_numbers=("NHC", "HIO", "NHC"))
    np.testing.assert_allclose(windows_product(x, kernel), reference, atol=1e-6)


def test_dropout_only_in_training_mode():
    architecture = MLPArchitecture(length=5, hidden=(400,), dropout=0.5)
    network, x = network_of(architecture), one_hots(architecture, 3)
    plain = network(x)
    network.train()
    key = jax.random.key(1)
    noisy = network(x, rngs=key)
    assert not np.allclose(noisy, plain, atol=1e-3)
    np.testing.assert_array_equal(noisy, network(x, rngs=key))
    np.testing.assert_array_equal(network.features(x), with_parameters(architecture, parameters(network)).features(x))
    network.eval()
    np.testing.assert_array_equal(network(x), plain)
