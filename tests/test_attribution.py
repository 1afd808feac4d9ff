import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.attribution import saliency
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


def test_saliency_needs_a_head():
    with pytest.raises(ValueError, match="representation must have a head"):
        saliency(jme.Representation(lambda params, x: jnp.sum(x, 0)), np.zeros((1, 4), int))
