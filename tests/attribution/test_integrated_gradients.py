import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.attribution import completeness, deeplift, integrated_gradients
from problems import Problem, toy_features

WEIGHTS = exact.toy_weights(4, 4, 4)
HEAD = np.random.default_rng(5).normal(size=(5, 2))
W = HEAD[:, 1] - HEAD[:, 0]
NETWORK = jme.Representation(toy_features, WEIGHTS, HEAD)
TOKENS = Problem(length=4).states[[1, 60, 200]]
X = exact.one_hot(TOKENS, 4)


def output(one_hot):
    return exact.toy_features(WEIGHTS, one_hot) @ W


def smooth(params, one_hot):
    return jnp.tanh(one_hot.reshape(-1) @ params)


KERNEL = np.random.default_rng(7).normal(size=(16, 5))


def line_integral(x, baseline, points=2000):
    """(x − x′) times the mean gradient of the smooth network on the line, by midpoints in NumPy."""
    line = baseline + (np.arange(points) + 0.5)[:, None, None] / points * (x - baseline)
    slopes = 1 - np.tanh(line.reshape(points, -1) @ KERNEL) ** 2
    return (slopes @ (KERNEL * W).T).mean(0).reshape(x.shape) * (x - baseline)


def test_it_is_the_integral_along_the_line(x64):
    found = integrated_gradients(jme.Representation(smooth, KERNEL, HEAD), TOKENS)
    for x, row in zip(X, found, strict=True):
        np.testing.assert_allclose(row, line_integral(x, np.full((4, 4), 0.25)), atol=1e-6)


def test_the_sum_is_the_difference_of_the_outputs(x64):
    network = jme.Representation(smooth, KERNEL, HEAD)
    found = completeness(network, TOKENS, integrated_gradients(network, TOKENS))
    wanted = (np.tanh(X.reshape(3, -1) @ KERNEL) - np.tanh(KERNEL.sum(0) / 4)) @ W
    np.testing.assert_allclose(found.difference, wanted, atol=1e-12)
    np.testing.assert_allclose(found.error, 0, atol=1e-12)


def test_completeness_says_what_is_missing(x64):
    """The gradient of this network has steps, so that few points are not enough."""
    errors = []
    for steps in (1, 64):
        scores = integrated_gradients(NETWORK, TOKENS, steps=steps)
        found = completeness(NETWORK, TOKENS, scores)
        difference = output(X) - output(np.full((4, 4), 0.25))
        np.testing.assert_allclose(found.difference, difference, atol=1e-12)
        np.testing.assert_allclose(found.error, scores.sum((1, 2)) - difference, atol=1e-12)
        errors.append(np.abs(found.error).max())
    assert errors[0] > 0.1
    assert errors[1] < errors[0] / 10


@pytest.mark.parametrize("view", [integrated_gradients, deeplift])
def test_several_baselines_are_averaged_and_may_be_tokens(view, x64):
    own = np.random.default_rng(6).integers(0, 4, (3, 5, 4))
    found = view(NETWORK, TOKENS, baseline=own)
    one_by_one = [view(NETWORK, TOKENS, baseline=own[:, b]) for b in range(5)]
    np.testing.assert_allclose(found, np.mean(one_by_one, 0), atol=1e-12)
    np.testing.assert_allclose(view(NETWORK, TOKENS, baseline=np.eye(4)[own]), found, atol=1e-12)
    np.testing.assert_allclose(view(NETWORK, TOKENS, baseline=own, chunk=4), found, atol=1e-12)
    sums = completeness(NETWORK, TOKENS, found, baseline=own)
    wanted = output(X) - output(exact.one_hot(own, 4)).mean(1)
    np.testing.assert_allclose(sums.difference, wanted, atol=1e-12)


@pytest.mark.parametrize("view", [integrated_gradients, deeplift])
def test_shared_baselines_of_every_shape(view, x64):
    gc = np.array([0.2, 0.3, 0.3, 0.2])
    wanted = view(NETWORK, TOKENS, baseline=gc)
    assert not np.allclose(wanted, view(NETWORK, TOKENS), atol=1e-3)
    for shape in ((4, 4), (3, 4, 4), (3, 1, 4, 4)):
        np.testing.assert_allclose(view(NETWORK, TOKENS, baseline=np.broadcast_to(gc, shape)), wanted, atol=1e-12)


@pytest.mark.parametrize("view", [integrated_gradients, deeplift])
def test_nothing_is_left_where_the_sequence_is_its_own_baseline(view):
    assert not view(NETWORK, TOKENS, baseline=TOKENS).any()


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        (np.ones(3), r"baseline must be tokens or weights of 4 letters that fit 3 sequences of length 4, got.*\[3\]"),
        (np.ones((2, 4, 4)), r"got shape \[2, 4, 4\]"),
        (np.ones((3, 0, 4, 4)), r"got shape \[3, 0, 4, 4\]"),
        (np.full((3, 4), 4), "baseline must hold tokens 0 to 3, got 4 to 4"),
        (np.full(4, np.nan), "baseline must be finite"),
    ],
)
def test_bad_baselines(baseline, message):
    with pytest.raises(ValueError, match=message):
        integrated_gradients(NETWORK, TOKENS, baseline=baseline)


def test_other_bad_input():
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1, got 0"):
        integrated_gradients(NETWORK, TOKENS, steps=0)
    with pytest.raises(ValueError, match=r"scores must have shape \[3, 4, 4\], got \[3, 4\]"):
        completeness(NETWORK, TOKENS, np.zeros((3, 4)))
