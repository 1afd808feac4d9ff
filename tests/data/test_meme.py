import numpy as np
import pytest
from motif_texts import MEME, letters_of, one_letter

from jaxmaxent.data import Motif, read_motifs, write_meme
from jaxmaxent.ensembles import DNA, PROTEIN, RNA


def test_meme_columns_follow_the_alphabet_line(write_file):
    first, second = read_motifs(write_file("x.txt", MEME))
    assert (first.identifier, first.name, first.sites, first.counts) == ("M1", "one", 20, None)
    np.testing.assert_allclose(first.probabilities, [[0.3, 0.2, 0.1, 0.4], [0, 0, 1, 0]], rtol=1e-15)
    assert (second.identifier, second.name, second.sites) == ("M2", "M2", None)
    np.testing.assert_allclose(second.probabilities.sum(1), 1, rtol=1e-15)


@pytest.mark.parametrize("opening", ["MOTIF\t", "MOTIF  ", "MOTIF \t "])
def test_white_space_behind_motif_is_any(write_file, opening):
    text = "MEME version 4\n\nALPHABET= ACGT\n\n" + one_letter("A", "G") + one_letter("B\tb", "T", opening=opening)
    read = read_motifs(write_file("x.txt", text))
    assert letters_of(read) == {"A": "G", "B": "T"} and read[1].name == "b"


def test_words_that_begin_like_those_of_the_format_are_others(write_file):
    text = "MEME version 4\nALPHABET= ACGT\n" + one_letter("A", "G") + "MOTIFS found\nALPHABETS= TGCA\n"
    assert letters_of(read_motifs(write_file("x.txt", text + one_letter("B", "T")))) == {"A": "G", "B": "T"}


def test_every_part_of_a_joined_file_has_its_own_alphabet(write_file):
    orders = ["ACGT", "GCAT", "TGCA"]
    parts = [f"MEME version 4\n\nALPHABET= {o}\n\n" + one_letter(f"M{o}", "A", o) for o in orders]
    assert letters_of(read_motifs(write_file("x.txt", "".join(parts)))) == {f"M{o}": "A" for o in orders}
    # Also where the second head is shorter, and where a part has none: then its letters are in alphabetical order.
    assert set(
        letters_of(read_motifs(write_file("x.txt", parts[1] + parts[2].removeprefix("MEME version 4\n")))).values()
    ) == {"A"}
    bare = "MEME version 4\n\n" + one_letter("M", "C")
    assert letters_of(read_motifs(write_file("x.txt", parts[1] + bare))) == {"MGCAT": "A", "M": "C"}


DNA_LIKE = """ALPHABET "DNA" DNA-LIKE
A "Adenine = A" CC0000 ~ T "Thymine" 008000
C "Cytosine" 0000CC ~ G "Guanine" FFB300
# remarks
N "Any base ~" = ACGT
X = ACGT
U "Uracil" = T
END ALPHABET
"""


@pytest.mark.parametrize("head", [DNA_LIKE, "ALPHABET= acgt\n", "ALPHABET = ACGT\n", "ALPHABET=ACGT\n", ""])
def test_alphabets_in_other_words(write_file, head):
    text = "# DREME 5.1.1\n\nMEME version 5.1.1\n\n" + head + "\n" + one_letter("M", "T")
    assert letters_of(read_motifs(write_file("x.txt", text))) == {"M": "T"}


FULL = """********************************************************************************
MEME - Motif discovery tool
********************************************************************************
MEME version 5.0.2 (Release date: Thu Aug 30 14:26:08 2018 -0700)

TRAINING SET
PRIMARY SEQUENCES= x.fa
ALPHABET= ACGT
Sequence name            Weight Length  Sequence name            Weight Length
MOTIFS                   1.0000     41  ALPHABET1                1.0000     41

Letter frequencies in dataset:
A 0.3 C 0.2 G 0.2 T 0.3
Background letter frequencies (from file dataset with add-one prior applied):
A 0.3 C 0.2 G 0.2 T 0.3

********************************************************************************
MOTIF GT MEME-1\twidth =   2  sites =  10  llr = 200  E-value = 1e-10
********************************************************************************
\tMotif GT MEME-1 Description
Simplified        A  ::
MULTILEVEL           GT
--------------------------------------------------------------------------------
\tMotif GT MEME-1 in BLOCKS format
BL   MOTIF GT width=2 seqs=10
>x (    1) GT  1
//
\tMotif GT MEME-1 position-specific scoring matrix
log-odds matrix: alength= 4 w= 2 n= 10 bayes= 1 E= 1e-10
   -10    -10     20    -10
   -10    -10    -10     20
--------------------------------------------------------------------------------
\tMotif GT MEME-1 position-specific probability matrix
--------------------------------------------------------------------------------
letter-probability matrix: alength= 4 w= 2 nsites= 10.0 E= 1e-10
 0.000000  0.000000  1.000000  0.000000
 0.000000  0.000000  0.000000  1.000000
--------------------------------------------------------------------------------
\tMotif GT MEME-1 regular expression
GT

SUMMARY OF MOTIFS
SEQUENCE NAME            COMBINED P-VALUE  MOTIF DIAGRAM
x                                   0.01  2_[+1]
"""


def test_the_text_output_of_meme(write_file):
    (motif,) = read_motifs(write_file("x.txt", FULL))
    assert (motif.identifier, motif.name, motif.sites) == ("GT", "MEME-1", 10)
    assert letters_of([motif]) == {"GT": "GT"}


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
    with pytest.raises(ValueError, match="motif 'id 1' must have 20 letters like the alphabet, got 4"):
        write_meme(path, motifs, alphabet=PROTEIN)
    with pytest.raises(ValueError, match="background must be 4 numbers with sum 1"):
        write_meme(path, motifs, background=np.array([0.5, 0.5, 0.5, 0.5]))
    assert not path.exists()
    write_meme(path, motifs)
    with pytest.raises(ValueError, match="exists already"):
        write_meme(path, motifs)
    write_meme(path, motifs[:1], force=True)
    assert len(read_motifs(path)) == 1
