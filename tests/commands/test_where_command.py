"""`jaxmaxent where` on a network whose site is known, from a file of sequences and from a saved run."""

import dataclasses
import json

import numpy as np
import pytest
from made_up_runs import made_up

import jaxmaxent as jme
from jaxmaxent import analysis
from jaxmaxent.cli import main
from jaxmaxent.data import Sequences, write_fasta

PROGRAM = """
import jax.numpy as jnp
from jaxmaxent import DNA, Representation

SITE = jnp.array([0, 2, 2, 3, 1, 0])

def features(params, one_hot):
    windows = jnp.stack([one_hot[i : i + 6] for i in range(one_hot.shape[0] - 5)])
    return jnp.max(jnp.sum(windows * jnp.eye(4)[SITE][None], (1, 2)))[None]

network = Representation(features, alphabet=DNA)
"""
SITE, LENGTH, TWO = "AGGTCA", 30, "chr7:100-130(-)"


def call(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A program with a network, a file of sequences with one and with two sites, and a run of the same."""
    folder = tmp_path_factory.mktemp("where")
    (folder / "program.py").write_text(PROGRAM)
    anchors = np.resize(jme.DNA.encode("CCTC"), (2, LENGTH))
    anchors[0, 12:18] = anchors[1, 5:11] = anchors[1, 19:25] = jme.DNA.encode(SITE)
    sequences = Sequences(anchors, ("one", TWO))
    write_fasta(folder / "s.fa", sequences)
    run = made_up(anchor=2, position=LENGTH, fields=("GC",))
    run = dataclasses.replace(run, anchors=anchors.astype(np.uint8), mu=np.full((2, 1), 0.8), names=sequences.names)
    run.save(folder / "run.npz")
    return folder


def test_sites_are_told_and_written_and_drawn(given, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = "where", f"{given}/program.py:network", given / "s.fa", "--site-width", 8, "--width", 3, "--out", out
    assert call(*arguments) == 0
    said = capsys.readouterr().out
    assert "one: sites needed at 12–18; sites count wherever they stand (mobility 0." in said
    assert f"{TWO}: sites redundant at 5–11, 19–25, for which others stand in; " in said
    assert {path.name for path in out.iterdir()} == {
        ".jaxmaxent.json", "where.json", "where.npz", "sites.tsv", "pictures",
    }  # fmt: skip
    one, two = json.loads((out / "where.json").read_text())["anchors"]
    assert [(s["start"], s["stop"], s["redundant"]) for s in two["sites"]] == [(5, 11, True), (19, 25, True)]
    assert "region" not in one
    assert two["region"] == {"chromosome": "chr7", "start": 100, "end": 130, "strand": "-"}
    header, *lines = (line.split("\t") for line in (out / "sites.tsv").read_text().splitlines())
    assert [line[:5] for line in lines] == [
        ["one", "12", "18", SITE, "needed"],
        [TWO, "5", "11", SITE, "redundant"],
        [TWO, "19", "25", SITE, "redundant"],
    ]  # fmt: skip
    assert header[:3] == ["name", "start", "stop"]
    assert header[-4:] == ["chromosome", "genome_start", "genome_stop", "strand"]
    assert [line[-4:] for line in lines] == [
        ["."] * 4, ["chr7", "119", "125", "-"], ["chr7", "105", "111", "-"],  # counted from the end, 130
    ]  # fmt: skip
    with np.load(out / "where.npz") as arrays:
        np.testing.assert_allclose(arrays["necessity_positions"][0], one["necessity"], rtol=1e-6)
        assert arrays["sufficiency_width"] == 8
    assert len(list((out / "pictures").iterdir())) == 2


def test_a_run_gives_its_sequences_and_its_chemical_potential(given, tmp_path, capsys):
    out, program = tmp_path / "out", f"{given}/program.py:network"
    wide = "--site-width", 8, "--width", 3, "--enumerate", "--pictures", 0
    assert call("where", program, given / "run.npz", "--out", out, *wide) == 0
    assert "one: sites needed" in capsys.readouterr().out
    found = json.loads((out / "where.json").read_text())["anchors"]
    namespace = {}
    exec(PROGRAM, namespace)
    anchors = jme.Run.load(given / "run.npz").anchors
    ensemble = jme.Ensemble.create(namespace["network"], anchors, beta=1.0, fields=[jme.composition("GC", 0.8)])
    wanted = analysis.necessity(ensemble, 3).positions
    np.testing.assert_allclose([anchor["necessity"] for anchor in found], wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--width", 31], "--width must be at most the length 30, got 31"),
        (["--draws", 1], "--draws must be a whole number of at least 2, got 1"),
        (["--site-width", 0], "--site-width must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_options_are_one_sentence(given, tmp_path, capsys, more, words):
    assert call("where", f"{given}/program.py:network", given / "s.fa", "--out", tmp_path / "out", *more) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_options_of_a_file_do_not_go_with_a_run(given, tmp_path, capsys):
    arguments = "where", f"{given}/program.py:network", given / "run.npz", "--limit", 1, "--out", tmp_path / "out"
    assert call(*arguments) == 2
    assert "must be left out for the sequences of a run" in capsys.readouterr().err
