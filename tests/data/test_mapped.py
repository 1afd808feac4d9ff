import gzip
import os
import shutil

import numpy as np
import pytest
from genomes import windows_inside

from jaxmaxent.data import _mapped as mapped
from jaxmaxent.data import read_windows
from jaxmaxent.ensembles import DNA

GENOME = ">chr1 the first\nACGTT\nGCAAC\n>chr2\nGGNNTtac\nGTAC\n"


def wrapped(records, width=7, end="\n"):
    """A FASTA file of (header, letters)."""
    lines = []
    for header, letters in records:
        lines += [f">{header}", *(letters[i : i + width] for i in range(0, len(letters), width))]
    return end.join([*lines, ""])


def random_letters(count, seed=0):
    return DNA.decode(np.random.default_rng(seed).integers(0, 4, count))


def windows_of(path, letters, name="chr2", length=9):
    """All windows of one chromosome, compared with those of a string."""
    read = windows_inside(path, [(name, i, i) for i in range(len(letters) + 1)], length=length)
    expected = [letters[i : i + length] for i in range(len(letters) - length + 1)]
    return DNA.decode(read.tokens) == expected


FIRST, SECOND, THIRD = (random_letters(n, n) for n in (40, 65, 63))


RECORDS = [("chr1 of it", FIRST), ("chr2", SECOND), ("chr3\tof > it", THIRD)]


LAYOUTS = {
    "plain": wrapped(RECORDS),
    "no end": wrapped(RECORDS).rstrip("\n"),
    "windows": wrapped(RECORDS, end="\r\n"),
    "old mac": wrapped(RECORDS, end="\r"),
    "byte order mark": "\ufeff" + wrapped(RECORDS),
    "blank lines first": "\n \r\n" + wrapped(RECORDS),
    "blank lines last": wrapped(RECORDS) + "\n\n \n",
    "blank lines between": wrapped(RECORDS).replace("\n>", "\n\n \n>"),
    "blank line inside": wrapped(RECORDS)
    .replace(SECOND[:14], SECOND[:14])
    .replace(SECOND[14:21], "\n" + SECOND[14:21]),
    "blank line behind a header": wrapped(RECORDS).replace(">chr2\n", ">chr2\n\n"),
    "trailing space everywhere": wrapped(RECORDS, end=" \n").replace(">chr2 ", ">chr2"),
    "trailing space once": wrapped(RECORDS).replace(SECOND[14:21], SECOND[14:21] + " "),
    "trailing tab at the end": wrapped(RECORDS).replace(SECOND[63:65] + "\n", SECOND[63:65] + "\t\n"),
    "space before a header": wrapped(RECORDS).replace(">chr3", " >chr3"),
    "uneven": wrapped(RECORDS).replace(SECOND[7:14] + "\n", SECOND[7:14]),
    "longer last line": wrapped(RECORDS).replace(SECOND[56:63] + "\n", SECOND[56:63]),
    "longer last line, windows": wrapped(RECORDS, end="\r\n").replace(SECOND[56:63] + "\r\n", SECOND[56:63]),
    "one line": wrapped(RECORDS, 1000),
    "one letter a line": wrapped(RECORDS, 1),
    "line ends of all systems": wrapped(RECORDS[:1], end="\r")
    + wrapped(RECORDS[1:2], end="\r\n")
    + wrapped(RECORDS[2:]),
    "line ends mixed": wrapped(RECORDS).replace(SECOND[14:21] + "\n", SECOND[14:21] + "\r\n"),
    "spaced letters": wrapped(RECORDS).replace(SECOND[14:21], " ".join(SECOND[14:21])),
}


@pytest.mark.parametrize("name", ["g.fa", "g.fa.gz"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_of_lines_gives_the_same_windows(tmp_path, layout, monkeypatch, name):
    monkeypatch.setattr(mapped, "_PIECE", 13)
    path, content = tmp_path / name, LAYOUTS[layout].encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    for name, letters in (("chr1", FIRST), ("chr2", SECOND), ("chr3", THIRD)):
        assert windows_of(path, letters, name)
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    "index",
    ["", "chr2\t65\t", "chr2\t65\t11\t7\t8\n", "chr1\t40\t6\t7\t8\n", "chr2\t9999\t9999\t50\t51\n", "\0\1"],
)
def test_an_index_beside_the_genome_is_neither_believed_nor_changed(tmp_path, index):
    path, beside = tmp_path / "g.fa", tmp_path / "g.fa.fai"
    path.write_text(LAYOUTS["plain"])
    beside.write_text(index)
    assert windows_of(path, SECOND)
    assert beside.read_text() == index and {*tmp_path.iterdir()} == {path, beside}


@pytest.mark.parametrize("kind", ["older", "same size", "same names and lines", "another header", "shorter"])
def test_a_genome_that_was_replaced_is_read_anew(tmp_path, kind):
    path, other = tmp_path / "g.fa", tmp_path / "other.fa"
    letters = random_letters(65 if kind != "shorter" else 30, seed=99)
    header = "chr2 release 110" if kind == "another header" else "chr2"
    path.write_text(LAYOUTS["plain"])
    assert windows_of(path, SECOND)
    other.write_text(wrapped([RECORDS[0], (header, letters), RECORDS[2]]))
    stamp = path.stat().st_mtime - 1e6 if kind == "older" else path.stat().st_mtime
    os.utime(other, (stamp, stamp))
    shutil.copy2(other, path)
    assert windows_of(path, letters)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad.fa is empty"),
        (b"\n \r\n", "bad.fa is empty"),
        (b"\n\r\nACGT\n>chr1\nACGT\n", "bad.fa, line 3: expected a FASTA header starting with '>', got 'ACGT'"),
        (b"; remark\n>chr1\nACGT\n", "bad.fa, line 1: expected a FASTA header .* got '; remark'"),
        (b">chr1\nACGT\n>chr1 again\nACGT\n", "bad.fa: two records are called 'chr1'"),
        (b">chr0\nACGT\n>chr1\n\n>chr2\nACGT\n", "bad.fa: record 'chr1' has no sequence"),
        (b">chr1", "bad.fa: record 'chr1' has no sequence"),
        (gzip.compress(GENOME.encode(), mtime=0), "bad.fa, line 1: .* gzip-compressed file must end in .gz"),
    ],
)
def test_plain_genomes_that_are_not_sound(tmp_path, content, message):
    (tmp_path / "bad.fa").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_windows(tmp_path / "bad.fa", [("chr1", 2, 2)], length=3)


@pytest.mark.parametrize("name", ["g.fa", "g.fa.gz"])
def test_letters_that_are_no_letters_do_not_move_others(tmp_path, name):
    path = tmp_path / name
    for odd in ("\0", "\x1c", "*", "é", "n"):
        content = f">chr1\nACGTA{odd}\nCCGGTT\n".encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        read = windows_inside(path, [("chr1", i, i) for i in range(13)], length=5)
        assert DNA.decode(read.tokens) == ["ACGTA", "CCGGT", "CGGTT"]
        assert read.names[0] == "chr1:0-5(.)"
        if odd != "é":  # one letter, of two bytes
            assert read.names[1] == "chr1:6-11(.)"
