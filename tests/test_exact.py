"""The oracle against cases small enough to work out by hand."""

import numpy as np
import pytest
from scipy.special import expit, logit

import exact

LENGTH, LETTERS, GC = 4, 4, (1, 2)
STATES = exact.states(LENGTH, LETTERS)
ANCHOR = np.array([2, 0, 3, 1])
WEIGHTS = np.array([1.5, -0.7, 0.3, 2.0, -1.1])


def gc_count(tokens):
    return exact.composition_count(tokens, GC)


def toy_energies(seed=0):
    return exact.energy_from(exact.toy_network(seed, LENGTH, LETTERS), ANCHOR, WEIGHTS, LETTERS)(STATES)


def hypercube_flip(length):
    """Transition matrix of flipping one of `length` bits, by XOR of the state's number."""
    flip = np.zeros((2**length, 2**length))
    for state in range(2**length):
        for bit in range(length):
            flip[state, state ^ (1 << bit)] = 1 / length
    return flip


# --- states -------------------------------------------------------------------------------------------------


def test_states_are_lexicographic():
    expected = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [2, 2]]
    np.testing.assert_array_equal(exact.states(2, 3), expected)
    assert exact.states(5, 2).shape == (32, 5)


def test_index_of_is_the_row_of_states():
    np.testing.assert_array_equal(exact.index_of(STATES, LETTERS), np.arange(256))
    assert exact.index_of([2, 0, 1], 3) == 19
    with pytest.raises(ValueError, match="tokens"):
        exact.index_of([0, 3], 3)


def test_one_hot():
    np.testing.assert_array_equal(exact.one_hot([2, 0], 3), [[0, 0, 1], [1, 0, 0]])
    assert exact.one_hot(STATES, LETTERS).shape == (256, 4, 4)


def test_allowed_states_keep_the_anchor_elsewhere():
    allowed = exact.allowed_states(exact.states(2, 3), [1, 2], [0])
    np.testing.assert_array_equal(exact.states(2, 3)[allowed], [[0, 2], [1, 2], [2, 2]])
    assert exact.allowed_states(STATES, ANCHOR, range(LENGTH)).all()


# --- network, energy and fields -----------------------------------------------------------------------------


def test_toy_features_on_weights_worked_by_hand():
    weights = {
        "hidden_kernel": np.array([[1.0, 0.0], [-2.0, 1.0], [0.5, 0.0], [0.0, -3.0]]),
        "hidden_bias": np.array([0.25, 0.5]),
        "feature_kernel": np.array([[1.0], [2.0]]),
        "feature_bias": np.array([-1.0]),
    }
    # Tokens (0, 0): hidden relu(1.75, 0.5), feature tanh(1.75 + 1 - 1); (1, 1): relu(-1.75, -1.5), tanh(-1).
    got = exact.toy_features(weights, exact.one_hot([[0, 0], [1, 1]], 2))
    np.testing.assert_allclose(got, [[np.tanh(1.75)], [np.tanh(-1.0)]], rtol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_toy_network_is_fixed_and_treats_a_batch_row_by_row(seed):
    network = exact.toy_network(seed, LENGTH, LETTERS)
    again = exact.toy_weights(seed, LENGTH, LETTERS)
    hot = exact.one_hot(STATES, LETTERS)
    features = network(hot)
    assert features.shape == (256, 5)
    np.testing.assert_array_equal(exact.toy_features(again, hot), features)
    np.testing.assert_allclose([network(x) for x in hot], features, rtol=0, atol=1e-14)
    assert not np.allclose(exact.toy_network(seed + 1, LENGTH, LETTERS)(hot), features)


@pytest.mark.parametrize("seed", range(3))
def test_toy_network_makes_every_two_positions_interact_and_no_two_states_tie(seed):
    energies = toy_energies(seed)
    table = energies.reshape((LETTERS,) * LENGTH)
    assert np.diff(np.sort(energies)).min() > 1e-7
    assert np.count_nonzero(energies == 0) == 1
    for i in range(LENGTH):
        for j in range(i + 1, LENGTH):
            # The mixed second difference of a sum of single-position terms is 0.
            assert np.abs(np.diff(np.diff(table, axis=i), axis=j)).max() > 0.05


def test_toy_features_agree_in_numpy_and_jax():
    jax = pytest.importorskip("jax")
    weights = exact.toy_weights(3, LENGTH, LETTERS)
    hot = exact.one_hot(STATES, LETTERS)
    with jax.enable_x64(True), jax.numpy_rank_promotion("raise"):
        jnp = jax.numpy
        on_device = {name: jnp.asarray(value) for name, value in weights.items()}
        batch = exact.toy_features(on_device, jnp.asarray(hot), xp=jnp)
        single = jax.jit(lambda x: exact.toy_features(on_device, x, xp=jnp))(jnp.asarray(hot[27]))
        assert batch.dtype == single.dtype == jnp.float64
    np.testing.assert_allclose(batch, exact.toy_features(weights, hot), rtol=0, atol=1e-13)
    np.testing.assert_allclose(single, exact.toy_features(weights, hot)[27], rtol=0, atol=1e-13)


def test_energy_is_the_weighted_norm_and_not_its_square():
    assert exact.energy([4.0, 1.0], [1.0, 5.0], [1.0, 1.0]) == 5.0
    assert exact.energy([4.0, 1.0], [1.0, 5.0], [-2.0, 0.0]) == 6.0
    np.testing.assert_array_equal(exact.energy([[1.0, 5.0], [1.0, 6.0]], [1.0, 5.0], [3.0, -2.0]), [0.0, 2.0])


def test_energy_from_vanishes_at_the_anchor_alone_or_in_a_batch():
    network = exact.toy_network(1, LENGTH, LETTERS)
    energy_fn = exact.energy_from(network, ANCHOR, WEIGHTS, LETTERS)
    assert energy_fn(ANCHOR) == 0
    phi, phi_0 = network(exact.one_hot(STATES[9], LETTERS)), network(exact.one_hot(ANCHOR, LETTERS))
    assert energy_fn(STATES[9]) == pytest.approx(np.linalg.norm(WEIGHTS * (phi - phi_0)), rel=1e-14)
    np.testing.assert_array_equal(energy_fn(STATES), [energy_fn(x) for x in STATES])
    assert energy_fn(STATES)[exact.index_of(ANCHOR, LETTERS)] == 0


@pytest.mark.parametrize("seed", range(3))
def test_energy_gradient_agrees_with_central_differences_and_is_0_at_the_anchor(seed):
    weights, step = exact.toy_weights(seed, LENGTH, LETTERS), 1e-6
    features_0 = exact.toy_features(weights, exact.one_hot(ANCHOR, LETTERS))
    gradient_fn = exact.energy_gradient_from(weights, ANCHOR, WEIGHTS, LETTERS)
    for tokens in STATES[[0, 27, 100, 255]]:
        x = np.tile(exact.one_hot(tokens, LETTERS), (LENGTH * LETTERS, 1, 1))
        nudge = step * np.eye(LENGTH * LETTERS).reshape(x.shape)
        up, down = (
            exact.energy(exact.toy_features(weights, near), features_0, WEIGHTS) for near in (x + nudge, x - nudge)
        )
        slopes = ((up - down) / (2 * step)).reshape(LENGTH, LETTERS)
        np.testing.assert_allclose(gradient_fn(tokens), slopes, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(gradient_fn(ANCHOR), np.zeros((LENGTH, LETTERS)))


def test_composition_count():
    assert exact.composition_count([0, 1, 2, 3, 1], {1, 2}) == 3
    np.testing.assert_array_equal(exact.composition_count([[0, 0], [0, 1]], [0]), [2, 1])
    assert exact.composition_count([0, 1], []) == 0


def test_pair_count_counts_overlaps_in_order():
    assert exact.pair_count([1, 1, 1, 1], 1, 1) == 3
    assert exact.pair_count([0, 1, 0, 1], 0, 1) == 2
    assert exact.pair_count([0, 1, 0, 1], 1, 0) == 1
    assert exact.pair_count([0], 0, 0) == 0
    np.testing.assert_array_equal(exact.pair_count([[0, 1, 1], [1, 0, 0]], 0, 1), [1, 0])


def test_position_score():
    table = [[1.0, 20.0], [300.0, 4000.0]]
    np.testing.assert_array_equal(exact.position_score(exact.states(2, 2), table), [301.0, 4001.0, 320.0, 4020.0])


# --- the distribution ---------------------------------------------------------------------------------------


def test_log_weights_of_one_position():
    energies = {0: 0.0, 1: 2.0, 2: 0.5}
    fields = [
        (0.7, lambda x: exact.composition_count(x, [1])),
        (-3.0, lambda x: exact.composition_count(x, [2])),
    ]
    got = exact.log_weights(exact.states(1, 3), lambda x: energies[int(x[0])], 4.0, fields)
    np.testing.assert_allclose(got, [0.0, -8.0 + 0.7, -2.0 - 3.0], rtol=1e-14)
    np.testing.assert_array_equal(
        exact.log_weights(exact.states(1, 3), lambda x: energies[int(x[0])], 1.0), [0.0, -2.0, -0.5]
    )


def test_distribution_and_log_partition_by_hand():
    log_w = np.log([1.0, 3.0, 4.0])
    np.testing.assert_allclose(exact.distribution(log_w), [1 / 8, 3 / 8, 1 / 2], rtol=1e-14)
    assert exact.log_partition(log_w) == pytest.approx(np.log(8), rel=1e-14)
    allowed = np.array([True, True, False])
    np.testing.assert_allclose(exact.distribution(log_w, allowed), [1 / 4, 3 / 4, 0], rtol=1e-14)
    assert exact.log_partition(log_w, allowed) == pytest.approx(np.log(4), rel=1e-14)
    assert exact.log_partition(log_w - 5000) == pytest.approx(np.log(8) - 5000, rel=1e-14)
    np.testing.assert_allclose(exact.distribution(log_w - 5000), [1 / 8, 3 / 8, 1 / 2], rtol=1e-11)


@pytest.mark.parametrize("allowed", [np.zeros(3, bool), np.ones(4, bool), np.ones(3, int)])
def test_distribution_refuses_a_mask_that_is_none(allowed):
    with pytest.raises(ValueError, match="allowed"):
        exact.distribution(np.zeros(3), allowed)


def test_at_beta_0_the_letters_are_independent_with_sigma_mu():
    mu = 0.9
    energy_fn = exact.energy_from(exact.toy_network(0, LENGTH, LETTERS), ANCHOR, WEIGHTS, LETTERS)
    log_w = exact.log_weights(STATES, energy_fn, 0.0, [(mu, gc_count)])
    p = exact.distribution(log_w)
    gc = expit(mu)
    site = np.array([(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2])
    np.testing.assert_allclose(p, site[STATES].prod(axis=1), rtol=1e-13)
    letters = exact.letter_frequencies(p, STATES, LETTERS)
    np.testing.assert_allclose(letters, np.tile(site, (LENGTH, 1)), rtol=1e-13)
    pairs = exact.pair_frequencies(p, STATES, LETTERS)
    for i in range(LENGTH):
        for j in range(LENGTH):
            expected = np.diag(site) if i == j else np.outer(site, site)
            np.testing.assert_allclose(pairs[i, j], expected, rtol=0, atol=1e-14)
    mean, variance = exact.mean_and_variance(p, gc_count(STATES))
    assert mean == pytest.approx(LENGTH * gc, rel=1e-13)
    assert variance == pytest.approx(LENGTH * gc * (1 - gc), rel=1e-13)
    assert exact.log_partition(log_w) == pytest.approx(LENGTH * np.log(2 + 2 * np.exp(mu)), rel=1e-14)
    table = exact.composition_table(mu, GC, LENGTH, LETTERS)
    np.testing.assert_allclose(exact.independent_site_background(table), p, rtol=1e-13)


def test_background_with_a_score_and_fixed_positions_is_the_enumerated_distribution():
    table = np.random.default_rng(5).normal(size=(LENGTH, LETTERS))
    fields = [(1.3, lambda x: exact.position_score(x, table)), (-0.4, gc_count)]
    log_w = exact.log_weights(STATES, lambda x: 0.0, 0.0, fields)
    site = 1.3 * table + exact.composition_table(-0.4, GC, LENGTH, LETTERS)
    np.testing.assert_allclose(exact.independent_site_background(site), exact.distribution(log_w), rtol=1e-13)
    movable = [1, 3]
    allowed = exact.allowed_states(STATES, ANCHOR, movable)
    assert np.count_nonzero(allowed) == 16
    np.testing.assert_allclose(
        exact.independent_site_background(site, ANCHOR, movable),
        exact.distribution(log_w, allowed),
        rtol=1e-13,
    )
    with pytest.raises(ValueError, match="anchor"):
        exact.independent_site_background(site, movable_positions=movable)


def test_pair_field_of_two_positions():
    mu = 1.7
    two = exact.states(2, 4)
    p = exact.distribution(mu * exact.pair_count(two, 2, 1))
    z = 15 + np.exp(mu)
    frequencies = exact.pair_frequencies(p, two, 4)
    assert frequencies[0, 1, 2, 1] == pytest.approx(np.exp(mu) / z, rel=1e-14)
    assert frequencies[1, 0, 1, 2] == pytest.approx(np.exp(mu) / z, rel=1e-14)
    assert frequencies[0, 1, 1, 2] == pytest.approx(1 / z, rel=1e-14)
    assert exact.letter_frequencies(p, two, 4)[0, 2] == pytest.approx((3 + np.exp(mu)) / z, rel=1e-14)


def test_pair_frequencies_sum_to_letter_frequencies():
    p = exact.distribution(-3.0 * toy_energies())
    pairs = exact.pair_frequencies(p, STATES, LETTERS)
    letters = exact.letter_frequencies(p, STATES, LETTERS)
    for j in range(LENGTH):
        np.testing.assert_allclose(pairs[:, j].sum(axis=-1), letters, rtol=0, atol=1e-14)


def test_derivatives_of_log_partition_are_the_means_and_variances():
    energies, counts, beta, mu, step = toy_energies(), gc_count(STATES), 2.0, 0.3, 1e-4

    def log_w(beta, mu):
        return -beta * energies + mu * counts

    def slope(f):
        return (f(step) - f(-step)) / (2 * step)

    p = exact.distribution(log_w(beta, mu))
    mean_energy, var_energy = exact.mean_and_variance(p, energies)
    mean_count, var_count = exact.mean_and_variance(p, counts)
    # Central differences: an error of order step**2.
    assert slope(lambda h: exact.log_partition(log_w(beta + h, mu))) == pytest.approx(-mean_energy, abs=1e-6)
    assert slope(lambda h: exact.log_partition(log_w(beta, mu + h))) == pytest.approx(mean_count, abs=1e-6)

    def mean(values, beta, mu):
        return exact.mean_and_variance(exact.distribution(log_w(beta, mu)), values)[0]

    assert slope(lambda h: mean(energies, beta + h, mu)) == pytest.approx(-var_energy, abs=1e-6)
    assert slope(lambda h: mean(counts, beta, mu + h)) == pytest.approx(var_count, abs=1e-6)


# --- solve_mu -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.001, 0.38, 0.5, 0.9])
def test_solve_mu_at_beta_0_is_the_logit(fraction):
    mu = exact.solve_mu(fraction, STATES, toy_energies(), 0.0, gc_count(STATES), LENGTH)
    assert mu == pytest.approx(logit(fraction), abs=1e-10)


def test_solve_mu_of_one_binary_position():
    # The weights are 1 and exp(μ − β E), so that the wanted mean f asks for μ = logit f + β E.
    mu = exact.solve_mu(0.2, exact.states(1, 2), [0.0, 0.75], 6.0, [0, 1], 1)
    assert mu == pytest.approx(logit(0.2) + 6.0 * 0.75, abs=1e-10)


def test_solve_mu_of_a_pair_count():
    # 15 states without the pair and one with it: exp(μ) / (15 + exp(μ)) = 2 f, the length being 2.
    two = exact.states(2, 4)
    mu = exact.solve_mu(0.1, two, np.zeros(16), 0.0, exact.pair_count(two, 0, 3), 2)
    assert mu == pytest.approx(logit(0.2) + np.log(15), abs=1e-10)


def test_solve_mu_with_a_network_and_fixed_positions():
    energies, counts = toy_energies(), gc_count(STATES)
    allowed = exact.allowed_states(STATES, ANCHOR, [1, 2])
    for mask in (None, allowed):
        mu = exact.solve_mu(0.6, STATES, energies, 5.0, counts, LENGTH, mask)
        p = exact.distribution(-5.0 * energies + mu * counts, mask)
        assert exact.mean_and_variance(p, counts)[0] / LENGTH == pytest.approx(0.6, abs=1e-11)
        assert abs(mu - logit(0.6)) > 0.1


def test_solve_mu_refuses_what_no_mu_gives():
    # The anchor's fixed positions 0 and 3 hold a G and a C: the fraction lies within 0.5..1.
    allowed = exact.allowed_states(STATES, ANCHOR, [1, 2])
    for target in (0.5, 0.4, 1.0):
        with pytest.raises(ValueError, match="target_fraction"):
            exact.solve_mu(target, STATES, np.zeros(256), 1.0, gc_count(STATES), LENGTH, allowed)
    with pytest.raises(ValueError, match="shape"):
        exact.solve_mu(0.5, STATES, np.zeros(255), 1.0, gc_count(STATES), LENGTH)


# --- transition matrices ------------------------------------------------------------------------------------


def test_metropolis_of_one_position_by_hand():
    got = exact.metropolis_matrix(np.log([1.0, 2.0, 4.0]), exact.states(1, 3), 3, [0])
    expected = [[0, 1 / 2, 1 / 2], [1 / 4, 1 / 4, 1 / 2], [1 / 8, 1 / 4, 5 / 8]]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)
    lazy = exact.metropolis_matrix(np.log([1.0, 2.0, 4.0]), exact.states(1, 3), 3, [0], laziness=0.2)
    np.testing.assert_allclose(lazy, 0.2 * np.eye(3) + 0.8 * np.array(expected), rtol=0, atol=1e-14)


def test_metropolis_of_two_positions_by_hand():
    # States 00, 01, 10, 11 of weights 1, 2, 1, 4.
    got = exact.metropolis_matrix(np.log([1.0, 2.0, 1.0, 4.0]), exact.states(2, 2), 2, [0, 1])
    expected = [
        [0, 1 / 2, 1 / 2, 0],
        [1 / 4, 1 / 4, 0, 1 / 2],
        [1 / 2, 0, 0, 1 / 2],
        [0, 1 / 4, 1 / 8, 5 / 8],
    ]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)
    only_second = exact.metropolis_matrix(np.log([1.0, 2.0, 1.0, 4.0]), exact.states(2, 2), 2, [1])
    expected = [[0, 1, 0, 0], [1 / 2, 1 / 2, 0, 0], [0, 0, 0, 1], [0, 0, 1 / 4, 3 / 4]]
    np.testing.assert_allclose(only_second, expected, rtol=0, atol=1e-14)


def test_metropolis_never_enters_a_state_of_weight_0():
    got = exact.metropolis_matrix([0.0, -np.inf, 0.0, -np.inf], exact.states(2, 2), 2, [0, 1])
    expected = [[0.5, 0, 0.5, 0], [0.5, 0, 0, 0.5], [0.5, 0, 0.5, 0], [0, 0.5, 0.5, 0]]
    np.testing.assert_array_equal(got, expected)
    exact.assert_detailed_balance(got, [0.5, 0, 0.5, 0])


def test_metropolis_refuses_a_chain_that_cannot_move():
    with pytest.raises(ValueError, match="movable_positions"):
        exact.metropolis_matrix(np.zeros(4), exact.states(2, 2), 2, [])


@pytest.mark.parametrize("movable", [[0, 1, 2, 3], [0, 2], [3]])
@pytest.mark.parametrize("laziness", [0.0, 0.1])
def test_metropolis_leaves_the_target_stationary_and_converges_to_it(movable, laziness):
    log_w = -2.0 * toy_energies() + 0.5 * gc_count(STATES)
    allowed = exact.allowed_states(STATES, ANCHOR, movable)
    p = exact.distribution(log_w, allowed)
    assert p[allowed].min() > 1e-8
    matrix = exact.metropolis_matrix(log_w, STATES, LETTERS, movable, laziness)
    exact.assert_stationary(matrix, p, atol=1e-14)
    exact.assert_detailed_balance(matrix, p, atol=1e-14)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=0, atol=1e-14)
    gap = exact.spectral_gap(matrix, p)
    assert 1e-3 < gap < 1
    start = exact.one_hot(exact.index_of(ANCHOR, LETTERS), len(STATES))
    # The distance to p is at most (1 − gap)^n / sqrt(p[start]), here below exp(−60) · 1e4.
    steps = int(60 / gap) + 1
    np.testing.assert_allclose(start @ np.linalg.matrix_power(matrix, steps), p, rtol=0, atol=1e-10)


def test_metropolis_hastings_of_three_states_by_hand():
    # From the state 0 to 1: weights 1 and 2, proposals 1/2 and 1/4, so the ratio is (2 · 1/4) / (1 · 1/2) = 1.
    q = np.array([[0, 1 / 2, 1 / 2], [1 / 4, 1 / 2, 1 / 4], [0.8, 0.2, 0]])
    log_w = np.log([1.0, 2.0, 4.0])
    ratio = np.exp(exact.log_acceptance_ratio(log_w, q))
    np.testing.assert_allclose(ratio, [[0, 1, 6.4], [1, 1, 1.6], [1 / 6.4, 1 / 1.6, 0]], rtol=1e-14)
    got = exact.metropolis_hastings_matrix(log_w, [(1.0, q)])
    expected = [[0, 1 / 2, 1 / 2], [1 / 4, 1 / 2, 1 / 4], [0.8 / 6.4, 0.2 / 1.6, 0.75]]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)
    exact.assert_detailed_balance(got, [1 / 7, 2 / 7, 4 / 7], atol=1e-14)


def test_metropolis_hastings_is_metropolis_for_a_position_drawn_without_a_look():
    log_w = -2.0 * toy_energies() + 0.5 * gc_count(STATES)
    proposals = []
    for position in (0, 1, 3):
        others = np.delete(STATES, position, axis=1)
        same_elsewhere = (others[:, None] == others[None]).all(-1) & (STATES[:, None] != STATES[None]).any(-1)
        proposals.append((1 / 3, same_elsewhere / 3))
    got = exact.metropolis_hastings_matrix(log_w, proposals)
    expected = exact.metropolis_matrix(log_w, STATES, LETTERS, [0, 1, 3])
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)


def test_metropolis_hastings_decides_for_each_value_of_what_is_drawn_first():
    # Given the first value 0.2 / 0.6 of the ways to 1 are taken, given the second all; a decision by the averages,
    # 0.225 there and 0.425 back, would take all.
    first, second = np.array([[0.4, 0.6], [0.2, 0.8]]), np.array([[0.9, 0.1], [0.5, 0.5]])
    got = exact.metropolis_hastings_matrix(np.zeros(2), [(0.25, first), (0.75, second)])
    np.testing.assert_allclose(got, [[0.875, 0.125], [0.125, 0.875]], rtol=0, atol=1e-14)


def test_metropolis_hastings_refuses_what_is_no_proposal():
    one_way = np.array([[0.5, 0.5], [0.0, 1.0]])
    with pytest.raises(ValueError, match="way back"):
        exact.log_acceptance_ratio([0.0, 0.0], one_way)
    with pytest.raises(ValueError, match="sum to 1"):
        exact.metropolis_hastings_matrix([0.0, 0.0], [(0.5, np.eye(2))])
    with pytest.raises(ValueError, match="every row"):
        exact.metropolis_hastings_matrix([0.0, 0.0], [(1.0, np.full((2, 2), 0.4))])


def test_assertions_fail_on_a_chain_of_another_target():
    log_w = -2.0 * toy_energies()
    matrix = exact.metropolis_matrix(log_w, STATES, LETTERS, range(LENGTH))
    other = exact.distribution(log_w + 1e-5 * gc_count(STATES))
    for check in (exact.assert_stationary, exact.assert_detailed_balance):
        with pytest.raises(AssertionError):
            check(matrix, other)


def test_a_rotation_is_stationary_without_detailed_balance():
    rotation, uniform = np.roll(np.eye(3), 1, axis=1), np.full(3, 1 / 3)
    exact.assert_stationary(rotation, uniform)
    with pytest.raises(AssertionError, match="flows"):
        exact.assert_detailed_balance(rotation, uniform)
    assert exact.spectral_gap(rotation, uniform) == pytest.approx(0, abs=1e-12)
    # Eigenvalues 1/2 + ω / 2 of modulus 1/2.
    assert exact.spectral_gap((np.eye(3) + rotation) / 2, uniform) == pytest.approx(1 / 2, abs=1e-12)


@pytest.mark.parametrize(
    ("matrix", "p"),
    [
        (np.eye(2) * 0.9, [0.5, 0.5]),
        ([[1.5, -0.5], [-0.5, 1.5]], [0.5, 0.5]),
        (np.full((2, 2), np.nan), [0.5, 0.5]),
        (np.eye(2), [0.6, 0.6]),
        (np.eye(2), [1.5, -0.5]),
        (np.eye(2), [np.nan, 1.0]),
        (np.eye(3), [0.5, 0.5]),
    ],
)
def test_assertions_fail_on_what_is_no_chain(matrix, p):
    for check in (exact.assert_stationary, exact.assert_detailed_balance):
        with pytest.raises(AssertionError):
            check(matrix, p)


def test_detailed_balance_sees_a_leak_out_of_the_support():
    with pytest.raises(AssertionError):
        exact.assert_detailed_balance([[0.9, 0.1], [1.0, 0.0]], [1.0, 0.0])


@pytest.mark.parametrize("length", [1, 2, 3])
def test_flat_binary_chain_is_periodic_unless_lazy(length):
    flat, binary, uniform = np.zeros(2**length), exact.states(length, 2), np.full(2**length, 2.0**-length)
    matrix = exact.metropolis_matrix(flat, binary, 2, range(length))
    np.testing.assert_array_equal(matrix, hypercube_flip(length))
    assert exact.spectral_gap(matrix, uniform) == pytest.approx(0, abs=1e-12)
    for laziness in (0.05, 0.5):
        lazy = exact.metropolis_matrix(flat, binary, 2, range(length), laziness)
        # Eigenvalues laziness + (1 − laziness)(1 − 2k / length), k = 0..length.
        expected = min(2 * laziness, 2 * (1 - laziness) / length)
        assert exact.spectral_gap(lazy, uniform) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("length", "expected"), [(1, 2 / 3), (2, 2 / 3), (3, 4 / 9), (4, 1 / 3)])
def test_gap_of_a_flat_chain_of_four_letters(length, expected):
    # One site has the eigenvalues 1 and −1/3; a chain of them 1 − (4/3) k / length, k = 0..length.
    matrix = exact.metropolis_matrix(np.zeros(4**length), exact.states(length, 4), 4, range(length))
    gap = exact.spectral_gap(matrix, np.full(4**length, 4.0**-length))
    assert gap == pytest.approx(expected, abs=1e-12)


def test_gap_is_taken_over_the_allowed_states_and_is_0_for_a_reducible_chain():
    three = exact.states(3, 4)
    matrix = exact.metropolis_matrix(np.zeros(64), three, 4, [1])
    allowed = exact.allowed_states(three, [0, 1, 2], [1])
    within = exact.distribution(np.zeros(64), allowed)
    assert exact.spectral_gap(matrix, within) == pytest.approx(2 / 3, abs=1e-12)
    assert exact.spectral_gap(matrix, np.full(64, 1 / 64)) == pytest.approx(0, abs=1e-12)
    with pytest.raises(AssertionError):
        exact.spectral_gap(matrix, exact.distribution(np.arange(64) / 9))


def test_gap_of_two_states():
    # Eigenvalues of [[1 − a, a], [b, 1 − b]]: 1 and 1 − a − b.
    a, b = 0.3, 0.9
    assert exact.spectral_gap([[1 - a, a], [b, 1 - b]], np.array([b, a]) / (a + b)) == pytest.approx(0.8)
