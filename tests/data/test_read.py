import gzip
import io
import sys

import numpy as np
import pytest

from jaxmaxent.data import LeftOut, read_sequences
from jaxmaxent.ensembles import DNA, PROTEIN

FASTA, TABLE = b">a\nACGT\n", b"id\tseq\tlabel\na\tACGT\t1\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, FASTA) for name in ("x.fa", "x.fasta", "x.fas", "x.fna", "x.faa", "X.FA")),
        *((name, TABLE) for name in ("x.tsv", "x.txt", "x.data")),
        ("x.csv", TABLE.replace(b"\t", b",")),
    ],
)
@pytest.mark.parametrize("compressed", ["", ".gz", ".bgz", ".BGZ"])
def test_the_suffix_chooses_the_reader(tmp_path, name, content, compressed):
    path = tmp_path / (name + compressed)
    path.write_bytes(gzip.compress(content) if compressed else content)
    read = read_sequences(path)
    assert DNA.decode(read.tokens) == ["ACGT"] and read.names == ("a",)
    assert (read.labels is None) == (content == FASTA)


def test_arguments_reach_the_reader(tmp_path):
    (tmp_path / "x.tsv").write_text("p\ttask\nMKW\t1\n")
    read = read_sequences(str(tmp_path / "x.tsv"), alphabet=PROTEIN, sequence_column="p", label_column="task")
    assert PROTEIN.decode(read.tokens) == ["MKW"] and read.labels is not None and read.labels.tolist() == [1]
    (tmp_path / "x.fa").write_text(">1\nMKW\n")
    read = read_sequences(tmp_path / "x.fa", alphabet=PROTEIN, labels_in_header=True)
    assert read.labels is not None and read.labels.tolist() == [1]
    np.save(tmp_path / "x.npy", np.eye(4))
    assert DNA.decode(read_sequences(tmp_path / "x.npy", letters="GCAT").tokens) == ["GCAT"]


@pytest.mark.parametrize("name", ["x.bam", "x", "x.gz", "x.bgz", "x.npy.gz", "x.fa.bz2", "fa"])
def test_unknown_suffixes(tmp_path, name):
    (tmp_path / name).write_bytes(FASTA)
    with pytest.raises(ValueError, match=r"must end in \.fa, \.fasta, .*\.data .*or \.npy, got '" + name):
        read_sequences(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("x.fa", {"letters": "ACGT"}, "FASTA file, which has no use for letters, got letters='ACGT'"),
        ("x.fa", {"sequence_column": "s"}, "no use for sequence_column"),
        ("x.fa.gz", {"label_column": "s"}, "no use for label_column"),
        ("x.tsv", {"letters": "ACGT"}, "a table, which has no use for letters"),
        ("x.tsv", {"labels_in_header": True}, "no use for labels_in_header"),
        ("x.npy", {}, "letters must give the letter order"),
        ("x.npy", {"letters": "ACGT", "label_column": "s"}, "no use for label_column"),
        ("x.npy", {"letters": "ACGT", "labels_in_header": True}, "no use for labels_in_header"),
    ],
)
def test_arguments_without_use_are_refused(tmp_path, name, options, message):
    with pytest.raises(ValueError, match=message):
        read_sequences(tmp_path / name, **options)


class Input:
    """Stands for standard input."""

    def __init__(self, content):
        self.buffer = io.BufferedReader(io.BytesIO(content))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "content",
    [FASTA, b"\xef\xbb\xbf\n" + FASTA, TABLE, b"\n" + TABLE, TABLE.replace(b"\t", b","), TABLE.replace(b"\t", b";")],
)
def test_standard_input_is_read_by_how_it_begins(monkeypatch, content, pack):
    monkeypatch.setattr(sys, "stdin", Input(pack(content)))
    read = read_sequences("-")
    assert DNA.decode(read.tokens) == ["ACGT"] and read.names == ("a",)
    assert (read.labels is None) == (b">" in content)
    assert not sys.stdin.buffer.closed
    with pytest.raises(ValueError, match="standard input is empty"):
        read_sequences("-")


def test_what_is_wrong_with_standard_input_is_named(monkeypatch):
    for content, options, message in (
        (b">a\nAN\n", {}, "standard input, record 0 'a'"),
        (b"seq\tlabel\nAC\t2\n", {}, "standard input, line 2"),
        (FASTA, {"letters": "ACGT"}, "standard input is read as a FASTA file, which has no use for letters"),
        (
            TABLE,
            {"labels_in_header": False},
            "standard input is read as a table, which has no use for labels_in_header",
        ),
        (gzip.compress(FASTA)[:-9], {}, "standard input is cut off"),
        (b"\xff\xfe\x00", {}, "standard input is not UTF-8"),
    ):
        monkeypatch.setattr(sys, "stdin", Input(content))
        with pytest.raises(ValueError, match=message):
            read_sequences("-", **options)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ValueError, match="standard input is closed"):
        read_sequences("-")


@pytest.mark.parametrize("name", ["x.fa", "x.tsv", "x.npy"])
def test_a_limit_and_invalid_records_are_the_same_for_every_format(tmp_path, name):
    wanted = ["ACGT", "ANGT", "TTTT", "GGGG"]
    path, letters = tmp_path / name, None
    if name == "x.npy":
        letters = "ACGT"
        np.save(
            path, np.array([np.eye(4)[["ACGT".find(c) for c in s]] * (np.array([*s]) != "N")[:, None] for s in wanted])
        )
    else:
        head, opening = ("seq\n", "") if name == "x.tsv" else ("", ">\n")
        path.write_text(head + "".join(f"{opening}{s}\n" for s in wanted))
    with pytest.raises(ValueError, match=r"has 'N'|at index \[1, 1\] it holds \[0.0, 0.0, 0.0, 0.0\]"):
        read_sequences(path, letters=letters)
    assert DNA.decode(read_sequences(path, letters=letters, limit=1).tokens) == ["ACGT"]
    with pytest.warns(LeftOut, match=f"{name}: 1 of [34] sequences are left out"):
        read = read_sequences(path, letters=letters, skip_invalid=True, limit=2)
    assert DNA.decode(read.tokens) == ["ACGT", "TTTT"] and read.names == ("sequence_0", "sequence_2")
    with pytest.raises(ValueError, match="limit must be a whole number of at least 1, got 0"):
        read_sequences(path, letters=letters, limit=0)
