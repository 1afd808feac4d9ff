import numpy as np
import pytest

from jaxmaxent.data import Motif, read_motifs
from jaxmaxent.ensembles import DNA, PROTEIN, RNA, Alphabet


@pytest.mark.parametrize("alphabet", [RNA, PROTEIN])
def test_without_an_alphabet_letters_are_in_alphabetical_order(write_file, alphabet):
    rows = "\n".join(" ".join(f"{p:g}" for p in row) for row in np.eye(len(alphabet)))
    text = f"MEME version 4\n\nMOTIF M\nletter-probability matrix:\n\n{rows}\n"
    (motif,) = read_motifs(write_file("x.txt", text), alphabet)
    assert alphabet.decode(motif.probabilities.argmax(1)) == "".join(sorted(alphabet.letters))
    with pytest.raises(
        ValueError, match="motif 'M': expected .* rows of 4 prob|the file does not declare the order of the letters"
    ):
        read_motifs(write_file("x.txt", text), Alphabet("WXYZ") if alphabet is RNA else DNA)


@pytest.mark.parametrize(
    "probabilities", [np.eye(4)[0], np.zeros((0, 4)), np.eye(4) * 1.1, -np.eye(4), np.eye(4) * np.nan]
)
def test_a_motif_holds_probabilities(probabilities):
    with pytest.raises(ValueError, match="probabilities"):
        Motif("n", "i", probabilities)
