import jax.numpy as jnp
import numpy as np
import pytest
from toy_views import NETWORK, TOKENS, X, output

import exact
import jaxmaxent as jme
from jaxmaxent.attribution import completeness, deeplift, integrated_gradients, saliency
from problems import toy_features


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
