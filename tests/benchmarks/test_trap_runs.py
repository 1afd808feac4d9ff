"""Runs on traps whose answers are known by counting: none may converge over wrong numbers."""

import sys
from pathlib import Path

import pytest

# Behind all others: some files there have the names of files of tests.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import traps
from trap_ensembles import QUICK, TRAPS

BY_NAME = {trap.name: trap for trap in TRAPS}
CONVERGE = ("motif-20-12-1-0.9", "motif-20-16-3-0.9", "motif-40-10-1-0.1", "two-20-8-0.1-0.5")
# Of these one converges; they run with the slow tests.
SLOW = ("two-20-8-0.1-0.5", "anywhere-8-AGCCA-1-0.9")


def level(name):
    return pytest.mark.slow if name in SLOW else pytest.mark.exhaustive


@pytest.mark.parametrize("name", [pytest.param(n, marks=level(n)) for n in QUICK])
def test_no_trap_is_called_converged_over_wrong_numbers(name):
    trap = BY_NAME[name]
    exact = trap.exact(trap.beta)
    run = traps.sampled(trap, chains=8, seed=0, steps=20_000 if name in CONVERGE else 8000)
    found = traps.verdict(run, exact, trap.watched)
    assert not found.false, (found.wrong, run.outcomes[0])
    if name in CONVERGE:
        assert found.converged, run.outcomes[0]
