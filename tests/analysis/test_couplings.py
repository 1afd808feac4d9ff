"""Couplings against exact mutual information by enumeration, in units of their own errors, for draws with memory."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.stats import binom, chi2, false_discovery_control
from threadpoolctl import threadpool_limits

import exact
import jaxmaxent as jme
from jaxmaxent.analysis import couplings, pair_frequencies
from jaxmaxent.analysis._pair_counts import average_product_corrected, mutual_information, pair_counts
from jaxmaxent.plot import coupling_map
from problems import PROBLEMS

LENGTH, LETTERS = 4, 4
STATES = exact.states(LENGTH, LETTERS)


@pytest.fixture(autouse=True)
def one_thread():
    """Threads that wait for each other on a busy machine take most of the time of matrices as small as these."""
    with threadpool_limits(1, user_api="blas"):
        yield


def is_right(states):
    """Exactly one of "position 0 is A or T" and "position 2 is G or C"."""
    return np.isin(states[..., 0], (0, 3)) ^ np.isin(states[..., 2], (1, 2))


def xor_features(params, one_hot):
    first = one_hot[0, 0] + one_hot[0, 3]
    second = one_hot[2, 1] + one_hot[2, 2]
    return params["scale"] * jnp.stack([first + second - 2 * first * second])


XOR = np.exp(np.where(is_right(STATES), 0.0, -3.0))
XOR /= XOR.sum()


def exact_information(probabilities, states=STATES, letters=LETTERS):
    """Bits of every pair of positions, from the definition, with NaN on the diagonal."""
    hot = exact.one_hot(states, letters)
    single = np.einsum("s,sia->ia", probabilities, hot)
    result = np.full((states.shape[1],) * 2, np.nan)
    for i, j in itertools.permutations(range(states.shape[1]), 2):
        joint = np.einsum("s,sa,sb->ab", probabilities, hot[:, i], hot[:, j])
        alone = np.outer(single[i], single[j])
        seen = joint > 0
        result[i, j] = (joint[seen] * np.log2(joint[seen] / alone[seen])).sum()
    return result


def lazy_draws(rng, probabilities, states, chains, draws, keep):
    """A chain that stays with probability `keep` and otherwise draws anew: exact, and with memory."""
    new = rng.choice(len(states), (chains, draws), p=probabilities)
    drawn_at = np.where(rng.random((chains, draws)) < keep, 0, np.arange(draws))
    at = np.maximum.accumulate(drawn_at, axis=1)
    return states[np.take_along_axis(new, at, axis=1)].astype(np.uint8)


def unrelated_draws(rng, chains, draws, length, keep, letters=4):
    """Positions that know nothing of each other, each a lazy chain of its own."""
    columns = [
        lazy_draws(rng, rng.dirichlet(np.ones(letters)), np.arange(letters)[:, None], chains, draws, keep)
        for _ in range(length)
    ]
    return np.concatenate(columns, axis=-1)


def off_diagonal(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


# What is exact.


@pytest.mark.parametrize("shift", [None, (0, 3), (2, 0), (1, 7)])
def test_counts_are_those_of_a_loop(shift):
    tokens = np.random.default_rng(0).integers(0, 3, (4, 9, 5), np.uint8)
    across, along = shift or (0, 0)
    expected = np.zeros((5, 3, 5, 3), int)
    for chain, draw, i, j in np.ndindex(4, 9, 5, 5):
        other = tokens[(chain + across) % 4, (draw + along) % 9]
        expected[i, tokens[chain, draw, i], j, other[j]] += 1
    counts = pair_counts(tokens, 3, shift)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, expected)


def test_counts_do_not_depend_on_the_size_of_chunks(monkeypatch):
    tokens = np.random.default_rng(1).integers(0, 4, (2, 100, 6), np.uint8)
    whole = pair_counts(tokens, 4, (1, 30))
    monkeypatch.setattr("jaxmaxent.analysis._pair_counts._CHUNK", 7)
    np.testing.assert_array_equal(pair_counts(tokens, 4, (1, 30)), whole)


def test_information_of_counts_is_that_of_the_definition():
    weights = np.random.default_rng(2).integers(0, 5, len(STATES))
    tokens = np.repeat(STATES, weights, axis=0)[None].astype(np.uint8)
    bits = mutual_information(pair_counts(tokens, LETTERS))
    np.testing.assert_allclose(off_diagonal(bits), off_diagonal(exact_information(weights / weights.sum())), atol=1e-12)


def test_average_product_by_hand():
    values = np.array([[9.0, 1, 2], [1, 9, 3], [2, 3, 9]])  # what stands on the diagonal does not count
    corrected = average_product_corrected(values)
    rows = [1.5, 2.0, 2.5]
    for i, j in itertools.combinations(range(3), 2):
        assert corrected[i, j] == pytest.approx(values[i, j] - rows[i] * rows[j] / 2)
    assert np.isnan(average_product_corrected(values[:2, :2])).all()
    assert (average_product_corrected(np.zeros((3, 3))) == 0).all()


def test_average_product_takes_away_what_is_a_product():
    size = np.random.default_rng(3).uniform(0.5, 2, 200)
    corrected = average_product_corrected(np.outer(size, size))
    assert abs(off_diagonal(corrected)).max() < 0.05  # not 0, as the diagonal is left out


# Estimates.


@pytest.fixture(scope="module")
def sampled():
    """A run of the sampler on a network that knows nothing but an exclusive or."""
    network = jme.Representation(xor_features, {"scale": jnp.asarray(1.0)})
    ensemble = jme.Ensemble.create(network, np.array([0, 0, 0, 0]), beta=3.0)
    return jme.sample(
        jax.random.key(0), ensemble, ladder=None, chains=32, steps=8000, burn_in=400, store_every=10, progress=False
    )


def test_xor_shows_as_a_coupling_and_in_no_single_position(sampled):
    truth = exact_information(XOR)
    assert truth[0, 2] > 0.7 and np.nanmax(np.delete(truth, [0, 2], axis=0)) < 1e-12
    z = (sampled.frequencies[0, -1] - 0.25) / sampled.frequency_errors[0, -1]
    assert abs(z).max() < 5
    found = couplings(sampled)
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 2)]
    (pair,) = found.pairs
    assert abs(pair.mutual_information - truth[0, 2]) < 5 * pair.error
    assert pair.error < 0.02 and pair.q < 1e-6
    assert abs(off_diagonal((found.mutual_information - truth) / found.errors)).max() < 5
    hot = exact.one_hot(STATES, LETTERS)
    excess = np.einsum("s,sa,sb->ab", XOR, hot[:, 0], hot[:, 2]) - 1 / 16
    assert (abs(pair.excess - excess) < 5 * pair.excess_error).all()
    favoured = {letters for letters, value, error in pair.together("ACGT") if value > 5 * error}
    assert favoured == {"AA", "AT", "TA", "TT", "CC", "CG", "GC", "GG"}
    avoided = [letters for letters, value, error in pair.together("ACGT") if value < -5 * error]
    assert len(avoided) == 8 and favoured.isdisjoint(avoided)


def test_pair_frequencies_of_a_run(sampled):
    frequencies, errors = pair_frequencies(sampled)
    hot = exact.one_hot(STATES, LETTERS)
    truth = np.einsum("s,sia,sjb->ijab", XOR, hot, hot)
    known = ~np.isnan(errors)
    assert known[np.triu_indices(LENGTH, 1)].all()
    assert (abs(frequencies - truth)[known] < 5 * errors[known]).all()
    # Two letters at one position at once are never seen.
    same = frequencies[np.arange(LENGTH), np.arange(LENGTH)]
    assert (same[:, ~np.eye(4, dtype=bool)] == 0).all() and np.isnan(errors[0, 0, 0, 1])
    np.testing.assert_allclose(frequencies.sum((2, 3)), 1)
    np.testing.assert_array_equal(frequencies, frequencies.transpose(1, 0, 3, 2))


@pytest.mark.parametrize("name", ["dna-fields", "three-letters", "binary", "dna-fixed"])
@pytest.mark.parametrize("keep", [0.0, 0.8])
def test_all_pairs_agree_with_enumeration(name, keep):
    problem = PROBLEMS[name]
    letters = problem.alphabet.letters
    rng = np.random.default_rng(4)
    draws = lazy_draws(rng, problem.distribution(), problem.states, 32, 800, keep)
    truth = exact_information(problem.distribution(), problem.states, len(letters))
    found = couplings(draws, letters=letters)
    free = [i for i in range(problem.length) if i not in problem.fixed]
    inside = np.ix_(free, free)
    z = off_diagonal(((found.mutual_information - truth) / found.errors)[inside])
    # As unlikely for errors from so few chains as 5 standard errors that are known.
    limit = stats.t.isf(stats.norm.sf(5), found.degrees)
    assert len(z) and abs(z).max() < limit
    exactly = average_product_corrected(np.nan_to_num(truth))
    z = off_diagonal(((found.corrected - exactly) / found.corrected_errors)[inside])
    assert abs(z).max() < limit
    # The strongest is also told apart from chance.
    first, second = np.unravel_index(np.nanargmax(truth), truth.shape)
    assert found.q[first, second] < 0.01


def test_errors_are_the_spread_over_repeats_and_the_bias_is_gone():
    rng = np.random.default_rng(5)
    problem = PROBLEMS["dna-fields"]
    found = [
        couplings(lazy_draws(rng, problem.distribution(), problem.states, 12, 200, 0.7), shuffles=5) for _ in range(50)
    ]
    truth = exact_information(problem.distribution(), problem.states)
    corrected = average_product_corrected(np.nan_to_num(truth))
    for value, error, exactly in (
        ("mutual_information", "errors", truth),
        ("corrected", "corrected_errors", corrected),
    ):
        values = np.array([off_diagonal(getattr(c, value)) for c in found])
        errors = np.array([off_diagonal(getattr(c, error)) for c in found])
        spread = values.std(0, ddof=1)
        ratio = np.sqrt((errors**2).mean(0)) / spread
        # A spread over 50 repeats is itself good to 10 %; where there is little information errors are those of chance.
        assert (ratio > 0.7).all() and (ratio < 1.6).all()
        assert (abs(values.mean(0) - off_diagonal(exactly)) < 5 * spread / np.sqrt(len(found))).all()
    # Without the correction the bias would show: what chance adds is much more than the spread of the mean.
    chance = np.mean([off_diagonal(c.chance) for c in found], axis=0)
    spread = np.std([off_diagonal(c.mutual_information) for c in found], axis=0, ddof=1)
    assert (chance > 5 * spread / np.sqrt(len(found))).any()


@pytest.mark.parametrize("moment", ["own", "same"])
@pytest.mark.parametrize(
    ("chains", "draws", "keep"), [(8, 400, 0.0), (8, 400, 0.9), (32, 60, 0.97), (2, 1600, 0.9), (1, 3200, 0.9)]
)
def test_p_of_unrelated_positions_promises_no_more_than_it_keeps(chains, draws, keep, moment):
    """However slow their chains, and also where all positions change at the same moment, as when rungs swap."""
    rng = np.random.default_rng(6)
    tokens = unrelated_draws(rng, chains, draws, 24, keep if moment == "own" else 0.0)
    if moment == "same":
        times = np.arange(draws) * np.ones((chains, 1), int)
        at = np.maximum.accumulate(np.where(rng.random((chains, draws)) < keep, 0, times), axis=1)
        tokens = np.take_along_axis(tokens, at[..., None], axis=1)
    found = couplings(tokens)
    p = off_diagonal(found.p)
    for level in (0.01, 0.05, 0.1, 0.3):
        assert (p < level).sum() <= binom.isf(1e-6, len(p), level)
    # It is the larger of two, and so a little too large, but not much.
    assert (p < 0.5).mean() > 0.25 and (p < 0.1).mean() > 0.02
    assert off_diagonal(found.q).min() > 1e-3 and len(found.pairs) <= 2


def test_p_of_independent_draws_would_be_wrong():
    """That p is uniform above says something: counting slow draws as independent finds couplings everywhere."""
    draws = unrelated_draws(np.random.default_rng(6), 8, 400, 32, 0.9)
    bits = mutual_information(pair_counts(draws, 4))
    p = off_diagonal(chi2.sf(2 * np.log(2) * 8 * 400 * bits, 9))
    assert (p < 0.02).mean() > 0.9


def test_chains_that_are_stuck_do_not_make_couplings():
    rng = np.random.default_rng(7)
    stuck = np.repeat(rng.integers(0, 4, (16, 1, 24), np.uint8), 50, axis=1)
    found = couplings(stuck)
    p = off_diagonal(found.p)
    assert (p < 0.01).sum() <= binom.isf(1e-6, len(p), 0.01) and off_diagonal(found.q).min() > 0.01


def test_weak_couplings_are_found_among_many_pairs():
    rng = np.random.default_rng(8)
    draws = unrelated_draws(rng, 16, 500, 20, 0.5)
    copied = rng.random((16, 500)) < 0.3
    draws[..., 11] = np.where(copied, draws[..., 5], draws[..., 11])
    found = couplings(draws, strongest=3)
    assert (found.pairs[0].first, found.pairs[0].second) == (5, 11)
    assert found.pairs[0].q < 1e-4
    order = np.argsort([-pair.mutual_information for pair in found.pairs], kind="stable")
    np.testing.assert_array_equal(order, np.arange(len(found.pairs)))


def test_q_is_that_of_benjamini_and_hochberg():
    found = couplings(unrelated_draws(np.random.default_rng(9), 8, 100, 6, 0.0))
    np.testing.assert_allclose(off_diagonal(found.q), false_discovery_control(off_diagonal(found.p)))
    np.testing.assert_array_equal(found.q, found.q.T)
    for matrix in found[2:9]:
        assert np.isnan(np.diag(matrix)).all() and matrix.shape == (6, 6)
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)


def test_a_window_counts_from_the_start_of_the_anchor():
    rng = np.random.default_rng(10)
    draws = lazy_draws(rng, XOR, STATES, 8, 500, 0.0)
    padded = np.concatenate([rng.integers(0, 4, (8, 500, 7), np.uint8), draws], axis=-1)
    found = couplings(padded, window=(7, 11))
    assert found.start == 7 and (found.pairs[0].first, found.pairs[0].second) == (7, 9)
    np.testing.assert_array_equal(found.mutual_information, couplings(draws).mutual_information)


def test_two_positions_have_information_but_no_average_product():
    draws = lazy_draws(np.random.default_rng(11), XOR, STATES, 8, 500, 0.0)[..., [0, 2]]
    found = couplings(draws)
    assert abs(found.mutual_information[0, 1] - exact_information(XOR)[0, 2]) < 5 * found.errors[0, 1]
    assert np.isnan(found.corrected).all() and len(found.pairs) == 1


def test_what_never_changed_is_unknown():
    draws = lazy_draws(np.random.default_rng(12), XOR, STATES, 8, 500, 0.0)
    draws[..., 1] = 2
    found = couplings(draws)
    assert found.mutual_information[0, 1] == pytest.approx(0, abs=1e-12)
    for matrix in (found.errors, found.corrected_errors, found.p, found.q):
        assert np.isnan(matrix[1]).all() and np.isnan(matrix[:, 1]).all()
    assert not np.isnan(found.q[0, 2])


@pytest.mark.parametrize("chains", [3, 8])
def test_groups_are_chains_or_pieces_of_few(chains):
    found = couplings(np.random.default_rng(13).integers(0, 4, (chains, 101, 3), np.uint8))
    assert found.degrees == {3: 17, 8: 7}[chains]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": np.zeros((8, 100), np.uint8)}, "draws must be a run or tokens of shape"),
        ({"draws": np.zeros((8, 100, 3))}, "draws must be a run or tokens of shape .* got float64"),
        ({"draws": np.zeros((3, 5, 3), int)}, "32 draws or more, got int64 of shape \\[3, 5, 3\\]"),
        ({"draws": np.full((8, 100, 3), 4)}, "draws must be tokens from 0 to 3 of the letters 'ACGT', got 4 to 4"),
        ({"letters": "AC"}, "draws must be tokens from 0 to 1"),
        ({"window": (2, 3)}, "window must be \\(start, stop\\) with 2 or more of the 4 positions, got \\(2, 3\\)"),
        ({"window": (0, 5)}, "window must be"),
        ({"window": (-1, 3)}, "window must be"),
        ({"window": 3}, "window must be"),
        ({"shuffles": 4}, "shuffles must be a whole number of at least 5, got 4"),
        ({"strongest": -1}, "strongest must be a whole number of at least 0"),
    ],
)
def test_bad_input(change, message):
    arguments = {"draws": np.random.default_rng(0).integers(0, 4, (8, 100, 4), np.uint8)} | change
    with pytest.raises(ValueError, match=message):
        couplings(**arguments)


def test_a_run_needs_draws_and_has_its_own_letters(sampled):
    with pytest.raises(ValueError, match="run must have stored draws"):
        couplings(dataclasses.replace(sampled, draws=None))
    with pytest.raises(ValueError, match="letters must be those of the run, 'ACGT', got 'TGCA'"):
        pair_frequencies(sampled, letters="TGCA")
    with pytest.raises(ValueError, match="anchor must be a whole number from 0 to 0, got 1"):
        couplings(sampled, anchor=1)


# The picture.


def test_the_map_has_all_pairs_below_and_significant_ones_above():
    rng = np.random.default_rng(14)
    draws = np.concatenate([lazy_draws(rng, XOR, STATES, 8, 400, 0.5), np.full((8, 400, 1), 2, np.uint8)], axis=-1)
    frequencies = exact.one_hot(draws, 4).mean((0, 1))
    padded = np.concatenate([np.full((6, 4), 0.25), frequencies])
    tokens = np.concatenate([rng.integers(0, 4, (8, 400, 6), np.uint8), draws], axis=-1)
    found = couplings(tokens, window=(6, 11))
    figure = coupling_map(found, frequencies=padded, title="a $ b")
    ax, _, top = figure.axes
    bits, unknown = (np.asarray(image.get_array()) for image in ax.images)
    lower = np.tril_indices(4, -1)
    np.testing.assert_array_equal(bits[:4, :4][lower], found.mutual_information[:4, :4][lower])
    upper = np.where(found.q <= 0.05, found.mutual_information, 0)
    assert upper[0, 2] > 0.7
    np.testing.assert_array_equal(np.triu(bits), np.triu(upper, 1))
    grey = np.zeros((5, 5), bool)
    grey[4, :4] = grey[:4, 4] = True
    np.testing.assert_array_equal(np.asarray(unknown) == 1, grey)
    assert ax.get_xlim() == top.get_xlim() == (5.5, 10.5) and ax.get_ylim() == (10.5, 5.5)
    letters = [text.get_text() for text in ax.texts]
    assert letters == ["ACGT"[row.argmax()] for row in frequencies]
    assert top.get_title(loc="left") == "a $ b"
    corrected = coupling_map(found, corrected=True)
    image = np.asarray(corrected.axes[0].images[0].get_array())
    np.testing.assert_array_equal(image[:4, :4][lower], found.corrected[:4, :4][lower])


def test_the_map_refuses_what_does_not_fit():
    found = couplings(np.random.default_rng(15).integers(0, 4, (8, 50, 6), np.uint8), window=(3, 5))
    with pytest.raises(ValueError, match="frequencies must be of the whole anchor, 5 positions or more, got 4"):
        coupling_map(found, frequencies=np.full((4, 4), 0.25))
    with pytest.raises(ValueError, match="found must have 3 positions or more to be corrected, got 2"):
        coupling_map(found, corrected=True)
