import numpy as np
import pytest

from jaxmaxent.data import Sequences, read_fasta, write_fasta
from jaxmaxent.ensembles import DNA, PROTEIN


@pytest.fixture
def fasta(write_file):
    return lambda text, name="x.fa": write_file(name, text)


@pytest.mark.parametrize("name", ["x.fa", "x.fa.gz", "x.FA.GZ".lower()])
def test_records_over_several_lines_and_blank_lines(fasta, name):
    read = read_fasta(fasta("\n>one first\nAC\n\nGT\n> 1\r\nttaa\r\n>\nGGCC\n>one again\nA\nC\nG\nT", name))
    assert DNA.decode(read.tokens) == ["ACGT", "TTAA", "GGCC", "ACGT"]
    assert read.names == ("one", "1", "sequence_2", "one")
    assert read.labels is None


def test_other_alphabets_and_a_byte_order_mark(fasta):
    read = read_fasta(fasta("\ufeff>p\nMKW\n"), alphabet=PROTEIN)
    assert PROTEIN.decode(read.tokens) == ["MKW"]


def test_headers_that_are_labels(fasta):
    for told in (True, None):
        read = read_fasta(fasta("> 1\nAC\n>0\nGT\n"), labels_in_header=told)
        assert read.labels is not None and read.labels.tolist() == [1, 0]
        assert read.names == ("sequence_0", "sequence_1")
    read = read_fasta(fasta("> 1\nAC\n>0\nGT\n"), labels_in_header=False)
    assert read.labels is None and read.names == ("1", "0")
    read = read_fasta(fasta(">1\nAC\n>chr1\nGT\n"))
    assert read.labels is None and read.names == ("1", "chr1")
    with pytest.raises(ValueError, match=r"x.fa, record 1 'chr1' .*the label must be 0 or 1, got 'chr1'"):
        read_fasta(fasta(">1\nAC\n>chr1\nGT\n"), labels_in_header=True)


@pytest.mark.parametrize("header", ["2", "3", "-1", "01", "10"])
def test_a_header_is_a_label_only_if_it_is_0_or_1(fasta, header):
    path = fasta(f">0\nAC\n>{header}\nGT\n>1\nAA\n")
    read = read_fasta(path)
    assert read.labels is None and read.names == ("0", header, "1")
    for skip_invalid in (False, True):  # only letters can be left out
        with pytest.raises(ValueError, match=rf"x.fa, record 1 '{header}' .*the label must be 0 or 1, got '{header}'"):
            read_fasta(path, labels_in_header=True, skip_invalid=skip_invalid)


@pytest.mark.parametrize(
    ("headers", "labels"),
    [("1", None), ("0", None), ("11", [1, 1]), ("00", [0, 0]), ("10", [1, 0]), ("012", None), ("111x", None)],
)
def test_headers_are_labels_by_default_where_there_are_several(fasta, headers, labels):
    path = fasta("".join(f">{header}\nAC\n" for header in headers))
    for limit in (None, 1, len(headers)):  # how much is read decides nothing
        read = read_fasta(path, limit=limit)
        if labels is None:
            assert read.labels is None and read.names == tuple(headers)[:limit]
        else:
            assert read.labels is not None and read.labels.tolist() == labels[:limit]
            assert read.names == tuple(f"sequence_{i}" for i in range(len(headers)))[:limit]
    alone = read_fasta(fasta(">1 dna:chromosome\nAC\n"))
    assert alone.names == ("1",) and alone.labels is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.fa is empty"),
        ("\n \n", "x.fa is empty"),
        ("ACGT\n>a\nACGT\n", r"x.fa, line 1: expected a FASTA header starting with '>', got 'ACGT'"),
        (">a\nAC\n>b\n", r"x.fa: record 1 'b' \(counted from 0\) has no sequence"),
        (">a\n>b\nAC\n", r"x.fa: record 0 'a' \(counted from 0\) has no sequence"),
        (">a\nACG\n>b\nAC\n", r"record 0 'a' .* has 3 letters and record 1 'b' .* has 2"),
        (
            ">a\nACGT\n>b x\nAC\nGN\n",
            r"record 1 'b x' .*has 'N' \(IUPAC for any letter\) at position 3 \(0-based",
        ),
        (">a\nARGT\n", r"record 0 'a' .*has 'R' \(IUPAC for A or G\) at position 1"),
        (">a\nAC-T\n", r"record 0 'a' .*has '-' at position 2"),
        (">a\nAC GT\n", r"record 0 'a' .*has ' ' at position 2"),
        (">a\nACéT\n", r"record 0 'a' .*has 'é' at position 2"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(fasta, text, message):
    with pytest.raises(ValueError, match=message):
        read_fasta(fasta(text))


@pytest.mark.parametrize("name", ["x.fa", "x.fa.gz"])
def test_written_sequences_read_back(tmp_path, name):
    tokens = np.random.default_rng(0).integers(0, 4, (20, 131))
    written = Sequences(tokens, ("a b\tc", *(f"s{i}" for i in range(19))))
    write_fasta(tmp_path / name, written)
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b" if name.endswith(".gz") else b">a_b_c\n")
    read = read_fasta(tmp_path / name)
    np.testing.assert_array_equal(read.tokens, tokens)
    assert read.names == ("a_b_c", *written.names[1:])


@pytest.mark.parametrize("control", ["\x1b", "\x00", "\x7f", "\x9b", "\u202e", "\u2069", "\udc80"])
def test_names_are_written_without_what_is_not_printable(tmp_path, control):
    write_fasta(tmp_path / "x.fa", Sequences(np.array([[0]]), (f"a{control}[2Jβ",)))
    assert (tmp_path / "x.fa").read_text("utf-8") == ">a_[2Jβ\nA\n"


def test_writing_overwrites_only_when_asked(tmp_path):
    one, other = (Sequences(np.array([[t]]), ("a",)) for t in (0, 1))
    write_fasta(tmp_path / "x.fa", one)
    with pytest.raises(ValueError, match="exists already"):
        write_fasta(tmp_path / "x.fa", other)
    assert (tmp_path / "x.fa").read_text() == ">a\nA\n"
    write_fasta(tmp_path / "x.fa", other, force=True)
    assert (tmp_path / "x.fa").read_text() == ">a\nC\n"
    with pytest.raises(ValueError, match="at least one sequence"):
        write_fasta(tmp_path / "y.fa", one.take([]))


@pytest.mark.parametrize(("name", "count", "bound"), [("train", 7148, 3574), ("test", 1000, 500)])
def test_real_files_with_labels_in_their_headers(data, name, count, bound):
    read = read_fasta(data / "gata1" / f"{name}.fa.gz", labels_in_header=True)
    assert read.tokens.shape == (count, 101)
    assert read.labels is not None and read.labels.sum() == bound
    by_default = read_fasta(data / "gata1" / f"{name}.fa.gz").labels
    assert by_default is not None and (by_default == read.labels).all()
