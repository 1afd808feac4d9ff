import gzip

import pytest

from jaxmaxent.data import _fasta as fasta_module
from jaxmaxent.data import _text as text
from jaxmaxent.data import read_fasta, read_table


@pytest.fixture
def fasta(write_file):
    return lambda text, name="x.fa": write_file(name, text)


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


def test_what_the_memory_does_not_hold_of_a_table_is_refused(write_file, monkeypatch):
    monkeypatch.setattr(text, "free_bytes", lambda: 130_000)
    with pytest.raises(ValueError, match="x.tsv, line 3001: what was read up to here takes"):
        read_table(write_file("x.tsv", "seq\n" + "A\n" * 3000))


@pytest.mark.parametrize(
    ("reader", "text"),
    [(read_fasta, b">a\nACGTACGT\n>b\nTTTTACGA\n"), (read_table, b"seq\tlabel\nACGT\t1\nACGA\t0\n")],
)
def test_every_truncation_of_a_compressed_file_is_refused(tmp_path, reader, text):
    whole = gzip.compress(text)
    path = tmp_path / "x.tsv.gz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"x.tsv.gz is (empty|cut off|not a valid gzip file)"):
            reader(path)
    path.write_bytes(whole)
    assert len(reader(path)) == 2


def test_damaged_compression_is_refused(tmp_path):
    whole = bytearray(gzip.compress(b">a\nACGTACGTTTACGA\n"))
    path = tmp_path / "x.fa.gz"
    for at in (0, 12, len(whole) - 6):  # the magic number, the compressed data, the checksum
        damaged = whole.copy()
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"x.fa.gz is (cut off|not a valid gzip file)"):
            read_fasta(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match=r"none.fa cannot be read: No such file"):
        read_fasta(tmp_path / "none.fa")
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        read_fasta(tmp_path)
    (tmp_path / "x.fa").write_bytes(gzip.compress(b">a\nACGT\n"))
    with pytest.raises(ValueError, match=r"x.fa is not UTF-8 text .* must end in .gz"):
        read_fasta(tmp_path / "x.fa")
