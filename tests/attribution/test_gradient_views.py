import jax.numpy as jnp
import numpy as np
import pytest
from toy_views import HEAD, NETWORK, TOKENS, W, X

import exact
import jaxmaxent as jme
from jaxmaxent.attribution import completeness, input_x_gradient, integrated_gradients, saliency
from problems import Problem, toy_features


def test_saliency_is_the_derivative_by_finite_differences(x64):
    problem = Problem(length=4, seed=2)
    weights = exact.toy_weights(2, 4, 4)
    head = np.random.default_rng(3).normal(size=(5, 3))
    representation = jme.Representation(toy_features, weights, head)
    tokens = problem.states[[0, 100, 255]]
    for unit, w in ((2, head[:, 2]), ((0, 1), head[:, 0] - head[:, 1])):
        found = saliency(representation, tokens, unit=unit)
        assert found.shape == (3, 4, 4)
        for row, gradient in zip(exact.one_hot(tokens, 4), found, strict=True):
            for index in np.ndindex(4, 4):
                up, down = row.copy(), row.copy()
                up[index] += 1e-6
                down[index] -= 1e-6
                slope = (exact.toy_features(weights, up) - exact.toy_features(weights, down)) @ w / 2e-6
                assert gradient[index] == pytest.approx(slope, abs=1e-6)


def test_centered_gradient_and_input_x_gradient():
    weights = exact.toy_weights(2, 4, 4)
    representation = jme.Representation(toy_features, weights, np.ones((5, 1)))
    tokens = Problem(length=4).states[[3, 77]]
    gradient = saliency(representation, tokens)
    centered = gradient - gradient.mean(-1, keepdims=True)
    np.testing.assert_allclose(saliency(representation, tokens, centered=True), centered, atol=1e-7)
    for own, found in (
        (gradient, input_x_gradient(representation, tokens)),
        (centered, input_x_gradient(representation, tokens, centered=True)),
    ):
        wanted = np.zeros_like(own)
        for i, j in np.ndindex(tokens.shape):
            wanted[i, j, tokens[i, j]] = own[i, j, tokens[i, j]]
        np.testing.assert_allclose(found, wanted, atol=1e-7)


def test_the_chunk_is_only_about_memory():
    representation = jme.Representation(toy_features, exact.toy_weights(2, 4, 4), np.ones((5, 1)))
    tokens = Problem(length=4).states[::37]
    whole = saliency(representation, tokens)
    for chunk in (1, 3, len(tokens)):
        np.testing.assert_allclose(saliency(representation, tokens, chunk=chunk), whole, atol=1e-6)


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


def test_other_bad_input():
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1, got 0"):
        integrated_gradients(NETWORK, TOKENS, steps=0)
    with pytest.raises(ValueError, match=r"scores must have shape \[3, 4, 4\], got \[3, 4\]"):
        completeness(NETWORK, TOKENS, np.zeros((3, 4)))
