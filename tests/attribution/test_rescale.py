import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmaxent.attribution._rescale import rescaled


@functools.partial(jax.jit, static_argnums=0)
def multipliers(function, x, reference):
    """Gradient of the function by the rules."""
    return jax.grad(rescaled(function, reference))(x)


ACTIVATIONS = {
    "relu": jax.nn.relu,
    "gelu": jax.nn.gelu,
    "exact gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "elu": jax.nn.elu,
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "leaky relu": jax.nn.leaky_relu,
    "sigmoid": jax.nn.sigmoid,
    "hard swish": jax.nn.hard_swish,
    "by where": lambda x: jnp.where(x > 0, jnp.log1p(jnp.abs(x)), jnp.sin(x)),
    "by a mask": lambda x: x * (x > 0.3),
    "in a checkpoint": jax.checkpoint(lambda x: jnp.exp(-jnp.square(x))),
    "one over": lambda x: 1 / (2 + jnp.square(x)),
    "clipped": lambda x: jnp.clip(x, -0.5, 0.5),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_made_of_several_operations_is_one(name, x64):
    activation = ACTIVATIONS[name]
    x, r, w = np.random.default_rng(1).normal(size=(3, 40))
    found = multipliers(lambda v: activation(v) @ jnp.asarray(w), x, r)
    y, y0 = np.asarray(activation(jnp.asarray(x))), np.asarray(activation(jnp.asarray(r)))
    np.testing.assert_allclose(found, w * (y - y0) / (x - r), atol=1e-9)


@pytest.mark.parametrize("name", ["relu", "gelu", "by where"])
def test_without_a_difference_the_multiplier_is_the_gradient(name, x64):
    x = jnp.asarray(np.random.default_rng(2).normal(size=20))

    def function(v):
        return jnp.sum(ACTIVATIONS[name](v))

    np.testing.assert_allclose(multipliers(function, x, x), jax.jit(jax.grad(function))(x), atol=1e-12)


def test_infinite_slopes_that_are_not_wanted_do_no_harm():
    found = multipliers(lambda v: jnp.sum(jnp.sqrt(v)), jnp.array([0.0, 4.0, 0.0]), jnp.array([1.0, 0.0, 4.0]))
    np.testing.assert_allclose(found, [1, 0.5, 0.5], rtol=1e-6)


def test_a_product_gives_each_factor_the_mean_of_the_other(x64):
    x, r = jnp.array([3.0, 5.0]), jnp.array([1.0, -1.0])
    assert multipliers(lambda v: v[0] * v[1], x, r).tolist() == [2.0, 2.0]  # (5 − 1) / 2 and (3 + 1) / 2
    # 3/5 and 1/(−1): the reciprocal has the slope (1/5 + 1) / (5 + 1) = 0.2, and the factors are −0.4 and 2.
    np.testing.assert_allclose(multipliers(lambda v: v[0] / v[1], x, r), [-0.4, 2 * 0.2], atol=1e-12)


def largest_of_three(v):
    return jnp.maximum(v[0], jnp.maximum(v[1], v[2]))


@pytest.mark.parametrize(
    ("x", "r", "wanted"),
    [
        ([3, 0, 0], [0, 1, 0], [2 / 3, 0, 0]),  # grows from 1 to 3: all above 1 is of the first
        ([0, 1, 0], [3, 0, 0], [2 / 3, 0, 0]),  # falls from 3 to 1: all below 3 is of the one that was highest
        ([3, 1, 0], [2, 1, 0], [1, 0, 0]),
        ([2, 2, 0], [0, 0, 0], [0.5, 0.5, 0]),  # a tie is shared
        ([1, 0, 0], [1, 0, 0], [1, 0, 0]),  # no difference: the gradient
        ([2, 0, 0], [0, 2, 0], [0, 0, 0]),  # another is as high: nothing to explain
    ],
)
def test_the_largest_by_hand(x, r, wanted, x64):
    x, r = np.array(x, float), np.array(r, float)
    np.testing.assert_allclose(multipliers(jnp.max, x, r), wanted, atol=1e-12)
    np.testing.assert_allclose(multipliers(jnp.min, -x, -r), wanted, atol=1e-12)
    two = multipliers(largest_of_three, x, r)
    assert two @ (x - r) == pytest.approx(x.max() - r.max())
