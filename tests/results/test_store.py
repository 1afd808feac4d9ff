"""Stores of runs: what comes back is what went in, in any order, while it grows, and after damage."""

import dataclasses
import json
import shutil
import warnings

import numpy as np
import pytest
from made_up_runs import assert_same, made_up

from jaxmaxent.results import Run, RunStore
from jaxmaxent.results import _store_writer as writer
from jaxmaxent.results._parts import kept
from jaxmaxent.results._store import COMPLETE, WAITING, file_of

pytest.importorskip("zarr")
COUNT, BLOCK = 20, 8  # blocks that are full, and one that is not


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_MOST_IN_CHUNK", BLOCK)
        yield


def runs(count=COUNT, **more):
    """Runs of single anchors, of different length."""
    found = [made_up(i, anchor=1, state=30 + i % 7, draw=1 + i % 5, draws=i % 6 > 0, **more) for i in range(count)]
    return [dataclasses.replace(run, names=(f"n{i} β",), burn_in=20 + i) for i, run in enumerate(found)]


def filled(path, some, order, keep="draws"):
    writer.create(path, [run.names[0] for run in some], keep, {"seed": 1})
    for number in order:
        writer.add(path, int(number), some[number], keep, f"why {number}" if number % 2 else "")
    return path


@pytest.fixture(scope="module")
def made():
    return runs()


@pytest.fixture(scope="module")
def store(made, small_blocks, tmp_path_factory):
    path = filled(tmp_path_factory.mktemp("store") / "run.zarr", made, range(COUNT))
    writer.pack(path, last=True)
    return path


def files(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.parts[-2] not in ("seconds", "compile_seconds", "proposals_per_second")
    }


def test_every_run_comes_back(store, made):
    opened = Run.open(store)
    assert len(opened) == COUNT and opened.complete.all() and opened.about == {"seed": 1}
    for number, (found, run) in enumerate(zip(opened, made, strict=True)):
        assert_same(found, run)
        assert opened.remark(number) == (f"why {number}" if number % 2 else "")
    assert_same(opened[-1], made[-1])
    assert opened[3:5].names == made[3].names + made[4].names
    some = opened.take([5, 17])
    assert some.names == ("n5 β", "n17 β")
    np.testing.assert_array_equal(some.frequencies, np.concatenate([made[5].frequencies, made[17].frequencies]))


def test_a_whole_store_is_a_run(tmp_path):
    few = runs(5)
    path = filled(tmp_path / "run.zarr", few, range(5))
    writer.pack(path, last=True)
    whole = Run.load(path)
    assert whole.names == tuple(run.names[0] for run in few)
    np.testing.assert_array_equal(whole.energy, np.concatenate([run.energy for run in few]))
    assert Run.open(path).read("converged").tolist() == [bool(run.converged[0]) for run in few]


def test_content_does_not_depend_on_the_order_or_on_when_blocks_were_moved(store, made, tmp_path):
    order = np.random.default_rng(0).permutation(COUNT)
    path = tmp_path / "run.zarr"
    writer.create(path, [run.names[0] for run in made], "draws", {"seed": 1})
    for done, number in enumerate(order.tolist()):
        writer.add(path, number, made[number], "draws", f"why {number}" if number % 2 else "")
        if done % 7 == 0:
            writer.pack(path)
    writer.pack(path, last=True)
    assert files(path) == files(store)


def test_it_is_read_while_it_grows(made, tmp_path):
    few = made[:10]
    path = filled(tmp_path / "run.zarr", few, [*range(3), 9])
    growing = Run.open(path)
    assert np.flatnonzero(growing.complete).tolist() == [0, 1, 2, 9]
    assert_same(growing[9], few[9])
    with pytest.raises(ValueError, match="has no run of 'n5 β' yet"):
        growing[5]
    with pytest.raises(ValueError, match="is not complete"):
        growing.read("converged")
    for number in range(3, 9):
        writer.add(path, number, few[number], "draws")
    writer.pack(path)
    assert growing.complete.all() and "10 of 10" in repr(growing)
    assert_same(growing[5], few[5])


def test_a_killed_move_is_made_again(made, tmp_path, monkeypatch):
    few = made[:BLOCK]
    path = filled(tmp_path / "run.zarr", few, range(BLOCK))
    checksums = writer.stores.checksums
    monkeypatch.setattr(writer.stores, "checksums", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        writer.pack(path)
    assert RunStore(path).complete.all()
    assert_same(RunStore(path)[7], few[7])
    monkeypatch.setattr(writer.stores, "checksums", checksums)
    writer.pack(path, last=True)
    assert not (path / WAITING).exists()
    assert_same(RunStore(path)[7], few[7])


@pytest.mark.parametrize("name", ["frequencies", "energies", "outcomes", "checksums"])
def test_damage_is_noticed(store, tmp_path, name):
    path = tmp_path / "run.zarr"
    shutil.copytree(store, path)
    chunk = min(file for file in (path / name).iterdir() if not file.name.startswith("."))
    chunk.unlink()
    with pytest.raises(ValueError, match="is damaged"):
        RunStore(path)[0]
    assert RunStore(path)[COUNT - 1].names == (f"n{COUNT - 1} β",)


def test_what_is_kept():
    run = made_up(3, anchor=1)
    assert_same(kept(run, "draws"), run)
    ladder = kept(run, "ladder")
    assert ladder.draws is None
    np.testing.assert_array_equal(ladder.energies, run.energies)
    small = kept(run, "profile")
    assert small.beta.shape == (1, 2) and small.energies.shape[3] == 1 and small.draws is None
    for name in ("beta", "frequencies", "frequency_errors", "energy", "log_z"):
        np.testing.assert_array_equal(getattr(small, name), getattr(run, name)[:, [0, -1]])
    assert np.isnan(small.swap_acceptance).all() and np.isnan(small.barriers[:, 0]).all()
    assert small.target_replicas == run.target_replicas and small.chains == run.chains


def test_a_small_run_is_saved_and_read(tmp_path):
    small = kept(made_up(3), "profile")
    small.save(tmp_path / "run.npz")
    assert_same(Run.load(tmp_path / "run.npz"), small)


def test_other_readers_open_it(store, made):
    xarray = pytest.importorskip("xarray")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = xarray.open_zarr(store)
    np.testing.assert_array_equal(dataset["energy"].values[17], made[17].energy[0])
    assert dataset["frequencies"].dims == ("anchor", "rung", "position", "letter")
    assert dataset["outcomes"].values[0] == made[0].outcomes[0]
    assert bool(dataset[COMPLETE].all())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: None, "is not there"),
        (lambda path: path.mkdir(), "is damaged or holds no runs"),
        (lambda path: made_up(0).save(path), "holds a run as a whole"),
    ],
)
def test_what_is_no_store_is_refused(tmp_path, spoil, said):
    path = tmp_path / "run.zarr"
    spoil(path)
    with pytest.raises(ValueError, match=said):
        Run.open(path)


def test_another_version_is_refused(tmp_path):
    path = filled(tmp_path / "run.zarr", runs(2), [0, 1])
    attributes = json.loads((path / ".zattrs").read_text())
    attributes["about"] = attributes["about"].replace('"format_version": 1', '"format_version": 99')
    (path / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(ValueError, match="version 99, expected 'jaxmaxent-store' version 1"):
        Run.open(path)


def test_no_such_anchor(store):
    with pytest.raises(IndexError, match="less than the 20 anchors, got 20"):
        RunStore(store)[COUNT]
    with pytest.raises(ValueError, match="has no array 'nothing'"):
        RunStore(store).read("nothing")


def test_a_file_of_an_anchor_is_named_by_its_number(tmp_path):
    assert file_of(tmp_path, 7).name == "000007.npz"
