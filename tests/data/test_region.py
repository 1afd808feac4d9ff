import numpy as np
import pytest

from jaxmaxent.data import Region, read_fasta, read_windows, region_of
from jaxmaxent.ensembles import DNA


@pytest.mark.parametrize(
    ("name", "length", "region"),
    [
        ("chr1:100-201(+)", 101, ("chr1", 100, 201, "+")),
        ("chr1:100-201(-)", None, ("chr1", 100, 201, "-")),
        ("chr1:100-201", 101, ("chr1", 100, 201, ".")),
        ("chr1:101-201", 101, ("chr1", 100, 201, ".")),  # as samtools writes it
        ("chr1:101-201", None, ("chr1", 101, 201, ".")),
        ("peak 1::chr1:0-5(.)", 5, ("chr1", 0, 5, ".")),
        ("HLA:1:5-6(+)", 1, ("HLA:1", 5, 6, "+")),
        ("a-b(+):5-6", 1, ("a-b(+)", 5, 6, ".")),
        ("chr1:0-5", 6, None),  # counted from 1 there is no 0
        ("chr1:100-201(+)", 99, None),
        ("chr1:201-100(+)", None, None),
        ("chr1:5-5", 0, ("chr1", 5, 5, ".")),
        ("chr1:-5-6(+)", None, None),
        ("chr1:5-6(*)", None, None),
        ("chr1:5-6(+) x", None, None),
        (":5-6(+)", None, None),
        ("chr1", None, None),
        ("", None, None),
        (f"chr1:0-{'9' * 5000}", None, None),
    ],
)
def test_names_that_are_coordinates(name, length, region):
    found = region_of(name, length)
    assert found == region
    if found is not None:
        assert region_of(str(found), length) == found


def test_parts_are_where_a_plain_search_finds_their_letters(tmp_path):
    letters = DNA.decode(np.random.default_rng(0).integers(0, 4, 60))
    complement = letters.translate(str.maketrans("ACGT", "TGCA"))
    (tmp_path / "g.fa").write_text(f">chr1\n{letters}\n")
    read = read_windows(tmp_path / "g.fa", [("chr1", 7, 48, strand) for strand in "+-."])
    for name, sequence in zip(read.names, DNA.decode(read.tokens), strict=True):
        region = region_of(name, 41)
        for start, stop in ((0, 41), (3, 17), (30, 41), (5, 5)):
            part = region.part(start, stop)
            found = (complement if part.strand == "-" else letters)[part.start : part.end]
            assert found[:: -1 if part.strand == "-" else 1] == sequence[start:stop]
            assert part[0] == "chr1" and part.end - part.start == stop - start


def test_wrong_parts_and_names():
    region = Region("chr1", 5, 9)
    assert str(region) == "chr1:5-9(.)"
    for start, stop, message in ((0, 5, "stop must be .* at most 4"), (3, 2, "start must be .* at most 2")):
        with pytest.raises(ValueError, match=message):
            region.part(start, stop)
    with pytest.raises(ValueError, match="start must be a whole number of at least 0, got -1"):
        region.part(-1, 2)
    with pytest.raises(ValueError, match="name must be a text, got 3"):
        region_of(3)


def test_headers_of_a_fasta_file_keep_their_coordinates(tmp_path):
    (tmp_path / "s.fa").write_text(">chr1:5-9(-) more\nACGT\n>p::chr2:7-11\nACGT\n>x\nACGT\n")
    read = read_fasta(tmp_path / "s.fa")
    assert [region_of(name, 4) for name in read.names] == [("chr1", 5, 9, "-"), ("chr2", 7, 11, "."), None]
