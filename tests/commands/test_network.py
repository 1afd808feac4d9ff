"""Networks of other frameworks on the command line: files, programs, and what keeps a job able to find them again."""

import importlib
import json
import signal

import jax
import numpy as np
import pytest

from jaxmaxent.cli import main
from jaxmaxent.results import Run

LENGTH = 8
SEQUENCES = ["ACGTACGT", "TTGTACGA", "GGGTACCC"]
TINY = [
    "--chains",
    "2",
    "--rungs",
    "2",
    "--anchor-chains",
    "0",
    "--steps",
    "80",
    "--burn-in",
    "0",
    "--pictures",
    "0",
    "--quiet",
]
PROGRAM = """
import jax.numpy as jnp
import numpy as np
from jaxmaxent import Representation, models
from beside import SIZE

weights = np.random.default_rng(3).normal(size=(32, SIZE)).astype(np.float32)

def apply(params, x):
    return jnp.tanh(x.reshape(x.shape[0], -1) @ params) @ jnp.eye(SIZE, 2)

def network():
    return models.from_function(apply, 8, params=weights, layout="NLC")

plain = Representation(lambda params, one_hot: one_hot.reshape(-1) @ params, weights)
number = 3

def broken():
    raise KeyError("nothing here")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a program, what it imports, and sequences."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "beside.py").write_text("SIZE = 3\n")
    (tmp_path / "s.fa").write_text("".join(f">s{i}\n{s}\n" for i, s in enumerate(SEQUENCES)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def interpret(network, *more, out="run", quiet=True):
    tiny = [option for option in TINY if quiet or option != "--quiet"]
    return main(["interpret", network, "s.fa", "--beta", "3", *tiny, "--out", out, *more])


def refused(capsys, network, *more):
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(interpret(network, *more))
    said = capsys.readouterr()
    assert stopped.value.code == 2 and "Traceback" not in said.err
    return said.err.strip().splitlines()[-1]


@pytest.mark.slow
def test_a_program_is_run_and_says_so(place, capsys):
    settings = [option for option in TINY if option != "--quiet"]
    given = ["program.py:network", "s.fa", "--beta", "3", "--unit", "1,0", "--out", "run"]
    assert main(["interpret", *given, *settings]) in (0, 3)
    assert "running program.py" in capsys.readouterr().out
    run = Run.load("run/run.npz")
    assert run.names == ("s0", "s1", "s2")


@pytest.mark.slow
def test_called_takes_the_class_that_the_outputs_name(place, capsys):
    assert interpret("program.py:network", "--called", "1") in (0, 3)
    one_hot = np.eye(4)[[["ACGT".index(letter) for letter in s] for s in SEQUENCES]].reshape(3, -1)
    weights = np.random.default_rng(3).normal(size=(32, 3)).astype(np.float32)
    called = [i for i, row in enumerate(np.tanh(one_hot @ weights)[:, :2]) if row.argmax() == 1]
    assert 0 < len(called) < 3
    assert Run.load("run/run.npz").names == tuple(f"s{i}" for i in called)
    assert "outputs are known" in refused(capsys, "program.py:plain", "--called", "1", "--force")


@pytest.mark.parametrize(("network", "more", "message"), [
    ("program.py:number", [], "number in program.py must be a Representation or a function that returns one, got 3"),
    ("program.py:nothing", [], "nothing in program.py must be a Representation"),
    ("program.py:broken", [], "program.py failed with KeyError"),
    ("nothing.py:network", [], "there is no file nothing.py"),
    ("nothing.onnx", [], "there is no file nothing.onnx"),
    ("program.py:network", ["--layer", "2"], "--layer must be left out for program.py:network"),
])  # fmt: skip
def test_what_cannot_be_found_is_one_sentence(place, capsys, network, more, message):
    assert message in refused(capsys, network, *more)
    assert not (place / "run").exists() and not (place / "run.checkpoint").exists()


@pytest.mark.slow
def test_a_job_finds_its_program_again_and_refuses_another(place, capsys, monkeypatch):
    progress = importlib.import_module("jaxmaxent.sampling.host._progress").Progress
    advance = progress.advance

    def advanced(self, *arguments, **numbers):
        advance(self, *arguments, **numbers)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(progress, "advance", advanced)
        assert interpret("program.py:network", "--unit", "0") == 130
    monkeypatch.chdir(place.parent)
    saved = json.loads((place / "run.checkpoint/settings.json").read_text())["network"]
    assert saved["place"] == f"{place}/program.py:network" and len(saved["checksum"]) == 64
    (place / "program.py").write_text(PROGRAM + "\n")
    assert main(["resume", str(place / "run"), "--quiet"]) == 2
    assert "program.py has changed since the job began" in capsys.readouterr().err
    (place / "program.py").write_text(PROGRAM)
    assert main(["resume", str(place / "run"), "--quiet"]) in (0, 3)
    monkeypatch.chdir(place)
    assert interpret("program.py:network", "--unit", "0", out="whole") in (0, 3)
    np.testing.assert_array_equal(Run.load("run/run.npz").frequencies, Run.load("whole/run.npz").frequencies)


@pytest.mark.slow
def test_an_onnx_file_is_interpreted_by_its_layers(place, capsys):
    onnx = pytest.importorskip("onnx")
    make, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = {
        "a": np.random.default_rng(0).normal(size=(32, 5)).astype(np.float32),
        "b": np.eye(5, 2, dtype=np.float32),
    }
    nodes = [
        make.make_node("Flatten", ["x"], ["f"], "flat"), make.make_node("MatMul", ["f", "a"], ["h"], "hidden"),
        make.make_node("Tanh", ["h"], ["t"], "bend"), make.make_node("MatMul", ["t", "b"], ["y"], "classes"),
    ]  # fmt: skip
    ports = [make.make_tensor_value_info(n, kind, s) for n, s in (("x", ["N", LENGTH, 4]), ("y", ["N", 2]))]
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = make.make_graph(nodes, "g", ports[:1], ports[1:], constants)
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9), place / "network.onnx")
    assert interpret("network.onnx", "--layout", "NLC", "--unit", "1,0", quiet=False) in (0, 3)
    assert (
        "network.onnx: the ONNX model, layout NLC, 5 features after bend, linear to 2 units" in capsys.readouterr().out
    )
    assert interpret("network.onnx", "--layout", "NLC", "--layer", "hidden", out="hidden", quiet=False) in (0, 3)
    assert "5 features after hidden, no head" in capsys.readouterr().out
    assert "layer must be the name or number of a layer, got 'lost'" in refused(
        capsys, "network.onnx", "--layout", "NLC", "--layer", "lost", "--force"
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_keras_file_is_interpreted(place, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    layers = keras.layers
    hidden = [layers.Conv1D(5, 3, activation="relu"), layers.BatchNormalization(), layers.Flatten()]
    model = keras.Sequential([layers.Input((LENGTH, 4)), *hidden, layers.Dense(2, activation="softmax")])
    model.save(place / "network.keras")
    with jax.numpy_rank_promotion("allow"):
        assert interpret("network.keras", "--unit", "1,0") in (0, 3)
    assert "network.keras: Keras, layout NLC, 30 features after flatten, linear to 2 units" in capsys.readouterr().out
    model.add(layers.Lambda(lambda x: x))
    model.save(place / "code.keras")
    assert "safe mode" in refused(capsys, "code.keras", "--force")
