"""`jaxmaxent interpret --lanes`: the same runs in any company, after an interruption, by several processes."""

import contextlib
import dataclasses
import json
import signal

import numpy as np
import pytest
from made_up_runs import assert_same

import jaxmaxent as jme
from jaxmaxent import console
from jaxmaxent.cli import main
from jaxmaxent.data import Sequences, write_fasta
from jaxmaxent.sampling import _checkpoint as saving

PROGRAM = """
import numpy as np
import jax.numpy as jnp
from jaxmaxent import DNA, Representation

WEIGHTS = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)

def features(params, one_hot):
    return jnp.tanh(one_hot.reshape(-1) @ params)

network = Representation(features, jnp.asarray(WEIGHTS), alphabet=DNA)
"""
SETTINGS = ("--beta", 2, "--rungs", 4, "--chains", 2, "--ess", 60, "--rhat", 1.1, "--lanes", 2, "--quiet")


def call(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The folder of a program with a network, of files with sequences, and of the output for one of them."""
    folder = tmp_path_factory.mktemp("lanes")
    (folder / "program.py").write_text(PROGRAM)
    rows = np.random.default_rng(1).integers(0, 4, (5, 8))
    names = tuple(f"s{i}" for i in range(5))
    write_fasta(folder / "s.fa", Sequences(rows, names))
    turned = [3, 0, 4, 2, 1]
    write_fasta(folder / "turned.fa", Sequences(rows[turned], tuple(names[i] for i in turned)))
    with (folder / "told").open("w") as told, contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        arguments = f"{folder}/program.py:network", folder / "s.fa", "--out", folder / "out"
        assert call("interpret", *arguments, *SETTINGS) == 0
    return folder


def runs(path):
    """Return the runs of an output folder by name, without times and the burn-in, which a file has once for all."""
    nothing = {"seconds": 0.0, "compile_seconds": 0.0, "proposals_per_second": 0.0, "burn_in": 0}
    found = jme.Run.load(path / "run.npz")
    ones = (found.take(np.array([i])) for i in range(len(found.names)))
    return {one.names[0]: dataclasses.replace(one, **nothing) for one in ones}


def assert_same_runs(one, other):
    assert sorted(one) == sorted(other)
    for name in one:
        assert_same(one[name], other[name])


@pytest.mark.slow
def test_a_sequence_in_a_lane_has_the_run_of_one_alone(given, tmp_path):
    alone = [*SETTINGS]
    alone[alone.index("--lanes") + 1] = 1
    network = f"{given}/program.py:network"
    assert call("interpret", network, given / "s.fa", "--out", tmp_path / "out", "--evaluation", "full", *alone) == 0
    mine, other = runs(given / "out"), runs(tmp_path / "out")
    assert len({int(run.steps[0]) for run in mine.values()}) > 1
    for name in mine:
        np.testing.assert_array_equal(mine[name].frequencies[:, -1], other[name].frequencies[:, -1])
        np.testing.assert_allclose(mine[name].energy, other[name].energy, atol=1e-5)


@pytest.mark.exhaustive
def test_neighbours_and_an_interruption_change_nothing(given, tmp_path, monkeypatch, capsys):
    out, saves, save_if_due = tmp_path / "out", [], saving.Saver.save_if_due

    def interrupt(self, loop, interrupts):
        """Note a signal in the midst of the job, once."""
        saves.append(loop.steps)
        if len(saves) == 30:
            interrupts.noted = signal.SIGINT
        save_if_due(self, loop, interrupts)

    monkeypatch.setattr(saving.Saver, "save_if_due", interrupt)
    assert call("interpret", f"{given}/program.py:network", given / "turned.fa", "--out", out, *SETTINGS) == 130
    assert "continue with: jaxmaxent resume" in capsys.readouterr().err
    assert call("resume", out, "--quiet") == 0
    assert_same_runs(runs(out), runs(given / "out"))


@pytest.mark.slow
def test_what_is_in_hand_is_told_unless_all_is_to_be_quiet(given, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(console, "_LOG_SECONDS", 0.0)
    arguments = f"{given}/program.py:network", given / "s.fa", "--out", tmp_path / "out", "--limit", 2, *SETTINGS[:-1]
    assert call("interpret", *arguments, "--pictures", 1) == 0
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("2 in hand, nearest: s0, burn-in, ") for line in lines)
    assert any(" in hand" in line and ", R-hat 1" in line and " (wanted 1.1)" in line for line in lines)
    for what in ("necessity of 6 positions", "necessity of 8 positions", "sufficiency of 8 positions", "drawing"):
        assert any(line.startswith(f"{what}: 100%") for line in lines), what
    assert (given / "told").read_text() == ""


@pytest.mark.exhaustive
def test_processes_give_the_same_runs(given, tmp_path):
    arguments = f"{given}/program.py:network", given / "s.fa", "--out", tmp_path / "out", *SETTINGS
    assert call("interpret", *arguments, "--workers", 2) == 0
    assert_same_runs(runs(tmp_path / "out"), runs(given / "out"))


@pytest.mark.slow
def test_lanes_are_not_told_in_the_summary(given):
    assert "lanes" not in json.loads((given / "out" / "summary.json").read_text())["settings"]


def test_lanes_need_full_evaluation(tmp_path, capsys):
    (tmp_path / "program.py").write_text(PROGRAM)
    write_fasta(tmp_path / "s.fa", Sequences(np.zeros((2, 8), int), ("a", "b")))
    more = "--lanes", 2, "--evaluation", "incremental", "--beta", 2, "--out", tmp_path / "out"
    assert call("interpret", f"{tmp_path}/program.py:network", tmp_path / "s.fa", *more) == 2
    assert '--lanes must be 1 with --evaluation "incremental", got 2' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
