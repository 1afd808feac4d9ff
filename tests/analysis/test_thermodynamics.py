"""Entropy, free energy and numbers of sequences, from exact draws and from a real run."""

import math

import jax
import numpy as np
import pytest
from ladders import Ladder, jackknifed, like_a_run

import jaxmaxent as jme
import jaxmaxent.plot as plot
from jaxmaxent.analysis import sequences_within, thermodynamic_integration, thermodynamics
from jaxmaxent.analysis._thermodynamics.mbar import mbar
from jaxmaxent.diagnostics import log_z_along
from jaxmaxent.results import join
from problems import Problem

LADDERS = {
    "fields": Ladder(Problem(length=4, mus=(0.7, -0.5, 0.4), seed=9), (0.0, 0.5, 1.0, 1.5, 2.2, 3.2)),
    "plain": Ladder(Problem(length=3, seed=0), (0.0, 0.4, 1.0, 2.0)),
    "fixed": Ladder(Problem(length=4, mus=(-0.6, 0.8), fixed=(1,), seed=4), (0.0, 0.5, 1.2, 2.4)),
}
SAMPLERS = {
    "autocorrelated": {"sticky": 0.8},
    "correlated-rungs": {"sticky": 0.5, "shared": True},
}
REPEATS, CHAINS, STATES = 30, 12, 80
# Student's t of 11 degrees of freedom: its second moment, and the standard deviation of a square.
SQUARE = 11 / 9
SQUARE_SPREAD = math.sqrt(3 * 11**2 / (9 * 7) - SQUARE**2)


def exact_values(ladder):
    """Exact values for `scores`, in the same order."""
    betas = ladder.betas
    log_z = np.array([ladder.log_z(b) for b in betas])
    entropy = np.array([ladder.entropy(b) for b in betas])
    return {
        "log_z": log_z,
        "energy": np.array([ladder.mean(b) for b in betas]),
        "entropy": entropy,
        "information": entropy[0] - entropy,
        "heat_capacity": np.array([b**2 * ladder.variance(b) for b in betas]),
        "integration": log_z,
    }


def thresholds_of(ladder):
    return np.quantile(ladder.energies, [0.1, 0.3, 0.7])


def scores(ladder, run):
    """(estimate − exact) / standard error of everything, by name; rungs where nothing is uncertain are left out."""
    found = thermodynamics(run)
    integral = thermodynamic_integration(run)
    within = sequences_within(run, thresholds_of(ladder))
    pairs = {name: (getattr(found, name), getattr(found, name + "_error")) for name in exact_values(ladder)
             if name != "integration"}  # fmt: skip
    pairs["integration"] = (integral.log_z, np.hypot(integral.standard_error, integral.quadrature))
    truth = exact_values(ladder)
    with np.errstate(invalid="ignore", divide="ignore"):
        results = {name: (value - truth[name])[1:] / error[1:] for name, (value, error) in pairs.items()}
    inside = ladder.energies <= within.energy[:, None]
    number = np.log10(inside.sum(1))
    share = np.log10(inside @ ladder.p(0))
    results["number"] = (within.log10_number - number) / within.log10_number_error
    results["share"] = (within.log10_share - share) / within.log10_share_error
    return results


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_estimates_and_their_errors_are_right_over_many_runs(sampler):
    ladder, rng = LADDERS["fields"], np.random.default_rng(1)
    runs = [scores(ladder, ladder.run(rng, CHAINS, STATES, **SAMPLERS[sampler])) for _ in range(REPEATS)]
    for name in runs[0]:
        values = np.array([run[name] for run in runs])
        assert np.abs(values.mean(0)).max() < 5 * math.sqrt(SQUARE / REPEATS), name
        # Several rungs of a run count as one, as they are correlated.
        squares = np.mean(values**2)
        assert abs(squares - SQUARE) < 5 * SQUARE_SPREAD / math.sqrt(REPEATS), (name, squares)


def test_errors_are_those_of_the_infinitesimal_jackknife():
    run = LADDERS["fields"].run(np.random.default_rng(13), 6, 40, sticky=0.5, shared=True)
    names = ("log_z", "energy", "entropy", "information", "heat_capacity")

    def estimate(run):
        found, integral = thermodynamics(run), thermodynamic_integration(run)
        within = sequences_within(run, [1.0, 2.0])
        of_rungs = [*(getattr(found, name) for name in names), integral.log_z]
        return np.concatenate([*of_rungs, within.log10_number, within.log10_share])

    found, integral = thermodynamics(run), thermodynamic_integration(run)
    within = sequences_within(run, [1.0, 2.0])
    errors = [*(getattr(found, name + "_error") for name in names), integral.standard_error]
    expected = jackknifed(estimate, run, copies=10)
    found_errors = np.concatenate([*errors, within.log10_number_error, within.log10_share_error])
    np.testing.assert_allclose(found_errors, expected, rtol=0.02, atol=1e-12)


@pytest.mark.parametrize("problem", ["plain", "fixed"])
def test_other_ensembles(problem):
    # Of so many values at 11 degrees of freedom, none is beyond 7.5: the chance of one is 1.2e-5.
    found = scores(LADDERS[problem], LADDERS[problem].run(np.random.default_rng(2), CHAINS, 400))
    assert np.abs(np.concatenate(list(found.values()))).max() < 7.5


def test_the_first_rung_is_exact():
    ladder = LADDERS["plain"]
    found = thermodynamics(ladder.run(np.random.default_rng(3), 4, 50))
    assert found.log_z[0] == ladder.log_z(0)
    assert found.entropy[0] == pytest.approx(6, abs=1e-12)  # 4^3 sequences
    assert found.log_z_error[0] == found.entropy_error[0] == found.information[0] == found.heat_capacity[0] == 0
    assert (found.log_z_error[1:] > 0).all()


def test_other_forms_of_the_same_numbers():
    found = thermodynamics(LADDERS["fields"].run(np.random.default_rng(4), 4, 50))
    assert np.isnan(found.free_energy[0])
    assert np.isnan(found.free_energy_error[0])
    np.testing.assert_allclose(-found.beta[1:] * found.free_energy[1:], found.log_z[1:], rtol=1e-12)
    np.testing.assert_allclose(found.beta[1:] * found.free_energy_error[1:], found.log_z_error[1:], rtol=1e-12)
    np.testing.assert_allclose(10**found.log10_number, 2**found.entropy, rtol=1e-10)
    np.testing.assert_allclose(10**found.log10_share, 2 ** (found.entropy - found.entropy[0]), rtol=1e-10)
    # From bits to factors of ten, errors shrink alike.
    np.testing.assert_allclose(found.log10_number_error, math.log10(2) * found.entropy_error, rtol=1e-10)
    np.testing.assert_allclose(found.log10_share_error, math.log10(2) * found.information_error, rtol=1e-10)


def test_mbar_is_that_of_pymbar():
    """Energies are exponential with rate 1 + β, of 4 chains of 50 states, from multiples of the golden ratio.

    The numbers are those of pymbar 4.0.3 for the same draws: MBAR(β_k E_n, [200] * 4, relative_tolerance=1e-14), and
    of it −f_k, compute_expectations(E) and (E²), compute_perturbed_free_energies([0, 1.7 E]),
    compute_expectations(E, u_kn=1.7 E), and log10 of compute_expectations(E ≤ e, u_kn=0 E) for e = 0.05, 0.2 and 1.
    """
    betas, golden = np.array([0, 1, 2.5, 5]), (math.sqrt(5) - 1) / 2
    multiples = np.arange(1, 201) * golden
    energies = np.stack([-np.log1p(-((multiples + 0.1 * k) % 1)) / (1 + b) for k, b in enumerate(betas)])
    run = like_a_run(betas, energies.reshape(4, 4, 50), 0.0)
    found = thermodynamics(run)
    log_z = [0, -0.696694898049, -1.257940570454, -1.799335304770]
    energy = np.array([1.006089904333, 0.501313747205, 0.286806192895, 0.167406240053])
    variance = np.array([0.986865302929, 0.251345624047, 0.081618953048, 0.027977604108])
    np.testing.assert_allclose(found.log_z, log_z, atol=1e-9)
    np.testing.assert_allclose(found.energy, energy, atol=1e-9)
    np.testing.assert_allclose(found.heat_capacity, betas**2 * variance, atol=1e-9)
    np.testing.assert_allclose(found.entropy, (log_z + betas * energy) / math.log(2), atol=1e-9)
    pooled = mbar(run)
    between, _ = pooled.log_sums(lambda c: -1.7 * pooled.energies[c][:, None])
    assert between == pytest.approx(-0.997572526391, abs=1e-9)
    assert pooled.averages(np.array([1.7]), pooled.energies[..., None])[0] == pytest.approx(0.37141439651, abs=1e-9)
    within = sequences_within(run, [0.05, 0.2, 1])
    log10_share = [-1.308884953949, -0.746088009994, -0.197880577829]
    np.testing.assert_allclose(within.log10_share, log10_share, atol=1e-9)


def in_proportion(ladder, states):
    """A run of two equal chains whose draws are as frequent as they are probable, as nearly as so many can be."""
    rows = []
    for beta in ladder.betas:
        order = np.argsort(ladder.energies)
        place = (np.arange(states) + 0.5) / states
        rows.append(ladder.energies[order][np.searchsorted(np.cumsum(ladder.p(beta)[order]), place)])
    return like_a_run(ladder.betas, np.stack([rows, rows], 1), ladder.log_z(0))


def test_integration_is_better_than_the_trapezoidal_rule_by_its_own_measure():
    ladder = Ladder(LADDERS["fields"].problem, (0.0, 1.0, 2.5, 5.0))
    run = in_proportion(ladder, 100_000)  # so many that the rule is all that is wrong
    found = thermodynamic_integration(run)
    truth = np.array([ladder.log_z(b) for b in ladder.betas])
    mean, steps = run.energies[0].mean((1, 2)), np.diff(ladder.betas)
    by_trapezoids = run.log_z[0, 0] - np.cumsum(steps * (mean[1:] + mean[:-1]) / 2)
    wrong, trapezoidal = np.abs(found.log_z - truth)[1:], np.abs(by_trapezoids - truth[1:])
    assert (wrong < trapezoidal / 20).all()
    assert (wrong < found.quadrature[1:]).all()
    assert (found.quadrature[1:] < trapezoidal / 2).all()
    assert found.standard_error == pytest.approx(0, abs=1e-12)  # of chains that are equal


def test_all_sequences_are_within_the_largest_distance():
    ladder = LADDERS["plain"]
    found = sequences_within(ladder.run(np.random.default_rng(5), 4, 60), 2 * ladder.energies.max())
    assert found.log10_number == pytest.approx(math.log10(64), abs=1e-9)
    assert found.log10_share == pytest.approx(0, abs=1e-9)
    assert found.log10_number_error == pytest.approx(0, abs=1e-9)


def test_where_no_draw_is_the_number_is_not_known():
    run = LADDERS["plain"].run(np.random.default_rng(6), 4, 60)
    lowest = run.energies[run.energies > 0].min()
    run.energies[run.energies == 0] = lowest
    found = sequences_within(run, [0.5 * lowest, lowest])
    for values in found[1:]:
        assert np.isnan(values).tolist() == [True, False]


def test_errors_of_one_chain_are_unknown():
    run = LADDERS["fields"].run(np.random.default_rng(7), 1, 200)
    found, within = thermodynamics(run), sequences_within(run, 1.0)
    for values in (found.log_z, found.entropy, found.heat_capacity, within.log10_number):
        assert np.isfinite(values).all()
    errors = (found.entropy_error, found.information_error, within.log10_number_error)
    assert all(np.isnan(error).all() for error in errors)
    assert (found.log_z_error[1:] > 0).all()  # log Z alone has an error from batch means
    assert np.isnan(thermodynamic_integration(run).standard_error).all()


def test_equal_betas_have_equal_entropies():
    ladder = Ladder(Problem(length=3), (0.0, 0.0, 0.0))
    found = thermodynamics(ladder.run(np.random.default_rng(8), 4, 50))
    assert found.entropy == pytest.approx([6] * 3, abs=1e-9)


@pytest.fixture(scope="module")
def sampled():
    """One anchor with every kind of field and a position that is fixed."""
    problem = Problem(length=4, beta=3.0, mus=(0.7, -0.5, 0.4), fixed=(1,), seed=9)
    settings = {"ladder": 5, "chains": 16, "steps": 1024, "burn_in": 200, "thin": 2, "progress": False}
    return problem, jme.sample(jax.random.key(0), problem.ensemble(), rule=jme.kernels.Site(), **settings)


@pytest.mark.slow
def test_a_real_run(sampled):
    problem, run = sampled
    ladder = Ladder(problem, tuple(run.beta[0]))
    found = scores(ladder, run)
    # Of 15 degrees of freedom, 6.5 has a chance of 1e-5.
    assert np.abs(np.concatenate(list(found.values()))).max() < 6.5


def test_log_z_is_that_of_the_run(sampled):
    _, run = sampled
    found = thermodynamics(run)
    np.testing.assert_array_equal(found.log_z, run.log_z[0])
    np.testing.assert_array_equal(found.log_z_error, run.log_z_error[0])
    # The run has it from the draws of both legs; from those of the first leg alone it is that of this leg.
    again = log_z_along(run.beta[0], np.moveaxis(run.energies[0], 0, -1), run.log_z[0, 0])
    assert again.value[-1] == pytest.approx(run.leg_log_z[0, 0], rel=1e-10)
    assert (np.abs(again.value - run.log_z[0]) <= 5 * again.error).all()


def test_joined_runs_of_different_length(sampled):
    _, run = sampled
    short = run.take(np.array([0]))
    short = type(run)(**{**vars(short), "energies": run.energies[..., :40], "counts": run.counts[..., :40, :]})
    both = join([run, short])
    for anchor, alone in ((0, run), (1, short)):
        for value, expected in zip(thermodynamics(both, anchor=anchor), thermodynamics(alone), strict=True):
            np.testing.assert_array_equal(value, expected)
    within, expected = sequences_within(both, 1.0, anchor=1), sequences_within(short, 1.0)
    assert within.log10_number == expected.log10_number


def within_1(run, anchor):
    return sequences_within(run, 1, anchor=anchor)


@pytest.mark.parametrize("function", [thermodynamics, thermodynamic_integration, within_1])
def test_bad_runs(function):
    run = LADDERS["plain"].run(np.random.default_rng(9), 4, 50)
    for anchor in (1, -1, 0.0, True):
        with pytest.raises(ValueError, match="^anchor must be a whole number from 0 to 0, got "):
            function(run, anchor=anchor)
    run.energies = np.full_like(run.energies, np.nan)
    with pytest.raises(ValueError, match="^run must have traced energies, got none for anchor 0$"):
        function(run, anchor=0)
    run.log_z = np.full_like(run.log_z, np.nan)
    with pytest.raises(ValueError, match="^run must have a ladder that begins at β = 0, got one that"):
        function(run, anchor=0)


def test_a_ladder_in_two_parts():
    energies = np.random.default_rng(10).random((3, 4, 50)) + np.array([1000, 999, 0])[:, None, None]
    with pytest.raises(ValueError, match="^run must have rungs whose energies overlap, .* β = 0.5 .* β = 1 do not$"):
        thermodynamics(like_a_run([0.0, 0.5, 1.0], energies, 5.0))


@pytest.mark.parametrize(
    ("energy", "message"),
    [
        (-0.1, "energy must be finite ≥ 0, got -0.1"),
        (np.nan, "energy must be finite ≥ 0, got nan"),
        ("near", "energy must be a number or an array of numbers, got 'near'"),
        ([[1.0]], r"energy must be a number or an array of some, got shape \[1, 1\]"),
        ([], r"energy must be a number or an array of some, got shape \[0\]"),
    ],
)
def test_bad_distances(energy, message):
    with pytest.raises(ValueError, match=message):
        sequences_within(LADDERS["plain"].run(np.random.default_rng(11), 4, 50), energy)


def vertical_extent(band):
    """The lowest and the highest point of a band at each x, by x."""
    x, y = band.get_paths()[0].vertices.T
    return {at: (y[x == at].min(), y[x == at].max()) for at in np.unique(x)}


def test_pictures_show_values_in_bands_of_two_standard_errors():
    run = LADDERS["fields"].run(np.random.default_rng(12), 6, 80)
    found, within = thermodynamics(run), sequences_within(run, np.linspace(0, 3, 31))
    figure = plot.thermodynamics(
        found.beta, found.entropy, found.heat_capacity, within.energy, within.log10_number,
        entropy_error=found.entropy_error, heat_capacity_error=found.heat_capacity_error,
        log10_number_error=within.log10_number_error,
    )  # fmt: skip
    drawn = [
        (found.beta, found.entropy, found.entropy_error),
        (found.beta, found.heat_capacity, found.heat_capacity_error),
        (within.energy, within.log10_number, within.log10_number_error),
    ]
    assert len(figure.axes) == 3
    for ax, (x, values, error) in zip(figure.axes, drawn, strict=True):
        np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([x, values], 1))
        extent = vertical_extent(ax.collections[0])
        k = len(x) - 2
        assert extent[x[k]] == pytest.approx((values[k] - 2 * error[k], values[k] + 2 * error[k]))
        lowest, highest = ax.get_ylim()
        assert lowest <= np.nanmin(values)
        assert highest >= np.nanmax(values)
    assert [ax.get_xscale() for ax in figure.axes] == ["function", "function", "linear"]


def test_pictures_without_errors_have_no_band():
    for ax in (plot.entropy_along([0, 1, 2], [6, 5, 3]), plot.sequences_within([0, 1, 2], [np.nan, 1, 2])):
        assert len(ax.lines) == 1
        assert not ax.collections


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot.entropy_along([0, 1], [1, 2, 3]), r"entropy must have shape \[2\], got \[3\]"),
        (lambda: plot.entropy_along([1, 0], [1, 2]), "betas must be at least 2 numbers that increase, got"),
        (lambda: plot.heat_capacity_along([0, 1], [1, np.nan]), "heat_capacity must be finite, got nan"),
        (lambda: plot.sequences_within([1, 0], [1, 2]), "energy must be at least 2 numbers that increase, got"),
        (lambda: plot.sequences_within([-1, 0], [1, 2]), "energy must be finite ≥ 0, got -1"),
        (lambda: plot.sequences_within([0, 1], [1]), r"log10_number must have shape \[2\] and a finite entry, got"),
        (lambda: plot.sequences_within([0, 1], [np.nan] * 2), "log10_number must have shape .* with 0"),
        (lambda: plot.sequences_within([0, 1], [1, 2], standard_error=[1]), r"standard_error must have shape \[2\]"),
    ],
)
def test_bad_pictures(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
