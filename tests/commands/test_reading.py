"""The options of the command line that say how sequences are read, and the lines about what is left out."""

import io
import sys

import numpy as np
import pytest
from flax import nnx

import jaxmaxent as jme
from jaxmaxent.cli import main
from jaxmaxent.commands import _interpret as interpret
from jaxmaxent.commands import _potential as potential
from jaxmaxent.commands import _train as train
from jaxmaxent.commands._common import read_for
from jaxmaxent.commands._network import Found
from jaxmaxent.commands._options import AnchorOptions
from jaxmaxent.models import ConvArchitecture, predict, save

LENGTH = 12
WANTED = ["ACGTACGTACGT", "NCGTACGTACGT", "TTTTACGTACGT", "GGGGACGTACGT", "CCCCACGTRCGT", "AAAAACGTACGT"]
VALID = [0, 2, 3, 5]


@pytest.fixture(scope="module")
def network():
    return ConvArchitecture(length=LENGTH, filters=4, kernel_width=3, hidden=(5,)).build(nnx.Rngs(0))


@pytest.fixture
def fasta(tmp_path):
    def write(headers):
        path = tmp_path / "s.fa"
        path.write_text("".join(f">{header}\n{s}\n" for header, s in zip(headers, WANTED, strict=True)))
        return path

    return write


class Read(Exception):
    """Ends a command when it has read its sequences."""


@pytest.fixture
def what_is_read(network, tmp_path, monkeypatch):
    """A function that begins a command and gives the sequences that it read."""
    save(network, tmp_path / "model")

    def stop(_, sequences, *arguments, **options):
        raise Read(sequences)

    for module in (interpret, potential):
        monkeypatch.setattr(module, "ensemble_of", stop)

    def read(command, *arguments):
        settings = ["--beta", "5", "--out", str(tmp_path / "out"), *["--gc", "0.5"] * (command == "potential")]
        with pytest.raises(Read) as stopped:
            main([command, str(tmp_path / "model"), *map(str, arguments), *settings])
        return stopped.value.args[0]

    return read


@pytest.mark.parametrize("command", ["interpret", "potential"])
def test_invalid_sequences_are_left_out_with_a_line_that_counts_them(what_is_read, fasta, capsys, command):
    path = fasta("abcdef")
    read = what_is_read(command, path, "--skip-invalid")
    assert jme.DNA.decode(read.tokens) == [WANTED[i] for i in VALID]
    assert read.names == tuple("acdf")
    said = capsys.readouterr()
    assert said.err == "" and said.out.count("\n") == 1
    assert f"{path}: 2 of 6 sequences are left out, the first: record 1 'b'" in said.out
    assert what_is_read(command, path, "--skip-invalid", "--limit", 2).names == ("a", "c")


@pytest.mark.parametrize("command", ["interpret", "potential"])
def test_headers_are_what_the_command_line_says(what_is_read, fasta, command):
    path = fasta("101010")
    names = tuple(f"sequence_{i}" for i in VALID)
    assert what_is_read(command, path, "--skip-invalid").names == names
    read = what_is_read(command, path, "--skip-invalid", "--headers", "labels")
    assert read.names == names and read.labels.tolist() == [1, 1, 0, 0]
    read = what_is_read(command, path, "--skip-invalid", "--headers", "names")
    assert read.names == ("1", "1", "0", "0") and read.labels is None
    path.write_text(f">1 dna:chromosome\n{WANTED[0]}\n")
    assert what_is_read(command, path).names == ("1",)
    path.write_text(f">1\n{WANTED[0]}\n")
    assert what_is_read(command, path).names == ("1",)
    assert what_is_read(command, path, "--headers", "labels").labels.tolist() == [1]


def read_file(network, path, **options):
    return read_for(Found("", own=network), AnchorOptions(model="", sequences=str(path), **options))[1]


def test_sequences_that_a_filter_takes_keep_their_numbers(network, tmp_path):
    tokens = np.random.default_rng(0).integers(0, 4, (60, LENGTH))
    calls, labels = predict(network, tokens).argmax(1), np.arange(60) % 2
    path = tmp_path / "s.fa"
    path.write_text("".join(f">{x}\n{s}\n" for x, s in zip(labels, jme.DNA.decode(tokens), strict=True)))
    for called in (0, 1):
        kept = np.flatnonzero((calls == called) & (labels == called))[:3]
        found = read_file(network, path, limit=3, called=called)
        assert len(kept) and found.names == tuple(f"sequence_{i}" for i in kept)


def test_a_limit_reads_only_as_far_as_needed(network, fasta):
    path = fasta("abcdef")
    path.write_text(path.read_text() + ">g\nAC\nno sequence\n")
    assert read_file(network, path, limit=1).names == ("a",)
    with pytest.raises(ValueError, match="equal lengths|has 'N'"):  # for the class all are needed
        read_file(network, path, limit=1, called=0)
    with pytest.raises(ValueError, match="headers must be names or labels, got 'label'"):
        read_file(network, path, limit=1, headers="label")


def test_standard_input(what_is_read, fasta, monkeypatch):
    for content in (fasta("abcdef").read_text(), "\n".join(["seq,label", *(f"{s},1" for s in WANTED)])):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content.encode()))))
        assert jme.DNA.decode(what_is_read("interpret", "-", "--limit", 1).tokens) == WANTED[:1]


def test_training_leaves_invalid_sequences_out(fasta, tmp_path, monkeypatch, capsys):
    def stop(key, built, tokens, labels, **settings):
        raise Read(tokens, labels)

    monkeypatch.setattr(train, "train", stop)
    path = fasta("101010")
    with pytest.raises(Read) as stopped:
        main(["train", str(path), "--out", str(tmp_path / "out"), "--skip-invalid", "--architecture", "mlp"])
    tokens, labels = stopped.value.args
    assert jme.DNA.decode(tokens) == [WANTED[i] for i in VALID] and labels.tolist() == [1, 1, 0, 0]
    assert "2 of 6 sequences are left out" in capsys.readouterr().out
    for options, words in (((), "record 1 '0'"), (("--skip-invalid", "--headers", "names"), "has no labels")):
        assert main(["train", str(path), "--out", str(tmp_path / "out"), *options]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
