"""The end of a run, and its verdict."""

import jax
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.diagnostics import diagnose
from jaxmaxent.sampling.host import _stopping as stopping
from jaxmaxent.sampling.host._progress import Progress
from problems import Problem

PROBLEM = Problem(length=4, mus=(0.3,), seed=3)
QUICK = {"ladder": 3, "chains": 8, "progress": False}


def sample(until, **settings):
    return jme.sample(jax.random.key(0), PROBLEM.ensemble(), until=until, **QUICK | settings)


def test_a_run_ends_when_it_knows_enough_and_says_so():
    few, many = sample(jme.Precision(rhat=1.05, ess=200)), sample(jme.Precision(rhat=1.01, ess=4000))
    assert 0 < few.steps[0] < many.steps[0] < 200_000
    for run, rhat, ess in ((few, 1.05, 200), (many, 1.01, 4000)):
        assert run.converged[0]
        assert (run.max_rhat[0] <= rhat).all()
        assert (run.min_ess[0] >= ess).all()
        assert run.outcomes[0].startswith(f"converged after {run.steps[0]:,} steps: largest R-hat ")


def test_the_bar_knows_that_a_run_has_to_be_good_twice(monkeypatch):
    told = []
    monkeypatch.setattr(Progress, "looked", lambda bar, rhat, ess=None, *, least: told.append(least))
    run = sample(jme.Precision(rhat=1.5, ess=10))
    sampled = run.burn_in + run.steps[0] - 160  # the burn-in grows
    assert len(told) > 1 and told[0] > 0 and set(told) == {told[0]}  # good from the first look on
    assert told[0] <= sampled < 1.2 * told[0]


ONE_RUNG = {"ladder": None, "thin": 1}
SEVERAL = {"ladder": 3, "thin": 1, "target_replicas": 4, "anchor_chains": 2}


@pytest.mark.parametrize(("settings", "fixed"), [(ONE_RUNG, ()), pytest.param(SEVERAL, (0, 3), marks=pytest.mark.slow)])
def test_r_hat_at_the_target_says_no_only_if_the_verdict_does(monkeypatch, settings, fixed):
    looks, knows_enough, target_rhat = [], stopping._knows_enough, stopping.target_rhat

    def both(loop, kept, anchor):
        found = diagnose(stopping.batches_of(loop, kept, anchor), stopping._varies(loop.ensemble, anchor))
        enough, _ = stopping._judged(loop, anchor, found, loop.options.wanted)
        seen = []
        with monkeypatch.context() as patch:
            patch.setattr(stopping, "target_rhat", lambda *given: seen.append(target_rhat(*given)) or seen[-1])
            knows_enough(loop, kept, anchor)
        no = seen[0] > loop.options.wanted.rhat
        looks.append((no, enough))
        assert no == (np.nanmax(found.letter_rhat[-1]) > loop.options.wanted.rhat)
        return False

    monkeypatch.setattr(stopping, "_knows_enough", both)
    ensemble = Problem(length=6, beta=3.0, fixed=fixed).ensemble()
    settings = settings | {"chains": 8, "burn_in": 0, "progress": False}
    jme.sample(jax.random.key(0), ensemble, until=jme.Precision(steps=4000), **settings)
    noes = sum(no for no, _ in looks)
    assert 0 < noes < len(looks)
    assert not any(no and enough for no, enough in looks)


@pytest.mark.slow
def test_a_run_ends_at_a_standard_error():
    run = sample(jme.Precision(rhat=1.5, ess=10, mcse=0.005))
    assert run.frequency_errors[0, -1].max() <= 0.005
    coarse = sample(jme.Precision(rhat=1.5, ess=10, mcse=0.02))
    assert coarse.steps[0] < run.steps[0]


def test_a_run_that_gives_up_says_what_is_missing_and_where():
    run = sample(jme.Precision(ess=1e9, steps=2000))
    # At least a quarter of all steps are burn-in, in whole batches, of which there are 25 to 48.
    assert run.burn_in + run.steps[0] == 160 + 2000
    assert 0.25 <= run.burn_in / 2160 < 0.29
    assert not run.converged[0]
    assert f"not converged after {run.steps[0]:,} steps: the effective sample size is" in run.outcomes[0]
    assert "wanted 1e+09" in run.outcomes[0]
    soon = sample(jme.Precision(ess=1e9, seconds=1e-9))
    assert soon.steps[0] < 2000


def test_a_run_of_a_number_of_steps_is_judged_too():
    short = jme.sample(jax.random.key(0), PROBLEM.ensemble(), steps=50, burn_in=0, **QUICK)
    assert short.steps[0] == 50
    assert not short.converged[0]


def test_chains_that_stay_where_they_are_have_not_converged():
    """Check chains that soon stay where they are: at this β only proposals that lower the energy are accepted."""
    problem = Problem(length=4, beta=1e30)
    settings = {"ladder": None, "chains": 16, "steps": 2000, "burn_in": 500, "thin": 10, "progress": False}
    apart = jme.sample(jax.random.key(0), problem.ensemble(), **settings)
    assert not apart.converged[0]
    assert apart.frequency_ess.max() <= 16
    # The means of superchains of 4 chains vary a quarter as much as those of chains.
    assert apart.max_rhat[0, 0] > 1.1
    together = jme.sample(jax.random.key(0), problem.ensemble(), start="anchor", **settings)
    assert not together.converged[0]
    assert (together.frequency_ess == 0).all()
    assert np.isnan(together.frequency_rhat).all()
    assert np.isnan(together.frequency_errors).all()


@pytest.mark.slow
def test_held_positions_ask_for_nothing():
    problem = Problem(length=4, fixed=(1,), beta=1.0)
    run = jme.sample(jax.random.key(0), problem.ensemble(), until=jme.Precision(ess=200), **QUICK)
    assert run.converged[0]
    assert np.isnan(run.frequency_rhat[0, :, 1]).all()
    assert (run.frequency_errors[0, :, 1] == 0).all()


@pytest.mark.slow
def test_several_anchors_end_together_and_are_judged_one_by_one():
    ensemble = PROBLEM.ensemble(anchor=PROBLEM.states[[5, 40]], beta=[1.0, 3.0])
    run = jme.sample(jax.random.key(0), ensemble, until=jme.Precision(ess=500), **QUICK)
    assert run.steps[0] == run.steps[1]
    assert run.converged.all()
    assert len(run.outcomes) == 2


@pytest.mark.slow
def test_a_run_ends_at_a_second_good_look_with_half_as_many_draws_more(monkeypatch):
    """Check with looks that are all good, and with one that is not: then it begins anew."""
    for bad, factor in ((None, 1.5), (1, 1.5)):
        looks = []

        def judged(loop, anchor, found, wanted, looks=looks, bad=bad):
            near = wanted.ess < loop.options.wanted.ess
            if near:
                looks.append(loop.totals.draws)
            return not (near and len(looks) - 1 == bad), ""

        with monkeypatch.context() as patch:
            patch.setattr(stopping, "_judged", judged)
            run = sample(jme.Precision(rhat=50, ess=1, steps=20_000), anchor_chains=0)
        first = looks[0 if bad is None else bad + 1]
        assert looks[-1] >= factor * first
        assert looks[-2] < factor * first
        assert run.burn_in + run.steps[0] == 160 + 5 * looks[-1]
