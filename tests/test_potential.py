import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.analysis import solve_chemical_potential
from jaxmaxent.analysis.potential import _Search, _verified
from problems import Problem

QUICK = {"chains": 128, "steps": 400, "progress": False}


def energies_and_counts(problem, anchor):
    network = exact.toy_network(problem.seed, problem.length, problem.letters)
    energies = exact.energy_from(network, anchor, problem.w, problem.letters)(problem.states)
    return energies, exact.composition_count(problem.states, problem.composed)


@pytest.fixture(scope="module")
def solved():
    """Twenty ensembles, each with its own anchor and β, solved side by side, with their exact answers."""
    problem = Problem(length=4, seed=11)
    rng = np.random.default_rng(0)
    anchors = problem.states[rng.choice(256, 20, replace=False)]
    betas = np.linspace(0.3, 3.0, 20)
    target = 0.38
    ensemble = problem.ensemble(anchor=anchors, beta=betas)
    result = solve_chemical_potential(jax.random.key(5), ensemble, target, field="CG", **QUICK)
    truth = []
    for anchor, beta in zip(anchors, betas, strict=True):
        energies, counts = energies_and_counts(problem, anchor)
        truth.append(exact.solve_mu(target, problem.states, energies, beta, counts, problem.length))
    return result, np.array(truth)


def test_potentials_are_the_exact_ones_within_their_errors(solved):
    result, truth = solved
    assert result.reached.all()
    assert (result.standard_error > 0).all()
    assert (result.standard_error <= 0.02).all()
    z = (result.mu - truth) / result.standard_error
    # The answers share positions, so they are not quite 20 independent ones.
    assert (np.abs(z) < 3).mean() >= 0.95
    assert 0.5 < np.sqrt(np.mean(z**2)) < 1.6


def test_network_shifts_the_potential_from_its_independent_value(solved):
    """Else the test above could be passed by logit(target)."""
    result, truth = solved
    independent = np.log(0.38 / 0.62)
    assert np.abs(truth - independent).max() > 0.3
    assert (np.abs(result.mu - independent) > 5 * result.standard_error).sum() >= 10


def test_fresh_run_has_the_wanted_mean(solved):
    result, _ = solved
    slope_times_error = result.standard_error * 0.07  # d(fraction)/dμ is at most 1/4 / length for independent sites
    assert (np.abs(result.fraction - 0.38) < 5 * np.hypot(result.fraction_error, slope_times_error)).all()


def test_trials_tell_the_search(solved):
    result, _ = solved
    for mu, trials in zip(result.mu, result.trials, strict=True):
        below = [trial.mu for trial in trials if trial.verdict == "below"]
        above = [trial.mu for trial in trials if trial.verdict == "above"]
        assert trials[-1].verdict == "undecided"
        assert all(value < mu for value in below)
        assert all(value > mu for value in above)
        decided = [trial for trial in trials if trial.verdict != "undecided"]
        assert all(abs(trial.fraction - 0.38) > 3.5 * trial.standard_error for trial in decided)


def test_zero_beta_gives_the_logit():
    ensemble = jme.Ensemble.create(lambda x: x.reshape(-1), ["ACGTA" * 20, "A" * 100], beta=0.0)
    result = solve_chemical_potential(jax.random.key(0), ensemble, 0.38, **QUICK)
    np.testing.assert_allclose(result.mu, np.log(0.38 / 0.62), atol=1e-4)
    np.testing.assert_array_equal(result.standard_error, 0)
    assert result.reached.all()
    assert result.trials == ((), ())
    assert (np.abs(result.fraction - 0.38) < 5 * result.fraction_error).all()


def test_zero_beta_with_other_fields_and_fixed_positions_is_exact():
    problem = Problem(length=4, beta=0.0, mus=(0.0, 1.2, 0.5), fixed=(2,), seed=4)
    _, counts = energies_and_counts(problem, problem.anchor)
    others = [mu * np.array([f(x) for x in problem.states]) for mu, f in zip(problem.mus, problem.counts, strict=True)]
    expected = exact.solve_mu(0.4, problem.states, -sum(others), 1.0, counts, 4, problem.allowed)
    result = solve_chemical_potential(jax.random.key(0), problem.ensemble(), 0.4, field="CG", **QUICK)
    assert result.mu[0] == pytest.approx(expected, abs=1e-4)


def test_unattainable_targets_never_look_like_an_answer():
    problem = Problem(length=4, beta=1.0, fixed=(0, 1, 2))
    held = int(np.isin(problem.anchor[:3], (1, 2)).sum())
    target = (held + 1) / 4 + 0.1 if held < 3 else 0.5
    result = solve_chemical_potential(jax.random.key(0), problem.ensemble(), target, field="CG", **QUICK)
    assert not result.reached[0]
    assert np.isnan([result.mu[0], result.standard_error[0], result.fraction[0]]).all()
    assert result.outcomes[0].startswith("not reached: a mean of")


def test_budget_that_ends_too_early_is_said():
    ensemble = Problem(length=4, beta=1.0).ensemble()
    settings = {"chains": 4, "steps": 20, "max_steps": 40, "progress": False}
    result = solve_chemical_potential(jax.random.key(0), ensemble, 0.4, field="CG", tolerance=1e-4, **settings)
    assert not result.reached[0]
    assert "above the wanted 0.0001" in result.outcomes[0]


def test_chains_that_do_not_mix_give_no_answer():
    """Two wells far apart, and a target between them."""

    def features(x):
        # All G+C or none at all is near the anchor; in between is a wall that no chain climbs at this β.
        gc = x[:, 1:3].sum()
        return jnp.minimum(gc, 12 - gc)[None] * 1.0

    ensemble = jme.Ensemble.create(features, "A" * 12, beta=9.0)
    result = solve_chemical_potential(jax.random.key(0), ensemble, 0.3, max_steps=1600, **QUICK)
    assert not result.reached[0]
    assert result.outcomes[0].startswith("not reached: ")


@pytest.mark.parametrize(("offset", "reached"), [(0.0, True), (0.5, False)])
def test_fresh_run_has_the_last_word(offset, reached):
    """A search whose chains stuck together can report any μ with a small error."""
    problem = Problem(length=4, beta=1.0, mus=(0.0,), seed=11)
    energies, counts = energies_and_counts(problem, problem.anchor)
    search = _Search(0.4, 0.02, 0.0, 100, 6400, 128, exact=False)
    search.slope = 0.2
    search.mu = exact.solve_mu(0.4, problem.states, energies, 1.0, counts, 4) + offset
    search.standard_error, search.outcome = 0.01, "solved to a standard error of 0.01"
    found = _verified(jax.random.key(0), problem.ensemble().batched(), 0, [search], 128, 1000, 1000, "CG")
    assert found.reached[0] == reached
    assert np.isnan(found.mu[0]) != reached
    assert ("chains started afresh at μ" in found.outcomes[0]) != reached


def test_one_anchor_without_an_answer_leaves_the_others_theirs():
    problem = Problem(length=4, beta=0.8, fixed=(0, 1, 2))
    anchors = np.array([[1, 1, 1, 0], [1, 0, 3, 0]])  # three fixed letters of four, and one
    result = solve_chemical_potential(jax.random.key(0), problem.ensemble(anchor=anchors), 0.4, field="CG", **QUICK)
    np.testing.assert_array_equal(result.reached, [False, True])
    assert abs(result.fraction[1] - 0.4) < 5 * result.fraction_error[1] + 0.02


def test_few_chains_decide_by_students_t():
    """At β = 0 the answer is exact, and no run of two chains may say otherwise; nor may it decide too easily."""
    ensemble = Problem(length=4, beta=0.0).ensemble(anchor=np.zeros((40, 4), int))
    result = solve_chemical_potential(jax.random.key(0), ensemble, 0.4, field="CG", chains=2, steps=50, progress=False)
    assert result.reached.all()
    search = _Search(0.4, 0.02, 0.0, 100, 6400, 2, exact=False)
    search.look(0.3, 0.02, 0.25, 100)  # 5 standard errors of two chains
    assert search.trials[0].verdict == "undecided"


def test_pairs_are_no_composition():
    ensemble = Problem(mus=(0.1, 0.2)).ensemble()
    with pytest.raises(ValueError, match="field must be a composition, but the ensemble's field 'CpA' counts pairs"):
        solve_chemical_potential(jax.random.key(0), ensemble, 0.4, field="CpA")


def test_another_mu_never_compiles_again():
    traced = []

    def features(params, one_hot):
        traced.append(1)
        return one_hot.reshape(-1) * params

    network = jme.Representation(features, 0.3)
    ensemble = jme.Ensemble.create(network, "ACGTACGT", beta=1.0)
    jme.sample(jax.random.key(0), ensemble, chains=16, steps=100, progress=False)
    before = len(traced)
    result = solve_chemical_potential(jax.random.key(1), ensemble, 0.3, chains=16, steps=200, progress=False)
    looks = len(result.trials[0])
    assert looks >= 3
    # Adding the field is another program: its first states, their noise, its proposals and what it recomputes are
    # traced once each, whatever the looks.
    assert len(traced) - before <= 4


def test_a_wrong_end_of_the_bracket_is_given_up():
    """The side of one look is reported wrongly; the search must still come to the answer."""
    truth, slope, error = 0.7, 0.25, 1e-4
    search = _Search(0.4, 0.02, 0.0, 100, 6400, 256, exact=False)
    for look in range(60):
        if search.done:
            break
        fraction = 0.4 + slope * (search.mu - truth)
        if look == 1:
            fraction = 0.4 + 0.05 * np.sign(truth - search.mu)
        search.look(fraction, error, slope, search.steps)
    assert search.mu == pytest.approx(truth, abs=0.01)
    assert search.standard_error == pytest.approx(error / slope)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": 0.0}, "target must be a finite number above 0 and below 1, got 0.0"),
        ({"target": float("nan")}, "target must be a finite number"),
        ({"chains": 1}, "chains must be a whole number of at least 2, got 1"),
        ({"tolerance": -1}, "tolerance must be a finite number above 0"),
        ({"steps": 3}, "steps must be a whole number of at least 10"),
        ({"burn_in": -10}, "burn_in must be a whole number of at least 0"),
        ({"max_steps": 10}, "max_steps must be a whole number of at least"),
        ({"field": "GX"}, "letters must be some but not all"),
    ],
)
def test_bad_input_is_named(settings, message):
    settings = {"target": 0.4} | settings
    with pytest.raises(ValueError, match=message):
        solve_chemical_potential(jax.random.key(0), Problem().ensemble(), settings.pop("target"), **settings)
