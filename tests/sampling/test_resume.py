"""Runs that are interrupted, saved and resumed, compared with runs that are not."""

import dataclasses
import os
import signal

import jax
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent import kernels
from jaxmaxent.files import owned
from jaxmaxent.sampling import _checkpoint as save
from jaxmaxent.sampling.device import _block as blocks
from jaxmaxent.sampling.host._signals import Interrupts
from problems import Problem

PROBLEM = Problem(length=4, mus=(0.3, -0.2), seed=3)
SETTINGS = {"ladder": 4, "chains": 6, "anchor_chains": 2, "steps": 2000, "store_every": 70, "thin": 10}
TIMES = {"seconds", "compile_seconds", "proposals_per_second"}


@pytest.fixture(scope="module")
def undisturbed():
    return jme.sample(jax.random.key(0), PROBLEM.ensemble(), progress=False, **SETTINGS)


def assert_equal(one, other):
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert a.tobytes() == b.tobytes(), field.name
        elif field.name not in TIMES:
            assert a == b, field.name


def interrupted_at(monkeypatch, block, checkpoint, **settings):
    """Sample until a block, and leave a checkpoint."""
    seen = []
    save_if_due = save.Saver.save_if_due

    def counting(self, loop, interrupts):
        seen.append(loop.steps)
        if len(seen) == block:
            os.kill(os.getpid(), signal.SIGTERM if block % 2 else signal.SIGINT)
        save_if_due(self, loop, interrupts)

    with monkeypatch.context() as patch:
        patch.setattr(save.Saver, "save_if_due", counting)
        with pytest.raises(
            jme.Interrupted, match=rf"interrupted after \d+ steps, which are saved in {checkpoint}"
        ) as e:
            jme.sample(
                jax.random.key(0), PROBLEM.ensemble(), checkpoint=checkpoint, progress=False, **SETTINGS | settings
            )
    assert e.value.signal == (signal.SIGTERM if block % 2 else signal.SIGINT)


# In the burn-in before and after the ladder was adapted, at its end, and while sampling.
@pytest.mark.parametrize("block", [1, 5, 8, 9, 14, 20])
def test_a_resumed_run_is_the_run_never_interrupted(undisturbed, monkeypatch, tmp_path, block):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    interrupted_at(monkeypatch, block, tmp_path / "saved")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert_equal(jme.resume(tmp_path / "saved", PROBLEM.ensemble(), progress=False), undisturbed)
    assert not (tmp_path / "saved").exists()


def test_rungs_that_are_asked_for_are_kept(monkeypatch, tmp_path):
    settings = {"rungs_at": (0.3, 1.7)}
    interrupted_at(monkeypatch, 5, tmp_path / "saved", **settings)
    run = jme.resume(tmp_path / "saved", PROBLEM.ensemble(), progress=False)
    assert run.beta[0, 1:3].tolist() == [0.3, 1.7]
    assert_equal(run, jme.sample(jax.random.key(0), PROBLEM.ensemble(), progress=False, **SETTINGS | settings))


def test_saving_changes_nothing(undisturbed, monkeypatch, tmp_path):
    monkeypatch.setattr(save, "_SECONDS_BETWEEN_SAVES", 0.0)
    run = jme.sample(jax.random.key(0), PROBLEM.ensemble(), checkpoint=tmp_path / "saved", progress=False, **SETTINGS)
    assert_equal(run, undisturbed)


def test_the_loop_sends_nothing_to_the_device_unasked(undisturbed, monkeypatch, tmp_path):
    key, ensemble = jax.random.key(0), PROBLEM.ensemble()
    interrupted_at(monkeypatch, 9, tmp_path / "saved")
    guards, block = set(), blocks.block

    def watched(*arguments):
        guards.add(jax.config.jax_transfer_guard_host_to_device)
        return block(*arguments)

    monkeypatch.setattr(blocks, "block", watched)
    with jax.transfer_guard("disallow"):
        with pytest.raises(jax.errors.JaxRuntimeError, match="Disallowed host-to-device transfer"):
            jax.random.key(0)  # the guard is on
        assert_equal(jme.sample(key, ensemble, checkpoint=tmp_path / "new", progress=False, **SETTINGS), undisturbed)
        assert_equal(jme.resume(tmp_path / "saved", ensemble, progress=False), undisturbed)
    assert guards == {"disallow"}


def test_another_ensemble_or_rule_is_refused_by_name(monkeypatch, tmp_path):
    interrupted_at(monkeypatch, 3, tmp_path / "saved")
    others = {
        "beta": PROBLEM.ensemble().with_beta(9.0),
        "anchor": PROBLEM.ensemble(anchor=PROBLEM.states[7]),
        "params": dataclasses.replace(PROBLEM, seed=4).ensemble(anchor=PROBLEM.anchor, weights=PROBLEM.w),
        "fields": PROBLEM.ensemble().with_mu(0.9),
    }
    for name, ensemble in others.items():
        with pytest.raises(ValueError, match=rf"ensemble must be that of the run saved in .*, but its {name} is"):
            jme.resume(tmp_path / "saved", ensemble, progress=False)
    with pytest.raises(ValueError, match="rule must be that of the run saved in"):
        jme.resume(tmp_path / "saved", PROBLEM.ensemble(), rule=kernels.Site(), progress=False)
    with pytest.raises(ValueError, match="exists already"):
        jme.sample(jax.random.key(0), PROBLEM.ensemble(), checkpoint=tmp_path / "saved", progress=False, **SETTINGS)


def test_what_another_version_saved_is_refused(monkeypatch, tmp_path):
    interrupted_at(monkeypatch, 3, tmp_path / "saved")
    monkeypatch.setattr(save, "_LAYOUT", 1 + save._LAYOUT)
    with pytest.raises(ValueError, match="holds a run saved by a version of jaxmaxent with another layout"):
        jme.resume(tmp_path / "saved", PROBLEM.ensemble(), progress=False)


@pytest.mark.parametrize("kept", ["none", "some", "other shapes"])
def test_caches_of_another_kind_of_device_are_made_again(monkeypatch, tmp_path, kept):
    """Check that a run goes on where other arrays are cached; all that is computed from them is the same."""
    settings = {"evaluation": "incremental"}
    expected = jme.sample(jax.random.key(0), PROBLEM.ensemble(), progress=False, **SETTINGS | settings)
    interrupted_at(monkeypatch, 9, tmp_path / "saved", **settings)
    load, names = save.Checkpoints.load, []

    def other(self):
        steps, arrays, notes = load(self)
        names.extend(sorted(name for name in arrays if name.startswith("cache_")))
        for name in names if kept == "none" else names[:1]:
            array = arrays.pop(name)
            if kept == "other shapes":
                arrays[name] = array[..., :1]
        return steps, arrays, notes

    monkeypatch.setattr(save.Checkpoints, "load", other)
    run = jme.resume(tmp_path / "saved", PROBLEM.ensemble(), progress=False)
    assert len(names) > 1
    np.testing.assert_array_equal(run.draws, expected.draws)
    np.testing.assert_allclose(run.energy, expected.energy, rtol=1e-5)


def test_a_checkpoint_stays_where_that_is_asked_for(undisturbed, monkeypatch, tmp_path):
    interrupted_at(monkeypatch, 14, tmp_path / "saved")
    for keep in (True, False):
        run = jme.resume(tmp_path / "saved", PROBLEM.ensemble(), keep_checkpoint=keep, progress=False)
        assert_equal(run, undisturbed)
        assert (tmp_path / "saved").exists() is keep


def test_two_at_once_are_refused(monkeypatch, tmp_path):
    interrupted_at(monkeypatch, 3, tmp_path / "saved")
    with owned(tmp_path / "saved"):
        with pytest.raises(ValueError, match="saved is being written by another process"):
            jme.resume(tmp_path / "saved", PROBLEM.ensemble(), progress=False)
        with pytest.raises(ValueError, match="saved is being written by another process"):
            jme.sample(jax.random.key(0), PROBLEM.ensemble(), checkpoint=tmp_path / "saved", progress=False, **SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_what_is_no_checkpoint_is_refused_by_name(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(ValueError, match=f"{path}"):
            jme.resume(path, PROBLEM.ensemble(), progress=False)
    with pytest.raises(ValueError, match="ensemble must be an Ensemble, got str"):
        jme.resume(tmp_path, "ACGT")


def test_a_second_signal_acts_as_it_always_does():
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may have started without it
    try:
        _assert_a_second_signal_raises()
    finally:
        signal.signal(signal.SIGINT, usual)


def _assert_a_second_signal_raises():
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.noted == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
