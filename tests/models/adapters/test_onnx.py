"""The operators of ONNX against the cases that ONNX publishes, and models as functions of their weights and inputs."""

import contextlib
import re
import sys
import warnings
from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxmaxent as jme
from jaxmaxent.evaluate import Edit
from jaxmaxent.evaluate.incremental import incremental
from jaxmaxent.models.adapters._onnx import OnnxFunction, read
from jaxmaxent.models.adapters._onnx._graph import TYPES
from jaxmaxent.models.adapters._onnx._table import OPERATORS
from jaxmaxent.models.adapters._onnx._taps import taken

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")

# Operators that the package does not know. The cases of all others must pass.
UNKNOWN = {
    "Adagrad", "Adam", "ArrayFeatureExtractor", "Binarizer", "BitCast", "Col2Im", "ConvInteger", "CumProd", "DFT",
    "DeformConv", "DequantizeLinear", "Det", "DynamicQuantizeLinear", "GridSample", "ImageDecoder",
    "LabelEncoder", "LinearAttention", "MatMulInteger", "MaxRoiPool", "MaxUnpool", "MelWeightMatrix", "Momentum",
    "NonMaxSuppression", "OptionalGetElement", "OptionalHasElement", "QLinearConv", "QLinearMatMul", "QuantizeLinear",
    "RegexFullMatch", "RoiAlign", "STFT", "Scan", "SequenceMap", "StringConcat", "StringNormalizer", "StringSplit",
    "TensorScatter", "TfIdfVectorizer", "TreeEnsemble", "Unique",
}  # fmt: skip
# Of known operators, refused: draws of random numbers, and training.
RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
# The published result divides by a length that is not whole; torch and onnxruntime divide by the rounded one, as here.
NOT_WHOLE = {"test_resize_downsample_scales_linear_align_corners", "test_resize_downsample_scales_cubic_align_corners"}
NOT_KNOWN = "an operator that is not known"
EXPANDED = "several nodes"


def nodes_of(graph):
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from nodes_of(attribute.g)


def given_graphs(node):
    """Whether a node of the standard, other than a choice or a loop, has a graph as an attribute."""
    return node.op_type not in ("If", "Loop") and any(attribute.HasField("g") for attribute in node.attribute)


def types_of(graph):
    """The types of inputs and outputs, by their numbers in ONNX; None for sequences and optional values."""
    for info in [*graph.input, *graph.output]:
        yield info.type.tensor_type.elem_type if info.type.HasField("tensor_type") else None


def left_out(case):
    """Why the package need not compute a case, None if it must."""
    graph = case.model.graph
    operators = {node.op_type for node in nodes_of(graph)}
    if not set(types_of(graph)) <= set(TYPES):
        return "a type that JAX does not compute with"
    if any(node.op_type == "Cast" and onnx.helper.get_node_attr_value(node, "to") not in TYPES for node in graph.node):
        return "a type that JAX does not compute with"
    if operators & UNKNOWN or any(node.domain.startswith("ai.onnx.ml") or given_graphs(node) for node in graph.node):
        return NOT_KNOWN
    if operators & RANDOM:
        return "random numbers"
    if "training" in case.name:
        return "training"
    if case.name in NOT_WHOLE:
        return "a length that is not whole"
    return None


@pytest.fixture(scope="module")
def cases():
    """The cases that must pass, by operator; the numbers of cases by the reason to leave them out; the unknown."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases overflow on purpose while they are made
        every = load_model_tests(kind="node")
    found, numbers, unknown = defaultdict(list), defaultdict(int), []
    for case in every:
        reason = left_out(case)
        numbers[reason] += 1
        if reason == NOT_KNOWN:
            unknown.append(case)
        if reason is None:
            nodes = case.model.graph.node
            found[nodes[0].op_type if len(nodes) == 1 else EXPANDED].append(case)
    return found, numbers, unknown


def array(value):
    return np.asarray(onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value)


def compare(case, given, expected):
    """Compare a compiled model with the published result."""
    function = read(case.model)
    names = [name for name, _, _ in function.inputs]
    given = dict(zip(names, map(array, given), strict=True))
    held = {name: value for name, value in given.items() if name in function.shaping}
    rest = {name: value for name, value in given.items() if name not in held}
    compiled = jax.jit(lambda params, rest: function(params, *[{**rest, **held}[name] for name in names]))
    for result, wanted in zip(compiled(function.params, rest), map(array, expected), strict=True):
        assert result.dtype == wanted.dtype
        assert result.shape == wanted.shape
        if wanted.dtype.kind in "biu":
            np.testing.assert_array_equal(result, wanted)
            continue
        # The tolerances are those of ONNX; 16 bits round each result by up to 2^-8 of it.
        rtol = case.rtol if wanted.dtype.itemsize > 2 else 2**-7
        atol = max(case.atol, 1e-6) if wanted.dtype.itemsize > 2 else 2**-8
        np.testing.assert_allclose(result.astype(np.float64), wanted.astype(np.float64), rtol, atol)


def check_cases(chosen):
    failed = {}
    for case in chosen:
        try:
            for given, expected in case.data_sets:
                compare(case, given, expected)
        except Exception as error:
            failed[case.name] = f"{type(error).__name__}: {error}"
    assert failed == {}


@pytest.mark.slow
@pytest.mark.parametrize("operator", [EXPANDED, *sorted(OPERATORS)])
def test_published_cases(operator, cases, x64):
    check_cases(cases[0][operator])


@pytest.mark.slow
def test_published_cases_of_operators_that_onnx_defines_by_others(cases, x64):
    others = sorted(set(cases[0]) - set(OPERATORS) - {EXPANDED})
    assert {"Attention", "AffineGrid", "HannWindow", "RotaryEmbedding"} <= set(others)
    for operator in others:
        check_cases(cases[0][operator])


@pytest.mark.slow
def test_only_unknown_operators_are_left_out(cases, x64):
    known = []
    for case in cases[2]:
        with contextlib.suppress(ValueError):
            compare(case, *case.data_sets[0])
            known.append(case.name)
    assert known == []


@pytest.mark.slow
def test_most_published_cases_must_pass(cases):
    found, numbers, _ = cases
    assert numbers[None] == sum(map(len, found.values()))
    assert numbers[None] > 0.75 * sum(numbers.values())


def model_of(text, **weights):
    """The model of a text in the syntax of `onnx.parser`, with weights as initializers."""
    model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 17]>\n' + text)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in weights.items())
    return model


def normal(*shape):
    return np.random.default_rng(sum(shape) + len(shape)).normal(size=shape).astype(np.float32)


CONVOLUTIONAL = """
network (float[N, 4, 24] x) => (float[N, 3] y) {
    padded = Conv <kernel_shape = [5], pads = [2, 2]> (x, w1, b1)
    normal = BatchNormalization <epsilon = 0.001> (padded, scale, offset, mean, variance)
    bent = Relu (normal)
    wide = Conv <kernel_shape = [3], dilations = [2], auto_pad = "SAME_UPPER"> (bent, w2)
    both = Add (bent, wide)
    pooled = MaxPool <kernel_shape = [3], strides = [2], ceil_mode = 1> (both)
    mean3 = AveragePool <kernel_shape = [3], pads = [1, 0]> (pooled)
    shape = Shape (mean3)
    zero = Constant <value_int = 0> ()
    batch = Gather (shape, zero)
    axes = Constant <value_ints = [0]> ()
    first = Unsqueeze (batch, axes)
    rest = Constant <value_ints = [-1]> ()
    wanted = Concat <axis = 0> (first, rest)
    flat = Reshape (mean3, wanted)
    y = Gemm <transB = 1> (flat, w3, b3)
}
"""
WEIGHTS = {
    "w1": normal(6, 4, 5), "b1": normal(6), "scale": normal(6), "offset": normal(6) + 1, "mean": normal(6),
    "variance": normal(6) ** 2 + 0.5, "w2": normal(6, 6, 3), "w3": normal(3, 66), "b3": normal(3),
}  # fmt: skip
ATTENTION = """
network (float[N, 12, 8] x) => (float[N, 5] y) {
    normal = LayerNormalization (x, scale, offset)
    queries = MatMul (normal, wq)
    keys = MatMul (normal, wk)
    turned = Transpose <perm = [0, 2, 1]> (keys)
    scores = MatMul (queries, turned)
    root = Constant <value_float = 2.8284271> ()
    scaled = Div (scores, root)
    weights = Softmax <axis = -1> (scaled)
    mixed = MatMul (weights, normal)
    summed = Add (x, mixed)
    axes = Constant <value_ints = [1]> ()
    mean = ReduceMean <axes = [1], keepdims = 0> (summed)
    first, second = Split <axis = 1> (mean)
    gated = Mul (first, second)
    sure = Erf (gated)
    y = MatMul (sure, head)
}
"""
ATTENTION_WEIGHTS = {
    "scale": normal(8), "offset": normal(8), "wq": normal(8, 8), "wk": normal(8, 8), "head": normal(4, 5),
}  # fmt: skip
RESIZED = """
network (float[N, 4, 10] x) => (float[N, 80] y) {
    longer = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (x, , scales)
    nearest = Resize <coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (x, , scales)
    sum = Add (longer, nearest)
    slopes = Abs (slope)
    bent = PRelu (sum, slopes)
    y = Flatten (bent)
}
"""
RESIZED_WEIGHTS = {"scales": np.array([1, 1, 2], np.float32), "slope": normal(4, 1)}
NETWORKS = {
    "convolutional": (CONVOLUTIONAL, WEIGHTS, (4, 24)),
    "attention": (ATTENTION, ATTENTION_WEIGHTS, (12, 8)),
    "resized": (RESIZED, RESIZED_WEIGHTS, (4, 10)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_give_the_results_of_the_reference(name):
    from onnx.reference import ReferenceEvaluator

    text, weights, shape = NETWORKS[name]
    model, x = model_of(text, **weights), normal(2, *shape)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    function = read(model)
    with jax.default_matmul_precision("highest"):
        (result,) = jax.jit(function)(function.params, x)
        mapped = jax.jit(jax.vmap(lambda x: function(function.params, x[None])[0][0]))(x)
    np.testing.assert_allclose(result, expected, 1e-4, 1e-5)
    np.testing.assert_allclose(mapped, expected, 1e-4, 1e-5)


def test_a_network_is_differentiated_by_its_input_and_its_weights(x64):
    function = read(model_of(CONVOLUTIONAL, **WEIGHTS))
    params = {name: jnp.asarray(value, jnp.float64) for name, value in function.params.items()}
    x = jnp.asarray(normal(1, 4, 24), jnp.float64)
    assert function(params, x)[0].dtype == jnp.float64
    check_grads(jax.jit(lambda params, x: function(params, x)[0]), (params, x), order=1, modes=["rev"])


def test_weights_are_the_floating_point_constants_that_decide_no_shape():
    assert set(read(model_of(CONVOLUTIONAL, **WEIGHTS)).params) == set(WEIGHTS)
    function = read(model_of(RESIZED, **RESIZED_WEIGHTS))
    assert set(function.params) == {"slope"}
    assert "scales" in function.shaping


def test_inputs_and_outputs_are_named_with_types_and_shapes():
    function = read(model_of(CONVOLUTIONAL, **WEIGHTS))
    assert function.inputs == (("x", np.dtype(np.float32), (None, 4, 24)),)
    assert function.outputs == ("y",)
    assert function.output_shapes == ((None, 3),)
    assert isinstance(function, OnnxFunction)
    assert len({function, function, read(model_of(CONVOLUTIONAL, **WEIGHTS))}) == 2


def test_a_model_is_read_from_a_file_and_from_its_contents(tmp_path):
    model = model_of(ATTENTION, **ATTENTION_WEIGHTS)
    contents = model.SerializeToString()
    onnx.save(model, tmp_path / "one.onnx")
    onnx.save(model, tmp_path / "two.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    x = normal(2, 12, 8)
    with pytest.raises(ValueError, match="lies in a file of its own; give the path of the model"):
        read(model)  # the function that saved it has taken its weights
    (expected,) = read(contents)(read(contents).params, x)
    for form in (onnx.load_model_from_string(contents), tmp_path / "one.onnx", str(tmp_path / "two.onnx")):
        function = read(form)
        np.testing.assert_array_equal(function(function.params, x)[0], expected)


def primitives(function, x):
    """The names of the operations that a model becomes, also of those in calls."""
    return set(re.findall(r"= (\w+)\b", str(jax.make_jaxpr(lambda x: function(function.params, x))(x))))


def test_shapes_are_computed_while_tracing_and_slices_are_no_gathers():
    convolutional, resized = read(model_of(CONVOLUTIONAL, **WEIGHTS)), read(model_of(RESIZED, **RESIZED_WEIGHTS))
    found = primitives(convolutional, normal(2, 4, 24))
    assert {"conv_general_dilated", "reduce_window_max", "reduce_window_sum", "dot_general"} <= found
    cut = read(
        model_of("g (float[2, 9] x) => (float[2, 3] y) { y = Gather <axis = 1> (x, at) }", at=np.array([7, 4, 1]))
    )
    np.testing.assert_array_equal(cut({}, normal(2, 9))[0], normal(2, 9)[:, [7, 4, 1]])
    assert "gather" not in primitives(cut, normal(2, 9))
    assert not {"gather", "dynamic_slice"} & (found | primitives(resized, normal(2, 4, 10)))


def test_every_operation_is_named_after_its_node():
    model = model_of("g (float[2] x) => (float[2] y) { y = Exp (x) }")
    model.graph.node[0].name = "/layers/first"
    function = read(model)
    jaxpr = jax.make_jaxpr(lambda x: function({}, x))(normal(2))
    assert [str(equation.source_info.name_stack) for equation in jaxpr.eqns] == ["layers/first"]


@pytest.mark.parametrize("name", ["convolutional", "resized"])
def test_incremental_evaluation_follows_a_network_at_every_site(name):
    text, weights, (letters, length) = NETWORKS[name]
    function = read(model_of(text, **weights))
    network = incremental(lambda params, x: function(params, x.T[None])[0][0], function.params, length=length)
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, letters, length), jnp.int32)
    sites = np.arange(length)
    new = (tokens + 1) % letters

    def proposed(tokens, site, letter):
        return network.propose(network.init(tokens)[1], Edit(site[None], letter[None, None]))[0]

    made = jax.jit(jax.vmap(proposed, (None, 0, 0)))(tokens, sites, new)
    edited = jnp.where(jnp.eye(length, dtype=bool), new[None], tokens[None])
    with jax.default_matmul_precision("highest"):
        (expected,) = function(function.params, jax.nn.one_hot(edited, letters).swapaxes(1, 2))
    np.testing.assert_allclose(made, expected, 1e-4, 1e-5)
    assert "no window goes on" not in str(network.explain())


@pytest.mark.parametrize(
    "places",
    [
        [0, 0, 1, 2], [8, 7, 6, 5, 5], [3], [3, 3, 3], [4, 1, 4, 1], [0, 2, 4, 6, 8, 8], [8, 0, 1, 2, 0],
        [-2, -1, 0, 1], [7, 8, 9, 10], np.arange(27) // 3, np.arange(18) // 2, np.minimum(np.arange(18) // 2 + 1, 8),
        np.random.default_rng(0).integers(0, 9, 40), np.random.default_rng(1).integers(0, 9, 11),
    ],
)  # fmt: skip
def test_known_places_are_read_as_they_are_asked_for(places):
    x = normal(2, 9, 3)
    np.testing.assert_array_equal(taken(jnp.asarray(x), 1, np.asarray(places)), x[:, np.clip(places, 0, 8)])


def test_a_network_is_a_representation():
    function = read(model_of(CONVOLUTIONAL, **WEIGHTS))
    network = jme.Representation(lambda params, x: function(params, x.T[None])[0][0], function.params)
    ensemble = jme.Ensemble.create(network, "ACGT" * 6, beta=1.0)
    # The features at the anchor were computed by another program, whose roundings differ.
    assert ensemble.energy(ensemble.anchor) < 1e-4 < ensemble.energy(jnp.zeros(24, jnp.int32))


FIXED = """
g (float[1, 2, 3] x) => (float[1, 6] y) {
    one = Constant <value_ints = [1, -1]> ()
    y = Reshape (x, one)
}
"""


def test_a_batch_of_another_size_runs_where_the_graph_permits_it():
    function = read(model_of("g (float[1, 2, 3] x) => (float[1, 6] y) { y = Flatten (x) }"))
    assert function({}, normal(5, 2, 3))[0].shape == (5, 6)
    with pytest.raises(ValueError, match=r"is for a batch of 1, and the output 'y' of a batch of 5 has .*\(1, 30\)"):
        read(model_of(FIXED))({}, normal(5, 2, 3))
    assert jax.vmap(lambda x: read(model_of(FIXED))({}, x[None])[0][0])(normal(5, 2, 3)).shape == (5, 6)
    strict = FIXED.replace("-1", "6")
    with pytest.raises(ValueError, match=r"the ONNX node 'Reshape:y' .* does not become \(1, 6\); if the model"):
        read(model_of(strict))({}, normal(5, 2, 3))


def test_functions_of_the_model_are_computed_with_the_attributes_of_the_node():
    model = onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["": 18, "own": 1]>
        g (float[2, 3] x) => (float[2, 3] y) { y = own.leak <slope = 0.5> (x) }
        <domain: "own", opset_import: ["": 18]>
        leak <slope> (a) => (b) { b = LeakyRelu <alpha: float = @slope> (a) }
    """)
    x = normal(2, 3)
    np.testing.assert_array_equal(read(model)({}, x)[0], np.where(x > 0, x, 0.5 * x))


def test_choices_and_loops_run_if_their_course_is_known():
    text = """
    g (float[N, 3] x) => (float[N, 3] y) {
        shape = Shape (x)
        zero = Constant <value_int = 0> ()
        batch = Gather (shape, zero)
        many = Greater (batch, zero)
        chosen = If (many) <
            then_branch = yes () => (float[N, 3] a) { a = Exp (x) },
            else_branch = no () => (float[N, 3] b) { b = Neg (x) }
        >
        three = Constant <value_int = 3> ()
        true = Constant <value: tensor = bool[1] {1}> ()
        y = Loop (three, true, chosen) <
            body = step (int64 i, bool go, float[N, 3] s) => (bool going, float[N, 3] t) {
                going = Identity (go)
                t = Add (s, x)
            }
        >
    }
    """
    x = normal(2, 3)
    np.testing.assert_allclose(jax.jit(read(model_of(text)))({}, x)[0], np.exp(x) + 3 * x, 1e-5)
    unknown = (
        "g (bool c, float[3] x) => (float[3] y) { y = If (c) <then_branch = a () => (float[3] p) { p = Exp (x) }, "
    )
    unknown += "else_branch = b () => (float[3] q) { q = Neg (x) }> }"
    function = read(model_of(unknown))
    np.testing.assert_array_equal(function({}, np.asarray(False), x[0])[0], -x[0])
    with pytest.raises(ValueError, match="'cond' decides a shape or a choice, and must not depend on the data"):
        jax.jit(function)({}, np.asarray(False), x[0])


def test_pieces_in_a_list_are_joined_again():
    text = """
    g (float[N, 6] x) => (float[N, 6] y) {
        two = Constant <value_int = 2> ()
        parts = SplitToSequence <axis = 1> (x, two)
        last = Constant <value_int = -1> ()
        moved = SequenceAt (parts, last)
        rest = SequenceErase (parts, last)
        zero = Constant <value_int = 0> ()
        turned = SequenceInsert (rest, moved, zero)
        y = ConcatFromSequence <axis = 1> (turned)
    }
    """
    x = normal(2, 6)
    np.testing.assert_array_equal(jax.jit(read(model_of(text)))({}, x)[0], np.roll(x, 2, 1))


def test_a_known_input_decides_a_shape():
    function = read(model_of("g (float[6] x, int64[2] shape) => (float[a, b] y) { y = Reshape (x, shape) }"))
    x = normal(6)
    np.testing.assert_array_equal(function({}, x, np.array([2, 3]))[0], x.reshape(2, 3))
    with pytest.raises(ValueError, match="the input 'shape' decides a shape"):
        function({}, x, jnp.array([2, 3]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "model must be a file, its contents or an onnx.ModelProto, got 3"),
        (b"no model", "model must be an ONNX model, got b'no model'"),
        (b"", "model must be an ONNX model with a graph, got b''"),
        ("not/there.onnx", "model must be an ONNX model, got 'not/there.onnx': .*No such file"),
        (
            "g (float[2] x) => (float[2] y) { y = Det (x) }",
            r"the ONNX node 'Det:y' \(Det, opset 17\) has an operator that cannot be computed in JAX; export the model",
        ),
        ("g (float[2] x) => (seq(float[2]) y) { y = SequenceConstruct (x) }", "the output .y. .* must be an array"),
        ("g (string[2] x) => (string[2] y) { y = Identity (x) }", "the input 'x' .* must be an array of numbers"),
    ],
)
def test_what_is_not_read_is_said_in_a_sentence(given, message):
    model = model_of(given) if isinstance(given, str) and "{" in given else given
    with pytest.raises(ValueError, match=message):
        read(model)


def test_the_extra_is_named_if_onnx_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"an ONNX model needs onnx: pip install 'jaxmaxent\[onnx\]'"):
        read("model.onnx")


def test_bad_inputs_are_said_in_a_sentence():
    function = read(model_of(CONVOLUTIONAL, **WEIGHTS))
    with pytest.raises(ValueError, match="params must have the weights of the ONNX model, but 'w1' is missing"):
        function({}, normal(2, 4, 24))
    with pytest.raises(ValueError, match=r"inputs must be 1 arrays \(x\), got 2"):
        function(function.params, normal(2, 4, 24), normal(3))
    with pytest.raises(ValueError, match=r"the input 'x' must have 3 axes, got the shape \(4, 24\)"):
        function(function.params, normal(4, 24))
    with pytest.raises(ValueError, match="the input 'x' must be an array, got 'x'"):
        function(function.params, "x")
    with pytest.raises(ValueError, match=r"the ONNX node 'Conv:padded' \(Conv, opset 17\) cannot be computed: "):
        function(function.params, normal(2, 5, 24))


def test_training_and_random_numbers_are_refused():
    text = "g (float[2, 3] x) => (float[2, 3] y) { y, m, v = BatchNormalization <training_mode = 1> (x, a, b, c, d) }"
    function = read(model_of(text, **{name: normal(3) ** 2 for name in "abcd"}))
    with pytest.raises(ValueError, match=r"it is in training mode; export the network for inference"):
        function(function.params, normal(2, 3))
    with pytest.raises(ValueError, match="it draws random numbers; export the network for inference"):
        read(model_of("g (float[2] x) => (float[2] y) { y = RandomNormalLike (x) }"))({}, normal(2))


def test_integers_too_large_for_32_bits_keep_their_meaning():
    far = np.array([2**63 - 1], np.int64)
    function = read(model_of("g (int64[3] x) => (int64[3] y) { y = Min (x, far) }", far=far))
    np.testing.assert_array_equal(function({}, np.array([1, -5, 7]))[0], [1, -5, 7])
