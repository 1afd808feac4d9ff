"""When a run ends, and what it says of itself."""

import jax
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.sampling.host import _assemble as result
from jaxmaxent.sampling.host import _stopping as stop
from jaxmaxent.sampling.host._stopping import Diagnosis, chains_together, judge, with_trips
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


ONE_RUNG = {"ladder": None, "thin": 1}
SEVERAL = {"ladder": 3, "thin": 1, "target_replicas": 4, "anchor_chains": 2}


@pytest.mark.parametrize(("settings", "fixed"), [(ONE_RUNG, ()), (SEVERAL, (0, 3))])
def test_a_first_look_says_no_only_where_the_verdict_does(monkeypatch, settings, fixed):
    looks = []

    def both(record, anchor, chains, movable, wanted):
        found = stop.diagnose(record, anchor, chains, movable)
        betas = np.arange(len(found.letter_rhat))
        enough, _ = judge(found, wanted, "ACGT", (), betas)
        no = stop.has_to_go_on(record, anchor, chains, movable, wanted)
        looks.append((no, enough))
        assert no == (np.nanmax(found.letter_rhat[-1]) > wanted.rhat)
        return False

    monkeypatch.setattr(result, "has_to_go_on", both)
    ensemble = Problem(length=6, beta=3.0, fixed=fixed).ensemble()
    settings = settings | {"chains": 8, "burn_in": 0, "progress": False}
    jme.sample(jax.random.key(0), ensemble, until=jme.Precision(steps=4000), **settings)
    noes = sum(no for no, _ in looks)
    assert 0 < noes < len(looks)
    assert not any(no and enough for no, enough in looks)


def test_a_run_ends_at_a_standard_error():
    run = sample(jme.Precision(rhat=1.5, ess=10, mcse=0.005))
    assert run.frequency_errors[0, -1].max() <= 0.005
    coarse = sample(jme.Precision(rhat=1.5, ess=10, mcse=0.02))
    assert coarse.steps[0] < run.steps[0]


def test_a_run_that_gives_up_says_what_is_missing_and_where():
    run = sample(jme.Precision(ess=1e9, steps=2000))
    assert run.steps[0] == 2000
    assert not run.converged[0]
    assert "not converged after 2,000 steps: the effective sample size is" in run.outcomes[0]
    assert "wanted 1e+09" in run.outcomes[0]
    soon = sample(jme.Precision(ess=1e9, seconds=1e-9))
    assert soon.steps[0] < 2000


def test_a_run_of_a_number_of_steps_is_judged_too():
    short = jme.sample(jax.random.key(0), PROBLEM.ensemble(), steps=50, burn_in=0, **QUICK)
    assert short.steps[0] == 50
    assert not short.converged[0]


def test_chains_that_stay_where_they_are_have_not_converged():
    """At this β only proposals that lower the energy are taken: soon every chain is where it will stay."""
    problem = Problem(length=4, beta=1e30)
    settings = {"ladder": None, "chains": 16, "steps": 2000, "burn_in": 500, "thin": 10, "progress": False}
    apart = jme.sample(jax.random.key(0), problem.ensemble(), **settings)
    assert not apart.converged[0]
    assert apart.frequency_ess.max() <= 16
    # Superchains of 4 that each stay somewhere else: their means vary a quarter as much as the chains.
    assert apart.max_rhat[0, 0] > 1.1
    together = jme.sample(jax.random.key(0), problem.ensemble(), start="anchor", **settings)
    assert not together.converged[0]
    assert (together.frequency_ess == 0).all()
    assert np.isnan(together.frequency_rhat).all()
    assert np.isnan(together.frequency_errors).all()


def test_held_positions_ask_for_nothing():
    problem = Problem(length=4, fixed=(1,), beta=1.0)
    run = jme.sample(jax.random.key(0), problem.ensemble(), until=jme.Precision(ess=200), **QUICK)
    assert run.converged[0]
    assert np.isnan(run.frequency_rhat[0, :, 1]).all()
    assert (run.frequency_errors[0, :, 1] == 0).all()


def test_several_anchors_end_together_and_are_judged_one_by_one():
    ensemble = PROBLEM.ensemble(anchor=PROBLEM.states[[5, 40]], beta=[1.0, 3.0])
    run = jme.sample(jax.random.key(0), ensemble, until=jme.Precision(ess=500), **QUICK)
    assert run.steps[0] == run.steps[1]
    assert run.converged.all()
    assert len(run.outcomes) == 2


@pytest.mark.parametrize(("chains", "expected"), [(1, 1), (4, 1), (7, 1), (8, 2), (12, 2), (16, 4), (18, 2), (256, 4)])
def test_superchains_are_at_least_four(chains, expected):
    assert chains_together(chains) == expected


@pytest.mark.parametrize(
    ("chains", "replicas", "expected"), [(16, 4, 4), (16, 8, 2), (8, 8, 2), (8, 9, 1), (256, 40, 1)]
)
def test_superchains_are_of_few_sequences(chains, replicas, expected):
    assert chains_together(chains, replicas) == expected


def test_what_never_changed_is_known_by_what_came_from_where_it_did():
    trips = np.array([30, 70, 20_000, 5])  # to the last rung, from the first, the second …
    ess = np.array([[400.0, 500], [800, 700], [16_384, 450], [0, 390]])  # the second letter is seen everywhere

    def last(constant_from):
        constant = np.arange(4)[:, None] >= np.array([constant_from, 4])
        found = with_trips(ess, constant, trips)
        np.testing.assert_array_equal(found[~constant], ess[~constant])
        return list(found[constant_from:, 0])

    # From the third rung 20,100 came, mostly in a few steps; but a rare letter there is known as the least known is.
    assert last(3) == [450]
    assert last(2) == [100, 100]
    assert last(1) == [30, 30, 30]
    assert last(0) == [30, 30, 30, 30]
    without_a_ladder = with_trips(np.zeros((1, 2)), np.ones((1, 2), bool), np.zeros(1, int))
    np.testing.assert_array_equal(without_a_ladder, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rhat": 1.0}, "rhat must be a finite number above 1"),
        ({"ess": 0}, "ess must be a finite number above 0"),
        ({"mcse": -0.1}, "mcse must be a finite number above 0"),
        ({"steps": 0}, "steps must be a whole number of at least 1"),
        ({"seconds": "soon"}, "seconds must be a finite number above 0"),
    ],
)
def test_bad_precision_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        jme.Precision(**settings)


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="give until or steps, not both"):
        sample(jme.Precision(), steps=100)
    with pytest.raises(ValueError, match="until must be a Precision, got float"):
        sample(1.01)
    with pytest.raises(ValueError, match="anchor_chains must be a whole number of at least 0, got -1"):
        sample(None, anchor_chains=-1)


def test_what_is_missing_is_told_with_its_rung():
    """Every rung is judged, not the last alone."""
    shape, betas = (3, 4, 4), np.array([0.0, 1.5, 3.0])
    found = Diagnosis(
        letter_rhat=np.full(shape, 1.001), letter_ess=np.full(shape, 900.0), letter_mcse=np.full(shape, 0.01),
        scalar_rhat=np.full((3, 2), 1.001), scalar_ess=np.full((3, 2), 900.0), scalar_tail_ess=np.full((3, 2), 900.0),
        scalar_mcse=np.full((3, 2), 0.01),
    )  # fmt: skip
    wanted = jme.Precision(rhat=1.01, ess=400, mcse=0.02)
    assert judge(found, wanted, "ACGT", (), betas)[0]
    found.letter_rhat[1, 2, 3], found.scalar_ess[0, 1] = 1.2, 300
    good, why = judge(found, wanted, "ACGT", (), betas)
    assert not good
    assert "R-hat is 1.2 at position 2, letter T, β = 1.5, wanted ≤ 1.01" in why
    assert "the effective sample size of the distance in letters is 300, β = 0, wanted 400" in why
    found.letter_mcse[2, 0, 0] = np.nan
    assert "a standard error is inf at position 0, letter A, β = 3" in judge(found, wanted, "ACGT", (), betas)[1]
