"""Every framework: features, head and outputs are the framework's own, and one ensemble samples them."""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from models.adapters import networks as small

import jaxmaxent as jme
from jaxmaxent import models

ROWS = small.one_hots()
ROUNDING = 1e-5


def features_of(representation):
    run = jax.jit(representation.features)
    return np.stack([run(representation.params, jnp.asarray(row)) for row in ROWS])


@functools.cache
def of_linen():
    """The outputs of the module of Linen and those of its layers, computed once, by one program."""
    module, variables = small.linen()
    return jax.jit(functools.partial(module.apply, train=False, capture_intermediates=True))(variables, ROWS)


def check(representation, *, hidden, logits):
    """Check features against the framework's, and that the head leads to the logits up to constants."""
    mine, hidden, logits = features_of(representation), np.asarray(hidden), np.asarray(logits)
    np.testing.assert_allclose(mine, hidden, atol=ROUNDING * np.abs(hidden).max())
    linear = mine @ np.asarray(representation.head)
    difference = (linear - logits) - (linear - logits).mean(0)
    np.testing.assert_allclose(difference, 0, atol=1e-4 * np.abs(logits).max())
    anchor = np.argmax(ROWS, -1)[:2]
    ensemble = jme.Ensemble.create(representation, anchor, unit=0, beta=1.0)
    zero, other = jax.jit(jax.vmap(ensemble.take(0).energy))(ensemble.anchor)
    assert zero < 1e-6
    weighted = np.asarray(representation.head)[:, 0] * (mine[1] - mine[0])
    assert float(other) == pytest.approx(np.linalg.norm(weighted), rel=1e-4)


def test_linen_gives_the_layer_before_the_classes_and_ignores_dropout():
    module, variables = small.linen()
    found = models.from_linen(module, variables, small.LENGTH, output="classes")
    outputs, seen = of_linen()
    inner = seen["intermediates"]
    check(found, hidden=np.maximum(inner["hidden"]["__call__"][0], 0), logits=inner["classes"]["__call__"][0])
    assert outputs["classes"].shape == (4, small.UNITS)


def test_linen_takes_layers_by_name_and_number():
    module, variables = small.linen()
    by_name = models.from_linen(module, variables, small.LENGTH, output="classes", layer="hidden")
    numbers = [one.index for one in models.layers(by_name) if one.name.endswith("hidden")]
    by_number = models.from_linen(module, variables, small.LENGTH, output="classes", layer=numbers[0])
    _, seen = of_linen()
    hidden = seen["intermediates"]["hidden"]["__call__"][0]
    for found in (by_name, by_number):
        np.testing.assert_allclose(features_of(found), hidden, atol=1e-5)
        assert found.head is None  # a relu comes between


def test_the_layer_output_is_the_output():
    module, variables = small.linen()
    found = models.from_linen(module, variables, small.LENGTH, output="number", layer="output")
    np.testing.assert_allclose(features_of(found), of_linen()[0]["number"], rtol=1e-5)


def test_equal_linen_modules_share_one_program():
    module, variables = small.linen()
    found = [models.from_linen(small.Linen(), variables, small.LENGTH, output="classes") for _ in range(2)]
    assert found[0].features == found[1].features and hash(found[0].features) == hash(found[1].features)
    other = models.from_linen(module, variables, small.LENGTH, output="number")
    assert other.features != found[0].features


def test_nnx_is_put_into_inference_mode_and_stays_as_it_was():
    module = small.in_nnx()
    found = models.from_nnx(module, small.LENGTH, output=0)
    assert not module.dropout.deterministic and not module.norm.use_running_average
    module.eval()
    x = nnx.relu(module.norm(module.conv(jnp.asarray(ROWS))))
    hidden = nnx.relu(module.hidden(nnx.max_pool(x, (2,), (2,)).reshape(len(ROWS), -1)))
    check(found, hidden=hidden, logits=module.classes(hidden))
    assert [one.name for one in models.layers(found)][:2] == ["conv", "norm"]
    assert "relu" in [one.operation for one in models.layers(found)]


def test_a_function_of_one_sequence_and_one_of_a_batch():
    weights = jax.random.normal(jax.random.key(1), (small.LENGTH * 4, 5))
    last = jax.random.normal(jax.random.key(2), (5, 2))

    def one(params, x):
        return jnp.tanh(x.reshape(-1) @ params[0]) @ params[1] + 3

    def batch(params, x):
        return jax.vmap(one, in_axes=(None, 0))(params, x)

    params = (weights, last)
    for function, layout in ((one, "LC"), (batch, "NLC")):
        found = models.from_function(function, small.LENGTH, params=params, layout=layout)
        hidden = np.tanh(ROWS.reshape(len(ROWS), -1) @ weights)
        check(found, hidden=hidden, logits=hidden @ last)


def test_the_head_leads_through_batch_norm_and_pooling():
    kernel = jax.random.normal(jax.random.key(1), (3, 4, 6))
    scale, pointwise = jnp.array([2.0, -0.5]), jax.random.normal(jax.random.key(2), (1, 6, 2))

    def network(x):
        convolve = jax.lax.conv_general_dilated
        form = ("NWC", "WIO", "NWC")
        x = jax.nn.relu(convolve(x, kernel, (1,), "SAME", dimension_numbers=form))
        return (convolve(x, pointwise, (1,), "SAME", dimension_numbers=form) * scale + 1).mean(1)

    found = models.from_function(network, small.LENGTH)
    assert found.head.shape == (small.LENGTH * 6, 2)
    outputs = np.asarray(network(jnp.asarray(ROWS)))
    np.testing.assert_allclose(features_of(found) @ np.asarray(found.head) + 1, outputs, atol=1e-5)


def test_further_inputs_are_held():
    def network(x, y, scale=None):
        return (x.reshape(len(x), -1)[:, :7] + y) * scale

    held = np.arange(7.0)
    found = models.from_function(lambda x, y: network(x, y, 2.0), small.LENGTH, layer="output", fixed_inputs=[held],
                                 layout="NLC")  # fmt: skip
    expected = (ROWS.reshape(len(ROWS), -1)[:, :7] + held) * 2
    np.testing.assert_allclose(features_of(found), expected, rtol=1e-6)
    named = models.from_function(
        lambda x, y, scale: network(x, y, scale), small.LENGTH, layer="output", layout="NLC",
        fixed_inputs={"y": held, "scale": np.full(7, 2.0)},
    )  # fmt: skip
    np.testing.assert_allclose(features_of(named), expected, rtol=1e-6)


def test_letters_give_the_order_of_the_input():
    found = models.from_function(lambda x: x.reshape(-1)[:4], small.LENGTH, letters="GCAT", layout="LC", layer="output")
    assert found.alphabet.letters == "GCAT" and found.alphabet.complements == "CGTA"
    ensemble = jme.Ensemble.create(found, "A" * small.LENGTH, beta=1.0)
    np.testing.assert_array_equal(ensemble.reference, [0, 0, 1, 0])


@pytest.mark.parametrize("layout", ["NLC", "NCL", "NC1L", "NCL1", "LC", "CL"])
def test_the_layout_is_found(layout):
    weights = np.arange(4.0)
    inner = [{"L": small.LENGTH, "C": 4, "1": 1}[letter] for letter in layout if letter != "N"]

    def network(x):
        if list(x.shape[-len(inner) :]) != inner or x.ndim != len(layout):
            raise ValueError("another form")
        x = jnp.moveaxis(x, layout.index("C"), -1) @ weights
        return jnp.exp(x).reshape((x.shape[0], -1) if layout[0] == "N" else -1)

    found = models.from_function(network, small.LENGTH, layer="output")
    assert found.features.layout == layout
    np.testing.assert_allclose(features_of(found), np.exp(ROWS @ weights), rtol=1e-6)


@pytest.mark.parametrize("batch", ["any", 1])
def test_exported_networks_run_alone_and_in_batches(batch, tmp_path):
    pytest.importorskip("flatbuffers")
    weights = jax.random.normal(jax.random.key(1), (small.LENGTH * 4, 3))

    def network(x):
        return jnp.tanh(x.reshape(x.shape[0], -1) @ weights)

    size = jax.export.symbolic_shape("b")[0] if batch == "any" else 1
    shape = jax.ShapeDtypeStruct((size, small.LENGTH, 4), jnp.float32)
    file = tmp_path / "network.jax"
    file.write_bytes(jax.export.export(jax.jit(network))(shape).serialize())
    found = models.from_exported(file, small.LENGTH)
    together = jax.jit(jax.vmap(found.features, in_axes=(None, 0)))(found.params, ROWS)
    np.testing.assert_allclose(together, network(jnp.asarray(ROWS)), rtol=1e-5)
    np.testing.assert_allclose(features_of(found), together, rtol=1e-5)


def test_haiku():
    hk = pytest.importorskip("haiku")

    def forward(x, is_training):
        x = hk.Conv1D(small.CHANNELS, 5, name="conv")(x)
        x = jax.nn.relu(hk.BatchNorm(True, True, 0.9, name="norm")(x, is_training))
        x = jax.nn.relu(hk.Linear(small.HIDDEN, name="hidden")(hk.Flatten()(x)))
        if is_training:
            x = hk.dropout(hk.next_rng_key(), 0.5, x)
        return {"hidden": x, "classes": hk.Linear(small.UNITS)(x)}

    transformed = hk.transform_with_state(forward)
    params, state = jax.jit(transformed.init, static_argnums=2)(jax.random.key(0), ROWS, True)
    found = models.from_haiku(transformed, params, small.LENGTH, state=state, output="classes")
    outputs, _ = jax.jit(transformed.apply, static_argnums=4)(params, state, None, ROWS, False)
    check(found, hidden=outputs["hidden"], logits=outputs["classes"])
    assert "norm" in [one.name for one in models.layers(found)]


def test_equinox_with_state():
    eqx = pytest.importorskip("equinox")

    class Module(eqx.Module):
        conv: eqx.nn.Conv1d
        norm: eqx.nn.BatchNorm
        dropout: eqx.nn.Dropout
        linear: eqx.nn.Linear

        def __init__(self, key):
            self.conv = eqx.nn.Conv1d(4, small.CHANNELS, 5, padding=2, key=key)
            self.norm = eqx.nn.BatchNorm(small.CHANNELS, axis_name="batch", mode="ema")
            self.dropout = eqx.nn.Dropout(0.5)
            self.linear = eqx.nn.Linear(small.CHANNELS * small.LENGTH, small.UNITS, key=key)

        def hidden(self, x, state, key=None):
            x, state = self.norm(self.conv(x), state)
            return self.dropout(jax.nn.relu(x), key=key).reshape(-1), state

        def __call__(self, x, state, *, key=None):
            x, state = self.hidden(x, state, key)
            return jax.nn.softmax(self.linear(x)), state

    module, state = eqx.nn.make_with_state(Module)(jax.random.key(0))
    train = jax.vmap(lambda x, state: module.hidden(x, state, jax.random.key(1)), axis_name="batch",
                     in_axes=(0, None), out_axes=(0, None))  # fmt: skip
    _, state = jax.jit(train)(jnp.asarray(small.one_hots(8)).swapaxes(1, 2), state)
    found = models.from_equinox(module, small.LENGTH, state=state)
    assert found.features.layout == "CL"
    inference = eqx.nn.inference_mode(module)
    hidden = jax.jit(jax.vmap(lambda row: inference.hidden(row.T, state)[0]))(ROWS)
    check(found, hidden=hidden, logits=jax.vmap(inference.linear)(hidden))


# Keras asks NumPy for arrays in a way that it will lose.
in_keras = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def keras_model():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras was imported with another backend")
    layers = keras.layers
    keras.utils.set_random_seed(0)
    sequence, context = layers.Input((small.LENGTH, 4), name="sequence"), layers.Input((2,), name="context")
    x = layers.Conv1D(small.CHANNELS, 5, activation="relu")(sequence)
    x = layers.Flatten()(layers.Dropout(0.5)(layers.BatchNormalization()(x)))
    x = layers.Dense(small.HIDDEN, activation="relu", name="hidden")(layers.Concatenate()([x, context]))
    classes = layers.Dense(small.UNITS, activation="softmax", name="classes")(x)
    model = keras.Model([sequence, context], [classes, layers.Dense(1, name="number")(x)])
    for variable in model.non_trainable_variables:
        if "moving" in variable.name:
            variable.assign(variable + 0.3)
    return keras, model


@pytest.mark.slow
@in_keras
def test_keras_and_its_files(keras_model, tmp_path):
    keras, model = keras_model
    context = np.array([0.5, -1], np.float32)
    file = tmp_path / "model.keras"
    model.save(file)
    hidden_model = keras.Model(model.inputs, model.get_layer("hidden").output)
    inputs = [ROWS, np.tile(context, (len(ROWS), 1))]
    hidden, outputs = np.asarray(hidden_model(inputs)), [np.asarray(one) for one in model(inputs, training=False)]
    for given, further in ((model, [context]), (file, {"context": context})):
        found = models.from_keras(given, output="classes", fixed_inputs=further)
        check(found, hidden=hidden, logits=np.log(outputs[0]) - np.log(outputs[0]).mean(1, keepdims=True)
              + (hidden @ found.head).mean(1, keepdims=True))  # fmt: skip


@pytest.mark.slow
@in_keras
def test_files_of_keras_2_are_rebuilt_layer_by_layer(keras_model, tmp_path):
    keras, _ = keras_model
    h5py = pytest.importorskip("h5py")
    import json

    from jaxmaxent.models.adapters._keras import _read

    kernel, bias = np.random.default_rng(0).normal(size=(3, 4, 5)), np.ones(5)
    dense = np.random.default_rng(1).normal(size=((small.LENGTH - 2) * 5, 2))
    layers = [
        {"class_name": "Conv1D", "config": {"name": "c", "filters": 5, "kernel_size": [3], "activation": "relu",
                                            "batch_input_shape": [None, small.LENGTH, 4], "strange": 1,
                                            "kernel_initializer": {"class_name": "VarianceScaling", "config": {}}}},
        {"class_name": "Flatten", "config": {"name": "f", "batch_input_shape": None}},
        {"class_name": "Dense", "config": {"name": "d", "units": 2, "use_bias": False}},
    ]  # fmt: skip
    file = tmp_path / "old.h5"
    with h5py.File(file, "w") as archive:
        archive.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers})
        for name, arrays in {"c": [kernel, bias], "f": [], "d": [dense]}.items():
            group = archive.create_group(f"model_weights/{name}")
            group.attrs["weight_names"] = [f"w{i}" for i in range(len(arrays))]
            for i, array in enumerate(arrays):
                group[f"w{i}"] = array
    from jaxmaxent.models.adapters import _keras

    model = _keras._rebuilt(keras, file)
    windows = np.lib.stride_tricks.sliding_window_view(ROWS, 3, axis=1)  # [sequences, positions, letters, 3]
    hidden = np.maximum(np.einsum("nplk,klo->npo", windows, kernel) + bias, 0)
    expected = hidden.reshape(len(ROWS), -1) @ dense
    np.testing.assert_allclose(model(ROWS), expected, rtol=1e-4, atol=1e-4)
    assert _read(keras, file) is not None
    check(models.from_keras(file), hidden=hidden.reshape(len(ROWS), -1), logits=expected)
