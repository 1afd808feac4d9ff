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
from jaxmaxent.commands import _grammar as grammar_command
from jaxmaxent.commands import _interpret as interpret
from jaxmaxent.commands._job import Job
from jaxmaxent.commands._job_settings import JobSettings

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
    dataclasses.replace(run, draws=None).save(folder / "bare.npz")
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


def test_without_motifs_those_of_the_draws_are_found_named_written_and_drawn(folder, tmp_path, capsys):
    given = [folder / "model", folder / "s.fa", "--run", folder / "run.npz", "--beta", 5, "--out", tmp_path / "out"]
    assert call("grammar", *given, "--against", folder / "known.meme") == 3
    said = capsys.readouterr().out
    assert "1 motif from " in said
    told = json.loads((tmp_path / "out" / "grammar.json").read_text())
    (motif,) = told["found"]["motifs"]
    assert SITE in motif["consensus"] and motif["matches"][0]["name"] == SITE and len(motif["copies_of_anchor"]) == 2
    # The name of a known motif needs a small q, which two known motifs cannot give for sure.
    assert motif["name"] == (SITE if motif["matches"][0]["q"] <= 0.01 else motif["consensus"])
    assert f"s0: needs {motif['name']}" in said and f"needs {motif['name']}: 2 of 2 sequences" in said
    (written,) = data.read_motifs(tmp_path / "out" / "motifs.meme")
    np.testing.assert_allclose(written.probabilities, motif["probabilities"], atol=1e-8)
    assert (tmp_path / "out" / "motifs.png").read_bytes()[:4] == b"\x89PNG"


def test_draws_without_motifs_are_told(folder, tmp_path, capsys):
    rng = np.random.default_rng(1)
    run = jme.Run.load(folder / "run.npz")
    dataclasses.replace(run, draws=rng.integers(0, 4, run.draws.shape).astype(np.uint8)).save(tmp_path / "none.npz")
    given = [folder / "model", folder / "s.fa", "--run", tmp_path / "none.npz", "--beta", 5, "--out", tmp_path / "out"]
    assert call("grammar", *given) == 3
    said = capsys.readouterr().out
    assert "0 motifs from " in said and "s0: no requirement" in said and "Not drawn" not in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        ".jaxmaxent.json", "grammar.json", "0000_s0.png", "0001_s1.png",
    }  # fmt: skip


@pytest.mark.exhaustive
def test_a_run_that_the_command_sampled_serves_again(folder, tmp_path, capsys):
    given = [folder / "model", folder / "s.fa", "--beta", 2, "--quiet"]
    first = ["--steps", 100, "--chains", 2, "--motifs", folder / "known.meme", "--out", tmp_path / "first"]
    assert call("grammar", *given, *first) == 3
    assert jme.Run.load(tmp_path / "first" / "run.npz").draws.shape[2:4] == (5, 2)
    assert call("grammar", *given, "--run", tmp_path / "first", "--out", tmp_path / "second") == 3
    assert not (tmp_path / "second" / "run.npz").exists()


@pytest.mark.slow
def test_draws_that_interpret_kept_serve(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(interpret, "group_size", lambda *_: 1)  # so that the draws of two groups are joined
    given, known = [folder / "model", folder / "s.fa"], folder / "known.meme"
    short = ["--steps", 60, "--burn-in", 20, "--chains", 2, "--rungs", 3, "--evaluation", "full", "--pictures", 0]
    out = tmp_path / "run"
    asked = ["--beta", 2, "--mu", 0.5, "--store-every", 20, "--quiet"]
    assert call("interpret", *given, *asked, *short, "--out", out) == 3
    run = jme.Run.load(out / "run.npz")
    assert run.draws.shape == (2, 3, 3, 2, LENGTH)
    assert json.loads((out / "summary.json").read_text())["settings"]["store_every"] == 20
    asked_of = []
    original = grammar_command.ensemble_of
    monkeypatch.setattr(grammar_command, "ensemble_of", lambda *a, **k: asked_of.append(k) or original(*a, **k))
    found = tmp_path / "grammar"
    assert call("grammar", *given, "--run", out, "--motifs", known, "--distance", "output", "--out", found) == 3
    assert (asked_of[0]["mu"], asked_of[0]["distance"]) == (0.5, "output")
    assert len(json.loads((found / "grammar.json").read_text())["sequences"]) == 2
    capsys.readouterr()
    again = ["--out", tmp_path / "other", "--store-every", 7]
    assert call("interpret", *given, *asked[:4], *short, *again) == 2
    assert "--store-every must be a multiple of 5, got 7" in capsys.readouterr().err


def test_draws_of_some_groups_alone_are_not_kept(folder, capsys):
    run = dataclasses.replace(jme.Run.load(folder / "run.npz"), kmer_counts=None)
    parts = [run.take(np.array([0])), dataclasses.replace(run.take(np.array([1])), draws=None)]
    settings = JobSettings(beta=2.0, rule=None, wanted=None, group=1)
    anchors = data.Sequences(run.anchors, run.names)
    network = models.representation(models.load(folder / "model"))
    one = Job(out=folder, folder=folder, identifier="", network=network, anchors=anchors, settings=settings)
    assert one._joined(parts).draws is None
    assert "some sequences took fewer steps than --store-every: no draws are kept" in capsys.readouterr().out
    whole = one._joined([run.take(np.array([a])) for a in range(2)])
    np.testing.assert_array_equal(whole.draws, run.draws)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--motifs", "{folder}/gone.meme"], "gone.meme"),
        (["--motifs", "{folder}/known.meme", "--level", "0.2"], "level must be a finite number above 0.5 and below 1"),
        (["--motifs", "{folder}/known.meme", "--chains", "1"], "--chains must be a whole number of at least 2, got 1"),
        (
            ["--motifs", "{folder}/known.meme", "--against", "x"],
            "--against must be left out if motifs are given, got 'x'",
        ),
        (["--run", "{folder}/bare.npz"], "--run must have stored draws, which `interpret` keeps with --store-every"),
    ],
)
def test_bad_input_is_one_sentence(folder, tmp_path, capsys, arguments, words):
    filled = [a.format(folder=folder) for a in arguments]
    given = [folder / "model", folder / "s.fa", "--run", folder / "run.npz", *filled, "--out", tmp_path / "out"]
    assert call("grammar", *given) == 2
    said = capsys.readouterr()
    assert said.err.startswith("jaxmaxent: ") and said.err.count("\n") == 1 and words in said.err
    assert not (tmp_path / "out").exists()
