import dataclasses
import itertools
import math

import jax
import numpy as np
import pytest
from scipy.stats import chi2, kstest

import exact
import jaxmaxent as jme
from jaxmaxent import plot
from jaxmaxent.analysis import composition_response, composition_shift, shift_over_anchors
from jaxmaxent.analysis._composition.response import reweighted
from jaxmaxent.analysis._composition.shift import _exact_background
from jaxmaxent.plot import composition_response as draw_response
from jaxmaxent.plot import composition_shift as draw_shift
from problems import Problem

PROBLEM = Problem(length=4, beta=3.0, mus=(0.4, -0.3), seed=2)
ROWS = [3, 57, 130, 201]


def exact_of(anchor, beta, change=0.0):
    """Mean and variance of the GC count of the ensemble around an anchor, by enumeration, with μ changed."""
    energy = exact.energy_from(exact.toy_network(PROBLEM.seed, 4, 4), anchor, PROBLEM.w, 4)
    mus = (PROBLEM.mus[0] + change, PROBLEM.mus[1])
    fields = list(zip(mus, PROBLEM.counts, strict=True))
    p = exact.distribution(exact.log_weights(PROBLEM.states, energy, beta, fields))
    return exact.mean_and_variance(p, exact.composition_count(PROBLEM.states, (1, 2)))


@pytest.fixture(scope="module")
def sampled():
    """A run of four anchors with two fields, and its ensemble."""
    ensemble = PROBLEM.ensemble(anchor=PROBLEM.states[ROWS])
    run = jme.sample(jax.random.key(3), ensemble, ladder=3, chains=64, steps=400, thin=5, progress=False)
    return run, ensemble


# --- the shift over anchors


def shifted(shift, error=1.0, **settings):
    """A shift of counts over the background 50, standard deviation 5, of 100 positions."""
    shift = np.asarray(shift, float)
    errors, ones = np.broadcast_to(np.asarray(error, float), shift.shape), np.ones(len(shift))
    return shift_over_anchors(50 + shift, errors, 50 * ones, 5 * ones, length=100, **settings)


def test_shift_by_hand():
    found = shifted([4, 6, 2], error=[0.5, 1, 2], own=[55, 60, 50], field="GC")
    assert found.field == "GC"
    np.testing.assert_allclose(found.fraction, [0.54, 0.56, 0.52])
    np.testing.assert_allclose(found.background, 0.5)
    np.testing.assert_allclose(found.shift, [0.04, 0.06, 0.02])
    np.testing.assert_allclose(found.shift_error, [0.005, 0.01, 0.02])
    np.testing.assert_allclose(found.own, [0.55, 0.6, 0.5])
    assert found.mean == pytest.approx(0.04)
    assert found.mean_error == pytest.approx(0.02 / 3**0.5)
    assert found.monte_carlo_error == pytest.approx(0.01 * 5.25**0.5 / 3)
    assert found.effect == pytest.approx(4 / 5)
    assert found.effect_error == pytest.approx(2 / 5 / 3**0.5)
    assert found.p == 2 / 8  # all three up: one of eight, and its mirror image
    assert found.moves.statistic == pytest.approx(64 + 36 + 1)
    assert found.moves.degrees == 3
    assert found.moves.p == pytest.approx(chi2.sf(101, 3))
    weights = np.array([4, 1, 0.25])
    common = weights @ [4, 6, 2] / weights.sum()
    assert found.differs.statistic == pytest.approx(weights @ (np.array([4, 6, 2]) - common) ** 2)
    assert found.differs.degrees == 2
    assert found.differs.p == pytest.approx(chi2.sf(found.differs.statistic, 2))
    assert found.follows.r == pytest.approx(1)
    assert found.follows.slope == pytest.approx(0.4)
    assert found.follows.slope_error == pytest.approx(0, abs=1e-9)
    assert found.follows.p == 2 / 6  # this order and its reverse


def test_monte_carlo_is_the_least_that_an_error_can_be():
    found = shifted([4.0, 4.1, 3.9], error=3.0)
    assert found.mean_error == found.monte_carlo_error == pytest.approx(0.03 / 3**0.5)


def test_one_anchor_has_no_error_over_anchors():
    found = shifted([4.0])
    assert math.isnan(found.mean_error)
    assert math.isnan(found.effect_error)
    assert found.monte_carlo_error == 0.01
    assert found.p == 1
    assert found.moves.degrees == 1
    assert found.differs.degrees == 0
    assert math.isnan(found.differs.p)
    assert np.isnan(found.follows).all()


def test_unknown_errors_do_not_look_like_small_ones():
    found = shifted([4, 6, 2], error=[1, np.nan, 0], own=[50, np.nan, 55])
    assert found.moves.degrees == 1
    assert found.moves.statistic == pytest.approx(16)
    assert math.isnan(found.monte_carlo_error)
    assert found.mean_error == pytest.approx(0.02 / 3**0.5)
    assert np.isnan(found.follows).all()  # two anchors are left
    none = shifted([4, 6, 2], error=np.nan)
    assert none.moves.degrees == none.differs.degrees == 0
    assert math.isnan(none.moves.p)


@pytest.mark.parametrize("anchors", [2, 5, 9])
def test_sign_flips_are_all_of_them_for_few_anchors(anchors):
    values = np.random.default_rng(anchors).normal(0.5, 1, anchors)
    sums = np.array([abs(np.dot(signs, values)) for signs in itertools.product((1, -1), repeat=anchors)])
    assert shifted(values).p == np.mean(sums >= abs(values.sum()) - 1e-9)


def test_sign_flips_of_many_anchors_are_drawn():
    rng = np.random.default_rng(4)
    values = rng.normal(size=60)
    values *= 2.2 / (values.sum() / np.linalg.norm(values))  # shrinks or grows all alike: p stays
    standard = abs(values.sum()) / np.linalg.norm(values)
    p = math.erfc(standard / 2**0.5)  # the sum of 60 signed values is close to normal
    assert abs(shifted(values).p - p) < 5 * (p * (1 - p) / 1e4) ** 0.5 + 0.01 * p
    assert shifted(values).p == shifted(values).p
    assert shifted(np.full(60, 4.0)).p == 1e-4  # never 0


def test_p_is_uniform_where_nothing_shifts():
    rng = np.random.default_rng(5)
    found = [shifted(rng.normal(size=12), own=rng.normal(size=12)) for _ in range(200)]
    for p in ([f.p for f in found], [f.moves.p for f in found], [f.differs.p for f in found]):
        assert kstest(p, "uniform").pvalue > 1e-3
    follows = np.array([f.follows.p for f in found])
    assert kstest(follows, "uniform").pvalue > 1e-3


def test_errors_are_the_spread_over_repeats():
    """Anchors that differ by twice the Monte Carlo noise, whose errors are not all alike."""
    rng = np.random.default_rng(6)
    noise = np.linspace(0.5, 1.5, 15)
    z, slopes = [], []
    for _ in range(200):
        own = rng.normal(50, 3, 15)
        found = shifted(3 + 0.3 * (own - 50) + rng.normal(0, 2, 15) + rng.normal(0, noise), error=noise, own=own)
        z.append(((found.mean - 0.03) / found.mean_error, (found.effect - 0.6) / found.effect_error))
        slopes.append((found.follows.slope - 0.3) / found.follows.slope_error)
    for values, degrees in ((np.array(z)[:, 0], 14), (np.array(z)[:, 1], 14), (np.array(slopes), 13)):
        spread = values.std() / (degrees / (degrees - 2)) ** 0.5  # of Student's t
        assert abs(spread - 1) < 5 / 400**0.5
        assert abs(values.mean()) < 5 * 1.1 / 200**0.5


def test_correlation_is_pearsons_with_the_line_of_least_squares():
    rng = np.random.default_rng(7)
    own, shift = rng.normal(50, 5, 40), rng.normal(size=40)
    found = shifted(shift, own=own).follows
    assert found.r == pytest.approx(np.corrcoef(own, shift)[0, 1])
    (slope, _), covariance = np.polyfit(own, shift, 1, cov=True)
    assert found.slope == pytest.approx(slope)
    assert found.slope_error == pytest.approx(covariance[0, 0] ** 0.5)
    few = shifted(shift[:5], own=own[:5]).follows
    products = [np.corrcoef(own[:5], shift[list(order)])[0, 1] for order in itertools.permutations(range(5))]
    assert few.p == pytest.approx(np.mean(np.abs(products) >= abs(products[0]) - 1e-9))


# --- a run


def test_shift_of_a_run_is_the_exact_one(sampled):
    run, ensemble = sampled
    found = composition_shift(run, field="CG", ensemble=ensemble)
    top, bare = (np.array([exact_of(anchor, beta)[0] for anchor in run.anchors]) for beta in (3.0, 0.0))
    np.testing.assert_allclose(found.background, bare / 4, rtol=1e-5)
    assert (np.abs(found.shift - (top - bare) / 4) < 5 * found.shift_error).all()
    assert (found.shift_error < 0.01).all()
    assert found.moves.p < 1e-6
    sd = np.sqrt([exact_of(anchor, 0.0)[1] for anchor in run.anchors])
    assert found.effect == pytest.approx(np.mean(4 * found.shift / sd), rel=1e-4)
    np.testing.assert_array_equal(found.own, np.isin(run.anchors, [1, 2]).mean(1))
    assert found.field == "CG"
    bottom = composition_shift(run, field="CG", ensemble=ensemble, rung=0)
    assert bottom.moves.p > 1e-3


def test_shift_without_the_ensemble_uses_the_rung_at_zero(sampled):
    run, ensemble = sampled
    known, found = composition_shift(run, ensemble=ensemble), composition_shift(run)
    np.testing.assert_array_equal(found.own, known.own)
    np.testing.assert_array_equal(found.background, run.field_mean[:, 0, 0] / 4)
    np.testing.assert_allclose(found.shift_error, np.hypot(run.field_error[:, 0, 0], run.field_error[:, -1, 0]) / 4)
    assert (np.abs(found.background - known.background) < 5 * run.field_error[:, 0, 0] / 4).all()
    assert found.effect == pytest.approx(known.effect, abs=5 * known.effect_error)


def test_pairs_and_misleading_names_have_no_content_of_their_own(sampled):
    run, _ = sampled
    assert np.isnan(composition_shift(run, field="CpA").own).all()
    renamed = dataclasses.replace(run, field_names=("A", "CpA"))
    assert np.isnan(composition_shift(renamed, field="A").own).all()


def test_fixed_positions_and_neighbors_count_in_the_background():
    problem = Problem(length=4, beta=0.0, mus=(0.4, -0.8), fixed=(0, 2), seed=4)
    anchors = problem.states[[17, 200]]
    mean, variance, own = _exact_background(problem.ensemble(anchor=anchors), 1)
    fields = list(zip(problem.mus, problem.counts, strict=True))
    weights = exact.log_weights(problem.states, lambda x: 0.0, 0.0, fields)
    for i, anchor in enumerate(anchors):
        p = exact.distribution(weights, exact.allowed_states(problem.states, anchor, problem.movable))
        wanted = exact.mean_and_variance(p, exact.pair_count(problem.states, 1, 0))
        assert (mean[i], variance[i]) == pytest.approx(wanted, rel=1e-5)
        assert own[i] == exact.pair_count(anchor, 1, 0)


# --- the response


def test_response_of_a_run_is_the_exact_one(sampled):
    run, ensemble = sampled
    mu = PROBLEM.mus[0] + np.linspace(-1.5, 1.5, 7)
    found = composition_response(run, field="CG", mu=mu, ensemble=ensemble, anchor=2)
    top, bare = (
        np.array([exact_of(run.anchors[2], beta, change) for change in mu - PROBLEM.mus[0]]) for beta in (3.0, 0.0)
    )
    np.testing.assert_allclose(found.background, bare[:, 0], rtol=1e-4)
    np.testing.assert_allclose(found.background_susceptibility, bare[:, 1], rtol=1e-3)
    assert (np.abs(found.mean - top[:, 0]) < 5 * found.mean_error).all()
    assert (np.abs(found.susceptibility - top[:, 1]) < 5 * found.susceptibility_error).all()
    assert (found.mean_error < 0.1).all()
    assert (found.run_mu, found.length, found.field) == (pytest.approx(0.4), 4, "CG")
    without = composition_response(run, field="CG", mu=mu, anchor=2)
    np.testing.assert_allclose(without.background, bare[:, 0], atol=0.1)
    np.testing.assert_array_equal(without.mean, found.mean)


def test_response_at_the_runs_own_mu_is_that_of_the_traced_states(sampled):
    run, _ = sampled
    found = composition_response(run, field="CG")
    assert len(found.mu) == 41
    middle = np.argmin(np.abs(found.mu - found.run_mu))
    counts = run.counts[0, -1, :, :, 0]
    assert found.mean[middle] == pytest.approx(counts.mean())
    assert found.susceptibility[middle] == pytest.approx(counts.var())


@pytest.mark.parametrize("change", [0.0, 0.4, -0.8])
def test_reweighted_means_and_errors_are_right_over_repeats(change):
    """Independent draws from the exact distribution of 256 states, in 20 chains."""
    rng = np.random.default_rng(8)
    energy = exact.energy_from(exact.toy_network(2, 4, 4), PROBLEM.states[57], PROBLEM.w, 4)
    count = exact.composition_count(PROBLEM.states, (1, 2))
    logs = exact.log_weights(PROBLEM.states, energy, 3.0)
    p, wanted = exact.distribution(logs), exact.mean_and_variance(exact.distribution(logs + change * count), count)
    z = []
    for _ in range(150):
        found = reweighted(rng.choice(count, (20, 60), p=p), np.array([change]))
        z.append([(found.mean[0] - wanted[0]) / found.mean_error[0],
                  (found.variance[0] - wanted[1]) / found.variance_error[0]])  # fmt: skip
    spread = np.std(z, axis=0) / (19 / 17) ** 0.5  # of Student's t
    assert (np.abs(spread - 1) < 5 / 300**0.5).all(), spread
    assert (np.abs(np.mean(z, axis=0)) < 5 * 1.1 / 150**0.5).all()


def test_errors_see_chains_that_stay_where_they_are():
    rng = np.random.default_rng(9)
    stuck = rng.integers(0, 20, (10, 1)) + rng.integers(0, 2, (10, 200))
    found = reweighted(stuck, np.array([0.0]), min_ess=1)
    assert found.mean_error[0] == pytest.approx(stuck.mean(1).std(ddof=1) / 10**0.5)
    assert found.ess[0] < 30


def test_what_the_weights_are_worth_is_said_and_too_little_is_unknown():
    counts = np.random.default_rng(10).binomial(100, 0.5, (16, 500)).astype(float)
    change = np.array([0.0, 0.1, 0.2, 0.4, 0.6])
    found = reweighted(counts, change)
    # Kish: for a normal count the share left is exp(−Δμ² Var N).
    np.testing.assert_allclose(found.ess[:3] / found.ess[0], np.exp(-(change[:3] ** 2) * 25), rtol=0.1)
    assert found.ess[0] == pytest.approx(8000, rel=0.15)
    known = found.ess >= 100
    assert 2 < known.sum() < 5
    for values in (found.mean, found.mean_error, found.variance, found.variance_error):
        np.testing.assert_array_equal(np.isfinite(values), known)
    assert np.isfinite(reweighted(counts, change, min_ess=1e-3).mean).all()
    # Large counts and changes do not overflow.
    assert np.isfinite(reweighted(counts + 1e6, change).mean[0])


def test_one_chain_has_no_error_and_a_count_that_never_changes_no_effective_draws():
    counts = np.random.default_rng(11).integers(0, 5, (1, 400))
    found = reweighted(counts, np.array([0.1]))
    assert np.isfinite(found.mean[0])
    assert np.isnan(found.mean_error[0])
    assert reweighted(np.full((4, 100), 3), np.array([0.0])).ess[0] == 0


# --- pictures


def test_pictures_of_a_shift():
    found = shifted([4, 6, 2], error=[0.5, np.nan, 2], own=[55, 60, 50], field="GC")
    ax = draw_shift(found, names=["a", "b", "c"])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "b", "c"]
    (bars,) = ax.containers
    np.testing.assert_allclose(bars.lines[0].get_ydata(), found.shift)
    lengths = [np.ptp(segment[:, 1]) for segment in bars.lines[2][0].get_segments()]
    np.testing.assert_allclose(lengths, [0.02, 0, 0.08])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["background", "mean shift", "anchors", "ensembles"]
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().x1 <= ax.figure.bbox.width
    assert ax.get_title(loc="left") == "+0.04 ± 0.01 per site, +0.8 SD, p = 0.25"
    assert "anchor" in draw_shift(shifted([4.0])).get_xlabel()
    with pytest.raises(ValueError, match="names must have 3 entries, one per anchor, got 1"):
        draw_shift(found, names=["a"])
    assert plot.png(ax).startswith(b"\x89PNG")


def test_picture_of_a_response():
    counts = np.random.default_rng(12).binomial(100, 0.5, (16, 500)).astype(float)
    run = made_run(counts)
    ax = draw_response(composition_response(run, field="GC"))
    bare, curve, here = ax.lines
    found = composition_response(run, field="GC")
    np.testing.assert_allclose(curve.get_ydata(), found.mean / 100)
    np.testing.assert_allclose(bare.get_ydata(), found.background / 100)
    assert here.get_ydata()[0] == pytest.approx(counts.mean() / 100)


# --- bad input


def made_run(counts, beta=1.0, **entries):
    """A run of one anchor and one β that holds only traced counts, and NaN after them as a joined one does."""
    traces = np.pad(counts, ((0, 0), (0, 7)), constant_values=np.nan)[None, None, :, :, None]
    given = {
        "names": ("x",), "letters": "ACGT", "field_names": ("GC",), "anchors": np.zeros((1, 100), np.uint8),
        "beta": np.array([[beta]]), "mu": np.zeros((1, 1)), "mu_share": np.ones((1, 1, 1)),
        "counts": traces,
    }  # fmt: skip
    return jme.Run(**({field.name: None for field in dataclasses.fields(jme.Run)} | given | entries))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": [1.0, np.inf, 2.0]}, "count must be finite"),
        ({"count": [[1.0]]}, r"count must have shape \[anchors\], got \[1, 1\]"),
        ({"count": []}, r"count must have shape \[anchors\], got \[0\]"),
        ({"error": [1.0]}, r"error must have the shape \[3\] of count, got \[1\]"),
        ({"error": [1.0, -1.0, 1.0]}, "error must not be negative, got -1"),
        ({"background": [1.0]}, r"background must have the shape \[3\]"),
        ({"background_sd": [1.0, 1.0, -2.0]}, "background_sd must be finite ≥ 0, got -2"),
        ({"own": [1.0]}, r"own must have the shape \[3\]"),
        ({"length": 0}, "length must be a whole number of at least 1"),
    ],
)
def test_bad_counts_are_named(change, message):
    given = {"count": [5.0, 6, 7], "error": [1.0] * 3, "background": [5.0] * 3, "background_sd": [2.0] * 3, "length": 9}
    with pytest.raises(ValueError, match=message):
        shift_over_anchors(**(given | change))


def test_bad_runs_and_fields_are_named(sampled):
    run, ensemble = sampled
    with pytest.raises(ValueError, match=r"field must be one of the run's fields \['CG', 'CpA'\], got 'AT'"):
        composition_shift(run, field="AT")
    with pytest.raises(ValueError, match="field must be a whole number from 0 to 1, got 2"):
        composition_response(run, field=2)
    with pytest.raises(
        ValueError, match="rung must be None, which means the target, or a whole number from 0 to 2, got 3"
    ):
        composition_shift(run, rung=3)
    with pytest.raises(ValueError, match="anchor must be a whole number from 0 to 3, got 4"):
        composition_response(run, anchor=4)
    with pytest.raises(ValueError, match="run must have a field to look at"):
        composition_shift(dataclasses.replace(run, field_names=()))
    with pytest.raises(ValueError, match="run must have a rung at β = 0 if no ensemble is given, got a lowest β of 1"):
        composition_shift(made_run(np.zeros((2, 5))))
    with pytest.raises(ValueError, match="run must have a count of GC that changes, got 3 only"):
        composition_response(made_run(np.full((2, 5), 3.0)))
    with pytest.raises(ValueError, match="ensemble must have the run's 4 anchors and fields"):
        composition_shift(run, ensemble=ensemble.take(np.arange(3)))
    with pytest.raises(ValueError, match="ensemble must have the run's μ"):
        composition_response(run, ensemble=ensemble.with_mu(1.0))
    with pytest.raises(ValueError, match="mu must be finite"):
        composition_response(run, mu=[np.nan])
    with pytest.raises(ValueError, match="min_ess must be a finite number above 0"):
        composition_response(run, min_ess=0)
    with pytest.raises(ValueError, match=r"counts must have shape \[chains, draws\]"):
        reweighted(np.zeros(5), np.zeros(1))


def test_without_a_rung_at_zero_the_response_has_no_background():
    found = composition_response(made_run(np.random.default_rng(13).binomial(100, 0.5, (16, 500)).astype(float)))
    assert np.isnan(found.background).all()
    assert np.isnan(found.background_susceptibility).all()
    assert np.isfinite(found.mean).any()
