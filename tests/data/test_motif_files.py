import numpy as np
import pytest

from jaxmaxent.data import LeftOut, Motif, read_motifs, write_meme
from jaxmaxent.ensembles import DNA, PROTEIN, RNA, Alphabet

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
FIRST = MEME[: MEME.index("MOTIF M2")]


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
        (">M1\n1 2 3\n1 2 3\n1 2 3\n", "motif 'M1': expected 4 rows, got 3"),
        (">M1\nA 1 2 3\n1 2 3\n1 2 3\n1 2 3\n", "expected the letters 'ACGT' in some order, got 'A'"),
        (
            ">M1\n1 2 3 4\n1 2 3 4\n1 2 3 4\n",
            "expected a row for each of the letters 'ACGT', got one for each position",
        ),
        (">M1\nA [ 1e308 ]\nC [ 1e308 ]\nG [ 0 ]\nT [ 0 ]\n", "motif 'M1': counts must be at most 1e"),
        (">M1\nA [ 0 ]\nC [ 0 ]\nG [ 0 ]\nT [ 0 ]\n", "motif 'M1': counts must have a positive entry"),
        (">M1\nA [ -1 ]\nC [ 2 ]\nG [ 0 ]\nT [ 0 ]\n", "motif 'M1': counts must be finite"),
        (">M1\nA [ nan ]\nC [ 2 ]\nG [ 0 ]\nT [ 0 ]\n", "motif 'M1': counts must be finite"),
        ("MEME version 4\n", "x.txt holds no motif"),
        (MEME.replace("GCAT", "ACGU"), "motif 'M1': expected the letters 'ACGT' in some order, got 'ACGU'"),
        (MEME.replace("ALPHABET= GCAT", 'ALPHABET "DNA" DNA-LIKE'), "the line ALPHABET has no line END ALPHABET"),
        (MEME.replace("ALPHABET= GCAT\n", "").replace(" T 0.25", " U 0.25"), "background .* have the letters 'ACGU'"),
        (MEME[: MEME.index("MOTIF M1")], "holds no motif"),
        (MEME[: MEME.index("letter-prob")], "motif 'M1': there is no line 'letter-probability matrix:'"),
        (MEME[: MEME.index(" 1.000")], "motif 'M1': expected 2 rows of 4 probabilities, got 1 rows"),
        (MEME[: MEME.index(" 0.100")], "motif 'M1': expected 2 rows of 4 probabilities, got 0 rows"),
        (MEME[: MEME.index(" 0.000 0.000\n")], r"motif 'M1': expected 2 rows .*got 2 rows of \[2, 4\]"),
        (FIRST.replace("w= 2", "w= 1"), "motif 'M1': expected 1 rows of 4 probabilities, got 2 rows"),
        (FIRST.replace("alength= 4", "alength= 5"), "motif 'M1': expected 2 rows of 5 probabilities"),
        (FIRST.replace("MOTIF M1 one\n", ""), "without a line MOTIF before it"),
        (
            FIRST + FIRST[FIRST.index("letter-prob") :],
            "motif 'M1': there is more than one line 'letter-probability matrix:'",
        ),
        (FIRST.replace("0.400", "0.411"), r"motif 'M1': row 0 \(0-based\) must be probabilities with sum 1"),
        (FIRST.replace("0.200 0.300", "-0.200 0.700"), "motif 'M1': row 0 .* must be probabilities"),
        (FIRST.replace("0.200 0.300", "1e308 1e308"), "motif 'M1': row 0 .* must be probabilities"),
        (FIRST.replace("0.200", "inf"), "motif 'M1': row 0 .* must be probabilities"),
        (FIRST.replace("0.200", "nan"), "motif 'M1': row 0 .* must be probabilities"),
        (FIRST.replace("nsites= 20", "nsites= x"), "motif 'M1': nsites must be a number of sites, got 'x'"),
    ],
)
def test_what_is_wrong_is_named_with_its_motif(file, text, message):
    with pytest.raises(ValueError, match=message):
        read_motifs(file(text))


def one_letter(name, letter, order="ACGT", opening="MOTIF "):
    """A motif of one position that insists on a letter, in MEME format."""
    row = " ".join(f"{float(c == letter):g}" for c in order)
    return f"{opening}{name}\nletter-probability matrix: alength= 4 w= 1\n{row}\n\n"


def letters_of(motifs):
    return {m.identifier: DNA.decode(m.probabilities.argmax(1)) for m in motifs}


@pytest.mark.parametrize("opening", ["MOTIF\t", "MOTIF  ", "MOTIF \t "])
def test_white_space_behind_motif_is_any(file, opening):
    text = "MEME version 4\n\nALPHABET= ACGT\n\n" + one_letter("A", "G") + one_letter("B\tb", "T", opening=opening)
    read = read_motifs(file(text))
    assert letters_of(read) == {"A": "G", "B": "T"} and read[1].name == "b"


def test_words_that_begin_like_those_of_the_format_are_others(file):
    text = "MEME version 4\nALPHABET= ACGT\n" + one_letter("A", "G") + "MOTIFS found\nALPHABETS= TGCA\n"
    assert letters_of(read_motifs(file(text + one_letter("B", "T")))) == {"A": "G", "B": "T"}


def test_every_part_of_a_joined_file_has_its_own_alphabet(file):
    orders = ["ACGT", "GCAT", "TGCA"]
    parts = [f"MEME version 4\n\nALPHABET= {o}\n\n" + one_letter(f"M{o}", "A", o) for o in orders]
    assert letters_of(read_motifs(file("".join(parts)))) == {f"M{o}": "A" for o in orders}
    # Also where the second head is shorter, and where a part has none: then its letters are in alphabetical order.
    assert set(letters_of(read_motifs(file(parts[1] + parts[2].removeprefix("MEME version 4\n")))).values()) == {"A"}
    bare = "MEME version 4\n\n" + one_letter("M", "C")
    assert letters_of(read_motifs(file(parts[1] + bare))) == {"MGCAT": "A", "M": "C"}


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
def test_alphabets_in_other_words(file, head):
    text = "# DREME 5.1.1\n\nMEME version 5.1.1\n\n" + head + "\n" + one_letter("M", "T")
    assert letters_of(read_motifs(file(text))) == {"M": "T"}


@pytest.mark.parametrize("alphabet", [RNA, PROTEIN])
def test_without_an_alphabet_letters_are_in_alphabetical_order(file, alphabet):
    rows = "\n".join(" ".join(f"{p:g}" for p in row) for row in np.eye(len(alphabet)))
    text = f"MEME version 4\n\nMOTIF M\nletter-probability matrix:\n\n{rows}\n"
    (motif,) = read_motifs(file(text), alphabet)
    assert alphabet.decode(motif.probabilities.argmax(1)) == "".join(sorted(alphabet.letters))
    with pytest.raises(
        ValueError, match="motif 'M': expected .* rows of 4 prob|nothing tells the order of the letters"
    ):
        read_motifs(file(text), Alphabet("WXYZ") if alphabet is RNA else DNA)


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


def test_the_text_output_of_meme(file):
    (motif,) = read_motifs(file(FULL))
    assert (motif.identifier, motif.name, motif.sites) == ("GT", "MEME-1", 10)
    assert letters_of([motif]) == {"GT": "GT"}


def test_jaspar_dialects(file):
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
        (motif,) = read_motifs(file(f"\n# remark\n>MA0001.1  AGL3\n{body}\n\n"))
        assert (motif.identifier, motif.name, motif.sites) == ("MA0001.1", "AGL3", 97)
        np.testing.assert_array_equal(motif.counts, expected)


def test_four_bare_rows_of_four_follow_the_rest_of_the_file(file):
    square = ">S\n1 0 0 0\n0 1 0 0\n0 0 0 1\n0 0 1 0\n"
    long, tall = ">L\n" + "1 2 3 4 5\n" * 4, ">P\n" + "1 0 0 0\n" * 5
    assert letters_of(read_motifs(file(square))) == {"S": "ACTG"}
    assert set(letters_of(read_motifs(file(long + square)))) == {"L", "S"}
    with pytest.raises(ValueError, match="motif 'P': expected a row for each of the letters .* one for each position"):
        read_motifs(file(tall + square))
    with pytest.warns(LeftOut, match="1 of 3 motifs are left out, the first: motif 'P': expected 4 rows, got 5"):
        assert set(letters_of(read_motifs(file(long + tall + square)))) == {"L", "S"}


@pytest.mark.parametrize(
    ("text", "left_out", "kept"),
    [
        # Matrices that are missing, as some programs write them, without counts at a position, and cut off.
        ("MEME version 4\nALPHABET= ACGT\n" + one_letter("A", "C") + "MOTIF 2 x\nMOTIF 3\n\n" + one_letter("D", "T"),
         "x.txt: 2 of 4 motifs are left out, the first: motif '2': there is no line", "AD"),
        (">A\n1 2\n1 2\n1 2\n1 2\n>B\nA [ 1 0 ]\nC [ 1 0 ]\nG [ 1 0 ]\nT [ 1 0 ]\n>C\n1\n1\n1\n1\n",
         "1 of 3 motifs .* 'B': counts must have a positive entry in each row", "AC"),
        (MEME[: MEME.index("0.25 0.25 0.25 0.255")], "1 of 2 motifs .* 'M2': expected 0 rows", ["M1"]),
        ("MEME version 4\nALPHABET= ACGU\n" + one_letter("R", "U", "ACGU") + "MEME version 4\n" + one_letter("D", "G"),
         "1 of 2 motifs .* 'R': expected the letters 'ACGT'", "D"),
    ],
)  # fmt: skip
def test_motifs_that_are_not_sound_are_left_out_with_a_warning(file, text, left_out, kept):
    with pytest.warns(LeftOut, match=left_out):
        read = read_motifs(file(text))
    assert [m.identifier for m in read] == [*kept]


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
