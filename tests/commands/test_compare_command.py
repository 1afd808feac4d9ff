"""`jaxmaxent compare`: the scores are those of `jaxmaxent.attribution`, the correlations those of their ranks."""

import dataclasses
import json

import numpy as np
import pytest
from made_up_runs import made_up

import jaxmaxent as jme
from jaxmaxent import attribution
from jaxmaxent.cli import main

PROGRAM = """
import jax.numpy as jnp
import numpy as np
from jaxmaxent import DNA, Representation

weights = jnp.asarray(np.random.default_rng(0).normal(size=(48, 3)), jnp.float32)
head = jnp.asarray(np.random.default_rng(1).normal(size=(3, 2)), jnp.float32)
network = Representation(lambda params, x: jnp.tanh(x.reshape(-1) @ params), weights, head=head, alphabet=DNA)
"""
LENGTH = 12


def call(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    (folder / "net.py").write_text(PROGRAM)
    rng = np.random.default_rng(2)
    run = made_up(anchor=2, position=LENGTH, fields=())
    run = dataclasses.replace(
        run,
        names=("a", "b"),
        anchors=rng.integers(0, 4, (2, LENGTH)).astype(np.uint8),
        frequencies=rng.dirichlet(np.ones(4), run.frequencies.shape[:3]),
        frequency_errors=np.full(run.frequency_errors.shape, 0.01),
    )
    run.save(folder / "run.npz")
    (folder / "summary.json").write_text(json.dumps({"settings": {"unit": 1}}))
    return folder


def test_scores_stand_beside_the_information(given, tmp_path, capsys):
    out = tmp_path / "out"
    assert call("compare", f"{given}/net.py:network", given, "--out", out, "--pictures", 1) == 0
    said = capsys.readouterr().out
    assert "DeepLIFT: rank correlation with the information of " in said
    run = jme.Run.load(given / "run.npz")
    scope = {}
    exec(PROGRAM, scope)
    scores = attribution.every_view(scope["network"], run.anchors.astype(np.int32), unit=1)
    header, *rows = (line.split("\t") for line in (out / "positions.tsv").read_text().splitlines())
    assert header == ["anchor", "position", "letter", "information", "information_error", *scores]
    assert [row[0] for row in rows] == ["a"] * LENGTH + ["b"] * LENGTH
    table = np.array([[float(cell) for cell in row[3:]] for row in rows]).reshape(2, LENGTH, -1)
    for column, values in enumerate(scores.values()):
        np.testing.assert_allclose(table[:, :, 2 + column], values, rtol=2e-5, atol=1e-6)
    about = json.loads((out / "compare.json").read_text())
    ranks = np.argsort(np.argsort(table[0], axis=0), axis=0)
    absolute = np.argsort(np.argsort(abs(scores["DeepLIFT"][0])))
    expected = np.corrcoef(ranks[:, 0], absolute)[0, 1]
    assert about["anchors"][0]["correlations"]["DeepLIFT"] == pytest.approx(expected, abs=1e-6)
    assert about["unit"] == 1
    assert [path.name for path in (out / "pictures").iterdir()] == ["0000_a.png"]


def test_a_run_of_other_letters_is_refused(given, tmp_path, capsys):
    run = dataclasses.replace(jme.Run.load(given / "run.npz"), letters="ACGU")
    run.save(tmp_path / "run.npz")
    assert call("compare", f"{given}/net.py:network", tmp_path / "run.npz", "--out", tmp_path / "out") == 2
    assert ": run must have the letters of the network, 'ACGT', got 'ACGU'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
