"""β chosen by what a short run holds, against counting.

The network tells which of the first 6 letters are those of the anchor. So E is the root of the number of mismatches,
and C(6, j) 3^j sequences of 6 letters have j of them.
"""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.analysis import auto_beta, beta_at_information, beta_by_acceptance, beta_by_median, mutant_energies
from jaxmaxent.analysis._resolution import automatic
from jaxmaxent.sampling.device import _block as blocks

COPIES = 8  # of one anchor, each with chains of its own
FEW = {"ladder": 8, "chains": 4, "target_replicas": 2, "anchor_chains": 0, "evaluation": "full"}
KEY = jax.random.key(3)


ANCHOR = "GATACATC"
HELD = 6
MISMATCHES = np.arange(HELD + 1)


def matches(one_hot):
    return jnp.stack([one_hot[i, "ACGT".index(ANCHOR[i])] for i in range(HELD)])


def mean(values, beta):
    """Mean over all sequences of a value that depends on the number of mismatches."""
    count = [math.comb(HELD, j) * 3.0**j for j in MISMATCHES]
    weights = count * np.exp(-beta * np.sqrt(MISMATCHES))
    return weights @ values / weights.sum()


def bits_at(beta):
    """Information of all positions: at the first 6 the right letter, or any of the three others."""
    other = mean(MISMATCHES, beta) / HELD
    return HELD * (2 + (1 - other) * np.log2(1 - other) + other * np.log2(other / 3))


def share_at(beta):
    return mean(np.sqrt(MISMATCHES), beta) / mean(np.sqrt(MISMATCHES), 0.0)


def copies(count=COPIES):
    return jme.Ensemble.create(matches, [ANCHOR] * count, beta=1.0)


def agree(values, wanted):
    """Whether independent values have this mean, within 5 standard errors."""
    return abs(np.mean(values) - wanted) < 5 * np.std(values, ddof=1) / np.sqrt(len(values))


@pytest.fixture(scope="module")
def by_bits():
    return auto_beta(copies(), "information", 3.0, key=KEY, **FEW)


@pytest.mark.slow
def test_the_wanted_information_is_reached(by_bits):
    assert agree([bits_at(beta) for beta in by_bits.beta], 3.0)
    for beta, reason in zip(by_bits.beta, by_bits.reasons, strict=True):
        assert reason.startswith(
            f"β = {beta:.4g}: by a short run, letters hold 3 bits in total, and the mean energy is "
        )


def test_the_wanted_share_of_the_energy_is_reached():
    found = auto_beta(copies(), "energy", 0.3, key=KEY, **FEW)
    assert agree([share_at(beta) for beta in found.beta], 0.3)
    assert found.reasons[0].startswith(f"β = {found.beta[0]:.4g}: by a short run, the mean energy is 0.3 of that at β")


@pytest.mark.slow
def test_the_short_runs_and_the_run_itself_are_one_program(by_bits):
    compiled = blocks.block._cache_size()
    auto_beta(copies(), "energy", 0.5, key=KEY, **FEW)
    run = jme.sample(KEY, copies().with_beta(by_bits.beta), steps=500, burn_in=500, progress=False, **FEW)
    assert blocks.block._cache_size() == compiled
    # Long enough to see that the run holds what was wanted.
    assert np.abs(run.total_information[:, -1].mean() - 3) < 5 * run.total_information_error[:, -1].mean()


@pytest.mark.slow
def test_a_value_beyond_the_first_short_run_takes_a_second(monkeypatch):
    monkeypatch.setattr(automatic, "_GENEROUS", 0.5)  # the first goes up to β = 1.5
    share = share_at(2.5)
    found = auto_beta(copies(), "energy", share, key=KEY, **FEW)
    assert (found.beta > 1.5).all()
    assert agree([share_at(beta) for beta in found.beta], share)
    capped = auto_beta(copies(), "auto", 11.0, key=KEY, **FEW)
    np.testing.assert_allclose(capped.beta, beta_by_median(copies()))
    assert "11 bits were wanted, and not reached at any β that was tried" in capped.reasons[0]


@pytest.mark.slow
def test_by_default_beta_is_no_smaller_than_by_the_median():
    ensemble = copies(1)
    floor = beta_by_median(ensemble)
    low = auto_beta(ensemble, "auto", 0.5, key=KEY, **FEW)
    np.testing.assert_array_equal(low.beta, floor)
    assert re.match(
        r"β = [\d.]+: by the median of single-letter changes; at β = [\d.]+, by a short run, ", low.reasons[0]
    )
    assert bits_at(floor[0]) > 0.5


def test_without_a_key_nothing_is_sampled():
    ensemble = copies(1)
    np.testing.assert_array_equal(auto_beta(ensemble).beta, beta_by_median(ensemble))
    np.testing.assert_array_equal(auto_beta(ensemble, "median", 0.2).beta, beta_by_median(ensemble, 0.2))
    found = auto_beta(ensemble, "acceptance", 0.3)
    np.testing.assert_array_equal(found.beta, beta_by_acceptance(ensemble, 0.3))
    assert found.reasons[0].startswith(
        f"β = {found.beta[0]:.4g}: from the anchor, single-letter changes then have a mean"
    )
    for rule in ("auto", "information", "energy"):
        with pytest.raises(ValueError, match=f'^key must be given for the rule "{rule}", which samples, such as'):
            auto_beta(ensemble, rule)


def anywhere(one_hot):
    """How often there is an A: which letters, not where."""
    return jnp.array([one_hot[:, 0].sum(), one_hot[:, 1].sum()])


@pytest.mark.slow
def test_a_network_that_holds_no_letter_in_place_gets_a_beta_nevertheless():
    ensemble = jme.Ensemble.create(anywhere, "AACCGGTTACGT", beta=1.0)
    found = auto_beta(ensemble, key=KEY, **FEW)
    assert 1 < found.beta[0] < 100 / mutant_energies(ensemble).max()
    assert "8 bits were wanted, but a larger β would leave little more than the anchor itself" in found.reasons[0]


def first_letter(one_hot):
    return jnp.array([0.0, 1.0, 2.0, 3.0]) @ one_hot[:1].T


def test_bad_rules_and_values():
    ensemble = copies(1)
    with pytest.raises(
        ValueError, match='^rule must be one of "auto", "median", "acceptance", "information", "energy"'
    ):
        auto_beta(ensemble, "best")
    for rule in ("median", "acceptance", "energy"):
        with pytest.raises(ValueError, match="^wanted must be a finite number above 0 and below 1, got 2"):
            auto_beta(ensemble, rule, 2, key=KEY)
    with pytest.raises(ValueError, match="^wanted must be a finite number above 0, got -1"):
        auto_beta(ensemble, "information", -1, key=KEY)
    with pytest.raises(ValueError, match="^key must be one typed key"):
        auto_beta(ensemble, "information", key=3)
    unseeing = jme.Ensemble.create(first_letter, "CCC", beta=1.0)
    with pytest.raises(ValueError, match="^wanted must be above the share of mutants at distance 0, 0.667 at anchor 0"):
        auto_beta(unseeing, "acceptance")


@pytest.mark.slow
def test_the_beta_at_an_information_has_an_error_that_holds():
    betas = tuple(np.linspace(0, 6, 13))
    run = jme.sample(
        KEY, copies().with_beta(6.0), ladder=betas, chains=4, target_replicas=1, anchor_chains=0, steps=2000,
        burn_in=500, progress=False,
    )  # fmt: skip
    for exact in (2.5, 4.0):  # rungs, where nothing is interpolated
        found = [beta_at_information(run, bits_at(exact), anchor=a) for a in range(COPIES)]
        beta, error = np.array(found).T
        assert agree(beta, exact)
        assert np.mean(error) > np.std(beta, ddof=1)  # an upper limit
        assert np.mean(error) < 20 * np.std(beta, ddof=1)
    with pytest.raises(ValueError, match="^information must be within the ladder, from 0 bits at β = 0 to .* got 13"):
        beta_at_information(run, 13)
    with pytest.raises(ValueError, match="^information must be a finite number, got nan"):
        beta_at_information(run, np.nan)
    with pytest.raises(ValueError, match="^anchor must be a whole number from 0 to 7, got 8"):
        beta_at_information(run, 1.0, anchor=8)
