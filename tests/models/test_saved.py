import json
import subprocess
import sys
import time
import tracemalloc

import chex
import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from jaxmaxent.ensembles import RNA
from jaxmaxent.models import (
    ConvArchitecture,
    MLPArchitecture,
    load,
    parameters,
    predict,
    read_metadata,
    save,
    write,
)

ARCHITECTURE = ConvArchitecture(length=8, filters=3, kernel_width=4, hidden=(6, 5), units=3, alphabet=RNA)
TOKENS = np.random.default_rng(0).integers(0, 4, (7, 8), dtype=np.uint8)


@pytest.fixture
def network():
    return ARCHITECTURE.build(nnx.Rngs(0))


@pytest.fixture
def folder(network, tmp_path):
    save(network, tmp_path / "model", metadata={"seed": 3})
    return tmp_path / "model"


def rewrite(folder, **changes):
    file = folder / "architecture.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_what_comes_back_is_what_was_saved(network, folder):
    loaded = load(folder)
    assert loaded.architecture == ARCHITECTURE
    chex.assert_trees_all_equal(parameters(loaded), parameters(network))
    np.testing.assert_array_equal(predict(loaded, TOKENS), predict(network, TOKENS))
    assert loaded.dropout.deterministic
    assert read_metadata(folder) == {"seed": 3}


def test_files_are_plain(folder):
    description = json.loads((folder / "architecture.json").read_text())
    assert (description["format"], description["format_version"]) == ("jaxmaxent-model", 2)
    assert description["architecture"]["alphabet"]["letters"] == "ACGU"
    assert {"jax", "flax"} <= set(description["versions"])
    shapes = {name: tensor.shape for name, tensor in load_file(folder / "weights.safetensors").items()}
    assert shapes["conv/kernel"] == (4, 4, 3)
    assert shapes["dense/1/kernel"] == (6, 5)
    assert set(shapes) == {
        f"{layer}/{leaf}" for layer in ("conv", "dense/0", "dense/1", "head") for leaf in ("kernel", "bias")
    }


def test_weights_are_as_readable_as_any_file(folder):
    modes = {file.name: file.stat().st_mode for file in folder.iterdir()}
    assert modes["weights.safetensors"] == modes["architecture.json"]


def test_another_process_loads_it(network, folder):
    program = (
        "import sys, numpy as np; from jaxmaxent.models import load, predict;"
        "print(repr(predict(load(sys.argv[1]), np.array(eval(sys.argv[2]), np.uint8)).tolist()))"
    )
    command = [sys.executable, "-c", program, str(folder), repr(TOKENS.tolist())]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    np.testing.assert_array_equal(np.array(json.loads(printed)), predict(network, TOKENS))


def test_more_than_ten_layers_keep_their_order(tmp_path):
    architecture = MLPArchitecture(hidden=(4,) * 12)
    network = architecture.build(nnx.Rngs(0))
    save(network, tmp_path / "deep")
    chex.assert_trees_all_equal(parameters(load(tmp_path / "deep")), parameters(network))


def test_an_existing_folder_stays(network, folder):
    other = MLPArchitecture().build(nnx.Rngs(0))
    with pytest.raises(ValueError, match="exists already"):
        save(other, folder)
    chex.assert_trees_all_equal(parameters(load(folder)), parameters(network))
    save(other, folder, force=True)
    assert load(folder).architecture == MLPArchitecture()


def test_a_foreign_folder_is_never_replaced(network, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("words")
    with pytest.raises(ValueError, match="was not written by jaxmaxent"):
        save(network, tmp_path / "thesis", force=True)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "words"


def test_write_leaves_other_files_alone(network, tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    write(network, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "architecture.json",
        "metrics.json",
        "weights.safetensors",
    ]
    assert load(tmp_path).architecture == ARCHITECTURE
    assert read_metadata(tmp_path) == {}


@pytest.mark.parametrize("metadata", [{"when": object()}, {"loss": float("nan")}])
def test_metadata_that_is_no_json(network, tmp_path, metadata):
    with pytest.raises(ValueError, match="metadata must be what JSON can hold"):
        save(network, tmp_path / "model", metadata=metadata)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_not_saved(network, tmp_path):
    network.head.bias.set_value(network.head.bias.get_value().at[1].set(np.nan))
    with pytest.raises(ValueError, match=r"network's weights must be finite.*head.*bias.* 1 NaN"):
        save(network, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_missing_path(tmp_path):
    with pytest.raises(ValueError, match="nowhere does not exist"):
        load(tmp_path / "nowhere")


def test_foreign_folder(tmp_path):
    with pytest.raises(ValueError, match=r"holds no architecture\.json, so it is not a folder with"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"not json", b"", b"\xff\xfe{}"])
def test_description_that_is_no_json(folder, content):
    (folder / "architecture.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"architecture\.json cannot be read as JSON"):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "something"}, "must have the format 'jaxmaxent-model', got 'something'"),
        ({"format": None}, "must have the format 'jaxmaxent-model', got None"),
        ({"format_version": 3}, "has format_version 3, but this version of jaxmaxent reads up to 2"),
        ({"format_version": 10**4000}, r"has format_version 2\^13287 or more, but"),
        ({"format_version": "1"}, "format_version that is a whole number from 1, got '1'"),
        ({"architecture": {"name": "rnn"}}, "is not valid: the architecture's name must be one of"),
        ({"architecture": None}, "is not valid: an architecture must be an object"),
    ],
)
def test_wrong_description(folder, changes, message):
    rewrite(folder, **changes)
    with pytest.raises(ValueError, match=message):
        load(folder)


def measured(function, *arguments):
    """The ValueError of a call, its seconds, and the largest memory that Python took meanwhile."""
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(ValueError) as raised:
        function(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return str(raised.value), time.perf_counter() - began, peak


HUGE = {
    "many layers": {"hidden": [16] * 2000},
    "many thin layers": {"hidden": [1] * 1_000_000},
    "long": {"length": 10**12},
    "many filters": {"filters": 10**9},
    "wide filters": {"length": 10**10, "kernel_width": 10**9},
    "wide layer": {"hidden": [10**15]},
    "many units": {"units": 10**11},
    "without layers": {"hidden": [], "length": 10**12},
    "a number of 4,000 digits": {"hidden": [10**4000]},
}


@pytest.mark.parametrize("case", HUGE)
def test_an_architecture_is_not_trusted_for_its_size(folder, case):
    described = json.loads((folder / "architecture.json").read_text())
    rewrite(folder, architecture=described["architecture"] | HUGE[case])
    message, seconds, peak = measured(load, folder)
    assert str(folder) in message
    assert len(message) < 500
    assert seconds < 5
    assert peak < 200 * 2**20


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, " " * (11 * 2**20) + "{}", '{"format": "' + "x" * 2**20 + '"}'],
    ids=["lists", "objects", "too large", "long word"],
)
def test_a_description_that_would_take_long_is_refused(folder, text):
    (folder / "architecture.json").write_text(text)
    message, seconds, _ = measured(load, folder)
    assert "architecture.json" in message
    assert len(message) < 500
    assert seconds < 5


@pytest.mark.parametrize("architecture", [ARCHITECTURE, MLPArchitecture(hidden=(3, 4)), MLPArchitecture(hidden=())])
def test_weights_are_counted_without_building(architecture):
    leaves = jax.tree.leaves(parameters(architecture.build(nnx.Rngs(0))))
    assert architecture.weights == sum(leaf.size for leaf in leaves)


def test_a_changed_bit_of_the_weights_is_noticed(folder):
    """Also one that leaves a number which is as good as any other."""
    file = folder / "weights.safetensors"
    whole = file.read_bytes()
    for place in (*range(0, len(whole), 37), len(whole) - 4):
        broken = bytearray(whole)
        broken[place] ^= 1
        file.write_bytes(broken)
        with pytest.raises(ValueError, match=r"weights\.safetensors"):
            load(folder)
    file.write_bytes(whole)
    load(folder)


@pytest.mark.parametrize("checksum", [None, 3, "", "0" * 64, []])
def test_a_checksum_that_is_missing_or_another_is_noticed(folder, checksum):
    rewrite(folder, weights_sha256=checksum)
    with pytest.raises(ValueError, match="does not have its checksum in architecture.json"):
        load(folder)


def test_networks_saved_before_there_was_a_checksum_are_read(network, folder):
    described = json.loads((folder / "architecture.json").read_text()) | {"format_version": 1}
    del described["weights_sha256"]
    (folder / "architecture.json").write_text(json.dumps(described))
    chex.assert_trees_all_equal(parameters(load(folder)), parameters(network))


def test_description_that_is_a_list(folder):
    (folder / "architecture.json").write_text("[1]")
    with pytest.raises(ValueError, match="must have the format 'jaxmaxent-model', got None"):
        load(folder)


def test_missing_weights(folder):
    (folder / "weights.safetensors").unlink()
    with pytest.raises(ValueError, match=r"weights\.safetensors does not exist"):
        load(folder)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_weights(folder, kept):
    file = folder / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"weights\.safetensors is damaged"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("head/bias"), "must hold the tensor 'head/bias'"),
        (lambda t: t.update(extra=np.ones(2, np.float32)), "holds the tensor 'extra'"),
        (
            lambda t: t.update({"conv/kernel": t["conv/kernel"][:-1].copy()}),
            r"must hold 'conv/kernel' of shape \[4, 4, 3\], got \[3, 4, 3\]",
        ),
        (
            lambda t: t.update({"head/bias": np.zeros(3, np.int32)}),
            "must hold 'head/bias' as floating-point numbers, got int32",
        ),
        (
            lambda t: t["dense/0/kernel"].__setitem__((0, 0), np.nan),
            "must be finite, but .*dense/0/kernel.* has 1 NaN",
        ),
    ],
)
def test_wrong_tensors(folder, change, message):
    file = folder / "weights.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    with pytest.raises(ValueError, match=message):
        load(folder)
