"""Runs of anchors that hold different positions, against enumeration of each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.kernels import (
    Informed,
    Mixture,
    Rotation,
    Segment,
    SegmentAdaptive,
    Site,
    SiteAdaptive,
    Transposition,
    evaluator_for,
)
from jaxmaxent.kernels import build as build_kernel
from jaxmaxent.testing import check_rule
from problems import Problem

PROBLEM = Problem(length=4, beta=1.5, mus=(0.4, 0.5, 0.3), seed=5)
ANCHORS = PROBLEM.states[[27, 141]]
HELD = np.array([[1, 0, 0, 0], [0, 1, 1, 0]], bool)
RULES = {
    "segments": Mixture.create([Site(), Segment(2)]),
    "windows": Mixture.create([Site(), Rotation(3), Transposition()]),
    "adaptive": Mixture.create([SiteAdaptive(), SegmentAdaptive(2)]),
    "informed": Informed(),
    "default": None,
}


def exact_of(anchor, held, beta):
    energy = exact.energy_from(exact.toy_network(PROBLEM.seed, 4, 4), anchor, PROBLEM.w, 4)
    weights = exact.log_weights(PROBLEM.states, energy, beta, list(zip(PROBLEM.mus, PROBLEM.counts, strict=True)))
    return weights, exact.allowed_states(PROBLEM.states, anchor, np.flatnonzero(~held))


@pytest.mark.parametrize("name", ["segments", *(pytest.param(n, marks=pytest.mark.exhaustive) for n in [*RULES][1:])])
def test_both_legs_of_every_anchor_agree_with_enumeration(name):
    run = jme.sample(
        jax.random.key(0), PROBLEM.ensemble(anchor=ANCHORS, fixed=HELD), ladder=3, reference_rungs=2, chains=16,
        target_replicas=2, steps=8000, rule=RULES[name], progress=False,
    )  # fmt: skip
    assert run.converged.all(), run.outcomes
    for a, (anchor, held) in enumerate(zip(ANCHORS, HELD, strict=True)):
        assert np.isnan(run.frequency_rhat[a][:, held]).all()
        assert np.isfinite(run.frequency_rhat[a][:, ~held]).all()
        for k, beta in enumerate(run.beta[a]):
            weights, allowed = exact_of(anchor, held, beta)
            gap = np.abs(run.frequencies[a, k] - exact.letter_frequencies(
                exact.distribution(weights, allowed), PROBLEM.states, 4
            ))  # fmt: skip
            assert (gap[~held] < 5 * run.frequency_errors[a, k][~held]).all()
            assert gap[held].max() < 1e-12
            log_z = exact.log_partition(weights, allowed)
            assert abs(run.log_z[a, k] - log_z) <= 5 * run.log_z_error[a, k] + 1e-5
        assert np.abs(run.leg_log_z[a] - log_z).max() < 5 * run.leg_difference_error[a]


@pytest.mark.parametrize("rule", [Site(), Segment(3), pytest.param(RULES["windows"], marks=pytest.mark.slow)])
def test_rules_leave_each_anchor_invariant(rule, x64):
    ensemble = PROBLEM.ensemble(anchor=ANCHORS, fixed=HELD)
    check_rule(rule, ensemble.take(1))


@pytest.mark.slow
def test_segments_keep_held_letters_instead_of_being_refused():
    one = PROBLEM.ensemble(anchor=ANCHORS, fixed=HELD).take(1)
    kernel = build_kernel(Segment(4), one, evaluator_for(Segment(4), one))
    state = kernel.init(one.anchor)
    infos = jax.vmap(lambda key: kernel.step(key, state)[1])(jax.random.split(jax.random.key(0), 200))
    np.testing.assert_array_equal(np.asarray(infos.proposed)[:, HELD[1]], np.tile(ANCHORS[1][HELD[1]], (200, 1)))
    assert np.isfinite(infos.log_ratio).all()


@pytest.mark.slow
def test_a_run_goes_on_and_is_refused_by_other_held_positions():
    settings = {"ladder": None, "chains": 4, "steps": 50, "rule": Site(), "progress": False}
    ensemble = PROBLEM.ensemble(anchor=ANCHORS, fixed=HELD)
    run = jme.sample(jax.random.key(0), ensemble, **settings)
    on = jme.sample(jax.random.key(0), ensemble, start=run, **settings)
    for number, held in enumerate(HELD):
        np.testing.assert_array_equal(on.last[number][..., held], np.tile(ANCHORS[number][held], (1, 4, 1)))
    free = jme.sample(jax.random.key(0), PROBLEM.ensemble(anchor=ANCHORS), **settings)
    with pytest.raises(ValueError, match="start must be a run whose chains have no letter that is forbidden or not he"):
        jme.sample(jax.random.key(0), ensemble, start=free, **settings)


@pytest.mark.slow
def test_a_resumed_run_with_growing_fields_and_held_positions_is_the_same(tmp_path, monkeypatch):
    from jaxmaxent.sampling import _checkpoint as save

    fields = [jme.motif_count("CG", 0.5), jme.count(last_letter, 0.2)]
    settings = {"ladder": 3, "reference_rungs": 2, "chains": 4, "target_replicas": 2, "steps": 400, "rule": Site()}
    ensemble = PROBLEM.ensemble(anchor=ANCHORS, fixed=HELD, fields=fields)
    whole = jme.sample(jax.random.key(0), ensemble, progress=False, **settings)
    calls = []

    def interrupt(self, loop, interrupts):
        calls.append(loop.steps)
        if len(calls) == 9:
            self._save(loop)
            raise jme.Interrupted("stopped", 2)

    with monkeypatch.context() as patch:
        patch.setattr(save.Saver, "save_if_due", interrupt)
        with pytest.raises(jme.Interrupted):
            jme.sample(jax.random.key(0), ensemble, checkpoint=tmp_path / "saved", progress=False, **settings)
    other = PROBLEM.ensemble(anchor=ANCHORS, fixed=HELD[::-1], fields=fields)
    with pytest.raises(ValueError, match="ensemble must be that of the run saved in .*, but its held is another"):
        jme.resume(tmp_path / "saved", other, rule=Site(), progress=False)
    again = jme.resume(tmp_path / "saved", ensemble, rule=Site(), progress=False)
    for name in ("energies", "counts", "last", "frequencies", "log_z", "leg_log_z", "mu_share"):
        assert getattr(again, name).tobytes() == getattr(whole, name).tobytes(), name


def last_letter(tokens):
    return jnp.asarray(tokens[-1], float)
