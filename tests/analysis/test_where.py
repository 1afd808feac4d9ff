"""Necessity and sufficiency against enumeration, a loop of NumPy, and networks whose sites are known."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent import analysis
from jaxmaxent.analysis._where import energies
from problems import PROBLEMS, Problem

SITE, LENGTH = np.array([0, 2, 2, 3, 1, 0]), 30


def background(problem):
    """The probabilities of all states at β = 0, of the oracle."""
    return Problem(problem.letters, problem.length, 0.0, problem.mus, problem.fixed, problem.seed).distribution()


def windows_of(problem, width, *, kept):
    """⟨E⟩ of every window by sums over all states: its letters kept and all others redrawn, or the other way round."""
    p, states, found = background(problem), problem.states, []
    for start in range(problem.length - width + 1):
        inside = np.isin(np.arange(problem.length), range(start, start + width))
        own = (states == problem.anchor)[:, inside if kept else ~inside].all(1)
        found.append((p[own] * problem.energies[own]).sum() / p[own].sum())
    return np.array(found)


@pytest.mark.parametrize("name", PROBLEMS)
def test_enumerated_windows_have_the_mean_energy_of_the_background_given_the_other_letters(name, x64):
    problem = PROBLEMS[name]
    for width in range(1, problem.length + 1):
        found = analysis.necessity(problem.ensemble(), width)
        assert found.draws is None and (found.window_errors == 0).all()
        np.testing.assert_allclose(found.windows[0], windows_of(problem, width, kept=False), atol=1e-10)


def test_a_window_of_six_positions_is_that_of_a_loop_in_numpy():
    """And each sequence is evaluated once."""
    rng, length, width = np.random.default_rng(0), 8, 6
    filters, anchor = rng.normal(size=(3, 4, 5)), rng.integers(0, 4, length)

    def features(params, one_hot):
        parts = [one_hot[i : i + 3].reshape(-1) @ params.reshape(12, 5) for i in range(length - 2)]
        return jnp.stack(parts).max(0)

    found = analysis.necessity(
        jme.Ensemble.create(jme.Representation(features, jnp.asarray(filters)), anchor, beta=1.0,
                            fields=[jme.composition("GC", 0.7)]), width,
    )  # fmt: skip
    ways = np.array(list(itertools.product(range(4), repeat=width)))
    weights = np.exp(0.7 * np.isin(ways, (1, 2)).sum(1))

    def by_hand(rows):
        one_hot = np.eye(4)[rows]
        return np.stack([np.einsum("rwl,wlf->rf", one_hot[:, i : i + 3], filters) for i in range(length - 2)]).max(0)

    for start in range(length - width + 1):
        rows = np.tile(anchor, (len(ways), 1))
        rows[:, start : start + width] = ways
        distance = np.linalg.norm(by_hand(rows) - by_hand(anchor[None]), axis=1)
        assert found.windows[0, start] == pytest.approx((weights * distance).sum() / weights.sum(), rel=1e-6)
    assert found.evaluations == 3 * 3 * 4**5 + 4**5
    covering = [[0], [0, 1], *[[0, 1, 2]] * 4, [1, 2], [2]]
    np.testing.assert_allclose(found.positions[0], [found.windows[0, each].mean() for each in covering])


@pytest.mark.parametrize("name", ["dna-fields", "dna-fixed", "binary", "three-letters"])
def test_drawn_windows_agree_with_enumeration_within_their_errors(name):
    problem, width = PROBLEMS[name], 2
    ensemble = problem.ensemble()
    drawn = analysis.necessity(ensemble, width, draws=2000, key=jax.random.key(1))
    kept = analysis.sufficiency(ensemble, width, draws=2000, key=jax.random.key(2))
    apart = (background(problem) * problem.energies).sum()
    for found, errors, wanted in (
        (drawn.windows, drawn.window_errors, windows_of(problem, width, kept=False)),
        (kept.windows, kept.window_errors, apart - windows_of(problem, width, kept=True)),
        (kept.background, kept.background_error, apart),
    ):
        assert (errors < 0.05 * apart).all()
        assert (np.abs(found - wanted) <= 5 * errors + 1e-6).all()


def test_errors_of_positions_have_the_size_of_their_scatter():
    problem = PROBLEMS["dna-fields"]
    runs = [analysis.sufficiency(problem.ensemble(), 2, draws=40, key=jax.random.key(seed)) for seed in range(60)]
    scatter = np.std([run.positions for run in runs], axis=0, ddof=1)
    told = np.sqrt(np.mean([run.position_errors**2 for run in runs], axis=0))
    # A standard deviation of 60 has an error of 9 %.
    assert (np.abs(scatter / told - 1) < 5 * 0.09).all()


def test_anchors_side_by_side_with_positions_held_in_each():
    problem = Problem(length=4)
    anchors, held = problem.states[[27, 200]], np.zeros((2, 4), bool)
    held[0, 1] = held[1, 2] = held[1, 3] = True
    both = analysis.necessity(problem.ensemble(anchor=anchors, fixed=held), 2)
    for a in range(2):
        alone = problem.ensemble(anchor=anchors[a], fixed=np.flatnonzero(held[a]))
        np.testing.assert_allclose(both.windows[a], analysis.necessity(alone, 2).windows[0], rtol=1e-5)
    assert both.windows[1, 2] == 0  # all of that window is held


def test_incremental_and_full_evaluation_agree():
    rng, length = np.random.default_rng(3), 100
    params = {"conv": jnp.asarray(rng.normal(size=(7, 4, 24))), "dense": jnp.asarray(rng.normal(size=(24 * 94, 8)))}

    def features(params, one_hot):
        kernel, numbers = params["conv"], ("NWC", "WIO", "NWC")
        hidden = jax.lax.conv_general_dilated(one_hot[None], kernel, (1,), "VALID", dimension_numbers=numbers)
        return jax.nn.relu(hidden).reshape(-1) @ params["dense"]

    ensemble = jme.Ensemble.create(jme.Representation(features, params), rng.integers(0, 4, length), beta=1.0)
    starts, key = np.arange(length - 5, dtype=np.int32), jax.random.key(0)
    assert energies.is_incremental(ensemble, 6)
    for of in (energies.of_redrawn, energies.of_kept):
        ways = [jax.tree.leaves(of(way, ensemble, starts, key, 6, 4)) for way in (True, False)]
        for one, other in zip(*ways, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4)


def anywhere(one_hot):
    windows = jnp.stack([one_hot[i : i + len(SITE)] for i in range(LENGTH - len(SITE) + 1)])
    return jnp.max(jnp.sum(windows * jnp.eye(4)[SITE][None], (1, 2)))[None]


def anchor_with(*starts):
    anchor = np.resize([1, 1, 3, 1], LENGTH)
    for start in starts:
        anchor[start : start + len(SITE)] = SITE
    return anchor


def sites(network, anchor, width=8):
    ensemble = jme.Ensemble.create(network, anchor, beta=1.0)
    return analysis.find_sites(analysis.necessity(ensemble, width, draws=32), analysis.sufficiency(ensemble, width))


def test_one_site_is_needed_and_two_copies_are_redundant():
    one, two = sites(anywhere, anchor_with(12)), sites(anywhere, anchor_with(5, 19))
    assert [site.redundant for site in one] == [False]
    assert [(site.start, site.stop) for site in one] == [(12, 18)]
    assert [(site.start, site.stop, site.redundant) for site in two] == [(5, 11, True), (19, 25, True)]
    assert all(site.necessity < 4 * site.necessity_error + 0.05 < site.sufficiency for site in two)


def test_the_slopes_of_a_wide_site_are_no_sites_of_their_own():
    """Letters matter less and less on both sides, so windows beside the best one are needed too, if less."""
    weights = jnp.asarray(np.exp(-((np.arange(LENGTH) - 15) ** 2) / 40))
    anchor = anchor_with(12)

    def slopes(one_hot):
        return jnp.sum(weights * jnp.sum(one_hot * jnp.eye(4)[anchor], 1))[None]

    ensemble = jme.Ensemble.create(slopes, anchor, beta=1.0)
    needed, enough = analysis.necessity(ensemble, 6, draws=64), analysis.sufficiency(ensemble, 6)
    beside = needed.windows[0, 12 + np.array([-7, 7])]
    assert (beside > 0.1 * enough.background[0]).all()
    (only,) = analysis.find_sites(needed, enough)
    assert only.start < 15 < only.stop


def test_a_network_that_sees_nothing_has_no_sites():
    assert sites(lambda one_hot: 0 * one_hot[:1, 0], anchor_with(12)) == ()


def test_the_energy_of_the_anchor_itself_counts_as_0_in_a_contrast():
    a = Problem().ensemble()
    b = Problem(seed=9).ensemble(anchor=Problem().anchor)
    both = jme.contrast(a, b, beta=1.0)
    found = analysis.necessity(both, 3).windows[0, 0]
    rows = jnp.asarray(Problem().states, jnp.int32)
    wanted = np.mean(jax.vmap(both.energy)(rows)) - both.anchor_energy()
    assert found == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: analysis.necessity(e, 5), "^width must be at most the length 4, got 5$"),
        (lambda e: analysis.sufficiency(e, 0), "^width must be a whole number of at least 1, got 0$"),
        (lambda e: analysis.sufficiency(e, 2, draws=1), "^draws must be a whole number of at least 2, got 1$"),
        (lambda e: analysis.necessity(None), "^ensemble must be an Ensemble, got NoneType$"),
        (
            lambda e: analysis.find_sites(analysis.necessity(e, 2), analysis.sufficiency(e, 3)),
            "^necessity and sufficiency must be of the same windows, got widths 2 and 3",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call(PROBLEMS["dna-fields"].ensemble())
