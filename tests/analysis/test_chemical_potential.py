import functools

import jax
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent import diagnostics
from jaxmaxent.analysis import solve_chemical_potential
from jaxmaxent.analysis._chemical_potential import reweighting, sampler, solve
from jaxmaxent.analysis._chemical_potential.reweighting import Round
from jaxmaxent.analysis._chemical_potential.search import Search, unlikely
from jaxmaxent.analysis._chemical_potential.zero_beta import solve_at_zero_beta
from problems import Problem, toy_features

TARGET = 0.38
QUICK = {"progress": False, "steps": 200}
# Composition, dinucleotide and a score of every letter at every position; only the first, or the first two, are solved.
PROBLEM = Problem(length=4, seed=11, mus=(0.0, 0.4, 0.3))
ANCHORS = PROBLEM.states[np.random.default_rng(0).choice(256, 20, replace=False)]
BETAS = np.linspace(0.3, 3.0, 20)


@functools.cache
def energies_at(problem, anchor):
    network = exact.toy_network(problem.seed, problem.length, problem.letters)
    return exact.energy_from(network, np.array(anchor), problem.w, problem.letters)(problem.states)


@functools.cache
def counts_of(problem):
    return np.stack([count(problem.states) for count in problem.counts], -1).astype(float)


def exact_distribution(problem, anchor, beta, mus):
    return exact.distribution(-beta * energies_at(problem, tuple(anchor)) + counts_of(problem) @ np.asarray(mus, float))


def exact_mus(problem, anchors, betas, targets):
    """Newton's method on exact means, averaged over anchors, of the first fields; the others stay as they are."""
    solved, counts, mus = len(targets), counts_of(problem), np.array(problem.mus, float)
    for _ in range(50):
        means, slopes = [], []
        for anchor, beta in zip(anchors, betas, strict=True):
            p = exact_distribution(problem, anchor, beta, mus)
            mean = p @ counts
            means.append(mean[:solved])
            slopes.append((counts.T * p @ counts - np.outer(mean, mean))[:solved, :solved])
        gap = np.asarray(targets) * problem.length - np.mean(means, axis=0)
        mus[:solved] += np.linalg.solve(np.mean(slopes, axis=0), gap)
    assert np.abs(gap).max() < 1e-10
    return mus[:solved]


class Oracle:
    """`sample` by exact and independent draws, in the form of a run; `fault` changes what it draws."""

    def __init__(self, problem, seed, fault=None):
        self.problem, self.rng, self.fault, self.mus = problem, np.random.default_rng(seed), fault, []

    def __call__(self, key, ensemble, *, chains, steps, thin, start, **settings):
        counts = counts_of(self.problem)
        mus = np.stack([np.asarray(field.mu, float) for field in ensemble.fields], -1)
        self.mus.append(mus)
        drawn = []
        for anchor, beta, mu in zip(np.asarray(ensemble.anchor), np.asarray(ensemble.beta), mus, strict=True):
            mu = mu if self.fault is None else self.fault(mu, start)
            p = exact_distribution(self.problem, anchor, beta, mu)
            drawn.append(counts[self.rng.choice(len(p), (chains, steps // thin), p=p)])
        traced = np.stack(drawn)[:, None]
        error = np.stack([diagnostics.batch_means_mcse(rows[0].swapaxes(0, 1)).error for rows in traced])
        return FakeRun(
            counts=traced, field_mean=traced.mean((2, 3)), field_error=error[:, None],
            anchors=np.asarray(ensemble.anchor), beta=np.asarray(ensemble.beta)[:, None],
        )  # fmt: skip


class FakeRun:
    def __init__(self, **arrays):
        self.__dict__ |= arrays


def solved_by_oracle(monkeypatch, problem, target, *, anchors=None, beta=None, seed=0, fault=None, **settings):
    oracle = Oracle(problem, seed, fault)
    monkeypatch.setattr(sampler, "sample", oracle)
    ensemble = problem.ensemble(
        anchor=problem.anchor if anchors is None else anchors, beta=problem.beta if beta is None else beta
    )
    settings = {"field": "CG", "ladder": None} | QUICK | settings
    return solve_chemical_potential(jax.random.key(seed), ensemble, target, **settings), oracle


# --- with the sampler itself


@pytest.fixture(scope="module")
def solved():
    """Twenty ensembles, each with its own anchor and β, solved side by side, with their exact answers."""
    traces, after = [], []

    def features(params, one_hot):
        traces.append(1)
        return toy_features(params, one_hot)

    network = jme.Representation(features, exact.toy_weights(PROBLEM.seed, 4, 4))
    ensemble = PROBLEM.ensemble(anchor=ANCHORS, beta=BETAS)
    ensemble = ensemble.replace(features=network.features)

    def watched(*arguments, **settings):
        run = jme.sample(*arguments, **settings)
        after.append(len(traces))
        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampler, "sample", watched)
        settings = {"field": "CG", "ladder": 3, "tolerance": 0.1, "steps": 400, "progress": False}
        result = solve_chemical_potential(jax.random.key(5), ensemble, TARGET, **settings)
    truth = np.array([exact_mus(PROBLEM, [a], [b], [TARGET])[0] for a, b in zip(ANCHORS, BETAS, strict=True)])
    return result, truth, after


def test_potentials_are_the_exact_ones_within_their_errors(solved):
    result, truth, _ = solved
    assert result.reached.all()
    assert (result.standard_error > 0).all()
    assert (result.standard_error <= 0.1).all()
    z = (result.mu - truth) / result.standard_error
    # The answers share positions, so they are not quite 20 independent ones.
    assert (np.abs(z) < 3).mean() >= 0.95
    assert 0.5 < np.sqrt(np.mean(z**2)) < 1.6
    # Else this could be passed by the answer at β = 0.
    first = np.array([trials[0].mu for trials in result.trials])
    assert (np.abs(truth - first) > 3 * result.standard_error).sum() >= 3


def test_new_run_has_the_wanted_mean(solved):
    result, _, _ = solved
    slope_times_error = result.standard_error / 4  # d(fraction)/dμ is at most 1/4 for sites that do not interact
    assert (np.abs(result.fraction - TARGET) < 5 * np.hypot(result.fraction_error, slope_times_error)).all()


def test_another_mu_never_compiles_again(solved):
    """Everything is traced in the first round. The later rounds and the new run use programs that exist."""
    result, _, after = solved
    assert len(after) == len(result.trials[0]) + 1 >= 3
    assert after[0] > 0
    assert after[-1] == after[0]


def test_proposals_are_counted(solved):
    result, _, after = solved
    least = len(after) * 400 + 2 * 400 + 40  # rounds and burn-ins
    assert result.proposals % (20 * 8 * 2) == 0
    assert result.proposals >= 20 * 8 * 2 * least


# --- with exact draws in its place


def test_trials_tell_the_search(monkeypatch):
    """From far away, as other fields have changed since: the bracket closes around the answer."""
    problem = Problem(length=4, seed=11, mus=(0.0, 0.4, 0.3), beta=2.5)
    monkeypatch.setattr(solve, "solve_at_zero_beta", lambda *_: np.array([[5.0]]))
    result, _ = solved_by_oracle(monkeypatch, problem, TARGET)
    truth = exact_mus(problem, [problem.anchor], [2.5], [TARGET])[0]
    trials = result.trials[0]
    assert result.reached[0]
    assert abs(result.mu[0] - truth) < 4 * result.standard_error[0]
    assert trials[0].mu == 5
    assert trials[0].verdict == "above"
    assert trials[0].bracket == (-np.inf, 5)
    assert any(np.isfinite(trial.bracket).all() for trial in trials)
    widths = [above - below for below, above in (trial.bracket for trial in trials)]
    assert widths == sorted(widths, reverse=True)
    for trial in trials:
        assert trial.bracket[0] < truth < trial.bracket[1]
        far = abs(trial.fraction - TARGET) > 3.5 * trial.standard_error
        assert trial.verdict == "undecided" or far


def test_errors_are_those_of_repeats(monkeypatch):
    """Forty solutions by chains of their own, twenty at a time: the spread of 40 is known to 11 %."""
    anchors, mus, errors = np.tile(ANCHORS[:1], (20, 1)), [], []
    for seed in (0, 1):
        settings = {"anchors": anchors, "beta": 2.0, "tolerance": 0.05, "seed": seed}
        result, _ = solved_by_oracle(monkeypatch, PROBLEM, TARGET, **settings)
        assert result.reached.all()
        mus.extend(result.mu)
        errors.extend(result.standard_error)
    truth = exact_mus(PROBLEM, ANCHORS[:1], [2.0], [TARGET])[0]
    spread, reported = np.std(mus, ddof=1), np.sqrt(np.mean(np.square(errors)))
    assert 1 / 1.5 < reported / spread < 1.5
    assert abs(np.mean(mus) - truth) < 5 * spread / 40**0.5


def test_one_potential_for_all_anchors(monkeypatch):
    result, oracle = solved_by_oracle(
        monkeypatch, PROBLEM, TARGET, anchors=ANCHORS, beta=BETAS, shared=True, tolerance=0.01
    )
    truth = exact_mus(PROBLEM, ANCHORS, BETAS, [TARGET])[0]
    assert result.mu.shape == result.reached.shape == (1,)
    assert result.reached[0]
    assert 0 < result.standard_error[0] <= 0.01
    assert abs(result.mu[0] - truth) < 4 * result.standard_error[0]
    assert abs(result.fraction[0] - TARGET) < 5 * result.fraction_error[0]
    assert all((mus[:, 0] == mus[0, 0]).all() for mus in oracle.mus)


def test_several_fields_at_once(monkeypatch):
    targets = (TARGET, 0.09)
    result, _ = solved_by_oracle(
        monkeypatch, PROBLEM, targets, anchors=ANCHORS, beta=BETAS, field=("CG", "CpA"), tolerance=0.15
    )
    truth = np.stack([exact_mus(PROBLEM, [a], [b], targets) for a, b in zip(ANCHORS, BETAS, strict=True)])
    assert result.reached.all()
    assert result.mu.shape == result.fraction.shape == (20, 2)
    assert result.covariance.shape == (20, 2, 2)
    assert (result.standard_error <= 0.15).all()
    assert result.trials[0][0].bracket is None
    off = result.mu - truth
    squares = np.einsum("ak,akl,al->a", off, np.linalg.inv(result.covariance), off)
    # χ² with 40 degrees of freedom has a deviation of √80.
    assert abs(squares.sum() - 40) < 4 * 80**0.5
    np.testing.assert_allclose(result.standard_error**2, np.diagonal(result.covariance, axis1=1, axis2=2))
    np.testing.assert_allclose(result.fraction, np.tile(targets, (20, 1)), atol=0.06)


def test_fields_that_move_together_are_no_two_fields():
    """The letters C and G, and all but these: one count is the length less the other."""
    counts = np.random.default_rng(0).binomial(100, 0.4, (50, 8)).astype(float)
    rounds = [[Round(np.zeros(2), np.stack([counts, 100 - counts], -1))]]
    search = Search(np.array([0.42, 0.58]), 0.02, np.zeros(2), 100)
    search.update(rounds)
    search.give_up(500)
    assert search.outcome.endswith("still unknown after 500 steps, because counts did not change independently")


def test_scores_have_targets_of_any_sign(monkeypatch):
    problem = Problem(length=4, seed=3, mus=(0.2, 0.1, 0.0), beta=1.0)
    result, _ = solved_by_oracle(monkeypatch, problem, -0.2, field="prior")
    mean = exact_distribution(problem, problem.anchor, 1.0, (0.2, 0.1, result.mu[0])) @ counts_of(problem)[:, 2] / 4
    assert result.reached[0]
    assert mean == pytest.approx(-0.2, abs=5 * 0.02)  # the variance of N / length is below 1
    assert abs(result.fraction[0] + 0.2) < 5 * result.fraction_error[0] + 0.05


@pytest.mark.parametrize(("offset", "reached"), [(0.0, True), (1.5, False)])
def test_the_new_run_has_the_last_word(monkeypatch, offset, reached):
    """A search whose chains stuck together reports another μ, with a small error."""

    def fault(mu, start):
        return mu + np.array([offset if start != "background" else 0, 0, 0])

    problem = Problem(length=4, beta=1.0, mus=(0.0, 0.4, 0.3), seed=11)
    result, _ = solved_by_oracle(monkeypatch, problem, TARGET, fault=fault, seed=1)
    assert result.reached[0] == reached
    assert np.isnan([result.mu[0], result.standard_error[0]]).all() != reached
    assert ("new chains at μ" in result.outcomes[0]) != reached
    assert np.isfinite(result.fraction[0])


def test_budget_that_ends_too_early_is_said(monkeypatch):
    result, oracle = solved_by_oracle(monkeypatch, PROBLEM, TARGET, tolerance=1e-4, max_steps=900)
    assert not result.reached[0]
    assert np.isnan([result.mu[0], result.standard_error[0], result.fraction[0]]).all()
    assert "above the wanted 0.0001" in result.outcomes[0]
    assert len(oracle.mus) >= 2


def test_zero_beta_is_exact_and_is_not_searched(monkeypatch):
    result, oracle = solved_by_oracle(monkeypatch, PROBLEM, TARGET, anchors=ANCHORS, beta=0.0)
    expected = exact_mus(PROBLEM, ANCHORS[:1], [0.0], [TARGET])[0]
    np.testing.assert_allclose(result.mu, expected, atol=1e-4)
    np.testing.assert_array_equal(result.standard_error, 0)
    assert result.reached.all()
    assert result.trials == ((),) * 20
    assert len(oracle.mus) == 1
    assert (np.abs(result.fraction - TARGET) < 5 * result.fraction_error).all()


def test_one_anchor_without_an_answer_leaves_the_others_theirs(monkeypatch):
    start, known = solve_at_zero_beta, np.where(np.arange(20) == 0, np.nan, 1.0)
    monkeypatch.setattr(solve, "solve_at_zero_beta", lambda *arguments: start(*arguments) * known[:, None])
    result, _ = solved_by_oracle(monkeypatch, PROBLEM, TARGET, anchors=ANCHORS, beta=1.0, tolerance=0.1)
    np.testing.assert_array_equal(result.reached, known == 1)
    assert np.isnan([result.mu[0], result.fraction[0], result.fraction_error[0]]).all()
    truth = [exact_mus(PROBLEM, [anchor], [1.0], [TARGET])[0] for anchor in ANCHORS[1:]]
    assert (np.abs(result.mu[1:] - truth) < 4.5 * result.standard_error[1:]).all()


def test_anchors_that_take_turns_are_sampled_no_longer_than_each_needs(monkeypatch):
    monkeypatch.setattr(sampler, "_takes_turns", lambda *_: True)
    ladder = np.stack([BETAS * 0, BETAS], axis=1)
    kept = []

    def watched(*arguments, **settings):
        kept.append(settings["ladder"])
        return oracle(*arguments, **settings)

    oracle = Oracle(PROBLEM, 3)
    monkeypatch.setattr(sampler, "sample", watched)
    ensemble = PROBLEM.ensemble(anchor=ANCHORS, beta=BETAS)
    settings = {"field": "CG", "ladder": ladder, "tolerance": 0.1} | QUICK
    result = solve_chemical_potential(jax.random.key(0), ensemble, TARGET, **settings)
    assert all(mus.shape == (1, 3) for mus in oracle.mus)
    assert {tuple(given[0]) for given in kept} == {tuple(given) for given in ladder}
    truth = np.array([exact_mus(PROBLEM, [a], [b], [TARGET])[0] for a, b in zip(ANCHORS, BETAS, strict=True)])
    assert result.reached.all()
    assert (np.abs(result.mu - truth) < 4 * result.standard_error).all()
    assert (result.standard_error <= 0.1).all()
    assert result.covariance.shape == (20, 1, 1)
    assert len({len(trials) for trials in result.trials}) > 1
    assert len(result.outcomes) == 20


# --- its parts


def test_zero_beta_gives_the_logit():
    ensemble = jme.Ensemble.create(lambda x: x.reshape(-1), ["ACGTA" * 20, "A" * 100], beta=0.0, fields=GC).batched()
    found = solve_at_zero_beta(ensemble, [0], np.array([0.41]), [[0], [1]])
    np.testing.assert_allclose(found, np.full((2, 1), np.log(0.41 / 0.59)), atol=1e-4)


GC = [jme.composition("GC")]


@pytest.mark.parametrize("targets", [(0.4,), (0.4, 0.1)])
def test_zero_beta_with_other_fields_and_fixed_positions_is_exact(targets):
    problem = Problem(length=4, beta=0.0, mus=(0.0, 1.2, 0.5), fixed=(2,), seed=4)
    mus = np.array(problem.mus)
    found = solve_at_zero_beta(problem.ensemble().batched(), list(range(len(targets))), np.array(targets), [[0]])[0]
    mus[: len(targets)] = found
    p = exact.distribution(counts_of(problem) @ mus, problem.allowed)
    np.testing.assert_allclose((p @ counts_of(problem))[: len(targets)] / 4, targets, atol=1e-5)


def test_unattainable_targets_are_no_answers():
    problem = Problem(length=4, beta=1.0, fixed=(0, 1, 2))
    held = int(np.isin(problem.anchor[:3], (1, 2)).sum())
    target = (held + 1) / 4 + 0.1 if held < 3 else 0.5
    result = solve_chemical_potential(jax.random.key(0), problem.ensemble(), target, field="CG", **QUICK)
    assert not result.reached[0]
    assert np.isnan([result.mu[0], result.standard_error[0], result.fraction[0], result.fraction_error[0]]).all()
    assert (
        result.outcomes[0] == f"not reached: a mean of {target:g} is not attainable with the positions that are fixed"
    )
    assert result.proposals == 0


def test_reweighted_means_are_exact_within_their_errors():
    """Draws at two μ's speak for a third between them, and say how many of them count there."""
    rng, counts = np.random.default_rng(0), counts_of(PROBLEM)[:, :2]
    z = []
    for _ in range(60):
        rounds = []
        for mu in ([-0.6, 0.1], [0.5, 0.4]):
            p = exact_distribution(PROBLEM, ANCHORS[0], 2.0, [*mu, 0.3])
            rounds.append(Round(np.array(mu), counts[rng.choice(256, (64, 8), p=p)]))
        here = reweighting.means_at([rounds], np.array([0.1, 0.2]))
        p = exact_distribution(PROBLEM, ANCHORS[0], 2.0, [0.1, 0.2, 0.3])
        z.append((here.counts - p @ counts) / here.error().error)
        np.testing.assert_allclose(here.influence.mean((0, 1)), 0, atol=1e-12)
    # Errors are the largest of three estimates, and so a little too large.
    assert 0.7 < np.sqrt(np.mean(np.square(z))) < 1.2
    exact_slope = counts.T * p @ counts - np.outer(p @ counts, p @ counts)
    np.testing.assert_allclose(here.slope, exact_slope, atol=0.25 * exact_slope.max())
    assert 0.3 < here.share < 1
    assert reweighting.means_at([rounds], np.array([6.0, 0.2])).share < reweighting.TRUSTED


def test_far_draws_give_no_root():
    counts = np.random.default_rng(0).binomial(100, 0.2, (200, 8))[..., None].astype(float)
    rounds = [[Round(np.zeros(1), counts)]]
    assert reweighting.root(rounds, np.array([60.0]), np.zeros(1)) is None
    near = reweighting.root(rounds, np.array([22.0]), np.zeros(1))
    logit = np.log(0.22 / 0.78) - np.log(0.2 / 0.8)
    assert abs(near.mu[0] - logit) < 4 * near.errors()[0]
    assert reweighting.root([[Round(np.zeros(1), np.full((20, 8, 1), 3.0))]], np.array([3.0]), np.zeros(1)) is None


def rounds_at(mu, mean, spread=0.0, states=200, length=100):
    rng = np.random.default_rng(1)
    counts = mean * length + rng.normal(0, 5 + spread, (states, 8, 1))
    return [[Round(np.array([mu]), counts)]]


def test_nothing_is_decided_within_the_noise():
    search = Search(np.array([0.4]), 0.02, np.zeros(1), 100)
    counts = np.random.default_rng(2).normal(40, 5, (20, 2, 1))
    counts += np.array([[[2.0], [-2.0]]])  # two chains that do not agree: an error of 2, with one degree of freedom
    search.update([[Round(np.zeros(1), counts + 8)]])  # 4 errors off
    assert search.trials[0].verdict == "undecided"
    assert search.trials[0].bracket == (-np.inf, np.inf)


def test_a_wrong_end_of_the_bracket_is_given_up():
    search = Search(np.array([0.4]), 0.02, np.zeros(1), 100)
    search._below = 0.5  # wrongly so
    search.update(rounds_at(0.0, 0.395))
    assert search.trials[0].bracket[0] == -np.inf
    assert search.root is not None
    assert search.root.mu[0] < 0.1


def test_a_mean_that_stays_on_one_side_is_given_up():
    search = Search(np.array([0.9]), 0.02, np.zeros(1), 100)
    for _ in range(60):
        if not search.open:
            break
        search.update(rounds_at(float(search.mu[0]), 0.2))
    assert search.outcome.startswith("not reached: the mean does not reach 0.9 as far out as μ = ")
    assert np.isnan(search.mu).all()


def test_counts_that_never_change_say_so():
    search = Search(np.array([0.4]), 0.02, np.zeros(1), 100)
    search.update([[Round(np.zeros(1), np.full((20, 8, 1), 30.0))]])
    search.give_up(200)
    assert search.outcome.startswith("not reached: the standard error of μ is still unknown after 200 steps")


def test_unlikely_is_as_unlikely_as_the_normal():
    from scipy import stats

    assert unlikely(3.5, 1e9) == pytest.approx(3.5, abs=1e-4)
    assert stats.t.sf(unlikely(3.5, 7), 7) == pytest.approx(stats.norm.sf(3.5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": 0.0}, "target must be a finite number above 0 and below 1, got 0.0"),
        ({"target": float("nan")}, "target must be a finite number"),
        ({"target": (0.4, 0.1)}, "target must be a finite number"),
        ({"target": 0.4, "field": ("GC", "CpG")}, "target must have one entry for each of 2 fields, got 0.4"),
        ({"target": (0.4, 1.2), "field": ("GC", "CpG")}, "target must be a finite number above 0 and below 1, got 1.2"),
        ({"field": ("GC", "GC"), "target": (0.4, 0.4)}, "field must be a name or several different ones"),
        ({"field": 3}, "field must be a name or several different ones, got 3"),
        ({"chains": 1}, "chains must be a whole number of at least 2, got 1"),
        ({"tolerance": -1}, "tolerance must be a finite number above 1e-12"),
        ({"steps": 3}, "steps must be a whole number of at least 10"),
        ({"burn_in": -10}, "burn_in must be a whole number of at least 0"),
        ({"max_steps": 10}, "max_steps must be a whole number of at least"),
        ({"field": "GX"}, "letters must be some but not all"),
        ({"field": "CpX"}, "pair must be two letters"),
    ],
)
def test_bad_input_is_named(settings, message):
    settings = {"target": 0.4} | settings
    with pytest.raises(ValueError, match=message):
        solve_chemical_potential(jax.random.key(0), Problem().ensemble(), settings.pop("target"), **settings)
