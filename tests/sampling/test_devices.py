"""Devices other than a CPU, and devices of other processes, as far as a CPU can tell."""

import jax
import numpy as np
import pytest

from jaxmaxent.kernels import Informed, Site
from jaxmaxent.kernels._mixture import choice_for
from jaxmaxent.sampling import Options
from jaxmaxent.sampling.program._sharding import mesh_for
from problems import Problem


@pytest.mark.parametrize(
    ("backend", "devices", "ladder", "chains"),
    [("cpu", 8, 3, 8), ("gpu", 1, 3, 8), ("gpu", 2, 3, 9), ("tpu", 4, 3, 11), ("tpu", 8, 3, 15), ("tpu", 3, None, 258)],
)
def test_chains_that_nobody_asked_for_fill_all_devices(backend, devices, ladder, chains, monkeypatch):
    ensemble = Problem(length=4).ensemble()
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(jax, "local_devices", lambda: [None] * devices)
    options = Options.of(ensemble, ladder=ladder, steps=10)
    assert options.chains == chains
    assert backend == "cpu" or options.all_chains % devices == 0
    assert Options.of(ensemble, ladder=ladder, steps=10, chains=5).chains == 5


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
