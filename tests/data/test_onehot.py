import io

import numpy as np
import pytest

from jaxmaxent.data import LeftOut, read_one_hot
from jaxmaxent.ensembles import DNA


def header(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    stream = io.BytesIO()
    fields = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, fields)
    return stream.getvalue()


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.fixture
def npy(tmp_path):
    def write(content: bytes):
        path = tmp_path / "x.npy"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32, np.float64, ">f8"])
def test_tokens_follow_the_declared_letter_order(npy, dtype):
    tokens = np.random.default_rng(0).integers(0, 4, (5, 7))
    one_hot = np.eye(4, dtype=dtype)[tokens]
    read = read_one_hot(npy(saved(one_hot)), "GCAT")
    spelled = ["".join("GCAT"[t] for t in row) for row in tokens]
    assert DNA.decode(read.tokens) == spelled
    assert read.names == tuple(f"sequence_{i}" for i in range(5)) and read.labels is None
    one = read_one_hot(npy(saved(np.asfortranarray(one_hot[0]))), "GCAT")
    assert DNA.decode(one.tokens) == spelled[:1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ACGT\n",
        b"PK\x03\x04" + bytes(50),
        saved(np.eye(4))[:50],
        saved(np.eye(4))[:-1],
        saved(np.eye(4))[:12] + b"(((" + saved(np.eye(4))[15:],
        saved(np.array([{"a": 1}], dtype=object)),
        header((10**20, 101, 4)),
        header((10**9, 10**9, 10**9)),
        header((-1, 4)),
    ],
)
def test_files_that_are_no_arrays_or_not_whole(npy, content):
    with pytest.raises(ValueError, match=r"x.npy is not a valid .npy file of numbers: "):
        read_one_hot(npy(content), "ACGT")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.eye(4)[0], "must have shape"),
        (np.eye(4)[None, None], "must have shape"),
        (np.eye(3), r"must have shape \[..., length, 4\]"),
        (np.zeros((0, 7, 4)), "not be empty"),
        (np.full((2, 4), 0.25), r"exactly one 1 .* at index \[0\]"),
        (np.eye(4) + np.eye(4)[0] * np.eye(4)[1][:, None], r"exactly one 1 .* at index \[1\]"),
        (np.eye(4) * np.nan, "exactly one 1"),
        (np.eye(4).astype(str), "must hold numbers"),
    ],
)
def test_arrays_that_are_no_one_hot(npy, array, message):
    with pytest.raises(ValueError, match=rf"x.npy: .*{message}"):
        read_one_hot(npy(saved(array)), "ACGT")


def test_wrong_letters_and_missing_files(npy, tmp_path):
    with pytest.raises(ValueError, match=r"x.npy: letters must be the letters 'ACGT' in some order, got 'ACGU'"):
        read_one_hot(npy(saved(np.eye(4))), "ACGU")
    with pytest.raises(ValueError, match=r"none.npy cannot be read: No such file"):
        read_one_hot(tmp_path / "none.npy", "ACGT")


def test_real_anchors(data):
    read = read_one_hot(data / "ctcf" / "published_anchors_gcat.npy", "GCAT")
    assert read.tokens.shape == (10, 101)
    assert round(np.isin(read.tokens, DNA.encode("GC")).mean(), 3) == 0.508
    assert DNA.decode(read.tokens[0])[40:47] == "TGCCCCC"


@pytest.mark.parametrize("unknown", [0.0, 0.25, 1.0])
def test_positions_without_one_letter_can_be_left_out(npy, unknown):
    one_hot = np.eye(4)[[[0, 1], [2, 3], [3, 3]]]
    one_hot[1, 0] = unknown
    with pytest.raises(ValueError, match=r"exactly one 1 .* at index \[1, 0\]"):
        read_one_hot(npy(saved(one_hot)), "ACGT")
    with pytest.warns(LeftOut, match="x.npy: 1 of 3 sequences are left out"):
        read = read_one_hot(npy(saved(one_hot)), "ACGT", skip_invalid=True)
    assert DNA.decode(read.tokens) == ["AC", "TT"] and read.names == ("sequence_0", "sequence_2")
    for wrong in (one_hot[1], one_hot[1:2]):  # none is left
        with pytest.raises(ValueError, match="exactly one 1"):
            read_one_hot(npy(saved(wrong)), "ACGT", skip_invalid=True)
    with pytest.raises(ValueError, match="must hold numbers"):
        read_one_hot(npy(saved(one_hot.astype(str))), "ACGT", skip_invalid=True)
