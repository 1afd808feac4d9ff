"""Diagnostics of stored draws: against definitions and ArviZ, and their defined answers in special cases."""

import warnings

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import ndtri
from scipy.stats import rankdata

from annotations import unchecked
from jaxmaxent.diagnostics import _stored_draws, ess_bulk, ess_mean, ess_tail, mcse_mean, nested_rhat, rhat

OF_DRAWS = {"rhat": rhat, "bulk": ess_bulk, "tail": ess_tail, "mean": ess_mean, "mcse": mcse_mean}
ESS = [ess_bulk, ess_tail, ess_mean]


def autoregressive(phi, shape, seed=0):
    """Draws of a stationary AR(1) along axis 1, with unit innovations."""
    chains, length, *rest = shape
    noise = np.random.default_rng(seed).normal(size=(chains, length + 2000, *rest))
    return lfilter([1], [1, -phi], noise, axis=1)[:, 2000:]


# Draws, compared with ArviZ.


def cases():
    rng = np.random.default_rng(1)
    return {
        "independent": rng.normal(size=(4, 200)),
        "odd length": rng.normal(size=(3, 101)),
        "ar 0.5": autoregressive(0.5, (4, 500)),
        "ar 0.9, odd length": autoregressive(0.9, (4, 403)),
        "ar 0.99": autoregressive(0.99, (4, 1000)),
        "antithetic": autoregressive(-0.3, (4, 500)),
        "very antithetic": autoregressive(-0.9, (4, 500)),
        "heavy tails": rng.standard_cauchy((4, 300)),
        "other means": rng.normal(size=(4, 300)) + np.arange(4)[:, None],
        "other means, odd length": rng.normal(size=(5, 77)) + 20 * np.arange(5)[:, None],
        "other spread": rng.normal(size=(4, 300)) * np.array([[1], [1], [1], [4]]),
        "drift": rng.normal(size=(4, 300)) + np.linspace(0, 5, 300),
        "counts": rng.poisson(3, (4, 301)),
        "few values": rng.integers(0, 3, (4, 250)) * 0.1,
        "binary": (autoregressive(0.7, (4, 250)) > 0).astype(float),
        "large mean": rng.normal(1e4, 1e-3, (4, 100)),
        "one chain stuck": np.concatenate([rng.normal(size=(3, 100)), np.full((1, 100), 0.1)]),
        "many chains": rng.normal(size=(64, 20)),
        "short": rng.normal(size=(4, 10)),
        "short, odd length": autoregressive(0.9, (4, 15)),
    }


@pytest.fixture(scope="module")
def arviz():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces its next version
        reason = "compares with ArviZ: pip install 'arviz>=0.22,<1'"
        module = pytest.importorskip("arviz", minversion="0.22", reason=reason, exc_type=ImportError)
    if int(module.__version__.split(".")[0]) >= 1:
        pytest.skip(reason)
    return module


@pytest.mark.parametrize("name", cases())
def test_where_definitions_coincide_the_answers_are_those_of_arviz(arviz, name):
    # They do not for one chain (R-hat), quantities that never change, chains that are all stuck, tails that are ties
    # and fewer than 10 draws: see the tests of these.
    draws = cases()[name]
    theirs = {
        "rhat": arviz.rhat(draws, method="rank"),
        "bulk": arviz.ess(draws, method="bulk"),
        "tail": arviz.ess(draws, method="tail"),
        "mean": arviz.ess(draws, method="mean"),
        "mcse": arviz.mcse(draws, method="mean"),
    }
    for what, function in OF_DRAWS.items():
        np.testing.assert_allclose(function(draws), theirs[what], rtol=1e-8, err_msg=what)


def rhat_by_definition(chains):
    """R-hat of chains that are halves already, in the words of Vehtari et al. 2021, without regard to special cases."""

    def scores(values):
        return ndtri((rankdata(values).reshape(values.shape) - 3 / 8) / (values.size + 1 / 4))

    def plain(values):
        n = values.shape[1]
        between, within = n * values.mean(1).var(ddof=1), values.var(1, ddof=1).mean()
        return np.sqrt(((n - 1) / n * within + between / n) / within)

    return max(plain(scores(chains)), plain(scores(abs(chains - np.median(chains)))))


@pytest.mark.parametrize("length", [4, 5, 10, 101])
@pytest.mark.parametrize("chains", [1, 2, 7])
def test_rhat_compares_the_halves_of_chains_even_of_one(chains, length):
    draws = autoregressive(0.8, (chains, length))
    half = length // 2
    halves = np.stack([part for chain in draws for part in (chain[:half], chain[length - half :])])
    np.testing.assert_allclose(rhat(draws), rhat_by_definition(halves), rtol=1e-12)


def test_rhat_sees_means_scales_and_drifts():
    rng = np.random.default_rng(2)
    draws = np.stack([rng.normal(size=(4, 500)) for _ in range(4)], axis=-1)
    draws[0, :, 1] += 1
    draws[0, :, 2] *= 5
    draws[:, :, 3] += np.linspace(0, 2, 500)
    same, mean, scale, drift = rhat(draws)
    assert same < 1.01
    assert min(mean, scale, drift) > 1.05


def test_nested_rhat_is_that_of_chains_laid_end_to_end_by_halves():
    draws = autoregressive(0.8, (6, 40, 2))
    halves = [np.concatenate([draws[c, half, 0] for c in group])
              for group in ([0, 1, 2], [3, 4, 5]) for half in (slice(20), slice(20, 40))]  # fmt: skip
    np.testing.assert_allclose(nested_rhat(draws, 3)[0], rhat_by_definition(np.stack(halves)), rtol=1e-12)
    np.testing.assert_array_equal(nested_rhat(draws, 1), rhat(draws))


def test_nested_rhat_sees_a_drift_that_all_chains_share_and_forgives_single_chains():
    rng = np.random.default_rng(30)
    drift = rng.normal(size=(8, 500)) + np.linspace(0, 2, 500)
    assert nested_rhat(drift, 2) > 1.1
    own = rng.normal(size=(64, 500)) + rng.normal(size=(64, 1))
    assert nested_rhat(own, 16) < rhat(own) - 0.3
    stuck = np.repeat(rng.normal(size=(64, 1)), 500, axis=1)
    assert nested_rhat(stuck, 16) == pytest.approx(np.sqrt(1 + 1 / 16), abs=0.05)
    assert nested_rhat(stuck, 1) == np.inf


@pytest.mark.parametrize("together", [0, -1, 3, 1.0, True, None])
def test_superchains_of_another_size_are_refused(together):
    with pytest.raises(ValueError, match="together must be a divisor of the number of chains, 4, got"):
        nested_rhat(np.zeros((4, 10)), together)


@pytest.mark.parametrize("scale", [1e-100, 1e-20, 1e20, 1e100])
def test_the_unit_does_not_matter(scale):
    draws = autoregressive(0.5, (4, 60))
    for name, function in OF_DRAWS.items():
        unit = scale if name == "mcse" else 1
        np.testing.assert_allclose(function(scale * draws) / unit, function(draws), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("function", OF_DRAWS.values(), ids=OF_DRAWS)
def test_quantities_are_worked_out_one_by_one(function, monkeypatch):
    rng = np.random.default_rng(3)
    draws = rng.normal(size=(3, 41, 2, 3)) + rng.normal(size=(3, 1, 2, 3))
    draws[..., 0, 1] = 7
    draws[1, 5, 1, 2] = np.inf
    draws[..., 1, 0] = rng.integers(0, 2, (3, 41))
    together = function(draws)
    assert together.shape == (2, 3)
    assert together.dtype == np.float64
    for index in np.ndindex(2, 3):
        np.testing.assert_array_equal(function(draws[:, :, *index]), together[index])
    monkeypatch.setattr(_stored_draws, "CHUNK", 300)  # two quantities at a time
    np.testing.assert_array_equal(function(draws), together)
    assert function(draws[..., :0]).shape == (2, 0)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float16, np.float32])
def test_any_real_type_is_worked_on_in_double_precision(dtype):
    draws = np.random.default_rng(4).integers(0, 2, (4, 50, 3)).astype(dtype)
    before = draws.copy()
    for function in OF_DRAWS.values():
        np.testing.assert_array_equal(function(draws), function(draws.astype(float)))
    np.testing.assert_array_equal(draws, before)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_intervals_from_draws_cover_the_mean(phi):
    runs = 1000
    draws = autoregressive(phi, (4, 500, runs), seed=5)
    coverage = (np.abs(draws.mean((0, 1))) < ndtri(0.975) * mcse_mean(draws)).mean()
    assert 0.90 < coverage < 0.98  # of 95 %, with a standard error of 0.7 %


# Draws: defined answers.


@pytest.mark.parametrize("value", [0, 1, 0.1, -1e38])
@pytest.mark.parametrize("chains", [1, 4])
def test_what_never_changes_was_not_sampled(chains, value):
    draws = np.full((chains, 57), value)
    assert np.isnan(rhat(draws))
    assert np.isnan(mcse_mean(draws))
    assert [function(draws) for function in ESS] == [0, 0, 0]


@pytest.mark.parametrize("length", [4, 7, 9, 10, 50, 501])
@pytest.mark.parametrize("values", [[-1, 1], [0.1, 0.2, 0.7], [0, 0, 0, 1], list(np.linspace(0, 1, 21))])
def test_stuck_chains_are_one_draw_each(values, length):
    draws = np.repeat(np.array(values, float)[:, None], length, axis=1)
    assert rhat(draws) == np.inf
    assert ess_mean(draws) == ess_bulk(draws) == len(values)
    assert 0 < ess_tail(draws) <= len(values)
    np.testing.assert_allclose(mcse_mean(draws), np.std(values, ddof=1) / np.sqrt(len(values)), rtol=1e-12)


def test_a_chain_that_moved_once_has_no_error():
    draws = np.repeat([[0.3, 0.7]], 40, axis=1)
    assert rhat(draws) == np.inf
    assert ess_mean(draws) == ess_bulk(draws) == 1
    assert np.isnan(mcse_mean(draws))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_draws_that_are_not_finite_spoil_their_own_quantity_only(wrong):
    draws = np.random.default_rng(6).normal(size=(4, 100, 2))
    draws[2, 50, 0] = wrong
    for function in OF_DRAWS.values():
        spoilt, fine = function(draws)
        assert spoilt == 0 if function in ESS else np.isnan(spoilt)
        assert fine == function(draws[..., 1])


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_too_few_draws_tell_nothing(length):
    draws = np.random.default_rng(7).normal(size=(4, length, 2))
    for function in OF_DRAWS.values():
        np.testing.assert_array_equal(function(draws), [0, 0] if function in ESS else [np.nan, np.nan])


@pytest.mark.parametrize("length", [4, 5, 6, 7, 8, 9])
def test_few_draws_are_never_worth_more_than_they_are(length):
    draws = np.random.default_rng(8).normal(size=(4, length, 500))
    for function in ESS:
        ess = function(draws)
        assert (ess <= 4 * length).all()
        assert (ess > 0).mean() > 0.9  # the draw left out of an odd number may be the one beyond the quantile


def test_antithetic_draws_are_worth_more_up_to_a_limit():
    draws = autoregressive(-0.3, (4, 1000))
    assert 4000 < ess_mean(draws) < 4000 * np.log10(4000)
    alternating = np.tile([0.0, 1.0], (4, 500))
    np.testing.assert_allclose(ess_mean(alternating), 4000 * np.log10(4000), rtol=1e-12)


def test_a_tail_of_ties_leaves_the_other_tail():
    upper = np.random.default_rng(9).integers(0, 2, (4, 250))  # the 95 % quantile is the largest value
    assert ess_tail(upper) == ess_mean(upper == 0)
    rare = np.ones((4, 250))
    rare[:, ::50] = 0  # and so is the 5 % quantile
    assert ess_tail(rare) == 0


@pytest.mark.parametrize(
    "draws",
    [np.zeros(5), 1.0, np.zeros((0, 10)), np.zeros((2, 10), complex), np.full((2, 10), "A"), np.full((2, 10), None)],
)
def test_draws_of_another_form_are_refused(draws):
    for function in OF_DRAWS.values():
        with pytest.raises(ValueError, match=r"draws must be numbers of shape \[chains, draws, ...\], .* got .*shape"):
            unchecked(function)(draws)
