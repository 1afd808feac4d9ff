"""Agreement with Captum on a convolutional network with max pooling; `captum_reference.py` printed the numbers."""

import captum_reference as reference
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxmaxent as jme
from jaxmaxent.attribution import completeness, deeplift, input_x_gradient, integrated_gradients

OUTPUT, AGAINST = -0.7146824576562043, -0.027939888548540272
# At the letters of the sequence; 0 at all others.
INPUT_X_GRADIENT = np.array(
    [
        0.19855639,
        -0.211569661,
        0.209331289,
        0.248269355,
        -0.366548368,
        0.133863077,
        -0.181907612,
        -0.11098831,
        0.133853366,
        -0.165194726,
        -0.216586668,
        -0.489542017,
    ]
)
INTEGRATED_GRADIENTS = np.array(
    [
        [0.092089506, -0.029294623, 0.012917029, -0.03438164],
        [-0.010902217, 0.016517971, -0.098125, 0.032334797],
        [0.028488778, 0.088090296, 0.015386323, 0.027212847],
        [0.025369666, 0.028219164, 0.015902376, 0.124494059],
        [0.069592213, -0.008787963, 0.056032149, -0.174992716],
        [0.05727133, -0.001603267, 0.016857027, 0.03048251],
        [-0.03081554, -0.154345514, -0.020807291, -0.031489043],
        [-0.059388451, -0.051161118, -0.027476333, 0.006475996],
        [-0.084976974, -0.023201731, -0.006252939, -0.053780092],
        [-0.13094253, -0.042746445, -0.037472357, -0.046741066],
        [0.018062114, -0.017931501, 0.056657812, -0.08193619],
        [0.027302816, -0.196721676, 0.00858558, -0.048623656],
    ]
)
DEEPLIFT = np.array(
    [
        [0.104631051, -0.033284217, 0.014676181, -0.039064029],
        [-0.012386975, 0.018767531, -0.11148851, 0.036738429],
        [0.02990014, 0.107306699, 0.02002107, 0.0334584],
        [0.017748292, 0.025259329, 0.029953184, 0.104374869],
        [0.05737245, 0.000659181, 0.062321545, -0.190518837],
        [0.011869475, 0.016612167, -0.012651531, -0.004862888],
        [-0.031390782, -0.072476317, -0.017744832, -0.053457535],
        [-0.049097126, -0.058650253, -0.085319589, 0.021631215],
        [-0.072782234, -0.014585237, 0.046972651, -0.04436523],
        [-0.151058344, -0.053443777, -0.042205122, -0.057096569],
        [0.018808688, -0.018119293, 0.063086572, -0.079243224],
        [0.025390044, -0.207898887, 0.013523253, -0.054633648],
    ]
)


def features(params, one_hot):
    one_hot = one_hot.astype(params["conv"].dtype)
    dimensions = ("NWC", "WIO", "NWC")
    hidden = lax.conv_general_dilated(one_hot[None], params["conv"], (1,), "VALID", dimension_numbers=dimensions)[0]
    hidden = jax.nn.relu(hidden + params["conv_bias"][None])
    pool = reference.POOL, 1
    hidden = lax.reduce_window(hidden, -jnp.inf, lax.max, pool, pool, "VALID")
    return jax.nn.relu(hidden.reshape(-1) @ params["dense"] + params["dense_bias"])


@pytest.fixture
def asked(x64):
    weights = {name: jnp.asarray(array) for name, array in reference.weights().items()}
    return jme.Representation(features, weights, weights["head"]), np.array([reference.TOKENS])


def test_input_x_gradient(asked):
    wanted = INPUT_X_GRADIENT[:, None] * np.eye(4)[list(reference.TOKENS)]
    np.testing.assert_allclose(input_x_gradient(*asked, unit=1)[0], wanted, atol=1e-9)


def test_integrated_gradients(asked):
    found = integrated_gradients(*asked, unit=1, steps=reference.STEPS)
    np.testing.assert_allclose(found[0], INTEGRATED_GRADIENTS, atol=1e-9)


def test_deeplift(asked):
    found = deeplift(*asked, unit=1)
    np.testing.assert_allclose(found[0], DEEPLIFT, atol=1e-9)
    sums = completeness(*asked, found, unit=1)
    assert sums.difference == pytest.approx(OUTPUT - AGAINST, abs=1e-12)
    assert sums.error == pytest.approx(0, abs=1e-12)
