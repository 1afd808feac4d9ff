import gzip
import tracemalloc
import warnings

import numpy as np
import pytest

from jaxmaxent.data import LeftOut, Sequences, read_fasta, write_fasta
from jaxmaxent.data import _fasta as fasta_module
from jaxmaxent.data import _gather as gather
from jaxmaxent.data import _text as text
from jaxmaxent.ensembles import DNA, PROTEIN


@pytest.fixture
def fasta(tmp_path):
    def write(text: str, name: str = "x.fa"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


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


def test_invalid_records_can_be_left_out_and_the_others_keep_their_numbers(fasta):
    path = fasta(">1\nAC\n>0\nNC\n>0\nGT\n>1\nA-\n>1\nTT\n")
    with pytest.raises(ValueError, match=r"record 1 '0' .* has 'N'"):
        read_fasta(path)
    with pytest.warns(LeftOut, match=r"x.fa: 2 of 5 sequences are left out, the first: record 1 '0' .* has 'N' "):
        read = read_fasta(path, skip_invalid=True)
    assert DNA.decode(read.tokens) == ["AC", "GT", "TT"]
    assert read.names == ("sequence_0", "sequence_2", "sequence_4")
    assert read.labels is not None and read.labels.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"x.fa: 2 of 2 sequences are left out, the first: record 0 'a'"):
        read_fasta(fasta(">a\nNN\n>b\nRR\n"), skip_invalid=True)
    with pytest.raises(ValueError, match="equal lengths"):  # only letters can be left out
        read_fasta(fasta(">a\nNN\n>b\nACG\n>c\nAC\n"), skip_invalid=True)
    assert len(read_fasta(fasta(">a\nAC\n"), skip_invalid=True)) == 1


@pytest.mark.parametrize("at_once", [1, 3, 2**14])
def test_records_are_encoded_together_as_if_alone(fasta, monkeypatch, at_once):
    monkeypatch.setattr(gather, "_SEQUENCES_AT_ONCE", at_once)
    wanted = ["ACGT", "acgt", "NNNN", "TTTT", "GG-G", "GGGG", "TRTT", "CCCC"]
    path = fasta("".join(f">{i} x\n{s}\n" for i, s in enumerate(wanted)))
    valid = [i for i, s in enumerate(wanted) if set(s.upper()) <= set("ACGT")]
    for limit in range(1, len(valid) + 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeftOut)
            read = read_fasta(path, skip_invalid=True, limit=limit)
        assert read.names == tuple(map(str, valid[:limit]))
        assert DNA.decode(read.tokens) == [wanted[i].upper() for i in valid[:limit]]


def test_only_so_many_are_read(fasta):
    path = fasta(">a\nAC\n>b\nGT\n>c\nNNN\nno end")
    assert read_fasta(path, limit=2).names == ("a", "b")
    with pytest.raises(ValueError, match="record 2 'c'"):
        read_fasta(path, limit=3)
    with pytest.raises(ValueError, match="limit must be a whole number of at least 1, got 0"):
        read_fasta(path, limit=0)


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (">\nA\n" * 3000, r"record 2999 '' \(counted from 0\)"),  # little of much
        (">a\n" + "A" * 300_000 + "\n", "line 2"),  # one long line
        (">a\n" + ("A" * 100 + "\n") * 3000, r"line 65\d"),  # one record of many lines
    ],
)
def test_what_the_memory_does_not_hold_is_refused_with_its_place(fasta, monkeypatch, content, where):
    monkeypatch.setattr(text, "free_bytes", lambda: 130_000)
    monkeypatch.setattr(text, "_PIECE", 1000)
    monkeypatch.setattr(fasta_module, "_LONG", 1000)
    with pytest.raises(ValueError, match=rf"x.fa, {where}: .* takes .* of memory, but only 0.1 MB were free"):
        read_fasta(fasta(content))
    monkeypatch.setattr(text, "free_bytes", lambda: None)
    assert len(read_fasta(fasta(content))) in (1, 3000)


def test_little_is_kept_of_a_record(fasta, monkeypatch):
    monkeypatch.setattr(gather, "_SEQUENCES_AT_ONCE", 256)
    count, length = 20_000, 101
    path = fasta("".join(f">seq{i} more words\n{'ACGTC' * 20 + 'A'}\n" for i in range(count)))
    tracemalloc.start()
    try:
        read = read_fasta(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(read) == count
    # Tokens, names with their references, and what is encoded at once.
    kept = count * (length + 49 + len("seq12345") + 8)
    assert peak < 2 * kept + 40 * gather._SEQUENCES_AT_ONCE * length


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


def test_every_truncation_of_a_compressed_file_is_refused(tmp_path):
    whole = gzip.compress(b">a\nACGTACGT\n>b\nTTTTACGA\n")
    path = tmp_path / "x.fa.gz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"x.fa.gz is (empty|cut off|not a sound gzip file)"):
            read_fasta(path)
    path.write_bytes(whole)
    assert len(read_fasta(path)) == 2


def test_damaged_compression_is_refused(tmp_path):
    whole = bytearray(gzip.compress(b">a\nACGTACGTTTACGA\n"))
    path = tmp_path / "x.fa.gz"
    for at in (0, 12, len(whole) - 6):  # the magic number, the compressed data, the checksum
        damaged = whole.copy()
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"x.fa.gz is (cut off|not a sound gzip file)"):
            read_fasta(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match=r"none.fa cannot be read: No such file"):
        read_fasta(tmp_path / "none.fa")
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        read_fasta(tmp_path)
    (tmp_path / "x.fa").write_bytes(gzip.compress(b">a\nACGT\n"))
    with pytest.raises(ValueError, match=r"x.fa is not UTF-8 text .* must end in .gz"):
        read_fasta(tmp_path / "x.fa")


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
