"""`jaxmaxent grammar` on saved draws, all of which have a motif that the background does not have."""

import dataclasses
import json

import numpy as np
import pytest
from flax import nnx
from made_up_runs import made_up

import jaxmaxent as jme
from jaxmaxent import data, models
from jaxmaxent.cli import main

LENGTH, SITE = 20, "GATTACA"


def call(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a network, two sequences, motifs, and a run of them."""
    folder, rng = tmp_path_factory.mktemp("grammar"), np.random.default_rng(0)
    models.save(models.MLPArchitecture(length=LENGTH, hidden=(4,)).build(nnx.Rngs(0)), folder / "model")
    anchors = rng.integers(0, 4, (2, LENGTH)).astype(np.uint8)
    (folder / "s.fa").write_text("".join(f">s{k}\n{s}\n" for k, s in enumerate(jme.DNA.decode(anchors))))
    words = (SITE, "CCGTCCA")
    known = [data.Motif(w, f"M{k}", 0.97 * np.eye(4)[jme.DNA.encode(w)] + 0.0075) for k, w in enumerate(words)]
    data.write_meme(folder / "known.meme", known)
    draws = rng.integers(0, 4, (2, 2, 60, 4, LENGTH)).astype(np.uint8)
    for where in np.ndindex(2, 60, 4):
        start = rng.integers(0, LENGTH - len(SITE) + 1)
        draws[where[0], 1, where[1], where[2], start : start + len(SITE)] = jme.DNA.encode(SITE)
    run = dataclasses.replace(
        made_up(fields=(), anchor=2, rung=2, position=LENGTH, chain=4, draw=60),
        names=("s0", "s1"),
        draws=draws,
        anchors=anchors,
        beta=np.array([[0.0, 5.0]] * 2),
        frequencies=np.full((2, 2, LENGTH, 4), 0.25),
        converged=np.array([True, False]),
    )
    run.save(folder / "run.npz")
    return folder


def test_the_sentence_of_each_sequence_is_written_and_drawn(folder, tmp_path, capsys):
    given = [folder / "model", folder / "s.fa", "--motifs", folder / "known.meme", "--run", folder / "run.npz"]
    assert call("grammar", *given, "--beta", 5, "--out", tmp_path / "out") == 3  # one sequence has not converged
    said = capsys.readouterr().out
    assert f"s0: needs {SITE}" in said and f"needs {SITE}: 2 of 2 sequences, 1.00 ± " in said
    told = json.loads((tmp_path / "out" / "grammar.json").read_text())
    assert [entry["name"] for entry in told["sequences"]] == ["s0", "s1"]
    first = told["sequences"][0]
    assert first["chains"] == 4 and first["motifs"][0]["present"] == 1
    assert {(row["kind"], *row["motifs"]) for row in first["tested"] if row["held"]} >= {("needs", SITE)}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {".jaxmaxent.json", "grammar.json", "0000_s0.png", "0001_s1.png"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--motifs", "{folder}/gone.meme"], "gone.meme"),
        (["--motifs", "{folder}/known.meme", "--level", "0.2"], "level must be a finite number above 0.5 and below 1"),
        (["--motifs", "{folder}/known.meme", "--chains", "1"], "--chains must be a whole number of at least 2, got 1"),
    ],
)
def test_bad_input_is_one_sentence(folder, tmp_path, capsys, arguments, words):
    filled = [a.format(folder=folder) for a in arguments]
    given = [folder / "model", folder / "s.fa", *filled, "--run", folder / "run.npz", "--out", tmp_path / "out"]
    assert call("grammar", *given) == 2
    said = capsys.readouterr()
    assert said.err.startswith("jaxmaxent: ") and said.err.count("\n") == 1 and words in said.err
    assert not (tmp_path / "out").exists()
