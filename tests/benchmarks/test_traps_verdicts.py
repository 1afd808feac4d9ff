"""Verdicts on traps, from made-up runs; and that the traps of one family and length share a compiled program."""

import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

# Behind all others: some files there have the names of files of tests.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import traps
from trap_ensembles import TRAPS, Exact, Motif

EXACT = Exact(0.9, 0.1, 11.0, np.full((2, 4), 0.25))
WATCHED = np.array([[True, False, False, False], [False, True, False, False]])


def made_up(converged=True, energy=0.1, log_z=11.0, letter=0.25, energy_error=0.01, log_z_error=0.1, letter_error=0.01):
    """Return a run of one anchor and two rungs, right at the target and wrong at the other, with these changes."""
    frequencies = np.full((1, 2, 2, 4), 0.25)
    frequencies[0, -1, 1, 1] = letter
    return SimpleNamespace(
        converged=[converged],
        energy=np.array([[9.0, energy]]),
        energy_error=np.array([[0.0, energy_error]]),
        log_z=np.array([[9.0, log_z]]),
        log_z_error=np.array([[0.0, log_z_error]]),
        frequencies=frequencies,
        frequency_errors=np.full((1, 2, 2, 4), letter_error),
    )


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, ()),
        ({"energy": 0.14}, ()),
        ({"energy": 0.16}, ("energy", "far")),
        ({"energy": 0.149, "energy_error": 0.009}, ("energy",)),
        ({"energy": 0.16, "energy_error": 0.1}, ("far",)),
        ({"energy": np.nan}, ("energy", "far")),
        ({"energy_error": np.nan}, ()),
        ({"energy": 0.11, "energy_error": np.nan}, ("energy",)),
        ({"energy": 0.11, "energy_error": np.inf}, ("energy",)),
        ({"log_z": 11.51}, ("log Z",)),
        ({"log_z": 11.01, "log_z_error": 0.0}, ("log Z",)),
        ({"log_z": np.nan}, ("log Z",)),
        ({"letter": 0.31}, ("letters",)),
        ({"letter": 0.29}, ()),
        ({"letter": 0.25 + 1e-8, "letter_error": 0.0}, ()),
        ({"letter": np.nan}, ("letters",)),
    ],
)
def test_every_condition_is_judged(changes, wrong):
    found = traps.verdict(made_up(**changes), EXACT, WATCHED)
    assert found.wrong == wrong
    assert found.checks == 4
    assert found.false == bool(wrong)
    assert not traps.verdict(made_up(converged=False, **changes), EXACT, WATCHED).false


def test_letters_that_are_not_watched_are_not_judged():
    assert traps.verdict(made_up(letter=0.9), EXACT, WATCHED & (np.arange(4) == 0)).wrong == ()


def test_the_summary_counts_and_names_false_convergences():
    runs = [made_up(), made_up(energy=0.5), made_up(converged=False, energy=0.5), made_up(energy=0.2, energy_error=1)]
    judged = [(traps.verdict(run, EXACT, WATCHED), f"run {i}", 8) for i, run in enumerate(runs)]
    text = traps.summary(judged, 12.0)
    assert "4 runs: 2 false convergences, 1 converged and right, 1 not converged; 12 s" in text
    assert "energy 1, far 2, log Z 0, letters 0 (nothing but far in 1)" in text
    assert [line for line in text.splitlines() if line.startswith("FALSE")] == ["FALSE run 1", "FALSE run 3"]


def test_patterns_choose_traps_and_one_without_any_ends_the_program():
    assert len(traps.chosen(None, True)) == 12
    assert [trap.name for trap in traps.chosen(["motif-20-12-1-0.9"], False)] == ["motif-20-12-1-0.9"]
    assert len(traps.chosen(["graded-*", "two-20-*"], False)) == 13
    with pytest.raises(SystemExit, match="--only must be names"):
        traps.chosen(["no-such-trap"], False)


def test_traps_of_a_family_and_length_share_a_program():
    """Check that ensembles differ in the values of their leaves only, one trap of each kind of motif."""
    programs = {}
    for trap in TRAPS:
        if trap.share == 0.9:
            leaves, structure = jax.tree.flatten(trap.ensemble())
            shapes = structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
            programs.setdefault((type(trap), trap.length), set()).add(shapes)
    assert all(len(found) == 1 for found in programs.values())
    assert len(programs) == 8
    assert (Motif, 20) in programs
