import numpy as np
import pytest

from jaxmaxent import BINARY, DNA, PROTEIN, RNA, Alphabet

ALPHABETS = {"dna": DNA, "rna": RNA, "protein": PROTEIN, "binary": BINARY}


@pytest.mark.parametrize("name", ALPHABETS)
def test_letters_come_back_as_they_went_in(name):
    alphabet = ALPHABETS[name]
    tokens = np.random.default_rng(0).integers(0, len(alphabet), (5, 30))
    spelled = alphabet.decode(tokens)
    assert [len(s) for s in spelled] == [30] * 5
    assert set("".join(spelled)) == set(alphabet.letters)
    encoded = alphabet.encode(spelled)
    assert encoded.dtype == np.uint8
    np.testing.assert_array_equal(encoded, tokens)


def test_tokens_are_places_in_the_letters():
    np.testing.assert_array_equal(DNA.encode("ACGTTA"), [0, 1, 2, 3, 3, 0])
    assert DNA.decode(np.array([3, 2, 1, 0])) == "TGCA"
    assert DNA.decode(np.array([[3, 2], [1, 0]])) == ["TG", "CA"]
    np.testing.assert_array_equal(Alphabet("GCAT").encode("ACGT"), [2, 1, 0, 3])


def test_lower_case_is_read_unless_it_is_a_letter_of_its_own():
    np.testing.assert_array_equal(DNA.encode("acgtN".replace("N", "A")), [0, 1, 2, 3, 0])
    np.testing.assert_array_equal(Alphabet("aA").encode("Aa"), [1, 0])
    with pytest.raises(ValueError, match="has 'A' at position 0"):
        Alphabet("ab").encode("A")


@pytest.mark.parametrize(
    ("code", "meaning"),
    {
        "R": "A or G", "Y": "C or T", "S": "C or G", "W": "A or T", "K": "G or T", "M": "A or C",
        "B": "C, G or T", "D": "A, G or T", "H": "A, C or T", "V": "A, C or G", "N": "any letter", "n": "any letter",
    }.items(),
)  # fmt: skip
def test_ambiguity_codes_are_named_with_their_place(code, meaning):
    with pytest.raises(ValueError, match=rf"sequence 1 has '{code}' \(IUPAC for {meaning}\) at position 2 \(0-based\)"):
        DNA.encode(["ACGT", f"AC{code}T"])


@pytest.mark.parametrize("sequence", ["ACGTLACGTACGT", "MKVHRS", "mkvlaagivgl"])
def test_a_protein_among_nucleotides_is_told_of_its_alphabet(sequence):
    for alphabet in (DNA, RNA):
        with pytest.raises(ValueError, match="; it reads as a protein, for which alphabet=PROTEIN may be meant$"):
            alphabet.encode(sequence)
    PROTEIN.encode(sequence)


@pytest.mark.parametrize("sequence", ["ACGTNNNNNNN", "ACRYGT", "ACGTLX", "ACGT-"])
def test_other_letters_are_not_taken_for_a_protein(sequence):
    with pytest.raises(ValueError, match="expected only the letters 'ACGT'$"):
        DNA.encode(sequence)


def test_codes_mean_nothing_in_other_alphabets():
    with pytest.raises(ValueError, match="^sequence has 'B' at position 1"):
        PROTEIN.encode("AB")
    np.testing.assert_array_equal(PROTEIN.encode("R"), [PROTEIN.letters.index("R")])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "sequence is empty"),
        (["ACGT", ""], "sequence 0 has 4 letters and sequence 1 has 0"),
        (["", ""], "sequence 0 is empty"),
        ([], "at least one sequence, got an empty list"),
        (["ACGT", "ACGT", "ACG"], "sequence 0 has 4 letters and sequence 2 has 3"),
        ("ACUT", "has 'U' at position 2"),
        ("AC T", "has ' ' at position 2"),
        ("ACGT\n", r"has '\\n' at position 4"),
        ("AСGT", "has 'С' at position 1"),  # the Cyrillic letter that looks like C
        ("AC\N{DNA DOUBLE HELIX}", "has '\N{DNA DOUBLE HELIX}' at position 2"),
    ],
)
def test_what_is_no_sequence_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        DNA.encode(given)


@pytest.mark.parametrize("letters", ["αβγ", "ÿa", "aÿ", "Aİ", "\N{GREEK CAPITAL LETTER MU}A", "日本"])
def test_letters_beyond_latin_are_letters_too(letters):
    alphabet = Alphabet(letters)
    np.testing.assert_array_equal(alphabet.encode(letters), np.arange(len(letters)))
    assert alphabet.decode(alphabet.encode(letters[::-1])) == letters[::-1]
    with pytest.raises(ValueError, match="has 'ж' at position 1"):
        alphabet.encode(letters[0] + "ж")


@pytest.mark.parametrize("tokens", [[0, 4], [-1, 0]])
def test_tokens_outside_the_alphabet_are_not_decoded(tokens):
    with pytest.raises(ValueError, match="tokens must be 0 to 3, got values"):
        DNA.decode(np.array(tokens))


@pytest.mark.parametrize("given", ["GATA", ["GA", "TC"], [0.5, 1.0]])
def test_one_hot_takes_whole_numbers(given):
    with pytest.raises(ValueError, match="tokens must be whole numbers, got .*; encode"):
        DNA.one_hot(given)


def test_one_hot_has_the_letters_own_order():
    one_hot = DNA.one_hot(DNA.encode(["GA", "TC"]))
    assert one_hot.shape == (2, 2, 4)
    assert one_hot.dtype == np.float32
    np.testing.assert_array_equal(one_hot, [[[0, 0, 1, 0], [1, 0, 0, 0]], [[0, 0, 0, 1], [0, 1, 0, 0]]])


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.float16, np.float64])
def test_a_declared_letter_order_is_obeyed(dtype):
    """By hand: with the columns G, C, A, T these rows are C, T, A, G."""
    one_hot = np.array([[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]], dtype)
    tokens = DNA.from_one_hot(one_hot, "GCAT")
    assert tokens.dtype == np.uint8
    assert DNA.decode(tokens) == "CTAG"
    assert DNA.decode(DNA.from_one_hot(one_hot, "ACGT")) == "CTGA"
    assert DNA.decode(DNA.from_one_hot(one_hot, "TACG")) == "AGCT"  # unlike the others not its own inverse
    assert DNA.decode(DNA.from_one_hot(np.stack([one_hot, one_hot[::-1]]), "GCAT")) == ["CTAG", "GATC"]


def test_published_anchors_have_the_published_composition(data):
    one_hot = np.load(data / "ctcf" / "published_anchors_gcat.npy", allow_pickle=False)
    tokens = DNA.from_one_hot(one_hot, "GCAT")
    assert tokens.shape == (10, 101)
    gc = np.isin(tokens, DNA.encode("GC")).mean()
    assert round(gc, 3) == 0.508
    # GC content cannot tell G from C or A from T; the first anchor's core does.
    assert DNA.decode(tokens[0])[40:47] == "TGCCCCC"


@pytest.mark.parametrize(
    ("one_hot", "message"),
    [
        ([[1, 0, 0, 0], [0, 0, 0, 0]], r"at index \[1\] it holds \[0, 0, 0, 0\]"),
        ([[1, 0, 0, 0], [1, 1, 0, 0]], r"at index \[1\] it holds \[1, 1, 0, 0\]"),
        ([[[1, 0, 0, 0], [2, -1, 0, 0]]], r"at index \[0, 1\] it holds"),
        ([[0.9, 0.1, 0, 0]], r"exactly one 1 .* at index \[0\]"),
        ([[np.nan, 1, 0, 0]], r"exactly one 1 .* at index \[0\]"),
        ([[1, 0, 0]], r"shape \[\.\.\., length, 4\] and not be empty, got \[1, 3\]"),
        ([1, 0, 0, 0], r"got \[4\]"),
        (np.zeros((0, 4)), r"got \[0, 4\]"),
        ([["1", "0", "0", "0"]], "must hold numbers, got dtype <U1"),
        (np.array([[1, 0, 0, None]], object), "must hold numbers, got dtype object"),
    ],
)
def test_what_is_no_one_hot_is_refused(one_hot, message):
    with pytest.raises(ValueError, match=message):
        DNA.from_one_hot(one_hot, "ACGT")


@pytest.mark.parametrize("letters", ["ACG", "ACGU", "ACGTT", "AACG", "acgt", ""])
def test_what_is_no_letter_order_is_refused(letters):
    with pytest.raises(ValueError, match=f"letters must be the letters 'ACGT' in some order, got '{letters}'"):
        DNA.from_one_hot(np.eye(4), letters)


def test_reverse_complement_is_the_other_strand():
    tokens = DNA.encode(["AACGT", "GATTC"])
    assert DNA.decode(DNA.reverse_complement(tokens)) == ["ACGTT", "GAATC"]
    assert DNA.decode(DNA.complement(tokens)) == ["TTGCA", "CTAAG"]
    assert DNA.decode(DNA.reverse_complement(tokens[1])) == "GAATC"
    assert RNA.decode(RNA.reverse_complement(RNA.encode("AACGU"))) == "ACGUU"
    other_order = Alphabet("GCAT", complements="CGTA")
    assert other_order.decode(other_order.reverse_complement(other_order.encode("AACGT"))) == "ACGTT"


@pytest.mark.parametrize("name", ["protein", "binary"])
def test_not_every_alphabet_has_another_strand(name):
    alphabet = ALPHABETS[name]
    with pytest.raises(ValueError, match=f"the alphabet '{alphabet.letters}' has no complements"):
        alphabet.reverse_complement(np.zeros(3, int))


@pytest.mark.parametrize("letters", ["", "A", "AA", "ACGA", "".join(map(chr, range(256, 512)))])
def test_letters_must_be_two_or_more_and_different(letters):
    with pytest.raises(ValueError, match="letters must be 2 to 255 different characters"):
        Alphabet(letters)


@pytest.mark.parametrize("complements", ["TGC", "TGCC", "UGCA", "", "TGCAA"])
def test_complements_must_be_the_same_letters(complements):
    with pytest.raises(ValueError, match="complements must be the letters 'ACGT' in another order"):
        Alphabet("ACGT", complements=complements)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"complements": "CGTA"}, "complements must be mutual"),
        ({"complements": "CGAT"}, "complements must be mutual"),  # T is its own, the other three go round
        ({"any_letter": "A"}, "any_letter must be one character that is no letter"),
        ({"any_letter": ""}, "any_letter must be one character"),
    ],
)
def test_alphabets_that_contradict_themselves_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Alphabet("ACGT", **settings)
