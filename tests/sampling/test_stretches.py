"""Blocks of whole stretches, as a GPU has them: the same runs, however they are cut, resumed or put into lanes."""

import dataclasses
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.sampling import Options, prepare
from jaxmaxent.sampling import _checkpoint as saving
from jaxmaxent.sampling.device import _block as blocks
from jaxmaxent.sampling.host import _loop as loops
from jaxmaxent.sampling.host._loop import in_units
from jaxmaxent.sampling.program import _stretches as stretches
from problems import Problem

PROBLEM = Problem(length=6, mus=(0.3,))
# 80 draws of burn-in and 240 that count, with draws at both ends made every 4 draws.
SHAPE = {"ladder": 4, "chains": 15, "anchor_chains": 1, "evaluation": "full"}
SETTINGS = SHAPE | {"steps": 1200, "burn_in": 400, "store_every": 20, "progress": False}


def as_on_a_gpu(monkeypatch):
    """Have blocks of whole stretches, and return the draws and phases of all that run from now on."""
    monkeypatch.setattr(stretches, "asks_its_host", lambda: True)
    ran, block = [], blocks.block

    def watched(program, *arguments):
        clock = np.asarray(arguments[-1])
        ran.append((program.unit, int(clock[1]), int(clock[6])))
        return block(program, *arguments)

    monkeypatch.setattr(blocks, "block", watched)
    return ran


def sample(**settings):
    return jme.sample(jax.random.key(2), PROBLEM.ensemble(), **SETTINGS | settings)


@pytest.fixture(scope="module")
def plain():
    return sample()


def assert_same(found, expected):
    for name in ("draws", "last", "acceptance", "frequencies", "round_trips", "arrivals", "energy", "log_z"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert expected.round_trips[0] > 5


def test_draws_come_in_units():
    assert [in_units(draws, 4) for draws in (0, 3, 4, 7, 8)] == [4, 4, 4, 4, 8]
    assert [in_units(draws, 1) for draws in (0, 1, 5)] == [1, 1, 5]


@jax.jit
def looping(params, one_hot):
    return jax.lax.while_loop(lambda x: x.sum() < 0, lambda x: x + 1, one_hot[:, 0] * params)


def large(params, one_hot):
    row = jnp.repeat(one_hot[:, 0] * params, 60)
    square = jnp.outer(row, row)
    return (square @ square).sum(1)


@pytest.mark.parametrize(
    ("changes", "features", "whole"),
    [
        ({}, None, True),
        ({"steps": 1205}, None, False),  # the last batch is too short
        ({"burn_in": 405}, None, False),
        ({"burn_in": 0}, None, False),  # it may go on from a run that has none
        ({"steps": 100}, None, False),  # batches of one draw
        ({"store_every": 5}, None, True),
        ({"ladder": None, "anchor_chains": 0}, None, True),  # nothing is drawn at an end
        ({}, looping, False),
        ({}, large, False),
    ],
)
def test_stretches_are_whole_where_the_run_allows_it(changes, features, whole, monkeypatch):
    monkeypatch.setattr(stretches, "asks_its_host", lambda: True)
    ensemble = PROBLEM.ensemble()
    if features is not None:
        ensemble = jme.Ensemble.create(jme.Representation(features, jnp.ones(6)), "ACGTAC", beta=1.0)
    program = prepare(ensemble, Options.of(ensemble, **SHAPE | {"steps": 1200, "burn_in": 400} | changes)).program
    assert program.whole_stretches == whole
    assert program.unit == (program.stretch if whole else 1)


def test_runs_of_default_length_have_whole_stretches_on_a_gpu(monkeypatch):
    monkeypatch.setattr(stretches, "asks_its_host", lambda: True)
    ensemble = Problem(length=7).ensemble()
    options = dataclasses.replace(Options.of(ensemble, evaluation="full"), long_stretches=True)
    assert prepare(ensemble, options).program.unit == 8


@pytest.mark.parametrize("thin", [5, 8])
def test_a_short_run_has_the_program_of_one_of_default_length(thin, monkeypatch):
    assert stretches.steps_of_whole_stretches(1001, thin) == -(-1001 // thin) * thin
    monkeypatch.setattr(stretches, "asks_its_host", lambda: True)
    ensemble = Problem(length=8).ensemble()
    assert stretches.steps_of_whole_stretches(1001, thin) >= 1001
    short = stretches.steps_of_whole_stretches(100, thin)
    settings = [{}, {"steps": short, "burn_in": short}]
    given = [Options.of(ensemble, evaluation="full", thin=thin, **more) for more in settings]
    one, other = (prepare(ensemble, dataclasses.replace(each, long_stretches=True)).program for each in given)
    assert one == other and one.unit == 8


@pytest.mark.parametrize(("backend", "asks"), [("cpu", False), ("tpu", False), ("gpu", True)])
def test_only_a_gpu_asks_its_host(backend, asks, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert stretches.asks_its_host() == asks


@pytest.mark.slow
def test_a_run_of_whole_stretches_is_the_same_run_however_it_is_cut(plain, monkeypatch):
    ran = as_on_a_gpu(monkeypatch)
    assert_same(sample(), plain)
    whole = len(ran)
    monkeypatch.setattr(loops, "_SECONDS_PER_BLOCK", 0.0)
    monkeypatch.setattr("jaxmaxent.sampling.program._program._BUFFER_BYTES", 50)
    assert_same(sample(), plain)
    assert {unit for unit, _, _ in ran} == {4}
    assert all(draws % 4 == phase % 4 == 0 for _, draws, phase in ran)
    assert {draws for _, draws, _ in ran[whole:]} == {0, 4}
    assert max(draws for _, draws, _ in ran[:whole]) > 4


def test_whole_stretches_without_a_ladder_make_the_same_run(monkeypatch):
    settings = {"ladder": None, "anchor_chains": 0, "chains": 3}
    plain = sample(**settings)
    ran = as_on_a_gpu(monkeypatch)
    whole = sample(**settings)
    for name in ("draws", "energy", "acceptance"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(plain, name), err_msg=name)
    assert {unit for unit, _, _ in ran} == {8}
    assert sum(draws for _, draws, _ in ran) == 320


@pytest.mark.slow
@pytest.mark.parametrize("within", [True, False])
def test_a_run_saved_by_another_device_goes_on_as_on_a_gpu(within, plain, monkeypatch, tmp_path):
    """Check a run that a CPU leaves at a draw within a stretch, or between two."""
    save_if_due = saving.Saver.save_if_due

    def stop(self, loop, interrupts):
        draws = loop.steps // 5
        if draws > 100 and (draws % 4 > 0) == within:
            os.kill(os.getpid(), signal.SIGINT)
        save_if_due(self, loop, interrupts)

    with monkeypatch.context() as patch:
        patch.setattr(saving.Saver, "save_if_due", stop)
        patch.setattr(loops, "_SECONDS_PER_BLOCK", 0.0)
        with pytest.raises(jme.Interrupted):
            sample(checkpoint=tmp_path / "saved")
    ran = as_on_a_gpu(monkeypatch)
    assert_same(jme.resume(tmp_path / "saved", PROBLEM.ensemble(), progress=False), plain)
    assert {unit for unit, _, _ in ran} == {1 if within else 4}
