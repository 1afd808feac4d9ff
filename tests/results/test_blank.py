"""The β that a run advises if its letters hold nearly nothing."""

import dataclasses

import numpy as np
import pytest
from made_up_runs import made_up

from jaxmaxent.results._blank import FEWEST_BITS, advice, advised_beta, beta_at_value, is_blank
from jaxmaxent.results._information import information_bits, total_information

BETA = np.array([0.0, 1, 2, 4, 8, 16])


def test_a_value_within_the_ladder_is_interpolated():
    values = np.array([0, 1, 5, 4, 7, 9.0])  # 4 counts as 5
    for wanted, expected in ((0, 0), (0.5, 0.5), (1, 1), (3, 1.5), (6, 6), (9, 16)):
        assert beta_at_value(BETA, values, wanted) == pytest.approx(expected)


def test_beyond_the_ladder_it_is_the_line_through_the_last_rungs():
    assert beta_at_value(BETA, 0.25 * BETA, 8) == pytest.approx(32)
    # What happens at small β does not matter.
    assert beta_at_value(BETA, np.where(BETA < 2, -1, 0.25 * BETA), 8) == pytest.approx(32)
    assert beta_at_value(np.array([4.0]), np.array([1.0]), 3) == pytest.approx(12)


def test_a_line_that_rises_slowly_or_falls_leads_no_further_than_five_times():
    for values in (0.001 * BETA, -BETA, 0 * BETA):
        assert beta_at_value(BETA, values, 8) == 5 * 16


def test_a_single_tall_stack_of_letters_is_not_blank():
    spread, gathered = np.full(50, 0.1), np.zeros(50)
    gathered[20:23] = 1.6
    assert is_blank(5.0, spread)
    assert not is_blank(5.0, gathered)
    assert not is_blank(FEWEST_BITS, spread)
    assert not is_blank(np.nan, spread)


def test_the_sentence():
    bits = 0.2 * BETA
    assert advice(BETA, bits, np.zeros(9)) == "At this β almost any sequence is equal; try β = 40"
    assert advice(BETA, 2 * bits, np.zeros(9)) is None
    unknown = np.where(BETA < 2, np.nan, bits)
    assert advice(BETA, unknown, np.zeros(9)) == "At this β almost any sequence is equal; try a larger β"
    assert advice(np.zeros(1), np.zeros(1), np.zeros(9)) is None
    moving = advice(BETA, bits, np.zeros(9), mobile=True)
    assert moving is not None and moving.startswith("Sites may stand anywhere") and "β = " not in moving
    assert "`where`" in moving and "`draw_motifs`" in moving
    assert advice(BETA, 2 * bits, np.zeros(9), mobile=True) is None
    assert advised_beta(BETA, 0.3 * BETA) == 27  # two digits of 26.67


def made_of(tables, errors, beta, draws):
    return total_information(np.array(tables), np.array(errors), np.array(beta), np.array(draws))


def test_the_total_is_against_the_first_rung_and_without_bias():
    rng = np.random.default_rng(0)
    tables = rng.dirichlet(np.full(4, 5.0), (1, 3, 6))
    none = np.zeros_like(tables)
    bits, errors = made_of(tables, none, [[0, 1.0, 2.0]], [np.inf])
    expected = (tables * np.log2(tables / tables[:, :1])).sum((-1, -2))
    np.testing.assert_allclose(bits, expected, atol=1e-12)
    np.testing.assert_array_equal(errors, 0)
    # Without β = 0, against uniform letters.
    bits, _ = made_of(tables, none, [[1.0, 2.0, 3.0]], [np.inf])
    np.testing.assert_allclose(bits, information_bits(tables).sum(-1))


def test_the_total_of_letters_that_nothing_holds_is_zero_on_average():
    rng = np.random.default_rng(1)
    draws, runs, own = 200, 300, np.array([0.1, 0.2, 0.3, 0.4])
    tables = rng.multinomial(draws, own, (runs, 2, 20)) / draws
    errors = np.sqrt(tables * (1 - tables) / draws)
    bits, limits = made_of(tables, errors, np.tile([0, 1.0], (runs, 1)), np.full(runs, draws))
    np.testing.assert_array_equal(bits[:, 0], 0)
    found = bits[:, 1]
    assert abs(found.mean()) < 5 * found.std() / np.sqrt(runs)
    assert (limits[:, 1] > found.std()).all()


def blank_run(top, mobility=0.9):
    made = dataclasses.replace(made_up(fields=()), mobility=np.broadcast_to(mobility, 3).astype(float))
    run = dataclasses.replace(made, beta=np.tile([0.0, 1, 2, 4], (3, 1)), steps=np.array([10**9] * 3))
    a = 0.25 + top * run.beta[..., None] / 4
    run.frequencies[:] = np.stack([a, *[(1 - a) / 3] * 3], -1)
    run.frequency_errors[:] = 1e-4
    return run


def test_a_run_states_its_bits_and_the_beta_to_try():
    rows = dict(line.strip().removesuffix(">").split(None, 1) for line in repr(blank_run(0.25)).splitlines()[1:])
    bits = 5 * information_bits(np.array([0.5, *[1 / 6] * 3]))
    assert rows["information"] == f"{bits:.1f} bits at the target"
    assert rows["advice"].startswith("at this β almost any sequence is equal; try β = ")
    one = repr(blank_run(0.25).take(np.array([0])))
    assert f"{bits:.1f} ± 0.0 bits at the target" in one
    full = repr(blank_run(0.74))
    assert "advice" not in full


def test_a_run_whose_sites_may_stand_anywhere_leads_to_other_analyses_than_another_beta():
    mixed = repr(blank_run(0.25, [0.1, 0.9, 0.2]))
    assert "for 2 of 3 anchors, sites may stand anywhere" in mixed and "`draw_motifs`" in mixed
    assert "; for 1 of 3 anchors, at this β almost any sequence is equal; try β = " in mixed
    alone = repr(blank_run(0.25, 0.1))
    assert "advice      sites may stand anywhere" in alone and "try β" not in alone and "`where`" in alone
    assert "advice" not in repr(blank_run(0.74, 0.1))
    unknown = repr(blank_run(0.25, np.nan))
    assert "sites may" not in unknown and "try β = " in unknown
