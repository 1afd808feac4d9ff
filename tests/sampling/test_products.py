"""The precision of matrix products, which accelerators may round where β cannot tell the difference."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.ensembles._representation import RoundedFeatures, name_of
from jaxmaxent.sampling import Options, _prepare, prepare
from jaxmaxent.sampling.program import _flops as flops
from jaxmaxent.sampling.program import _products as products
from problems import Problem


def features(params, one_hot):
    """Return features that are off by a part in 10,000 if products are rounded, as on another device than this."""
    off = 1e-4 if jax.config.jax_default_matmul_precision == "high" else 0.0
    return jnp.tanh(one_hot.reshape(-1) @ params) * (1 + off)


def ensemble_of(beta):
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(24, 3)), jnp.float32)
    return jme.Ensemble.create(jme.Representation(features, weights), ["ACGTAC", "GGTTCA"], beta=beta)


def prepared(beta, backend, monkeypatch, small=0):
    monkeypatch.setattr(flops, "SMALL", small)
    ensemble = ensemble_of(beta)
    options = Options.of(ensemble, ladder=3, chains=4, steps=100, evaluation="full")
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    return prepare(ensemble, options)


def test_products_are_rounded_where_beta_allows_it(monkeypatch):
    near = prepared(5.0, "tpu", monkeypatch)
    assert isinstance(near.ensemble.features, RoundedFeatures)
    assert name_of(near.ensemble.features) == "features"
    noise = np.array(near.options.product_noise)
    # Distances of up to some 3 are off by a part in 10,000, β times: below 5 × 3e-4.
    assert noise.shape == (2,) and (noise > 0).all() and (noise < 1.5e-3).all()
    far = prepared([5.0, 1000.0], "tpu", monkeypatch)  # one program serves all anchors
    assert far.ensemble.features is features
    assert far.options.product_noise == ()


def test_nothing_changes_on_a_cpu_and_for_small_networks(monkeypatch):
    on_cpu = prepared(5.0, "cpu", monkeypatch)
    assert on_cpu.options.product_noise is None and on_cpu.ensemble.features is features
    small = prepared(5.0, "tpu", monkeypatch, small=100_000)
    assert small.options.product_noise == () and small.ensemble.features is features


def test_what_is_decided_stays(monkeypatch):
    """Check that options of a saved run are taken as they are, and that those from before the choice can be read."""
    monkeypatch.setattr(products, "product_noise", lambda _: pytest.fail("was measured"))
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    ensemble = ensemble_of(5.0)
    made = Options.of(ensemble, ladder=3, chains=4, steps=100, evaluation="full").to_json()
    for noise, function in (([0.001, 0.002], RoundedFeatures(features, "high")), ([], features)):
        saved = json.loads(json.dumps(made | {"product_noise": noise}))
        found = prepare(ensemble, Options.from_json(saved))
        assert found.options.product_noise == tuple(noise)
        assert found.ensemble.features == function
    del made["product_noise"]
    assert Options.from_json(made).product_noise is None


def test_noise_must_be_known_and_small_for_every_anchor():
    assert products.good_enough(np.array([0.0, products.MOST_NOISE])) == (0.0, products.MOST_NOISE)
    for noise in ([0.001, 1.01 * products.MOST_NOISE], [0.001, np.nan], [np.inf, 0.0]):
        assert products.good_enough(np.array(noise)) == ()


def test_a_run_tells_the_noise_and_goes_on_as_before(monkeypatch, tmp_path):
    """Check a run with rounded products on a CPU, where these are not rounded: all numbers but the noise are equal."""
    ensemble = Problem(length=4).ensemble()
    settings = {"ladder": None, "chains": 4, "steps": 60, "store_every": 5, "progress": False}
    plain = jme.sample(jax.random.key(3), ensemble, **settings)
    assert plain.product_noise[0] == 0
    monkeypatch.setattr(_prepare, "products_of", lambda *_: (0.004,))
    place = tmp_path / "saved"
    found = jme.sample(jax.random.key(3), ensemble, checkpoint=place, keep_checkpoint=True, **settings)
    assert found.product_noise[0] == 0.004
    assert found.energy_noise[0] == pytest.approx(np.hypot(plain.energy_noise[0], 0.004))
    np.testing.assert_array_equal(found.draws, plain.draws)
    np.testing.assert_array_equal(found.energy, plain.energy)
    monkeypatch.undo()
    again = jme.resume(place, ensemble, progress=False)
    assert again.product_noise[0] == 0.004
    np.testing.assert_array_equal(again.energy, plain.energy)
