"""Tracks and stretches for genome browsers, read back and compared with a position-by-position count."""

import sys

import numpy as np
import pytest
from bigwig_reader import read_bigwig

from jaxmaxent.data import AnchorInterval, write_bed, write_track
from jaxmaxent.data._places import read_sizes

LENGTH = 7
# Two overlap, three of them on one stretch; the third is turned round.
NAMES = ["chr2:10-17(+)", "chr10:0-7", "chr2:13-20(-)", "chr2:14-21(.)", "chr2:40-47(-)"]
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(len(NAMES), LENGTH))
VALUES[0, 1] = VALUES[4, 0] = np.nan


def expected(values, *, errors=False):
    """The value of every position, by chromosome, counted one at a time."""
    found = {}
    for name, row in zip(NAMES, values, strict=True):
        chromosome, rest = name.split(":")
        start = int(rest.split("-")[0])
        for k, value in enumerate(row):
            at = start + LENGTH - 1 - k if name.endswith("(-)") else start + k
            if value == value:
                found.setdefault(chromosome, {}).setdefault(at, []).append(value)
    mean = (
        (lambda all_: sum(x * x for x in all_) ** 0.5 / len(all_)) if errors else (lambda all_: sum(all_) / len(all_))
    )
    return {name: {at: mean(all_) for at, all_ in places.items()} for name, places in found.items()}


def assert_same(found, wanted, rtol):
    assert {name: sorted(places) for name, places in found.items()} == {n: sorted(p) for n, p in wanted.items()}
    for name, places in wanted.items():
        np.testing.assert_allclose([found[name][at] for at in places], list(places.values()), rtol=rtol)


def read_bedgraph(path):
    first, *lines = path.read_text().splitlines()
    assert first.startswith("# jaxmaxent")
    rows = [line.split("\t") for line in lines]
    assert rows == sorted(rows, key=lambda row: (row[0], int(row[1])))
    assert all(int(end) == int(start) + 1 for _, start, end, _ in rows)
    found = {}
    for name, start, _, value in rows:
        assert int(start) not in found.setdefault(name, {})
        found[name][int(start)] = float(value)
    return found


@pytest.fixture(params=[".bedgraph", ".bw"])
def suffix(request):
    if request.param == ".bw":
        pytest.importorskip("pybigtools", reason='needs pybigtools: pip install "jaxmaxent[tracks]"')
    return request.param


def read(path):
    return read_bedgraph(path) if path.suffix == ".bedgraph" else read_bigwig(path)[1]


@pytest.mark.parametrize("errors", [False, True])
def test_values_lie_at_their_places_and_overlaps_have_the_mean(suffix, tmp_path, errors):
    path, values = tmp_path / f"t{suffix}", abs(VALUES) if errors else VALUES
    shared = write_track(path, NAMES, values, errors=errors)
    assert_same(read(path), expected(values, errors=errors), rtol=1e-6)
    # Positions 13 to 16 and 14 to 19 lie in two or three of the anchors.
    assert shared == 7


def test_an_anchor_without_coordinates_is_a_sequence_of_its_name(suffix, tmp_path):
    path = tmp_path / f"t{suffix}"
    write_track(path, ["b c", "a"], VALUES[1:3])
    wanted = {"b_c": dict(enumerate(VALUES[1])), "a": dict(enumerate(VALUES[2]))}
    assert_same(read(path), wanted, rtol=1e-6)


def test_coordinates_that_count_from_1_are_known_by_the_length(tmp_path):
    write_track(tmp_path / "t.bedgraph", ["chr1:11-17", "peak::chr1:30-37(-)"], VALUES[1:3])
    wanted = {10 + k: value for k, value in enumerate(VALUES[1])} | {36 - k: v for k, v in enumerate(VALUES[2])}
    assert_same(read(tmp_path / "t.bedgraph"), {"chr1": dict(sorted(wanted.items()))}, rtol=1e-6)


def test_a_bigwig_is_read_by_its_library_and_has_the_sizes_of_the_genome(tmp_path):
    pybigtools = pytest.importorskip("pybigtools", reason='needs pybigtools: pip install "jaxmaxent[tracks]"')
    path, sizes = tmp_path / "t.bigWig", {"chr1": 500, "chr2": 1000, "chr10": 99}
    write_track(path, NAMES, VALUES, sizes=sizes)
    assert read_bigwig(path)[0] == {"chr2": 1000, "chr10": 99}
    reader = pybigtools.open(str(path))
    assert reader.chroms("chr2") == 1000
    found = {name: {start: value for start, _, value in reader.records(name)} for name in ("chr2", "chr10")}
    assert_same(found, expected(VALUES), rtol=1e-6)
    write_track(tmp_path / "u.bw", NAMES, VALUES)
    assert read_bigwig(tmp_path / "u.bw")[0] == {"chr2": 47, "chr10": 7}


def test_a_bigwig_of_many_blocks_is_read_whole(tmp_path):
    pytest.importorskip("pybigtools", reason='needs pybigtools: pip install "jaxmaxent[tracks]"')
    starts, values = np.arange(0, 300_000, 1000), RNG.normal(size=(300, 40))
    write_track(tmp_path / "t.bw", [f"chr1:{start}-{start + 40}" for start in starts], values)
    found = read_bigwig(tmp_path / "t.bw")[1]["chr1"]
    assert len(found) == values.size
    np.testing.assert_allclose([[found[start + k] for k in range(40)] for start in starts], values, rtol=1e-6)


def test_only_tracks_that_were_written_here_are_replaced(suffix, tmp_path):
    path = tmp_path / f"t{suffix}"
    write_track(path, NAMES, VALUES)
    with pytest.raises(ValueError, match="exists already"):
        write_track(path, NAMES, VALUES)
    write_track(path, NAMES, 2 * VALUES, force=True)
    assert_same(read(path), expected(2 * VALUES), rtol=1e-6)
    other = tmp_path / f"other{suffix}"
    whole = path.read_bytes()
    other.write_bytes(whole[:-13] if suffix == ".bw" else whole.replace(b"# jaxmaxent", b"# another"))
    before = other.read_bytes()
    with pytest.raises(ValueError, match="was not written by jaxmaxent"):
        write_track(other, NAMES, VALUES, force=True)
    assert other.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {path.name, other.name}


@pytest.mark.parametrize(
    ("names", "values", "more", "words"),
    [
        (NAMES[:1], VALUES, {}, "values must be of the 1 anchors"),
        (NAMES, VALUES[0], {}, "values must have shape"),
        (NAMES, np.full_like(VALUES, np.inf), {}, "got infinity"),
        (NAMES, np.full_like(VALUES, np.nan), {}, "got none"),
        (["chr1:1-8", "b"], VALUES[:2], {}, "names must all be coordinates such as .*, or none of them, got 'b'"),
        (["chr1:2-7"], VALUES[:1], {}, "names must be coordinates of 7 positions .* got 'chr1:2-7' of 5"),
        (["chr1:9999999992-9999999999"], VALUES[:1], {}, "names must be coordinates of at most 4294967295"),
        (["a b", "a_b"], VALUES[:2], {}, "names must differ, .* several are called 'a_b'"),
        ([" "], VALUES[:1], {}, "names must not be empty"),
        (NAMES, VALUES, {"sizes": {"chr2": 100}}, "sizes must have every chromosome .* 'chr10'"),
        (NAMES, VALUES, {"sizes": {"chr2": 20, "chr10": 7}}, "got 20 for 'chr2', on which an anchor ends at 47"),
        (NAMES, VALUES, {"sizes": {"chr2": 0}}, r"sizes\['chr2'\] must be a whole number of at least 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_placed_is_one_sentence(tmp_path, names, values, more, words):
    with pytest.raises(ValueError, match=words):
        write_track(tmp_path / "t.bedgraph", names, values, **more)
    assert not list(tmp_path.iterdir())


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="path must end in .bedgraph, .bg, .bigwig, .bw, got "):
        write_track(tmp_path / "t.wig", NAMES, VALUES)


def test_without_its_package_a_bigwig_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pybigtools", None)
    with pytest.raises(ImportError, match=r'pip install "jaxmaxent\[tracks\]"'):
        write_track(tmp_path / "t.bw", NAMES, VALUES)
    assert not list(tmp_path.iterdir())


def test_stretches_lie_at_their_places_on_their_strands(tmp_path):
    stretches = [
        (2, 0, 3, "x y", 0.5, "+"), (0, 2, 4), AnchorInterval(4, 5, 7, strand="-"), (1, 0, 7, "", 1, "-"),
        (2, 1, 2, "z", 0.2504),
    ]  # fmt: skip
    write_bed(tmp_path / "s.bed", NAMES, stretches, length=LENGTH)
    first, *lines = (tmp_path / "s.bed").read_text().splitlines()
    assert first == "# jaxmaxent"
    assert [line.split("\t") for line in lines] == [
        ["chr10", "0", "7", ".", "1000", "-"],
        ["chr2", "12", "14", ".", "0", "+"],
        ["chr2", "17", "20", "x_y", "500", "-"],
        ["chr2", "18", "19", "z", "250", "-"],
        ["chr2", "40", "42", ".", "0", "+"],
    ]


@pytest.mark.parametrize(
    ("stretch", "words"),
    [
        ((5, 0, 3), r"intervals\[0\].anchor must be a whole number of at most 4, got 5"),
        ((0, 7, 8), r"intervals\[0\].start must be a whole number of at most 6, got 7"),
        ((0, 3, 3), r"intervals\[0\].stop must be a whole number of at least 4, got 3"),
        ((0, 3, 8), r"intervals\[0\].stop must be a whole number of at most 7, got 8"),
        ((0, 3, 4, "a", 1.01), r"intervals\[0\].score must be from 0 to 1, got 1.01"),
        ((0, 3, 4, "a", 1, "*"), r"intervals\[0\].strand must be '\+', '-' or '.', got '\*'"),
        ((0, 3), r"intervals\[0\] must be anchor, start, stop and optionally"),
    ],
)
def test_stretches_outside_their_anchor_are_one_sentence(tmp_path, stretch, words):
    with pytest.raises(ValueError, match=words):
        write_bed(tmp_path / "s.bed", NAMES, [stretch], length=LENGTH)
    assert not list(tmp_path.iterdir())


def test_one_stretch_is_not_taken_for_several(tmp_path):
    with pytest.raises(ValueError, match="intervals must be a list of stretches, got one"):
        write_bed(tmp_path / "s.bed", NAMES, AnchorInterval(0, 1, 2), length=LENGTH)


def test_sizes_are_read_from_both_kinds_of_tables(tmp_path):
    (tmp_path / "a").write_text("# x\nchr1\t10\n\nchr2 20\n")
    (tmp_path / "b.fai").write_text("chr1\t10\t6\t60\t61\n")
    assert (read_sizes(tmp_path / "a"), read_sizes(tmp_path / "b.fai")) == ({"chr1": 10, "chr2": 20}, {"chr1": 10})
    (tmp_path / "c").write_text("chr1\t10\nchr2\tx\n")
    with pytest.raises(ValueError, match="c, line 2: expected a chromosome and its length"):
        read_sizes(tmp_path / "c")
    (tmp_path / "d").write_text("")
    with pytest.raises(ValueError, match="d is empty"):
        read_sizes(tmp_path / "d")
