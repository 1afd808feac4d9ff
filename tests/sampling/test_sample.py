import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from annotations import unchecked
from jaxmaxent.sampling.host import _loop as loop
from jaxmaxent.sampling.program import _program as program
from problems import PROBLEMS, Problem


def sample(problem, **settings):
    settings = {"ladder": None, "chains": 128, "steps": 4000, "burn_in": 500, "thin": 5, "progress": False} | settings
    return jme.sample(jax.random.key(settings.pop("seed", 0)), problem.ensemble(), **settings)


def single_precision_features(weights, one_hot):
    return jnp.tanh(jnp.einsum("lk,lkf->f", one_hot.astype(jnp.float32), weights))


@pytest.mark.slow
@pytest.mark.parametrize("evaluation", ["full", "incremental"])
def test_a_single_precision_network_is_sampled_where_jax_is_in_double(evaluation, x64):
    weights = np.random.default_rng(0).normal(size=(4, 4, 3)).astype(np.float32)
    network = jme.Representation(single_precision_features, weights)
    ensemble = jme.Ensemble.create(network, "ACGT", beta=2.0)
    settings = {"ladder": 2, "chains": 16, "steps": 2000, "evaluation": evaluation, "progress": False}
    run = jme.sample(jax.random.key(0), ensemble, **settings)
    states = exact.states(4, 4)
    features = np.tanh(np.einsum("nlk,lkf->nf", exact.one_hot(states, 4), weights))
    energies = np.linalg.norm(features - features[exact.index_of(np.arange(4), 4)], axis=-1)
    expected = exact.letter_frequencies(exact.distribution(-2.0 * energies), states, 4)
    assert run.frequency_errors[0, -1].max() < 0.02
    assert (np.abs(run.frequencies[0, -1] - expected) < 5 * run.frequency_errors[0, -1]).all()


# The other problems each compile a program of their own.
QUICK = ("dna-fields", "dna-fixed", "binary")


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in PROBLEMS])
def test_sampler_agrees_with_enumeration_within_its_own_errors(name):
    problem = PROBLEMS[name]
    p = problem.distribution()
    result = sample(problem)
    frequencies = exact.letter_frequencies(p, problem.states, problem.letters)
    held = ~np.isin(np.arange(problem.length), problem.movable)
    np.testing.assert_array_equal(result.frequencies[0, 0][held], frequencies[held].round(12))
    error, free = result.frequency_errors[0, 0], ~held
    assert (error[free] > 0).all()
    assert (error[free] < 0.01).all()
    assert (np.abs(result.frequencies[0, 0] - frequencies)[free] < 5 * error[free]).all()
    energy, _ = exact.mean_and_variance(p, problem.energies)
    assert abs(result.energy[0, 0] - energy) < 5 * result.energy_error[0, 0]
    for k, count in enumerate(problem.counts):
        mean, variance = exact.mean_and_variance(p, count(problem.states))
        assert abs(result.field_mean[0, 0, k] - mean) < 5 * result.field_error[0, 0, k]
        assert result.field_variance[0, 0, k] == pytest.approx(variance, rel=0.05)


@pytest.mark.slow
def test_forbidden_letters_never_come_and_ask_for_nothing():
    problem = PROBLEMS["dna-fields"]
    table = problem.prior.copy()
    table[[1, 3, 3], (problem.anchor[[1, 3, 3]] + [1, 1, 2]) % 4] = -np.inf
    forbidden = np.isinf(table)
    fields = [*problem.ensemble().fields[:2], jme.position_prior(table, problem.mus[2])]
    run = jme.sample(
        jax.random.key(0), problem.ensemble(fields=fields), ladder=4, chains=16, steps=4000, progress=False
    )
    left = ~forbidden[np.arange(problem.length), problem.states].any(1)
    frequencies = exact.letter_frequencies(
        exact.distribution(problem.log_weights(), left), problem.states, problem.letters
    )
    found, error = run.frequencies[0, -1], run.frequency_errors[0, -1]
    assert (run.frequencies[0][:, forbidden] == 0).all()
    assert np.isnan(run.frequency_rhat[0][:, forbidden]).all()
    assert np.isinf(run.frequency_ess[0][:, forbidden]).all()
    assert (error[~forbidden] < 0.02).all()
    assert (np.abs(found - frequencies)[~forbidden] < 5 * error[~forbidden]).all()
    log_z = exact.log_partition(problem.log_weights(), left)
    assert abs(run.log_z[0, -1] - log_z) < 5 * run.log_z_error[0, -1]


@pytest.mark.slow
def test_a_run_does_not_depend_on_the_unit_of_the_energy():
    """Scale features by a power of two and β by its inverse, so far that squares leave the range of float32."""
    weights = np.random.default_rng(0).normal(size=(16, 5)).astype(np.float32)

    def features(params, one_hot):
        return params[0] * jnp.tanh(one_hot.reshape(-1) @ params[1])

    runs = []
    for size in (1.0, 2.0**-73, 2.0**90):
        network = jme.Representation(features, (jnp.float32(size), jnp.asarray(weights)))
        ensemble = jme.Ensemble.create(network, "ACGT", beta=3.0 / size)
        runs.append(jme.sample(jax.random.key(0), ensemble, ladder=3, chains=2, steps=200, progress=False))
        np.testing.assert_array_equal(runs[-1].frequencies, runs[0].frequencies)
        np.testing.assert_array_equal(runs[-1].energy / size, runs[0].energy)
        np.testing.assert_array_equal(runs[-1].log_z, runs[0].log_z)
    assert 0.1 < runs[0].energy[0, -1] < 2


@pytest.mark.slow
def test_reported_errors_are_the_real_ones():
    """Check that over 300 short runs 95 % intervals cover the exact frequencies 95 % of the time."""
    problem = Problem(length=3, beta=2.0, mus=(0.5,))
    truth = exact.letter_frequencies(problem.distribution(), problem.states, 4)
    # Runs of 32 chains, 30 side by side in each call: these share their positions, but not those of other calls.
    ensemble = problem.ensemble(anchor=np.tile(problem.anchor, (30, 1)))
    settings = {"ladder": None, "chains": 32, "steps": 200, "burn_in": 100, "thin": 5, "progress": False}
    runs = [jme.sample(jax.random.key(seed), ensemble, **settings) for seed in range(10)]
    inside = [np.abs(r.frequencies[:, 0] - truth[None]) < 2.04 * r.frequency_errors[:, 0] for r in runs]
    # 2.04 is Student's t for 31 degrees of freedom; 3,600 intervals, dependent within a run, vary by about 0.6 %.
    assert 0.93 < np.mean(inside) < 0.97


def test_acceptance_is_the_exact_one():
    problem = PROBLEMS["dna-fixed"]
    p = problem.distribution()
    matrix = exact.metropolis_matrix(problem.log_weights(), problem.states, 4, problem.movable)
    expected = p @ (1 - np.diag(matrix))
    result = sample(problem, steps=8000)
    # Positions are shared, so acceptance varies with them: 8,000 draws of one of three positions.
    assert result.acceptance[0, 0] == pytest.approx(expected, abs=5 * 0.5 / np.sqrt(8000))


def test_same_seed_same_run_and_another_seed_another():
    one, two, other = (sample(Problem(), steps=500, seed=seed, store_every=20) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.draws, two.draws)
    np.testing.assert_array_equal(one.frequencies, two.frequencies)
    assert (one.draws != other.draws).any()


def test_result_does_not_depend_on_how_steps_are_cut_into_blocks(monkeypatch):
    settings = {"steps": 600, "burn_in": 100, "store_every": 20, "chains": 7}
    whole = sample(Problem(mus=(0.2,)), **settings)
    monkeypatch.setattr(loop, "_SECONDS_PER_BLOCK", 0.0)
    monkeypatch.setattr(program, "_BUFFER_BYTES", 50)
    cut = sample(Problem(mus=(0.2,)), **settings)
    for name in ("draws", "last", "frequencies", "acceptance"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name))
    np.testing.assert_allclose(cut.energy, whole.energy, rtol=1e-6)
    np.testing.assert_allclose(cut.field_variance, whole.field_variance, rtol=1e-5)


def test_accumulators_say_what_the_stored_draws_say():
    problem = PROBLEMS["dna-fields"]
    result = sample(problem, steps=1000, thin=5, store_every=5, chains=16)
    draws = result.draws[0, 0]
    assert draws.shape == (200, 16, problem.length)
    assert draws.dtype == np.uint8
    np.testing.assert_allclose(exact.one_hot(draws, 4).mean((0, 1)), result.frequencies[0, 0], atol=1e-12)
    energies = problem.energies[exact.index_of(draws, 4)]
    assert energies.mean() == pytest.approx(result.energy[0, 0], rel=1e-5)
    assert energies.mean(0).std(ddof=1) / 4 == pytest.approx(result.energy_error[0, 0], rel=1e-4)
    counts = problem.counts[0](draws)
    assert counts.var() == pytest.approx(result.field_variance[0, 0, 0], rel=1e-5)
    np.testing.assert_array_equal(draws[-1], result.last[0, 0])


def test_stored_draws_are_the_last_of_each_interval():
    every_state = sample(Problem(), steps=200, thin=5, store_every=5).draws
    every_fourth = sample(Problem(), steps=200, thin=5, store_every=20).draws
    np.testing.assert_array_equal(every_fourth, every_state[:, :, 3::4])


def test_chains_share_their_positions_and_nothing_else():
    """Check that after one step at β = 0, where all proposals are accepted, all chains differ at the same position."""
    ensemble = Problem(length=8, beta=0.0, letters=4).ensemble()
    settings = {"ladder": None, "chains": 500, "steps": 1, "burn_in": 0, "thin": 1, "progress": False}
    result = jme.sample(jax.random.key(0), ensemble, start="anchor", **settings)
    changed = result.last[0, 0] != result.anchors[0]
    assert changed.sum() == 500
    position = np.flatnonzero(changed.all(0))
    assert position.size == 1
    letters = np.bincount(result.last[0, 0][:, position[0]], minlength=4)
    assert (np.sort(letters)[1:] > 120).all()  # 500 / 3 each, give or take 4 standard errors


def test_anchors_share_their_positions_and_nothing_else():
    """Check for two equal anchors at β = 0 that the same position moves, and that a third of the letters are equal."""
    problem = Problem(length=8, beta=0.0)
    settings = {"ladder": None, "chains": 500, "steps": 1, "burn_in": 0, "thin": 1, "progress": False}
    ensemble = problem.ensemble(anchor=np.stack([problem.anchor] * 2))
    first, second = jme.sample(jax.random.key(0), ensemble, start="anchor", **settings).last[:, 0]
    moved = first != problem.anchor
    np.testing.assert_array_equal(moved, second != problem.anchor)
    assert (first[moved] == second[moved]).mean() == pytest.approx(1 / 3, abs=0.1)


def test_anchors_side_by_side_are_sampled_each_from_its_own_ensemble():
    problem = Problem(length=3)
    anchors, betas = problem.states[[5, 40]], [1.0, 3.0]
    ensemble = problem.ensemble(anchor=anchors, beta=betas)
    result = jme.sample(jax.random.key(0), ensemble, ladder=None, chains=128, steps=4000, thin=5, progress=False)
    assert result.frequencies.shape == (2, 1, 3, 4)
    network = exact.toy_network(problem.seed, 3, 4)
    for a in range(2):
        energy = exact.energy_from(network, anchors[a], problem.w, 4)
        p = exact.distribution(exact.log_weights(problem.states, energy, betas[a]))
        gap = np.abs(result.frequencies[a, 0] - exact.letter_frequencies(p, problem.states, 4))
        assert (gap < 5 * result.frequency_errors[a, 0]).all()


@pytest.mark.slow
def test_anchors_in_turn_are_the_anchors_side_by_side(monkeypatch):
    problem = Problem(length=4, mus=(0.3,))
    ensemble = problem.ensemble(anchor=problem.states[[5, 40, 41]], beta=[1.0, 3.0, 0.0])
    settings = {"ladder": 3, "chains": 6, "steps": 200, "store_every": 50, "progress": False}
    side_by_side = jme.sample(jax.random.key(0), ensemble, **settings)
    monkeypatch.setattr(program, "ENOUGH_FOR_A_CPU", 1)
    in_turn = jme.sample(jax.random.key(0), ensemble, **settings)
    for name in ("draws", "last", "frequencies", "acceptance"):
        np.testing.assert_array_equal(getattr(in_turn, name), getattr(side_by_side, name))
    np.testing.assert_allclose(in_turn.energy, side_by_side.energy, rtol=1e-6)
    np.testing.assert_allclose(in_turn.field_mean, side_by_side.field_mean, rtol=1e-6)


def test_start_is_where_it_is_said_to_be():
    problem = Problem(length=6)
    nowhere = {"steps": 10, "burn_in": 0, "thin": 10}
    at_anchor = sample(problem, start="anchor", **nowhere).last[0, 0]
    assert ((at_anchor != problem.anchor).sum(1) <= 6).all()
    first = sample(problem, **nowhere)
    onward = sample(problem, start=first, seed=9, **nowhere)
    assert (onward.last != first.last).any(-1).mean() > 0.5
    with pytest.raises(ValueError, match="start must be a run with"):
        sample(problem, start=first, chains=3)
    with pytest.raises(ValueError, match="keep the positions fixed here"):
        sample(dataclasses.replace(problem, fixed=(0, 3)), start=first, **nowhere)
    with pytest.raises(ValueError, match='start must be "background", "anchor" or a run'):
        sample(problem, start="x0")


def test_another_beta_mu_anchor_or_length_of_run_does_not_compile_again():
    traced = []

    def features(params, one_hot):
        traced.append(1)
        return one_hot.reshape(-1) * params

    def ensemble(anchor, beta, mu, scale):
        network = jme.Representation(features, np.full(20, scale))
        return jme.Ensemble.create(network, anchor, beta=beta, fields=[jme.composition("GC", mu)])

    settings = {"ladder": 3, "chains": 4, "thin": 10, "progress": False}
    jme.sample(jax.random.key(0), ensemble("ACGTA", 1.0, 0.0, 1.0), steps=100, **settings)
    before = len(traced)
    second = ensemble("TTTTT", 2.0, 0.5, 2.0)
    building = len(traced) - before
    jme.sample(jax.random.key(1), second, steps=370, burn_in=20, **settings)
    assert building > 0
    assert len(traced) - before == building


@pytest.mark.slow
def test_memory_of_the_result_does_not_grow_with_the_steps():
    def size(result):
        return sum(v.nbytes for v in vars(result).values() if isinstance(v, np.ndarray))

    assert size(sample(Problem(), steps=20_000)) == size(sample(Problem(), steps=80_000))


def test_non_finite_energies_stop_the_run_and_say_where():
    def features(params, one_hot):
        return jnp.where(one_hot[2, 3] > 0, jnp.nan, one_hot.sum(0))

    ensemble = jme.Ensemble.create(features_of(features), ["AAAA", "CCCC"], beta=1.0)
    with pytest.raises(jme.NonFiniteEnergyError, match=r"NaN or infinite energy .* chain \d+ of anchor 0"):
        jme.sample(jax.random.key(0), ensemble, ladder=None, chains=8, steps=1000, start="anchor", progress=False)


def features_of(function):
    return jme.Representation(function)


def test_first_states_with_non_finite_energy_stop_the_run_too():
    def features(params, one_hot):
        return jnp.where(one_hot[2, 3] > 0, jnp.nan, one_hot.sum(0))

    ensemble = jme.Ensemble.create(features_of(features), "AAAA", beta=1.0)
    with pytest.raises(jme.NonFiniteEnergyError, match="where chain"):
        jme.sample(jax.random.key(0), ensemble, ladder=None, chains=64, steps=10, progress=False)


def test_old_style_keys_and_other_ensembles_are_refused():
    with pytest.raises(ValueError, match=r"key must be one typed key such as jax.random.key\(0\)"):
        unchecked(jme.sample)(jax.random.PRNGKey(0), Problem().ensemble())
    with pytest.raises(ValueError, match="ensemble must be an Ensemble, got str"):
        jme.sample(jax.random.key(0), "ACGT")


def test_going_on_with_the_same_key_draws_new_numbers():
    problem = Problem(length=6, beta=0.0)
    settings = {"steps": 2000, "burn_in": 0, "thin": 10}
    first = sample(problem, **settings)
    onward = sample(problem, start=first, **settings)
    same = (onward.last == first.last).mean()
    assert same == pytest.approx(1 / 4, abs=0.075)  # 768 letters: 4.8 standard errors


def test_chains_that_never_moved_know_nothing_of_their_error():
    result = sample(Problem(beta=1e30), start="anchor", steps=100, store_every=20)
    assert result.acceptance[0, 0] == 0
    assert np.isnan(result.frequency_errors).all()
    assert np.isnan(result.energy_error).all()
