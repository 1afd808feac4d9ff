"""Ways of evaluation that are remembered in a file across processes."""

import json

import jax
import jax.numpy as jnp
import pytest

import jaxmaxent as jme
from jaxmaxent.kernels import Site
from jaxmaxent.sampling import Options
from jaxmaxent.sampling.program import _evaluation as evaluation
from jaxmaxent.sampling.program import _flops as flops
from jaxmaxent.sampling.program import _remembered as remembered


def ensemble_of(beta=1.0, filters=2, scale=1.0):
    """Return an ensemble with a network that is a new function each time, as in another process."""

    @jax.custom_jvp
    def bent(x):
        return jnp.tanh(x)

    bent.defjvp(lambda primals, tangents: (bent(*primals), tangents[0]))

    def features(params, one_hot):
        return bent(one_hot.reshape(-1) @ params)

    weights = scale * jnp.ones((32, filters))
    return jme.Ensemble.create(jme.Representation(features, weights), "ACGTACGT", beta=beta).batched()


@pytest.fixture
def place(tmp_path, monkeypatch):
    place = tmp_path / "folder" / "evaluations.json"
    monkeypatch.setenv(remembered.VARIABLE, str(place))
    monkeypatch.setattr(flops, "SMALL", 0)
    for name, value in (("_PLAIN", 0), ("_WORTH", 2.0)):
        monkeypatch.setattr(evaluation, name, value)
    return place


@pytest.fixture
def call(monkeypatch):
    """Choose as a new process would; return the choice, and the ways that were timed."""

    def once(ensemble, faster="incremental", chains=4):
        timed = []
        monkeypatch.setattr(evaluation, "_FOUND", {})
        monkeypatch.setattr(evaluation, "seconds_per_step", lambda way, *_: timed.append(way) or 1.0 + (way != faster))
        options = Options.of(ensemble, ladder=3, chains=chains, target_replicas=1, steps=100)
        return evaluation.chosen("auto", ensemble, Site(), options), len(timed)

    return once


def test_a_choice_holds_for_the_next_process_with_the_same_network_and_shapes(place, call):
    assert call(ensemble_of()) == ("incremental", 2)
    assert call(ensemble_of(beta=3.0, scale=2.0), faster="full") == ("incremental", 0)  # only shapes count
    assert call(ensemble_of(filters=3), faster="full") == ("full", 2)
    assert call(ensemble_of(), faster="full", chains=5) == ("full", 2)
    held = json.loads(place.read_text())["choices"]
    assert sorted(held.values()) == ["full", "full", "incremental"]
    assert all(key.startswith("cpu, jax ") and key.endswith(" sequences of 8 letters") for key in held)
    assert [file.name for file in place.parent.iterdir()] == [place.name]


def test_another_device_or_version_of_jax_is_timed_anew(place, call, monkeypatch):
    call(ensemble_of())
    monkeypatch.setattr(jax, "__version__", "0.99")
    assert call(ensemble_of(), faster="full") == ("full", 2)
    assert len(json.loads(place.read_text())["choices"]) == 2


def test_a_word_that_is_no_way_is_timed_anew(place, call):
    call(ensemble_of())
    place.write_text(place.read_text().replace('"incremental"', '"slowly"'))
    assert call(ensemble_of()) == ("incremental", 2)
    assert "slowly" not in place.read_text()


@pytest.mark.parametrize("held", [b"", b'{"jaxmaxent": "evalu', b"[1, 2]", b'{"mine": 1}', b"\xff\xfe\x00"])
def test_a_damaged_file_or_somebody_elses_is_named_and_left_alone(held, place, call):
    place.parent.mkdir()
    place.write_bytes(held)
    with pytest.raises(ValueError, match=r"JAXMAXENT_EVALUATIONS must name a file that jaxmaxent wrote, .* delete it"):
        call(ensemble_of())
    assert place.read_bytes() == held


def test_a_file_that_cannot_be_written_is_a_warning(place, call):
    place.parent.write_text("a file, not a folder")
    with pytest.raises(ValueError, match="JAXMAXENT_EVALUATIONS must name a file that can be read, got .*: Not a dir"):
        call(ensemble_of())
    place.parent.unlink()
    place.parent.mkdir()
    (place.parent / f"{place.name}.partial").mkdir()  # in the way of the new file, whoever runs the test
    with pytest.warns(UserWarning, match=r"JAXMAXENT_EVALUATIONS names .*, which cannot be written: Is a directory"):
        assert call(ensemble_of()) == ("incremental", 2)


def test_without_the_variable_no_file_is_written(place, call, monkeypatch):
    monkeypatch.delenv(remembered.VARIABLE)
    assert call(ensemble_of()) == ("incremental", 2)
    assert not place.parent.exists()
