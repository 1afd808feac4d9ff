"""Tables and tracks that are written part by part are those that are written at once."""

import numpy as np
import pytest

from jaxmaxent.data import _columns, _places
from jaxmaxent.data._places import places, track_parts
from jaxmaxent.files import mapped


def columns(rows, first=0):
    numbers = np.arange(first, first + rows)
    return {"name": np.array([f"n{k % 7}" for k in numbers], object), "value": numbers / 7, "good": numbers % 2 == 0}


def test_a_parquet_file_has_groups_of_so_many_rows_whatever_the_parts(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet", reason='needs pyarrow: pip install "jaxmaxent[parquet]"')
    monkeypatch.setattr(_columns, "_GROUP", 50)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert _columns.write_parquet(whole, [columns(120)]) == 120
    sizes = [0, 3, 60, 0, 50, 7, 0]
    some = (columns(size, sum(sizes[:k])) for k, size in enumerate(sizes))
    assert _columns.write_parquet(parts, some) == 120
    assert whole.read_bytes() == parts.read_bytes()
    file = parquet.ParquetFile(parts)
    assert [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)] == [50, 50, 20]
    table = {name: column.tolist() for name, column in columns(120).items()}
    assert file.read().to_pydict() == table
    # At once, as pyarrow writes groups by itself.
    arrow = parquet.read_table(whole)
    parquet.write_table(arrow, str(tmp_path / "arrow"), row_group_size=50)
    assert (tmp_path / "arrow").read_bytes() == whole.read_bytes()


def test_a_parquet_file_without_rows_has_its_columns(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason='needs pyarrow: pip install "jaxmaxent[parquet]"')
    assert _columns.write_parquet(tmp_path / "none", [columns(0), columns(0)]) == 0
    assert parquet.read_table(tmp_path / "none").to_pydict() == {"name": [], "value": [], "good": []}


def test_text_has_one_line_of_names(tmp_path):
    assert _columns.write_tsv(tmp_path / "whole", [columns(30)]) == 30
    assert _columns.write_tsv(tmp_path / "parts", (columns(10, k) for k in (0, 10, 20))) == 30
    assert (tmp_path / "whole").read_text() == (tmp_path / "parts").read_text()


@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize("most", [1, 5, 64])
def test_values_along_the_genome_do_not_depend_on_the_stretches(monkeypatch, most, errors):
    rng = np.random.default_rng(most)
    length = 9
    # Alone, overlapping, many at one place, and far away.
    starts = [*rng.integers(0, 150, 30), *[77] * 20, 10_000]
    names = [f"chr{rng.integers(1, 3)}:{at}-{at + length}({rng.choice(list('+-.'))})" for at in starts]
    values = rng.gamma(1.0, size=(len(names), length))
    values[rng.random(values.shape) < 0.1] = np.nan
    placed = places(names, length)
    at_once = list(track_parts(placed, values, errors=errors))
    assert [part.chromosome for part in at_once] == ["chr1", "chr2"]
    monkeypatch.setattr(_places, "_MOST", most)
    some = list(track_parts(placed, values, errors=errors))
    assert len(some) > 10
    assert max(part.anchors.sum() for part in some) <= max(most, 51)
    for whole in at_once:
        mine = [part for part in some if part.chromosome == whole.chromosome]
        for name in ("positions", "values", "anchors"):
            np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in mine]), getattr(whole, name))


def test_arrays_are_the_same_from_disk(tmp_path):
    one, two = np.arange(60.0).reshape(10, 2, 3), np.arange(40, dtype=np.int8).reshape(10, 4)
    found = mapped(tmp_path, ((one[k : k + 3], two[k : k + 3]) for k in (0, 3, 6, 9)), 10)
    for array, expected in zip(found, (one, two), strict=True):
        assert type(array) is np.ndarray and array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)
    (alone,) = mapped(tmp_path / "nowhere", [(one,)], 10)
    assert alone is one
