import gzip

import numpy as np
import pytest

from jaxmaxent.alphabet import DNA, PROTEIN
from jaxmaxent.data import read_sequences

FASTA, TABLE = b">a\nACGT\n", b"id\tseq\tlabel\na\tACGT\t1\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, FASTA) for name in ("x.fa", "x.fasta", "x.fna", "X.FA")),
        *((name, TABLE) for name in ("x.tsv", "x.txt", "x.data")),
        ("x.csv", TABLE.replace(b"\t", b",")),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_the_suffix_chooses_the_reader(tmp_path, name, content, compressed):
    path = tmp_path / (name + ".gz" * compressed)
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


@pytest.mark.parametrize("name", ["x.bam", "x", "x.gz", "x.npy.gz", "x.fa.bz2", "fa"])
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
