import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.attribution import input_x_gradient, saliency
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


def test_centred_gradient_and_input_x_gradient():
    weights = exact.toy_weights(2, 4, 4)
    representation = jme.Representation(toy_features, weights, np.ones((5, 1)))
    tokens = Problem(length=4).states[[3, 77]]
    gradient = saliency(representation, tokens)
    centred = gradient - gradient.mean(-1, keepdims=True)
    np.testing.assert_allclose(saliency(representation, tokens, centred=True), centred, atol=1e-7)
    for own, found in (
        (gradient, input_x_gradient(representation, tokens)),
        (centred, input_x_gradient(representation, tokens, centred=True)),
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


def test_letters_are_those_of_the_representation():
    weights = exact.toy_weights(0, 3, 2)
    representation = jme.Representation(toy_features, weights, np.ones((5, 1)), jme.BINARY)
    assert saliency(representation, np.array([[0, 1, 1]])).shape == (1, 3, 2)
    with pytest.raises(ValueError, match="alphabet must be that of the representation, '01', got 'ACGT'"):
        saliency(representation, np.array([[0, 1, 1]]), alphabet=jme.DNA)


def sums(params, one_hot):
    return jnp.sum(one_hot, 0)


@pytest.mark.parametrize(
    ("representation", "tokens", "changes", "message"),
    [
        (jme.Representation(sums), [[0, 1]], {}, "representation must have a head"),
        (sums, [[0, 1]], {}, "representation must be a Representation, got function"),
        (jme.Representation(sums, None, np.ones((3, 1))), [[0, 1]], {}, "one vector with the head's 3 features"),
        (jme.Representation(lambda x: x, None, np.ones((4, 1))), [[0, 1]], {}, "a function of params and a sequence"),
        (jme.Representation(sums, None, np.ones((4, 3))), [[0, 1]], {}, "unit must be chosen"),
        (jme.Representation(sums, None, np.ones((4, 3))), [[0, 1]], {"unit": 3}, "unit must be one of 0 to 2"),
        (jme.Representation(sums, None, np.ones((4, 1))), [0, 1], {}, r"shape \[sequences, length\], got int64 of"),
        (jme.Representation(sums, None, np.ones((4, 1))), [[0.0, 1.0]], {}, "tokens must be whole numbers"),
        (jme.Representation(sums, None, np.ones((4, 1))), [[0, 4]], {}, "tokens must be 0 to 3, got 0 to 4"),
        (jme.Representation(sums, None, np.ones((4, 1))), [[0, 1]], {"chunk": 0}, "chunk must be a whole number"),
    ],
)
def test_bad_input_is_one_sentence(representation, tokens, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        saliency(representation, np.array(tokens), **changes)
    assert "\n" not in str(error.value)
