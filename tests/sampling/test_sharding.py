"""The same run on 1, 4 and 8 devices, in a process that is told it has 8."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
PROGRAM = """
import dataclasses, json, sys
sys.path.insert(0, sys.argv[1])
import jax, numpy as np
import jaxmaxent as jme
from jaxmaxent.kernels import Site
from jaxmaxent.sampling import Options, prepare
from jaxmaxent.sampling.device import _block as blocks
from jaxmaxent.sampling.device._state import Clock, Keys, Ladder
from problems import Problem

problem = Problem(length=4, mus=(0.3,))
ensemble = problem.ensemble(anchor=problem.states[[5, 40]], beta=[2.0, 3.0])
settings = {"ladder": 3, "chains": 7, "anchor_chains": 1, "steps": 400, "store_every": 50, "progress": False}
settings["ladder"] = [[0.0, 1.0, 2.0], [0.0, 1.5, 3.0]]  # given, because an adapted ladder would depend on rounding
devices = np.array(jax.devices())
meshes = {
    "one": jax.sharding.Mesh(devices[:1], ("chains",)),
    "chains": None,
    "both": jax.sharding.Mesh(devices.reshape(2, 4), ("anchors", "chains")),
}
jax.config.update("jax_disable_most_optimizations", True)
runs = {name: jme.sample(jax.random.key(0), ensemble, mesh=mesh, **settings) for name, mesh in meshes.items()}
arrays = {n: {k: v.tobytes() for k, v in vars(run).items() if isinstance(v, np.ndarray)} for n, run in runs.items()}
different = [[n, k] for n, found in arrays.items() for k in found if found[k] != arrays["one"][k]]
# One anchor is not mapped over; incremental evaluation keeps its caches on the device of their chain.
alone = {
    name: jme.sample(
        jax.random.key(0), ensemble.take(np.array([1])), mesh=mesh, evaluation="incremental",
        **settings | {"ladder": [0.0, 1.5, 3.0]},
    )
    for name, mesh in (("one", meshes["one"]), ("chains", None))
}
same_alone = [k for k in ("frequencies", "last", "draws", "acceptance", "round_trips")
              if getattr(alone["one"], k).tobytes() == getattr(alone["chains"], k).tobytes()]
# A batch of another size rounds differently, so energies agree except in their last bits, and all else is equal.
rounded = max(
    float(np.nanmax(np.abs(getattr(run, name) - getattr(runs["one"], name))))
    for run in runs.values() for name in ("energy", "energies", "log_z", "beta", "swap_acceptance")
)

options = Options.of(
    ensemble, ladder=3, reference_rungs=2, chains=7, target_replicas=2, anchor_chains=1, steps=400, burn_in=0, thin=10
)
program = prepare(ensemble, options, rule=Site()).program
ladder = Ladder(*map(jax.numpy.zeros, ((2, 3), (2, 2), (2, 4, 4))))
carry = blocks.begin(program, ensemble, Site(), ladder.log_q, jax.numpy.zeros((2, 8, 4, 4), int))
keys, clock = Keys.of(jax.random.key(0)), Clock(*map(jax.numpy.int32, (0, 1, 0, 0, 1, 1, 0)))
lowered = blocks.block.lower(program, ensemble, Site(), ladder, keys, carry, clock)
compiled = lowered.compile().as_text()
collectives = ["all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter", "collective-broadcast"]

def refusal(mesh):
    try:
        jme.sample(jax.random.key(0), ensemble, mesh=mesh, **settings)
    except ValueError as error:
        return str(error)

print(json.dumps({
    "devices": len(devices), "used": program.mesh.size, "different": different, "rounded": rounded,
    "same_alone": same_alone,
    "collectives": [word for word in collectives if word in compiled],
    "uneven": refusal(jax.sharding.Mesh(devices[:3], ("chains",))),
    "named": refusal(jax.sharding.Mesh(devices, ("data",))),
}))
"""


@pytest.fixture(scope="module")
def told():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parent.parent)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ
        | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"}
        | {"JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_run_does_not_depend_on_the_devices(told):
    assert (told["devices"], told["used"]) == (8, 8)
    untouched = {
        "frequencies",
        "frequency_errors",
        "last",
        "draws",
        "acceptance",
        "arrivals",
        "round_trips",
        "field_mean",
    }
    assert not untouched & {name for _, name in told["different"]}
    assert told["rounded"] < 1e-5


def test_a_run_of_one_anchor_does_not_depend_on_the_devices_either(told):
    assert told["same_alone"] == ["frequencies", "last", "draws", "acceptance", "round_trips"]


def test_devices_have_nothing_to_say_to_each_other_inside_a_block(told):
    assert told["collectives"] == []


def test_meshes_that_do_not_fit_are_named(told):
    assert "mesh must divide the 8 chains evenly, got 3 devices along 'chains'" in told["uneven"]
    assert "mesh must be a jax.sharding.Mesh with axes named 'anchors' and 'chains'" in told["named"]
