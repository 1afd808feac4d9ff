"""The rescale rule against its definition in NumPy, and complete on all kinds of networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxmaxent as jme
from jaxmaxent.attribution import completeness, deeplift

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


def attention(p, x):
    queries, values = x @ p["second"][:LETTERS], x @ p["second"][:LETTERS] ** 2
    return (jax.nn.softmax(queries @ queries.T, axis=-1) @ values).reshape(-1)[:HIDDEN]


def layer_norm(p, x):
    hidden = x.reshape(-1) @ p["first"]
    centered = hidden - jnp.mean(hidden)
    return jnp.tanh(centered * lax.rsqrt(jnp.mean(jnp.square(centered)) + 1e-3))


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


def stacked(p, x):
    """Windows that are written out, as users do for short sequences."""
    windows = jnp.stack([x[i : i + 2] for i in range(LENGTH - 1)])
    hidden = jnp.tile(windows.reshape(HIDDEN, -1) @ p["first"][: 2 * LETTERS], (1, 2))
    first, second = hidden[:, 4:6].T
    return jax.nn.relu(first + second**2)


@pytest.mark.parametrize("features", [attention, layer_norm, pooled, gated, rearranged, stacked])
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
