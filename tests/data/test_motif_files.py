import numpy as np
import pytest

from jaxmaxent.alphabet import DNA, PROTEIN, RNA
from jaxmaxent.data import Motif, read_motifs, write_meme

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
MEME = """MEME version 4

ALPHABET= GCAT

strands: + -

Background letter frequencies
A 0.25 C 0.25 G 0.25 T 0.25

MOTIF M1 one
letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 0
 0.100 0.200 0.300 0.400
 1.000 0.000 0.000 0.000
URL http://example.org

MOTIF M2
letter-probability matrix:
0.25 0.25 0.25 0.255
"""


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        path = tmp_path / "x.txt"
        path.write_text(text)
        return path

    return write


def test_jaspar_rows_follow_their_labels(file):
    first, second = read_motifs(file(JASPAR))
    assert (first.identifier, first.name, first.sites) == ("MA0001.1", "AGL3 a", 8)
    assert first.counts is not None
    np.testing.assert_array_equal(first.counts, [[3, 4, 1, 0], [4, 4, 0, 0]])
    np.testing.assert_allclose(first.probabilities, [[3 / 8, 1 / 2, 1 / 8, 0], [1 / 2, 1 / 2, 0, 0]], rtol=1e-15)
    assert (second.identifier, second.name) == ("MA0002.1", "MA0002.1")


def test_meme_columns_follow_the_alphabet_line(file):
    first, second = read_motifs(file(MEME))
    assert (first.identifier, first.name, first.sites, first.counts) == ("M1", "one", 20, None)
    np.testing.assert_allclose(first.probabilities, [[0.3, 0.2, 0.1, 0.4], [0, 0, 1, 0]], rtol=1e-15)
    assert (second.identifier, second.name, second.sites) == ("M2", "M2", None)
    np.testing.assert_allclose(second.probabilities.sum(1), 1, rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.txt must start with 'MEME version' .*got ''"),
        ("ACGT\n", "x.txt must start with .*got 'ACGT'"),
        (">M1\n", "motif 'M1': expected the letters 'ACGT' in some order, got ''"),
        (
            ">M1\nA [ 1 ]\nC [ 1 ]\nG [ 1 ]\n",
            "motif 'M1': expected the letters 'ACGT' in some order, got 'ACG'",
        ),
        (
            ">M1\nA [ 1 ]\nC [ 1 ]\nG [ 1 ]\nA [ 1 ]\n",
            "expected the letters 'ACGT' in some order, got 'ACGA'",
        ),
        (">M1\nA [ 1 2 ]\nC [ 1 ]\nG [ 1 ]\nT [ 1 ]\n", r"the rows differ in length, \[2, 1, 1, 1\]"),
        (">M1\nA [ 1 x ]\n", r"expected a row like 'A \[ 1 2 3 \]', got 'A \[ 1 x \]'"),
        (">M1\nA [ 1\n", "expected a row like"),
        (">M1\n1 2 3\n1 2 3\n1 2 3\n1 2 3\n", "expected the letters 'ACGT' in some order, got '1111'"),
        (">M1\nA [ 0 ]\nC [ 0 ]\nG [ 0 ]\nT [ 0 ]\n", "motif 'M1': counts must have a positive entry"),
        (">M1\nA [ -1 ]\nC [ 2 ]\nG [ 0 ]\nT [ 0 ]\n", "motif 'M1': counts must be finite"),
        (">M1\nA [ nan ]\nC [ 2 ]\nG [ 0 ]\nT [ 0 ]\n", "motif 'M1': counts must be finite"),
        ("MEME version 4\n", "no line 'ALPHABET= ACGT'"),
        (MEME.replace("GCAT", "ACGU"), "ALPHABET=: expected the letters 'ACGT' in some order, got 'ACGU'"),
        (MEME[: MEME.index("MOTIF M1")], "holds no motif"),
        (MEME[: MEME.index("letter-prob")], "motif 'M1': there is no line 'letter-probability matrix:'"),
        (MEME[: MEME.index(" 1.000")], "motif 'M1': expected 2 rows of 4 probabilities, got 1 rows"),
        (MEME[: MEME.index(" 0.100")], "motif 'M1': expected 2 rows of 4 probabilities, got 0 rows"),
        (MEME[: MEME.index(" 0.000 0.000\n")], r"motif 'M1': expected 2 rows .*got 2 rows of \[2, 4\]"),
        (MEME.replace("w= 2", "w= 1"), "motif 'M1': expected 1 rows of 4 probabilities, got 2 rows"),
        (MEME.replace("0.400", "0.411"), r"motif 'M1': row 0 \(0-based\) must be probabilities with sum 1"),
        (MEME.replace("0.200 0.300", "-0.200 0.700"), "motif 'M1': row 0 .* must be probabilities"),
        (MEME.replace("0.200", "nan"), "motif 'M1': row 0 .* must be probabilities"),
        (MEME.replace("nsites= 20", "nsites= x"), "motif 'M1': nsites must be a number of sites, got 'x'"),
    ],
)
def test_what_is_wrong_is_named_with_its_motif(file, text, message):
    with pytest.raises(ValueError, match=message):
        read_motifs(file(text))


def made(alphabet_size: int = 4) -> list[Motif]:
    rng = np.random.default_rng(0)
    return [
        Motif("long name\there", "id 1", rng.dirichlet(np.ones(alphabet_size), 9), 12),
        Motif("b", "id2", rng.dirichlet(np.full(alphabet_size, 0.1), 3)),
    ]


@pytest.mark.parametrize("alphabet", [DNA, RNA, PROTEIN])
def test_written_motifs_read_back(tmp_path, alphabet):
    motifs = made(len(alphabet))
    write_meme(tmp_path / "x.meme", motifs, alphabet=alphabet)
    read = read_motifs(tmp_path / "x.meme", alphabet)
    assert [(m.identifier, m.name, m.sites) for m in read] == [
        ("id_1", "long_name_here", 12),
        ("id2", "b", None),
    ]
    for before, after in zip(motifs, read, strict=True):
        np.testing.assert_allclose(after.probabilities, before.probabilities, rtol=0, atol=5e-9)


@pytest.mark.parametrize("control", ["\x1b[2J", "\x00", "\x7f", "\x9b", "\u202e", "\u2069", "\udc80"])
def test_what_is_not_printable_becomes_an_underscore(tmp_path, control):
    write_meme(tmp_path / "x.meme", [Motif(f"a{control}b", f"{control}β", np.full((2, 4), 0.25))])
    spelled = f"_{control[1:]}"
    (read,) = read_motifs(tmp_path / "x.meme")
    assert (read.name, read.identifier) == (f"a{spelled}b", f"{spelled}β")
    assert control not in (tmp_path / "x.meme").read_text("utf-8")


def test_the_written_lines_are_those_of_the_format(tmp_path):
    motif = Motif("n", "i", np.array([[0.5, 0.5, 0, 0], [0, 0, 0, 1.0]]), 3)
    write_meme(tmp_path / "x.meme", [motif], background=np.array([0.3, 0.2, 0.2, 0.3]))
    assert (tmp_path / "x.meme").read_text().split("\n") == [
        "MEME version 4",
        "",
        "ALPHABET= ACGT",
        "",
        "strands: + -",
        "",
        "Background letter frequencies",
        "A 0.300000000 C 0.200000000 G 0.200000000 T 0.300000000",
        "",
        "MOTIF i n",
        "letter-probability matrix: alength= 4 w= 2 nsites= 3 E= 0",
        "0.500000000 0.500000000 0.000000000 0.000000000",
        "0.000000000 0.000000000 0.000000000 1.000000000",
        "",
        "",
    ]
    write_meme(tmp_path / "p.meme", made(20), alphabet=PROTEIN)
    assert "strands" not in (tmp_path / "p.meme").read_text()


def test_writing_refuses_what_would_not_be_read(tmp_path):
    path, motifs = tmp_path / "x.meme", made()
    with pytest.raises(ValueError, match="at least one motif"):
        write_meme(path, [])
    with pytest.raises(ValueError, match="2 are called 'id_1'"):
        write_meme(path, [motifs[0], Motif("c", "id_1", motifs[0].probabilities)])
    with pytest.raises(ValueError, match="identifiers, but one is empty"):
        write_meme(path, [Motif("c", " ", motifs[0].probabilities)])
    with pytest.raises(ValueError, match="motif 'id 1' must have 20 letters as the alphabet, got 4"):
        write_meme(path, motifs, alphabet=PROTEIN)
    with pytest.raises(ValueError, match="background must be 4 numbers with sum 1"):
        write_meme(path, motifs, background=np.array([0.5, 0.5, 0.5, 0.5]))
    assert not path.exists()
    write_meme(path, motifs)
    with pytest.raises(ValueError, match="exists already"):
        write_meme(path, motifs)
    write_meme(path, motifs[:1], force=True)
    assert len(read_motifs(path)) == 1


@pytest.mark.parametrize(
    "probabilities", [np.eye(4)[0], np.zeros((0, 4)), np.eye(4) * 1.1, -np.eye(4), np.eye(4) * np.nan]
)
def test_a_motif_holds_probabilities(probabilities):
    with pytest.raises(ValueError, match="probabilities"):
        Motif("n", "i", probabilities)


def test_both_real_files_hold_the_same_motifs(data):
    stem = "JASPAR2024_CORE_vertebrates_nonredundant"
    counted = read_motifs(data / "jaspar" / f"{stem}.jaspar")
    rounded = read_motifs(data / "jaspar" / f"{stem}.meme")
    assert len(counted) == len(rounded) == 879
    for one, other in zip(counted, rounded, strict=True):
        assert (one.identifier, one.name, one.sites) == (other.identifier, other.name, other.sites)
        # Six digits: 5e-7 an entry, and at most four times that in the sum it is divided by.
        np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=0, atol=2.5e-6)
    ctcf = next(m for m in counted if m.identifier == "MA0139.2")
    assert (ctcf.name, DNA.decode(ctcf.probabilities.argmax(1))) == ("CTCF", "GCCACCAGGGGGCGC")
