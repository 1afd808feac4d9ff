"""Exchanges against exact enumeration, and ladders of β's."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import exact
import jaxmaxent as jme
from jaxmaxent.kernels import Site
from jaxmaxent.sampling.device import _background_draws as fresh
from jaxmaxent.sampling.device import _swaps as ladder
from jaxmaxent.sampling.device._moments import Moments
from jaxmaxent.sampling.host._totals import of_rungs
from problems import PROBLEMS, Problem

OTHERS = ("dna-fixed", "binary", "zero-beta")  # each is a program of its own to compile


def test_exchanges_leave_every_rung_invariant(x64):
    """For all pairs of states at two rungs: the flow of an exchange equals that of its reverse, to 1e-10."""
    problem = Problem(length=3, mus=(0.4,))
    betas = jnp.array([0.7, 2.5])
    p = [exact.distribution(problem.log_weights() - (float(b) - problem.beta) * problem.energies) for b in betas]
    low, high = np.meshgrid(problem.energies, problem.energies, indexing="ij")
    pairs = jnp.asarray(np.stack([low.ravel(), high.ravel()], -1))
    accept = jax.vmap(lambda e: ladder.exchange(jnp.zeros(1), True, betas, e)[1][0])(pairs)
    accept = np.asarray(accept).reshape(low.shape)
    expected = np.minimum(1, np.exp((2.5 - 0.7) * (high - low)))
    np.testing.assert_allclose(accept, expected, rtol=0, atol=1e-12)
    flow = p[0][:, None] * p[1][None, :] * accept
    np.testing.assert_allclose(flow, flow.T, rtol=0, atol=1e-10)


def test_exchanges_are_made_as_often_as_their_probability_says_and_only_in_their_turn():
    betas, energies = jnp.array([0.0, 1.0, 2.0, 4.0, 5.0]), jnp.array([1.0, 0.6, 0.9, 0.3, 0.1])
    numbers = jax.random.uniform(jax.random.key(1), (20_000, 4))
    for even in (True, False):
        order, probability = jax.vmap(lambda row, e=even: ladder.exchange(row, e, betas, energies))(numbers)
        order = np.asarray(order)
        np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(5), (len(order), 1)))
        for k in range(4):
            swapped = (order[:, k] == k + 1) & (order[:, k + 1] == k)
            if (k % 2 == 0) != even:
                assert not swapped.any()
                continue
            expected = min(1.0, float(np.exp((betas[k + 1] - betas[k]) * (energies[k + 1] - energies[k]))))
            assert float(probability[0, k]) == pytest.approx(expected, rel=1e-6)
            assert stats.binomtest(int(swapped.sum()), len(order), expected).pvalue > 1e-5


@pytest.mark.parametrize("name", ["dna-fields", *(pytest.param(n, marks=pytest.mark.slow) for n in OTHERS)])
def test_every_rung_agrees_with_enumeration_within_its_own_errors(name):
    problem = PROBLEMS[name]
    settings = {"ladder": 4, "chains": 32, "steps": 4000, "anchor_chains": 2, "progress": False}
    run = jme.sample(jax.random.key(0), problem.ensemble(), **settings)
    assert run.converged.all(), run.outcomes
    free = np.isin(np.arange(problem.length), problem.movable)
    for k, beta in enumerate(run.beta[0]):
        log_weights = problem.log_weights() - (beta - problem.beta) * problem.energies
        p = exact.distribution(log_weights, problem.allowed)
        gap = np.abs(run.frequencies[0, k] - exact.letter_frequencies(p, problem.states, problem.letters))
        assert (run.frequency_errors[0, k][free] < 0.02).all()
        assert (gap[free] < 5 * run.frequency_errors[0, k][free]).all()
        assert gap[~free].max(initial=0) < 1e-12
        energy, _ = exact.mean_and_variance(p, problem.energies)
        assert abs(run.energy[0, k] - energy) < 5 * run.energy_error[0, k]
        for f, count in enumerate(problem.counts):
            mean, variance = exact.mean_and_variance(p, count(problem.states))
            assert abs(run.field_mean[0, k, f] - mean) < 5 * run.field_error[0, k, f]
            assert run.field_variance[0, k, f] == pytest.approx(variance, rel=0.1)
        log_z = exact.log_partition(log_weights, problem.allowed)
        assert abs(run.log_z[0, k] - log_z) <= 5 * run.log_z_error[0, k] + 1e-5
    assert run.beta[0, 0] == 0
    assert run.log_z_error[0, 0] == 0
    if not problem.counts:
        assert run.log_z[0, 0] == pytest.approx(len(problem.movable) * np.log(problem.letters), rel=1e-14)
    assert np.isnan(run.acceptance[0, 0])
    # Sequences that arrived in the warm-up may return after it, at most all that there are.
    assert 0 < run.round_trips[0] <= run.arrivals[0] + 32 * (run.last.shape[1] - 1)


def test_a_fresh_sequence_that_is_taken_in_stands_at_the_lowest_rung():
    """Otherwise rungs would still be right, but never hear from β = 0."""
    problem = Problem(length=6)
    settings = {
        "ladder": [0.0, 1e-6], "chains": 4, "target_replicas": 1, "anchor_chains": 0, "steps": 40,
        "burn_in": 0, "thin": 2
    }  # fmt: skip
    for evaluation in ("full", "incremental"):
        run = jme.sample(
            jax.random.key(3), problem.ensemble(beta=1e-6), store_every=2, evaluation=evaluation, progress=False,
            **settings,
        )  # fmt: skip
        assert "no chain was started at the anchor" in run.outcomes[0]
        np.testing.assert_array_equal(run.last[0], run.draws[0, :, -1])
        fresh, walked = run.draws[0]
        same = (fresh == walked).all(-1).all(-1)
        assert same[::2].all()  # every second exchange is with β = 0, and at nearly equal β's always accepted
        assert not same[1::2].any()
        # In between the draw stays what it was.
        np.testing.assert_array_equal(fresh[::2], fresh[1::2])
        assert (fresh[2::2] != fresh[:-2:2]).any(-1).any(-1).all()


def test_draws_do_not_depend_on_how_many_are_made_together(monkeypatch, x64):
    ensemble = Problem(length=6).ensemble()
    settings = {"ladder": 3, "target_replicas": 15, "chains": 4, "steps": 200, "burn_in": 100, "store_every": 5}
    runs = []
    for most in (1, 4):
        monkeypatch.setattr(fresh, "_MOST", most)
        runs.append(jme.sample(jax.random.key(0), ensemble, progress=False, **settings))
    np.testing.assert_array_equal(runs[0].draws, runs[1].draws)
    for run in runs:
        np.testing.assert_array_equal(run.last[0, :3], run.draws[0, :, -1])
    assert [fresh.drawn_together(chains, 20) for chains in (1, 9, 16, 31, 32, 1000)] == [4, 4, 2, 2, 1, 1]
    assert [fresh.drawn_together(9, replicas) for replicas in (1, 7, 8, 15, 16)] == [1, 1, 2, 3, 4]


def test_every_replica_at_the_last_rung_counts():
    """Of a run of one counted state everything is known: its sequences are the last ones."""
    problem = Problem(length=6, beta=2.0, mus=(0.3,))
    run = jme.sample(
        jax.random.key(0), problem.ensemble(), ladder=3, chains=4, target_replicas=5, steps=5, burn_in=50,
        anchor_chains=1, progress=False,
    )  # fmt: skip
    assert (run.target_replicas, run.last.shape, run.swap_acceptance.shape) == (5, (1, 7, 4, 6), (1, 2))
    at_last = run.last[0, 2:]
    assert len(np.unique(at_last.reshape(20, 6), axis=0)) > 10
    np.testing.assert_allclose(run.frequencies[0, 2], exact.one_hot(at_last, 4).mean((0, 1)), atol=1e-12)
    np.testing.assert_allclose(run.frequencies[0, 1], exact.one_hot(run.last[0, 1], 4).mean(0), atol=1e-12)
    energies, counts = problem.energies[exact.index_of(at_last, 4)], problem.counts[0](at_last)
    assert run.energy[0, 2] == pytest.approx(energies.mean(), rel=1e-5)
    assert run.field_mean[0, 2, 0] == pytest.approx(counts.mean(), rel=1e-5)
    assert run.field_variance[0, 2, 0] == pytest.approx(counts.var(), rel=1e-5)


def test_what_is_traced_at_the_last_rung_is_any_of_its_replicas_each_time():
    """Where nothing moves any more two draws are of one sequence in a quarter of the cases, however far apart."""
    problem = Problem(length=6, beta=1e6)
    run = jme.sample(
        jax.random.key(0), problem.ensemble(), ladder=[0.0, 1e6], chains=64, target_replicas=4, anchor_chains=0, thin=1,
        steps=400, burn_in=2000, store_every=1, rule=Site(), progress=False,
    )  # fmt: skip
    draws = run.draws[0, -1]
    same = np.array([(draws[lag:] == draws[:-lag]).all(-1).mean() for lag in range(1, 17)])
    # Replicas that came to rest at one sequence are alike, too; in a fixed order some lags would have 1, some less.
    assert 0.25 < same.mean() < 0.9
    assert np.ptp(same) < 0.04


def test_moments_of_a_rung_are_those_of_all_its_sequences():
    rng = np.random.default_rng(0)
    values = rng.normal(np.arange(5), size=(40, 2, 3, 5)).transpose(1, 2, 3, 0)[..., None]  # [1, ladders, places, …]
    places = Moments(40, values.mean(3), 40 * values.var(3))
    found = of_rungs(places, target_replicas=3)
    assert found.mean.shape == (2, 3, 3, 1)
    for rung, ours in enumerate([[0], [1], [2, 3, 4]]):
        np.testing.assert_allclose(found.mean[:, :, rung], values[:, :, ours].mean((2, 3)))
        np.testing.assert_allclose(found.variance()[:, :, rung], values[:, :, ours].var((2, 3)))


@pytest.mark.slow
def test_reported_errors_at_the_last_rung_are_the_real_ones():
    """Over 300 short runs, 95 % intervals cover the exact frequencies, though replicas are no chains of their own."""
    problem = Problem(length=3, beta=6.0, mus=(0.5,))
    truth = exact.letter_frequencies(problem.distribution(), problem.states, 4)
    # Runs of 8 chains, 30 side by side in each call: these share their positions, but not those of other calls.
    ensemble = problem.ensemble(anchor=np.tile(problem.anchor, (30, 1)))
    settings = {"ladder": [0.0, 2.0, 4.0, 6.0], "anchor_chains": 0, "steps": 1000, "burn_in": 200, "progress": False}
    runs = [jme.sample(jax.random.key(seed), ensemble, **settings) for seed in range(10)]
    assert runs[0].target_replicas == 8
    # 2.365 is Student's t for 7 degrees of freedom, those of the spread between chains; other errors have more.
    inside = [np.abs(r.frequencies[:, -1] - truth[None]) < 2.365 * r.frequency_errors[:, -1] for r in runs]
    assert 0.93 < np.mean(inside) < 0.985


def test_reported_exchange_rates_are_the_exact_ones():
    """Those of independent sequences at two β's: not of a draw at β = 0 and what became of it one rung above."""
    problem = Problem(length=4, mus=(0.4,))
    betas = np.array([0.0, 3.0, 6.0, 9.0])
    p = [exact.distribution(problem.log_weights() + (problem.beta - b) * problem.energies) for b in betas]
    rises = problem.energies[None, :] - problem.energies[:, None]
    expected = [a @ np.minimum(1, np.exp(3.0 * rises)) @ b for a, b in itertools.pairwise(p)]
    run = jme.sample(
        jax.random.key(0), problem.ensemble(beta=9.0), ladder=betas, chains=32, anchor_chains=0, steps=4000,
        burn_in=400, thin=1, progress=False,
    )  # fmt: skip
    assert max(expected) < 0.9
    np.testing.assert_allclose(run.swap_acceptance[0], expected, atol=0.006)  # two seeds differ by 0.002


@pytest.mark.parametrize("replicas", [1, 8])
def test_rungs_at_beta_0_exchange_always_and_carry_sequences_up_and_down(replicas):
    problem = Problem(length=4, beta=0.0)
    settings = {"ladder": 4, "chains": 4, "steps": 800, "burn_in": 0, "thin": 2, "anchor_chains": 0}
    run = jme.sample(jax.random.key(0), problem.ensemble(), target_replicas=replicas, progress=False, **settings)
    np.testing.assert_allclose(run.swap_acceptance, 1, rtol=1e-6)
    # Of 400 exchanges every other one takes in a sequence, which has come to the last rung two exchanges later.
    assert run.arrivals[0] == 4 * 199
    if replicas == 1:  # it stays there for one and leaves after three more; so did one of those that began there
        assert run.round_trips[0] == 4 * 198
    else:  # any that is there can leave instead of it, and the first to do so need not have come by an exchange
        assert 4 * (198 - replicas) <= run.round_trips[0] < 4 * 198


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 8])
def test_what_is_said_of_the_energy_at_the_last_rung_holds_for_all_its_replicas(replicas):
    """24 runs side by side: each has an effective size, and their mean energies vary as it and their errors say."""
    problem = Problem(length=6, beta=8.0)
    mean, variance = exact.mean_and_variance(problem.distribution(), problem.energies)
    run = jme.sample(
        jax.random.key(1), problem.ensemble(anchor=np.tile(problem.anchor, (24, 1))), ladder=[0.0, 2.5, 5.0, 8.0],
        target_replicas=replicas, anchor_chains=0, steps=8000, thin=1, burn_in=4000, rule=Site(), evaluation="full",
        progress=False,
    )  # fmt: skip
    actual = variance / np.mean((run.energy[:, -1] - mean) ** 2)
    told = np.median(run.energy_ess[:, -1])
    # 24 errors squared, of one quarter's standard error in the mean; batch means tell too little rather than too much.
    assert 0.5 < told / actual < 1.6
    assert 0.6 < np.median(variance / run.energy_error[:, -1] ** 2) / actual < 1.6
    # Of the trace of one of them, which is any of them each time.
    assert np.median(run.energy_tail_ess[:, -1]) < 1.2 * actual
    matrix = exact.metropolis_matrix(problem.log_weights(), problem.states, problem.letters, problem.movable)
    p = problem.distribution()
    acceptance = p @ (1 - np.diag(matrix))
    np.testing.assert_allclose(run.acceptance[:, -1].mean(), acceptance, rtol=0.03)


@pytest.mark.slow
def test_what_is_said_of_letters_never_seen_holds():
    """Of 48 short runs at a β where many letters are rare: what was never seen is as rare as its error says."""
    problem = Problem(length=5, beta=40.0, seed=1)
    betas = problem.beta * np.linspace(0, 1, 6) ** 1.5
    p = [exact.distribution(problem.log_weights() + (problem.beta - b) * problem.energies) for b in betas]
    truth = np.array([exact.letter_frequencies(one, problem.states, 4) for one in p])
    ensemble = problem.ensemble(anchor=np.tile(problem.anchor, (24, 1)))
    settings = {"ladder": betas, "anchor_chains": 0, "steps": 1500, "burn_in": 500, "progress": False}
    runs = [jme.sample(jax.random.key(seed), ensemble, **settings) for seed in range(2)]
    never = np.concatenate([run.frequencies == 0 for run in runs])
    errors, sizes = (np.concatenate([getattr(run, n) for run in runs]) for n in ("frequency_errors", "frequency_ess"))
    arrivals = np.concatenate([run.arrivals for run in runs])
    z = (np.broadcast_to(truth, never.shape) / errors)[never]
    assert z.size > 300
    assert (z > 2).mean() < 0.05
    # And it says more than that so many sequences came all the way.
    assert np.median(sizes[never]) > 2 * np.median(arrivals)


@pytest.mark.slow
def test_a_ladder_of_the_anchors_energies_exchanges_evenly_once_adapted():
    problem = Problem(length=5, beta=12.0, seed=2)
    settings = {"ladder": 5, "chains": 32, "steps": 1000, "burn_in": 2000, "anchor_chains": 0, "progress": False}
    run = jme.sample(jax.random.key(0), problem.ensemble(), **settings)
    fixed = jme.sample(
        jax.random.key(0), problem.ensemble(), **settings | {"ladder": ladder.first_guess(run.beta[:, -1], 5)}
    )
    assert (np.diff(run.beta[0]) > 0).all()
    assert run.beta[0, -1] == 12
    assert np.ptp(run.swap_acceptance) < np.ptp(fixed.exchange) / 2
    np.testing.assert_allclose(fixed.beta[0], 12 * np.linspace(0, 1, 5) ** 2)


def test_evened_puts_rungs_at_equal_steps_of_the_barrier():
    betas = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(ladder.evened(betas, np.array([0.2, 0.2, 0.2])), betas, atol=1e-12)
    uneven = ladder.evened(betas, np.array([0.6, 0.1, 0.2]))
    assert uneven[0] == 0
    assert uneven[-1] == 3
    assert (np.diff(uneven) > 0).all()
    assert uneven[1] < 0.7  # a third of 0.9 lies within the first pair
    np.testing.assert_array_equal(ladder.evened(np.zeros(4), np.zeros(3)), np.zeros(4))
    never_refused = ladder.evened(betas, np.array([0.5, 0.0, 0.0]))
    assert (np.diff(never_refused) > 0).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0.0], "ladder must hold at least 2 β's"),
        ([[0.0, 2.0], [0.0, 2.0]], r"ladder must hold at least 2 β's, \[rungs\] or \[1 anchors, rungs\]"),
        ([0.5, 2.0], "ladder must begin with 0 and increase"),
        ([0.0, 3.0, 2.0], "ladder must begin with 0 and increase"),
        ([0.0, 1.0], "ladder must end with the β of the ensemble"),
        (1, "ladder must be a whole number of at least 2, got 1"),
        ("geometric", 'ladder must be "auto"'),
    ],
)
def test_bad_ladders_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        jme.sample(jax.random.key(0), Problem().ensemble(), ladder=given, progress=False)


def test_a_run_goes_on_with_its_ladder():
    problem = Problem(length=4, mus=(0.3,))
    settings = {"chains": 4, "steps": 200, "anchor_chains": 0, "progress": False}
    first = jme.sample(jax.random.key(0), problem.ensemble(), ladder=3, **settings)
    onward = jme.sample(jax.random.key(0), problem.ensemble(), start=first, burn_in=0, **settings)
    np.testing.assert_array_equal(onward.beta, first.beta)
    assert (onward.last[:, 1:] != first.last[:, 1:]).any()
    assert onward.target_replicas == first.target_replicas == 8
    with pytest.raises(ValueError, match="start must be a run with"):
        jme.sample(jax.random.key(0), problem.ensemble(), ladder=None, start=first, steps=20, progress=False)


def test_a_run_goes_on_with_as_many_replicas_as_it_had():
    problem = Problem(length=4)
    settings = {"chains": 2, "steps": 20, "burn_in": 0, "anchor_chains": 0, "progress": False}
    first = jme.sample(jax.random.key(0), problem.ensemble(), ladder=3, target_replicas=2, **settings)
    assert jme.sample(jax.random.key(0), problem.ensemble(), start=first, **settings).target_replicas == 2
    with pytest.raises(
        ValueError, match=r"start must be a run with \[anchors, chains, replicas, length\] = \[1, 2, 4, 4\]"
    ):
        jme.sample(jax.random.key(0), problem.ensemble(), start=first, target_replicas=3, **settings)


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
