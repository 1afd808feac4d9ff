import gzip
import struct

import numpy as np
import pytest
from genomes import windows_inside

from jaxmaxent.data import read_windows
from jaxmaxent.data._twobit import TwoBit
from jaxmaxent.ensembles import DNA

SEQUENCES = {"chr1": "ACGTTGCAAC", "chr2": "NNGGNNNTTACGTACN", "chr3": "T"}


def written(order: str = "<", version: int = 0) -> bytes:
    """A 2bit file made of text bits, after the description of the format."""
    records = []
    for letters in SEQUENCES.values():
        starts = [i for i, x in enumerate(letters) if x == "N" and letters[i - 1 : i] != "N"]
        sizes = [len(letters[i:]) - len(letters[i:].lstrip("N")) for i in starts]
        bits = "".join({"T": "00", "C": "01", "A": "10", "G": "11", "N": "00"}[x] for x in letters)
        packed = bytes(int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8))
        numbers = [len(letters), len(starts), *starts, *sizes, 1, 2, 3, 0]  # one stretch in lower case
        records.append(struct.pack(f"{order}{len(numbers)}I", *numbers) + packed)
    at = 16 + sum(5 + len(name) for name in SEQUENCES)
    index = b""
    for name, record in zip(SEQUENCES, records, strict=True):
        index += bytes([len(name)]) + name.encode() + struct.pack(f"{order}I", at)
        at += len(record)
    return struct.pack(f"{order}4I", 0x1A412743, version, len(records), 0) + index + b"".join(records)


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_stretch_of_every_sequence(tmp_path, order):
    (tmp_path / "g.2bit").write_bytes(written(order))
    genome = TwoBit(tmp_path / "g.2bit")
    assert genome.keys() == list(SEQUENCES) and "chr1" in genome and "chr4" not in genome
    for name, letters in SEQUENCES.items():
        assert len(genome[name]) == len(letters)
        for start in range(len(letters)):
            for stop in range(start, len(letters) + 1):
                assert genome[name][start:stop] == letters[start:stop]


def test_windows_are_those_of_fasta(tmp_path):
    (tmp_path / "g.2bit").write_bytes(written())
    fasta = "".join(f">{name}\n{letters}\n" for name, letters in SEQUENCES.items())
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(fasta.encode()))
    given = [(name, i, i + 1, "+-."[i % 3]) for name, letters in SEQUENCES.items() for i in range(len(letters))]
    one, other = (windows_inside(tmp_path / name, given, length=3) for name in ("g.2bit", "g.fa.gz"))
    assert one.names == other.names and len(one) == 8 + 6
    assert DNA.decode(one.tokens) == DNA.decode(other.tokens)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "g.2bit cannot be read"),
        (b">chr1\nACGT\n", "g.2bit is not a 2bit file: it does not begin with the signature 0x1a412743"),
        (written(version=1), "g.2bit must be a 2bit file of version 0, got version 1"),
        (written()[:10], "g.2bit is cut off: it has 10 bytes, expected at least 16"),
        (written()[:20], "g.2bit is cut off"),
        (written()[:-1], "g.2bit is cut off"),
    ],
)
def test_files_that_are_not_sound(tmp_path, content, message):
    (tmp_path / "g.2bit").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_windows(tmp_path / "g.2bit", [("chr3", 0, 1)], length=1)


def test_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match="g.2bit cannot be read: No such file"):
        TwoBit(tmp_path / "g.2bit")


def test_a_large_stretch_at_random(tmp_path, monkeypatch):
    letters = "".join(np.random.default_rng(0).choice(list("ACGTN"), 1000, p=[0.2, 0.2, 0.2, 0.2, 0.2]))
    monkeypatch.setitem(SEQUENCES, "chr2", letters)
    (tmp_path / "g.2bit").write_bytes(written())
    assert TwoBit(tmp_path / "g.2bit")["chr2"][3:997] == letters[3:997]
