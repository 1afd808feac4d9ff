"""Devices other than a CPU, and devices of other processes, as far as a CPU can tell."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.kernels import (
    Informed,
    Mixture,
    ReverseComplement,
    Rotation,
    Segment,
    SegmentAdaptive,
    Site,
    SiteAdaptive,
    Transposition,
)
from jaxmaxent.kernels import _few as few
from jaxmaxent.kernels._mixture import choice_for
from jaxmaxent.sampling import Options, prepare
from jaxmaxent.sampling.device import _walk as walk
from jaxmaxent.sampling.program import _program as program
from jaxmaxent.sampling.program._sharding import mesh_for
from problems import Problem


@pytest.mark.parametrize(
    ("backend", "rule", "incremental", "choice"),
    [
        ("cpu", Site(), False, "loop"),
        ("tpu", Site(), False, "switch"),
        ("gpu", Site(), False, "together"),
        ("gpu", Site(), True, "switch"),
        ("gpu", Informed(), False, "switch"),
    ],
)
def test_a_step_chooses_its_rule_as_is_best_for_the_device(backend, rule, incremental, choice, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert choice_for(rule, incremental=incremental) == choice


def test_a_mesh_with_devices_of_another_process_is_refused_in_a_sentence(monkeypatch):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("chains",))
    assert mesh_for(mesh, 1, 9) is mesh
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    with pytest.raises(ValueError, match="mesh must have devices of this process only, got 1 of other processes: run"):
        mesh_for(mesh, 1, 9)


def as_lowered_for(kind, *args, default=None, **platforms):
    """Do what `jax.lax.platform_dependent` does for programs of this kind of device."""
    return platforms.get({"gpu": "cuda"}.get(kind, kind), default)(*args)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "choice", "way", "most_ahead"),
    [
        ("tpu", "switch", "full", 2**25),
        ("tpu", "switch", "incremental", 2**25),
        ("tpu", "switch", "full", 0),
        ("gpu", "together", "full", 2**25),
        ("gpu", "together", "full", 0),
        ("gpu", "switch", "incremental", 0),
    ],
)
def test_a_run_as_on_an_accelerator_is_the_same_run(kind, choice, way, most_ahead, monkeypatch):
    """Check every stored draw: 600 steps with a second leg and a field, random numbers drawn ahead, and other swaps."""
    problem = Problem(length=6, mus=(0.3,))
    ensemble = problem.ensemble(beta=2.0)
    rule = Mixture.create([SiteAdaptive(), SegmentAdaptive(3), Rotation(4), ReverseComplement(4)], [3, 2, 1, 1])
    settings = {"ladder": [0.0, 0.7, 2.0], "chains": 4, "anchor_chains": 1, "steps": 600, "burn_in": 200}
    settings |= {"rule": rule, "store_every": 5, "evaluation": way, "progress": False}
    expected = jme.sample(jax.random.key(6), ensemble, **settings)
    monkeypatch.setattr(program, "choice_for", lambda rule, incremental: choice)
    monkeypatch.setattr(few, "_kind", lambda: kind)
    monkeypatch.setattr(walk, "_MOST_BYTES_AHEAD", most_ahead)
    monkeypatch.setattr(jax.lax, "platform_dependent", functools.partial(as_lowered_for, kind))
    jax.clear_caches()
    found = jme.sample(jax.random.key(6), ensemble, **settings)
    jax.clear_caches()
    np.testing.assert_array_equal(found.draws, expected.draws)
    np.testing.assert_array_equal(found.acceptance, expected.acceptance)
    assert found.round_trips[0] == expected.round_trips[0] > 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [Informed(), Segment(3), Mixture.create([Site(), Segment(3), Transposition()])],
    ids=lambda rule: str(rule)[:8],
)
def test_rules_that_do_not_learn_make_the_same_steps_if_they_draw_ahead(rule, monkeypatch):
    ensemble = Problem(length=6, mus=(0.3,)).ensemble(beta=2.0)
    settings = {"chains": 3, "steps": 300, "burn_in": 100, "store_every": 5, "evaluation": "full", "progress": False}
    expected = jme.sample(jax.random.key(2), ensemble, rule=rule, **settings)
    monkeypatch.setattr(program, "choice_for", lambda rule, incremental: "switch")
    found = jme.sample(jax.random.key(2), ensemble, rule=rule, **settings)
    np.testing.assert_array_equal(found.draws, expected.draws)


@pytest.mark.parametrize(
    ("most", "groups"), [(20, 2), *(pytest.param(*each, marks=pytest.mark.slow) for each in ((1, 5), (12, 3), (30, 1)))]
)
def test_groups_of_chains_that_take_turns_make_the_same_steps(most, groups, monkeypatch):
    """Check groups of one chain, and of two or three with a place that is left over; two anchors are side by side."""
    ensemble = Problem(length=5, mus=(0.3,)).ensemble(anchor=np.array([[0, 1, 2, 3, 0], [3, 3, 1, 0, 2]]))
    settings = {"ladder": [0.0, 0.7, 2.0], "chains": 4, "target_replicas": 2, "steps": 200}
    settings |= {"burn_in": 100, "store_every": 5, "evaluation": "full", "progress": False}
    expected = jme.sample(jax.random.key(6), ensemble, **settings)
    made = []
    monkeypatch.setattr(program, "_FEWEST_TOGETHER", 1)
    monkeypatch.setattr(program, "most_together", lambda activation: most)
    divided = program.Program.groups
    monkeypatch.setattr(program.Program, "groups", lambda *given: made.append(divided(*given)) or made[-1])
    found = jme.sample(jax.random.key(6), ensemble, **settings)
    assert set(made) == {groups}
    np.testing.assert_array_equal(found.draws, expected.draws)
    np.testing.assert_array_equal(found.frequencies, expected.frequencies)
    np.testing.assert_array_equal(found.swap_acceptance, expected.swap_acceptance)


def test_groups_are_neither_too_large_nor_too_small(monkeypatch):
    ensemble = Problem(length=6).ensemble()
    options = Options.of(ensemble, chains=304, evaluation="full")
    assert prepare(ensemble, options).program.groups(305, 1) == 1  # a CPU has no fast memory of this kind
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    each = prepare(ensemble, options).program
    assert prepare(ensemble, dataclasses.replace(options, evaluation="incremental")).program.most_together == 0
    assert program.most_together(10**6) == 0  # so few sequences at a time would leave a TPU idle
    for most, groups in ((305 * each.replicas, 1), (305 * each.replicas - 1, 2), (1100, 7), (1024, 1)):
        its = dataclasses.replace(each, most_together=most)
        assert its.groups(305, 1) == groups, most
    assert dataclasses.replace(each, most_together=5000).groups(9, 36) == 2
