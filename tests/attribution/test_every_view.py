import numpy as np

import exact
import jaxmaxent as jme
from jaxmaxent.attribution import (
    deeplift,
    every_view,
    input_x_gradient,
    integrated_gradients,
    loss_of_letters,
    mutagenesis,
    saliency,
)
from problems import toy_features

RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 4, (3, 7))


def linear(params, one_hot):
    return one_hot.reshape(-1) @ params


def test_on_a_linear_network_all_views_say_the_same(x64):
    kernel, head = RNG.normal(size=(28, 3)), RNG.normal(size=(3, 2))
    weights = (kernel @ (head[:, 1] - head[:, 0])).reshape(7, 4)
    network = jme.Representation(linear, kernel, head)
    worth = np.take_along_axis(weights[None] - weights.mean(-1)[None, :, None], TOKENS[..., None], -1)[..., 0]
    found = every_view(network, TOKENS)
    np.testing.assert_allclose(found.pop("saliency"), np.broadcast_to(np.abs(weights).max(-1), (3, 7)), atol=1e-12)
    assert len(found) == 4
    for scores in found.values():
        np.testing.assert_allclose(scores, worth, atol=1e-12)


def test_every_view_is_what_the_views_give():
    network = jme.Representation(toy_features, exact.toy_weights(1, 7, 4), RNG.normal(size=(5, 3)))
    shuffles = RNG.integers(0, 4, (3, 2, 7))
    asked = {"unit": (2, 0), "alphabet": jme.DNA, "chunk": 2}
    found = every_view(network, TOKENS, baseline=shuffles, steps=5, **asked)
    wanted = {
        "saliency": np.abs(saliency(network, TOKENS, **asked)).max(-1),
        "input × gradient": input_x_gradient(network, TOKENS, centred=True, **asked).sum(-1),
        "integrated gradients": integrated_gradients(network, TOKENS, baseline=shuffles, steps=5, **asked).sum(-1),
        "DeepLIFT": deeplift(network, TOKENS, baseline=shuffles, **asked).sum(-1),
        "mutagenesis": loss_of_letters(mutagenesis(network, TOKENS, **asked)),
    }
    assert list(found) == list(wanted)
    for name, scores in wanted.items():
        assert scores.shape == (3, 7)
        np.testing.assert_array_equal(found[name], scores)
