"""Exports and motifs of a store: the same bytes as of a file, with the runs of few anchors in memory at a time."""

import dataclasses
import json
import weakref

import numpy as np
import pytest
from made_up_runs import made_up

import jaxmaxent as jme
from jaxmaxent import analysis
from jaxmaxent.cli import main
from jaxmaxent.commands._export_options import HOLDS
from jaxmaxent.results import Run, RunStore
from jaxmaxent.results import _store_writer as writer
from jaxmaxent.results._in_parts import RunParts

pytest.importorskip("zarr")
COUNT, BLOCK, LENGTH = 30, 8, 40
SITES = ("GGCACCTA", "TTGACGTAAC")
PACKAGES = {"parquet": "pyarrow", "bigwig": "pybigtools", "h5": "h5py"}
SLOW = "couplings"  # which `test_export_analyses` looks at
EVERY = [(kind, what) for kind, whats in HOLDS.items() for what in (whats or (None,)) if what != SLOW]
MORE = [
    ("bedgraph", "frequency", "--letter", "G"),
    ("bedgraph", "height", "--error"),
    ("bigwig", "information", "--error", "--beta", "10"),
    ("tsv", "anchors", "--beta", "10"),
    ("tsv", "anchors", "--beta", "0"),
    ("npz", None, "--beta", "10"),
    ("bed", "motifs", "--beta", "10"),
]


def call(*arguments):
    return main([str(argument) for argument in arguments])


def name_of(a, rng):
    start = int(rng.integers(0, 300))
    return f"chr{rng.integers(1, 4)}:{start}-{start + LENGTH}({'+-.'[a % 3]})"


def some_run():
    """A run with two motifs at two rungs, whose anchors overlap in a genome, with energies like a ladder's."""
    rng = np.random.default_rng(5)
    made = made_up(anchor=3, rung=4, position=LENGTH, chain=2, draw=60)
    made = dataclasses.replace(made, names=("a", "b", "c")).take(np.arange(COUNT) % 3)
    frequencies = rng.dirichlet(np.full(4, 50), (COUNT, 4, LENGTH))
    for a in range(0, COUNT, 2):
        site = jme.DNA.encode(SITES[a // 2 % 2])
        site = jme.DNA.reverse_complement(site) if a % 3 == 1 else site
        at = int(rng.integers(0, LENGTH - len(site)))
        frequencies[a, 2:, at : at + len(site)] = 0.92 * np.eye(4)[site] + 0.02
    beta = np.tile([0.0, 5.0, 10.0, 20.0], (COUNT, 1))
    fields = made.field_mean.shape[0], 4, 2
    return dataclasses.replace(
        made, names=tuple(name_of(a, rng) for a in range(COUNT)), beta=beta, frequencies=frequencies,
        anchors=rng.integers(0, 4, (COUNT, LENGTH), np.uint8), outcomes=tuple(f"outcome {a}" for a in range(COUNT)),
        frequency_errors=rng.uniform(0.001, 0.003, frequencies.shape), converged=np.arange(COUNT) % 9 != 4,
        draws=rng.integers(0, 4, (COUNT, 4, 60, 2, LENGTH), np.uint8), mu_share=np.ones_like(made.mu_share),
        energies=rng.gamma(3.0, 0.1 / (1 + beta[..., None, None] / 10), made.energies.shape).astype(np.float32),
        log_z=-3.0 * np.log1p(beta / 10), log_z_error=np.full(beta.shape, 0.1),
        counts=rng.integers(0, 5, made.counts.shape).astype(float), field_mean=rng.uniform(1, 5, fields),
        field_error=rng.uniform(0.01, 0.1, fields), field_variance=rng.uniform(1, 2, fields),
    )  # fmt: skip


def summary_of(run):
    rng = np.random.default_rng(6)
    rows = []
    for name in run.names:
        starts = rng.integers(0, LENGTH - 9, rng.integers(0, 3)).tolist()
        sites = [
            {"start": s, "stop": s + 9, "redundant": s % 2 == 0, "necessity": s / 7, "necessity_error": None}
            | {"sufficiency": s / 9, "sufficiency_error": 0.1}
            for s in starts
        ]
        rows.append({"name": name, "where": {"sites": sites, "background_energy": 4.0}})
    return json.dumps({"anchors": rows})


@pytest.fixture(scope="module")
def run():
    return some_run()


@pytest.fixture(scope="module")
def folders(run, tmp_path_factory):
    """The folders of a file and of a store with the same runs, in four blocks."""
    file, store = (tmp_path_factory.mktemp(name) for name in ("file", "store"))
    run.save(file / "run.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_MOST_IN_CHUNK", BLOCK)
        writer.create(store / "run.zarr", run.names, "draws", {})
        for a in range(COUNT):
            writer.add(store / "run.zarr", a, run.take(np.array([a])), "draws")
        writer.pack(store / "run.zarr", last=True)
    assert Run.open(store / "run.zarr").block_size == BLOCK
    for folder in (file, store):
        (folder / "summary.json").write_text(summary_of(run))
    return file, store


class Watch:
    """Counts the parts whose arrays are in memory together."""

    def __init__(self, patch):
        self.most, self._arrays = 0, []
        for kind, name in ((RunParts, "__iter__"), (RunStore, "blocks")):
            patch.setattr(kind, name, self._watched(getattr(kind, name)))

    def _watched(self, read):
        def parts(runs):
            seen = []
            for numbers, run in read(runs):
                # A view keeps the array alive that it is of.
                arrays = run.frequencies, run.frequency_errors, run.anchors
                seen.append([weakref.ref(array if array.base is None else array.base) for array in arrays])
                self.most = max(self.most, sum(any(ref() is not None for ref in refs) for refs in seen))
                yield numbers, run

        return parts


@pytest.fixture
def watch(monkeypatch):
    return Watch(monkeypatch)


def test_parts_that_are_kept_are_counted(folders, watch):
    kept = list(RunParts(Run.open(folders[1] / "run.zarr"), keep="profile"))
    assert watch.most == len(kept) == 4


@pytest.mark.parametrize("asked", [*EVERY, *MORE], ids=lambda asked: " ".join(map(str, asked)))
def test_a_store_gives_the_bytes_of_a_file_with_few_anchors_in_memory(folders, tmp_path, watch, capsys, asked):
    kind, what, *more = asked
    if kind in PACKAGES:
        pytest.importorskip(PACKAGES[kind], reason=f"needs {PACKAGES[kind]}")
    more += [] if what is None else ["--what", what]
    said = []
    for folder, out in zip(folders, ("file", "store"), strict=True):
        watch.most = 0
        assert call("export", folder, "--format", kind, *more, "--out", tmp_path / out) == 0
        said.append(capsys.readouterr().out.replace(str(tmp_path / out), "OUT"))
    # The part that is looked at, and the one before while the next is read. Sites come from the summary alone.
    assert watch.most <= 2 and (watch.most > 0 or (kind, what) == ("bed", "sites"))
    assert (tmp_path / "store").read_bytes() == (tmp_path / "file").read_bytes()
    assert said[0] == said[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "store"]


@pytest.mark.parametrize(("kind", "name"), [("meme", "plain.meme"), ("npz", "rows-0"), ("bedgraph", "rows-0")])
def test_a_file_is_written_whatever_its_name(folders, tmp_path, kind, name):
    for out in (name, "other"):
        assert call("export", folders[1], "--format", kind, "--out", tmp_path / out) == 0
    assert (tmp_path / name).read_bytes() == (tmp_path / "other").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_motifs_of_a_store_are_those_of_a_file_with_few_anchors_in_memory(folders, tmp_path, watch):
    for folder, out in zip(folders, ("file", "store"), strict=True):
        watch.most = 0
        assert call("motifs", folder, "--out", tmp_path / out) == 0
    assert 1 <= watch.most <= 2
    names = sorted(path.name for path in (tmp_path / "file").iterdir())
    assert {"motifs.json", "motifs.meme"} < set(names)
    assert names == sorted(path.name for path in (tmp_path / "store").iterdir())
    for name in names:
        assert (tmp_path / "store" / name).read_bytes() == (tmp_path / "file" / name).read_bytes(), name


def assert_equal(one, other):
    """Check that two values are the same, down to the bits of the numbers in them."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        assert_equal(tuple(one.values()), tuple(other.values()))
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for both in zip(one, other, strict=True):
            assert_equal(*both)
    else:
        assert one == other


@pytest.mark.parametrize("rung", [None, 2, 1])
@pytest.mark.parametrize(
    "function", [analysis.find_motifs, analysis.position_table, analysis.anchor_table, analysis.letter_scores]
)
def test_functions_take_a_store_for_a_run(run, folders, watch, function, rung):
    found = function(Run.open(folders[1] / "run.zarr"), rung=rung)
    assert 1 <= watch.most <= 2
    assert_equal(found, function(run, rung=rung))


def test_motifs_of_a_store_have_the_names_and_errors_that_are_given(run, folders):
    names, errors = [f"n{a}" for a in range(COUNT)], np.full((COUNT, LENGTH, 4), 0.2)
    store = Run.open(folders[1] / "run.zarr")
    found = analysis.find_motifs(store, names=names, errors=errors)
    assert_equal(found, analysis.find_motifs(run, names=names, errors=errors))
    assert found.windows != analysis.find_motifs(store).windows
    with pytest.raises(ValueError, match=r"errors must have the shape \[30, 40, 4\] of profiles, got \[2, 40, 4\]"):
        analysis.find_motifs(store, errors=errors[:2])


def test_a_store_whose_anchors_are_in_no_chunk_yet_is_read(run, tmp_path):
    some = run.take(np.arange(5))
    writer.create(tmp_path / "run.zarr", some.names, "ladder", {})
    for a in range(4):
        writer.add(tmp_path / "run.zarr", a, run.take(np.array([a])), "ladder")
    with pytest.raises(ValueError, match="has no run of"):
        RunParts(Run.open(tmp_path / "run.zarr"))
    writer.add(tmp_path / "run.zarr", 4, run.take(np.array([4])), "ladder")
    parts = RunParts(Run.open(tmp_path / "run.zarr"))
    np.testing.assert_array_equal(parts.converged, some.converged)
    np.testing.assert_array_equal(parts.at_beta(10).beta, np.full(5, 10.0))
    assert [numbers.start for numbers, _ in parts] == [0, 1, 2, 3, 4]
