"""The numbers of all anchors as columns and as scores, against the run, one entry at a time."""

import dataclasses

import numpy as np
import pytest
from made_up_runs import made_up

from jaxmaxent import analysis

RUN = made_up()
RUNGS = [None, 0, 2]


@pytest.fixture(scope="module")
def run():
    """A run of three anchors of five positions with proper frequencies, one of them without any other letter."""
    frequencies = np.random.default_rng(0).dirichlet(np.ones(4), RUN.frequencies.shape[:3])
    frequencies[1, -1, 2] = [0, 0, 1, 0]
    return dataclasses.replace(RUN, frequencies=frequencies, frequency_errors=np.full_like(frequencies, 0.01))


@pytest.mark.parametrize("rung", RUNGS)
def test_positions_are_rows(run, rung):
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    table = pandas.DataFrame(analysis.position_table(run, rung=rung))
    assert len(table) == run.anchors.size
    at = -1 if rung is None else rung
    for a, name in enumerate(run.names):
        rows = table[table["anchor"] == name]
        profile = analysis.profile(run, anchor=a, rung=rung)
        assert rows["position"].tolist() == list(range(run.anchors.shape[1]))
        assert "".join(rows["letter"]) == "".join(run.letters[token] for token in run.anchors[a])
        np.testing.assert_array_equal(rows["information"], profile.information)
        np.testing.assert_array_equal(rows["information_error"], profile.information_errors)
        for k, letter in enumerate(run.letters):
            np.testing.assert_array_equal(rows[f"frequency_{letter}"], run.frequencies[a, at, :, k])
            np.testing.assert_array_equal(rows[f"frequency_error_{letter}"], run.frequency_errors[a, at, :, k])
        assert set(rows["converged"]) == {bool(run.converged[a])}


@pytest.mark.parametrize("rung", RUNGS)
def test_anchors_are_rows(run, rung):
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    table = pandas.DataFrame(analysis.anchor_table(run, rung=rung)).set_index("anchor")
    at = -1 if rung is None else rung
    for a, name in enumerate(run.names):
        row = table.loc[name]
        assert row["sequence"] == "".join(run.letters[token] for token in run.anchors[a])
        assert row["consensus"] == analysis.profile(run, anchor=a, rung=rung).consensus
        for column, array in {
            "beta": run.beta, "energy": run.energy, "energy_error": run.energy_error, "max_rhat": run.max_rhat,
            "min_ess": run.min_ess, "information": run.total_information, "log_z_error": run.log_z_error,
            "information_error": run.total_information_error,
        }.items():  # fmt: skip
            np.testing.assert_array_equal(row[column], array[a, at], err_msg=column)
        assert (row["outcome"], row["steps"], row["converged"]) == (run.outcomes[a], run.steps[a], run.converged[a])


def test_scores_are_information_times_what_is_above_chance(run):
    scores = analysis.letter_scores(run)
    assert scores.shape == (3, 4, 5)
    np.testing.assert_allclose(scores.sum(1), 0, atol=1e-12)
    np.testing.assert_allclose(scores[1, :, 2], [-0.5, -0.5, 1.5, -0.5])
    for a, k, i in np.ndindex(scores.shape):
        frequencies = run.frequencies[a, -1, i]
        bits = 2 + sum(f * np.log2(f) for f in frequencies if f)
        np.testing.assert_allclose(scores[a, k, i], bits * (frequencies[k] - 0.25), atol=1e-12)


@pytest.mark.parametrize("function", [analysis.position_table, analysis.anchor_table, analysis.letter_scores])
def test_a_rung_that_is_not_there_is_refused(run, function):
    with pytest.raises(ValueError, match="^rung must be None, which means the target, or a whole number from 0 to 3"):
        function(run, rung=4)
    with pytest.raises(ValueError, match="^run must be a Run"):
        function(run.frequencies)
