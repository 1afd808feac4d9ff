"""Anchor-start chains beside those from the background, on states whose log Z is known."""

import math

import numpy as np
import pytest

import exact
from jaxmaxent.diagnostics import AnchorStart, ScalarBatches, compare_starts, judge_start, limit_log_z
from problems import Problem

ANCHOR = np.array([0, 1, 2, 3])


SIZE = 16  # draws of a batch


def scalars_of(draws, energies, anchor):
    """Return energies and distances of draws, shape [chains, draws, 2]."""
    return np.stack([energies, (draws != anchor).sum(-1)], -1).astype(float)


def batched(values):
    """Return sums over batches, [batches, chains, …], of values [chains, draws, …]."""
    chains, draws, *rest = values.shape
    return values.reshape(chains, draws // SIZE, SIZE, *rest).sum(2).swapaxes(0, 1)


def limit_of(draws, energies, anchor, *, beta, held=(), alike=1):
    scalars = scalars_of(draws, energies, anchor)
    choices = np.where(np.isin(np.arange(len(anchor)), held), 1, 4)
    start = AnchorStart(np.zeros(1), np.zeros(1), np.zeros(1, bool), math.inf)
    return limit_log_z(
        start, scalars, batched(exact.one_hot(draws, 4).astype(int)), batched(scalars) / SIZE, sequences=SIZE,
        beta=beta, mu=np.zeros(0), choices=choices, copies=lambda most: alike,
    )  # fmt: skip


def group_of(draws, energies, anchor):
    scalars = scalars_of(draws, energies, anchor)
    batches = batched(scalars)[:, :, None] / SIZE
    return ScalarBatches(batches, scalars.mean(1)[:, None], scalars.var(1)[:, None], SIZE)


def lasting(rng, states, probabilities, chains, count, stay):
    """Return chains of `count` draws from `states`, each of which stays for so many steps on average."""
    fresh = rng.choice(len(states), (chains, count), p=probabilities)
    moves = rng.random((chains, count)) < 1 / stay
    moves[:, 0] = True
    at = np.maximum.accumulate(np.where(moves, np.arange(count), 0), axis=1)
    return np.take_along_axis(fresh, at, 1)


def basin(kind):
    """Return sequences and energies of a state around the anchor, of four letters."""
    states = exact.states(4, 4)
    if kind == "motif with a free flank":  # letters are independent: the limit is tight
        states = states[(states[:, :2] == ANCHOR[:2]).all(1)]
        energies = np.zeros(len(states))
    elif kind == "letters tied in pairs":
        states = states[(states[:, 0] == states[:, 2]) | (states[:, 1] == states[:, 3])]
        energies = 0.1 * (states != ANCHOR).sum(1)
    else:  # sequences near the anchor, by the energies of a network
        problem = Problem(length=4, seed=3)
        near = (states != ANCHOR).sum(1) <= 2
        network = exact.toy_network(3, 4, 4)
        states, energies = states[near], exact.energy_from(network, ANCHOR, problem.w, 4)(states[near])
    return states, energies


@pytest.mark.parametrize("kind", ["motif with a free flank", "letters tied in pairs", "near the anchor"])
@pytest.mark.parametrize(("chains", "stay"), [(1, 1), (1, 8), (2, 3), (8, 1), (8, 12)])
def test_the_limit_is_above_log_z_of_the_state(kind, chains, stay):
    """Check that it is below in none of 40 runs (it has four standard errors to spare), and not far above."""
    states, energies = basin(kind)
    beta = 3.0
    log_weights = -beta * energies
    log_z, rng = np.logaddexp.reduce(log_weights), np.random.default_rng(5)
    limits = []
    for _ in range(40):
        rows = lasting(rng, states, np.exp(log_weights - log_z), chains, 32 * SIZE, stay)
        limits.append(limit_of(states[rows], energies[rows], ANCHOR, beta=beta).limit)
    limits = np.array(limits)
    known = np.isfinite(limits)
    assert known.mean() > (0.9 if stay < 8 else 0.5)
    assert (limits[known] > log_z).all()
    assert (limits[known] < log_z + 3.5).all()


def test_copies_add_their_number():
    states, energies = basin("motif with a free flank")
    rows = np.random.default_rng(0).integers(len(states), size=(4, 32 * SIZE))
    one, nine = (limit_of(states[rows], energies[rows], ANCHOR, beta=1.0, alike=n).limit for n in (1, 9))
    assert nine - one == pytest.approx(math.log(9))


def test_held_positions_miss_no_entropy():
    states, energies = basin("motif with a free flank")
    rows = np.random.default_rng(0).integers(len(states), size=(4, 32 * SIZE))
    all_free = limit_of(states[rows], energies[rows], ANCHOR, beta=1.0).limit
    assert limit_of(states[rows], energies[rows], ANCHOR, beta=1.0, held=(0, 1)).limit < all_free


@pytest.mark.parametrize("chains", [1, 2, 4, 8])
@pytest.mark.parametrize("resting", ["all", "one chain", "the first quarter"])
def test_chains_that_rest_on_the_anchor_bring_no_limit_that_is_too_low(chains, resting):
    """Check chains that stand on the anchor: their state would seem to be one sequence, without entropy."""
    rng = np.random.default_rng(1)
    draws = rng.integers(0, 4, (chains, 32 * SIZE, 4))
    draws[..., :2] = ANCHOR[:2]
    if resting == "all":
        draws[:] = ANCHOR
    elif resting == "one chain":
        draws[-1] = ANCHOR
    else:
        draws[:, : 8 * SIZE] = ANCHOR
    found = limit_of(draws, np.zeros(draws.shape[:2]), ANCHOR, beta=10.0)
    if resting == "the first quarter" and not found.unknown:
        assert found.limit > math.log(16)
    else:
        assert math.isnan(found.limit)
        assert found.unknown in ("not all of them have left the anchor", "they do not agree among themselves")


@pytest.mark.parametrize("chains", [1, 2, 8])
def test_a_state_that_chains_are_still_leaving_has_no_limit(chains):
    """Check chains that move away from the anchor: their last draws have more entropy than all draws together."""
    rng = np.random.default_rng(2)
    free = rng.random((chains, 32 * SIZE, 12)) < np.linspace(0, 1, 32 * SIZE)[None, :, None]
    anchor = np.resize(ANCHOR, 12)
    draws = np.where(free, rng.integers(0, 4, free.shape), anchor)
    found = limit_of(draws, np.zeros(draws.shape[:2]), anchor, beta=1.0)
    assert math.isnan(found.limit)
    assert found.unknown == "they do not agree among themselves"


def test_too_few_draws_have_no_limit():
    rng = np.random.default_rng(3)
    draws = rng.integers(0, 4, (1, SIZE, 4))
    found = limit_of(draws[:, :SIZE], np.zeros((1, SIZE)), ANCHOR, beta=1.0)
    assert math.isnan(found.limit)
    assert found.unknown


BETAS = np.array([0.0, 10.0, 50.0])


def start_of(agrees, limit=math.nan, *, size=100.0, unknown=""):
    return AnchorStart(np.array([1.0, 0.5, 0.01]), np.full(3, 0.001), np.array(agrees), size, limit, unknown)


def test_a_state_is_dismissed_only_below_a_hundredth_of_the_weight():
    apart = [True, True, False]
    share = math.log(0.01 / 0.99)
    for limit, believed in ((60 - 0.8 + share - 0.01, True), (60 - 0.8 + share + 0.01, False), (80.0, False)):
        found, why = judge_start(start_of(apart, limit), BETAS, 0.1, 60.0, 0.2)
        assert found is believed
        assert "agree up to β = 10 and not above (⟨E⟩ 0.01 against 0.1)" in why
        assert f"log Z of their state is at most {limit:.1f}, that of the other chains 60.0 ± 0.2" in why
        assert ("they are stuck in less than 1% of the weight" if believed else "neither can be dismissed") in why


@pytest.mark.parametrize(
    ("limit", "log_z", "error", "words"),
    [
        (math.nan, 60.0, 0.2, "their state is unknown"),
        (3.0, 60.0, math.nan, r"60.0 (error unknown)"),
        (3.0, math.nan, math.nan, "unknown without a ladder"),
    ],
)
def test_what_is_unknown_dismisses_nothing(limit, log_z, error, words):
    believed, why = judge_start(start_of([True, False, False], limit, unknown="a reason"), BETAS, 0.1, log_z, error)
    assert not believed
    assert words in why
    assert "neither can be dismissed (a reason)" in why


def test_chains_that_say_too_little_do_not_agree():
    assert judge_start(start_of([True] * 3), BETAS, 0.1, 60.0, 0.2) == (True, "chains started at the anchor agree")
    believed, why = judge_start(start_of([True] * 3, size=3.2), BETAS, 0.1, 60.0, 0.2)
    assert not believed
    assert "have 3 effective draws, too few to compare them" in why
    # If draws hardly move, the size is that of effective draws, not the number of draws.
    rng = np.random.default_rng(4)
    rows = lasting(rng, exact.states(4, 4), np.full(256, 1 / 256), 3, 32 * SIZE, 200)
    draws = exact.states(4, 4)[rows]
    others, started = (group_of(part, part[..., 0].astype(float), ANCHOR) for part in (draws[:2], draws[2:]))
    assert compare_starts(others, started).size < 50
