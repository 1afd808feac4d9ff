import tracemalloc
import warnings

import pytest

from jaxmaxent.data import LeftOut, read_fasta, read_sequences
from jaxmaxent.data import _gather as gather
from jaxmaxent.ensembles import DNA


@pytest.fixture
def fasta(write_file):
    return lambda text, name="x.fa": write_file(name, text)


def test_invalid_records_can_be_left_out_and_the_others_keep_their_numbers(fasta):
    path = fasta(">1\nAC\n>0\nNC\n>0\nGT\n>1\nA-\n>1\nTT\n")
    with pytest.raises(ValueError, match=r"record 1 '0' .* has 'N'"):
        read_fasta(path)
    with pytest.warns(LeftOut, match=r"x.fa: 2 of 5 sequences are left out, the first: record 1 '0' .* has 'N' "):
        read = read_fasta(path, skip_invalid=True)
    assert DNA.decode(read.tokens) == ["AC", "GT", "TT"]
    assert read.names == ("sequence_0", "sequence_2", "sequence_4")
    assert read.labels is not None and read.labels.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"x.fa: 2 of 2 sequences are left out, the first: record 0 'a'"):
        read_fasta(fasta(">a\nNN\n>b\nRR\n"), skip_invalid=True)
    with pytest.raises(ValueError, match="equal lengths"):  # only letters can be left out
        read_fasta(fasta(">a\nNN\n>b\nACG\n>c\nAC\n"), skip_invalid=True)
    assert len(read_fasta(fasta(">a\nAC\n"), skip_invalid=True)) == 1


@pytest.mark.parametrize("read", [read_fasta, read_sequences])
@pytest.mark.parametrize("at_once", [1, 3, 2**14])
def test_sequences_of_another_length_can_be_left_out(fasta, monkeypatch, at_once, read):
    monkeypatch.setattr(gather, "_SEQUENCES_AT_ONCE", at_once)
    path = fasta(">a\nACGT\n>b\nNCG\n>c\nACG\n>d\nGT\n>e\nTTT\n")
    with pytest.warns(
        LeftOut, match=r"x.fa: 3 of 5 sequences are left out, the first: record 0 'a' .* 3 letters, got 4"
    ):
        found = read(path, length=3, skip_invalid=True)
    assert found.names == ("c", "e") and DNA.decode(found.tokens) == ["ACG", "TTT"]
    with pytest.raises(ValueError, match=r"x.fa, record 0 'a' \(counted from 0\): expected 3 letters, got 4"):
        read(path, length=3)
    with pytest.raises(ValueError, match=r"5 of 5 sequences are left out"):
        read(path, length=7, skip_invalid=True)
    # The first is the one that stands first, also if its letters are looked at later.
    path = fasta(">a\nACG\n>b\nNCG\n>c\nACGT\n")
    with pytest.warns(LeftOut, match=r"2 of 3 sequences are left out, the first: record 1 'b'"):
        assert read(path, length=3, skip_invalid=True).names == ("a",)
    with pytest.raises(ValueError, match="length must be a whole number of at least 1, got 0"):
        read(path, length=0)


@pytest.mark.parametrize("at_once", [1, 3, 2**14])
def test_records_are_encoded_together_as_if_alone(fasta, monkeypatch, at_once):
    monkeypatch.setattr(gather, "_SEQUENCES_AT_ONCE", at_once)
    wanted = ["ACGT", "acgt", "NNNN", "TTTT", "GG-G", "GGGG", "TRTT", "CCCC"]
    path = fasta("".join(f">{i} x\n{s}\n" for i, s in enumerate(wanted)))
    valid = [i for i, s in enumerate(wanted) if set(s.upper()) <= set("ACGT")]
    for limit in range(1, len(valid) + 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeftOut)
            read = read_fasta(path, skip_invalid=True, limit=limit)
        assert read.names == tuple(map(str, valid[:limit]))
        assert DNA.decode(read.tokens) == [wanted[i].upper() for i in valid[:limit]]


def test_only_so_many_are_read(fasta):
    path = fasta(">a\nAC\n>b\nGT\n>c\nNNN\nno end")
    assert read_fasta(path, limit=2).names == ("a", "b")
    with pytest.raises(ValueError, match="record 2 'c'"):
        read_fasta(path, limit=3)
    with pytest.raises(ValueError, match="limit must be a whole number of at least 1, got 0"):
        read_fasta(path, limit=0)


def test_little_is_kept_of_a_record(fasta, monkeypatch):
    monkeypatch.setattr(gather, "_SEQUENCES_AT_ONCE", 256)
    count, length = 20_000, 101
    path = fasta("".join(f">seq{i} more words\n{'ACGTC' * 20 + 'A'}\n" for i in range(count)))
    tracemalloc.start()
    try:
        read = read_fasta(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(read) == count
    # Tokens, names with their references, and what is encoded at once.
    kept = count * (length + 49 + len("seq12345") + 8)
    assert peak < 2 * kept + 40 * gather._SEQUENCES_AT_ONCE * length
