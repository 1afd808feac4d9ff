"""The short descriptions of a run."""

import dataclasses

import numpy as np
import pytest
from made_up_runs import made_up


def test_the_text_is_a_few_lines_of_what_matters():
    run = dataclasses.replace(made_up(), beta=np.tile([0.0, 0.5, 1.0, 2.5], (3, 1)), steps=np.array([24000] * 3))
    run.frequencies[:] = 0.0, 0.0, 1.0, 0.0
    run.frequencies[:, 0], run.frequency_errors[:] = 0.25, 0.0
    run.mobility[:], run.mobility_error[:] = [0.2, 1.1, 0.3], 0.01
    run.swap_acceptance[:], run.reference_swap_acceptance[:] = 0.6, [[0.8, 0.7], [0.5, 0.6], [0.5, 0.6]]
    assert repr(run).splitlines() == [
        "<jaxmaxent.Run",
        "  anchors     3: a, β, c d",
        "  target      β = 2.5, 4 rungs from β = 0",
        "  chains      3 per anchor",
        "  steps       24,000 after 20 of burn-in",
        "  converged   2 of 3 anchors",
        "  barriers    Λ = 1.2 to the target, 0.5 to 0.9 beyond",
        "  information 10.0 bits at the target",
        "  mobility    0.20 to 1.10: sites count wherever they stand for 2 of 3 anchors>",
    ]
    assert str(run) == repr(run)


def test_anchors_that_differ_are_given_as_a_range():
    run = dataclasses.replace(
        made_up(),
        beta=np.array([[0, 0.5, 1, 2], [0, 0.5, 1, 3], [0, 0.5, 1, 2.5]]),
        steps=np.array([100, 2000, 100]),
    )
    assert "β = 2 to 3, 4 rungs" in repr(run)
    assert "100 to 2,000 after" in repr(run)


def test_a_run_without_a_ladder_says_so():
    assert "no ladder" in repr(made_up(rung=1, fields=()))


@pytest.mark.parametrize("number", [4, 1000])
def test_many_long_names_are_cut(number):
    run = made_up().take(np.zeros(number, int))
    run = dataclasses.replace(run, names=("x" * 500,) * number)
    assert len(repr(run)) < 550
    assert f"and {number - 3} more" in repr(run)


def test_the_table_says_the_same_and_is_escaped():
    run = dataclasses.replace(made_up(), names=("<script>alert(1)</script>", "a & b", "c"))
    table = run._repr_html_()
    assert "<script>" not in table
    assert "&lt;script&gt;alert(1)&lt;/script&gt;, a &amp; b, c" in table
    for line in repr(made_up()).splitlines()[2:]:
        assert " ".join(line.split()[1:]).removesuffix(">") in " ".join(made_up()._repr_html_().split())


@pytest.mark.parametrize(
    ("mobility", "error", "sentence"),
    [
        (0.234, 0.012, "sites count wherever they stand (mobility 0.23 ± 0.01): draws have them elsewhere too"),
        (0.5, 0.01, "it matters somewhat where sites stand (mobility 0.50 ± 0.01)"),
        (1.02, np.nan, "sites count at their own positions (mobility 1.02), where the logo shows them"),
        (np.nan, np.nan, "it is not known whether sites count wherever they stand"),
    ],
)
def test_one_sentence_says_whether_sites_count_wherever_they_stand(mobility, error, sentence):
    run = made_up(anchor=1)
    run.mobility[:], run.mobility_error[:] = mobility, error
    assert run.mobility_outcomes[0].startswith(sentence)
    assert ("mobility" in repr(run)) == np.isfinite(mobility)
