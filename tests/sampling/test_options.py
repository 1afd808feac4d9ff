"""Options: what is checked, what is filled in, and what is saved."""

import json

import jax
import pytest

import jaxmaxent as jme
from jaxmaxent.sampling import Options, prepare
from problems import Problem


def sample(until=None, **settings):
    return jme.sample(jax.random.key(0), Problem().ensemble(), until=until, progress=False, **settings)


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


def test_settings_that_contradict_are_named():
    with pytest.raises(ValueError, match="give until or steps, not both"):
        sample(jme.Precision(), steps=100)
    with pytest.raises(ValueError, match="until must be a Precision, got float"):
        sample(1.01)
    with pytest.raises(ValueError, match="anchor_chains must be a whole number of at least 0, got -1"):
        sample(None, anchor_chains=-1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chains": 0}, "chains must be a whole number of at least 1, got 0"),
        ({"steps": 7}, "steps must be a multiple of thin = 5, got 7"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"burn_in": -5}, "burn_in must be a whole number of at least 0"),
        ({"burn_in": 3}, "burn_in must be a multiple of thin"),
        ({"store_every": 7}, "store_every must be a multiple of thin"),
        ({"store_every": 10_000}, "store_every must be at most steps"),
        ({"names": ["a", "b"]}, "names must name each of 1 anchors, got 2"),
    ],
)
def test_bad_input_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        sample(ladder=None, thin=5, **{"steps": 4000} | settings)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target_replicas": 0}, "target_replicas must be a whole number of at least 1, got 0"),
        ({"target_replicas": 2, "ladder": None}, "target_replicas must be 1 without a ladder, got 2"),
    ],
)
def test_bad_numbers_of_replicas_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        jme.sample(jax.random.key(0), Problem().ensemble(), progress=False, **given)


@pytest.mark.parametrize(
    "given",
    [
        {"evaluation": "incremental", "until": jme.Precision(rhat=1.2)},
        {"ladder": [0.0, 0.1 + 0.2, 2.0], "names": ["one"], "steps": 100, "store_every": 10},
        {"ladder": None, "steps": 10},
        {"ladder": 5, "rungs_at": [0.1 + 0.2, 1.0]},
    ],
)
def test_options_come_back_from_json(given):
    options = Options.of(Problem(beta=2.0).ensemble(), **given)
    assert Options.from_json(json.loads(json.dumps(options.to_json()))) == options


def test_defaults_depend_on_the_ladder():
    ensemble = Problem(length=4, beta=2.0).ensemble()
    laddered, alone = Options.of(ensemble), Options.of(ensemble, ladder=None)
    assert (laddered.rungs, laddered.chains, laddered.anchor_chains, laddered.target_replicas) == (14, 8, 1, 8)
    assert (alone.rungs, alone.chains, alone.anchor_chains, alone.target_replicas) == (1, 256, 0, 1)
    assert (laddered.all_chains, laddered.path, laddered.slots, laddered.replicas) == (9, 20, 27, 25)
    assert (laddered.reference_rungs, alone.reference_rungs) == (6, 0)
    assert laddered.adapts and not alone.adapts
    assert not Options.of(ensemble, ladder=[0.0, 2.0]).adapts
    assert laddered.burn_in == 40 * 4 == sum(laddered.rounds) * 5
    assert laddered.steps == laddered.burn_in + 200_000
    with pytest.raises(ValueError, match="evaluation must be"):
        prepare(ensemble, Options.of(ensemble, evaluation="quick"))
