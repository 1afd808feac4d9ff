"""Anchors in lanes make the runs of `sample`, whatever their rules, fields, held positions and legs."""

import jax
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.cluster import sample_each
from jaxmaxent.cluster._anchor import key_of
from jaxmaxent.kernels import Informed, Mixture, Rotation, Site, Transposition
from problems import GrowingProblem, Problem

pytest.importorskip("zarr")
KEY = jax.random.key(5)
SETTINGS = {"chains": 2, "ladder": 3, "progress": False, "until": jme.Precision(rhat=1.1, ess=60)}
PROBLEM = Problem(length=4, mus=(0.4, 0.5, 0.3), seed=5)
ANCHORS = PROBLEM.states[[27, 141, 98, 200]]
# Some anchors hold positions, some none.
HELD = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]], bool)
GROWING = GrowingProblem(beta=1.5, seed=3)


def plain():
    return PROBLEM.ensemble(anchor=ANCHORS)


def held():
    return PROBLEM.ensemble(anchor=ANCHORS, fixed=HELD)


def growing():
    return GROWING.ensemble(anchor=ANCHORS)


INFORMED = Informed()
MIXED = Mixture.create([Site(), Informed(), Transposition()], [2, 1, 1])
WINDOWS = Mixture.create([Site(), Rotation(3)])
# What is sampled, the rule, and further settings.
CASES = {
    "informed": (plain, INFORMED, {}),
    "informed, and others": (plain, MIXED, {}),
    "informed, positions held": (held, MIXED, {}),
    "growing fields": (growing, None, {}),
    "growing fields, windows": (growing, WINDOWS, {"reference_rungs": 0}),
    "positions held": (held, None, {}),
    "positions held, windows": (held, WINDOWS, {}),
    "no reference": (plain, None, {"reference_rungs": 0}),
    "a longer second leg": (plain, None, {"reference_rungs": 5, "target_replicas": 3}),
    "one rung": (plain, None, {"ladder": None, "anchor_chains": 0}),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", CASES)
def test_an_anchor_in_a_lane_makes_the_run_of_sample(case, tmp_path):
    make, rule, more = CASES[case]
    settings = SETTINGS | more
    batch = make().batched()
    found = sample_each(KEY, batch, tmp_path / "run.zarr", rule=rule, lanes=2, **settings)
    for number, run in enumerate(found):
        one = batch.take(np.array([number]))
        alone = jme.sample(
            key_of(KEY, one.anchor), one, rule=rule, names=[f"anchor_{number}"], evaluation="full", **settings
        )
        for name in ("frequencies", "steps", "acceptance", "arrivals", "round_trips", "field_mean"):
            np.testing.assert_array_equal(getattr(run, name), getattr(alone, name), err_msg=f"{number}: {name}")
        np.testing.assert_allclose(run.energy, alone.energy, atol=1e-5)
        np.testing.assert_allclose(run.log_z, alone.log_z, atol=1e-3)
    if case != "one rung":
        assert len({int(run.steps[0]) for run in found}) > 1  # they leave their lanes at different times
