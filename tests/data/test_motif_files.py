import numpy as np
import pytest
from motif_texts import FIRST, MEME, one_letter

from jaxmaxent.data import LeftOut, read_motifs
from jaxmaxent.ensembles import DNA


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
def test_what_is_wrong_is_named_with_its_motif(write_file, text, message):
    with pytest.raises(ValueError, match=message):
        read_motifs(write_file("x.txt", text))


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
def test_motifs_that_are_not_sound_are_left_out_with_a_warning(write_file, text, left_out, kept):
    with pytest.warns(LeftOut, match=left_out):
        read = read_motifs(write_file("x.txt", text))
    assert [m.identifier for m in read] == [*kept]


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
