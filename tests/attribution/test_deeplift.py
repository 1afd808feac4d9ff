"""The rescale rule against its definition in NumPy, and complete on all kinds of networks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxmaxent as jme
from jaxmaxent.attribution import completeness, deeplift
from jaxmaxent.attribution._rescale import rescaled

LENGTH, LETTERS, HIDDEN = 6, 4, 5
RNG = np.random.default_rng(0)
PARAMS = {
    "first": RNG.normal(size=(LENGTH * LETTERS, HIDDEN)),
    "bias": RNG.normal(size=HIDDEN),
    "second": RNG.normal(size=(HIDDEN, HIDDEN)),
    "third": RNG.normal(size=(HIDDEN, 3)),
}
TOKENS = RNG.integers(0, LETTERS, (4, LENGTH))
UNIFORM = np.full((LENGTH, LETTERS), 1 / LETTERS)


@functools.partial(jax.jit, static_argnums=0)
def multipliers(function, x, reference):
    """Gradient of the function by the rules."""
    return jax.grad(rescaled(function, reference))(x)


def test_two_layers_by_the_definition(x64):
    """Multipliers backwards, layer by layer: Δy / Δx at each activation, the weights in between."""

    def features(p, x):
        hidden = jnp.tanh(x.reshape(-1) @ p["first"] + p["bias"])
        return jax.nn.relu(hidden @ p["second"])

    head = RNG.normal(size=(HIDDEN, 2))
    found = deeplift(jme.Representation(features, PARAMS, head), TOKENS)
    for tokens, row in zip(TOKENS, found, strict=True):
        x, r = np.eye(LETTERS)[tokens], UNIFORM
        a, a0 = (y.ravel() @ PARAMS["first"] + PARAMS["bias"] for y in (x, r))
        b, b0 = np.tanh(a) @ PARAMS["second"], np.tanh(a0) @ PARAMS["second"]
        multiplier = (head[:, 1] - head[:, 0]) * (np.maximum(b, 0) - np.maximum(b0, 0)) / (b - b0)
        multiplier = (PARAMS["second"] @ multiplier) * (np.tanh(a) - np.tanh(a0)) / (a - a0)
        wanted = (PARAMS["first"] @ multiplier).reshape(LENGTH, LETTERS) * (x - r)
        np.testing.assert_allclose(row, wanted, atol=1e-12)


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


def attention(p, x):
    queries, values = x @ p["second"][:LETTERS], x @ p["second"][:LETTERS] ** 2
    return (jax.nn.softmax(queries @ queries.T, axis=-1) @ values).reshape(-1)[:HIDDEN]


def layer_norm(p, x):
    hidden = x.reshape(-1) @ p["first"]
    centred = hidden - jnp.mean(hidden)
    return jnp.tanh(centred * lax.rsqrt(jnp.mean(jnp.square(centred)) + 1e-3))


def pooled(p, x):
    hidden = jax.nn.relu((x @ p["second"][:LETTERS])[None])
    overlapping = lax.reduce_window(hidden, -jnp.inf, lax.max, (1, 3, 1), (1, 2, 1), "SAME")[0]
    return jnp.minimum(overlapping[0], overlapping[1]) * overlapping[2]


def gated(p, x):
    hidden = x.reshape(-1) @ p["first"]
    return jax.jit(lambda h: jax.nn.glu(jnp.concatenate([h, h[::-1] ** 3])))(hidden)


def rearranged(p, x):
    padded = jnp.pad(x * p["bias"][0], ((1, 1), (0, 0)), constant_values=0.5)
    middle = lax.dynamic_slice(padded, (2, 0), (HIDDEN, LETTERS)).at[0].add(x[0]).at[1].set(x[3])
    picked = jnp.cumsum(middle, 0)[jnp.array([0, 2, 2, 4, 1])]
    sums = lax.reduce_window(jnp.transpose(picked), 0.0, lax.add, (1, 2), (1, 1), "SAME")
    return jax.nn.relu(jnp.sum(sums, 0) - jnp.where(jnp.arange(5) > 2, picked[:, 0], 0.7))


@pytest.mark.parametrize("features", [attention, layer_norm, pooled, gated, rearranged])
def test_the_sum_is_the_difference_of_the_outputs(features, x64):
    network = jme.Representation(features, PARAMS, np.random.default_rng(3).normal(size=(HIDDEN, 3)))
    for baseline in (None, np.random.default_rng(4).integers(0, LETTERS, (4, LENGTH))):
        scores = deeplift(network, TOKENS, unit=(0, 2), baseline=baseline)
        found = completeness(network, TOKENS, scores, unit=(0, 2), baseline=baseline)
        assert np.abs(found.difference).max() > 0.1
        np.testing.assert_allclose(found.error, 0, atol=1e-10)


def test_in_the_precision_of_the_network():
    """In float32 the sum is right to its rounding, for outputs of the order of 10."""
    params = jax.tree.map(jnp.float32, PARAMS)
    network = jme.Representation(lambda p, x: jax.nn.gelu(x.reshape(-1) @ p["first"]), params, np.ones((HIDDEN, 1)))
    scores = deeplift(network, TOKENS)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(completeness(network, TOKENS, scores).error, 0, atol=2e-5)


def recurrent(p, x):
    return lax.scan(lambda h, row: (jnp.tanh(h + row @ p["second"][:LETTERS]), None), jnp.zeros(HIDDEN), x)[0]


def test_operations_without_a_rule_are_named():
    message = "representation must be made of operations that DeepLIFT has a rule for, but it uses 'scan'"
    with pytest.raises(ValueError, match=message):
        deeplift(jme.Representation(recurrent, jax.tree.map(jnp.float32, PARAMS), np.ones((HIDDEN, 1))), TOKENS)
    with pytest.raises(ValueError, match="but it uses 'sort'"):
        deeplift(jme.Representation(lambda p, x: jnp.sort(x[:, 0]), None, np.ones((LENGTH, 1))), TOKENS)
