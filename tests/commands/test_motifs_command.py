"""`jaxmaxent motifs` on a run into which a known motif was written, and the choice of sequences by their class."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from flax import nnx

import jaxmaxent as jme
from jaxmaxent import models
from jaxmaxent.cli import main
from jaxmaxent.commands._common import read_for
from jaxmaxent.commands._network import Found
from jaxmaxent.commands._options import AnchorOptions
from jaxmaxent.data import Motif, read_motifs, write_meme
from jaxmaxent.models import ConvArchitecture, predict
from problems import Problem

LENGTH, PLACES = 12, (2, 5, 3)
SITE = jme.DNA.encode("GGCACC")
OTHERS = ["TTTAAA", "ACACAC", "CATTAG"]


def sharp(tokens):
    """Letter probabilities of a motif that insists on these letters."""
    return 0.91 * np.eye(4)[tokens] + 0.0225


def call(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved run of three anchors with the site at PLACES, once on the other strand, and known motifs."""
    folder = tmp_path_factory.mktemp("motifs")
    problem = Problem(length=LENGTH)
    ensemble = problem.ensemble(anchor=np.zeros((3, LENGTH), int))
    run = jme.sample(jax.random.key(0), ensemble, ladder=None, chains=2, steps=20, burn_in=0, progress=False)
    frequencies = np.full_like(run.frequencies, 0.25)
    for a, place in enumerate(PLACES):
        site = SITE if a else jme.DNA.reverse_complement(SITE)
        frequencies[a, -1, place : place + len(SITE)] = sharp(site)
    run = dataclasses.replace(run, frequencies=frequencies, frequency_errors=np.full_like(frequencies, 0.01))
    run.save(folder / "run.npz")
    known = [Motif(name, f"M{k}", sharp(jme.DNA.encode(name))) for k, name in enumerate([*OTHERS, "GGCACC"])]
    write_meme(folder / "known.meme", known)
    return folder


@pytest.mark.parametrize("given", ["", "run.npz"])
def test_the_motif_is_found_written_named_and_drawn(saved, tmp_path, capsys, given):
    assert call("motifs", saved / given, "--out", tmp_path / "out", "--against", saved / "known.meme") == 0
    said = capsys.readouterr().out
    assert "1 motif from 3 informative windows in 3 of 3 anchors" in said
    assert "motif_1: 3 sites" in said and "most like GGCACC (M3, " in said
    told = json.loads((tmp_path / "out" / "motifs.json").read_text())
    (found,) = told["motifs"]
    assert found["matches"][0]["identifier"] == "M3"
    strands = {m["anchor"]: m["strand"] for m in found["members"]}
    assert strands[1] == strands[2] != strands[0]
    (written,) = read_motifs(tmp_path / "out" / "motifs.meme")
    np.testing.assert_allclose(written.probabilities, found["probabilities"], atol=1e-8)
    assert written.sites == 3
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        ".jaxmaxent.json",
        "motifs.json",
        "motifs.meme",
        "motif_1.png",
    }


def test_a_network_in_place_of_the_run_is_named(tmp_path, capsys):
    models.save(ConvArchitecture(length=30).build(nnx.Rngs(0)), tmp_path / "model")
    assert call("motifs", tmp_path / "model", "--out", tmp_path / "out") == 2
    assert "run must be a folder that `interpret` wrote, or a saved run, but" in (said := capsys.readouterr().err)
    assert said.rstrip().endswith("holds output of the kind 'network'")
    (tmp_path / "empty").mkdir()
    assert call("motifs", tmp_path / "empty", "--out", tmp_path / "out") == 2
    assert capsys.readouterr().err.rstrip().endswith("empty holds no run")


def test_without_a_motif_it_says_so_and_exits_with_3(saved, tmp_path, capsys):
    run = jme.Run.load(saved / "run.npz")
    dataclasses.replace(run, frequencies=np.full_like(run.frequencies, 0.25)).save(tmp_path / "flat.npz")
    assert call("motifs", tmp_path / "flat.npz", "--out", tmp_path / "out") == 3
    assert "no motif: no position" in capsys.readouterr().out
    assert {p.name for p in (tmp_path / "out").iterdir()} == {".jaxmaxent.json", "motifs.json"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{saved}/gone", "--out", "{out}"], "gone"),
        (["{saved}", "--out", "{out}", "--against", "{saved}/gone.meme"], "gone.meme"),
        (["{saved}", "--out", "{out}", "--best", "0"], "best must be"),
        (["{saved}", "--out", "{saved}"], "exists already"),
    ],
)
def test_bad_input_is_one_sentence(saved, tmp_path, capsys, arguments, words):
    filled = [a.format(saved=saved, out=tmp_path / "out") for a in arguments]
    assert call("motifs", *filled) == 2
    said = capsys.readouterr()
    assert said.err.startswith("jaxmaxent: ") and said.err.count("\n") == 1 and words in said.err
    assert not (tmp_path / "out").exists()


def test_known_motifs_that_are_not_sound_are_told_and_left_out(saved, tmp_path, capsys):
    known = tmp_path / "known.meme"
    known.write_text((saved / "known.meme").read_text() + "MOTIF\tM9 x\n\n")
    assert call("motifs", saved, "--out", tmp_path / "out", "--against", known) == 0
    said = capsys.readouterr()
    assert f"{known}: 1 of {len(OTHERS) + 2} motifs are left out, the first: motif 'M9': there is no line" in said.out
    assert said.err == "" and "most like GGCACC (M3, " in said.out


@pytest.fixture(scope="module")
def network():
    return ConvArchitecture(length=LENGTH, filters=4, kernel_width=3, hidden=(5,)).build(nnx.Rngs(0))


def read(network, path, **options):
    return read_for(Found("", own=network), AnchorOptions(model="", sequences=str(path), **options))[1]


def test_called_keeps_what_the_network_calls_so_and_rightly(network, tmp_path):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, (60, LENGTH))
    labels = rng.integers(0, 2, 60)
    calls = predict(network, tokens).argmax(1)
    kept = np.flatnonzero((calls == 1) & (labels == 1))
    assert 5 < len(kept) < (calls == 1).sum() < 60
    rows = [f"{s}\t{label}" for s, label in zip(jme.DNA.decode(tokens), labels, strict=True)]
    (tmp_path / "s.tsv").write_text("\n".join(["seq\tlabel", *rows]))
    found = read(network, tmp_path / "s.tsv", limit=4, called=1)
    np.testing.assert_array_equal(found.tokens, tokens[kept[:4]])
    (tmp_path / "s.fa").write_text("".join(f">n\n{s}\n" for s in jme.DNA.decode(tokens)))
    found = read(network, tmp_path / "s.fa", called=1)
    np.testing.assert_array_equal(found.tokens, tokens[calls == 1])


@pytest.mark.parametrize(
    ("called", "words"),
    [
        (2, "called must be a class of the network, 0 to 1, got 2"),
        (1, "called must be a class that the network assigns to at least one of the 1 sequences of .*, got 1"),
    ],
)
def test_a_class_that_cannot_be_had_is_named(network, tmp_path, called, words):
    tokens = np.random.default_rng(0).integers(0, 4, (60, LENGTH))
    other = tokens[predict(network, tokens).argmax(1) == 0][:1]
    (tmp_path / "s.fa").write_text(f">n\n{jme.DNA.decode(other)[0]}\n")
    with pytest.raises(ValueError, match=words):
        read(network, tmp_path / "s.fa", called=called)
