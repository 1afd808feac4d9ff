"""The verdict on diagnostics: it names what is missing, and takes sizes of constant letters from lower rungs."""

import numpy as np
import pytest

from jaxmaxent.diagnostics import Batches, Diagnosis, _convergence, chains_together, diagnose, judge, with_trips


@pytest.mark.parametrize(("chains", "expected"), [(1, 1), (4, 1), (7, 1), (8, 2), (12, 2), (16, 4), (18, 2), (56, 4)])
def test_superchains_are_at_least_four(chains, expected):
    assert chains_together(chains) == expected


@pytest.mark.parametrize(
    ("chains", "expected"), [(60, 4), (63, 1), (64, 8), (72, 8), (112, 8), (124, 4), (128, 16), (304, 16), (4096, 16)]
)
def test_superchains_of_many_chains_are_larger_and_at_least_eight(chains, expected):
    assert chains_together(chains) == expected


@pytest.mark.parametrize(
    ("chains", "replicas", "expected"), [(16, 4, 4), (16, 8, 2), (8, 8, 2), (8, 9, 1), (256, 40, 1)]
)
def test_superchains_are_of_few_sequences(chains, replicas, expected):
    assert chains_together(chains, replicas) == expected


BATCHES, SIZE = 16, 12


def counted(tokens, replicas=1):
    """Return batches of what chains drew at one rung, tokens [chains, draws, sequences, length] of two letters."""
    letters = np.eye(2, dtype=int)[tokens].sum(2)  # [chains, draws, length, letters]
    chains, length = len(letters), letters.shape[2]
    counts = letters.reshape(chains, BATCHES, SIZE, length, 2).sum(2).swapaxes(0, 1)[:, :, None]
    # Both the energy and the distance in letters are the share of the second letter, [chains, draws, rungs, scalars].
    energies = np.repeat(tokens[:, :, 0].mean(-1)[:, :, None, None], 2, axis=3)
    means = energies.reshape(chains, BATCHES, SIZE, 1, 2).mean(2).swapaxes(0, 1)
    variance = energies.var(1).mean(0)
    return Batches(counts, means, energies, variance, np.array([1000]), SIZE, replicas)


def converged(tokens, replicas=1):
    found = diagnose(counted(tokens, replicas), np.ones((tokens.shape[-1], 2), bool))
    wanted = {"rhat": 1.01, "ess": 400, "mcse": None, "letters": "AB", "scalar_names": (), "betas": np.array([3.0])}
    return judge(found, **wanted), found


def drawn(seed, chains, *, stay, sequences=1, length=4):
    """Draw letters that stay with a probability and are drawn anew otherwise; both letters are equally frequent."""
    rng = np.random.default_rng(seed)
    shape = (chains, BATCHES * SIZE, sequences, length)
    new, anew = rng.integers(0, 2, shape), rng.random(shape) >= stay
    anew[:, 0] = True
    last = np.maximum.accumulate(np.where(anew, np.arange(shape[1])[None, :, None, None], 0), axis=1)
    return np.take_along_axis(new, last, axis=1)


def test_rhat_of_letters_is_that_of_superchains_by_numpy():
    """Against variances between superchains, between and within their chains (Margossian et al. 2024), from draws."""
    tokens = drawn(1, 64, stay=0.9)
    found = converged(tokens)[1].letter_rhat[0, :, 1]
    half = tokens.shape[1] // 2
    halves = np.stack([tokens[:, :half], tokens[:, half:]]).squeeze(3).astype(float)  # [halves, chains, draws, length]
    groups = halves.reshape(2 * 8, 8, half, -1)  # [superchains, chains, draws, length]
    between = groups.mean((1, 2)).var(0, ddof=1)
    of_chains = groups.mean(2).var(1, ddof=1).mean(0)
    within = groups.var(2, ddof=1).mean((0, 1))
    published = np.sqrt(1 + between / (of_chains + within))
    # All draws of a superchain have this variance about their mean.
    whole = (8 * (half - 1) * within + 7 * half * of_chains) / (8 * half - 1)
    np.testing.assert_allclose(found, np.sqrt(between / whole + 1 - 1 / (8 * half)), rtol=1e-12)
    assert (np.abs(found - published) < 1 / (8 * half)).all()


@pytest.mark.parametrize(("chains", "stay"), [(64, 0.8), (128, 0.9), (304, 0.9)])
def test_short_chains_in_large_numbers_count_for_what_they_are_worth(chains, stay):
    """Check chains of 10 to 20 independent draws, where R-hat below 1.01 takes some 100 of a chain or superchain.

    A draw of 1 − stay is new, so that (1 + stay) / (1 − stay) draws are worth one. Superchains have 170 of them.
    """
    tokens = drawn(2, chains, stay=stay)
    (good, why), found = converged(tokens)
    assert good, why
    single = _convergence.indicator_rhat(counted(tokens).letters, SIZE)
    assert single.max() > 1.02 > 1.01 > found.letter_rhat.max()


@pytest.mark.parametrize(("chains", "sequences"), [(64, 1), (128, 1), (304, 1), (1024, 1), (64, 8), (128, 8), (304, 8)])
def test_chains_that_have_not_mixed_are_not_called_converged(chains, sequences):
    """Check chains that stay where they began and such as leave it once: any number of them is not enough."""
    draws = BATCHES * SIZE
    for seed, stay in enumerate((1.0, 1.0, 1.0, 1 - 1 / draws)):
        tokens = drawn(seed, chains, stay=stay, sequences=sequences)
        (good, _), found = converged(tokens, sequences)
        assert not good
        assert found.letter_rhat.max() > 1.01


def test_what_never_changed_is_known_by_what_came_from_where_it_did():
    trips = np.array([30, 70, 20_000, 5])  # to the target, from the first rung, the second …
    ess = np.array([[400.0, 500], [800, 700], [16_384, 450], [0, 390]])  # the second letter is seen everywhere

    def last(constant_from):
        constant = np.arange(4)[:, None] >= np.array([constant_from, 4])
        found = with_trips(ess, constant, trips)
        np.testing.assert_array_equal(found[~constant], ess[~constant])
        return list(found[constant_from:, 0])

    # From the third rung 20,100 came, mostly in a few steps; but a rare letter counts as the smallest size there.
    assert last(3) == [450]
    assert last(2) == [100, 100]
    assert last(1) == [30, 30, 30]
    assert last(0) == [30, 30, 30, 30]
    without_a_ladder = with_trips(np.zeros((1, 2)), np.ones((1, 2), bool), np.zeros(1, int))
    np.testing.assert_array_equal(without_a_ladder, 0)


def test_what_is_missing_is_told_with_its_rung():
    """Check that every rung is judged, not the target alone."""
    shape, betas = (3, 4, 4), np.array([0.0, 1.5, 3.0])
    found = Diagnosis(
        letter_rhat=np.full(shape, 1.001), letter_ess=np.full(shape, 900.0), letter_mcse=np.full(shape, 0.01),
        scalar_rhat=np.full((3, 2), 1.001), scalar_ess=np.full((3, 2), 900.0), scalar_tail_ess=np.full((3, 2), 900.0),
        scalar_mcse=np.full((3, 2), 0.01),
    )  # fmt: skip
    wanted = {"rhat": 1.01, "ess": 400, "mcse": 0.02, "letters": "ACGT", "scalar_names": (), "betas": betas}
    assert judge(found, **wanted)[0]
    found.letter_rhat[1, 2, 3], found.scalar_ess[0, 1] = 1.2, 300
    good, why = judge(found, **wanted)
    assert not good
    assert "R-hat is 1.2 at position 2, letter T, β = 1.5, wanted ≤ 1.01" in why
    assert "the effective sample size of the distance in letters is 300, β = 0, wanted 400" in why
    found.letter_mcse[2, 0, 0] = np.nan
    assert "a standard error is inf at position 0, letter A, β = 3" in judge(found, **wanted)[1]


def test_an_energy_on_a_plateau_with_rare_exceptions_has_a_size_from_all_draws():
    """Check batches in which exceptions are seen, while the few traced draws are all alike."""
    rng = np.random.default_rng(0)
    size, chains, batches = 200, 4, 32
    means = 1 - rng.binomial(size, 0.002, (batches, chains, 1, 1)) / size
    traces = np.ones((chains, 64, 1, 1))
    found = _convergence._scalar_ess(traces, means, size, 1, means.var((0, 1)) * size)
    draws = size * chains * batches
    assert draws / 3 < found[0, 0] < 3 * draws  # the draws are independent
    constant = _convergence._scalar_ess(traces, np.ones_like(means), size, 1, np.zeros((1, 1)))
    assert constant[0, 0] == 0
