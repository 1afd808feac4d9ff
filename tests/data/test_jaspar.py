import numpy as np
import pytest
from motif_texts import letters_of

from jaxmaxent.data import LeftOut, read_motifs

JASPAR = """>MA0001.1\tAGL3 a
G [ 1 0 ]
A  [ 3  4 ]
T [ 0 0 ]
C [ 4 4 ]

>MA0002.1
A 1
C 1
G 1
T 1.5
"""


def test_jaspar_rows_follow_their_labels(write_file):
    first, second = read_motifs(write_file("x.txt", JASPAR))
    assert (first.identifier, first.name, first.sites) == ("MA0001.1", "AGL3 a", 8)
    assert first.counts is not None
    np.testing.assert_array_equal(first.counts, [[3, 4, 1, 0], [4, 4, 0, 0]])
    np.testing.assert_allclose(first.probabilities, [[3 / 8, 1 / 2, 1 / 8, 0], [1 / 2, 1 / 2, 0, 0]], rtol=1e-15)
    assert (second.identifier, second.name) == ("MA0002.1", "MA0002.1")


def test_jaspar_dialects(write_file):
    rows = ["0 3 79 40 66", "94 75 4 3 1", "1 0 3 4 1", "2 19 11 50 29"]
    expected = np.array([row.split() for row in rows], float).T
    bare, tabs = "\n".join(rows), "\n".join(rows).replace(" ", "\t")
    for body in (
        bare, tabs, f"# remark\n{bare}",
        *("\n".join(form.format(c, row) for c, row in zip("ACGT", rows, strict=True))
          for form in ("{} [ {} ]", "{}  [{}]", "{}\t{}", "{}: {}", "{} | {}", "{}|{}")),
        "\n".join(f"{c} [ {row} ]" for c, row in zip("acgt", rows, strict=True)),
        "\n".join(f"{c} [ {row} ]" for c, row in reversed([*zip("ACGT", rows, strict=True)])),
    ):  # fmt: skip
        (motif,) = read_motifs(write_file("x.txt", f"\n# remark\n>MA0001.1  AGL3\n{body}\n\n"))
        assert (motif.identifier, motif.name, motif.sites) == ("MA0001.1", "AGL3", 97)
        np.testing.assert_array_equal(motif.counts, expected)


def test_four_bare_rows_of_four_follow_the_rest_of_the_file(write_file):
    square = ">S\n1 0 0 0\n0 1 0 0\n0 0 0 1\n0 0 1 0\n"
    long, tall = ">L\n" + "1 2 3 4 5\n" * 4, ">P\n" + "1 0 0 0\n" * 5
    assert letters_of(read_motifs(write_file("x.txt", square))) == {"S": "ACTG"}
    assert set(letters_of(read_motifs(write_file("x.txt", long + square)))) == {"L", "S"}
    with pytest.raises(ValueError, match="motif 'P': expected a row for each of the letters .* one for each position"):
        read_motifs(write_file("x.txt", tall + square))
    with pytest.warns(LeftOut, match="1 of 3 motifs are left out, the first: motif 'P': expected 4 rows, got 5"):
        assert set(letters_of(read_motifs(write_file("x.txt", long + tall + square)))) == {"L", "S"}
