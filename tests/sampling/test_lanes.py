"""How many lanes there are, what a lane program is, and lanes on several devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxmaxent.sampling import Options, group_size, side_by_side
from jaxmaxent.sampling import _prepare as module
from jaxmaxent.sampling._chains import Machine
from jaxmaxent.sampling.device._walk import REFRESH_EVERY
from problems import Problem

PROGRAM = """
import json, sys
sys.path[:0] = sys.argv[1:]
import jax, numpy as np, jax.numpy as jnp
import jaxmaxent as jme
import work
from jaxmaxent.cluster import sample_each
from jaxmaxent.sampling.device import _lanes as lanes

settings = {"chains": 2, "ladder": 3, "progress": False, "until": jme.Precision(rhat=1.1, ess=60)}
found, meshes, whole = {}, [], lanes.lanes_mesh
for devices in (1, 2):
    def mesh(count, devices=devices):
        meshes.append(whole(count))
        return meshes[-1] if devices == 2 else None

    jme.sampling._lanes.lanes_mesh = mesh
    store = sample_each(jax.random.key(3), work.ensemble(), f"run{devices}.zarr", lanes=2, **settings)
    found[devices] = list(store)
same = all(np.array_equal(a.frequencies, b.frequencies) and np.array_equal(a.steps, b.steps)
           for a, b in zip(found[1], found[2]))
apart = max(float(np.abs(a.energy - b.energy).max()) for a, b in zip(found[1], found[2]))
print(json.dumps([same, apart, [mesh.size for mesh in meshes]]))
"""


def test_a_lane_may_begin_whenever_everything_is_due():
    """Draws at ends are made every 2, 4, 6 or 8 draws."""
    assert all(REFRESH_EVERY % period == 0 for period in (2, 4, 6, 8))


def given(anchors=100):
    problem = Problem(length=4)
    ensemble = problem.ensemble(anchor=problem.states[:anchors]).batched()
    options = Options.of(
        ensemble.take(np.array([0])), ladder=2, reference_rungs=0, chains=59, target_replicas=1, anchor_chains=1,
        evaluation="full",
    )  # fmt: skip
    return ensemble, options


def test_a_cpu_has_one_lane_unless_more_are_asked_for():
    ensemble, options = given()
    assert side_by_side(ensemble, options) == ("full", 1)
    assert side_by_side(ensemble, options, lanes=3) == ("full", 3)


def test_an_accelerator_has_as_many_lanes_as_keep_all_its_devices_busy(monkeypatch):
    ensemble, options = given()
    machine = Machine("some device", 1)
    monkeypatch.setattr(module, "this_machine", lambda: machine)
    monkeypatch.setattr(module, "filling", lambda *_: 60 * 7)  # 60 sequences each
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(module, "prepare", lambda ensemble, options, **more: Prepared(options))
    assert group_size(ensemble, options) == 7
    assert side_by_side(ensemble, options) == ("full", 7)
    monkeypatch.setattr(jax, "local_devices", lambda: [None] * 4)
    assert side_by_side(ensemble, options) == ("full", 8)


class Prepared:
    def __init__(self, options):
        self.options = options


@pytest.mark.slow
def test_lanes_on_two_devices_make_the_same_runs(tmp_path):
    pytest.importorskip("zarr")
    tests = Path(__file__).parents[1]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tests / "cluster"), str(tests)], cwd=tmp_path, check=False,
        env=os.environ | {"XLA_FLAGS": flags}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    same, apart, sizes = json.loads(ran.stdout.splitlines()[-1])
    assert same and apart < 1e-5
    assert sizes == [2, 2]
