"""Texts of motif files, for the tests of both formats."""

from jaxmaxent.ensembles import DNA

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


def one_letter(name, letter, order="ACGT", opening="MOTIF "):
    """A motif of one position that insists on a letter, in MEME format."""
    row = " ".join(f"{float(c == letter):g}" for c in order)
    return f"{opening}{name}\nletter-probability matrix: alength= 4 w= 1\n{row}\n\n"


def letters_of(motifs):
    return {m.identifier: DNA.decode(m.probabilities.argmax(1)) for m in motifs}
