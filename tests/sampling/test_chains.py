"""The number of chains that nobody asked for: as on every kind of device, made up."""

import itertools
import types

import jax
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.diagnostics import chains_together
from jaxmaxent.evaluate.incremental import incremental
from jaxmaxent.kernels import Site
from jaxmaxent.sampling import Options, _options, group_size, prepare
from jaxmaxent.sampling import _chains as chains
from jaxmaxent.sampling._chains import Machine
from jaxmaxent.sampling.host._progress import Progress
from jaxmaxent.sampling.program._activations import sequence_bytes
from problems import Problem

GIB = 2**30
CTCF = {"anchors": 1, "rungs": 14, "replicas": 25, "anchor_chains": 1, "letters": 404, "sequence_bytes": 100_000}


def chains_of(machine, **changes):
    return chains.default_chains(machine, **CTCF | changes)


def test_a_cpu_has_the_chains_that_it_always_had():
    assert chains_of(None) == 8
    assert chains_of(None, rungs=1, replicas=1, anchor_chains=0) == 256
    assert chains.default_anchor_chains(None) == 1


@pytest.mark.parametrize(
    ("kind", "sequences"),
    [
        ("TPU v5 lite", 3_000),
        ("TPU v6 lite", 3_000),
        ("NVIDIA H200", 16_000),
        ("NVIDIA H200 NVL", 16_000),
        ("?", 8_000),
    ],
)
def test_a_device_is_filled_to_its_saturation(kind, sequences):
    """Check a multiple of 16 chains, with at most so many sequences and at least 3/4 of them."""
    for replicas in (25, 50):
        found = chains_of(Machine(kind, 1, 16 * GIB), replicas=replicas, rungs=4)
        assert found % 16 == 0
        assert 3 / 4 * sequences - replicas <= (found + 1) * replicas <= sequences


def test_anchors_side_by_side_share_a_device():
    found = [chains_of(Machine("TPU v5 lite", 1, 16 * GIB), anchors=n) for n in (1, 2, 8, 30, 1000)]
    assert found == [112, 48, 12, 8, 8]


def test_sequences_take_at_most_a_quarter_of_the_memory():
    for memory, each in ((16 * GIB, 1_000_000), (16 * GIB, 4_000_000), (2 * GIB, 100_000)):
        found = chains_of(Machine("NVIDIA H200", 1, memory), sequence_bytes=each, rungs=4)
        assert (found + 1) * 25 * each <= memory / 4
    assert (
        chains_of(Machine("NVIDIA H200", 1, GIB), sequence_bytes=GIB) == 8
    )  # too much even for a few is refused later
    assert chains_of(Machine("NVIDIA H200", 1), sequence_bytes=GIB) == 368  # a device that does not say


def test_the_host_can_diagnose_what_is_sampled():
    assert chains_of(Machine("NVIDIA H200", 8), letters=4_000, anchor_chains=8) == 32
    assert chains_of(Machine("NVIDIA H200", 8), letters=4_000, rungs=1, replicas=1, anchor_chains=0) == 512


@pytest.mark.parametrize("kind", ["TPU v5 lite", "NVIDIA H200"])
def test_all_chains_divide_the_devices_whatever_else_is_asked_for(kind):
    cases = itertools.product((1, 2, 3, 4, 7, 8), (1, 5, 64, 1000), (0, 1, 3, 8), (1, 2, 14), (1, 4, 25))
    for devices, anchors, anchor_chains, rungs, replicas in cases:
        machine = Machine(kind, devices, 16 * GIB)
        found = chains_of(machine, anchors=anchors, anchor_chains=anchor_chains, rungs=rungs, replicas=replicas)
        assert (found + anchor_chains) % devices == 0
        assert found >= (8 if rungs > 1 else 256)


@pytest.mark.parametrize("devices", [1, 2, 3, 4, 8, 16])
def test_chains_make_superchains_on_any_number_of_devices(devices):
    machine = Machine("TPU v5 lite", devices, 16 * GIB)
    beside = chains.default_anchor_chains(machine)
    assert beside == devices
    for anchors in (1, 4, 1000):
        found = chains_of(machine, anchors=anchors, anchor_chains=beside)
        assert (found + beside) % devices == 0
        if found >= 16:
            assert chains_together(found) >= 4


def pretend(monkeypatch, kind, devices, memory=None):
    stats = None if memory is None else {"bytes_limit": memory, "bytes_in_use": 0}
    one = types.SimpleNamespace(device_kind=kind, memory_stats=lambda: stats)
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu" if "TPU" in kind else "gpu")
    monkeypatch.setattr(jax, "local_devices", lambda: [one] * devices)


def test_options_look_at_the_devices_of_this_process(monkeypatch):
    ensemble = Problem(length=4).ensemble()
    before = Options.of(ensemble, steps=10)
    assert (before.chains, before.anchor_chains) == (8, 1)
    pretend(monkeypatch, "TPU v4", 4, GIB)
    assert chains.this_machine() == Machine("TPU v4", 4, GIB)
    found = Options.of(ensemble, steps=10)
    assert (found.chains, found.anchor_chains) == (1264, 4)
    # A device makes as many draws at β = 0 at a time as for few chains, wherever the run goes on.
    assert (found.drawn_together, before.drawn_together) == (4, 4)
    monkeypatch.undo()
    assert Options.from_json(found.to_json()).drawn_together == 4
    assert Options.of(ensemble, steps=10, chains=1264).drawn_together == 1
    assert found.all_chains % 4 == 0
    assert found.all_chains * found.replicas <= 32_000
    pretend(monkeypatch, "TPU v4", 4, GIB)
    given = Options.of(ensemble, steps=10, chains=5, anchor_chains=2)
    assert (given.chains, given.anchor_chains) == (5, 2)
    assert Options.of(ensemble, ladder=None, steps=10).anchor_chains == 0


def test_caches_of_incremental_evaluation_count_unless_they_are_not_used(monkeypatch):
    ensemble = Problem(length=4).ensemble().batched()
    cached = incremental(ensemble.features, ensemble.params, 4).cache_bytes
    full, either = (sequence_bytes(ensemble, full=full) for full in (True, False))
    assert either == full + cached > full > 4 * 128 * 4
    # Memory for 4,000 sequences without caches.
    pretend(monkeypatch, "TPU v4", 1, 4 * 4000 * 1000)
    monkeypatch.setattr(_options, "sequence_bytes", lambda ensemble, full: 1000 if full else 2000)
    found = [Options.of(ensemble, steps=10, evaluation=way).chains for way in ("full", "auto", "incremental")]
    assert found == [144, 64, 64]


def test_groups_of_anchors_fill_an_accelerator(monkeypatch):
    problem = Problem(length=4)
    ensemble = problem.ensemble(anchor=problem.states[:100])
    options = Options.of(ensemble, chains=8, steps=10)
    assert options.all_chains * options.replicas == 225
    pretend(monkeypatch, "TPU v4", 1)
    assert group_size(ensemble, options) == 34  # three groups of up to 35
    pretend(monkeypatch, "TPU v4", 4)
    assert group_size(ensemble, options) == 100
    pretend(monkeypatch, "TPU v4", 1, 2**17)
    assert group_size(ensemble, options) == 1


def test_what_will_run_is_told_in_one_line(monkeypatch):
    problem = Problem(length=4)
    ensemble = problem.ensemble(anchor=problem.states[:2])
    made = prepare(ensemble, Options.of(ensemble, chains=7, anchor_chains=1, ladder=3, steps=10), rule=Site())
    assert made.told == "2 anchors × 8 chains × 9 rungs on 1 device, full evaluation"
    options = made.options
    mesh = types.SimpleNamespace(size=8)
    many = made._replace(
        ensemble=ensemble.take(np.array([0])),
        options=jme.sampling.Options.from_json(options.to_json() | {"product_noise": [0.001]}),
        program=types.SimpleNamespace(all_chains=64, path=22, mesh=mesh),
    )
    assert many.told == "64 chains × 22 rungs on 8 devices, full evaluation, rounded products"
    alone = many._replace(program=types.SimpleNamespace(all_chains=256, path=1, mesh=None), options=options)
    assert alone.told == "256 chains on 1 device, full evaluation"


def test_the_bar_shows_the_line_above_it_unless_it_is_hidden(capsys):
    for show in (True, False):
        with Progress(10, show=show) as bar:
            bar.tell("64 chains × 22 rungs on 8 devices")
        assert ("64 chains × 22 rungs on 8 devices\n" in capsys.readouterr().err) == show
