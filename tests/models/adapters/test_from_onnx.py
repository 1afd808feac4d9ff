"""ONNX files as representations; they are made by hand, so that no other framework is needed."""

import jax.numpy as jnp
import numpy as np
import pytest
from models.adapters import networks as small

import jaxmaxent as jme
from jaxmaxent import models

onnx = pytest.importorskip("onnx")
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(small.CHANNELS, 4, 5)).astype(np.float32)
DENSE = RNG.normal(size=(small.CHANNELS * small.LENGTH, 2)).astype(np.float32)
SCALE = RNG.normal(size=(1, 2)).astype(np.float32)


def model(*, second_input=False, batch="N", inner=small.LENGTH):
    """A convolution, a relu and a dense layer with a sigmoid."""
    make, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        make.make_node("Conv", ["x", "kernel"], ["c"], "convolve", pads=[2, 2]),
        make.make_node("Relu", ["c"], ["r"], "relu"),
        make.make_node("Flatten", ["r"], ["f"], "flatten"),
        make.make_node("MatMul", ["f", "dense"], ["d"], "dense"),
        make.make_node("Mul", ["d", "second" if second_input else "scale"], ["s"], "scale"),
        make.make_node("Sigmoid", ["s"], ["p"], "probability"),
    ]
    inputs = [make.make_tensor_value_info("x", kind, [batch, 4, inner])]
    if second_input:
        inputs.append(make.make_tensor_value_info("second", kind, [batch, 2]))
    outputs = [make.make_tensor_value_info("p", kind, [batch, 2])]
    weights = {"kernel": KERNEL, "dense": DENSE, "scale": SCALE}
    graph = make.make_graph(
        nodes, "g", inputs, outputs, [onnx.numpy_helper.from_array(a, n) for n, a in weights.items()]
    )
    return make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9)


def expected(rows):
    """Features, and outputs before the sigmoid, from the definition."""
    padded = np.pad(rows, ((0, 0), (2, 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=1)  # [sequences, positions, letters, 5]
    hidden = np.maximum(np.einsum("nplk,olk->nop", windows, KERNEL), 0).reshape(len(rows), -1)
    return hidden, hidden @ DENSE


@pytest.mark.parametrize("batch", ["N", 1])
def test_features_and_head_of_a_file(tmp_path, batch):
    file = tmp_path / "network.onnx"
    onnx.save(model(batch=batch), file)
    found = models.from_onnx(file)
    assert found.features.layout == "NCL" and "before the last logistic" in repr(found.features)
    rows = small.one_hots()
    hidden, outputs = expected(rows)
    mine = np.stack([found.features(found.params, jnp.asarray(row)) for row in rows])
    np.testing.assert_allclose(mine, hidden, atol=1e-5 * np.abs(hidden).max())
    np.testing.assert_allclose(mine @ np.asarray(found.head), outputs * SCALE, rtol=1e-4, atol=1e-4)
    assert [layer.name for layer in models.layers(found)][:2] == ["convolve", "relu"]


def test_a_sampled_energy_is_that_of_the_definition():
    found = models.from_onnx(model().SerializeToString(), layer="relu")
    rows = small.one_hots(2)
    size = small.CHANNELS * small.LENGTH
    ensemble = jme.Ensemble.create(found, np.argmax(rows[0], -1), beta=1.0, weights=np.ones(size))
    hidden, _ = expected(rows)
    assert float(ensemble.energy(jnp.asarray(np.argmax(rows[1], -1)))) == pytest.approx(
        np.linalg.norm(hidden[1] - hidden[0]), rel=1e-5
    )


@pytest.mark.parametrize("given", [[SCALE[0]], {"second": SCALE[0]}])
def test_further_inputs_by_place_and_name(given):
    found = models.from_onnx(model(second_input=True), fixed_inputs=given)
    rows = small.one_hots()
    mine = np.stack([found.features(found.params, jnp.asarray(row)) for row in rows])
    np.testing.assert_allclose(mine, expected(rows)[0], atol=1e-4)


WRONG = [
    ({"second_input": True}, {}, r"fixed_inputs must give all inputs .* 1 of \['x', 'second'\]"),
    ({"second_input": True}, {"fixed_inputs": {"y": 1}}, "fixed_inputs must be inputs of the model"),
    ({}, {"length": small.LENGTH + 1}, "length"),
    ({"inner": "L"}, {}, "length must be given for an ONNX model with an input of shape"),
    ({}, {"layout": "NLC"}, "layout must be one that the network takes .* 'NCL'"),
]


@pytest.mark.parametrize(("made", "given", "message"), WRONG)
def test_wrong_uses(made, given, message):
    with pytest.raises(ValueError, match=message) as error:
        models.from_onnx(model(**made), **given)
    assert "\n" not in str(error.value)


def test_what_is_no_onnx_model():
    with pytest.raises(ValueError, match="model must be"):
        models.from_onnx(b"nothing")
