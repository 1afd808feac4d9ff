"""Anchors sampled one by one into a store: the same runs by every engine, after kills, in any company."""

import dataclasses
import os
import random
import signal
import threading

import jax
import numpy as np
import pytest
import work
from made_up_runs import assert_same

import jaxmaxent as jme
from jaxmaxent import console
from jaxmaxent.cluster import _sample_each as module
from jaxmaxent.cluster import sample_each
from jaxmaxent.sampling import _checkpoint as saving
from jaxmaxent.sampling import _lanes as lane_module
from jaxmaxent.sampling.program import _stretches as stretches

pytest.importorskip("zarr")
SMALL = {"chains": 2, "anchor_chains": 0, "ladder": 3, "steps": 160, "progress": False}
OPEN = {"chains": 2, "ladder": 3, "progress": False, "until": jme.Precision(rhat=1.1, ess=60)}
KEY = jax.random.key(3)


def without_times(run):
    return dataclasses.replace(run, seconds=0.0, compile_seconds=0.0, proposals_per_second=0.0)


def assert_same_runs(one, other):
    for a, b in zip(one, other, strict=True):
        assert_same(without_times(a), without_times(b))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The runs of six anchors, sampled in this process."""
    return sample_each(KEY, work.ensemble(), tmp_path_factory.mktemp("alone") / "run.zarr", **SMALL)


def test_a_run_depends_on_its_anchor_alone(alone, tmp_path):
    batch = work.ensemble().batched()
    turned = batch.take(np.array([4, 2]))
    names = ["anchor_4", "anchor_2"]
    other = sample_each(KEY, turned, tmp_path / "run.zarr", names=names, **SMALL)
    assert_same_runs(other, [alone[4], alone[2]])


def test_it_is_the_run_of_sample(alone):
    one = work.ensemble().batched().take(np.array([3]))
    key = jme.cluster._anchor.key_of(KEY, one.anchor)
    run = jme.sample(key, one, names=["anchor_3"], **SMALL | {"evaluation": alone[3].evaluation})
    assert_same_runs([run], [alone[3]])


def test_a_second_call_goes_on_and_other_arguments_are_refused(alone, tmp_path, monkeypatch):
    path, whole = tmp_path / "run.zarr", module._Work.__call__

    def stop(self, number):
        if number == 3:
            raise KeyboardInterrupt
        return whole(self, number)

    monkeypatch.setattr(module._Work, "__call__", stop)
    with pytest.raises(KeyboardInterrupt):
        sample_each(KEY, work.ensemble(), path, **SMALL)
    assert jme.Run.open(path).complete.tolist() == [True] * 3 + [False] * 3
    with pytest.raises(ValueError, match="another ensemble, key or settings"):
        sample_each(jax.random.key(4), work.ensemble(), path, **SMALL)
    monkeypatch.setattr(module._Work, "__call__", lambda self, n: whole(self, n) if n >= 3 else 1 / 0)
    assert_same_runs(sample_each(KEY, work.ensemble(), path, **SMALL), alone)
    assert_same_runs(sample_each(KEY, work.ensemble(), path, **SMALL), alone)  # nothing is left to do


def test_the_way_of_evaluation_is_timed_once(alone, monkeypatch):
    """Another call may find the other way faster, and must not take the store for that of another job."""
    timed = module.side_by_side

    def other(*arguments, **more):
        way, lanes = timed(*arguments, **more)
        return "full" if way == "incremental" else "incremental", lanes

    monkeypatch.setattr(module, "side_by_side", other)
    again = sample_each(KEY, work.ensemble(), alone.path, **SMALL)
    assert_same_runs(again, alone)


@pytest.fixture(scope="module")
def lanes(tmp_path_factory):
    """The runs of six anchors of different lengths, sampled in two lanes."""
    return sample_each(KEY, work.ensemble(), tmp_path_factory.mktemp("lanes") / "run.zarr", lanes=2, **OPEN)


def assert_same_up_to_rounding(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.frequencies, b.frequencies)
        np.testing.assert_array_equal(a.steps, b.steps)
        np.testing.assert_allclose(a.energy, b.energy, atol=1e-5)
        np.testing.assert_allclose(a.log_z, b.log_z, atol=1e-3)


@pytest.mark.slow
def test_an_anchor_in_a_lane_makes_the_run_of_sample(lanes):
    batch = work.ensemble().batched()
    lengths = {int(run.steps[0]) for run in lanes}
    assert len(lengths) > 1  # they leave their lanes at different times
    for number in (0, 4):
        one = batch.take(np.array([number]))
        key = jme.cluster._anchor.key_of(KEY, one.anchor)
        run = jme.sample(key, one, names=[f"anchor_{number}"], **OPEN | {"evaluation": "full"})
        assert_same_up_to_rounding([run], [lanes[number]])


@pytest.mark.exhaustive
def test_draws_kmers_and_counts_of_a_lane_are_those_of_sample(tmp_path):
    more = OPEN | {"store_every": 20, "kmers": 2, "keep": "draws"}
    plain = work.ensemble()
    network = jme.Representation(plain.features, plain.params)
    batch = jme.Ensemble.create(network, plain.anchor, beta=2.0, fields=[jme.composition("GC", 0.4)]).batched()
    found = sample_each(KEY, batch, tmp_path / "run.zarr", lanes=2, **more)
    one = batch.take(np.array([4]))  # which enters in the midst of others
    del more["keep"]
    key = jme.cluster._anchor.key_of(KEY, one.anchor)
    run = jme.sample(key, one, names=["anchor_4"], **more | {"evaluation": "full"})
    assert_same_up_to_rounding([run], [found[4]])
    for name in ("draws", "kmer_counts", "field_mean", "arrivals", "round_trips"):
        np.testing.assert_array_equal(getattr(run, name), getattr(found[4], name), err_msg=name)


@pytest.mark.slow
def test_a_lane_does_not_depend_on_its_neighbours_and_resumes_bitwise(lanes, tmp_path, monkeypatch, capsys):
    order = [5, 3, 0, 4, 1, 2]
    batch, names = work.ensemble().batched().take(np.array(order)), [f"anchor_{i}" for i in order]
    path, saves = tmp_path / "run.zarr", []
    save_if_due = saving.Saver.save_if_due

    def interrupt(self, loop, interrupts):
        """Note a signal in the midst of the job, once."""
        saves.append(loop.steps)
        if len(saves) == 40:
            interrupts.noted = signal.SIGINT
        save_if_due(self, loop, interrupts)

    monkeypatch.setattr(saving.Saver, "save_if_due", interrupt)
    with pytest.raises(jme.Interrupted):
        sample_each(KEY, batch, path, names=names, lanes=2, **OPEN)
    left = int((~jme.Run.open(path).complete).sum())
    assert left > 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(console, "_LOG_SECONDS", 0.0)
    other = sample_each(KEY, batch, path, names=names, **OPEN | {"progress": True})  # with as many lanes as before
    assert_same_runs(other, [lanes[i] for i in order])
    told = capsys.readouterr().err
    assert "\n2 in hand, nearest: anchor_" in told and ", R-hat 1" in told and "\nanchors: 100%" in told


@pytest.mark.exhaustive
def test_lanes_of_whole_stretches_as_on_a_gpu_make_the_same_runs(tmp_path, monkeypatch):
    """Check them also from the first anchor on that a CPU has left within a stretch."""
    settings = SMALL | {"steps": 960, "anchor_chains": 1, "lanes": 2}
    settings["target_replicas"] = 10  # as many replicas as have stretches of 8 draws
    some = work.ensemble().batched().take(np.arange(3))
    plain = sample_each(KEY, some, tmp_path / "plain.zarr", **settings)
    path, save_if_due, ran, block = tmp_path / "run.zarr", saving.Saver.save_if_due, [], lane_module.lanes_block

    def interrupt(self, loop, interrupts):
        if loop.steps // 5 % 8:
            interrupts.noted = signal.SIGINT
        save_if_due(self, loop, interrupts)

    def watched(program, *arguments):
        ran.append((program.unit, *map(int, arguments[-2:])))
        return block(program, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(saving.Saver, "save_if_due", interrupt)
        with pytest.raises(jme.Interrupted):
            sample_each(KEY, some, path, **settings)
    monkeypatch.setattr(stretches, "asks_its_host", lambda: True)
    monkeypatch.setattr(lane_module, "lanes_block", watched)
    assert_same_up_to_rounding(sample_each(KEY, some, tmp_path / "whole.zarr", **settings), plain)
    assert {unit for unit, _, _ in ran} == {8}
    assert all(draws % 8 == phase % 8 == 0 for _, draws, phase in ran)
    ran.clear()
    assert_same_up_to_rounding(sample_each(KEY, some, path, **settings), plain)
    assert ran[0][0] == 1


@pytest.mark.exhaustive
def test_lanes_in_processes_give_the_same_runs(lanes, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_UNIT", 1)
    store = sample_each(KEY, work.ensemble, tmp_path / "run.zarr", workers=2, lanes=2, **OPEN)
    assert_same_runs(store, lanes)


@pytest.mark.exhaustive
def test_processes_give_the_same_runs(alone, tmp_path):
    store = sample_each(KEY, work.ensemble, tmp_path / "run.zarr", workers=2, **SMALL)
    assert_same_runs(store, alone)


def files(path):
    times = ("seconds", "compile_seconds", "proposals_per_second")
    return {
        str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file() and f.parent.name not in times
    }


def kill_workers(cluster, path, kills, ended):
    """Kill a random worker process whenever another anchor is finished; the cluster begins a new one."""
    rng, seen = random.Random(0), 0
    while not ended.wait(0.2):
        done = len(list(path.glob(".jaxmaxent-waiting/*.npz")))
        running = [nanny.pid for nanny in cluster.workers.values() if nanny.pid is not None]
        if done > seen and running:
            seen = done
            kills.append(rng.choice(running))
            os.kill(kills[-1], signal.SIGKILL)


@pytest.mark.slow
def test_a_cluster_with_killed_workers_gives_the_same_bytes(alone, tmp_path):
    distributed, dask = pytest.importorskip("distributed"), pytest.importorskip("dask")
    path, kills, ended = tmp_path / "run.zarr", [], threading.Event()
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 30}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        killer = threading.Thread(target=kill_workers, args=(cluster, path, kills, ended))
        killer.start()
        executor = client.get_executor(pure=False, retries=30)
        try:
            store = sample_each(KEY, work.ensemble, path, executor=executor, **SMALL)
        finally:
            ended.set()
            killer.join()
    assert len(kills) > 2
    assert_same_runs(store, alone)
    assert files(path) == files(alone.path)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"path": "run.npz"}, "path must end in .zarr, got 'run.npz'"),
        ({"ensemble": 3}, "ensemble must be an Ensemble or a function that returns one, got int"),
        ({"ensemble": lambda: 3}, "ensemble must be an Ensemble or a function that returns one, got int"),
        ({"keep": "all"}, 'keep must be "profile", "ladder" or "draws", got \'all\''),
        ({"start": "anchor"}, "start must be left out, as every anchor is sampled by itself"),
        ({"key": 3}, "key must be one typed key"),
        ({"workers": 0}, "workers must be a whole number of at least 1, got 0"),
        ({"lanes": 0}, "lanes must be a whole number of at least 1, got 0"),
        ({"lanes": 2, "evaluation": "incremental"}, 'lanes must be 1 with evaluation="incremental", got 2'),
        ({"chains": 0}, "chains must be"),
    ],
)
def test_bad_input(tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    arguments = {"key": KEY, "ensemble": work.ensemble(), "path": "run.zarr"} | SMALL | given
    with pytest.raises(ValueError, match=said):
        sample_each(arguments.pop("key"), arguments.pop("ensemble"), arguments.pop("path"), **arguments)
    assert not list(tmp_path.iterdir())
