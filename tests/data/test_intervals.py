"""Intervals as rows, data frames and tables of any kind; BED files are in `test_genome.py`."""

import dataclasses
import sys

import numpy as np
import pandas as pd
import pytest

from jaxmaxent.data import Region, read_windows

ROWS = [("chr1", 4, 7, "-"), ("chr2", 2, 7, "+"), ("chr1", 3, 4, ".")]
NAMES = ("chr1:4-7(-)", "chr2:3-6(+)", "chr1:2-5(.)")  # of windows of three letters
COLUMNS = dict(zip(("chrom", "start", "end", "strand"), map(list, zip(*ROWS, strict=True)), strict=True))


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">chr1\nACGTTGCAAC\n>chr2\nGGACTTACGTAC\n")
    return path


@dataclasses.dataclass
class Frame:
    """A data frame of a library that is not known: names of columns, and columns by their names."""

    table: dict

    @property
    def columns(self):
        return list(self.table)

    def __getitem__(self, name):
        return iter(self.table[name])

    def __iter__(self):
        raise AssertionError("its rows are not asked for")


class Arrow(Frame):
    """One whose `columns` are the columns themselves, and that has no rows."""

    __iter__ = None
    column_names = property(Frame.columns.fget)
    columns = property(lambda self: list(self.table.values()))


KINDS = {
    "tuples": ROWS,
    "lists": [list(row) for row in ROWS],
    "regions": [Region(*row) for row in ROWS],
    "text": [tuple(map(str, row)) for row in ROWS],
    "an array of text": np.array(ROWS),
    "dictionaries": [dict(zip(("strand", "stop", "start", "chr"), row[::-1], strict=True)) for row in ROWS],
    "a generator": (row for row in ROWS),
    "a dictionary of columns": COLUMNS,
    "a structured array": np.array(ROWS, [("Chromosome", "U8"), ("Start", int), ("End", int), ("Strand", "U1")]),
    "pandas": pd.DataFrame(COLUMNS),
    "pandas rows": (row for _, row in pd.DataFrame(COLUMNS).iterrows()),
    "pandas tuples": pd.DataFrame(COLUMNS).itertuples(index=False),
    "pandas, other columns first": pd.DataFrame(COLUMNS | {"score": 0.5})[["score", "end", "strand", "chrom", "start"]],
    "pandas without names": pd.DataFrame(ROWS).assign(a=0, b=0)[[0, 1, 2, "a", "b", 3]].set_axis(range(6), axis=1),
    "pandas, floats": pd.DataFrame(COLUMNS).astype({"start": float, "end": np.float32}),
    "another library": Frame(COLUMNS),
    "columns by names": Arrow(COLUMNS),
    "names made up": Frame({f"column_{i + 1}": column for i, column in enumerate(
        [*list(COLUMNS.values())[:3], "abc", "abc", COLUMNS["strand"]])}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_any_kind_give_the_same_windows(genome, kind):
    assert read_windows(genome, KINDS[kind], length=3).names == NAMES


def test_no_library_is_imported(genome, monkeypatch):
    for name in ("pandas", "polars", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)  # an import fails
    assert read_windows(genome, Frame(COLUMNS), length=3).names == NAMES


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, "*"])
def test_strands_may_be_missing(genome, missing):
    frame = pd.DataFrame(COLUMNS).assign(strand=pd.Series(["-", missing, missing], dtype=object))
    assert [name[-2] for name in read_windows(genome, frame, length=3).names] == ["-", ".", "."]
    assert [name[-2] for name in read_windows(genome, frame.drop(columns="strand"), length=3).names] == [".", ".", "."]


@pytest.mark.parametrize("name", ["peak", "relSummit"])
def test_summits_of_a_data_frame(genome, name):
    frame = pd.DataFrame(COLUMNS).assign(**{name: [1, 4, -1]})
    assert read_windows(genome, frame, length=3, center="summit").names == (
        "chr1:4-7(-)", "chr2:5-8(+)", "chr1:2-5(.)",
    )  # fmt: skip
    assert read_windows(genome, frame, length=3).names == NAMES
    unnamed = pd.DataFrame([["chr1", 2, 9, "p", 0, ".", 1, 1, 1, 1]])
    assert read_windows(genome, unnamed, length=3, center="summit").names == ("chr1:2-5(.)",)


def test_the_length_is_that_of_the_intervals(genome):
    equal = [("chr1", 4, 7, "-"), ("chr2", 2, 5), ("chr1", 0, 3)]
    assert read_windows(genome, equal).names == ("chr1:4-7(-)", "chr2:2-5(.)", "chr1:0-3(.)")
    even = [("chr1", start, start + 4) for start in range(7)]
    assert read_windows(genome, even).names == tuple(f"chr1:{start}-{start + 4}(.)" for start in range(7))
    message = r"intervals: length must be given .* intervals\[0\] has 3 letters and intervals\[1\] has 5"
    with pytest.raises(ValueError, match=message):
        read_windows(genome, ROWS)
    with pytest.raises(ValueError, match="length must be given if intervals are empty"):
        read_windows(genome, [("chr1", 4, 4)])


class Broken(Frame):
    def __getitem__(self, name):
        raise RuntimeError("no such thing")


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        (pd.DataFrame(COLUMNS).drop(columns="end"), {}, r"columns? each called chrom, start, end .* got \['chrom', "),
        (pd.DataFrame({"seqnames": ["chr1"], "start": [1], "end": [2]}), {}, "each called chrom, start, end"),
        (pd.DataFrame(COLUMNS | {"chr": 1}), {}, "one column each called chrom"),
        (pd.DataFrame(COLUMNS).head(0), {}, "intervals must hold at least one interval"),
        (pd.DataFrame(COLUMNS).assign(start=[4, np.nan, 3]), {}, r"intervals\[1\]: .* got \['chr2', 'nan', '7'\]"),
        (pd.DataFrame(COLUMNS).assign(start=[4, 2.5, 3]), {}, r"intervals\[1\]: .* got \['chr2', '2.5', '7'\]"),
        (pd.DataFrame(COLUMNS), {"center": "summit"}, "center must be 'midpoint' for intervals without one column"),
        (pd.DataFrame(COLUMNS).assign(peak="p"), {"center": "summit"}, r"intervals\[0\]: the summit must be a whole"),
        (COLUMNS | {"end": [7]}, {}, r"intervals must have columns of equal length, got \[3, 3, 1, 3\]"),
        (Broken(COLUMNS), {}, "intervals: the column 'chrom' cannot be read: 'no such thing'"),
        (pd.DataFrame([["chr1", 4]]), {}, "one column each called"),
        ([{"chrom": "chr1", "start": 4}], {}, r"intervals\[0\]: expected chromosome, start and end"),
        (b"chr1", {}, "intervals must be a BED file or intervals, got bytes"),
    ],
)  # fmt: skip
def test_wrong_data_frames(genome, given, settings, message):
    with pytest.raises(ValueError, match=message):
        read_windows(genome, given, length=3, **settings)
